"""googlenet, written by archdsl from googlenet.arch."""

from typing import NamedTuple

import torch
from torch import Tensor, nn


class GooglenetOutput(NamedTuple):
    """What the network gives in training."""

    logits: Tensor
    aux_logits2: Tensor
    aux_logits1: Tensor


class ConvBn(nn.Module):
    """Convolution, batch normalization, relu: every convolution of the network."""

    def __init__(
        self,
        in_channels: int,
        width: int,
        kernel: int,
        stride: int = 1,
        padding: int = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            in_channels,
            width,
            kernel_size=kernel,
            stride=stride,
            padding=padding,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(width, eps=0.001)
        self.relu1 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu1(self.bn(self.conv(x)))


class Inception(nn.Module):
    """Figure 2b: four paths side by side. The arguments are a row of table 1."""

    def __init__(
        self,
        in_channels: int,
        conv1: int,
        reduce3: int,
        conv3: int,
        reduce5: int,
        conv5: int,
        pool: int,
        large: int = 3,
    ) -> None:
        super().__init__()
        self.branch1 = ConvBn(in_channels, conv1, 1)
        self.branch2 = nn.Sequential(
            ConvBn(in_channels, reduce3, 1),
            ConvBn(reduce3, conv3, 3, padding=1),
        )
        self.branch3 = nn.Sequential(
            ConvBn(in_channels, reduce5, 1),
            ConvBn(reduce5, conv5, large, padding=large // 2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1, ceil_mode=True),
            ConvBn(in_channels, pool, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        branch1 = self.branch1(x)
        branch2 = self.branch2(x)
        branch3 = self.branch3(x)
        x = self.branch4(x)
        return torch.cat([branch1, branch2, branch3, x], dim=1)


class Auxiliary(nn.Module):
    """A second classifier halfway up, which sends its gradient to the layers below
    while training.
    """

    def __init__(self, in_channels: int, classes: int) -> None:
        super().__init__()
        self.adaptive_avg_pool1 = nn.AdaptiveAvgPool2d(4)
        self.conv = ConvBn(in_channels, 128, 1)
        self.fc1 = nn.Linear(2048, 1024)
        self.relu1 = nn.ReLU()
        self.dropout1 = nn.Dropout(p=0.7)
        self.fc2 = nn.Linear(1024, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.adaptive_avg_pool1(x)
        x = self.conv(x)
        x = torch.flatten(x, 1)
        x = self.dropout1(self.relu1(self.fc1(x)))
        return self.fc2(x)


class Googlenet(nn.Module):
    def __init__(self, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = ConvBn(3, 64, 7, stride=2, padding=3)
        self.max_pool1 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.conv2 = ConvBn(64, 64, 1)
        self.conv3 = ConvBn(64, 192, 3, padding=1)
        self.max_pool2 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.inception3a = Inception(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = Inception(256, 128, 128, 192, 32, 96, 64)
        self.max_pool3 = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
        self.inception4a = Inception(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = Inception(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = Inception(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = Inception(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = Inception(528, 256, 160, 320, 32, 128, 128)
        self.max_pool4 = nn.MaxPool2d(kernel_size=2, stride=2, ceil_mode=True)
        self.inception5a = Inception(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = Inception(832, 384, 192, 384, 48, 128, 128)
        self.aux1 = Auxiliary(512, classes)
        self.aux2 = Auxiliary(528, classes)
        self.global_avg_pool1 = nn.AdaptiveAvgPool2d(1)
        self.dropout1 = nn.Dropout(p=0.2)
        self.fc = nn.Linear(1024, classes)

    def forward(self, image: Tensor) -> Tensor | GooglenetOutput:
        x = self.conv1(image)  # [64, (H + 1) // 2, (W + 1) // 2]
        x = self.max_pool1(x)  # [64, (H + 1) // 4, (W + 1) // 4]
        x = self.conv2(x)
        x = self.conv3(x)  # [192, (H + 1) // 4, (W + 1) // 4]
        x = self.max_pool2(x)  # [192, (H + 1) // 8, (W + 1) // 8]
        x = self.inception3a(x)  # [256, (H + 1) // 8, (W + 1) // 8]
        x = self.inception3b(x)  # [480, (H + 1) // 8, (W + 1) // 8]
        x = self.max_pool3(x)  # [480, (H + 1) // 16, (W + 1) // 16]
        low = self.inception4a(x)  # [512, (H + 1) // 16, (W + 1) // 16]
        x = self.inception4b(low)
        x = self.inception4c(x)
        high = self.inception4d(x)  # [528, (H + 1) // 16, (W + 1) // 16]
        x = self.inception4e(high)  # [832, (H + 1) // 16, (W + 1) // 16]
        x = self.max_pool4(x)  # [832, (H + 17) // 32, (W + 17) // 32]
        x = self.inception5a(x)
        top = self.inception5b(x)  # [1024, (H + 17) // 32, (W + 17) // 32]
        x = torch.flatten(self.global_avg_pool1(top), 1)  # [1024]
        x = self.dropout1(x)
        logits = self.fc(x)  # [1000]
        if self.training:
            aux_logits1 = self.aux1(low)
            aux_logits2 = self.aux2(high)
            return GooglenetOutput(logits, aux_logits2, aux_logits1)
        return logits
