"""The two ends of a ``scan``: its body runs once a step, carrying state from step to step.

The body's nodes stand between the ends, in the same graph, marked with the id of
the beginning. The carried state flows back by pairing: output ``1 + i`` of the
beginning is the state that comes in, input ``1 + carried + 1 + i`` of the end the
state that goes on.
"""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.dims import show
from archdsl.ops.arguments import OpError, integer, text
from archdsl.ops.caption import Caption
from archdsl.ops.op import Need, Op, Tensor, layer
from archdsl.ops.saved import NOTHING_SAVED


class LoopOp(Op):
    """An end of a loop: the source backend lays out the loop itself."""

    internal = True


@layer("scan", family="structure")
class ScanBegin(LoopOp):
    """The beginning of a scan: takes the sequence and first states, gives a step and states."""

    variadic = True
    inputs = ("inputs",)
    keeps = NOTHING_SAVED

    carried: int = integer(default=0, doc="how many states are carried")

    def caption(self, inputs: Sequence[Tensor]) -> Caption:
        return Caption("each step")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        sequence = inputs[0]
        if sequence.batch != "free":
            raise OpError(
                "no-batch-axis", f"a scan needs a sequence from an input, not {sequence}", input=0
            )
        if sequence.rank < 1:
            message = f"a scan needs an axis to run over, not {sequence}"
            raise OpError("wrong-rank", message, input=0)
        error = OpError("empty-size", "a scan needs at least one step")
        need.at_least(sequence.dims[0], 1, error)
        return (sequence.with_dims(*sequence.dims[1:]), *inputs[1:])

    def shares(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, training: bool
    ) -> tuple[int | None, ...]:
        return tuple(range(len(outputs)))


@layer("scan end", family="structure")
class ScanEnd(LoopOp):
    """The end of a scan: gives the sequence of the results, and the last states."""

    variadic = True
    inputs = ("inputs",)
    keeps = NOTHING_SAVED

    carried: int = integer(default=0, doc="how many states are carried")
    begin: str = text(default="", doc="the node where the scan begins")

    def caption(self, inputs: Sequence[Tensor]) -> Caption:
        return Caption("all steps")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        sequence, before = inputs[0], inputs[1 : 1 + self.carried]
        result, after = inputs[1 + self.carried], inputs[2 + self.carried :]
        for old, new in zip(before, after, strict=True):
            error = OpError(
                "shape-mismatch",
                "a carried state changes its shape",
                text=f"it comes in as {old} and goes on as {new}",
                help="the body must give a state of the shape that it started with",
            )
            if old.rank != new.rank or (old.dtype, old.batch) != (new.dtype, new.batch):
                raise error
            for one, two in zip(old.dims, new.dims, strict=True):
                need.equal(one, two, error, f"a carried state keeps its size: {show(one)}")
        if result.batch != "free":
            raise OpError("no-batch-axis", "what a scan gives must depend on its input")
        return (result.with_dims(sequence.dims[0], *result.dims), *after)

    def shares(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, training: bool
    ) -> tuple[int | None, ...]:
        first = 2 + self.carried  # of the states that go on
        return (None, *range(first, first + self.carried))
