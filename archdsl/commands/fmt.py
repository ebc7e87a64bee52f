"""``archdsl fmt``: specifications in their canonical form."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from pathlib import Path

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, SPECIFICATION_AT_FAULT, exit_code_of, json_option, tell
from archdsl.compiler import fmt, read_input
from archdsl.diagnostics import ArchError
from archdsl.output import write_file
from archdsl.specification import read


@click.command(
    "fmt",
    epilog=examples(
        "archdsl fmt resnet.arch",
        "archdsl fmt --check specs/*.arch",
        "archdsl fmt - < resnet.arch",
    ),
)
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE…")
@click.option(
    "only_check", "--check", is_flag=True, help="Write nothing; exit with 1 if a file would change."
)
@click.option("diff", "--diff", is_flag=True, help="Write nothing; show what would change.")
@json_option
def fmt_command(files: tuple[str, ...], only_check: bool, diff: bool) -> int:
    """Format specifications, in place.

    Comments are kept. "-" formats standard input to standard output.
    """
    return max(_format_one(name, only_check, diff) for name in files)


def _format_one(name: str, only_check: bool, diff: bool) -> int:
    try:
        changed = _format(name, only_check, diff)
    except ArchError as error:
        tell(error.diagnostics)
        return exit_code_of(error)
    return SPECIFICATION_AT_FAULT if changed and only_check else CLEAN


def _format(name: str, only_check: bool, diff: bool) -> bool:
    """Format one file; whether it was not yet as it should be."""
    piped = name == "-"
    text = read_input() if piped else read(Path(name))
    formatted = fmt(text, "<stdin>" if piped else name)
    changed = formatted != (text if piped else Path(name).read_bytes().decode())
    if diff:
        click.echo("".join(_differences(name, text, formatted)), nl=False)
    elif only_check:
        if changed:
            click.echo(f"{name} would be reformatted")
    elif piped:
        click.echo(formatted.encode(), nl=False)
    elif changed:
        write_file(name, formatted)
        click.echo(f"{name} reformatted", err=True)
    return changed


def _differences(name: str, before: str, after: str) -> Iterator[str]:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} formatted"
    )
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
