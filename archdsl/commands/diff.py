"""``archdsl diff``: what differs between two networks, and which weights still load."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from archdsl.backends.diff_text import Sign, diff_data, diff_lines, diff_markdown
from archdsl.commands.examples import examples
from archdsl.commands.messages import (
    CLEAN,
    SPECIFICATION_AT_FAULT,
    call_error,
    echo_json,
    json_option,
)
from archdsl.commands.pictures import (
    chosen_format,
    content_of,
    depth_option,
    output_option,
    theme_option,
)
from archdsl.commands.sizes import parse_sizes, sizes_for, sizes_option
from archdsl.commands.target import (
    Target,
    complete_file,
    parse_settings,
    set_option,
    spare_the_specification,
)
from archdsl.compiler import open_specification, split_target
from archdsl.graph import Graph
from archdsl.output import write_file
from archdsl.passes.comparison import compare
from archdsl.passes.differences import Comparison
from archdsl.passes.merged import merge_networks
from archdsl.picture import Picture
from archdsl.specification import Specification

DIFFERENT = 1

_STYLES: dict[Sign, dict[str, object]] = {
    "+": {"fg": "green"},
    "-": {"fg": "red"},
    "~": {"fg": "yellow"},
    "!": {"fg": "yellow"},
    "#": {"bold": True},
    "": {},
}


@click.command(
    "diff",
    epilog=examples(
        "archdsl diff resnet.arch:resnet18 resnet.arch:resnet34",
        "archdsl diff resnet.arch:resnet18 --set-b classes=10",
        "archdsl diff before.arch after.arch --format markdown",
        "archdsl diff unet.arch:unet unet.arch:unet_same -o changes.svg",
    ),
)
@click.argument("target_a", shell_complete=complete_file, metavar="FILE[:NETWORK]")
@click.argument(
    "target_b", required=False, shell_complete=complete_file, metavar="[FILE[:NETWORK]]"
)
@set_option
@click.option("settings_a", "--set-a", multiple=True, metavar="NAME=VALUE", help="For A alone.")
@click.option("settings_b", "--set-b", multiple=True, metavar="NAME=VALUE", help="For B alone.")
@sizes_option
@click.option(
    "form",
    "--format",
    type=click.Choice(["text", "markdown", "json"]),
    default="text",
    show_default=True,
    help="How to say it.",
)
@click.option("--unfold", is_flag=True, help="A line for every change, though it is made often.")
@output_option(
    "Draw both as one picture too; the ending says in which format: .svg, .png, .pdf, .dot."
)
@depth_option("Of the picture: how many levels to show; 1 opens no block.")
@theme_option("light", "dark", help="Of the picture: the colours.")
@click.option("--exit-code", is_flag=True, help="End with 1 where the two are not the same.")
@json_option
def diff_command(
    target_a: str,
    target_b: str | None,
    settings: tuple[str, ...],
    settings_a: tuple[str, ...],
    settings_b: tuple[str, ...],
    sizes: tuple[str, ...],
    form: str,
    unfold: bool,
    output: str | None,
    depth: int | None,
    theme: str,
    exit_code: bool,
) -> int:
    """Compare two networks, or one at two settings of its parameters.

    Says what was added, removed and changed from the first, A, to the second, B; how many
    parameters and multiply-adds that makes; and which weights of A still load into B.
    Without B, A is compared with itself at other settings. The exit code is 0 whether
    they differ or not, unless --exit-code.
    """
    if target_b is None and not (settings_a or settings_b):
        raise call_error(
            "there is nothing to compare it with",
            help="name a second network, or set a parameter of this one: --set-b classes=10",
        )
    counted_at = parse_sizes(sizes)
    if output is not None:
        for target in (target_a, target_b or target_a):
            spare_the_specification(target, output)
        if chosen_format(output, None) == "html":
            raise call_error("a comparison is no page", help="draw it as SVG: -o FILE.svg")
    specifications: dict[str, Specification] = {}
    sides = [
        _open(target_a, (*settings, *settings_a), specifications),
        _open(target_b or target_a, (*settings, *settings_b), specifications),
    ]
    a, b = (side.target.graph() for side in sides)
    if a is None or b is None:
        return SPECIFICATION_AT_FAULT
    found = compare(a, b, sizes_for([a, b], counted_at))
    _print(found, _names(sides), form, unfold)
    if output is not None:
        _draw(found, (a, b), output, depth, theme)
    return DIFFERENT if exit_code and not found.identical else CLEAN


def _draw(
    found: Comparison, graphs: tuple[Graph, Graph], output: str, depth: int | None, theme: str
) -> None:
    """Write the picture of both: the second network, with what is gone in its place."""
    merged = merge_networks(*graphs, found)
    picture = Picture(
        merged.graph, depth=depth, theme=theme, sizes=found.sizes, status=merged.status
    )
    write_file(output, content_of(picture, chosen_format(output, None)))


@dataclass(frozen=True)
class _Side:
    """One of the two networks, as it was asked for."""

    text: str
    target: Target
    settings: tuple[str, ...]

    @property
    def network(self) -> str:
        return self.target.only()


def _open(text: str, settings: tuple[str, ...], specifications: dict[str, Specification]) -> _Side:
    """What an argument names. A file that both name is read once: standard input has one end."""
    path, network = split_target(text)
    if path not in specifications:
        specifications[path] = open_specification(path)
    specification = specifications[path]
    values = parse_settings(settings, specification.env)
    return _Side(text, Target(specification, network, values), settings)


def _names(sides: Sequence[_Side]) -> tuple[str, str]:
    """What to call the two: as briefly as tells them apart."""
    a, b = sides
    if a.network != b.network:
        return a.network, b.network
    if a.text != b.text and a.target.specification.name != b.target.specification.name:
        return a.text, b.text
    if a.settings != b.settings:
        return _with_settings(a), _with_settings(b)
    return a.network, b.network


def _with_settings(side: _Side) -> str:
    given = ", ".join(" ".join(setting.split()) for setting in side.settings)
    return f"{side.network}({given})" if given else side.network


def _print(found: Comparison, names: tuple[str, str], form: str, unfold: bool) -> None:
    if form == "json":
        echo_json(diff_data(found, names))
    elif form == "markdown":
        click.echo(diff_markdown(found, names, unfold=unfold), nl=False)
    else:
        for sign, line in diff_lines(found, names, unfold=unfold):
            click.echo(click.style(line, **_STYLES[sign]) if _STYLES[sign] else line)  # type: ignore[arg-type]  # click's own keywords
