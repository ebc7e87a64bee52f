"""mobilenet_v2, written by archdsl from mobilenet.arch."""

import torch
from torch import Tensor, nn


class ConvBn(nn.Sequential):
    """Convolution, normalization, and the activation if there is one. It keeps the
    size unless it strides.
    """

    def __init__(
        self,
        in_channels: int,
        width: int,
        kernel: int = 3,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__(
            nn.Conv2d(
                in_channels,
                width,
                kernel_size=kernel,
                stride=stride,
                padding=(kernel - 1) // 2,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(width),
            nn.ReLU6(),
        )


class InvertedResidual(nn.Module):
    """Version 2: wide inside, narrow outside, and no activation where it is narrow."""

    def __init__(
        self, in_channels: int, width: int, expansion: int, stride: int = 1
    ) -> None:
        super().__init__()
        hidden = expansion * in_channels
        self.conv = nn.Sequential(
            ConvBn(in_channels, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, width, kernel_size=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x)  # [16, (H + 1) // 2, (W + 1) // 2]


class InvertedResidual2(nn.Module):
    """Version 2: wide inside, narrow outside, and no activation where it is narrow."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        expansion: int,
        stride: int = 1,
        residual: bool = False,
    ) -> None:
        super().__init__()
        hidden = expansion * in_channels
        self.conv = nn.Sequential(
            ConvBn(in_channels, hidden, kernel=1),
            ConvBn(hidden, hidden, stride=stride, groups=hidden),
            nn.Conv2d(hidden, width, kernel_size=1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        out = self.conv(x)
        if self.residual:
            out = x + out
        return out


class MobilenetV2(nn.Module):
    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            ConvBn(3, 32, stride=2),
            InvertedResidual(32, 16, 1),
            InvertedResidual2(16, 24, 6, stride=2),
            InvertedResidual2(24, 24, 6, residual=True),
            InvertedResidual2(24, 32, 6, stride=2),
            InvertedResidual2(32, 32, 6, residual=True),
            InvertedResidual2(32, 32, 6, residual=True),
            InvertedResidual2(32, 64, 6, stride=2),
            *[InvertedResidual2(64, 64, 6, residual=True) for _ in range(3)],
            InvertedResidual2(64, 96, 6),
            InvertedResidual2(96, 96, 6, residual=True),
            InvertedResidual2(96, 96, 6, residual=True),
            InvertedResidual2(96, 160, 6, stride=2),
            InvertedResidual2(160, 160, 6, residual=True),
            InvertedResidual2(160, 160, 6, residual=True),
            InvertedResidual2(160, 320, 6),
            ConvBn(320, 1280, kernel=1),
        )
        self.global_avg_pool1 = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=0.2),
            nn.Linear(1280, classes),
        )

    def forward(self, image: Tensor) -> Tensor:
        x = self.features(image)  # [1280, (H + 31) // 32, (W + 31) // 32]
        x = torch.flatten(self.global_avg_pool1(x), 1)  # [1280]
        return self.classifier(x)  # [1000]
