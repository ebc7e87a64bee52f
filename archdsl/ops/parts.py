"""Parts of a tensor: cut into several, one slice, one place; and axes reduced to one value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from archdsl.dims import Size, ceil_div, show
from archdsl.ops.arguments import OpError, axes, flag, integer, optional, size, sizes
from archdsl.ops.op import Need, Op, Tensor, layer, need_batch, need_float, resolve_axis
from archdsl.ops.reach import Reach, Window, pointwise, pointwise_but, without
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Code
from archdsl.ops.traits import View

_MOST_PARTS = 1000  # far beyond any real layer; a graph must stay a thing that can be shown


def _targets(count: int) -> str:
    names = ", ".join(f"{{{i}}}" for i in range(count))
    return f"({names},)" if count == 1 else names


def _parts(op: Op, x: Tensor, index: int, lengths: Sequence[Size]) -> tuple[Tensor, ...]:
    if len(lengths) > _MOST_PARTS:
        raise OpError(
            "too-many-parts",
            f"{op.name} would make {len(lengths):,} tensors of {x}",
            text=f"at most {_MOST_PARTS:,}",
            input=0,
        )
    return tuple(x.with_dims(*x.dims[:index], n, *x.dims[index + 1 :]) for n in lengths)


def _cut(x: Tensor, axis: int, before: Sequence[Size]) -> Reach:
    """How a part sees the whole, the parts before it having these lengths along an axis."""
    start: Size = sum(before, start=0)
    moved = Window(axis, ((start, start),)) if isinstance(start, int) else None
    return (*pointwise(axis), moved, *pointwise(x.rank)[axis + 1 :])


class _Cut(View):
    """What split and chunk share: every output is a piece of one axis."""

    axis: int

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        axis = resolve_axis(self, self.axis, inputs[0])
        return _cut(inputs[0], axis, [part.dims[axis] for part in outputs[:output]])


@layer("split", family="shape")
class Split(_Cut):
    """Parts of an axis, of one length or of the lengths listed.

    Input [*, n, *], outputs [*, length, *]. Of one length given as a number, the last part has
    what is left. ``split([16, 48]) as (a, b)``.

    PyTorch: ``torch.split``.
    """

    example = "split([4, 12])"

    lengths: int | tuple[int, ...] = sizes(doc="length of each part, or of all")
    axis: int = integer(default=1, doc="the axis to cut; the batch is axis 0")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        index = resolve_axis(self, self.axis, x)
        length = x.dims[index]
        if isinstance(self.lengths, int):
            whole = need.fixed(
                length,
                f"the size of axis {self.axis}, which split cuts",
                help="chunk(n) makes n equal parts of a free size",
            )
            count, left = divmod(whole, self.lengths)
            if count + bool(left) > _MOST_PARTS:
                raise OpError(
                    "too-many-parts",
                    f"split would make {count + bool(left):,} tensors of {x}",
                    text=f"at most {_MOST_PARTS:,}",
                    help="split(n) makes parts of n values, chunk(n) makes n parts",
                )
            return _parts(self, x, index, [self.lengths] * count + [left] * bool(left))
        error = OpError(
            "shape-mismatch",
            f"the lengths of split add up to {sum(self.lengths)}, and axis {self.axis} of {x} has"
            f" {show(length)}",
            text=f"the input is {x}",
            argument="lengths",
        )
        need.equal(length, sum(self.lengths), error, "the lengths of split add up to the axis")
        return _parts(self, x, index, self.lengths)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        lengths = self.lengths if isinstance(self.lengths, int) else list(self.lengths)
        return Code(
            call="torch.split({0}, {lengths}, dim={axis})",
            constants={"lengths": lengths, "axis": self.axis},
            targets=_targets(len(outputs)),
        )


@layer("chunk", family="shape")
class Chunk(_Cut):
    """So many equal parts of an axis, the last one smaller where they cannot be equal.

    Input [*, n, *], outputs [*, n / chunks, *]. A free size must be a multiple of chunks.

    PyTorch: ``torch.chunk``.
    """

    example = "chunk(2)"

    chunks: int = size(doc="how many parts")
    axis: int = integer(default=1, doc="the axis to cut; the batch is axis 0")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        index = resolve_axis(self, self.axis, x)
        length = x.dims[index]
        error = OpError(
            "not-divisible",
            f"axis {self.axis} of {x} (={show(length)}) cannot be cut into {self.chunks} parts",
            text=f"the input is {x}",
            argument="chunks",
        )
        if not isinstance(length, int):
            need.divisible(length, self.chunks, error, f"chunk makes {self.chunks} equal parts")
            parts = [length // self.chunks] * min(self.chunks, _MOST_PARTS + 1)
            return _parts(self, x, index, parts)
        each = -(-length // self.chunks)
        if -(-length // each) != self.chunks:  # torch would give fewer
            raise error
        lengths = [each] * (self.chunks - 1)
        return _parts(self, x, index, [*lengths, length - sum(lengths)])

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(
            call="torch.chunk({0}, {chunks}, dim={axis})",
            constants={"chunks": self.chunks, "axis": self.axis},
            targets=_targets(len(outputs)),
        )


def _indexed(index: int, text: str) -> str:
    """``{0}[:, :, text]`` for an index into the sizes."""
    return f"{{0}}[{':, ' * (index + 1)}{text}]"


@layer("slice", family="shape")
class Slice(View):
    """A stretch of an axis, as Python slices: from start up to stop, in steps.

    Input [*, n, *], output [*, (stop - start) / step rounded up, *]. Negative places count from
    the end. Unlike in Python, the stretch must lie within the axis, for else its length would
    not be the one written.

    PyTorch: ``x[:, start:stop:step]``.
    """

    example = "slice(1, 0, 8)"

    axis: int = integer(doc="the axis to cut; the batch is axis 0")
    start: int = integer(default=0, doc="the first place")
    stop: int | None = optional(integer(), doc="the place after the last; none is the end")
    step: int = size(default=1, doc="the distance between places")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        index = resolve_axis(self, self.axis, x)
        length = x.dims[index]
        start = length + self.start if self.start < 0 else self.start
        stop = length if self.stop is None else self.stop
        if self.stop is not None and self.stop < 0:
            stop = length + self.stop
        for name, low, high in (("start", 0, start), ("stop", stop, length)):
            error = OpError(
                "out-of-range",
                f"{name} of slice (={getattr(self, name)}) lies outside of axis {self.axis} of"
                f" {x}, which has {show(length)} places",
                text=f"the input is {x}",
                argument=name,
            )
            need.at_least(high, low, error, "the slice lies within the axis")
        empty = OpError(
            "empty-size",
            f"nothing lies between start (={self.start}) and stop"
            f" (={'none' if self.stop is None else self.stop}) in axis {self.axis} of {x}",
            text=f"the axis has {show(length)} places",
            argument="start" if self.stop is None else "stop",
        )
        need.at_least(stop, start + 1, empty, "the slice is not empty")
        result = ceil_div(stop - start, self.step)
        return (x.with_dims(*x.dims[:index], result, *x.dims[index + 1 :]),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        x = inputs[0]
        axis = resolve_axis(self, self.axis, x)
        start = x.dims[axis] + self.start if self.start < 0 else self.start
        moved = Window(axis, ((start, start),), self.step) if isinstance(start, int) else None
        return (*pointwise(axis), moved, *pointwise(x.rank)[axis + 1 :])

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        text = f"{self.start or ''}:{'' if self.stop is None else self.stop}"
        if self.step != 1:
            text += f":{self.step}"
        return Code(call=_indexed(resolve_axis(self, self.axis, inputs[0]), text))


@layer("select", family="shape")
class Select(View):
    """One place of an axis, which is dropped: ``select(1, 0)`` is a sequence's first element.

    Input [*, n, *], output [*, *]. A negative index counts from the end.

    PyTorch: ``x[:, index]``.
    """

    example = "select(1, 0)"

    axis: int = integer(doc="the axis to drop; the batch is axis 0")
    index: int = integer(doc="which place to keep")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        place = resolve_axis(self, self.axis, x)
        error = OpError(
            "out-of-range",
            f"index of select (={self.index}) lies outside of axis {self.axis} of {x}, which has"
            f" {show(x.dims[place])} places",
            text=f"the input is {x}",
            argument="index",
        )
        least = self.index + 1 if self.index >= 0 else -self.index
        need.at_least(x.dims[place], least, error, f"select takes place {self.index}")
        return (x.with_dims(*x.dims[:place], *x.dims[place + 1 :]),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return without(inputs[0].rank, resolve_axis(self, self.axis, inputs[0]))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call=_indexed(resolve_axis(self, self.axis, inputs[0]), str(self.index)))


class _Reduction(Op):
    """What reductions share: the axes named are dropped, or kept with size 1."""

    torch_call: ClassVar[str]
    keeps = NOTHING_SAVED

    axis: int | tuple[int, ...]
    keep: bool

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        named = (self.axis,) if isinstance(self.axis, int) else self.axis
        dropped = [resolve_axis(self, axis, x) for axis in named]
        if len(set(dropped)) < len(dropped):
            raise OpError(
                "bad-axis",
                f"{self.name} names an axis of {x} twice: {list(named)}",
                argument="axis",
            )
        if self.keep:
            return (x.with_dims(*(1 if i in dropped else d for i, d in enumerate(x.dims))),)
        return (x.with_dims(*(d for i, d in enumerate(x.dims) if i not in dropped)),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        x = inputs[0]
        named = (self.axis,) if isinstance(self.axis, int) else self.axis
        dropped = [resolve_axis(self, axis, x) for axis in named]
        return pointwise_but(x.rank, *dropped) if self.keep else without(x.rank, *dropped)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        keep = ", keepdim=True" if self.keep else ""
        return Code(
            call=f"{{0}}.{self.torch_call}(dim={{axis}}{keep})", constants={"axis": self.axis}
        )


@layer("mean", family="shape")
class Mean(_Reduction):
    """The average over one axis or several, which are dropped.

    Input [*, n, *], output [*, *], or [*, 1, *] with keep.

    PyTorch: ``x.mean``.
    """

    example = "mean((2, 3))"
    torch_call = "mean"

    axis: int | tuple[int, ...] = axes(doc="what to average over; the batch is axis 0")
    keep: bool = flag(default=False, doc="whether the axis stays, with size 1")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        need_float(self, inputs[0])
        return super().infer(inputs, need)


@layer("sum", family="shape")
class Sum(_Reduction):
    """The sum over one axis or several, which are dropped.

    Input [*, n, *], output [*, *], or [*, 1, *] with keep.

    PyTorch: ``x.sum``.
    """

    example = "sum(1)"
    torch_call = "sum"

    axis: int | tuple[int, ...] = axes(doc="what to add up; the batch is axis 0")
    keep: bool = flag(default=False, doc="whether the axis stays, with size 1")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        (result,) = super().infer(inputs, need)
        return (replace(result, dtype="int") if result.dtype == "bool" else result,)


@layer("amax", family="shape")
class AMax(_Reduction):
    """The largest value along one axis or several, which are dropped.

    Input [*, n, *], output [*, *], or [*, 1, *] with keep.

    PyTorch: ``x.amax``.
    """

    example = "amax((2, 3))"
    torch_call = "amax"
    keeps = Saved(inputs=(0,), outputs=(0,))

    axis: int | tuple[int, ...] = axes(doc="what to look along; the batch is axis 0")
    keep: bool = flag(default=False, doc="whether the axis stays, with size 1")


@layer("amin", family="shape")
class AMin(_Reduction):
    """The smallest value along one axis or several, which are dropped.

    Input [*, n, *], output [*, *], or [*, 1, *] with keep.

    PyTorch: ``x.amin``.
    """

    example = "amin((2, 3))"
    torch_call = "amin"
    keeps = Saved(inputs=(0,), outputs=(0,))

    axis: int | tuple[int, ...] = axes(doc="what to look along; the batch is axis 0")
    keep: bool = flag(default=False, doc="whether the axis stays, with size 1")
