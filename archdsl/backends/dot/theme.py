"""Themes: the colours of a picture, one tint for each family of layers.

The tints derive from Okabe and Ito's palette, which people with any colour vision can tell apart;
every box bears its name, so that the picture reads as well in grey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.colors import DARK, LIGHT

FONT = "Helvetica"


@dataclass(frozen=True)
class Tint:
    """A box's fill and its border."""

    fill: str
    line: str


@dataclass(frozen=True)
class Theme:
    """Every colour of a picture."""

    paper: str
    ink: str
    quiet: str
    """Of what is read second: shapes, details, names."""
    wire: str
    skip: str
    module: Tint
    """Of a closed module."""
    frames: tuple[Tint, ...]
    """Of the frames around open ones, from the outside in."""
    tints: Mapping[str, Tint]
    """By the word that the legend uses for a group of families."""
    marks: Mapping[str, Tint]
    """By what a comparison says of a layer."""


GROUPS: Mapping[str, str] = {
    "convolution": "convolution",
    "linear": "linear",
    "attention": "attention",
    "recurrent": "recurrent",
    "embedding": "embedding",
    "generate": "embedding",
    "normalization": "normalization",
    "activation": "activation",
    "function": "activation",
    "pooling": "pooling",
    "regularization": "regularization",
    "shape": "shape",
}
"""The group of each family of layers; families that are not here are «other»."""

NAMES: Mapping[str, str] = {
    "embedding": "embedding, parameter",
    "activation": "activation, function",
}
"""What the legend calls a group, where that is more than its word."""

_LIGHT = Theme(
    paper=LIGHT.paper,
    ink=LIGHT.ink,
    quiet="#585c61",
    wire="#4a4f55",
    skip=LIGHT.skip,
    module=Tint("#eceff3", "#596270"),
    frames=(Tint("#f8f9fb", "#b9c0ca"), Tint("#f1f3f6", "#aab3bf"), Tint("#ecf0f3", "#9aa4b2")),
    tints={
        "convolution": Tint("#cfe3f5", "#0072b2"),
        "linear": Tint("#fcdca6", "#b26a00"),
        "attention": Tint("#edd3e2", "#a9588a"),
        "recurrent": Tint("#e0d8f0", "#6a51a3"),
        "embedding": Tint("#d3f0f4", "#2c8c99"),
        "normalization": Tint("#fbf9d6", "#b5aa1a"),
        "activation": Tint("#cdebdd", "#009e73"),
        "pooling": Tint("#f9d3c0", "#d55e00"),
        "regularization": Tint("#e4e4e4", "#7d7d7d"),
        "shape": Tint("#f6f6f6", "#9e9e9e"),
        "other": Tint(LIGHT.paper, "#4a4f55"),
    },
    marks={
        "kept": Tint("#f4f5f7", "#a3abb5"),
        "resized": Tint("#f4f5f7", "#a88600"),
        "changed": Tint("#fdeeb5", "#a88600"),
        "added": Tint("#cdebdd", "#009e73"),
        "removed": Tint("#f9d3c0", "#d55e00"),
    },
)

_DARK = Theme(
    paper=DARK.paper,
    ink=DARK.ink,
    quiet="#a7afb8",
    wire="#b4bcc5",
    skip=DARK.skip,
    module=Tint("#2c333b", "#8d98a5"),
    frames=(Tint("#1c2025", "#454d57"), Tint("#22272d", "#525b66"), Tint("#282e35", "#5f6975")),
    tints={
        "convolution": Tint("#123a57", "#56b4e9"),
        "linear": Tint("#4f3800", "#e69f00"),
        "attention": Tint("#4d2a3f", "#cc79a7"),
        "recurrent": Tint("#372a5c", "#a893dc"),
        "embedding": Tint("#0f4149", "#5cc3d0"),
        "normalization": Tint("#37360c", "#efe47a"),
        "activation": Tint("#0a4433", "#2ec79a"),
        "pooling": Tint("#5a2a08", "#f0863c"),
        "regularization": Tint("#3a3f45", "#9aa3ac"),
        "shape": Tint("#25292e", "#7b848e"),
        "other": Tint(DARK.paper, "#b4bcc5"),
    },
    marks={
        "kept": Tint("#22272d", "#6d7781"),
        "resized": Tint("#22272d", "#dccf3a"),
        "changed": Tint("#444000", "#dccf3a"),
        "added": Tint("#0a4433", "#2ec79a"),
        "removed": Tint("#5a2a08", "#f0863c"),
    },
)

THEMES: Mapping[str, Theme] = {"light": _LIGHT, "dark": _DARK}


def group_of(family: str) -> str:
    """The word that the legend uses for a family of layers."""
    return GROUPS.get(family, "other")
