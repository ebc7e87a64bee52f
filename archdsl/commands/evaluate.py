"""``archdsl evaluate``: a trained network, measured again or on other data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, CallError, tell
from archdsl.commands.train import data_text
from archdsl.diagnostics import ArchError

if TYPE_CHECKING:
    from archdsl.training.runs import Trained


@click.command(
    "evaluate",
    epilog=examples(
        "archdsl evaluate runs/digits",
        "archdsl evaluate runs/lenet --data 'digits(size = 32)'",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@click.option(
    "data",
    "--data",
    metavar="DATA",
    help="Other data, all of it; without it, the test part of what the network was trained on.",
)
def evaluate_command(folder: Path, data: str | None) -> int:
    """Measure a trained network: its loss and its metrics.

    FOLDER is what archdsl train left.
    """
    opened = open_folder(folder)
    from archdsl.training.evaluating import evaluate
    from archdsl.training.progress import print_result

    source = None if data is None else data_text(data)
    measured = evaluate(opened, source, tell)
    if not measured:
        click.echo("there is no test part to measure; --data names other data", err=True)
        return CLEAN
    print_result({"all" if data else "test": measured})
    return CLEAN


def open_folder(folder: Path) -> Trained:
    """What a run left. Raises CallError where that is no finished run."""
    from archdsl.training.extras import need_extras

    need_extras()
    from archdsl.training.runs import open_trained

    try:
        opened = open_trained(folder)
    except ArchError as error:
        raise CallError(error.diagnostics) from None
    need_extras(opened.recipe)
    return opened
