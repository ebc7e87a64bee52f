"""The legend: which tint is which family of layers, of those that a picture shows."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from archdsl.backends.dot.box import Cell, Line, text_svg
from archdsl.backends.dot.boxes import DETAIL, Brush
from archdsl.backends.dot.text import Markup, cell, font, table
from archdsl.backends.dot.theme import NAMES, Tint
from archdsl.graph import op_of
from archdsl.passes.view import View

_GAP, _ROW, _STROKE = 6.0, 13.8, 16.0
MARKS = {
    "added": "added",
    "removed": "removed",
    "changed": "changed",
    "resized": "the same, of another size",
    "kept": "the same",
}
"""What the legend of a comparison calls what became of a layer."""


@dataclass(frozen=True)
class Stroke:
    """A kind of wire, with its word; ``dashes`` as SVG writes them."""

    word: Line
    color: str
    dashes: str = ""

    @property
    def width(self) -> float:
        """In points, with the stroke itself."""
        return _STROKE + 4 + self.word.width

    def svg(self, x: float, middle: float) -> str:
        """The stroke and its word, from ``x`` on."""
        dashes = f' stroke-dasharray="{self.dashes}"' if self.dashes else ""
        return (
            f'<path d="M{x:.2f},{middle:.2f}h{_STROKE:g}" fill="none" stroke="{self.color}"'
            f' stroke-width="1.4"{dashes}/>'
            + text_svg(self.word, x + _STROKE + 4, middle + 2.8, anchor="start")
        )


@dataclass(frozen=True)
class Legend:
    """Chips with the names of the families, and the kinds of wires that are not the plain flow."""

    chips: tuple[Cell, ...]
    strokes: tuple[Stroke, ...] = ()

    @classmethod
    def of(cls, brush: Brush, view: View, kinds: Collection[str]) -> Legend:
        """The legend of what a view shows, with wires of these kinds."""
        boxes = [item for item in view.items.values() if item.state != "open"]
        theme = brush.theme
        if brush.status:
            met: set[str] = {brush.mark(item.part.nodes) for item in boxes}
            words = {status: word for status, word in MARKS.items() if status in met}
            chips = [_named(word, theme.marks[status], brush) for status, word in words.items()]
        else:
            met = {
                brush.group(node)
                for item in boxes
                if item.state == "layer"
                for node in item.part.nodes
                if op_of(brush.graph, node).family != "merge"
            }
            chips = [
                _named(NAMES.get(group, group), tint, brush)
                for group, tint in theme.tints.items()
                if group in met and group != "other"
            ]
        return cls(tuple(chips), tuple(_strokes(brush, kinds)))

    @property
    def pieces(self) -> list[Cell | Stroke]:
        """Chips and strokes, in their order."""
        return [*self.chips, *self.strokes]

    @property
    def widest(self) -> float:
        """The width of the widest piece, in points."""
        return max((piece.width for piece in self.pieces), default=0.0)

    def rows(self, width: float) -> list[list[Cell | Stroke]]:
        """Chips and strokes in rows no wider than ``width``, in points."""
        rows: list[list[Cell | Stroke]] = [[]]
        used = 0.0
        for one in self.pieces:
            if rows[-1] and used + one.width > width:
                rows.append([])
                used = 0.0
            rows[-1].append(one)
            used += one.width + _GAP
        return [row for row in rows if row]

    def height(self, width: float) -> float:
        """In points."""
        return len(self.rows(width)) * (_ROW + _GAP)

    def svg(self, middle: float, top: float, width: float) -> str:
        """The legend around ``middle``, as SVG elements."""
        parts = []
        for row in self.rows(width):
            x = middle - (sum(one.width + _GAP for one in row) - _GAP) / 2
            for one in row:
                drawn = (
                    one.svg(x, top + _ROW / 2) if isinstance(one, Stroke) else _chip(one, x, top)
                )
                parts.append(drawn)
                x += one.width + _GAP
            top += _ROW + _GAP
        return "".join(parts)

    def label(self) -> Markup | str:
        """The legend as an HTML-like label of DOT."""
        cells = [
            cell(
                font(chip.lines[0].text, size=DETAIL, color=chip.lines[0].color),
                style="rounded",
                bgcolor=chip.fill,
                color=chip.stroke,
                border=1,
            )
            for chip in self.chips
        ]
        for stroke in self.strokes:
            line = "╌" if stroke.dashes else "—"
            words = font(f"{line} {stroke.word.text}", size=DETAIL, color=stroke.color)
            cells.append(cell(words, border=0))
        if not cells:
            return ""
        return table(["".join(cells)], border=0, cellborder=0, cellspacing=4, cellpadding=2)


def _strokes(brush: Brush, kinds: Collection[str]) -> Iterator[Stroke]:
    theme = brush.theme
    known = {
        "skip": ("skip", theme.skip, ""),
        "carried": ("state, to the next step", theme.skip, "4 2"),
        "shape": ("only its shape", theme.quiet, "1.5 2.5"),
        "removed": ("removed", theme.marks["removed"].line, "4 2"),
    }
    for kind, (word, color, dashes) in known.items():
        if kind in kinds:
            yield Stroke(Line(word, DETAIL, color), color, dashes)


def _named(word: str, tint: Tint, brush: Brush) -> Cell:
    return Cell((Line(word, DETAIL, brush.theme.ink),), tint.fill, tint.line, above=2)


def _chip(chip: Cell, x: float, y: float) -> str:
    (line,) = chip.lines
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{chip.width:.2f}" height="{chip.height:.2f}" rx="4"'
        f' fill="{chip.fill}" stroke="{chip.stroke}"/>'
        + text_svg(line, x + chip.width / 2, y + chip.height - chip.above - 2.6, anchor="middle")
    )
