"""What a recipe asks of averages and ensembles that does not go together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.diagnostics import Diagnostic, Span
from archdsl.recipes.problems import Problem, told
from archdsl.recipes.recipe import Recipe
from archdsl.techniques.averages import EMA, SWA, Snapshots
from archdsl.techniques.constraints import UnitNorm
from archdsl.techniques.schedules import Cosine


def check_averages(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """Every mistake."""
    for found in (_whole_run, _cycles, _held, _norms, _both_several):
        yield from told(found(recipe), spans)


def _both_several(recipe: Recipe) -> Iterator[Problem]:
    if recipe.ensemble is None or recipe.folds is None:
        return
    message = "an ensemble and folds are several trainings each, and are not made of one another"
    yield "folds", message, "leave one of the two out"


def _whole_run(recipe: Recipe) -> Iterator[Problem]:
    average = recipe.average
    if average is None or isinstance(average, EMA) or recipe.early_stopping is None:
        return
    message = (
        f"{average.name} is made at the end of the whole run, which early_stopping may cut off"
    )
    yield "early_stopping", message, "leave it out, or write average: ema(0.999)"


def _cycles(recipe: Recipe) -> Iterator[Problem]:
    average = recipe.average
    if not isinstance(average, Snapshots):
        return
    last = recipe.schedule[-1].value if recipe.schedule else None
    cycles = last.cycles if isinstance(last, Cosine) else 0
    if cycles >= average.count:
        return
    has = f"has {cycles}" if cycles else "has none"
    message = f"{average} are taken at the ends of as many cycles, and the schedule {has}"
    yield "average", message, f"schedule: cosine(cycles = {average.count})"


def _held(recipe: Recipe) -> Iterator[Problem]:
    held = recipe.average.held_rate(recipe.epochs) if recipe.average else None
    watching = next((s.value.name for s in recipe.schedule if s.value.watches), "")
    if held is not None and watching:
        message = (
            f"{recipe.average} sets the learning rate from epoch {held[0]} on, as {watching} does"
        )
        yield "average", message, "leave the lr of the average out, or choose another schedule"


def _norms(recipe: Recipe) -> Iterator[Problem]:
    average = recipe.average
    if isinstance(average, EMA | SWA) and any(isinstance(c, UnitNorm) for c in recipe.constraints):
        message = (
            f"weights of unit norm have no unit norm in their mean, which {average.name} takes"
        )
        yield (
            "average",
            message,
            "leave it out, or write constraint: max_norm(1), which holds in it",
        )
