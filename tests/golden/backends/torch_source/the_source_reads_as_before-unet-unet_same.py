"""unet_same, written by archdsl from unet.arch."""

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
            nn.ReLU(),
        )


class DoubleConv(nn.Module):
    """Two convolutions of 3x3 that keep the size: what a U-Net repeats."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv_bn1 = ConvBn(in_channels, width)
        self.conv_bn2 = ConvBn(width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_bn1(x)
        return self.conv_bn2(x)


class UnetSame(nn.Module):
    """As it is mostly built today: padded, so that every pixel gets its class, and
    normalized.
    """

    def __init__(self, base: int = 64, classes: int = 2) -> None:
        super().__init__()
        self.double_conv1 = DoubleConv(1, base)
        self.max_pool1 = nn.MaxPool2d(kernel_size=2)
        self.double_conv2 = DoubleConv(base, base * 2)
        self.max_pool2 = nn.MaxPool2d(kernel_size=2)
        self.double_conv3 = DoubleConv(base * 2, base * 4)
        self.max_pool3 = nn.MaxPool2d(kernel_size=2)
        self.double_conv4 = DoubleConv(base * 4, base * 8)
        self.max_pool4 = nn.MaxPool2d(kernel_size=2)
        self.double_conv5 = DoubleConv(base * 8, base * 16)
        self.conv_transpose1 = nn.ConvTranspose2d(
            base * 16, base * 8, kernel_size=2, stride=2
        )
        self.double_conv6 = DoubleConv(base * 16, base * 8)
        self.conv_transpose2 = nn.ConvTranspose2d(
            base * 8, base * 4, kernel_size=2, stride=2
        )
        self.double_conv7 = DoubleConv(base * 8, base * 4)
        self.conv_transpose3 = nn.ConvTranspose2d(
            base * 4, base * 2, kernel_size=2, stride=2
        )
        self.double_conv8 = DoubleConv(base * 4, base * 2)
        self.conv_transpose4 = nn.ConvTranspose2d(
            base * 2, base, kernel_size=2, stride=2
        )
        self.double_conv9 = DoubleConv(2 * base, base)
        self.conv1 = nn.Conv2d(base, classes, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        skip0 = self.double_conv1(image)  # [64, H, W]
        x = self.max_pool1(skip0)  # [64, H // 2, W // 2]
        skip1 = self.double_conv2(x)  # [128, H // 2, W // 2]
        x = self.max_pool2(skip1)  # [128, H // 4, W // 4]
        skip2 = self.double_conv3(x)  # [256, H // 4, W // 4]
        x = self.max_pool3(skip2)  # [256, H // 8, W // 8]
        skip3 = self.double_conv4(x)  # [512, H // 8, W // 8]
        x = self.max_pool4(skip3)  # [512, H // 16, W // 16]
        x = self.double_conv5(x)  # [1024, H // 16, W // 16]
        x = torch.cat([skip3, self.conv_transpose1(x)], dim=1)  # [1024, H // 8, W // 8]
        del skip3
        x = self.double_conv6(x)  # [512, H // 8, W // 8]
        x = torch.cat([skip2, self.conv_transpose2(x)], dim=1)  # [512, H // 4, W // 4]
        del skip2
        x = self.double_conv7(x)  # [256, H // 4, W // 4]
        x = torch.cat([skip1, self.conv_transpose3(x)], dim=1)  # [256, H // 2, W // 2]
        del skip1
        x = self.double_conv8(x)  # [128, H // 2, W // 2]
        x = torch.cat([skip0, self.conv_transpose4(x)], dim=1)  # [128, H, W]
        del skip0
        x = self.double_conv9(x)  # [64, H, W]
        return self.conv1(x)  # [2, H, W]
