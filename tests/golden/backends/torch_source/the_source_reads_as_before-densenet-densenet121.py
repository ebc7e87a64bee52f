"""densenet121, written by archdsl from densenet.arch."""

from collections import OrderedDict

import torch
from torch import Tensor, nn


class DenseLayer(nn.Module):
    """What one layer adds to all that came before it: `growth` new channels."""

    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(in_channels)
        self.relu1 = nn.ReLU()
        self.conv1 = nn.Conv2d(in_channels, 4 * growth, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4 * growth)
        self.relu2 = nn.ReLU()
        self.conv2 = nn.Conv2d(4 * growth, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(self.relu1(self.norm1(x)))
        return self.conv2(self.relu2(self.norm2(x)))


class Denseblock1(nn.Module):
    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        for i in range(6):
            self.add_module(
                f"denselayer{i + 1}", DenseLayer(in_channels + i * growth, growth)
            )

    def forward(self, x: Tensor) -> Tensor:
        for i in range(6):
            x = torch.cat([x, getattr(self, f"denselayer{i + 1}")(x)], dim=1)
        return x


class Transition(nn.Sequential):
    """Between two dense blocks: half the channels, half the size."""

    def __init__(self, in_channels: int) -> None:
        super().__init__(
            OrderedDict(
                [
                    ("norm", nn.BatchNorm2d(in_channels)),
                    ("relu", nn.ReLU()),
                    (
                        "conv",
                        nn.Conv2d(
                            in_channels, in_channels // 2, kernel_size=1, bias=False
                        ),
                    ),
                    ("pool", nn.AvgPool2d(kernel_size=2, stride=2)),
                ],
            ),
        )


class Denseblock2(nn.Module):
    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        for i in range(12):
            self.add_module(
                f"denselayer{i + 1}", DenseLayer(in_channels + i * growth, growth)
            )

    def forward(self, x: Tensor) -> Tensor:
        for i in range(12):
            x = torch.cat([x, getattr(self, f"denselayer{i + 1}")(x)], dim=1)
        return x


class Denseblock3(nn.Module):
    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        for i in range(24):
            self.add_module(
                f"denselayer{i + 1}", DenseLayer(in_channels + i * growth, growth)
            )

    def forward(self, x: Tensor) -> Tensor:
        for i in range(24):
            x = torch.cat([x, getattr(self, f"denselayer{i + 1}")(x)], dim=1)
        return x


class Denseblock4(nn.Module):
    def __init__(self, in_channels: int, growth: int) -> None:
        super().__init__()
        for i in range(16):
            self.add_module(
                f"denselayer{i + 1}", DenseLayer(in_channels + i * growth, growth)
            )

    def forward(self, x: Tensor) -> Tensor:
        for i in range(16):
            x = torch.cat([x, getattr(self, f"denselayer{i + 1}")(x)], dim=1)
        return x


class Densenet121(nn.Module):
    """Table 1 of the paper: dense blocks, and a transition after all but the last."""

    def __init__(self, growth: int = 32, classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            OrderedDict(
                [
                    (
                        "conv0",
                        nn.Conv2d(
                            3,
                            2 * growth,
                            kernel_size=7,
                            stride=2,
                            padding=3,
                            bias=False,
                        ),
                    ),
                    ("norm0", nn.BatchNorm2d(2 * growth)),
                    ("relu0", nn.ReLU()),
                    ("pool0", nn.MaxPool2d(kernel_size=3, stride=2, padding=1)),
                    ("denseblock1", Denseblock1(2 * growth, growth)),
                    ("transition1", Transition(8 * growth)),
                    ("denseblock2", Denseblock2(4 * growth, growth)),
                    ("transition2", Transition(16 * growth)),
                    ("denseblock3", Denseblock3(8 * growth, growth)),
                    ("transition3", Transition(32 * growth)),
                    ("denseblock4", Denseblock4(16 * growth, growth)),
                    ("norm5", nn.BatchNorm2d(32 * growth)),
                ],
            ),
        )
        self.relu1 = nn.ReLU()
        self.global_avg_pool1 = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(32 * growth, classes)

    def forward(self, image: Tensor) -> Tensor:
        x = self.features(image)  # [1024, (H + 3) // 32, (W + 3) // 32]
        x = torch.flatten(self.global_avg_pool1(self.relu1(x)), 1)  # [1024]
        return self.classifier(x)  # [1000]
