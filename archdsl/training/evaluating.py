"""Measures a trained network on data: the loss, and the recipe's metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import torch

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.recipes.changes import read_data
from archdsl.training.data import Data, open_data
from archdsl.training.data.samples import Parts
from archdsl.training.ensembles import measuring_module
from archdsl.training.fit import Machine, run_settings, served_by, test_module
from archdsl.training.runs import Trained
from archdsl.training.trainer import make_trainer


def evaluate(
    trained: Trained,
    source: object = None,
    warn: Callable[[Iterable[Diagnostic]], object] = list,
) -> dict[str, float]:
    """The loss and the metrics, on all of a source, or on the test part of the recipe's data.

    Inputs are scaled as they were in training; ``warn`` is called with what there is to say of
    the data. Raises ArchError for data that does not fit.
    """
    machine = Machine(progress=False)
    data = _opened(trained, source)
    warn(data.warnings)
    served = served_by(data, machine)
    module = measuring_module(trained.recipe, trained.network)
    trainer = make_trainer(run_settings(trained.recipe, machine))
    # who serves a source alone has no part in it that would be for tests
    batches = served.train if source is not None and served.test is None else served.test
    return test_module(trainer, module, batches)


def _not_named(trained: Trained) -> ArchError:
    message = f"the run in {trained.folder} was of data given in Python, which it does not keep"
    help = "name what to measure it on: --data, or evaluate(data) in Python"
    return ArchError([Diagnostic("no-data", message, help=help)])


def _opened(trained: Trained, source: object) -> Data:
    """The data, parted as in training; all of another source as the test part."""
    recipe, settings = trained.recipe, trained.recipe.data_settings(trained.fold)
    if source is not None:
        settings = replace(settings, split=(1.0, 0.0, 0.0), folds=None)
    chosen = read_data(source, trained.source) if isinstance(source, str) else source
    chosen = recipe.data if chosen is None else chosen
    if chosen is None:
        raise _not_named(trained)
    data = open_data(
        chosen,
        inputs=recipe.inputs,
        targets=recipe.targets,
        settings=settings,
        root=trained.root if source is None else None,
        scale=trained.scale,
        target_scale=trained.target_scale,
        classes=trained.classes,
        columns=trained.columns,
        demands=recipe.demands,
    )
    if source is None or data.store is None:
        return data
    none = torch.arange(0)
    return replace(data, parts=Parts(none, none, torch.arange(len(data.store))))
