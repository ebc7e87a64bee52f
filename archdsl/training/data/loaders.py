"""Loaders: of our own samples, and of those that a person brings."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from lightning.pytorch import LightningDataModule
from lightning.pytorch.utilities.model_helpers import is_overridden
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.data.batches import EpochBatches, InMemoryLoader
from archdsl.training.data.fitting import Fitting, noted
from archdsl.training.data.given import batch_columns
from archdsl.training.data.request import Request, mismatch
from archdsl.training.data.samples import Batch, Columns, InMemory, Samples, Store, packed, stacked

Loader: TypeAlias = Iterable[Batch]


@dataclass(frozen=True)
class Loaders:
    """What serves each part; None where there is none."""

    train: Loader | None
    validation: Loader | None = None
    test: Loader | None = None


def loaders_of(module: LightningDataModule) -> Loaders:
    """What a LightningDataModule serves. A part that it does not have, or has empty, is none."""
    module.prepare_data()
    module.setup("fit")
    module.setup("test")
    parts = (f"{stage}_dataloader" for stage in ("train", "val", "test"))
    return Loaders(*(getattr(module, p)() if is_overridden(p, module) else None for p in parts))


@dataclass(frozen=True)
class _Fault:
    """What was wrong with a sample: a worker's exception would come as a text and a traceback."""

    diagnostics: tuple[Diagnostic, ...]


class _AsDataset(Dataset[Any]):
    """Samples read one by one, for a DataLoader and its workers."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __len__(self) -> int:
        return len(self.store)

    def __getitem__(self, index: int) -> tuple[Columns, Columns] | _Fault:
        try:
            return self.store.sample(index)
        except ArchError as error:
            return _Fault(error.diagnostics)


def _together(samples: list[tuple[Columns, Columns] | _Fault]) -> Batch | _Fault:
    """A batch of samples, or what is wrong with one of them."""
    sound: list[tuple[Columns, Columns]] = []
    for sample in samples:
        if isinstance(sample, _Fault):
            return sample
        sound.append(sample)
    try:
        inputs, targets = stacked(sound)
    except ArchError as error:
        return _Fault(error.diagnostics)
    return packed(inputs), packed(targets)


class OneByOneLoader:
    """Batches of samples that are read when their turn comes, by torch's DataLoader."""

    def __init__(self, store: Store, batches: EpochBatches, workers: int) -> None:
        self.batches = batches
        self.loader = DataLoader(
            _AsDataset(store),
            batch_sampler=batches,
            num_workers=workers,
            collate_fn=_together,
            generator=batches.generator,
            pin_memory=torch.cuda.is_available(),
        )

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.loader:
            if isinstance(batch, _Fault):
                raise ArchError(batch.diagnostics)
            yield batch


def loader(store: Store, batches: EpochBatches, workers: int) -> Loader:
    """Batches of a part: by one indexing where samples are in memory, else one by one."""
    if isinstance(store, InMemory):
        return InMemoryLoader(store, batches)
    return OneByOneLoader(store, batches, workers)


class FittedLoader:
    """A person's own loader, its batches fitted to the network."""

    def __init__(self, loader: Iterable[Any], request: Request) -> None:
        if isinstance(loader, IterableDataset):
            loader = DataLoader(loader, batch_size=request.settings.batch_size)
        self.loader, self.request = loader, request
        self._fitting = Fitting(Samples("the DataLoader", InMemory((), ())), request)
        self._look_ahead()

    @property
    def sampler(self) -> Any:
        """What is told the epoch, and says whether processes share the data."""
        return getattr(self.loader, "sampler", None)

    @property
    def batch_sampler(self) -> Any:
        return getattr(self.loader, "batch_sampler", None)

    def __len__(self) -> int:
        # a loader of a stream has none: len() then raises what Python expects of it
        return len(self.loader)  # type: ignore[arg-type]

    def __iter__(self) -> Iterator[Batch]:
        return itertools.starmap(self._nth, enumerate(self.loader))

    def _look_ahead(self) -> None:
        """Say what does not fit before anything runs, where a sample can be had without loss."""
        data = getattr(self.loader, "dataset", None)
        if data is None or isinstance(data, IterableDataset) or not len(data):
            return
        if isinstance(self.loader, DataLoader) and self.loader.batch_size is not None:
            with torch.random.fork_rng(devices=[]):
                self._fit(self.loader.collate_fn([data[0]]))

    def _nth(self, number: int, batch: object) -> Batch:
        try:
            return self._fit(batch)
        except ArchError as error:
            raise noted(error, f"in its batch {number}") from None

    def _fit(self, batch: object) -> Batch:
        inputs, targets = self._fitting(
            *batch_columns(batch, len(self.request.inputs), len(self.request.targets))
        )
        return packed(inputs), packed(targets)

    def need_shared(self, world: int) -> None:
        """Each of several processes must get its own part of the data."""
        stream = isinstance(getattr(self.loader, "dataset", None), IterableDataset)
        if world > 1 and not stream and not isinstance(self.sampler, DistributedSampler):
            raise mismatch(
                f"the DataLoader gives each of {world} processes the same batches",
                help="give the Dataset instead, or a DataLoader with a DistributedSampler",
            )
