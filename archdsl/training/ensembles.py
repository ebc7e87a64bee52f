"""Trains the members of an ensemble, and tests them together and each by itself."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from typing import Any

from lightning.pytorch import LightningModule
from torch import nn

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.recipes import Recipe
from archdsl.techniques.averages import Voted
from archdsl.training.answers import answers_of
from archdsl.training.data import Data
from archdsl.training.ensemble import Ensemble, single
from archdsl.training.fit import (
    Machine,
    Outcome,
    open_folder,
    run_settings,
    served_by,
    test_module,
    write_outcome,
)
from archdsl.training.generated import training_module
from archdsl.training.quiet import quiet_libraries
from archdsl.training.results import ResultsFolder, holds_run, process_rank
from archdsl.training.trainer import make_trainer

Made = Callable[[int], nn.Module]
"""Makes the network of a seed."""
Train = Callable[[Recipe, nn.Module, Data, Machine], Outcome]


def fit_ensemble(recipe: Recipe, make: Made, data: Data, train: Train, machine: Machine) -> Outcome:
    """Train the members from seeds of their own, each in a folder of its own: ``member-1`` …

    The outcome's network is the :class:`Ensemble`, its test is that of the ensemble, and
    ``extra`` has the members' and their mean. Raises ArchError for a vote where nothing is voted
    on.
    """
    if recipe.ensemble is None:
        raise ValueError("the recipe asks for no ensemble")
    answers, vote = answers_of(recipe), isinstance(recipe.ensemble, Voted)
    if vote and all(answer.kind == "values" for answer in answers):
        raise _nothing_to_vote_on()
    # a member's folder says that it is one network; its data are parted by the seed of them all
    origin = replace(machine.origin, changes=(*machine.origin.changes, "ensemble=none"))
    alone = replace(machine, origin=origin)
    outcomes = []
    for index in range(recipe.ensemble.members):
        announce("member", index + 1, recipe.ensemble.members, machine)
        member = recipe.replace(ensemble=None, seed=recipe.seed + index)
        own = part_of_run(member, alone, f"member-{index + 1}")
        outcomes.append(train(member, make(member.seed), _reordered(data, member.seed), own))
    network = Ensemble([o.network for o in outcomes], answers, vote=vote)
    test = _tested(recipe, network, data, machine)
    extra = {f"member-{i + 1}": dict(o.test) for i, o in enumerate(outcomes)} if test else {}
    if extra:
        extra["mean of members"] = mean_of([o.test for o in outcomes])
    rows = mean_rows([o.rows for o in outcomes])
    outcome = Outcome(network.eval(), recipe, test, rows, machine.folder, extra, data)
    if machine.folder is not None and process_rank() == 0:
        write_outcome(ResultsFolder(machine.folder), outcome, data, machine.origin)
    return outcome


def announce(part: str, number: int, count: int, machine: Machine) -> None:
    """Say which of several trainings the lines that follow are of."""
    if machine.progress is not False and process_rank() == 0:
        print(f"{part} {number} of {count}", file=sys.stderr)  # noqa: T201 - as the progress is


def part_of_run(recipe: Recipe, machine: Machine, name: str) -> Machine:
    """The machine for one of several trainings, with a folder below that of them all.

    Where the run is resumed, a part that had not begun begins.
    """
    if machine.folder is None:
        return machine
    folder = machine.folder / name
    own = replace(machine, folder=folder, resume=machine.resume and holds_run(folder))
    open_folder(recipe, own, own.origin)
    return own


def _reordered(data: Data, seed: int) -> Data:
    """The same parts of the data, for training in an order of another seed."""
    return replace(data, settings=replace(data.settings, seed=seed))


def _tested(recipe: Recipe, network: Ensemble, data: Data, machine: Machine) -> dict[str, float]:
    batches = served_by(data, machine).test
    if batches is None:
        return {}
    module = measuring_module(recipe, network)
    trainer = make_trainer(run_settings(recipe, replace(machine, folder=None, progress=False)))
    return test_module(trainer, module, batches)


def measuring_module(recipe: Recipe, network: nn.Module) -> LightningModule:
    """What measures a network, or an ensemble, and leaves it as it is.

    What a recipe says of parameters is of one network's, and changes it: it is made with a copy.
    """
    with quiet_libraries():
        module = training_module(recipe, deepcopy(single(network)))
    module.network = network
    return module


def mean_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of every number that all have."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    return {name: sum(row[name] for row in rows) / len(rows) for name in names}


def mean_rows(every: Sequence[Sequence[Mapping[str, float]]]) -> tuple[dict[str, float], ...]:
    """The mean of several runs epoch by epoch, as far as all of them went."""
    rows: list[dict[str, Any]] = [mean_of(rows) for rows in zip(*every, strict=False)]
    return tuple(row | {"epoch": int(row["epoch"])} if "epoch" in row else row for row in rows)


def _nothing_to_vote_on() -> ArchError:
    message = "an ensemble votes on classes, and this network predicts values"
    return ArchError([Diagnostic("bad-setting", message, help="ensemble: average(5)")])
