"""How wide a text is in Helvetica: the figure leaves room for what it writes."""

from __future__ import annotations

import unicodedata

# Advance widths in thousandths of the size, as Adobe's metrics of Helvetica give them (Arial and
# Liberation Sans have the same), for the characters from the space to the tilde.
_ADVANCES = (
    "278 278 355 556 556 889 667 191 333 333 389 584 278 333 278 278 "
    "556 556 556 556 556 556 556 556 556 556 278 278 584 584 584 556 "
    "1015 667 667 722 722 667 611 778 722 278 500 667 556 833 722 778 "
    "667 778 722 667 611 722 667 944 667 667 611 278 278 278 469 556 "
    "333 556 556 500 556 556 278 556 556 222 222 500 222 833 556 556 "
    "556 556 333 500 278 556 500 722 500 500 500 334 260 334 584"
)
_WIDTHS = dict(
    zip(map(chr, range(ord(" "), ord("~") + 1)), map(int, _ADVANCES.split()), strict=True)
)
_WIDTHS["×"] = 584
_OTHER, _FULL = 780, 1000


def text_width(text: str, size: float) -> float:
    """The width of a line; what the table lacks counts as wide. Digits are no wider in bold."""
    return sum(_WIDTHS.get(char, _unlisted(char)) for char in text) * size / 1000


def _unlisted(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return _FULL if unicodedata.east_asian_width(char) in "WFA" else _OTHER


def shorten(text: str, longest: int) -> str:
    """The text, cut where it is longer than so many characters."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
