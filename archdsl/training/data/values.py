"""Reshapes and converts columns of values: what each rule does, it does to a whole batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor

from archdsl.diagnostics import ArchError
from archdsl.dims import Size, evaluate, symbol, symbols
from archdsl.recipes.demands import Indices
from archdsl.training.data.request import bad_data, mismatch

Adapter: TypeAlias = Callable[[Tensor], Tensor]
Bound: TypeAlias = dict[str, int]
"""The free sizes that data has fixed so far."""


# Functions with names, and records: workers of a DataLoader are sent them.


@dataclass(frozen=True)
class Then:
    """One adapter after another."""

    first: Adapter
    second: Adapter

    def __call__(self, batch: Tensor) -> Tensor:
        return self.second(self.first(batch))


def same(batch: Tensor) -> Tensor:
    return batch


def flat(batch: Tensor) -> Tensor:
    return batch.reshape(len(batch), -1)


def with_channel(batch: Tensor) -> Tensor:
    return batch.unsqueeze(1)


def without_channel(batch: Tensor) -> Tensor:
    return batch[:, 0]


def to_float(batch: Tensor) -> Tensor:
    return batch.float()


def from_pixels(batch: Tensor) -> Tensor:
    return batch.float() / 255


def to_whole(batch: Tensor) -> Tensor:
    return batch.long()


def to_bool(batch: Tensor) -> Tensor:
    return batch.bool()


def reshaping(dims: Sequence[int], wanted: Sequence[Size], bound: Bound) -> Adapter | None:
    """From the sizes of the data to those that are wanted.

    As they are, flat, with a channel of 1 or without it; None where none of these fits. Free
    sizes take any size, the same one wherever they occur.
    """
    if unify(dims, wanted, bound):
        return same
    if len(wanted) == 1 and len(dims) != 1:
        total = 1
        for size in dims:
            total *= size
        if unify([total], wanted, bound):
            return flat
    if len(wanted) == len(dims) + 1 and wanted[0] == 1 and unify(dims, wanted[1:], bound):
        return with_channel
    if len(dims) == len(wanted) + 1 and dims[0] == 1 and unify(dims[1:], wanted, bound):
        return without_channel
    return None


def unify(dims: Sequence[int], wanted: Sequence[Size], bound: Bound) -> bool:
    """Whether the sizes agree; if so, ``bound`` says what the free ones are."""
    if len(dims) != len(wanted):
        return False
    trial = dict(bound)
    for size, want in zip(dims, wanted, strict=True):
        for name in symbols(want):
            if want == symbol(name) and trial.setdefault(name, size) != size:
                return False
    for size, want in zip(dims, wanted, strict=True):
        if symbols(want) <= trial.keys() and evaluate(want, trial) != size:
            return False
    bound.update(trial)
    return True


def as_type(batch: Tensor, dtype: str, wants: str, shown: str) -> Adapter:
    """Into float32, int64 or bool. ``wants`` says who wants it: «the network's input x is int[T]».

    Bytes of two axes or more are pixels, from 0 to 1 once they are floats.
    """
    if batch.is_complex():
        raise mismatch(f"{wants}, and {shown} gives complex numbers")
    if dtype == "float":
        if batch.is_floating_point():
            need_finite(batch, shown)
        if batch.dtype == torch.uint8 and batch.ndim > 2:
            return from_pixels
        return to_float
    if not is_whole(batch):
        raise mismatch(f"{wants}, and {shown} gives real numbers such as {_example(batch):g}")
    least, most = int(batch.min()), int(batch.max())
    if dtype == "bool":
        if least < 0 or most > 1:
            raise mismatch(f"{wants}, and {shown} gives numbers from {least} to {most}")
        return to_bool
    if least < 0:
        raise mismatch(f"{wants}, and {shown} gives negative numbers such as {least}")
    return to_whole


@dataclass(frozen=True)
class LookedUp:
    """Whole numbers as they are, each of which a layer knows; ArchError where one is another."""

    name: str
    indices: Indices
    shown: str

    def __call__(self, batch: Tensor) -> Tensor:
        least, most = (int(bound) for bound in torch.aminmax(batch))
        if least < 0 or most >= self.indices.count:
            raise self._unknown(batch, most)
        return batch

    def _unknown(self, batch: Tensor, most: int) -> ArchError:
        count, layer = self.indices.count, self.indices.layer
        rows = batch.reshape(len(batch), -1)
        unknown = (rows < 0) | (rows >= count)
        lines = unknown.any(1).nonzero()[:, 0]
        first = int(lines[0])
        where = f": in {len(lines)} of {len(batch)} samples, the first is sample {first}"
        help = f"give {layer} a vocabulary of {most + 1} or more"
        return mismatch(
            f"the network's input {self.name} takes indices from 0 to {count - 1}, and"
            f" {self.shown} gives {int(rows[first][unknown[first]][0])}"
            + (where if len(batch) > 1 else ""),
            notes=(f"they go to {layer}, which knows {count}",),
            help=help if most >= count else "count the indices from 0",
        )


def need_finite(batch: Tensor, shown: str) -> None:
    """No gap and no infinity: one of them makes every weight NaN."""
    bad = ~torch.isfinite(batch).reshape(len(batch), -1).all(1)
    if bad.any():
        index = int(bad.nonzero()[0, 0])
        raise bad_data(
            f"{shown} holds NaN or infinity: in {int(bad.sum())} of {len(batch)} samples, the first"
            f" is sample {index}",
            help="fill the gaps, or leave these samples out",
        )


def is_whole(batch: Tensor) -> bool:
    """Whether all numbers are whole, of whatever type."""
    if not batch.is_floating_point():
        return not batch.is_complex()
    return bool(torch.isfinite(batch).all() and (batch == batch.round()).all())


def _example(batch: Tensor) -> float:
    """A number that is not whole."""
    values = batch.reshape(-1)
    return float(values[(values != values.round()).nonzero()[0, 0]])
