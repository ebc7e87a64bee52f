"""Fits samples to a network: shapes and types as people expect them, and no more than that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from archdsl.dims import Size, show_shape
from archdsl.ops.op import Tensor as Type
from archdsl.training.data.request import Request, bad_data, listed, mismatch
from archdsl.training.data.samples import Columns, InMemory, OneByOne, Samples, Store
from archdsl.training.data.targets import fit_target
from archdsl.training.data.values import Adapter, Bound, Then, as_type, reshaping


def fit(samples: Samples, request: Request) -> Samples:
    """The same samples as the network takes them; ArchError, ``data-mismatch``, where it cannot."""
    return replace(samples, store=adapted(samples.store, *adapters(samples, request)))


def adapters(samples: Samples, request: Request) -> tuple[list[Adapter], list[Adapter]]:
    """What makes the network's inputs and the loss's targets of the samples' columns."""
    inputs, targets = _first(samples)
    _need_as_many(samples, inputs, targets, request)
    bound: Bound = {}
    into_inputs = [
        fit_input(name, type, x, samples, bound)
        for (name, type), x in zip(request.inputs.items(), inputs, strict=True)
    ]
    classes = samples.classes or ((),) * len(targets)
    into_targets = [
        fit_target(name, wanted, y, named, samples.shown, bound)
        for (name, wanted), y, named in zip(request.targets.items(), targets, classes, strict=True)
    ]
    return into_inputs, into_targets


def _first(samples: Samples) -> tuple[Columns, Columns]:
    """A batch to look at: all of it, where it is in memory anyway, else the first sample."""
    if not len(samples.store):
        raise bad_data(f"{samples.shown} has no samples")
    if isinstance(samples.store, InMemory):
        inputs, targets = samples.store.inputs, samples.store.targets
    else:
        inputs, targets = samples.store.take(torch.tensor([0]))
    for batch in (*inputs, *targets):
        if not batch.numel():
            raise bad_data(f"{samples.shown} gives {show_shape(batch.shape[1:])}: nothing at all")
    return inputs, targets


def _need_as_many(samples: Samples, inputs: Columns, targets: Columns, request: Request) -> None:
    if len(inputs) != len(request.inputs):
        raise mismatch(
            f"the network has {_counted(request.inputs, 'input')}, and {samples.shown} gives"
            f" {len(inputs)}"
        )
    if len(targets) != len(request.targets):
        raise mismatch(
            f"the loss has {_counted(request.targets, 'target')}, and {samples.shown} gives"
            f" {len(targets)}"
        )


def _counted(names: Mapping[str, object], what: str) -> str:
    several = "" if len(names) == 1 else "s"
    return f"{len(names)} {what}{several}" + (f" ({listed(names)})" if names else "")


def fit_input(name: str, type: Type, batch: Tensor, samples: Samples, bound: Bound) -> Adapter:
    """How a column becomes the network's input."""
    dims = tuple(batch.shape[1:])
    reshape = reshaping(dims, type.dims, bound)
    if reshape is None:
        own = samples.fitted(type.dims)
        raise mismatch(
            f"the network's input {name} is {type}, and {samples.shown} gives {show_shape(dims)}",
            help=own or _flat(dims, type.dims),
        )
    convert = as_type(batch, type.dtype, f"the network's input {name} is {type}", samples.shown)
    return Then(convert, reshape)


def _flat(dims: Sequence[int], wanted: Sequence[Size]) -> str:
    if len(wanted) == 1 and len(dims) == 1:
        return f"declare the input as [{dims[0]}]"
    return ""


@dataclass(frozen=True)
class Adapted:
    """Reads a sample and fits it."""

    store: Store
    into_inputs: Sequence[Adapter]
    into_targets: Sequence[Adapter]

    def __call__(self, index: int) -> tuple[Columns, Columns]:
        inputs, targets = self.store.sample(index)
        return _each(inputs, self.into_inputs), _each(targets, self.into_targets)


def _each(columns: Columns, adapters: Sequence[Adapter]) -> Columns:
    """Adapters take batches: a sample is one of one."""
    return tuple(f(c.unsqueeze(0))[0] for f, c in zip(adapters, columns, strict=True))


def adapted(store: Store, into_inputs: Sequence[Adapter], into_targets: Sequence[Adapter]) -> Store:
    """The samples as the adapters make them: at once in memory, else as they are read."""
    if not isinstance(store, InMemory):
        return OneByOne(len(store), Adapted(store, into_inputs, into_targets))
    return InMemory(
        tuple(f(x) for f, x in zip(into_inputs, store.inputs, strict=True)),
        tuple(f(y) for f, y in zip(into_targets, store.targets, strict=True)),
    )
