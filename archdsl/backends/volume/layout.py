"""The layout of the figure: where every box, arrow and line of text stands, in pixels.

A box is drawn in oblique projection: its front is the channels wide and as high as the map, and
the map's width recedes to the upper right. So the face at its right is the map, seen from the side.

A height or a width n is drawn ``150 · (n / largest) ** 0.6`` long: half the size is two thirds of
the length, so that 224 and 7 can be seen side by side. Channels are ``3 + 28 · (c / most) ** 0.5``
thick (less in a long row). A vector is a bar ``24 + 126 · (f / most) ** 0.5`` high.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from archdsl.backends.volume.folding import stages_of
from archdsl.backends.volume.slabs import Arc, Row, Slab
from archdsl.backends.volume.text import shorten, text_width

SPAN, SHRINK = 150.0, 0.6
_RECEDING = 0.42
_ANGLE = math.radians(40)
_THICK, _THICK_IN_LONG_ROWS, _LONG_ROW = 28.0, 18.0, 16
_BAR = 7.0
_SHEET_DEPTH = 10.0
_DROP = 64.0  # how much lower the next level of a U-Net stands
_GAP, _GAP_INSIDE, _GAP_HIDDEN = 20.0, 3.0, 22.0
_LINE, _UNDER = 13.0, 16.0
_ABOVE, _LANE = 12.0, 9.0
_MOST_EXTENTS, _MOST_LINES, _WRAP, _LONGEST_LINE = 2, 7, 17, 30

SIZES = {"channels": 11.0, "extents": 10.5, "caption": 10.0}


@dataclass(frozen=True)
class Box:
    """A box: its front's upper left corner, the front's sizes, and how far it recedes."""

    slab: Slab
    x: float
    y: float
    width: float
    height: float
    dx: float
    dy: float

    @property
    def top(self) -> tuple[float, float]:
        """The middle of the top face."""
        return self.x + (self.width + self.dx) / 2, self.y - self.dy / 2


@dataclass(frozen=True)
class Line:
    """A line of text; ``x`` is its middle, ``y`` its base line, ``kind`` a key of ``SIZES``."""

    x: float
    y: float
    text: str
    kind: str

    @property
    def width(self) -> float:
        return text_width(self.text, SIZES[self.kind])


@dataclass(frozen=True)
class Path:
    """A polyline that ends in an arrow; ``dashed`` where a skip passes a layer."""

    points: tuple[tuple[float, float], ...]
    arc: Arc | None = None


@dataclass(frozen=True)
class Layout:
    """All that is drawn, in coordinates that begin anywhere; ``dots`` stand for hidden boxes."""

    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]
    paths: tuple[Path, ...]
    dots: tuple[tuple[float, float], ...]

    def bounds(self) -> tuple[float, float, float, float]:
        """The least and the greatest x and y: left, top, right, bottom."""
        xs = [x for b in self.boxes for x in (b.x, b.x + b.width + b.dx)]
        ys = [y for b in self.boxes for y in (b.y - b.dy, b.y + b.height)]
        for line in self.lines:
            xs += [line.x - line.width / 2, line.x + line.width / 2]
            ys += [line.y - SIZES[line.kind], line.y + 4]
        for path in self.paths:
            xs += [x for x, _ in path.points]
            ys += [y for _, y in path.points]
        return min(xs), min(ys), max(xs), max(ys)


def arrange(row: Row) -> Layout:
    """Places the boxes of a row from left to right, equal shapes close together."""
    measure = _Measure(row.slabs)
    boxes: list[Box] = []
    lines: list[Line] = []
    flow: list[Path] = []
    dots: list[tuple[float, float]] = []
    left = 0.0
    for stage in stages_of(row.slabs):
        texts = _texts(stage)
        width = max((Line(0, 0, text, kind).width for text, kind in texts), default=0.0)
        made, spots = _place(stage, measure)
        front = made[-1].x + made[-1].width
        start = left + max(0.0, (width - front) / 2)
        made = [_moved(box, start) for box in made]
        dots += [(x + start, y) for x, y in spots]
        if boxes:
            flow.append(Path(_arrow(boxes[-1], made[0], left - _GAP / 2)))
        middle, y = start + front / 2, made[0].y + made[0].height + _UNDER
        lines += [Line(middle, y + i * _LINE, text, kind) for i, (text, kind) in enumerate(texts)]
        boxes += made
        left = max(made[-1].x + made[-1].width + made[-1].dx, middle + width / 2) + _GAP
    paths = (*flow, *_skips(row.arcs, boxes))
    return Layout(tuple(boxes), tuple(lines), paths, tuple(dots))


# Boxes --------------------------------------------------------------------------------


class _Measure:
    """Lengths in pixels, relative to the largest of the figure."""

    def __init__(self, slabs: Sequence[Slab]) -> None:
        solid = [s.shape for s in slabs if s.shape.kind != "vector"]
        self.largest = max((n for shape in solid for n in shape.extents), default=1)
        self.most = max((shape.channels for shape in solid), default=1)
        self.longest = max((s.shape.channels for s in slabs if s.shape.kind == "vector"), default=1)
        self.thick = _THICK if len(slabs) <= _LONG_ROW else _THICK_IN_LONG_ROWS

    def sizes(self, slab: Slab) -> tuple[float, float, float]:
        """The front's width and height, and the receding edge."""
        shape = slab.shape
        if shape.kind == "vector":
            height = 24 + (SPAN - 24) * (shape.channels / self.longest) ** 0.5
            return _BAR, height, _SHEET_DEPTH
        width = 3 + self.thick * (shape.channels / self.most) ** 0.5
        if shape.kind != "map":
            return width, self._extent(shape.extents[0]), _SHEET_DEPTH
        return width, self._extent(shape.extents[-2]), self._extent(shape.extents[-1])

    def _extent(self, size: int) -> float:
        return max(4.0, SPAN * math.pow(size / self.largest, SHRINK))


def _place(stage: Sequence[Slab], measure: _Measure) -> tuple[list[Box], list[tuple[float, float]]]:
    """The boxes of one stage, from x = 0 on, about the axis of their row; and dots between."""
    boxes: list[Box] = []
    dots: list[tuple[float, float]] = []
    x = 0.0
    for slab in stage:
        width, height, receding = measure.sizes(slab)
        edge = receding * _RECEDING
        dx, dy = edge * math.cos(_ANGLE), edge * math.sin(_ANGLE)
        axis = slab.row * _DROP
        if slab.hidden:
            x += dx
            dots += [(x + _GAP_HIDDEN * i / 4 - _GAP_INSIDE, axis) for i in (1, 2, 3)]
            x += _GAP_HIDDEN
        boxes.append(Box(slab, x, axis - (height - dy) / 2, width, height, dx, dy))
        x += width + _GAP_INSIDE
    return boxes, dots


def _moved(box: Box, right: float) -> Box:
    return Box(box.slab, box.x + right, box.y, box.width, box.height, box.dx, box.dy)


# Text ---------------------------------------------------------------------------------


def _texts(stage: Sequence[Slab]) -> list[tuple[str, str]]:
    """The lines under the boxes of one stage, with their kinds."""
    shape = stage[0].shape
    texts = [(str(shape.channels), "channels")]
    extents = list(dict.fromkeys("×".join(map(str, s.shape.extents)) for s in stage))
    if len(extents) > _MOST_EXTENTS:
        extents = [f"{extents[0]} …", extents[-1]]
    form = {"map": "{}", "sequence": "length {}", "tokens": "{} tokens", "vector": ""}[shape.kind]
    texts += [(form.format(text), "extents") for text in extents if form]
    captions = list(_captions(stage))
    if len(captions) > _MOST_LINES:
        more = len(captions) - _MOST_LINES + 1
        captions = [*captions[: _MOST_LINES - 1], f"+ {more} more lines"]
    return texts + [(shorten(text, _LONGEST_LINE), "caption") for text in captions]


def _captions(stage: Sequence[Slab]) -> Iterator[str]:
    """What made the boxes, equal ones that follow one another counted: «3×3 conv ×2»."""
    made = [caption for s in stage for _ in range(s.hidden + 1) for caption in s.captions]
    for (title, *details), run in groupby(made):
        count = len(list(run))
        yield from _wrapped(f"{shorten(title, _LONGEST_LINE)} ×{count}" if count > 1 else title)
        yield from details
    for slab in stage:
        yield from slab.marks


def _wrapped(text: str) -> Iterator[str]:
    """A long caption in two lines: «conv_proj:» over «16×16 conv»."""
    cut = text.find(": ") + 1 or text.rfind(" ", 0, _WRAP)
    if len(text) > _WRAP and cut > 0:
        yield text[:cut]
        text = text[cut + 1 :]
    yield text


# Arrows -------------------------------------------------------------------------------


def _arrow(one: Box, two: Box, between: float) -> tuple[tuple[float, float], ...]:
    """From the right of a box to the front of the next; in a U-Net with a step ``between``."""
    x1, y1 = one.x + one.width + one.dx + 2, one.slab.row * _DROP
    x2, y2 = two.x - 2, two.slab.row * _DROP
    if y1 == y2:
        return (x1, y1), (x2, y2)
    return (x1, y1), (between, y1), (between, y2), (x2, y2)


def _skips(arcs: Sequence[Arc], boxes: Sequence[Box]) -> Iterator[Path]:
    """The skips as arcs over the boxes, shorter ones below longer ones."""
    placed: list[tuple[float, float, float]] = []
    for arc in sorted(arcs, key=lambda a: (a.target - a.source, a.source)):
        one, two = boxes[arc.source], boxes[arc.target]
        (x1, y1), (x2, y2) = one.top, two.top
        x1, x2 = x1 + 1.5 + one.width / 6, x2 - 1.5 - two.width / 6
        y = min(b.y - b.dy for b in boxes[arc.source : arc.target + 1]) - _ABOVE
        for left, right, height in sorted(placed, key=lambda p: -p[2]):
            if left < x2 and x1 < right and abs(height - y) < _LANE:
                y = height - _LANE
        placed.append((x1, x2, y))
        yield Path(((x1, y1), (x1, y), (x2, y), (x2, y2)), arc)
