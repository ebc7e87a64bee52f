"""Whether a run that goes on with another number of epochs would be the same run."""

from __future__ import annotations

import csv
import json

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.recipes import Recipe
from archdsl.training.results import METRICS, SETTINGS, ResultsFolder


def check_epochs(recipe: Recipe, folder: ResultsFolder) -> None:
    """Raise ArchError, code ``results-folder``, where the epochs that are done do not fit.

    There may be more of them than are asked for now; or their learning rates would have been
    others, had the run been as long from its beginning.
    """
    before, done = _epochs_of(folder), _epochs_done(folder)
    now = recipe.epochs
    if not done or before is None or before == now:
        return
    if now < done:
        message = f"the run in {folder.path} has done {done} epochs, and is to have {now}"
        help = f"--set epochs={done}, or more; --overwrite starts anew"
        raise ArchError([Diagnostic("results-folder", message, help=help)])
    why = _why_another(recipe)
    if why:
        message = f"a run of {now} epochs is another one than that of {before} in {folder.path}"
        help = f"resume it with epochs={before}, or train all {now} into another folder"
        raise ArchError([Diagnostic("results-folder", message, notes=(why,), help=help)])


def _why_another(recipe: Recipe) -> str:
    """What of a recipe hangs on how long the whole run is, or nothing."""
    if recipe.average is not None and recipe.average.over_the_run:
        return f"when {recipe.average.name} is taken hangs on how many epochs there are"
    last = recipe.schedule[-1].value if recipe.schedule else None
    if last is None or not last.over_the_run:
        return ""
    return f"{last.name} is drawn out over all epochs: those that are done had other learning rates"


def _epochs_of(folder: ResultsFolder) -> int | None:
    """How many epochs the run was to have."""
    try:
        settings = json.loads((folder.path / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    epochs = settings.get("epochs") if isinstance(settings, dict) else None
    return epochs if isinstance(epochs, int) else None


def _epochs_done(folder: ResultsFolder) -> int:
    """How many are done, and can be gone on from."""
    if not folder.last.exists():
        return 0
    try:
        with (folder.path / METRICS).open(encoding="utf-8", newline="") as file:
            return sum(1 for _ in csv.DictReader(file))
    except (OSError, ValueError, csv.Error):
        return 0
