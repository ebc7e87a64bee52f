"""``archdsl draw``: a network as a picture, or as a page to explore."""

from __future__ import annotations

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import (
    CLEAN,
    SPECIFICATION_AT_FAULT,
    CallError,
    call_error,
    json_option,
)
from archdsl.commands.pictures import (
    chosen_format,
    content_of,
    depth_option,
    output_option,
    theme_option,
)
from archdsl.commands.sizes import parse_sizes
from archdsl.commands.target import (
    checked_graph,
    complete_file,
    set_option,
    spare_the_specification,
)
from archdsl.diagnostics import ArchError
from archdsl.graph import Graph
from archdsl.output import write_file
from archdsl.passes.free_sizes import choose_sizes
from archdsl.picture import FORMATS, Picture


@click.command(
    "draw",
    epilog=examples(
        "archdsl draw resnet.arch:resnet50 -o resnet50.svg",
        "archdsl draw resnet.arch:resnet18 --depth 3 --unfold --sizes H=224,W=224",
        "archdsl draw resnet.arch:resnet18 --only layer3 -o layer3.png",
        "archdsl draw vgg.arch:vgg16 --style volume -o vgg16.svg",
        "archdsl draw densenet.arch:densenet121 -o densenet121.html",
    ),
)
@click.argument("target", shell_complete=complete_file, metavar="FILE[:NETWORK]")
@set_option
@output_option("Where to write to; its ending says in which format. Without it, NETWORK.svg here.")
@click.option(
    "form",
    "--format",
    type=click.Choice(FORMATS),
    help="The format, where the file's name does not say it. PDF needs Graphviz's program dot.",
)
@click.option(
    "style",
    "--style",
    type=click.Choice(["graph", "volume"]),
    default="graph",
    show_default=True,
    help="Layers and what flows between them, or feature maps as boxes to scale.",
)
@depth_option("How many levels to show; 1 opens no block. Without it, as many as one can read.")
@click.option(
    "unfold", "--unfold", is_flag=True, help="Draw repeated blocks one by one, not as ×N."
)
@click.option("only", "--only", metavar="PATH", help="Draw one part: layer3, or layer3.0.")
@click.option(
    "layout",
    "--layout",
    type=click.Choice(["auto", "flow", "u"]),
    default="auto",
    show_default=True,
    help="From top to bottom, or as a U; auto draws a unet as a U.",
)
@theme_option(
    "auto",
    "light",
    "dark",
    help="The colours; auto is light, and in a page what the reader's system prefers.",
)
@click.option(
    "sizes",
    "--sizes",
    multiple=True,
    metavar="NAME=SIZE,…",
    help="Write numbers for free sizes: H=224,W=224.",
)
@json_option
def draw_command(
    target: str,
    settings: tuple[str, ...],
    output: str | None,
    form: str | None,
    style: str,
    depth: int | None,
    unfold: bool,
    only: str | None,
    layout: str,
    theme: str,
    sizes: tuple[str, ...],
) -> int:
    """Draw a network as a picture, or as a page to explore.

    A block is a box with its parameters, one that repeats is drawn once with ×N; edges
    bear the shapes of the tensors, without the batch. The page that --format html writes
    opens and closes blocks by a click, and needs nothing but a browser. "-o -" writes to
    standard output.
    """
    values = parse_sizes(sizes)
    if style == "volume" and (only or unfold or depth is not None or layout != "auto"):
        raise call_error(
            "a figure of volumes shows the whole network, folded in its own way",
            help="leave out --only, --depth, --unfold and --layout, or --style volume",
        )
    chosen = chosen_format(output, form)
    graph = checked_graph(target, settings)
    if graph is None:
        return SPECIFICATION_AT_FAULT
    picture = Picture(
        graph,
        style="volume" if style == "volume" else "graph",
        depth=depth,
        unfold=unfold,
        only=only,
        theme=theme,
        layout="u" if layout == "u" else "flow" if layout == "flow" else "auto",
        sizes=_sizes(graph, values),
    )
    place = output or f"{graph.graph['name']}.{chosen}"
    if place != "-":
        spare_the_specification(target, place)
    content = content_of(picture, chosen)
    if place == "-":
        click.echo(content, nl=False)
        return CLEAN
    write_file(place, content)
    if output is None:
        click.echo(place)
    return CLEAN


def _sizes(graph: Graph, given: dict[str, int]) -> dict[str, int]:
    """The sizes to write, usual ones for those that are not given; none where none is given."""
    try:
        return choose_sizes(graph, given) if given else {}
    except ArchError as error:
        raise CallError(error.diagnostics) from None
