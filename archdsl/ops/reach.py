"""What a layer's output sees of its input: along every axis a window, or the whole axis.

The terms are those of Araujo, Norris and Sim, «Computing Receptive Fields of Convolutional
Neural Networks», Distill, 2019. Theirs is a window that moves by a whole number of positions.
What enlarges (a transposed convolution, an interpolation) moves by a fraction: neighbouring
positions then see windows that differ in a pattern which repeats. A :class:`Window` holds one
period of that pattern, so that everything stays in whole numbers, and exact.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

from archdsl.dims import Dim, Size
from archdsl.records import record, replace

if TYPE_CHECKING:
    from fractions import Fraction

LONGEST_PERIOD = 4096
"""Patterns that repeat no sooner (resizing 1000 to 999, twice) count as seeing everything."""

Span: TypeAlias = tuple[int, int]
"""The first and the last position that are seen."""


@record(frozen=True)
class Window:
    """How positions along one axis of a result see positions along one axis of a source.

    Position ``p`` along the axis ``along`` of the result, with ``p = period·t + i``, sees the
    source from ``spans[i][0] + step·t`` to ``spans[i][1] + step·t``, both included; nothing where
    ``spans[i]`` is None (a transposed convolution whose stride is larger than its kernel leaves
    holes). Positions below 0 and beyond the end are those that padding puts there.

    Where axes were joined, as in the patches of an image, a position stands for several: ``p``
    is then to be read as ``p // divisor % modulus`` (None is no modulus).
    """

    along: int
    spans: tuple[Span | None, ...] = ((0, 0),)
    step: int = 1
    divisor: Size = 1
    modulus: Size | None = None

    @property
    def stride(self) -> Fraction:
        """How far the window moves from a position to the next, on average."""
        from fractions import Fraction  # the layers alone, which every command needs, do without

        return Fraction(self.step, len(self.spans))

    @property
    def size(self) -> int:
        """The most positions that one position sees, from the first to the last."""
        return max((span[1] - span[0] + 1 for span in self.spans if span), default=0)

    @property
    def moves(self) -> bool:
        """Whether positions see anything else than themselves."""
        return self.spans != ((0, 0),) or self.step != 1

    @property
    def joins(self) -> bool:
        """Whether the axis that it moves along was joined from several."""
        return self.divisor != 1 or self.modulus is not None

    def at(self, position: int) -> Span | None:
        """What a position sees; where axes of a free size were joined, ValueError."""
        if self.joins:
            if not isinstance(self.divisor, int) or isinstance(self.modulus, Dim):
                raise ValueError("a free size decides what the position stands for")
            position //= self.divisor
            position = position if self.modulus is None else position % self.modulus
        turn, phase = divmod(position, len(self.spans))
        span = self.spans[phase]
        return span and (span[0] + self.step * turn, span[1] + self.step * turn)

    def after(self, source: Window) -> Window | None:
        """What is seen of the source's own source; None for all of it.

        ``source`` says how positions of the axis that this window looks at see further back.
        """
        if not self.moves and not self.joins:
            return source if source.along == self.along else replace(source, along=self.along)
        if source.joins:
            return None
        if self.joins:
            return replace(self, spans=source.spans, step=source.step)
        behind = len(source.spans)
        times = behind // math.gcd(behind, self.step)
        period = len(self.spans) * times
        if period > LONGEST_PERIOD:
            return None
        spans = tuple(_seen_through(source, self.at(p)) for p in range(period))
        return Window(self.along, *_shortest(spans, self.step * times // behind * source.step))

    def joined(self, other: Window) -> Window | None:
        """What is seen on one path or the other: from the smallest start to the largest end.

        None, for everything, where the paths look along different axes or move differently.
        """
        if self == other:
            return self
        alike = (self.along, self.divisor, self.modulus, self.stride)
        if alike != (other.along, other.divisor, other.modulus, other.stride):
            return None
        period = math.lcm(len(self.spans), len(other.spans))
        if period > LONGEST_PERIOD:
            return None
        one, two = (replace(window, divisor=1, modulus=None) for window in (self, other))
        spans = tuple(_hull(one.at(p), two.at(p)) for p in range(period))
        spans, step = _shortest(spans, self.step * period // len(self.spans))
        return replace(self, spans=spans, step=step)


Reach: TypeAlias = tuple[Window | None, ...]
"""For every axis of an input the window through which an output sees it; None is all of it."""


def _seen_through(source: Window, span: Span | None) -> Span | None:
    """What the positions of a span see together.

    A period from either end is enough: what lies between sees nothing beyond those.
    """
    if span is None:
        return None
    first, last = span
    period = len(source.spans)
    heads = range(first, min(first + period, last + 1))
    tails = range(max(last + 1 - period, first), last + 1)
    result: Span | None = None
    for position in (*heads, *tails):
        result = _hull(result, source.at(position))
    return result


def _hull(one: Span | None, other: Span | None) -> Span | None:
    if one is None or other is None:
        return one or other
    return min(one[0], other[0]), max(one[1], other[1])


def _shortest(spans: tuple[Span | None, ...], step: int) -> tuple[tuple[Span | None, ...], int]:
    """The shortest period of a pattern, and how far it moves in that."""
    whole = len(spans)
    for period in range(1, whole):
        if whole % period or step * period % whole:
            continue
        move = step * period // whole
        if all(
            span == (head and (head[0] + i // period * move, head[1] + i // period * move))
            for i, span in enumerate(spans)
            for head in [spans[i % period]]
        ):
            return spans[:period], move
    return spans, step


# What layers are made of ----------------------------------------------------------


@lru_cache(maxsize=64)
def same_place(axis: int) -> Window:
    """A position sees the same position."""
    return Window(axis)


def pointwise(rank: int) -> Reach:
    """Every position sees itself alone, along each of ``rank`` axes."""
    return tuple(map(same_place, range(rank)))


def pointwise_but(rank: int, *mixed: int) -> Reach:
    """Every position sees itself, and everything along the axes that are mixed."""
    return tuple(None if axis in mixed else same_place(axis) for axis in range(rank))


def without(rank: int, *dropped: int) -> Reach:
    """Axes are dropped after all that they hold was seen, and the others move up."""
    return tuple(
        None if axis in dropped else same_place(axis - sum(d < axis for d in dropped))
        for axis in range(rank)
    )


def regrouped(given: Sequence[Size], result: Sequence[Size]) -> Reach:
    """The same values in other axes: axes may be joined, and one that is cut is seen whole.

    Where the products of the first sizes agree on both sides, axes end on both sides.
    """
    seen: list[Window | None] = [None] * len(given)
    ends = [
        (i, j)
        for i, before in enumerate(_products(given))
        for j, after in enumerate(_products(result))
        if before == after
    ]
    for (i, j), (next_i, next_j) in itertools.pairwise(ends):
        if next_j == j + 1:
            for axis in range(i, next_i):
                first = None if axis == i else given[axis]
                seen[axis] = Window(j, divisor=math.prod(given[axis + 1 : next_i]), modulus=first)
    return tuple(seen)


def _products(sizes: Sequence[Size]) -> Iterator[Size]:
    """The products of the first 0, 1, 2 … sizes."""
    return itertools.accumulate(sizes, lambda product, size: product * size, initial=1)


def stretched(given: Sequence[Size], result: Sequence[Size]) -> Reach:
    """Elementwise, axes counted from the last; an axis of size 1 may be stretched."""
    more = len(result) - len(given)
    return tuple(
        same_place(axis + more) if axis + more >= 0 and size == result[axis + more] else None
        for axis, size in enumerate(given)
    )


@lru_cache(maxsize=256)
def sliding(
    along: int, *, kernel: int, stride: int = 1, before: int = 0, dilation: int = 1
) -> Window:
    """The window of a convolution or a pool, with ``before`` values of padding before it."""
    return Window(along, ((-before, -before + dilation * (kernel - 1)),), stride)


@lru_cache(maxsize=256)
def transposed(along: int, *, kernel: int, stride: int, before: int, dilation: int) -> Window:
    """What an output of a transposed convolution sees.

    Input q is spread over the outputs q·stride - before + dilation·k, so output p sees those
    q = (p + before - dilation·k) / stride that are whole.
    """
    spans: list[Span | None] = []
    for p in range(stride):
        reached = [p + before - dilation * k for k in range(kernel)]
        found = [q // stride for q in reached if q % stride == 0]
        spans.append((min(found), max(found)) if found else None)
    return Window(along, *_shortest(tuple(spans), 1))


def parts(along: int, given: Size, wanted: Size) -> Window | None:
    """What adaptive pooling sees: part p is from ⌊p·given/wanted⌋ to before ⌈(p + 1)·given/wanted⌉.

    None where sizes are free, but for an axis that stays as it is.
    """
    if given == wanted:
        return same_place(along)
    if not isinstance(given, int) or not isinstance(wanted, int) or wanted == 1:
        return None
    divisor = math.gcd(given, wanted)
    period, step = wanted // divisor, given // divisor
    if period > LONGEST_PERIOD:
        return None
    return Window(
        along,
        tuple((p * step // period, -(-(p + 1) * step // period) - 1) for p in range(period)),
        step,
    )


def interpolated(
    along: int, scale: Fraction, mode: str, *, corners: tuple[int, int] | None = None
) -> Window | None:
    """What an interpolation sees, ``scale`` being the step in the input for one in the output.

    Output p lies at (p + ½)·scale - ½ in the input (``nearest`` takes the position below
    p·scale); with ``corners``, the sizes of input and output, at p·(input - 1)/(output - 1).
    It sees one neighbour to either side, with ``bicubic`` two.
    """
    from fractions import Fraction  # as above

    if corners is not None:
        if corners[1] < 2 or corners[0] < 2:
            return None
        scale = Fraction(corners[0] - 1, corners[1] - 1)
    period, step = scale.denominator, scale.numerator
    if period > LONGEST_PERIOD:
        return None
    shift = Fraction(0) if corners or mode == "nearest" else (scale - 1) / 2
    spans: list[Span | None] = []
    for p in range(period):
        place = p * scale + shift
        low, high = math.floor(place), math.ceil(place)
        if mode == "nearest":
            spans.append((low, low))
        elif mode == "nearest_exact":
            nearest = math.floor(place + Fraction(1, 2))
            spans.append((nearest, nearest))
        elif mode == "bicubic" and low != high:
            spans.append((low - 1, low + 2))
        else:
            spans.append((low, high))
    return Window(along, *_shortest(tuple(spans), step))
