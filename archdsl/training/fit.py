"""One run: a network, a recipe and data become a trained network and a folder of results."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from lightning.pytorch import LightningDataModule, LightningModule, Trainer
from torch import nn

from archdsl.recipes import Recipe
from archdsl.recipes.showing import settings_of
from archdsl.techniques.clipping import ByNorm, ByValue
from archdsl.training.averaging import apply_average, averaging_callbacks, moves_batch_norms
from archdsl.training.batch_norms import reestimate_batch_norms
from archdsl.training.data import Data
from archdsl.training.data.loaders import loaders_of
from archdsl.training.generated import training_module
from archdsl.training.lone import lone_samples_refused
from archdsl.training.lookups import unknown_indices_refused
from archdsl.training.origin import Origin
from archdsl.training.predicting import Predictions, predict_source
from archdsl.training.quiet import quiet_libraries
from archdsl.training.results import SPECIFICATION, ResultsFolder, open_results, process_rank
from archdsl.training.resuming import check_epochs
from archdsl.training.seeds import seed_generators
from archdsl.training.stopping import best_epoch, monitored, stopping_callbacks
from archdsl.training.trainer import RunSettings, evaluate, fit, make_trainer


@dataclass(frozen=True)
class Machine:
    """Where and how a run is made: what does not change what is computed."""

    devices: int = 1
    nodes: int = 1
    strategy: Literal["auto", "ddp", "fsdp"] = "auto"
    accelerator: str = "auto"
    folder: Path | None = None
    resume: bool = False
    overwrite: bool = False
    progress: bool | None = None
    origin: Origin = field(default_factory=Origin)
    initialize: bool = True
    """Whether networks begin as the recipe initializes them: not where they were given weights."""


@dataclass(frozen=True)
class Outcome:
    """What came of a run.

    ``test`` holds the loss and the metrics of the test part, ``rows`` what was logged at every
    epoch. The network is the one that was given, trained; an ensemble and folds train others of
    its kind, and the network is the ensemble, or the last fold's.
    """

    network: nn.Module
    recipe: Recipe
    test: Mapping[str, float] = field(default_factory=dict)
    rows: tuple[Mapping[str, float], ...] = ()
    folder: Path | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    """What more there is to tell: the members of an ensemble, the folds."""
    data: Data | None = None
    """What it was trained on."""
    best_epoch: int | None = None
    """The epoch, counted from 1, whose weights these are, where they are not the last one's."""

    def predict(self, source: object, *, monte_carlo: int | None = None) -> dict[str, Predictions]:
        """What the network says of other data, by the names of its outputs.

        ``source`` is as ``fit`` takes it, without targets: tensors, arrays, ``'npz("new.npz")'``.
        Inputs are scaled as in training. ``monte_carlo`` is how many passes are made with dropout
        at work. Raises ArchError.
        """
        known = self.data if self.data is not None else Data("nothing", self.recipe.data_settings())
        return predict_source(self.network, self.recipe, source, known, monte_carlo).outputs

    def __str__(self) -> str:
        shown = ", ".join(f"{name} {value:.4g}" for name, value in self.test.items())
        return f"{self.recipe.network} after {len(self.rows)} epochs: {shown or 'no test'}"

    def __repr__(self) -> str:
        return f"<Outcome: {self}>"


Fresh = Callable[[], nn.Module]
"""Makes one more network of the same kind, newly initialized."""


def train_one(recipe: Recipe, network: nn.Module, data: Data, machine: Machine) -> Outcome:
    """Train one network, test it, and write what came of it where the machine has a folder.

    :class:`Interrupted` where a person breaks it off, ArchError where it cannot be done.
    """
    with quiet_libraries():
        module = training_module(recipe, network)
    folder = ResultsFolder(machine.folder) if machine.folder else None
    resume = folder.last if folder and machine.resume and folder.last.exists() else None
    # what is averaged is what is validated, and what the best is taken of
    callbacks = [*averaging_callbacks(recipe), *stopping_callbacks(recipe)]
    with _left_whole(module):
        trainer = make_trainer(run_settings(recipe, machine), callbacks=callbacks)
        served = served_by(data, machine)
        if recipe.initialize and resume is None and machine.initialize:
            seed_generators(recipe.seed, "initialize")
            initialize: Callable[[], None] = getattr(module, "initialize")  # noqa: B009 - it is generated
            initialize()
        with lone_samples_refused(), unknown_indices_refused():
            journal = fit(trainer, module, served.train, served.validation, resume=resume)
    network = apply_average(recipe, module, trainer)
    if moves_batch_norms(recipe):
        device = trainer.strategy.root_device
        reestimate_batch_norms(network, served.train, recipe.seed, device)
    test = test_module(trainer, module, served.test)
    rows, best = tuple(journal.rows), best_epoch(callbacks)
    outcome = Outcome(network, recipe, test, rows, machine.folder, data=data, best_epoch=best)
    network.eval()
    if folder is not None and trainer.is_global_zero:
        write_outcome(folder, outcome, data, machine.origin)
    return outcome


@contextmanager
def _left_whole(module: LightningModule) -> Iterator[None]:
    """Where a run ends early, the network is as one that was never trained so.

    Lightning calls ``teardown`` at the end of a run that comes to its end.
    """
    try:
        yield
    except BaseException:
        module.teardown("fit")
        raise


def test_module(trainer: Trainer, module: LightningModule, batches: Any) -> dict[str, float]:
    """The loss and the metrics of the test part, where there is one."""
    if batches is None:
        return {}
    with unknown_indices_refused():
        found = evaluate(trainer, module, batches)
    return {name.removeprefix("test_"): value for name, value in found.items()}


@dataclass(frozen=True)
class Served:
    """What serves each part."""

    train: Any
    validation: Any = None
    test: Any = None


def served_by(data: Data, machine: Machine) -> Served:
    if isinstance(data.ready, LightningDataModule):
        loaders = loaders_of(data.ready)
    else:
        rank = process_rank(machine.devices)
        loaders = data.loaders(rank, machine.devices * machine.nodes)
    return Served(loaders.train, loaders.validation, loaders.test)


def run_settings(recipe: Recipe, machine: Machine) -> RunSettings:
    monitor, mode = monitored(recipe)
    return RunSettings(
        epochs=recipe.epochs,
        seed=recipe.seed,
        devices=machine.devices,
        nodes=machine.nodes,
        strategy=machine.strategy,
        unused_parameters=len(recipe.freeze) > 1 or bool(recipe.untaught),
        accelerator=machine.accelerator,
        precision="32-true" if recipe.precision == "32" else recipe.precision,
        accumulate=recipe.accumulate,
        clip_norm=recipe.clip.limit if isinstance(recipe.clip, ByNorm) else None,
        clip_value=recipe.clip.limit if isinstance(recipe.clip, ByValue) else None,
        folder=machine.folder,
        monitor=monitor,
        mode=mode,
        metrics=tuple(measured.name for measured in recipe.metrics),
        progress=machine.progress,
    )


def write_outcome(folder: ResultsFolder, outcome: Outcome, data: Data, origin: Origin) -> None:
    """The weights, the result and the curves."""
    folder.write_weights(
        outcome.network.state_dict(),
        weights_metadata(outcome.recipe, data, origin.as_dict(folder.path)),
    )
    folder.write_result(result_of(outcome))
    folder.write_curves(outcome.rows, [m.name for m in outcome.recipe.metrics])


def weights_metadata(recipe: Recipe, data: Data, origin: Mapping[str, Any]) -> dict[str, Any]:
    """What must travel with weights: how inputs were scaled, and what classes are called."""
    return {
        "network": recipe.network,
        "origin": origin,
        "fold": data.settings.fold,
        "scale": {name: scale.as_dict() for name, scale in data.scale.items()},
        "target_scale": {name: scale.as_dict() for name, scale in data.target_scale.items()},
        "classes": {name: list(classes) for name, classes in data.classes.items()},
        "columns": list(data.columns),
    }


def result_of(outcome: Outcome) -> dict[str, Any]:
    """What is told of a run in ``result.json``."""
    several = outcome.recipe.ensemble is not None or outcome.recipe.folds is not None
    last = _row_of_weights(outcome) if not several else {}
    parts: dict[str, dict[str, float]] = {"train": {}, "val": {}}
    for name, value in last.items():
        stage, _, rest = name.partition("_")
        if stage in parts and math.isfinite(value):
            parts[stage][rest] = value
    shown = {stage: values for stage, values in parts.items() if values}
    if outcome.test:
        shown["test"] = dict(outcome.test)
    best = {} if outcome.best_epoch is None else {"best epoch": outcome.best_epoch}
    return {**shown, "epochs": len(outcome.rows), **best, **outcome.extra}


def _row_of_weights(outcome: Outcome) -> Mapping[str, float]:
    """What was logged at the epoch whose weights the network has."""
    found = [row for row in outcome.rows if row.get("epoch") == outcome.best_epoch]
    return (found or outcome.rows or [{}])[-1]


def open_folder(recipe: Recipe, machine: Machine, origin: Origin) -> None:
    """Make the results folder ready; ArchError where it cannot be, or holds another run."""
    if machine.folder is None:
        return
    if machine.resume:
        check_epochs(recipe, ResultsFolder(machine.folder))
    # what is set of the network is a setting of the run, too
    parameters = {"parameters": list(origin.parameters)} if origin.parameters else {}
    open_results(
        machine.folder,
        origin.files.get(SPECIFICATION, ""),
        {**settings_of(recipe), **parameters},
        resume=machine.resume,
        overwrite=machine.overwrite,
        imports={name: text for name, text in origin.files.items() if name != SPECIFICATION},
    )
