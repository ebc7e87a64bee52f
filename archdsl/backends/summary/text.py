"""The table as text in aligned columns."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.backends.summary.columns import Column, choose_columns
from archdsl.backends.summary.record import Row, Summary
from archdsl.backends.summary.remarks import remarks, title, totals

_GAP = 2
_INDENT = 2
_NARROWEST = 12
_READABLE = 16
_CUT = ("layer", "call", "inputs", "shape")
"""The columns whose texts may be cut in their middle, to make a table narrower."""
_SPARE = ("training-memory", "memory", "field", "inputs", "multiply-adds")
"""The columns that a table does without where there is no room, the first to go first."""


def to_text(
    summary: Summary, columns: Sequence[str] | None = None, *, width: int | None = None
) -> str:
    """The table as text, with its totals and what there is to say of it.

    To fit a ``width``, names are cut in their middle, and before they are cut beyond
    recognition, columns that nobody asked for are left out.
    """
    chosen = list(choose_columns(columns, summary.rows))
    dropped: list[str] = []
    lines = _lines(summary, chosen)
    while width is not None and columns is None and _least(lines, chosen) > width:
        spare = [column for key in _SPARE for column in chosen if column.key == key]
        if not spare:
            break
        chosen.remove(spare[0])
        dropped.append(spare[0].key)
        lines = _lines(summary, chosen)
    widths = _widths(lines)
    if width is not None:
        widths = _narrowed(widths, chosen, width)
    heading, *rows, total = (_line(line, widths, chosen) for line in lines)
    rule = "─" * _whole(widths)
    label = max(len(name) for name, _ in totals(summary))
    below = [f"{name:<{label}}  {text}" for name, text in totals(summary)]
    said = [*remarks(summary, chosen)]
    if dropped:
        said.append(f"Left out to fit: {', '.join(dropped)}.")
    parts = [_printable(title(summary)), "", heading, rule, *rows, rule, total, "", *below]
    return "\n".join([*parts, *([""] if said else []), *said]) + "\n"


def _lines(summary: Summary, columns: Sequence[Column]) -> list[list[str]]:
    """The cells of the heading, of the rows, and of the total."""
    return [
        [column.heading for column in columns],
        *(_cells(row, columns) for row in summary.rows),
        [column.total(summary) for column in columns],
    ]


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, cells)) for cells in zip(*lines, strict=True)]


def _whole(widths: Sequence[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _least(lines: Sequence[Sequence[str]], columns: Sequence[Column]) -> int:
    """The width below which names would be cut too short to be read."""
    widths = zip(_widths(lines), columns, strict=True)
    return _whole([min(w, _READABLE) if column.key in _CUT else w for w, column in widths])


def _cells(row: Row, columns: Sequence[Column]) -> list[str]:
    indent = " " * (_INDENT * row.level)
    return [
        (indent if column.key == "layer" else "") + _printable(column.cell(row))
        for column in columns
    ]


def _line(cells: Sequence[str], widths: Sequence[int], columns: Sequence[Column]) -> str:
    texts = [
        f"{_cut(cell, width):>{width}}" if column.right else f"{_cut(cell, width):<{width}}"
        for cell, width, column in zip(cells, widths, columns, strict=True)
    ]
    return (" " * _GAP).join(texts).rstrip()


def _narrowed(widths: Sequence[int], columns: Sequence[Column], width: int) -> list[int]:
    """The widths that fit, taken from the widest column of names, one by one."""
    result = list(widths)
    elastic = [i for i, column in enumerate(columns) if column.key in _CUT]
    excess = _whole(widths) - width
    while excess > 0 and elastic:
        widest = max(elastic, key=lambda i: result[i])
        if result[widest] <= _NARROWEST:
            break
        result[widest] -= 1
        excess -= 1
    return result


def _cut(text: str, width: int) -> str:
    """A text that is too long without its middle: ``encoder.la…dropout1``."""
    if len(text) <= width:
        return text
    head = (width - 1) // 2
    return f"{text[:head]}…{text[len(text) - (width - 1 - head) :]}"


def _printable(text: str) -> str:
    """What a file holds never steers a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
