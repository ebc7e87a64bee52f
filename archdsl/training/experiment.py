"""A whole experiment: what is asked, checked; data opened; one network trained, or several."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.recipes import Recipe
from archdsl.recipes.changes import read_data
from archdsl.training.another import another
from archdsl.training.data import Data, open_data
from archdsl.training.ensembles import fit_ensemble
from archdsl.training.fit import (
    Fresh,
    Machine,
    Outcome,
    open_folder,
    run_settings,
    train_one,
)
from archdsl.training.folds import fit_folds
from archdsl.training.locking import alone_in
from archdsl.training.lone import without_lone_samples
from archdsl.training.machines import need_machine
from archdsl.training.results import ResultsFolder
from archdsl.training.seeds import seed_generators
from archdsl.training.trainer import check_machine
from archdsl.training.transfer import transfer_weights


def _say_nothing(text: str) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Experiment:
    """A recipe, what it is trained on, and where.

    ``data`` is a source of the language or what a person has in Python, ``None`` where the recipe
    names it. What the recipe names is relative to ``root``, and with ``inside`` its data stays
    there; what is given is relative to where the person stands.
    """

    recipe: Recipe
    data: object = None
    machine: Machine = field(default_factory=Machine)
    root: Path | None = None
    inside: bool = False
    weights: object = None
    """A network, a state_dict or a file to start from, in the place of the recipe's."""
    tell: Callable[[str], None] = _say_nothing
    """What is called with what a person should know: files left out, weights taken."""

    def open(self, fold: int = 0) -> Data:
        """The data, fitted to the network. Raises ArchError."""
        source = self.recipe.data if self.data is None else self.data
        if source is None:
            raise _no_data()
        return open_data(
            source,
            inputs=self.recipe.inputs,
            targets=self.recipe.targets,
            settings=self.recipe.data_settings(fold),
            root=self.root if self.data is None else None,
            inside=self.inside and self.data is None,
            demands=self.recipe.demands,
        )


def run(experiment: Experiment, fresh: Fresh, network: nn.Module | None = None) -> Outcome:
    """Train as an experiment says. ``network`` is trained where one is; else a fresh one.

    An ensemble and folds are of fresh ones, and leave the network as it is. Raises ArchError,
    before anything is written, for what can be known by then.
    """
    _check_folder(experiment.machine)
    recipe = experiment.recipe
    several = recipe.folds is not None or recipe.ensemble is not None
    weights = _weights(experiment)
    machine = replace(experiment.machine, initialize=weights is None)
    need_machine(
        devices=machine.devices,
        nodes=machine.nodes,
        strategy=machine.strategy,
        accelerator=machine.accelerator,
    )
    check_machine(run_settings(recipe, machine))
    tell = _once(experiment.tell)

    def one_of_them() -> nn.Module:
        return fresh() if network is None else deepcopy(network)

    def opened(fold: int = 0) -> Data:
        data = experiment.open(fold)
        for warning in data.warnings:
            tell(str(warning))
        return without_lone_samples(data, recipe.least_batch, machine.devices * machine.nodes, tell)

    def begun(network: nn.Module) -> nn.Module:
        if weights is not None:
            tell(str(transfer_weights(network, weights)))
        return network

    def make(seed: int) -> nn.Module:
        seed_generators(seed, "weights")
        return begun(fresh())

    data = opened()
    if not several:
        # what does not fit is said before a folder is made
        chosen = make(recipe.seed) if network is None else begun(network)
        with alone_in(machine.folder, resume=machine.resume):
            open_folder(recipe, machine, machine.origin)
            return train_one(recipe, chosen, data, machine)
    if weights is not None:
        begun(one_of_them())
    with alone_in(machine.folder, resume=machine.resume):
        open_folder(recipe, machine, machine.origin)
        if recipe.folds is not None:
            return fit_folds(recipe, make, opened, train_one, machine)
        return fit_ensemble(recipe, make, data, train_one, machine)


def _check_folder(machine: Machine) -> None:
    """What is asked of a folder needs one, and is one thing."""
    asked = [name for name in ("resume", "overwrite") if getattr(machine, name)]
    if len(asked) == 2:
        message = "a run is resumed or written over, not both"
        raise ArchError([Diagnostic("conflicting-arguments", message)])
    if asked and machine.folder is None:
        message = f"{asked[0]} needs the folder of a run"
        raise ArchError([Diagnostic("bad-call", message, help='fit(model, folder="runs/…")')])


def _weights(experiment: Experiment) -> Any:
    """What networks start from, or None; a checkpoint that is resumed takes its place."""
    machine = experiment.machine
    if machine.resume and machine.folder and ResultsFolder(machine.folder).last.exists():
        return None
    if experiment.weights is not None or experiment.recipe.weights is None:
        return experiment.weights
    return (experiment.root or Path()) / experiment.recipe.weights


def _once(tell: Callable[[str], None]) -> Callable[[str], None]:
    """Tells each thing once: several networks of a run may have the same to tell."""
    told: set[str] = set()

    def tell_new(text: str) -> None:
        if text not in told:
            told.add(text)
            tell(text)

    return tell_new


def _no_data() -> ArchError:
    return ArchError(
        [
            Diagnostic(
                "no-data",
                "nothing says what to train on",
                help="data: digits in the train block, or --data; in Python fit(model, data)",
            )
        ]
    )


def fit_model(
    model: nn.Module,
    data: object,
    recipe: Recipe,
    weights: object,
    tell: Callable[[str], None],
    machine: Machine,
    root: Path | None = None,
    fresh: Fresh | None = None,
) -> Outcome:
    """Train a network that is there; an ensemble and folds are of others of its kind.

    Where ``fresh`` makes one it is trained in its place, and begins as the recipe's seed says.
    """
    source = read_data(data) if isinstance(data, str) else data
    experiment = Experiment(recipe, source, machine, root=root, weights=weights, tell=tell)
    if fresh is not None:
        return run(experiment, fresh)
    return run(experiment, lambda: another(model), model)
