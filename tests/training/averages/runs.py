"""What the tests of averages share: short runs of small networks on data made here."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

import archdsl
from archdsl.recipes import Recipe
from archdsl.training.averaging import apply_average, averaging_callbacks, network_in
from archdsl.training.generated import training_module
from archdsl.training.stopping import stopping_callbacks
from archdsl.training.trainer import RunSettings, fit, make_trainer
from tests.training.harness import recipe_of

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Loader:
    """Batches in their order: Lightning takes a list for several loaders."""

    batches: Sequence[Batch]

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        return iter(self.batches)


@dataclass
class Diary(Callback):
    """Writes down the weights as they are after every step, and at every epoch's end."""

    steps: list[dict[str, Tensor]] = field(default_factory=list)
    epochs: list[dict[str, Tensor]] = field(default_factory=list)
    validated: list[dict[str, Tensor]] = field(default_factory=list)
    rows: list[dict[str, float]] = field(default_factory=list)

    __hash__ = Callback.__hash__

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: Any) -> None:
        self.steps.append(weights_of(network_in(pl_module)))

    def on_validation_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int, *_: Any
    ) -> None:
        if batch_idx == 0:
            self.validated.append(weights_of(network_in(pl_module)))

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epochs.append(weights_of(network_in(pl_module)))


class BreakOff(Callback):
    """Ends a run early; schedules are drawn out over the whole of it before."""

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        trainer.fit_loop.max_epochs = self.epochs


@dataclass
class Run:
    """What came of a run."""

    network: nn.Module
    module: LightningModule
    trainer: Trainer
    diary: Diary
    rows: list[dict[str, float]]


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def same(
    first: dict[str, Tensor], second: dict[str, Tensor], rtol: float = 0.0, atol: float = 0.0
) -> bool:
    """Whether two states are equal, to the bit unless a tolerance is given."""
    if first.keys() != second.keys():
        return False
    pairs = [(first[name], second[name]) for name in first]
    if rtol or atol:
        return all(torch.allclose(a.double(), b.double(), rtol, atol) for a, b in pairs)
    return all(torch.equal(a, b) for a, b in pairs)


def network_of(text: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return archdsl.compile(archdsl.loads(text))


def run(
    text: str,
    train: Sequence[Batch],
    validation: Sequence[Batch] | None = None,
    *,
    recipe: Recipe | None = None,
    folder: Path | None = None,
    resume: Path | None = None,
    epochs: int | None = None,
    more: Sequence[Callback] = (),
) -> Run:
    """Train as the driver does. ``epochs`` breaks a run off before its recipe's end."""
    recipe = recipe_of(text) if recipe is None else recipe
    diary = Diary()
    module = training_module(recipe, network_of(text))
    averages, stops = averaging_callbacks(recipe), stopping_callbacks(recipe)
    ends = [] if epochs is None else [BreakOff(epochs)]
    settings = RunSettings(
        epochs=recipe.epochs,
        seed=recipe.seed,
        accumulate=recipe.accumulate,
        accelerator="cpu",
        folder=folder,
        progress=False,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        trainer = make_trainer(settings, callbacks=[diary, *averages, *more, *stops, *ends])
        validated = None if validation is None else Loader(validation)
        journal = fit(trainer, module, Loader(train), validated, resume=resume)
        network = apply_average(recipe, module, trainer)
    return Run(network, module, trainer, diary, journal.rows)


def batches(count: int, size: int, seed: int = 0, shape: tuple[int, ...] = (3,)) -> list[Batch]:
    """Random inputs with real targets that follow from them."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count * size, *shape, generator=generator)
    flat = inputs.flatten(1)
    targets = flat @ torch.linspace(-1, 1, flat.shape[1])[:, None] + 0.5
    targets = targets + 0.3 * torch.randn(targets.shape, generator=generator)
    return list(zip(torch.split(inputs, size), torch.split(targets, size), strict=True))


def classes(count: int, size: int, kinds: int = 3, seed: int = 0) -> list[Batch]:
    """Random inputs whose class follows from them."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randn(count * size, 4, generator=generator)
    targets = (inputs @ torch.randn(4, kinds, generator=generator)).argmax(1)
    return list(zip(torch.split(inputs, size), torch.split(targets, size), strict=True))
