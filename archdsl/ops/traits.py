"""What layers of several families have in common: what they do to values, or to memory."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.ops.op import Need, Op, Tensor, need_batch, need_float, resolve_axis
from archdsl.ops.reach import Reach, pointwise_but, stretched
from archdsl.ops.saved import NOTHING_SAVED


class View(Op):
    """A layer whose outputs are the memory of its input, under other sizes."""

    keeps = NOTHING_SAVED

    def shares(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, training: bool
    ) -> tuple[int | None, ...]:
        return (0,) * len(outputs)


class Elementwise(Op):
    """A layer that works value by value, and keeps the shape unless its own rule says more."""

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        need_float(self, inputs[0])
        return (inputs[0],)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return stretched(inputs[input].dims, outputs[output].dims)


class IdleInEvaluation(Elementwise):
    """An elementwise layer that gives in evaluation what it is given."""

    def shares(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, training: bool
    ) -> tuple[int | None, ...]:
        return (None,) if training else (0,)


class AlongAxis(Op):
    """A layer that sets the values along one axis in relation, and keeps the shape."""

    axis: int

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        need_float(self, inputs[0])
        need_batch(self, inputs[0])
        resolve_axis(self, self.axis, inputs[0])
        return (inputs[0],)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        axis = resolve_axis(self, self.axis, inputs[0])
        return pointwise_but(inputs[0].rank, axis)
