"""Arrays of NumPy in one file, found by the names of inputs and targets."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from archdsl.diagnostics import ArchError, suggest
from archdsl.techniques.data import Npz
from archdsl.training.data.places import find_file
from archdsl.training.data.request import Request, bad_data, described, listed, mismatch
from archdsl.training.data.samples import InMemory, Parts, Samples

LARGEST = 2**36  # bytes once unpacked; what says that it is more is no data for one machine
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Archive:
    """The arrays of a file, each read when it is asked for."""

    file: str
    place: Path
    names: tuple[str, ...]

    def read(self, name: str) -> Tensor:
        try:
            with np.load(self.place, allow_pickle=False) as arrays:
                array = arrays[name]
        except _BROKEN as problem:
            if "pickle" in str(problem):
                raise bad_data(
                    f"the array {name} of {self.file} holds Python objects, which are never"
                    " unpickled",
                    help="save numbers: x.astype(float)",
                ) from None
            raise self._damaged(name) from None
        if not isinstance(array, np.ndarray):
            raise self._damaged(name)  # numpy gives the bytes of what it does not know
        return as_tensor(array, f"the array {name} of {self.file}")

    def _damaged(self, name: str) -> ArchError:
        return bad_data(f"the array {name} of {self.file} is damaged")


_BROKEN = (
    ValueError,
    OSError,
    EOFError,
    zipfile.BadZipFile,
    KeyError,
    SyntaxError,
    MemoryError,
    RuntimeError,
    NotImplementedError,
)


def open_npz(source: Npz, request: Request) -> Samples:
    """Arrays by the names that are given, else by those of the network, else ``x`` and ``y``."""
    archive = _archive(source, request)
    if source.targets and not request.targets and not request.prediction:
        raise mismatch(
            f"the loss needs no target, and {source.shown} names {listed(source.targets)}",
            help="leave the targets out",
        )
    inputs = _chosen(archive, source.inputs, list(request.inputs), "x", "input")
    targets = _chosen(archive, source.targets, list(request.targets), "y", "target")
    return _samples(source.shown, archive, inputs, targets)


def _archive(source: Npz, request: Request) -> Archive:
    place = find_file(request, source.file)
    try:
        with zipfile.ZipFile(place) as arrays:
            size = sum(entry.file_size for entry in arrays.infolist())
            names = tuple(n.removesuffix(".npy") for n in arrays.namelist() if n.endswith(".npy"))
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        raise bad_data(
            f"{source.file} is no .npz file", help="write it with numpy.savez(path, x=x, y=y)"
        ) from None
    if size > LARGEST:
        raise bad_data(f"{source.file} holds {size / 2**30:,.0f} GiB, too much for the memory")
    if not names:
        raise bad_data(f"{source.file} holds no arrays")
    return Archive(source.file, place, names)


def _chosen(
    archive: Archive, given: Sequence[str], wanted: Sequence[str], usual: str, what: str
) -> list[str]:
    """The array of each input or target."""
    if given and wanted and len(given) != len(wanted):
        owner = "network" if what == "input" else "loss"
        raise mismatch(
            f"the {owner} has {len(wanted)} {what}{'s' * (len(wanted) != 1)} ({listed(wanted)}),"
            f" and {len(given)} arrays are named: {listed(given)}"
        )
    found = []
    for index, name in enumerate(wanted):
        array = given[index] if given else name
        if not given and len(wanted) == 1 and not _has(archive, name):
            array = usual
        if not _has(archive, array):
            near = suggest(given[index] if given else name, archive.names)
            called = f"{array}" if given or array == name else f"{name}, nor {array}"
            raise mismatch(
                f"{archive.file} has no array {called}, for {described(what, name)}",
                notes=[f"its arrays are {listed(archive.names)}"],
                help=f"did you mean {near}?" if near else f'say which: {what}s = "…"',
            )
        found.append(array)
    return found


def _has(archive: Archive, name: str) -> bool:
    return name in archive.names or f"{name}_train" in archive.names


def _samples(
    shown: str, archive: Archive, inputs: Sequence[str], targets: Sequence[str]
) -> Samples:
    """One array a column, or those of its parts one after the other."""
    first = inputs[0]
    if first in archive.names:
        columns = {name: archive.read(name) for name in (*inputs, *targets)}
        need_alike(columns, shown)
        counts = None
    else:
        present = [part for part in PARTS if f"{first}_{part}" in archive.names]
        by_part: list[Mapping[str, Tensor]] = []
        for part in present:
            for name in (*inputs, *targets):
                if f"{name}_{part}" not in archive.names:
                    raise mismatch(f"{archive.file} has {first}_{part}, and no {name}_{part}")
            by_part.append({n: archive.read(f"{n}_{part}") for n in (*inputs, *targets)})
            need_alike(by_part[-1], shown)
        columns = {name: _joined(name, by_part, shown) for name in (*inputs, *targets)}
        counts = {p: len(c[first]) for p, c in zip(present, by_part, strict=True)}
    store = InMemory(tuple(columns[n] for n in inputs), tuple(columns[n] for n in targets))
    return Samples(
        shown, store, parts=None if counts is None else _parts(counts), strata=labels(store)
    )


def _joined(name: str, by_part: Sequence[Mapping[str, Tensor]], shown: str) -> Tensor:
    arrays = [columns[name] for columns in by_part]
    for array in arrays:
        if array.shape[1:] != arrays[0].shape[1:] or array.dtype != arrays[0].dtype:
            raise bad_data(f"the parts of {name} in {shown} differ in their shapes or types")
    return torch.cat(arrays)


def _parts(counts: Mapping[str, int]) -> Parts:
    ends, begin = {}, 0
    for part in PARTS:
        ends[part] = torch.arange(begin, begin + counts.get(part, 0))
        begin += counts.get(part, 0)
    return Parts(ends["train"], ends["val"], ends["test"])


def as_tensor(array: npt.NDArray[Any], shown: str) -> Tensor:
    """An array of numbers as a tensor; ArchError, ``bad-data``, for what holds no numbers."""
    if array.dtype.kind not in "biuf":
        raise bad_data(f"{shown} holds {array.dtype}, and no numbers")
    if array.ndim == 0:
        raise bad_data(f"{shown} is a single number: samples lie along the first axis")
    if array.dtype.kind == "u" and array.dtype.itemsize > 1:
        array = array.astype(np.int64)  # torch computes with few of these
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    return torch.from_numpy(np.array(array, dtype=array.dtype.newbyteorder("="), order="C"))


def need_alike(columns: Mapping[str, Tensor], shown: str) -> None:
    """As many samples of everything."""
    counts = {name: len(column) for name, column in columns.items()}
    if len(set(counts.values())) > 1:
        each = ", ".join(f"{count} of {name}" for name, count in counts.items())
        raise bad_data(f"{shown} has not as many samples of everything: {each}")


def labels(store: InMemory) -> Tensor | None:
    """What may be classes: the first target that is one whole number a sample."""
    for target in store.targets:
        if target.ndim == 1 and not target.is_floating_point():
            return target.long()
    return None
