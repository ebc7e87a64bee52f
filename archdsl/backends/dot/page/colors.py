"""Colours of the page: one picture for all themes, in which a colour is a mark of what it is for.

Graphviz only copies colours. It is given a mark for every place of a theme, and the page reads
each as a CSS variable, so that another theme takes no new layout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from archdsl.backends.dot.theme import THEMES, Theme, Tint

_MARK = "#0a0c"
_MARKED = re.compile(rf'"({_MARK}[0-9a-f]{{2}})"')

Change = Callable[[str, str], str]
"""From the name of a place and the colour there to another colour."""


def _changed(theme: Theme, change: Change) -> Theme:
    return Theme(**{f.name: _value(f.name, getattr(theme, f.name), change) for f in fields(theme)})


def _value(name: str, value: Any, change: Change) -> Any:
    """A field of a theme: a colour, a tint, or several of them."""
    if isinstance(value, str):
        return change(name, value)
    if isinstance(value, Tint):
        return Tint(change(f"{name}-fill", value.fill), change(f"{name}-line", value.line))
    if isinstance(value, tuple):
        return tuple(_value(f"{name}-{i}", inner, change) for i, inner in enumerate(value))
    return {key: _value(key, inner, change) for key, inner in value.items()}


def _colors(theme: Theme) -> dict[str, str]:
    """The colour at every place of a theme, by the place's name."""
    found: dict[str, str] = {}
    _changed(theme, found.setdefault)
    return found


_MARKS = {name: f"{_MARK}{i:02x}" for i, name in enumerate(_colors(THEMES["light"]))}

MARKED = _changed(THEMES["light"], lambda name, _: _MARKS[name])
"""The theme that a page is drawn in: its colours are marks."""

VARIABLES: Mapping[str, str] = {mark: f"--{name}" for name, mark in _MARKS.items()}
"""The CSS variable of each mark."""


def as_variables(svg: str) -> str:
    """SVG with CSS variables where marks were."""
    return _MARKED.sub(lambda match: f'"var({VARIABLES[match[1]]})"', svg)


def declarations(theme: str) -> str:
    """The variables with their values in a theme, as CSS."""
    return " ".join(f"--{name}: {color};" for name, color in _colors(THEMES[theme]).items())
