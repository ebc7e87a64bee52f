"""``archdsl summary``: what it takes, what it prints and writes, and how it ends."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import archdsl
from archdsl.cli import cli

ROOT = Path(__file__).resolve().parents[2]
RESNET = f"{ROOT / 'specs' / 'resnet.arch'}"

NET = """\
network net(width = 4) {
    input x: [3, H, W]
    body: { conv(width, 3) -> relu } -> max_pool(2)
}

network other {
    input x: [3, H, W]
    conv(4, 3)
}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(NET, encoding="utf-8")
    Path("bad.arch").write_text(NET.replace("conv", "convv"), encoding="utf-8")
    return tmp_path


def run(*arguments: str, **more: Any) -> Result:
    result = CliRunner().invoke(cli, ["summary", *arguments], **more)
    assert "Traceback" not in result.output
    return result


def printed(*arguments: str, **more: Any) -> str:
    result = run(*arguments, **more)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_it_prints_what_the_library_gives(place: Path) -> None:
    expected = archdsl.summary(archdsl.graph("net.arch:net"))
    assert printed("net.arch:net") == str(expected)
    assert printed("net.arch:net", "--format", "markdown") == expected.markdown()
    assert printed("net.arch:net", "--format", "latex") == expected.latex()
    assert printed("net.arch:net", "--format", "csv").splitlines() == expected.csv().splitlines()
    assert json.loads(printed("net.arch:net", "--format", "json")) == expected.data()


def test_depth_only_and_unfold_say_what_is_shown() -> None:
    def labels(*options: str) -> list[str]:
        text = printed(f"{RESNET}:resnet18", "--format", "json", *options)
        return [row["label"] for row in json.loads(text)["rows"]]

    assert "layer1.0 … 1" in labels()
    assert "layer1.0" not in labels("--depth", "1")
    assert {"layer1.0", "layer1.1"} <= set(labels("--unfold"))
    assert labels("--only", "layer1", "--depth", "1") == ["layer1.0 … 1"]


def test_parameters_and_sizes_are_as_they_are_given(place: Path) -> None:
    options = ("--set", "width=8", "--sizes", "H=10,W=12", "--depth", "2", "--format", "json")
    data = json.loads(printed("net.arch:net", *options))
    (conv,) = [row for row in data["rows"] if row["label"] == "body.0"]
    # By hand: a kernel of 3 leaves 8 by 10.
    assert conv["outputs"] == [{"shape": [8, 8, 10], "dtype": "float"}]
    assert conv["multiply_adds"] == 8 * 10 * 8 * 3 * 9
    assert conv["parameters"] == 8 * 3 * 9 + 8
    assert data["sizes"] == {"H": 10, "W": 12}


def test_columns_are_chosen(place: Path) -> None:
    text = printed("net.arch:net", "--columns", "layer, field")
    assert text.splitlines()[2].split() == ["layer", "field"]
    rows = list(csv.DictReader(io.StringIO(printed("net.arch:net", "--format", "csv"))))
    assert {"layer", "inputs", "stride", "offset", "training_memory"} <= rows[0].keys()


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv", "json"])
def test_a_file_gets_what_would_be_printed(place: Path, form: str) -> None:
    shown = printed("net.arch:net", "--format", form)
    assert printed("net.arch:net", "--format", form, "-o", "table") == ""
    assert Path("table").read_text(encoding="utf-8").splitlines() == shown.splitlines()


def test_standard_input_is_read(place: Path) -> None:
    assert printed("--", "-:other", input=NET).startswith("other: x 3×224×224 → 4×222×222\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.arch",), "net.arch has several networks: say which"),
        (("none.arch",), "none.arch"),
        (("net.arch:nett",), "nett"),
        (("net.arch:net", "--only", "bod"), "there is no module bod"),
        (("net.arch:net", "--columns", "layr"), "there is no column layr"),
        (("net.arch:net", "--columns", "layer,layer"), "wanted twice"),
        (("net.arch:net", "--columns", ","), "no columns are wanted"),
        (("net.arch:net", "--sizes", "H=2,W=2"), "cannot have H = 2"),
        (("net.arch:net", "--sizes", "D=2"), "no free size D"),
        (("net.arch:net", "--set", "depth=2"), "no parameter depth"),
        (("net.arch:net", "--depth", "0"), "--depth"),
        (("net.arch:net", "--format", "xml"), "--format"),
        (("net.arch:net", "-o", "net.arch"), "net.arch is the specification itself"),
        (("net.arch:net", "-o", "no/where.txt"), "there is no folder"),
    ],
)
def test_a_call_that_is_at_fault_is_told_so(
    place: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout
    assert Path("net.arch").read_text(encoding="utf-8") == NET


def test_a_network_at_fault_is_told_of_and_writes_nothing(place: Path) -> None:
    result = run("bad.arch:net", "-o", "table.txt")
    assert result.exit_code == 1
    assert "there is no layer, block or tensor convv" in result.stderr
    assert not Path("table.txt").exists()


def test_a_terminal_gets_no_longer_lines_than_it_has_room_for() -> None:
    pty = pytest.importorskip("pty", reason="there are none here")
    command = [
        sys.executable,
        "-m",
        "archdsl",
        "summary",
        f"{ROOT / 'specs' / 'vit.arch'}:vit_b_16",
    ]
    outside, inside = pty.openpty()
    environment = {**os.environ, "COLUMNS": "90", "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(command, cwd=ROOT, stdout=inside, env=environment) as process:
        os.close(inside)
        shown = b""
        with contextlib.suppress(OSError), os.fdopen(outside, "rb", buffering=0) as stream:
            while piece := stream.read(4096):  # an error ends what a terminal says
                shown += piece
    assert process.returncode == 0
    lines = shown.decode().splitlines()
    rule = next(line for line in lines if line.startswith("─"))
    table = lines[: lines.index(rule, lines.index(rule) + 1) + 2]
    assert "encoder" in "\n".join(table)
    assert max(map(len, table)) <= 90
    assert any(line.startswith("Left out to fit: training-memory") for line in lines)


RUN = """
import sys
from archdsl.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
sys.stderr.write(" ".join(sys.modules))
"""


@pytest.mark.parametrize("form", ["text", "markdown", "latex", "csv", "json"])
def test_it_loads_nothing_heavy(form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", RUN, "summary", f"{RESNET}:resnet18", "--format", form],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        env={"PYTHONIOENCODING": "utf-8", "PATH": ""},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "conv1" in done.stdout
    loaded = set(done.stderr.split())
    assert "archdsl.backends.summary" in loaded
    heavy = {"torch", "numpy", "rich", "wasmtime", "resvg_py", "archdsl.backends.dot"}
    assert not loaded & heavy
