"""small, written by archdsl."""

import torch
from torch import Tensor, nn


class Basic(nn.Module):
    def __init__(
        self, in_channels: int, width: int, stride: int = 1, downsample: bool = False
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(
            in_channels, width, kernel_size=3, stride=stride, padding=1, bias=False
        )
        self.bn1 = nn.BatchNorm2d(width)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample: nn.Module | None = None
        if downsample:
            self.downsample = nn.Sequential(
                nn.Conv2d(in_channels, width, kernel_size=1, stride=stride, bias=False),
                nn.BatchNorm2d(width),
            )
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            x = self.downsample(x)
        out = x + out
        return self.relu2(out)


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU()
        self.layer1 = nn.Sequential(
            Basic(8, 8),
            Basic(8, 8),
        )
        self.layer2 = nn.Sequential(
            Basic(8, 16, stride=2, downsample=True),
            Basic(16, 16),
        )
        self.global_avg_pool1 = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(16, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(image)))  # [8, H, W]
        x = self.layer1(x)
        x = self.layer2(x)  # [16, (H + 1) // 2, (W + 1) // 2]
        x = torch.flatten(self.global_avg_pool1(x), 1)  # [16]
        return self.fc(x)  # [10]
