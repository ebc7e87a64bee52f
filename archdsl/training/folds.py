"""Cross-validation: a network for each fold, tested on what the others were trained on."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import stdev

from archdsl.recipes import Recipe
from archdsl.training.data import Data
from archdsl.training.ensembles import (
    Made,
    Train,
    announce,
    mean_of,
    mean_rows,
    part_of_run,
)
from archdsl.training.fit import Machine, Outcome, result_of
from archdsl.training.results import ResultsFolder, process_rank


def fit_folds(
    recipe: Recipe, make: Made, open_fold: Callable[[int], Data], train: Train, machine: Machine
) -> Outcome:
    """Train and test a network for each fold, each in a folder of its own: ``fold-1`` …

    The outcome's ``test`` is the mean over the folds, and ``extra`` has each fold's and their
    standard deviation (of a sample: by one less than the folds). All begin with the same weights.
    No network comes of it but those of the folds; the outcome's is the last one's.
    """
    if recipe.folds is None:
        raise ValueError("the recipe asks for no folds")
    outcomes = []
    for fold in range(recipe.folds):
        announce("fold", fold + 1, recipe.folds, machine)
        own = part_of_run(recipe, machine, f"fold-{fold + 1}")
        outcomes.append(train(recipe, make(recipe.seed), open_fold(fold), own))
    tests = [dict(o.test) for o in outcomes]
    extra = {f"fold-{i + 1}": test for i, test in enumerate(tests)}
    extra["standard deviation"] = deviation_of(tests)
    outcome = Outcome(
        outcomes[-1].network,
        recipe,
        mean_of(tests),
        mean_rows([o.rows for o in outcomes]),
        machine.folder,
        extra,
        outcomes[-1].data,
    )
    if machine.folder is not None and process_rank() == 0:
        folder = ResultsFolder(machine.folder)
        folder.write_result(result_of(outcome))
        folder.write_curves(outcome.rows, [m.name for m in recipe.metrics])
    return outcome


def deviation_of(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The standard deviation of every number that all have."""
    return {name: stdev(row[name] for row in rows) for name in mean_of(rows)}
