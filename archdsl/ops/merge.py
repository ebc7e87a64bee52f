"""Merges: several tensors become one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archdsl.conditions import meet_by_chance
from archdsl.dims import Size, show
from archdsl.ops.arguments import OpError, flag, integer
from archdsl.ops.op import Batch, Need, Op, Tensor, layer, product, resolve_axis
from archdsl.ops.reach import Reach, pointwise, pointwise_but, same_place
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Code
from archdsl.ops.traits import Elementwise


def full_shape(tensor: Tensor) -> tuple[Size | None, ...]:
    """The shape with its batch axis: None for the free batch, 1 for a parameter's."""
    if tensor.batch == "free":
        return (None, *tensor.dims)
    return (1, *tensor.dims) if tensor.batch == "one" else tensor.dims


def joined_batch(tensors: Sequence[Tensor]) -> Batch:
    """The batch of what comes out: free where any input's is."""
    kinds = {t.batch for t in tensors}
    return "free" if "free" in kinds else "one" if "one" in kinds else "none"


def need_same_dtype(op: Op, tensors: Sequence[Tensor]) -> None:
    """Real numbers and indices do not merge; and there must be something to merge."""
    if not tensors:
        raise OpError("wrong-inputs", f"{op.name} names the tensors that it takes, and has none")
    if len({t.dtype for t in tensors}) > 1:
        shown = ", ".join(str(t) for t in tensors)
        help = "indices become real numbers by embedding(count, features)"
        raise OpError("wrong-dtype", f"{op.name} takes inputs of one kind, not {shown}", help=help)


def broadcast(op: Op, tensors: Sequence[Tensor], need: Need) -> Tensor:
    """The type of an elementwise merge.

    Sizes must agree axis by axis; a size of 1 is stretched, as in a gate [C, 1, 1] on
    [C, H, W]. Only parameters written without a batch may have fewer axes.
    """
    need_same_dtype(op, tensors)
    ranks = {t.rank for t in tensors if t.batch != "none"}
    if len(ranks) > 1:
        shown = " and ".join(str(t) for t in tensors)
        raise OpError("shape-mismatch", f"{op.name} takes inputs with the same axes, not {shown}")
    batch = joined_batch(tensors)
    shapes = [full_shape(t) for t in tensors]
    length = max(len(s) for s in shapes)
    if batch != "none" and length > next(iter(ranks)) + 1:
        shown = " and ".join(str(t) for t in tensors)
        raise OpError("shape-mismatch", f"a parameter has more axes than the tensor: {shown}")
    result: list[Size | None] = []
    for position in range(length):
        column: list[Size | None] = [
            s[position - length + len(s)] for s in shapes if position - length + len(s) >= 0
        ]
        if batch != "none" and position == 0 and any(c is not None and c != 1 for c in column):
            shown = " and ".join(str(t) for t in tensors)
            raise OpError("shape-mismatch", f"a parameter's first axis falls on the batch: {shown}")
        if None in column:
            result.append(None)
            continue
        sizes = [c for c in column if c is not None and c != 1]
        for other in sizes[1:]:
            _need_same(op, tensors, sizes[0], other, need)
        result.append(sizes[0] if sizes else 1)
    dims = [r for r in result if r is not None]
    if batch == "one":
        dims = dims[1:]
    return Tensor(tuple(dims), tensors[0].dtype, batch)


def mismatch(op: Op, tensors: Sequence[Tensor], one: Size, other: Size) -> OpError:
    """The error for two inputs of a merge that disagree."""
    shown = " and ".join(str(t) for t in tensors)
    return OpError(
        "shape-mismatch",
        f"the inputs of {op.name} have different shapes",
        text=f"{shown}: {show(one)} against {show(other)}",
    )


def _need_same(op: Op, tensors: Sequence[Tensor], one: Size, other: Size, need: Need) -> None:
    """Two sizes of a merge agree, and not just where sizes that grow differently meet."""
    if one == other:
        return
    error = mismatch(op, tensors, one, other)
    if meet_by_chance(one, other):
        raise error
    need.equal(one, other, error, f"the inputs of {op.name} must have the same sizes")


class _Arithmetic(Elementwise):
    """What sums, products and the like share: an operator between tensors of one shape."""

    variadic = True
    inputs = ("inputs",)
    symbol = "+"
    keeps = NOTHING_SAVED

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        return (broadcast(self, inputs, need),)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call=f" {self.symbol} ".join(f"{{{i}}}" for i in range(len(inputs))))


@layer("add", family="merge")
class Add(_Arithmetic):
    """The sum of tensors of one shape; a size of 1 is stretched.

    PyTorch: ``a + b``.
    """

    sign = "+"
    example = "add(it, it)"
    overwrites = (0, 1)


@layer("mul", family="merge")
class Mul(_Arithmetic):
    """The elementwise product of tensors of one shape; a size of 1 is stretched.

    PyTorch: ``a * b``.
    """

    sign = "×"
    example = "mul(it, it)"
    symbol = "*"

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        places = range(len(inputs))
        kept = tuple(i for i in places if any(tracked[j] for j in places if j != i))
        return Saved(inputs=kept, made=(outputs[0],) * (len(inputs) - 2))


@layer("sub", family="merge")
class Sub(_Arithmetic):
    """The first tensor less the others; a size of 1 is stretched.

    PyTorch: ``a - b``.
    """

    sign = "−"
    example = "sub(it, it)"
    symbol = "-"


@layer("max", family="merge")
class Max(_Arithmetic):
    """The elementwise maximum of tensors of one shape (maxout).

    PyTorch: ``torch.maximum``.
    """

    example = "max(it, it)"

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        if len(inputs) < 2:
            return NOTHING_SAVED
        return Saved(inputs=tuple(range(len(inputs))), made=(outputs[0],) * (len(inputs) - 2))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        call = "{0}"
        for i in range(1, len(inputs)):
            call = f"torch.maximum({call}, {{{i}}})"
        return Code(call=call)


def expanded(tensors: Sequence[Tensor]) -> list[str]:
    """The inputs as text, those with a batch of one expanded to the batch of the others."""
    free = next((i for i, t in enumerate(tensors) if t.batch == "free"), None)
    texts = []
    for i, tensor in enumerate(tensors):
        if tensor.batch == "one" and free is not None:
            rest = ", -1" * tensor.rank
            texts.append(f"{{{i}}}.expand({{{free}}}.shape[0]{rest})")
        else:
            texts.append(f"{{{i}}}")
    return texts


def _need_alike(op: Op, inputs: Sequence[Tensor]) -> None:
    need_same_dtype(op, inputs)
    shown = " and ".join(str(t) for t in inputs)
    if len({t.rank for t in inputs}) > 1:
        raise OpError("shape-mismatch", f"{op.name} takes inputs with the same axes, not {shown}")
    if any(t.batch == "none" for t in inputs):
        raise OpError(
            "no-batch-axis",
            f"{op.name} needs a batch axis on every input, and a parameter here has none",
            text=f"the parameter is {next(t for t in inputs if t.batch == 'none')}",
            help="write the parameter's shape with a leading 1, which stands for the batch",
        )


@layer("concat", "cat", family="merge")
class Concat(Op):
    """Tensors side by side along an axis (channels, by default).

    Inputs agree in every other axis. Axes count as in torch: the batch is 0.

    PyTorch: ``torch.cat``.
    """

    example = "concat(it, it)"
    variadic = True
    inputs = ("inputs",)
    keeps = NOTHING_SAVED

    axis: int = integer(default=1, doc="the axis to join along; the batch is axis 0")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        _need_alike(self, inputs)
        axis = resolve_axis(self, self.axis, inputs[0])
        first = inputs[0]
        for other in inputs[1:]:
            for i, (one, two) in enumerate(zip(first.dims, other.dims, strict=True)):
                if i != axis:
                    _need_same(self, inputs, one, two, need)
        total: Size = first.dims[axis]
        for other in inputs[1:]:
            total = total + other.dims[axis]
        dims = (*first.dims[:axis], total, *first.dims[axis + 1 :])
        return (replace(first, dims=dims, batch=joined_batch(inputs)),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        axis = resolve_axis(self, self.axis, inputs[0])
        return pointwise_but(inputs[input].rank, *([axis] if len(inputs) > 1 else []))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(
            call=f"torch.cat([{', '.join(expanded(inputs))}], dim={{axis}})",
            constants={"axis": self.axis},
        )


@layer("stack", family="merge")
class Stack(Op):
    """Tensors of one shape side by side along a new axis.

    PyTorch: ``torch.stack``.
    """

    example = "stack(it, it)"
    variadic = True
    inputs = ("inputs",)
    keeps = NOTHING_SAVED

    axis: int = integer(default=1, doc="where the new axis stands; the batch is axis 0")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        _need_alike(self, inputs)
        first = inputs[0]
        for other in inputs[1:]:
            for one, two in zip(first.dims, other.dims, strict=True):
                _need_same(self, inputs, one, two, need)
        wider = first.with_dims(*first.dims, 1)
        axis = resolve_axis(self, self.axis, wider)
        dims = (*first.dims[:axis], len(inputs), *first.dims[axis:])
        return (replace(first, dims=dims, batch=joined_batch(inputs)),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        x = inputs[input]
        axis = resolve_axis(self, self.axis, outputs[output])
        return tuple(same_place(i if i < axis else i + 1) for i in range(x.rank))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(
            call=f"torch.stack([{', '.join(expanded(inputs))}], dim={{axis}})",
            constants={"axis": self.axis},
        )


@layer("matmul", family="merge")
class MatMul(Op):
    """The matrix product over the last two axes; ``transpose_second`` gives A·Bᵀ.

    Inputs [*, n, k] and [*, k, m], output [*, n, m].

    PyTorch: ``a @ b``.
    """

    sign = "@"
    example = "matmul(it, it)"
    example_input = "[16, 16]"
    variadic = True
    inputs = ("inputs",)

    transpose_second: bool = flag(default=False, doc="multiply by the second one transposed")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        need_same_dtype(self, inputs)
        if len(inputs) != 2:
            raise OpError("wrong-inputs", f"matmul takes two inputs, not {len(inputs)}")
        left, right = inputs
        if left.dtype != "float":
            raise OpError("wrong-dtype", f"matmul takes real numbers, not {left}")
        _need_alike(self, inputs)
        if left.rank < 2:
            raise OpError("wrong-rank", f"matmul needs two axes besides the batch, not {left}")
        rows, columns = right.dims[-2:]
        if self.transpose_second:
            rows, columns = columns, rows
        need.equal(left.dims[-1], rows, mismatch(self, inputs, left.dims[-1], rows))
        for one, two in zip(left.dims[:-2], right.dims[:-2], strict=True):
            _need_same(self, inputs, one, two, need)
        result = left.with_dims(*left.dims[:-1], columns)
        return (replace(result, batch=joined_batch(inputs)),)

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(outputs[0].dims) * inputs[0].dims[-1]

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        last = inputs[input].rank - 1
        if input == 0:
            return pointwise_but(last + 1, last)
        rows: Reach = (None, same_place(last))
        columns = rows[::-1] if self.transpose_second else rows
        return (*pointwise(last - 1), *columns)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(inputs=tuple(i for i in (0, 1) if tracked[1 - i]))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        second = "{1}.transpose(-2, -1)" if self.transpose_second else "{1}"
        return Code(call=f"{{0}} @ {second}")
