"""``archdsl predict``: what a trained network says of new data."""

from __future__ import annotations

from pathlib import Path

import click

from archdsl.commands.evaluate import open_folder
from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, tell
from archdsl.commands.train import data_text


@click.command(
    "predict",
    epilog=examples(
        "archdsl predict runs/digits digits -o digits.csv",
        "archdsl predict runs/flowers photos/ -o flowers.csv",
        "archdsl predict runs/unet photos/ -o masks/",
        "archdsl predict runs/digits new.npz --monte-carlo 50 -o digits.csv",
    ),
)
@click.argument("folder", type=click.Path(path_type=Path), metavar="FOLDER")
@click.argument("data", metavar="DATA")
@click.option(
    "output",
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PLACE",
    help="A .csv file; a folder where the network gives images. Without it, the table is printed.",
)
@click.option(
    "monte_carlo",
    "--monte-carlo",
    type=click.IntRange(min=2),
    metavar="PASSES",
    help="Predict with dropout at work, so many times: their mean, spread and entropy.",
)
def predict_command(folder: Path, data: str, output: Path | None, monte_carlo: int | None) -> int:
    """Predict for new data with a trained network.

    Classes and how sure, values, or masks. FOLDER is what archdsl train left. DATA is a folder of
    images, an .npz or .csv file, or a data set; targets in it are left alone.
    """
    opened = open_folder(folder)
    from archdsl.training.answering import answer

    written, warnings = answer(opened, data_text(data), output, monte_carlo)
    tell(warnings)
    click.echo(written, nl=False)
    return CLEAN
