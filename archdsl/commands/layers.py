"""``archdsl layers``: the reference of the layers."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, CallError
from archdsl.compiler import layers
from archdsl.diagnostics import ArchError
from archdsl.ops.op import names


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(name) for name in sorted(names()) if name.startswith(incomplete)]


@click.command(
    "layers",
    epilog=examples(
        "archdsl layers",
        "archdsl layers conv",
    ),
)
@click.argument("name", required=False, shell_complete=_complete)
def layers_command(name: str | None) -> int:
    """List the layers, or show the reference of one."""
    try:
        text = layers(name)
    except ArchError as error:
        raise CallError(error.diagnostics) from None
    click.echo(text, nl=False)
    return CLEAN
