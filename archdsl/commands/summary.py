"""``archdsl summary``: the table of a network's layers, with their shapes and costs."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import click

from archdsl.backends.summary import Summary, summarize
from archdsl.backends.summary.columns import COLUMNS, NAMES, choose_columns
from archdsl.commands.examples import examples
from archdsl.commands.messages import (
    CLEAN,
    SPECIFICATION_AT_FAULT,
    CallError,
    json_option,
)
from archdsl.commands.sizes import parse_sizes, sizes_for, sizes_option
from archdsl.commands.target import (
    checked_graph,
    complete_file,
    set_option,
    spare_the_specification,
)
from archdsl.diagnostics import ArchError
from archdsl.graph import Graph
from archdsl.output import write_file

_ENDINGS = {".md": "markdown", ".tex": "latex", ".csv": "csv", ".json": "json"}
_UNUSUAL = " and ".join(column.key for column in COLUMNS if not column.usual)


@click.command(
    "summary",
    epilog=examples(
        "archdsl summary resnet.arch:resnet50",
        "archdsl summary resnet.arch:resnet50 --only layer3 --depth 2",
        "archdsl summary unet.arch --sizes H=256,W=256 --columns layer,shape,field",
        "archdsl summary vit.arch:vit_b_16 -o vit.tex",
    ),
)
@click.argument("target", shell_complete=complete_file, metavar="FILE[:NETWORK]")
@set_option
@sizes_option
@click.option(
    "--depth",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many levels to show; 1 opens no module. Without it, as many as a screen or two hold.",
)
@click.option("--unfold", is_flag=True, help="A row for each repetition, instead of one ×N.")
@click.option("--only", metavar="MODULE", help="The rows of one module: layer3.")
@click.option(
    "columns",
    "--columns",
    metavar="NAME,…",
    help=f"Which columns, in which order, of {', '.join(NAMES)}; or all. Without it all but"
    f" {_UNUSUAL} that are not empty, and in csv all.",
)
@click.option(
    "form",
    "--format",
    type=click.Choice(["text", "markdown", "latex", "csv", "json"]),
    help="How to write it; without it as the file's ending says, or as text. In csv and json"
    " figures are in full, and bytes are bytes.",
)
@click.option(
    "output", "-o", "--output", type=click.Path(), metavar="FILE", help="Where to write to."
)
@json_option
def summary_command(
    target: str,
    settings: tuple[str, ...],
    sizes: tuple[str, ...],
    depth: int | None,
    unfold: bool,
    only: str | None,
    columns: str | None,
    form: str | None,
    output: str | None,
) -> int:
    """Print the layers of a network, and what they cost.

    A row is a layer or a module: what feeds it, the shape of what it gives, its parameters
    and multiply-adds, the memory of its outputs and what training keeps of it, and its receptive
    field in the input. Modules that repeat are one row, ×N. The rows of a level sum to the totals.
    """
    counted_at = parse_sizes(sizes)
    wanted = _chosen(columns)
    if output is not None and output != "-":
        spare_the_specification(target, output)
    graph = checked_graph(target, settings)
    if graph is None:
        return SPECIFICATION_AT_FAULT
    found = _summarize(graph, depth, unfold, only, sizes_for([graph], counted_at))
    to_terminal = output in (None, "-") and sys.stdout.isatty()
    form = form or _ENDINGS.get(Path(output or "").suffix.lower(), "text")
    text = _written(found, form, wanted, to_terminal=to_terminal)
    if output is None or output == "-":
        # Lines of csv end in a way of their own, which a stream of text would change.
        click.echo(text.encode() if form == "csv" else text, nl=False)
    else:
        write_file(output, text)
    return CLEAN


def _chosen(columns: str | None) -> list[str] | None:
    """The columns that ``--columns`` names; CallError for what are none."""
    if columns is None:
        return None
    names = [name.strip() for name in columns.split(",") if name.strip()]
    try:
        choose_columns(names, ())
    except ArchError as error:
        raise CallError(error.diagnostics) from None
    return names


def _summarize(
    graph: Graph, depth: int | None, unfold: bool, only: str | None, sizes: dict[str, int]
) -> Summary:
    try:
        return summarize(graph, depth=depth, unfold=unfold, only=only, sizes=sizes)
    except ArchError as error:
        raise CallError(error.diagnostics) from None  # there is no such module


def _written(found: Summary, form: str, columns: list[str] | None, *, to_terminal: bool) -> str:
    match form:
        case "text":
            width = shutil.get_terminal_size().columns if to_terminal else None
            return found.text(columns, width=width)
        case "markdown":
            return found.markdown(columns)
        case "latex":
            return found.latex(columns)
        case "csv":
            return found.csv(columns)
        case _:
            import json  # a tenth of what a command imports for itself

            return json.dumps(found.data(), indent=2, allow_nan=False) + "\n"
