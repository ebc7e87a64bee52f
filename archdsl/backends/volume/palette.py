"""The colours of the figure: a tint for each family of layers, on light and on dark paper.

The tints derive from Okabe and Ito's palette, which people with any colour vision can tell
apart; every box has its caption, so that the figure reads as well in grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.colors import DARK, LIGHT, Ground


@dataclass(frozen=True)
class Tint:
    """A box's three faces and their edges."""

    front: str
    top: str
    side: str
    line: str


@dataclass(frozen=True)
class Palette:
    """Every colour of a figure."""

    ground: Ground
    quiet: str
    tints: Mapping[str, Tint]


GROUPS: Mapping[str, str] = {
    "convolution": "convolution",
    "pooling": "pooling",
    "linear": "linear",
    "attention": "attention",
    "recurrent": "recurrent",
    "embedding": "embedding",
    "structure": "input",
}
"""The word of the legend for a family of layers; the others are «reshape, merge»."""
_HUES: Mapping[str, tuple[int, int, int]] = {
    "convolution": (0, 114, 178),
    "pooling": (213, 94, 0),
    "linear": (230, 159, 0),
    "attention": (204, 121, 167),
    "recurrent": (106, 81, 163),
    "embedding": (44, 140, 153),
    "input": (110, 116, 124),
    "reshape, merge": (158, 164, 170),
}

Colour = tuple[int, int, int]
_WHITE: Colour = (255, 255, 255)
_BLACK: Colour = (0, 0, 0)


def _mix(one: Colour, two: Colour, share: float) -> str:
    """``share`` of the first colour, the rest of the second."""
    parts = (round(a * share + b * (1 - share)) for a, b in zip(one, two, strict=True))
    return "#" + "".join(f"{part:02x}" for part in parts)


def _light(hue: Colour) -> Tint:
    return Tint(
        _mix(hue, _WHITE, 0.34),
        _mix(hue, _WHITE, 0.17),
        _mix(hue, _WHITE, 0.55),
        _mix(hue, _BLACK, 0.78),
    )


def _dark(hue: Colour) -> Tint:
    paper = (22, 25, 29)
    return Tint(
        _mix(hue, paper, 0.58),
        _mix(hue, paper, 0.8),
        _mix(hue, paper, 0.38),
        _mix(hue, _WHITE, 0.62),
    )


PALETTES: Mapping[str, Palette] = {
    "light": Palette(LIGHT, "#5f6368", {k: _light(h) for k, h in _HUES.items()}),
    "dark": Palette(DARK, "#a7afb8", {k: _dark(h) for k, h in _HUES.items()}),
}


def group_of(family: str) -> str:
    """The word that the legend uses for a family of layers."""
    return GROUPS.get(family, "reshape, merge")
