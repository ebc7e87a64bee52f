"""unet, written by archdsl from unet.arch."""

import torch
from torch import Tensor, nn


def center_crop(x: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
    """Cuts the middle out of the last axes of x."""
    for axis, size in enumerate(sizes, start=x.dim() - len(sizes)):
        x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x


class ConvolveTwice(nn.Module):
    """Two unpadded convolutions of 3x3: each takes a pixel from every border."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=3)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, kernel_size=3)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu2(self.conv2(self.relu1(self.conv1(x))))


class Unet(nn.Module):
    """As in the paper: 572x572 comes in, and what is left without borders, 388x388,
    goes out.
    """

    def __init__(self, base: int = 64, classes: int = 2) -> None:
        super().__init__()
        self.convolve_twice1 = ConvolveTwice(1, base)
        self.max_pool1 = nn.MaxPool2d(kernel_size=2)
        self.convolve_twice2 = ConvolveTwice(base, base * 2)
        self.max_pool2 = nn.MaxPool2d(kernel_size=2)
        self.convolve_twice3 = ConvolveTwice(base * 2, base * 4)
        self.max_pool3 = nn.MaxPool2d(kernel_size=2)
        self.convolve_twice4 = ConvolveTwice(base * 4, base * 8)
        self.max_pool4 = nn.MaxPool2d(kernel_size=2)
        self.convolve_twice5 = ConvolveTwice(base * 8, base * 16)
        self.dropout1 = nn.Dropout()
        self.conv_transpose1 = nn.ConvTranspose2d(
            base * 16, base * 8, kernel_size=2, stride=2
        )
        self.convolve_twice6 = ConvolveTwice(base * 16, base * 8)
        self.conv_transpose2 = nn.ConvTranspose2d(
            base * 8, base * 4, kernel_size=2, stride=2
        )
        self.convolve_twice7 = ConvolveTwice(base * 8, base * 4)
        self.conv_transpose3 = nn.ConvTranspose2d(
            base * 4, base * 2, kernel_size=2, stride=2
        )
        self.convolve_twice8 = ConvolveTwice(base * 4, base * 2)
        self.conv_transpose4 = nn.ConvTranspose2d(
            base * 2, base, kernel_size=2, stride=2
        )
        self.convolve_twice9 = ConvolveTwice(2 * base, base)
        self.conv1 = nn.Conv2d(base, classes, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        skip0 = self.convolve_twice1(image)  # [64, 568, 568]
        x = self.max_pool1(skip0)  # [64, 284, 284]
        skip1 = self.convolve_twice2(x)  # [128, 280, 280]
        x = self.max_pool2(skip1)  # [128, 140, 140]
        skip2 = self.convolve_twice3(x)  # [256, 136, 136]
        x = self.max_pool3(skip2)  # [256, 68, 68]
        skip3 = self.convolve_twice4(x)  # [512, 64, 64]
        x = self.max_pool4(skip3)  # [512, 32, 32]
        x = self.convolve_twice5(x)  # [1024, 28, 28]
        x = self.dropout1(x)
        x = self.conv_transpose1(x)  # [512, 56, 56]
        out = center_crop(skip3, x.shape[2:])
        del skip3
        x = torch.cat([out, x], dim=1)  # [1024, 56, 56]
        del out
        x = self.convolve_twice6(x)  # [512, 52, 52]
        x = self.conv_transpose2(x)  # [256, 104, 104]
        out = center_crop(skip2, x.shape[2:])
        del skip2
        x = torch.cat([out, x], dim=1)  # [512, 104, 104]
        del out
        x = self.convolve_twice7(x)  # [256, 100, 100]
        x = self.conv_transpose3(x)  # [128, 200, 200]
        out = center_crop(skip1, x.shape[2:])
        del skip1
        x = torch.cat([out, x], dim=1)  # [256, 200, 200]
        del out
        x = self.convolve_twice8(x)  # [128, 196, 196]
        x = self.conv_transpose4(x)  # [64, 392, 392]
        out = center_crop(skip0, x.shape[2:])
        del skip0
        x = torch.cat([out, x], dim=1)  # [128, 392, 392]
        del out
        x = self.convolve_twice9(x)  # [64, 388, 388]
        return self.conv1(x)  # [2, 388, 388]
