"""What autograd keeps of a layer's forward pass until its backward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.records import record

if TYPE_CHECKING:
    from archdsl.ops.op import Tensor


@record(frozen=True)
class Saved:
    """The tensors that a layer keeps: some inputs, some outputs, and others that it makes.

    ``inputs`` and ``outputs`` are their places; those share memory with whoever else keeps
    them. ``made`` are types of tensors that nobody else sees: a mask, statistics, indices
    (``batch = "none"`` for what there is once a batch). Parameters and buffers do not count.
    """

    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    made: tuple[Tensor, ...] = ()


NOTHING_SAVED = Saved()
