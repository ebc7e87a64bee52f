"""Titles: the words at the top of a frame, beside the edges that come in there."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import pairwise
from math import ceil, dist, inf
from typing import TypeAlias

from archdsl.backends.dot.box import Line, frame_rows, row_svg, row_width
from archdsl.render.metrics import text_width

_EDGE = re.compile(r'<g id="[^"]*" class="edge">.*?</g>', re.DOTALL)
_CURVE = re.compile(r'<path [^>]*\bd="([^"]*)"')
_LABEL = re.compile(r'<text [^>]*x="([^"]*)" y="([^"]*)"[^>]*font-size="([^"]*)"[^>]*>([^<]*)<')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_DENSE = 3.0  # between two points of an edge
_CLEAR = 5.0  # between an edge and a word
_LEFT, _RIGHT = 9.0, 5.0  # between a title and its frame
_FIRST, _NEXT = 15.0, 11.0  # from the top of a frame to a baseline, and to that below it
_BELOW = 2.5  # what hangs below a baseline

Point: TypeAlias = "tuple[float, float]"
Block: TypeAlias = Sequence[Sequence[Line]]
"""Rows of words that stand at one place."""


class Titles:
    """Writes titles into a picture whose edges Graphviz has laid out."""

    def __init__(self, svg: str) -> None:
        points = (point for edge in _EDGE.finditer(svg) for point in _points(edge[0]))
        self.points = sorted((y, x) for x, y in points)

    def svg(self, words: Sequence[Line], left: float, top: float, right: float, fill: str) -> str:
        """The title of a frame, on its fill.

        Where an edge comes in at its place, the title or its later words stand beside the edge;
        where there is no room for that, they stand upon it, and hide it.
        """
        rows = frame_rows(words)
        baselines = [top + _FIRST + _NEXT * i for i in range(len(rows))]
        tops = [y - max(w.size for w in row) for row, y in zip(rows, baselines, strict=True)]
        bottom = baselines[-1] + _BELOW
        met = self._met(tops[0], bottom, left, right)
        # One row may be parted where an edge passes, two stay one block.
        blocks: list[Block] = [rows] if len(rows) > 1 else [[[word]] for word in rows[0]]
        places = _beside(met, blocks, left + _LEFT, right - _RIGHT)
        texts = []
        if places is None:
            blocks, places = [rows], [left + _LEFT]
            ends = [*tops[1:], bottom]
            texts = [_ground(*at, left + _LEFT, fill) for at in zip(rows, tops, ends, strict=True)]
        for block, x in zip(blocks, places, strict=True):
            texts += [row_svg(row, x, y) for row, y in zip(block, baselines, strict=True)]
        return (
            f'<g class="title" stroke="{fill}" stroke-width="3" paint-order="stroke"'
            f' stroke-linejoin="round">{"".join(texts)}</g>'
        )

    def _met(self, top: float, bottom: float, left: float, right: float) -> list[float]:
        """Where edges and their shapes are in a band, from left to right."""
        band = self.points[
            bisect_left(self.points, (top, -inf)) : bisect_right(self.points, (bottom, inf))
        ]
        return sorted(x for _, x in band if left <= x <= right)


def _width(row: Sequence[Line]) -> float:
    """Of a row of words, without the space behind the last."""
    return row_width(row) - row[-1].size * 0.7


def _beside(
    met: Sequence[float], blocks: Sequence[Block], left: float, right: float
) -> list[float] | None:
    """For blocks of rows the first places, one behind the other, that are clear of what is met."""
    places: list[float] = []
    x = left
    for rows in blocks:
        width = max(map(_width, rows))
        for obstacle in met:
            if x - _CLEAR < obstacle < x + width + _CLEAR:
                x = obstacle + _CLEAR
        if x + width > right:
            return None
        places.append(x)
        x += max(map(row_width, rows))
    return places


def _ground(row: Sequence[Line], top: float, bottom: float, left: float, fill: str) -> str:
    """What hides the edges behind a row of words."""
    return (
        f'<rect x="{left - 2:.2f}" y="{top:.2f}" width="{_width(row) + 4:.2f}"'
        f' height="{bottom - top:.2f}" fill="{fill}" stroke="none"/>'
    )


def _points(edge: str) -> Iterator[Point]:
    """Points along an edge, and along the shape written at it."""
    for curve in _CURVE.findall(edge):
        numbers = [float(n) for n in _NUMBER.findall(curve)]
        corners = list(zip(numbers[::2], numbers[1::2], strict=True))
        for i in range(0, len(corners) - 3, 3):
            yield from _bezier(*corners[i : i + 4])
    for x, y, size, text in _LABEL.findall(edge):
        half = text_width(text.strip(), float(size)) / 2
        for step in range(ceil(2 * half / _DENSE) + 1):
            yield min(float(x) - half + step * _DENSE, float(x) + half), float(y) - 3


def _bezier(a: Point, b: Point, c: Point, d: Point) -> Iterator[Point]:
    """Points along a cubic curve, none further from the next than is dense."""
    count = max(1, ceil(sum(dist(p, q) for p, q in pairwise((a, b, c, d))) / _DENSE))
    for i in range(count + 1):
        t = i / count
        s = 1 - t
        weights = (s**3, 3 * s * s * t, 3 * s * t * t, t**3)
        yield (
            sum(w * p[0] for w, p in zip(weights, (a, b, c, d), strict=True)),
            sum(w * p[1] for w, p in zip(weights, (a, b, c, d), strict=True)),
        )
