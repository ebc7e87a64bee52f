"""What a person hands over in Python: tensors, arrays, Datasets, DataLoaders."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import ConcatDataset, DataLoader, Dataset, IterableDataset, TensorDataset

from archdsl.diagnostics import suggest
from archdsl.training.data.arrays import as_tensor, labels, need_alike
from archdsl.training.data.request import Request, bad_data, described, listed, mismatch
from archdsl.training.data.samples import Columns, InMemory, OneByOne, Parts, Samples

_TAKEN = (
    "tensors or arrays (x, y), a dict of them by name, a Dataset, a DataLoader, (training,"
    " validation) or (training, validation, test) of one of these two, or a LightningDataModule"
)
_PAIR = "give (x, y)"


def loaders_in(source: object) -> list[Iterable[Any]] | None:
    """The DataLoaders of training, validation and test, if that is what is given."""
    parts: list[Any] = list(source) if isinstance(source, (tuple, list)) else [source]
    kinds = (DataLoader, IterableDataset)
    if not 1 <= len(parts) <= 3 or not all(isinstance(part, kinds) for part in parts):
        return None
    return parts


def open_given(source: object, request: Request) -> Samples:
    """Samples of tensors, arrays or Datasets."""
    if isinstance(source, Mapping):
        return _of_names(source, request)
    if _is_dataset(source):
        return _of_dataset(source, request)
    if isinstance(source, (tuple, list)) and source and all(_is_dataset(p) for p in source):
        return _of_parts(source, request)
    return _of_tensors(source, request)


def _not_data(source: object) -> Any:
    return mismatch(
        f"data is given as {_TAKEN}, not as {type(source).__name__}",
    )


def _is_dataset(value: object) -> TypeGuard[Dataset[Any]]:
    return isinstance(value, Dataset) and not isinstance(value, IterableDataset)


# Tensors ----------------------------------------------------------------------------------


def _of_tensors(source: object, request: Request) -> Samples:
    """``(x, y)``, each a tensor, several, or a dict; ``x`` alone, where no target is needed."""
    if _is_array(source):
        x, y = source, None
    elif isinstance(source, (tuple, list)) and len(source) == 2:
        x, y = source
    else:
        raise _not_data(source)
    if request.targets and y is None:
        raise mismatch(f"the loss needs {_wanted(request)}, and the data is x alone", help=_PAIR)
    inputs = _columns(x, "x", request.inputs)
    return _in_memory(inputs, _columns(y, "y", request.targets) if request.targets else (), request)


def _wanted(request: Request) -> str:
    """The targets of the loss, as a message calls them."""
    if len(request.targets) > 1:
        return f"the targets {listed(request.targets)}"
    return "a target" if "target" in request.targets else described("target", *request.targets)


def _in_memory(inputs: Columns, targets: Columns, request: Request) -> Samples:
    columns = {
        **_named(inputs, request.inputs, "x"),
        **_named(targets, request.targets, "y"),
    }
    need_alike(columns, "the data")
    store = InMemory(inputs, targets)
    return Samples("the data", store, strata=labels(store))


def _named(columns: Columns, names: Collection[str], called: str) -> dict[str, Tensor]:
    """Columns by the names that the network and the loss have for them; else as they were given."""
    if len(columns) == len(names):
        return dict(zip(names, columns, strict=True))
    return {f"{called}{i}": column for i, column in enumerate(columns)}


def _of_names(source: Mapping[Any, object], request: Request) -> Samples:
    """Arrays by the names of inputs and targets, or ``x`` and ``y`` where there is one of each."""
    inputs = _by_name(source, request.inputs, "x", "input")
    return _in_memory(inputs, _by_name(source, request.targets, "y", "target"), request)


def _by_name(
    source: Mapping[Any, object], names: Collection[str], usual: str, what: str
) -> Columns:
    return tuple(
        _column(source[_key(source, name, usual if len(names) == 1 else name, what)], name)
        for name in names
    )


def _key(source: Mapping[Any, object], name: str, usual: str, what: str) -> str:
    """Under what a mapping has an input or a target."""
    found = next((key for key in (name, usual) if key in source), None)
    if found is None:
        called = name if usual == name else f"{name}, nor {usual}"
        known = [str(key) for key in source]
        near = suggest(name, known)
        raise mismatch(
            f"the data has no {called}, for {described(what, name)}",
            notes=(f"it has {listed(known)}" if known else "it is empty",),
            help=f"did you mean {near}?" if near else "",
        )
    return found


def _is_array(value: object) -> bool:
    return isinstance(value, (Tensor, np.ndarray))


def _columns(value: object, name: str, names: Collection[str]) -> Columns:
    if isinstance(value, Mapping):
        return _by_name(value, names, name, "target" if name == "y" else "input")
    several = isinstance(value, (tuple, list)) and len(names) > 1
    items: Sequence[object] = list(value) if several and isinstance(value, Sequence) else [value]
    return tuple(_column(item, name) for item in items)


def _column(value: object, name: str) -> Tensor:
    if isinstance(value, Tensor):
        if not value.ndim:
            raise bad_data(f"{name} is a single number: samples lie along the first axis")
        return value.detach().cpu()
    if not isinstance(value, (np.ndarray, list, tuple)):
        raise mismatch(f"{name} is a {type(value).__name__}, and no tensor or array")
    try:
        array = np.asarray(value)
    except ValueError:
        raise bad_data(f"{name} is ragged: its rows are of different lengths") from None
    return as_tensor(array, name)


# Datasets ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _ReadDataset:
    """Samples of a Dataset as tensors, inputs and targets apart."""

    dataset: Dataset[Any]
    inputs: int
    targets: int

    def __call__(self, index: int) -> tuple[Columns, Columns]:
        shown = f"sample {index} of the Dataset"
        return _pair(self.dataset[index], self.inputs, self.targets, shown)


def batch_columns(batch: object, inputs: int, targets: int) -> tuple[Columns, Columns]:
    """Inputs and targets of a batch that a DataLoader gives."""
    return _pair(batch, inputs, targets, "a batch of the DataLoader")


def _pair(sample: Any, inputs: int, targets: int, shown: str) -> tuple[Columns, Columns]:
    """``(x, y)``; where no target is needed ``y`` is left alone, or may be missing."""
    alone = _is_array(sample)
    if not alone and (not isinstance(sample, (tuple, list)) or not sample):
        raise mismatch(f"{shown} is a {type(sample).__name__}, and should be (x, y)")
    x = sample if alone else sample[0]
    y = None if alone or len(sample) < 2 else sample[1]
    if targets and y is None:
        raise mismatch(f"{shown} has no target, and the loss needs one")
    return _values(x, inputs, f"x of {shown}"), _values(y, targets, f"y of {shown}")


def _values(value: object, count: int, shown: str) -> Columns:
    if count == 0:
        return ()
    several = isinstance(value, (tuple, list)) and count > 1
    items = list(value) if several and isinstance(value, Sequence) else [value]
    return tuple(_value(item, shown) for item in items)


def _value(value: object, shown: str) -> Tensor:
    if isinstance(value, Tensor):
        return value
    if isinstance(value, (bool, int, float, np.ndarray, np.generic)):
        array = np.asarray(value)
        if array.dtype.kind in "biuf":
            return as_tensor(array[None], shown)[0]
    raise mismatch(
        f"{shown} is a {type(value).__name__}, and no tensor or number",
        help="give the Dataset a transform that makes tensors: torchvision.transforms.ToTensor()",
    )


def _of_dataset(dataset: Dataset[Any], request: Request) -> Samples:
    count = _count(dataset)
    if isinstance(dataset, TensorDataset):
        tensors = dataset.tensors
        inputs, rest = tensors[: len(request.inputs)], tensors[len(request.inputs) :]
        store = InMemory(tuple(inputs), tuple(rest[: len(request.targets)]))
        return Samples("the Dataset", store, strata=labels(store))
    read = _ReadDataset(dataset, len(request.inputs), len(request.targets))
    return Samples("the Dataset", OneByOne(count, read), strata=_labels_of(dataset, count))


def _count(dataset: Dataset[Any]) -> int:
    try:
        return len(dataset)  # type: ignore[arg-type]  # torch's Dataset does not promise a length
    except TypeError:
        raise mismatch(
            f"the Dataset {type(dataset).__name__} has no length, and cannot be split",
            help="give it __len__, or give a DataLoader for each part",
        ) from None


def _labels_of(dataset: Dataset[Any], count: int) -> Tensor | None:
    """The classes that torchvision's Datasets keep apart, so that no image need be read."""
    for name in ("targets", "labels"):
        known = getattr(dataset, name, None)
        if isinstance(known, (list, np.ndarray, Tensor)) and len(known) == count:
            array = np.asarray(known)
            if array.ndim == 1 and array.dtype.kind in "iu":
                return torch.from_numpy(array.astype(np.int64))
    return None


def _of_parts(parts: Sequence[Dataset[Any]], request: Request) -> Samples:
    """A Dataset for each part: together they are one, with its parts known."""
    if len(parts) > 3:
        raise mismatch(f"there are training, validation and test, and {len(parts)} Datasets")
    ends = [0]
    for part in parts:
        ends.append(ends[-1] + _count(part))
    ranges = [torch.arange(a, b) for a, b in itertools.pairwise(ends)]
    ranges += [torch.arange(0)] * (3 - len(ranges))
    if all(isinstance(part, TensorDataset) for part in parts):
        opened = [_of_dataset(part, request).store for part in parts]
        store = _joined([s for s in opened if isinstance(s, InMemory)])
        return Samples("the Dataset", store, parts=Parts(*ranges), strata=labels(store))
    read = _ReadDataset(ConcatDataset(parts), len(request.inputs), len(request.targets))
    return Samples("the Dataset", OneByOne(ends[-1], read), parts=Parts(*ranges))


def _joined(stores: Sequence[InMemory]) -> InMemory:
    try:
        inputs = tuple(torch.cat(x) for x in zip(*(s.inputs for s in stores), strict=True))
        targets = tuple(torch.cat(y) for y in zip(*(s.targets for s in stores), strict=True))
    except (RuntimeError, ValueError):
        raise bad_data("the Datasets of the parts differ in their shapes") from None
    return InMemory(inputs, targets)
