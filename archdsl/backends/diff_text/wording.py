"""What the lines of a comparison are made of: signs, counts, lists, sizes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypeAlias

from archdsl.dims import Size, symbols

Sign = Literal["+", "-", "~", "", "#", "!"]
"""What a line is about: an addition, a removal, a change; plain, a heading, a warning."""

Line: TypeAlias = "tuple[Sign, str]"

MOST_NAMED = 3
"""How many of a long list are named; the rest are counted."""


def size_text(size: Size) -> str:
    """A number; of an expression, what it depends on: it may be as long as the network."""
    if isinstance(size, int):
        return f"{size:,}"
    return f"depends on {', '.join(sorted(symbols(size)))}"


def count(number: int, one: str, several: str = "") -> str:
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def some(texts: Iterable[str]) -> str:
    every = list(texts)
    if len(every) <= MOST_NAMED + 1:
        return ", ".join(every)
    return f"{', '.join(every[:MOST_NAMED])} and {len(every) - MOST_NAMED:,} more"


def printable(text: str) -> str:
    """The text with what cannot be seen made visible: what a file holds never steers a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
