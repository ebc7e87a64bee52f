"""resnet18, written by archdsl from resnet.arch."""

import torch
from torch import Tensor, nn


class OptionB(nn.Sequential):
    """The shortcut where the shape changes, option B: a projection."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, width, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(width),
        )


class Basic(nn.Module):
    """Two convolutions of 3x3, for the shallow networks. A plain one has no
    shortcut.
    """

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
            self.downsample = OptionB(in_channels, width, stride)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            x = self.downsample(x)
        out = x + out
        return self.relu2(out)


class Resnet18(nn.Module):
    """Table 1 of the paper: four levels of residual units, each of half the size and
    twice the width.
    """

    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu1 = nn.ReLU()
        self.max_pool1 = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = nn.Sequential(
            Basic(64, 64),
            Basic(64, 64),
        )
        self.layer2 = nn.Sequential(
            Basic(64, 128, stride=2, downsample=True),
            Basic(128, 128),
        )
        self.layer3 = nn.Sequential(
            Basic(128, 256, stride=2, downsample=True),
            Basic(256, 256),
        )
        self.layer4 = nn.Sequential(
            Basic(256, 512, stride=2, downsample=True),
            Basic(512, 512),
        )
        self.global_avg_pool1 = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(image)))  # [64, (H + 1) // 2, (W + 1) // 2]
        x = self.max_pool1(x)  # [64, (H + 3) // 4, (W + 3) // 4]
        for i in range(4):
            x = getattr(self, f"layer{i + 1}")(x)
        x = torch.flatten(self.global_avg_pool1(x), 1)  # [512]
        return self.fc(x)  # [1000]
