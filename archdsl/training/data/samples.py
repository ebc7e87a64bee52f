"""What a source gives before it is fitted to a network: samples in memory, or read one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

import torch
from torch import Tensor

from archdsl.diagnostics import Diagnostic
from archdsl.dims import Size, show_shape
from archdsl.training.data.request import bad_data

Columns: TypeAlias = tuple[Tensor, ...]
"""The tensors of all inputs, or of all targets."""
Batch: TypeAlias = tuple[Tensor | Columns, Tensor | Columns]
"""Inputs and targets: one tensor each, or a tuple where there are several."""


class Store(Protocol):
    """Samples by index. ``sample`` has no batch axis, ``take`` has."""

    def __len__(self) -> int: ...

    def sample(self, index: int) -> tuple[Columns, Columns]: ...

    def take(self, indices: Tensor) -> tuple[Columns, Columns]: ...


@dataclass(frozen=True)
class InMemory:
    """Tensors with the samples along their first axis."""

    inputs: Columns
    targets: Columns

    def __len__(self) -> int:
        return len(self.inputs[0])

    def sample(self, index: int) -> tuple[Columns, Columns]:
        return tuple(x[index] for x in self.inputs), tuple(y[index] for y in self.targets)

    def take(self, indices: Tensor) -> tuple[Columns, Columns]:
        inputs = tuple(x.index_select(0, indices) for x in self.inputs)
        return inputs, tuple(y.index_select(0, indices) for y in self.targets)


@dataclass(frozen=True)
class OneByOne:
    """Samples that ``read`` gives when they are asked for."""

    count: int
    read: Callable[[int], tuple[Columns, Columns]]

    def __len__(self) -> int:
        return self.count

    def sample(self, index: int) -> tuple[Columns, Columns]:
        return self.read(index)

    def take(self, indices: Tensor) -> tuple[Columns, Columns]:
        return stacked([self.read(int(index)) for index in indices])


def stacked(samples: Sequence[tuple[Columns, Columns]]) -> tuple[Columns, Columns]:
    """Samples as a batch. ArchError, code ``bad-data``, where their shapes differ."""
    for columns in zip(*((*inputs, *targets) for inputs, targets in samples), strict=True):
        for column in columns:
            if column.shape != columns[0].shape:
                shapes = f"{show_shape(columns[0].shape)} and {show_shape(column.shape)}"
                raise bad_data(f"samples differ in their shapes: {shapes}")
    inputs = tuple(torch.stack(x) for x in zip(*(s[0] for s in samples), strict=True))
    targets = tuple(torch.stack(y) for y in zip(*(s[1] for s in samples), strict=True))
    return inputs, targets


@dataclass(frozen=True)
class Parts:
    """The indices of the samples of each part; empty where there is no such part."""

    train: Tensor
    validation: Tensor
    test: Tensor


@dataclass(frozen=True)
class Skipped:
    """A file that was left out."""

    path: str
    reason: str


def never(dims: Sequence[Size]) -> str:
    """What a source can be made to give, where it gives what it gives."""
    return ""


@dataclass(frozen=True)
class Samples:
    """Samples with what is known of them.

    ``classes`` names the classes of each target, ``()`` where they have no names. ``parts``
    are those that the source itself has. ``ordered`` samples follow one another and are not
    shuffled before they are split; ``strata`` are the classes that every part shall have.
    ``fitted`` writes the source so that it would give inputs of other sizes. ``names`` are
    those of the samples, ``columns`` those of a table's inputs; ``()`` where there are none.
    """

    shown: str
    store: Store
    classes: tuple[tuple[str, ...], ...] = ()
    parts: Parts | None = None
    ordered: bool = False
    strata: Tensor | None = None
    skipped: tuple[Skipped, ...] = ()
    fitted: Callable[[Sequence[Size]], str] = never
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


def packed(columns: Columns) -> Tensor | Columns:
    """One tensor as itself, several as a tuple."""
    return columns[0] if len(columns) == 1 else columns
