"""Axes joined, parted, added, dropped and reordered; the values stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from archdsl.dims import Dim, Size, as_python, exact_quotient, show, show_shape, symbols
from archdsl.ops.arguments import OpError, integer, shape, size, whole_list
from archdsl.ops.op import (
    Need,
    Op,
    Tensor,
    layer,
    need_batch,
    product,
    resolve_axis,
)
from archdsl.ops.reach import (
    Reach,
    pointwise_but,
    regrouped,
    same_place,
    without,
)
from archdsl.ops.saved import NOTHING_SAVED
from archdsl.ops.torch_text import Code, keyword, module, positional
from archdsl.ops.traits import Elementwise, View


@layer("identity", family="shape")
class Identity(View, Elementwise):
    """The input as it is: the plain path of a branch, or a place to name.

    Input and output [*].

    PyTorch: ``nn.Identity``.
    """

    example = "identity"

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        return (inputs[0],)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module("nn.Identity", function="{0}")


class _Regrouping(View):
    """What joins and parts axes: the same values, in their order."""

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return regrouped(inputs[0].dims, outputs[0].dims)


@layer("flatten", family="shape")
class Flatten(_Regrouping):
    """Several axes become one: all but the batch, unless others are named.

    Input [a, b, c], output [a·b·c]; ``flatten(2)`` gives [a, b·c].

    PyTorch: ``nn.Flatten``, ``torch.flatten``.
    """

    example = "flatten"

    start_axis: int = integer(default=1, doc="the first axis to join; the batch is axis 0")
    end_axis: int = integer(default=-1, doc="the last axis to join")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        start = resolve_axis(self, self.start_axis, x, argument="start_axis")
        end = resolve_axis(self, self.end_axis, x, argument="end_axis")
        if end < start:
            raise OpError(
                "bad-axis",
                f"start_axis of flatten (={self.start_axis}) comes after end_axis"
                f" (={self.end_axis}) in {x}",
                text=f"the sizes of {x} are axes 1 to {x.rank}",
                argument="start_axis",
            )
        joined = product(x.dims[start : end + 1])
        return (x.with_dims(*x.dims[:start], joined, *x.dims[end + 1 :]),)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        end = "" if self.end_axis == -1 else f", {self.end_axis}"
        return module(
            "nn.Flatten",
            keyword("start_dim", self.start_axis, 1),
            keyword("end_dim", self.end_axis, -1),
            function=f"torch.flatten({{0}}, {self.start_axis}{end})",
        )


def _filled(op: Op, total: Size, sizes: Sequence[Size], need: Need, shown: str) -> list[Size]:
    """The sizes with -1 replaced by what makes their product ``total``."""
    wrong = next((s for s in sizes if isinstance(s, int) and s < 1 and s != -1), None)
    if wrong is not None or sum(s == -1 for s in sizes) > 1:
        problem = "has more than one -1" if wrong is None else f"has a size of {wrong}"
        raise OpError(
            "bad-argument",
            f"sizes of {op.name} {problem}: {show_shape(sizes)}",
            text="one size may be -1, which stands for what is left; the others are positive",
            argument="sizes",
        )
    known = product([s for s in sizes if s != -1])
    message = f"{op.name} cannot make {show_shape(sizes)} of {shown}: {show(total)} values come in"
    if -1 not in sizes:
        error = OpError(
            "shape-mismatch",
            f"{message}, {show(known)} would go out",
            text=f"the input is {shown}",
            argument="sizes",
        )
        need.equal(total, known, error, f"{op.name} keeps the number of values")
        return list(sizes)
    error = OpError(
        "not-divisible",
        f"{message}, not a multiple of {show(known)}",
        text=f"the input is {shown}",
        argument="sizes",
    )
    if isinstance(known, int):
        need.divisible(total, known, error, f"{op.name} needs a multiple of {known} values")
        rest = total // known
    else:
        quotient = exact_quotient(total, known)
        if quotient is None:
            raise OpError(
                "free-size",
                f"{message}, and whether it is a multiple of {show(known)} is not known",
                text=f"the input is {shown}",
                argument="sizes",
            )
        rest = quotient
    return [rest if s == -1 else s for s in sizes]


@layer("unflatten", family="shape")
class Unflatten(_Regrouping):
    """One axis becomes several.

    Input [a·b, *], output [a, b, *] for ``unflatten(1, (a, b))``; one size may be -1, which
    stands for what is left.

    PyTorch: ``nn.Unflatten``.
    """

    example = "unflatten(1, (4, 4))"

    axis: int = integer(doc="the axis to part; the batch is axis 0")
    sizes: tuple[int, ...] = whole_list(minimum=-1, doc="its new sizes")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        index = resolve_axis(self, self.axis, x)
        if not self.sizes:
            raise OpError("bad-argument", "sizes of unflatten is empty", argument="sizes")
        length = x.dims[index]
        new = _filled(self, length, self.sizes, need, f"axis {self.axis} of {x}")
        return (x.with_dims(*x.dims[:index], *new, *x.dims[index + 1 :]),)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module("nn.Unflatten", positional("dim", self.axis), positional("sizes", self.sizes))


def _size_text(op: Op, size: Size, x: Tensor) -> str:
    """A size as Python text: a number, or computed from the input's shape as it runs."""
    if isinstance(size, int):
        return str(size)
    if size in x.dims:
        return f"{{0}}.shape[{x.dims.index(size) + 1}]"
    places: dict[str, str] = {}
    for index, extent in enumerate(x.dims):
        if isinstance(extent, Dim) and show(extent) in symbols(extent):
            places.setdefault(show(extent), f"{{0}}.shape[{index + 1}]")
    if missing := symbols(size) - places.keys():
        raise OpError(
            "free-size",
            f"sizes of {op.name} names {show(size)}, and {x} has no axis of size"
            f" {', '.join(sorted(missing))} to read it from",
            text=f"the input is {x}",
            help="write -1 for it, or a size that the input has",
            argument="sizes",
        )
    return as_python(size, places)


@layer("reshape", family="shape")
class Reshape(_Regrouping):
    """The same values in other axes, in the order in which they lie.

    Input [*], output [*sizes] with as many values; one size may be -1, which stands for what is
    left. The batch stays as it is and is not written: ``reshape(64, 7, 7)``.

    PyTorch: ``x.reshape``.
    """

    example = "reshape(16, -1)"
    rest: ClassVar[str | None] = "sizes"

    sizes: tuple[Size, ...] = shape(minimum=-1, doc="the new sizes, without the batch")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        for wanted in self.sizes:
            _size_text(self, wanted, x)
        return (x.with_dims(*_filled(self, x.elements, self.sizes, need, str(x))),)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        texts = ["{0}.shape[0]", *(_size_text(self, s, inputs[0]) for s in self.sizes)]
        return Code(call=f"{{0}}.reshape({', '.join(texts)})")


@layer("transpose", family="shape")
class Transpose(View):
    """Two axes change places.

    Input [a, b], output [b, a] for ``transpose(1, 2)``: the batch is axis 0, and stays.

    PyTorch: ``x.transpose``.
    """

    example = "transpose(1, 2)"

    axis0: int = integer(doc="one axis; the batch is axis 0")
    axis1: int = integer(doc="the other")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        one = resolve_axis(self, self.axis0, x, argument="axis0")
        other = resolve_axis(self, self.axis1, x, argument="axis1")
        dims = list(x.dims)
        dims[one], dims[other] = dims[other], dims[one]
        return (x.with_dims(*dims),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        x = inputs[0]
        one, other = (resolve_axis(self, axis, x) for axis in (self.axis0, self.axis1))
        swapped = {one: other, other: one}
        return tuple(same_place(swapped.get(axis, axis)) for axis in range(x.rank))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call=f"{{0}}.transpose({self.axis0}, {self.axis1})")


@layer("permute", family="shape")
class Permute(View):
    """The axes in another order, the batch (axis 0) first.

    Input [a, b, c], output [b, c, a] for ``permute(0, 2, 3, 1)``.

    PyTorch: ``x.permute``.
    """

    example = "permute(0, 2, 3, 1)"
    rest: ClassVar[str | None] = "order"

    order: tuple[int, ...] = whole_list(minimum=None, doc="for every axis, which one comes there")

    def _indices(self, x: Tensor) -> list[int]:
        if not self.order or self.order[0] not in (0, -x.rank - 1):
            raise OpError(
                "bad-axis",
                "permute keeps the batch where it is: its order starts with 0",
                text=f"the sizes of {x} are axes 1 to {x.rank}; axis 0 is the batch",
                help=f"write permute({', '.join(map(str, (0, *self.order)))})"
                if 0 not in self.order and len(self.order) == x.rank
                else "",
                argument="order",
            )
        return [resolve_axis(self, axis, x, argument="order") for axis in self.order[1:]]

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        indices = self._indices(x)
        if sorted(indices) != list(range(x.rank)):
            raise OpError(
                "bad-axis",
                f"permute needs every axis of {x} once: 0 to {x.rank} in some order, not"
                f" {list(self.order)}",
                text=f"the sizes of {x} are axes 1 to {x.rank}; axis 0 is the batch",
                argument="order",
            )
        return (x.with_dims(*(x.dims[i] for i in indices)),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        order = self._indices(inputs[0])
        return tuple(same_place(order.index(axis)) for axis in range(inputs[0].rank))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call=f"{{0}}.permute({', '.join(map(str, self.order))})")


@layer("squeeze", family="shape")
class Squeeze(View):
    """An axis of size 1 is dropped.

    Input [a, 1, b], output [a, b] for ``squeeze(2)``.

    PyTorch: ``x.squeeze``.
    """

    example = "squeeze(1)"
    example_input = "[1, 32, 32]"

    axis: int = integer(doc="the axis to drop; the batch is axis 0")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        index = resolve_axis(self, self.axis, x)
        error = OpError(
            "shape-mismatch",
            f"squeeze drops an axis of size 1, and axis {self.axis} of {x} has"
            f" {show(x.dims[index])}",
            text=f"the input is {x}",
            help=f"to keep one of its values: select({self.axis}, 0)",
            argument="axis",
        )
        need.equal(x.dims[index], 1, error, "squeeze drops an axis of size 1")
        return (x.with_dims(*x.dims[:index], *x.dims[index + 1 :]),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return without(inputs[0].rank, resolve_axis(self, self.axis, inputs[0]))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call="{0}.squeeze({axis})", constants={"axis": self.axis})


@layer("unsqueeze", family="shape")
class Unsqueeze(View):
    """An axis of size 1 is added.

    Input [a, b], output [a, 1, b] for ``unsqueeze(2)``.

    PyTorch: ``x.unsqueeze``.
    """

    example = "unsqueeze(1)"

    axis: int = integer(doc="where the new axis stands in the output; the batch is axis 0")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        index = resolve_axis(self, self.axis, x.with_dims(*x.dims, 1))
        return (x.with_dims(*x.dims[:index], 1, *x.dims[index:]),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        axis = resolve_axis(self, self.axis, outputs[0])
        return tuple(same_place(i if i < axis else i + 1) for i in range(inputs[0].rank))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call="{0}.unsqueeze({axis})", constants={"axis": self.axis})


class _Constant(Op):
    """What makes a tensor of one value shares: a batch as large as that of ``like``."""

    inputs = ("like",)
    shape_only = frozenset({"like"})
    keeps = NOTHING_SAVED
    rest: ClassVar[str | None] = "sizes"
    torch_call: ClassVar[str]

    sizes: tuple[int, ...]

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        need_batch(self, inputs[0])
        return (replace(inputs[0], dims=self.sizes, dtype="float"),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return None

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        # a single size bears the name of the argument, for what it was written as
        names = ["sizes"] if len(self.sizes) == 1 else [f"size{i}" for i in range(len(self.sizes))]
        extents = ", ".join(["{0}.shape[0]", *(f"{{{name}}}" for name in names)])
        constants = dict(zip(names, self.sizes, strict=True))
        if inputs[0].dtype == "float":
            return Code(call=f"{{0}}.new_{self.torch_call}({extents})", constants=constants)
        call = f"torch.{self.torch_call}({extents}, device={{0}}.device)"
        return Code(call=call, constants=constants)


@layer("zeros", family="shape")
class Zeros(_Constant):
    """Zeros, for every sample of the batch: what a recurrence starts from.

    Input any, output [*sizes].

    PyTorch: ``x.new_zeros``.
    """

    example = "zeros(256)"
    torch_call = "zeros"

    sizes: tuple[int, ...] = whole_list(doc="the sizes, without the batch")


@layer("ones", family="shape")
class Ones(_Constant):
    """Ones, for every sample of the batch.

    Input any, output [*sizes].

    PyTorch: ``x.new_ones``.
    """

    example = "ones(256)"
    torch_call = "ones"

    sizes: tuple[int, ...] = whole_list(doc="the sizes, without the batch")


@layer("channel_shuffle", family="shape")
class ChannelShuffle(Op):
    """Channels of all groups take turns, so that the next grouped convolution mixes them.

    Input and output [channels, *sizes]; groups divides the channels. ShuffleNet, Zhang et al.,
    2018.

    PyTorch: ``nn.ChannelShuffle``.
    """

    example = "channel_shuffle(4)"
    keeps = NOTHING_SAVED

    groups: int = size(doc="how many groups take turns")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        if x.rank < 2:
            raise OpError(
                "wrong-rank",
                f"channel_shuffle takes [channels, sizes…], not {x}",
                text=f"the input is {x}",
                input=0,
            )
        error = OpError(
            "not-divisible",
            f"the channels of channel_shuffle (={show(x.channels)}) must be divisible by groups"
            f" (={self.groups})",
            text=f"the input is {x}",
            argument="groups",
        )
        need.divisible(x.channels, self.groups, error, "groups divides the channels")
        return (x,)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return pointwise_but(inputs[0].rank, 0)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module("nn.ChannelShuffle", positional("groups", self.groups))
