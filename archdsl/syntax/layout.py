"""Lays text out on lines: what fits stays on a line, what does not is broken where it may be.

Documents in the manner of Wadler's «A prettier printer»: a :class:`Group` is printed
flat if it fits and has nothing in it that must break; otherwise all its own
:class:`Line` become line ends. Nothing here knows the language.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

WIDTH = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A place to break; ``flat`` stands there where it is not broken."""

    flat: str = " "


@dataclass(frozen=True, slots=True)
class Break:
    """A line end in any case, after ``blank`` empty lines; it breaks the groups around it."""

    blank: int = 0


@dataclass(frozen=True, slots=True)
class Suffix:
    """A comment at the end of the line: it has no width, and breaks the groups around it."""

    text: str


@dataclass(frozen=True, slots=True)
class Join:
    """One after the other; ``indent`` is added to the lines begun inside."""

    parts: tuple[Doc, ...]
    breaks: bool
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Group:
    """What is tried flat first."""

    content: Join


Doc: TypeAlias = str | Line | Break | Suffix | Join | Group


def join(parts: Iterable[Doc], indent: int = 0) -> Join:
    kept = tuple(parts)
    return Join(kept, any(map(breaks, kept)), indent)


def breaks(doc: Doc) -> bool:
    """Whether the groups around must be broken."""
    if isinstance(doc, Join):
        return doc.breaks
    if isinstance(doc, Group):
        return doc.content.breaks
    return isinstance(doc, (Break, Suffix))


def group(*parts: Doc) -> Group:
    return Group(join(parts))


def separated(items: Iterable[Doc], *separator: Doc) -> list[Doc]:
    """The items with the separator between them."""
    result: list[Doc] = []
    for item in items:
        if result:
            result.extend(separator)
        result.append(item)
    return result


def render(doc: Doc, width: int = WIDTH) -> str:
    """The document as text."""
    out: list[str] = []
    column = 0
    suffix = ""
    waiting: list[tuple[Doc, int, bool]] = [(doc, 0, False)]  # document, indent, flat
    while waiting:
        item, indent, flat = waiting.pop()
        if isinstance(item, str):
            out.append(item)
            column += len(item)
        elif isinstance(item, Join):
            inner = indent + item.indent
            waiting.extend((part, inner, flat) for part in reversed(item.parts))
        elif isinstance(item, Group):
            content = item.content
            fits = not content.breaks and (flat or _fits(content, waiting, width - column))
            waiting.append((item.content, indent, fits))
        elif isinstance(item, Suffix):
            suffix += f"  {item.text}"
        elif isinstance(item, Line) and flat:
            out.append(item.flat)
            column += len(item.flat)
        else:
            blank = item.blank if isinstance(item, Break) else 0
            out.append(f"{suffix}{chr(10) * (blank + 1)}{' ' * indent}")
            suffix = ""
            column = indent
    out.append(suffix)
    return "\n".join(line.rstrip(" ") for line in "".join(out).split("\n"))


def _fits(doc: Doc, rest: list[tuple[Doc, int, bool]], room: int) -> bool:
    """Whether the document, flat, and what follows up to the next line end have room."""
    todo: list[tuple[Doc, bool]] = [(doc, True)]
    behind = len(rest)
    while room >= 0:
        if not todo:
            if behind == 0:
                return True
            behind -= 1
            following, _, flat = rest[behind]
            todo.append((following, flat))
        item, flat = todo.pop()
        if isinstance(item, str):
            room -= len(item)
        elif isinstance(item, Join):
            todo.extend((part, flat) for part in reversed(item.parts))
        elif isinstance(item, Group):
            todo.append((item.content, flat and not item.content.breaks))
        elif isinstance(item, Line) and flat:
            room -= len(item.flat)
        elif not isinstance(item, Suffix):
            return True
    return False
