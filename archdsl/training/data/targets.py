"""Fits targets to a loss: classes as numbers or as one-hot vectors, values in their shape."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from archdsl.dims import show_shape
from archdsl.techniques.losses import Wanted
from archdsl.training.data.request import listed, mismatch
from archdsl.training.data.values import (
    Adapter,
    Bound,
    Then,
    as_type,
    is_whole,
    reshaping,
    same,
    to_whole,
    without_channel,
)


@dataclass(frozen=True)
class OneHot:
    """A vector with a 1 at the class, along axis 1."""

    count: int
    shown: str

    def __call__(self, batch: Tensor) -> Tensor:
        _need_in_range(self.count, batch, self.shown)
        return functional.one_hot(batch.long(), self.count).movedim(-1, 1).float()


@dataclass(frozen=True)
class Classes:
    """Classes as whole numbers, each of which has a score; ArchError where one has none."""

    count: int | None
    ignore: int
    shown: str

    def __call__(self, batch: Tensor) -> Tensor:
        _need_in_range(self.count, batch[batch != self.ignore], self.shown)
        return to_whole(batch)


def fit_target(
    name: str, wanted: Wanted, batch: Tensor, classes: tuple[str, ...], shown: str, bound: Bound
) -> Adapter:
    """How a column becomes a target; ``classes`` are the names of its classes, if it has any."""
    if wanted.type.dtype == "int":
        return _fit_classes(name, wanted, batch, classes, shown, bound)
    hot = _one_hot(wanted, batch, classes, shown, bound)
    if hot is not None and wanted.of_one_class:
        raise mismatch(
            f"the loss wants a yes or a no for each of {hot.count} outputs for {name}, and {shown}"
            " gives one class a sample",
            notes=("most of the answers are no: to say no to all would be of high accuracy",),
            help=f"write {wanted.of_one_class}: accuracy is then that of the classes",
        )
    if hot is not None:
        return hot
    if len(classes) > 2:
        raise mismatch(
            f"the loss wants {wanted.type} for {name}, and {shown} has {len(classes)} classes:"
            f" {listed(classes)}",
            help=f"give the network {len(classes)} outputs: linear({len(classes)}), with the loss"
            " cross_entropy",
        )
    wants = f"the loss wants {wanted.type} for {name}"
    reshape = _target_reshaping(wanted, batch, wants, shown, bound)
    convert = as_type(batch, wanted.type.dtype, wants, shown)
    if wanted.classes is not None:
        _need_shares(convert(batch), wanted.classes, wants, shown)
    return Then(convert, reshape)


def _need_shares(batch: Tensor, classes: int, wants: str, shown: str) -> None:
    """Real numbers that stand for classes, such as 0 and 1 for two, or shares between them."""
    least, most = float(batch.min()), float(batch.max())
    if least < 0 or most > classes - 1:
        raise mismatch(
            f"{wants}, from 0 to {classes - 1}, and {shown} gives {least if least < 0 else most:g}",
            help="count the classes from 0" if least >= 1 and most == classes else "",
        )


def _fit_classes(
    name: str, wanted: Wanted, batch: Tensor, classes: tuple[str, ...], shown: str, bound: Bound
) -> Adapter:
    wants = _wants_classes(name, wanted)
    if not is_whole(batch):
        raise mismatch(
            f"{wants}, and {shown} gives real numbers",
            help="for real numbers write the loss mse, or huber",
        )
    if not _as_many(wanted, classes):
        raise mismatch(
            f"the network gives {wanted.classes} scores, and {shown} has {len(classes)} classes:"
            f" {listed(classes)}",
            help=f"end the network with {len(classes)} scores: linear({len(classes)})",
        )
    squeeze: Adapter = same
    if batch.ndim == wanted.type.rank + 2 and batch.shape[1] == 1:
        squeeze, batch = without_channel, batch[:, 0]
    reshape = _target_reshaping(wanted, batch, wants, shown, bound)
    return Then(squeeze, Then(reshape, Classes(wanted.classes, wanted.ignore, shown)))


def _as_many(wanted: Wanted, classes: tuple[str, ...]) -> bool:
    """A score for each class; of a vocabulary, foretold at each place, some may never occur."""
    if wanted.classes is None or not classes:
        return True
    return len(classes) == wanted.classes or (
        wanted.type.rank > 0 and len(classes) < wanted.classes
    )


def _wants_classes(name: str, wanted: Wanted) -> str:
    where = f" at each place of {wanted.type}" if wanted.type.rank else ""
    if wanted.classes is None:
        return f"the loss wants whole numbers{where} for {name}"
    return f"the loss wants a class from 0 to {wanted.classes - 1}{where} for {name}"


def _target_reshaping(
    wanted: Wanted, batch: Tensor, wants: str, shown: str, bound: Bound
) -> Adapter:
    dims = tuple(batch.shape[1:])
    reshape = reshaping(dims, wanted.type.dims, bound)
    if reshape is None and dims == (1,) and not wanted.type.rank:
        return without_channel
    if reshape is None:
        raise mismatch(f"{wants}, and {shown} gives {show_shape(dims) if dims else 'one number'}")
    return reshape


def _need_in_range(classes: int | None, batch: Tensor, shown: str) -> None:
    if classes is None or not batch.numel():
        return
    least, most = int(batch.min()), int(batch.max())
    if least >= 0 and most < classes:
        return
    found = least if least < 0 else most
    help = "count the classes from 0" if least >= 1 and most == classes else ""
    if batch.is_floating_point():
        help = "for real numbers write the loss mse, or huber"
    raise mismatch(
        f"the network gives {classes} scores, for classes 0 to {classes - 1}, and {shown} has the"
        f" class {found}",
        help=help,
    )


def _one_hot(
    wanted: Wanted, batch: Tensor, classes: tuple[str, ...], shown: str, bound: Bound
) -> OneHot | None:
    """Classes against an output for each of them: a vector with a 1 at the class."""
    dims, type = tuple(batch.shape[1:]), wanted.type
    count = type.dims[0] if type.rank == len(dims) + 1 else None
    pixels = batch.dtype == torch.uint8 and batch.ndim > 2
    labels = bool(classes) or not (batch.is_floating_point() or pixels)
    if not isinstance(count, int) or count < 2 or not labels:
        return None
    if classes and len(classes) != count:
        raise mismatch(
            f"the network gives {count} outputs, and {shown} has {len(classes)} classes:"
            f" {listed(classes)}",
            help=f"end the network with {len(classes)} outputs: linear({len(classes)})",
        )
    if reshaping(dims, type.dims[1:], bound) is None:
        return None
    return OneHot(count, shown)
