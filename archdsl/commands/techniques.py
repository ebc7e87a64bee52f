"""``archdsl techniques``: the reference of what can stand in a train block."""

from __future__ import annotations

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, CallError
from archdsl.diagnostics import ArchError


@click.command(
    "techniques",
    epilog=examples(
        "archdsl techniques",
        "archdsl techniques cosine",
    ),
)
@click.argument("name", required=False)
def techniques_command(name: str | None) -> int:
    """List the techniques of training, or show the reference of one.

    Losses, penalties, optimizers, schedules, augmentation, data sets and the others, for a train
    block.
    """
    from archdsl.handbook import describe_technique, list_techniques

    try:
        text = list_techniques() if name is None else describe_technique(name)
    except ArchError as error:
        raise CallError(error.diagnostics) from None
    click.echo(text, nl=False)
    return CLEAN
