"""Data that is ready for training: its parts, its classes, its scale, and what serves it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lightning.pytorch import LightningDataModule
from torch import Tensor

from archdsl.diagnostics import Diagnostic
from archdsl.techniques.data import DataSettings, DataSource
from archdsl.training.data.batches import EpochBatches
from archdsl.training.data.fitting import adapted
from archdsl.training.data.loaders import FittedLoader, Loader, Loaders, loader
from archdsl.training.data.samples import Columns, Parts, Skipped, Store
from archdsl.training.data.scaling import Scale
from archdsl.training.data.values import Adapter, same


@dataclass(frozen=True)
class Data:
    """Samples fitted to a network, split and measured.

    ``store`` holds them unscaled; ``scale`` and ``target_scale`` are by the names of inputs
    and targets, ``classes`` by those of targets. What a person serves alone is in ``ready``,
    and has no parts that could be looked at. ``source`` is what the language says of it,
    ``names`` are those of samples that are files, ``columns`` those of a table's inputs.
    """

    shown: str
    settings: DataSettings
    store: Store | None = None
    parts: Parts | None = None
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scale: Mapping[str, Scale] = field(default_factory=dict)
    target_scale: Mapping[str, Scale] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    ready: Loaders | LightningDataModule | None = None
    source: DataSource | None = None
    names: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """How many samples each part has."""
        if self.parts is None:
            return {}
        return {name: len(indices) for name, indices in vars(self.parts).items()}

    def samples(self, part: str) -> tuple[Columns, Columns]:
        """All inputs and targets of a part (``train``, ``validation``, ``test``), scaled."""
        if self.parts is None or self.store is None:
            raise ValueError(f"{self.shown} is served as it is, and has no parts to look at")
        indices: Tensor = getattr(self.parts, part)
        return self._scaled(self.store).take(indices)

    def loaders(self, rank: int = 0, world: int = 1, *, scaled: bool = True) -> Loaders:
        """What serves each part to one of so many processes.

        Without ``scaled`` inputs come as they are, for augmentation that wants values from 0
        to 1; the network then scales them itself. Targets are scaled in any case.
        """
        if isinstance(self.ready, LightningDataModule):
            raise ValueError("a LightningDataModule has loaders of its own")
        if self.ready is not None:
            for part in vars(self.ready).values():
                if isinstance(part, FittedLoader):
                    part.need_shared(world)
            return self.ready
        assert self.store is not None
        assert self.parts is not None
        store = self._scaled(self.store, inputs=scaled)
        made = {
            name: self._loader(store, indices, name == "train", rank, world)
            for name, indices in vars(self.parts).items()
        }
        return Loaders(**made)

    def _loader(
        self, store: Store, indices: Tensor, training: bool, rank: int, world: int
    ) -> Loader | None:
        if not len(indices):
            return None
        settings = self.settings
        batches = EpochBatches(
            indices,
            settings.batch_size,
            seed=settings.seed,
            training=training,
            drop_last=settings.drop_last,
            rank=rank,
            world=world,
        )
        return loader(store, batches, settings.workers)

    def _scaled(self, store: Store, *, inputs: bool = True) -> Store:
        into_inputs = _adapters(self.inputs, self.scale if inputs else {})
        into_targets = _adapters(self.targets, self.target_scale)
        if all(f is same for f in (*into_inputs, *into_targets)):
            return store
        return adapted(store, into_inputs, into_targets)


def _adapters(names: Sequence[str], scales: Mapping[str, Scale]) -> list[Adapter]:
    return [scales[name].apply if name in scales else same for name in names]
