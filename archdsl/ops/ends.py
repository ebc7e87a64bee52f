"""The ends of a network: where a tensor comes in, and where it is given back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archdsl.ops.arguments import choice, flag, shape
from archdsl.ops.op import Need, Op, Tensor, layer
from archdsl.ops.saved import NOTHING_SAVED
from archdsl.ops.traits import Elementwise


@layer("input", family="structure")
class Input(Op):
    """A tensor that the network is given."""

    internal = True
    source = True
    inputs = ()

    sizes: tuple[Any, ...] = shape(default=(), doc="the sizes without the batch")
    dtype: str = choice("float", "int", default="float", doc="what it holds")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        return (Tensor(self.sizes, "int" if self.dtype == "int" else "float"),)


@layer("output", family="structure")
class Output(Elementwise):
    """A tensor that the network gives back, in training alone where ``training`` is set."""

    internal = True
    keeps = NOTHING_SAVED

    training: bool = flag(default=False, doc="whether it is given in training mode alone")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        return (inputs[0],)

    def shares(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, training: bool
    ) -> tuple[int | None, ...]:
        return (0,)
