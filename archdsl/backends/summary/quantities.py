"""Quantities as a person reads them, with the prefixes of the SI: 25.6 M, 4.09 G, 102 MB."""

from __future__ import annotations

from archdsl.dims import Size, as_formula, symbols

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_LONGEST_FORMULA = 28


def exact(size: Size) -> str:
    """A count in full: ``25,557,032``."""
    return f"{size:,}" if isinstance(size, int) else _formula(size)


def short(size: Size) -> str:
    """A count in three digits: ``931``, ``25.6 M``."""
    return " ".join(_scaled(size)).rstrip() if isinstance(size, int) else _formula(size)


def in_bytes(size: Size) -> str:
    """A number of bytes in three digits: ``512 B``, ``102 MB`` (a MB is a million bytes)."""
    if not isinstance(size, int):
        return _formula(size)
    digits, prefix = _scaled(size)
    return f"{digits} {prefix}B"


def _scaled(number: int) -> tuple[str, str]:
    """Three digits, and the prefix of their unit."""
    if number < 1000:
        return str(number), ""
    # Rounding may carry a number over into the next unit: 999,700 is 1.00 M.
    mantissa, _, exponent = f"{number:.2e}".partition("e")
    power = min(int(exponent) // 3, len(_PREFIXES) - 1)
    shown = float(mantissa) * 10.0 ** (int(exponent) - 3 * power)
    places = max(0, 2 - (int(exponent) - 3 * power))
    return f"{shown:,.{places}f}", _PREFIXES[power]


def _formula(size: Size) -> str:
    """What depends on free sizes: the formula, or what it depends on where that is long."""
    text = as_formula(size)
    if len(text) <= _LONGEST_FORMULA:
        return text
    return f"depends on {', '.join(sorted(symbols(size)))}"
