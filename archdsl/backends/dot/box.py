"""A box: rounded cells one upon the other, and the same as SVG and as DOT's HTML-like label.

Graphviz only needs a box's size to place it. In an SVG the box is drawn by us, with what the
Graphviz that comes with the package cannot do: bold titles, a tint for each cell. Where the text of
the DOT file itself is asked for, the same box is an HTML-like label, for any installed Graphviz.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archdsl.backends.dot.text import Markup, cell, escape, font, table
from archdsl.render.metrics import text_width

_LEADING = 1.22
_ASIDE, _ABOVE = 7.0, 3.4
_GAP = 1.6
_NARROWEST = 58.0
_BRACKET = 5.0
_WIDEST_ROW = 150.0
_OUTLINE = 4.0


@dataclass(frozen=True)
class Line:
    """A line of text: size in points, colour as ``#rrggbb``."""

    text: str
    size: float
    color: str
    bold: bool = False

    @property
    def width(self) -> float:
        return text_width(self.text, self.size, bold=self.bold)


@dataclass(frozen=True)
class Cell:
    """A rounded rectangle with lines of text in its middle. ``id`` names what it stands for."""

    lines: tuple[Line, ...]
    fill: str
    stroke: str
    id: str = ""
    stroke_width: float = 1.0
    radius: float = 4.0
    above: float = _ABOVE

    @property
    def height(self) -> float:
        return sum(line.size * _LEADING for line in self.lines) + 2 * self.above

    @property
    def width(self) -> float:
        return max((line.width for line in self.lines), default=0.0) + 2 * _ASIDE


@dataclass(frozen=True)
class Box:
    """Cells, and «×N» behind a bracket where they repeat."""

    cells: tuple[Cell, ...]
    badge: Line | None = None
    narrowest: float = _NARROWEST

    @property
    def inner_width(self) -> float:
        return max(self.narrowest, *(c.width for c in self.cells))

    @property
    def width(self) -> float:
        """In points."""
        return self.inner_width + self._beside + 2 * self._margin

    @property
    def height(self) -> float:
        """In points."""
        return sum(c.height for c in self.cells) + _GAP * (len(self.cells) - 1) + 2 * self._margin

    @property
    def _beside(self) -> float:
        """The room of «×N» and its bracket."""
        return self.badge.width + 2 * _BRACKET if self.badge else 0.0

    @property
    def _margin(self) -> float:
        """Between the cells and the outline around what repeats, at which edges end."""
        return _OUTLINE if self.badge else 0.0

    def svg(self) -> str:
        """The box around (0, 0), as SVG elements."""
        half = self.inner_width / 2
        shift = -self._beside / 2
        top = -self.height / 2 + self._margin
        parts = []
        for one in self.cells:
            # The only cell of a box would have the name of the box.
            named = bool(one.id) and len(self.cells) > 1
            parts.append(_cell_svg(one, half, top, shift, named=named))
            top += one.height + _GAP
        if self.badge is not None:
            parts.append(
                f'<rect class="outline" x="{_n(-self.width / 2)}" y="{_n(-self.height / 2)}"'
                f' width="{_n(self.width)}" height="{_n(self.height)}" rx="6" fill="none"'
                f' stroke="{self.badge.color}" stroke-opacity="0.45" stroke-width="0.8"/>'
            )
            parts.append(_badge_svg(self.badge, shift + half, self.height / 2 - self._margin))
        return "".join(parts)

    def label(self) -> Markup:
        """The box as an HTML-like label of DOT."""
        cells = [
            cell(
                "<BR/>".join(
                    font(line.text, size=line.size, color=line.color, bold=line.bold)
                    for line in one.lines
                ),
                border=round(one.stroke_width),
                style="rounded",
                bgcolor=one.fill,
                color=one.stroke,
                cellpadding=round(one.above),
            )
            for one in self.cells
        ]
        if self.badge is None:
            return table(cells, border=0, cellborder=1, cellspacing=1)
        badge = font(self.badge.text, size=self.badge.size, color=self.badge.color, bold=True)
        cells[0] += cell(badge, border=0, rowspan=len(cells))
        return table(cells, border=1, style="rounded", cellborder=1, cellspacing=3)


def _cell_svg(one: Cell, half: float, top: float, middle: float, *, named: bool) -> str:
    name = f' id="{escape(one.id)}"' if named else ""
    radius = min(one.radius, one.height / 2)
    left, width = middle - half, 2 * half
    frame = (
        f'<rect x="{_n(left)}" y="{_n(top)}" width="{_n(width)}" height="{_n(one.height)}"'
        f' rx="{_n(radius)}" fill="{one.fill}" stroke="{one.stroke}"'
        f' stroke-width="{_n(one.stroke_width)}"/>'
    )
    parts = [f'<g{name} class="cell">', frame]
    baseline = top + one.above
    for line in one.lines:
        baseline += line.size * _LEADING
        parts.append(text_svg(line, middle, baseline - line.size * 0.31, anchor="middle"))
    return "".join(parts) + "</g>"


def _badge_svg(badge: Line, half: float, reach: float) -> str:
    left = half + 3
    return (
        f'<path d="M{_n(left)},{_n(1 - reach)}h{_n(_BRACKET - 1)}V{_n(reach - 1)}'
        f'h{_n(1 - _BRACKET)}"'
        f' fill="none" stroke="{badge.color}" stroke-width="1.2"/>'
        + text_svg(badge, left + _BRACKET + 2, badge.size * 0.36, anchor="start")
    )


def text_svg(line: Line, x: float, y: float, *, anchor: str) -> str:
    """A line of text at its baseline."""
    weight = ' font-weight="bold"' if line.bold else ""
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" text-anchor="{anchor}" font-size="{_n(line.size)}"{weight}'
        f' fill="{line.color}">{escape(line.text)}</text>'
    )


def frame_rows(words: Sequence[Line]) -> list[Sequence[Line]]:
    """The words of a frame in one row, or in two where one would make the frame too wide."""
    if row_width(words) <= _WIDEST_ROW or len(words) < 2:
        return [words]
    first = [w for w in words if w.bold]
    return [first, [w for w in words if not w.bold]]


def row_svg(lines: Sequence[Line], x: float, y: float) -> str:
    """Texts one behind the other on a baseline."""
    parts = []
    for line in lines:
        parts.append(text_svg(line, x, y, anchor="start"))
        x += line.width + line.size * 0.7
    return "".join(parts)


def row_width(lines: Sequence[Line]) -> float:
    return sum(line.width + line.size * 0.7 for line in lines)


def _n(value: float) -> str:
    """A coordinate with two decimals at the most."""
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
