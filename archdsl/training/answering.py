"""Predicts for a source of data, and writes what comes of it."""

from __future__ import annotations

from pathlib import Path

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.predicting import predict_source
from archdsl.training.prediction_files import is_picture, table_text, write_predictions
from archdsl.training.runs import Trained


def answer(
    trained: Trained, source: str, place: Path | None, monte_carlo: int | None = None
) -> tuple[str, tuple[Diagnostic, ...]]:
    """What is to be printed: the table, or where it was written; and what there is to warn of.

    Raises ArchError for data that does not fit, and for images with no place to go.
    """
    given = predict_source(trained.network, trained.recipe, source, trained, monte_carlo)
    found = given.outputs
    if place is None:
        if any(map(is_picture, found.values())):
            message = "this network gives images, and those are no text for a terminal"
            raise ArchError([Diagnostic("bad-call", message, help="-o FOLDER")])
        count = len(next(iter(found.values())))
        names = given.names or [str(i + 1) for i in range(count)]
        return table_text(found, names), given.warnings
    written = write_predictions(found, place, given.names)
    return "".join(f"{path}\n" for path in written[:1]), given.warnings
