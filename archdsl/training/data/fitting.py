"""Fits samples to a network: shapes and types as people expect them, and no more than that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from archdsl.diagnostics import ArchError
from archdsl.dims import Size, show_shape
from archdsl.ops.op import Tensor as Type
from archdsl.recipes.demands import Indices
from archdsl.training.data.request import Request, bad_data, listed, mismatch
from archdsl.training.data.samples import Columns, InMemory, OneByOne, Samples, Store
from archdsl.training.data.sizes import need_sizes
from archdsl.training.data.targets import fit_target
from archdsl.training.data.values import Adapter, Bound, LookedUp, Then, as_type, reshaping


def fit(samples: Samples, request: Request) -> Samples:
    """The same samples as the network takes them; ArchError, ``data-mismatch``, where it cannot."""
    fitting = Fitting(samples, request)
    inputs, targets = fitting(*_first(samples))
    if isinstance(samples.store, InMemory):
        return replace(samples, store=InMemory(inputs, targets))
    return replace(samples, store=OneByOne(len(samples.store), Fitted(fitting)))


@dataclass(frozen=True)
class Fitting:
    """Makes the network's inputs and the loss's targets of batches of the samples' columns.

    Shapes may change from batch to batch: what has not been seen before is looked at anew.
    """

    samples: Samples
    request: Request
    _known: dict[tuple[torch.Size, ...], tuple[list[Adapter], list[Adapter]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def __call__(self, inputs: Columns, targets: Columns) -> tuple[Columns, Columns]:
        """A batch fitted; ArchError for one that the network cannot take."""
        shapes = tuple(column.shape[1:] for column in (*inputs, *targets))
        if shapes not in self._known:
            batch = replace(self.samples, store=InMemory(inputs, targets))
            self._known[shapes] = adapters(batch, self.request)
        into_inputs, into_targets = self._known[shapes]
        return _of_all(inputs, into_inputs), _of_all(targets, into_targets)


@dataclass(frozen=True)
class Fitted:
    """Reads a sample and fits it."""

    fitting: Fitting

    def __call__(self, index: int) -> tuple[Columns, Columns]:
        sample = self.fitting.samples.store.sample(index)
        inputs, targets = (tuple(column.unsqueeze(0) for column in part) for part in sample)
        try:
            inputs, targets = self.fitting(inputs, targets)
        except ArchError as error:
            raise noted(error, f"in sample {index}") from None
        return tuple(x[0] for x in inputs), tuple(y[0] for y in targets)


def noted(error: ArchError, note: str) -> ArchError:
    """The same error, with a note of where in the data it is."""
    return ArchError([replace(d, notes=(*d.notes, note)) for d in error.diagnostics])


def adapters(samples: Samples, request: Request) -> tuple[list[Adapter], list[Adapter]]:
    """What makes the network's inputs and the loss's targets of the samples' columns."""
    inputs, targets = _first(samples)
    _need_as_many(samples, inputs, targets, request)
    bound: Bound = {}
    into_inputs = [
        fit_input(name, type, x, samples, bound, request.demands.indices.get(name))
        for (name, type), x in zip(request.inputs.items(), inputs, strict=True)
    ]
    need_sizes(bound, request, samples)
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


def fit_input(
    name: str, type: Type, batch: Tensor, samples: Samples, bound: Bound, indices: Indices | None
) -> Adapter:
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
    if indices is not None:
        convert = Then(convert, LookedUp(name, indices, samples.shown))
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
    return InMemory(_of_all(store.inputs, into_inputs), _of_all(store.targets, into_targets))


def _of_all(columns: Columns, adapters: Sequence[Adapter]) -> Columns:
    return tuple(f(column) for f, column in zip(adapters, columns, strict=True))
