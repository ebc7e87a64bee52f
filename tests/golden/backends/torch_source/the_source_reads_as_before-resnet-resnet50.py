"""resnet50, written by archdsl from resnet.arch."""

import torch
from torch import Tensor, nn


class OptionB(nn.Sequential):
    """The shortcut where the shape changes, option B: a projection."""

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__(
            nn.Conv2d(in_channels, width, kernel_size=1, stride=stride, bias=False),
            nn.BatchNorm2d(width),
        )


class Bottleneck(nn.Module):
    """1x1 to fewer channels, 3x3, and 1x1 to four times `width`. At a width of 64,
    the 3x3 has `groups` groups of `base` channels. The stride stands at the 3x3,
    as in torchvision, or at the first 1x1, as in the paper.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        stride: int = 1,
        groups: int = 1,
        base: int = 64,
        dilation: int = 1,
        stride_first: bool = False,
        downsample: bool = False,
    ) -> None:
        super().__init__()
        inner = width * base // 64 * groups
        self.conv1 = nn.Conv2d(
            in_channels,
            inner,
            kernel_size=1,
            stride=stride if stride_first else 1,
            bias=False,
        )
        self.bn1 = nn.BatchNorm2d(inner)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(
            inner,
            inner,
            kernel_size=3,
            stride=1 if stride_first else stride,
            padding=dilation,
            dilation=dilation,
            groups=groups,
            bias=False,
        )
        self.bn2 = nn.BatchNorm2d(inner)
        self.relu2 = nn.ReLU()
        self.conv3 = nn.Conv2d(inner, 4 * width, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample: nn.Module | None = None
        if downsample:
            self.downsample = OptionB(in_channels, 4 * width, stride)
        self.relu3 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu1(self.bn1(self.conv1(x)))
        out = self.relu2(self.bn2(self.conv2(out)))
        out = self.bn3(self.conv3(out))
        if self.downsample is not None:
            x = self.downsample(x)
        out = x + out
        return self.relu3(out)


class Resnet50(nn.Module):
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
            Bottleneck(64, 64, downsample=True),
            Bottleneck(256, 64),
            Bottleneck(256, 64),
        )
        self.layer2 = nn.Sequential(
            Bottleneck(256, 128, stride=2, downsample=True),
            *[Bottleneck(512, 128) for _ in range(3)],
        )
        self.layer3 = nn.Sequential(
            Bottleneck(512, 256, stride=2, downsample=True),
            *[Bottleneck(1024, 256) for _ in range(5)],
        )
        self.layer4 = nn.Sequential(
            Bottleneck(1024, 512, stride=2, downsample=True),
            Bottleneck(2048, 512),
            Bottleneck(2048, 512),
        )
        self.global_avg_pool1 = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(2048, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.relu1(self.bn1(self.conv1(image)))  # [64, (H + 1) // 2, (W + 1) // 2]
        x = self.max_pool1(x)  # [64, (H + 3) // 4, (W + 3) // 4]
        for i in range(4):
            x = getattr(self, f"layer{i + 1}")(x)
        x = torch.flatten(self.global_avg_pool1(x), 1)  # [2048]
        return self.fc(x)  # [1000]
