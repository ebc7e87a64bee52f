"""``archdsl new``: start a specification from a file of the zoo."""

from __future__ import annotations

import click
from click.shell_completion import CompletionItem

from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, CallError
from archdsl.diagnostics import ArchError
from archdsl.output import write_file
from archdsl.zoo import find_in_zoo, list_zoo, zoo_files


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    known = [name for file in zoo_files() for name in (file.name, *file.networks)]
    return [CompletionItem(n) for n in dict.fromkeys(known) if n.startswith(incomplete)]


@click.command(
    "new",
    epilog=examples(
        "archdsl new",
        "archdsl new unet",
        "archdsl new resnet50 -o mine.arch",
    ),
)
@click.argument("name", required=False, shell_complete=_complete)
@click.option(
    "output",
    "-o",
    "--output",
    type=click.Path(),
    metavar="FILE",
    help="Where to write to, instead of the file's name in the zoo; - is standard output.",
)
@click.option("force", "--force", is_flag=True, help="Write over a file that is there.")
def new_command(name: str | None, output: str | None, force: bool) -> int:
    """Start a specification from the zoo of known architectures.

    NAME is a file of the zoo or one of its networks; without it, they are listed.
    """
    if name is None:
        click.echo(list_zoo(), nl=False)
        return CLEAN
    try:
        file = find_in_zoo(name)
        place = output or f"{file.name}.arch"
        if place == "-":
            click.echo(file.text.encode(), nl=False)
            return CLEAN
        write_file(place, file.text, replace=force)
    except ArchError as error:
        raise CallError(error.diagnostics) from None
    target = f"{place}:{name}" if name in file.networks else place
    click.echo(f"wrote {place}; next: archdsl check {target}", err=True)
    for other in file.imports:
        click.echo(f"it imports from {other}: archdsl new {other}", err=True)
    return CLEAN
