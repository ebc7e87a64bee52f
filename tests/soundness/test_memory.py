"""A tensor is let go after its last use: as little is held as by a module written by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from live_memory import peak_bytes
from torch import Tensor, nn

import archdsl


def peak(module: Callable[..., Any], *given: Tensor) -> int:
    """The most bytes that results of operations hold at once, without gradients."""
    with torch.no_grad():
        return peak_bytes(lambda: module(*given))


class Chain(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(30))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = torch.relu(layer(x))
        return x


class Residuals(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(20))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = x + torch.relu(layer(x))
        return x


class UNet(nn.Module):
    """Skips are popped as they are joined."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.ModuleList(nn.Conv2d(8, 8, 3, padding=1) for _ in range(4))
        self.bottom = nn.Conv2d(8, 8, 3, padding=1)
        self.up = nn.ModuleList(nn.ConvTranspose2d(8, 8, 2, stride=2) for _ in range(4))
        self.decode = nn.ModuleList(nn.Conv2d(16, 8, 3, padding=1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for encode in self.encode:
            x = torch.relu(encode(x))
            skips.append(x)
            x = torch.max_pool2d(x, 2)
        x = torch.relu(self.bottom(x))
        for up, decode in zip(self.up, self.decode, strict=True):
            x = up(x)
            x = torch.cat([skips.pop(), x], dim=1)
            x = torch.relu(decode(x))
        return x


class Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.one = nn.ModuleList(nn.Conv2d(8, 4, 1) for _ in range(12))
        self.two = nn.ModuleList(nn.Conv2d(8, 4, 3, padding=1) for _ in range(12))

    def forward(self, x: Tensor) -> Tensor:
        for one, two in zip(self.one, self.two, strict=True):
            left = torch.relu(one(x))
            x = torch.cat([left, two(x)], dim=1)
            del left
        return x


CASES = {
    "chain": ("repeat 30 { conv(8, 3, padding = 1) -> relu }", Chain),
    "chain_of_blocks": ("repeat 30 { unit }", Chain),
    "residuals": ("repeat 20 { residual { conv(8, 3, padding = 1) -> relu } }", Residuals),
    "residual_blocks": ("repeat 20 { residual { unit } }", Residuals),
    "unet": (
        """unet level in range(4) {
            encode { conv(8, 3, padding = 1) -> relu }
            down { max_pool(2) }
            bottom { conv(8, 3, padding = 1) -> relu }
            up { conv_transpose(8, 2, stride = 2) }
            decode { conv(8, 3, padding = 1) -> relu }
        }""",
        UNet,
    ),
    "unet_of_blocks": (
        """unet level in range(4) {
            encode { unit }
            down { max_pool(2) }
            bottom { unit }
            up { conv_transpose(8, 2, stride = 2) }
            decode { unit }
        }""",
        UNet,
    ),
    "branches": (
        """repeat 12 {
            branch concat {
                conv(4, 1) -> relu
                conv(4, 3, padding = 1)
            }
        }""",
        Branches,
    ),
}
TEXT = """
block unit {{ conv(8, 3, padding = 1) -> relu }}
network n {{
    input image: [8, 32, 32]
    {body}
}}
"""


@pytest.mark.parametrize("case", CASES)
def test_no_more_is_held_than_by_hand(case: str) -> None:
    body, by_hand = CASES[case]
    module = archdsl.compile(archdsl.loads(TEXT.format(body=body)))
    image = torch.randn(2, 8, 32, 32)
    # One tensor more: what a caller holds while a block runs, the block cannot let go; and a
    # name that is about to be given anew is not deleted before.
    one = 0 if case == "chain" else image.numel() * image.element_size()
    assert peak(module, image) <= peak(by_hand(), image) + one


def test_holding_everything_is_found_out() -> None:
    class Hoarder(Chain):
        def forward(self, x: Tensor) -> Tensor:
            kept = [x]
            for layer in self.layers:
                kept.append(torch.relu(layer(kept[-1])))
            return kept[-1]

    image = torch.randn(2, 8, 32, 32)
    assert peak(Hoarder(), image) > 5 * peak(Chain(), image)
