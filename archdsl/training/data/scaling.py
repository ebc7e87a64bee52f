"""Scales inputs by what the training part shows: each channel, or each feature, by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from archdsl.techniques.data import Normalize


@dataclass(frozen=True)
class Scale:
    """``(x - shift) / spread`` along an axis of a sample: 0 for channels, -1 for features.

    By ``standard`` they are mean and standard deviation, by ``unit`` the least value and the
    way from it to the largest. What never changes is only shifted.
    """

    shift: tuple[float, ...]
    spread: tuple[float, ...]
    axis: int

    def apply(self, batch: Tensor) -> Tensor:
        """A batch, scaled."""
        shift, spread = self._numbers(batch)
        return (batch - shift) / spread

    def undo(self, batch: Tensor) -> Tensor:
        """A scaled batch as it was: predictions in the units of the data."""
        shift, spread = self._numbers(batch)
        return batch * spread + shift

    def _numbers(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        shape = [1] * batch.ndim
        shape[self.axis + 1 if self.axis >= 0 else self.axis] = len(self.shift)
        numbers = torch.tensor([self.shift, self.spread], dtype=batch.dtype, device=batch.device)
        return numbers[0].reshape(shape), numbers[1].reshape(shape)

    def as_dict(self) -> dict[str, Any]:
        """Plain data, such as JSON writes."""
        return {"shift": list(self.shift), "spread": list(self.spread), "axis": self.axis}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Scale:
        """What ``as_dict`` gave."""
        return cls(
            tuple(map(float, data["shift"])), tuple(map(float, data["spread"])), int(data["axis"])
        )


def axis_of(dims: tuple[int | None, ...]) -> int:
    """The axis that is scaled number by number: the channels [C, H, W] or [C, L], else the last.

    ``dims`` has None for a size that differs from batch to batch.
    """
    return 0 if len(dims) > 1 and dims[0] is not None else -1


def measure(batches: Iterable[Tensor], axis: int, normalize: Normalize) -> Scale | None:
    """The scale that batches of samples ask for, added up in double precision."""
    count, mean, squares = 0, torch.zeros(()), torch.zeros(())
    least, most = torch.tensor(float("inf")), torch.tensor(-float("inf"))
    for batch in batches:
        values = batch.movedim(axis + 1 if axis >= 0 else axis, -1).double()
        values = values.reshape(-1, values.shape[-1])
        if not len(values):
            continue
        least, most = least.minimum(values.amin(0)), most.maximum(values.amax(0))
        # Chan, Golub and LeVeque, 1979: exact where mean and deviation are far apart
        own = values.mean(0)
        apart, total = own - mean, count + len(values)
        squares = squares + (values - own).square().sum(0)
        squares = squares + apart.square() * (count * len(values) / total)
        mean = mean + apart * (len(values) / total)
        count = total
    if not count or normalize == "none":
        return None
    if normalize == "unit":
        return _scale(least, most - least, axis)
    return _scale(mean, (squares / count).sqrt(), axis)


def _scale(shift: Tensor, spread: Tensor, axis: int) -> Scale:
    constant = spread <= 1e-10 * shift.abs()  # what rounding leaves of a constant, and 0 itself
    spread = torch.where(constant, torch.ones_like(spread), spread)
    return Scale(tuple(shift.tolist()), tuple(spread.tolist()), axis)
