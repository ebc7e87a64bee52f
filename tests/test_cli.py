"""The command line: what each command prints and where, its exit code, and what it never does."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import networkx as nx
import pytest
from click.testing import CliRunner, Result

import archdsl
from archdsl.cli import cli
from archdsl.commands import check as check_module
from archdsl.output import write_file

ROOT = Path(__file__).resolve().parent.parent
SPECS = ROOT / "specs"

GOOD = """\
network good(width = 4, act = relu) {
    input x: [3, H, W]
    conv(width, 3) -> act -> max_pool(2)
}
"""
BAD = """\
network bad {
    input x: [3, 8, 8]
    convv(4, 3) -> relu
}
"""
FAMILY = """\
block unit(width) { conv(width, 3) -> relu }

network family(unit, widths) {
    input x: [3, 16, 16]
    for width in widths { unit(width) }
}

network small = family(unit, [4])
network large = family(unit, [4, 8])
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a sound specification and a faulty one."""
    monkeypatch.chdir(tmp_path)
    for name, text in (("good", GOOD), ("bad", BAD), ("family", FAMILY)):
        Path(f"{name}.arch").write_text(text, encoding="utf-8")
    return tmp_path


def run(*arguments: str, **more: Any) -> Result:
    return CliRunner().invoke(cli, list(arguments), **more)


def run_process(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "archdsl", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **more.pop("env", {})},
        capture_output=True,
        text=True,
        encoding=more.pop("encoding", "utf-8"),
        check=False,
        **more,
    )


def no_traceback(result: Result) -> None:
    assert "Traceback" not in result.output
    assert "has a bug" not in result.output
    assert result.exit_code in {0, 1, 2}


# check ----------------------------------------------------------------------------


def test_check_says_what_is_known_of_a_sound_network(place: Path) -> None:
    done = run("check", "good.arch:good")
    assert done.exit_code == 0
    assert done.stderr == ""
    assert done.stdout == (
        "good: x [3, H, W] → [4, H // 2 - 1, W // 2 - 1] · 112 parameters"
        " · 5.32 M multiply-adds at H = W = 224\n"
        "  H and W must be at least 4 (good.arch:3:30)\n"
    )


def test_check_reports_a_mistake_at_its_place(place: Path) -> None:
    done = run("check", "bad.arch")
    assert done.exit_code == 1
    assert done.stderr == ""
    assert "error[unknown-name]: there is no layer, block or tensor convv" in done.stdout
    assert "--> bad.arch:3:5" in done.stdout
    assert done.stdout.endswith("bad: 1 error\n1 error\n")


def test_check_reports_independent_mistakes_in_one_run() -> None:
    text = "network n {\n    input x: [3]\n    linear(4) -> rellu\n    linear(-1)\n}\n"
    done = run("check", "-", input=text)
    assert done.exit_code == 1
    assert "no layer, block or tensor rellu" in done.stdout
    assert "out_features of linear must be positive, not -1" in done.stdout
    assert done.stdout.endswith("n: 2 errors\n2 errors\n")


def test_check_goes_on_to_the_other_files(place: Path) -> None:
    done = run("check", "bad.arch", "good.arch", "nowhere.arch")
    assert done.exit_code == 2
    assert "bad: 1 error" in done.stdout
    assert "good: x [3, H, W]" in done.stdout
    assert done.stdout.endswith("2 errors\n")
    assert "there is no file nowhere.arch" in done.stderr


def test_check_names_templates_as_checked_through_others(place: Path) -> None:
    done = run("check", "family.arch")
    assert done.exit_code == 0
    assert done.stdout.splitlines()[-2:] == [
        "family: a template, checked through small and large",
        "2 networks, no errors",
    ]


def test_check_says_that_a_template_is_left_out(place: Path) -> None:
    text = FAMILY.partition("network small")[0]
    Path("template.arch").write_text(text, encoding="utf-8")
    done = run("check", "template.arch")
    assert (done.exit_code, done.stdout) == (
        0,
        "family: a template, not checked: it needs unit and widths (--set)\n",
    )


def test_a_file_of_blocks_alone_is_clean() -> None:
    done = run("check", "-", input="block unit(width) { linear(width) }")
    assert done.exit_code == 0
    assert done.stdout == "<stdin>: no networks; its blocks are checked where they are used\n"


def test_a_mistake_in_a_shared_block_is_shown_once(place: Path) -> None:
    Path("family.arch").write_text(FAMILY.replace("relu", "rellu"), encoding="utf-8")
    done = run("check", "family.arch")
    assert done.exit_code == 1
    assert done.stdout.count("error[") == 1
    assert "small: 1 error\nlarge: 1 error\n" in done.stdout
    assert done.stdout.endswith("\n1 error\n")


def test_a_mistake_of_the_file_is_shown_once_and_alone(place: Path) -> None:
    Path("family.arch").write_text('from "gone.arch" import x\n' + FAMILY, encoding="utf-8")
    done = run("check", "family.arch")
    assert done.exit_code == 1
    assert done.stdout.count("error[") == 1


def test_a_warning_is_no_error() -> None:
    text = "network n {\n    input x: [3]\n    input y: [3]\n    x -> linear(2)\n}\n"
    done = run("check", "-", input=text)
    assert done.exit_code == 0
    assert "warning[unused-input]: nothing uses the input y" in done.stdout
    assert done.stdout.endswith("1 warning\n")


def test_a_batch_norm_is_known_to_need_a_batch() -> None:
    done = run("check", "-", input="network n { input x: [3]; linear(2) -> bn }")
    assert "training needs a batch of at least 2" in done.stdout


def test_a_syntax_error_is_the_specification_s_fault() -> None:
    done = run("check", "-", input="network n {\n    input x: [3\n    linear(2)\n}\n")
    assert done.exit_code == 1
    assert "error[syntax]" in done.stdout
    assert done.stdout.endswith("1 error\n")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0"),
        (61_706, "61,706"),
        (269_722, "270 K"),
        (25_557_032, "25.6 M"),
        (4_089_184_256, "4.09 G"),
        (123_400_000, "123 M"),
        (25_028_904, "25.0 M"),
        (999_900_000, "999 M"),
    ],
)
def test_numbers_are_said_as_people_say_them(number: int, said: str) -> None:
    assert check_module._count(number) == said


# --json ---------------------------------------------------------------------------


def test_check_as_json_is_one_document(place: Path) -> None:
    done = run("check", "--json", "good.arch", "bad.arch")
    assert (done.exit_code, done.stderr) == (1, "")
    document = json.loads(done.stdout)
    assert list(document) == ["networks", "diagnostics", "errors", "warnings"]
    assert (document["errors"], document["warnings"]) == (1, 0)
    assert document["networks"] == [
        {
            "file": "good.arch",
            "network": "good",
            "ok": True,
            "inputs": {"x": [3, "H", "W"]},
            "outputs": {"output": [4, "H // 2 - 1", "W // 2 - 1"]},
            "in_training": [],
            "parameters": 112,
            "multiply_adds": "108*H*W - 216*H - 216*W + 432",
            "conditions": ["H and W must be at least 4"],
            "least_batch": 1,
        },
        {"file": "bad.arch", "network": "bad", "ok": False},
    ]
    (diagnostic,) = document["diagnostics"]
    assert diagnostic["code"] == "unknown-name"
    assert diagnostic["place"] == {
        "file": "bad.arch",
        "line": 3,
        "column": 5,
        "end_line": 3,
        "end_column": 10,
    }


def test_a_call_that_is_at_fault_is_told_in_json_too() -> None:
    done = run("check", "--json", "nowhere.arch")
    assert (done.exit_code, done.stderr) == (2, "")
    (diagnostic,) = json.loads(done.stdout)["diagnostics"]
    assert diagnostic["code"] == "unreadable-file"
    assert diagnostic["place"] is None


def test_the_chain_of_calls_is_text_in_json(place: Path) -> None:
    Path("family.arch").write_text(FAMILY.replace("relu", "linear(-2)"), encoding="utf-8")
    done = run("check", "--json", "family.arch:small")
    (diagnostic,) = json.loads(done.stdout)["diagnostics"]
    assert diagnostic["calls"] == ["unit(4), called from family.arch:5:27 at unit1"]


@pytest.mark.parametrize("command", ["compile", "graph", "fmt"])
def test_other_commands_keep_their_product_apart_from_json(place: Path, command: str) -> None:
    target = "good.arch" if command == "fmt" else "good.arch:good"
    done = run(command, "--json", target)
    assert done.exit_code == 0
    assert '"errors"' not in done.stdout
    assert json.loads(done.stderr.partition("good.arch")[0]) == {
        "diagnostics": [],
        "errors": 0,
        "warnings": 0,
    }
    broken = run(command, "--json", "nowhere.arch")
    assert (broken.exit_code, broken.stdout) == (2, "")
    assert json.loads(broken.stderr)["errors"] == 1


# FILE:NETWORK and --set -----------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "shape"),
    [
        (["width=8"], "[8, "),
        (["width = 2 ** 3"], "[8, "),
        (["width=8", "act=leaky_relu(0.1)"], "[8, "),
        (["width=sum([1, 2, 3])"], "[6, "),
        (["width=7 # of them"], "[7, "),
    ],
)
def test_set_takes_what_the_language_takes(place: Path, settings: list[str], shape: str) -> None:
    done = run("check", "good.arch", *(f"--set={text}" for text in settings))
    assert done.exit_code == 0, done.output
    assert f"→ {shape}" in done.stdout


def test_set_looks_names_up_in_the_file(place: Path) -> None:
    done = run("check", "family.arch:family", "--set", "unit=unit", "--set", "widths=[4, 5, 6]")
    assert done.exit_code == 0, done.output
    assert "→ [6, 10, 10]" in done.stdout


def test_set_reaches_the_parameters_of_what_a_network_is_made_from(place: Path) -> None:
    done = run("check", "family.arch:small", "--set", "widths=[7]")
    assert done.exit_code == 0, done.output
    assert "→ [7, 14, 14]" in done.stdout


@pytest.mark.parametrize(
    ("target", "setting", "said"),
    [
        ("good.arch", "width", "--set takes NAME=VALUE, not 'width'"),
        ("good.arch", "=3", "--set takes NAME=VALUE, not '=3'"),
        ("good.arch", "width=", "--set:1:7"),
        ("good.arch", "width=4 +", "expected a value after `+`"),
        ("good.arch", "act=reluu", "there is no name reluu"),
        ("good.arch", "width=4\nlet b=3", "takes one value"),
        ("good.arch", "width=-4", "must be positive, not -4"),
        ("good.arch", "width=4.5", "must be a whole number, not 4.5"),
        ("good.arch", 'width="4"', 'not the text "4"'),
        ("good.arch", "withd=4", "did you mean width?"),
        ("good.arch", "width=__import__('os')", "error["),
        ("good.arch", "width=9**9**9**9", "error["),
        ("good.arch", "width=[0] * 10 ** 12", "error["),
        ("good.arch:god", "width=4", "did you mean good?"),
        ("family.arch", "act=relu", "the network family has no parameter act"),
        ("family.arch:family", "widths=[4]", "it needs unit"),
    ],
)
def test_a_wrong_call_is_the_call_s_fault(
    place: Path, target: str, setting: str, said: str
) -> None:
    done = run("check", target, "--set", setting)
    no_traceback(done)
    assert done.exit_code == 2, done.output
    assert said in done.stderr
    assert done.stdout == ""


def test_a_value_given_twice_is_an_error(place: Path) -> None:
    done = run("check", "good.arch", "--set", "width=3", "--set", "width=4")
    assert done.exit_code == 2
    assert "--set gives width twice" in done.stderr


def test_a_faulty_network_stays_at_fault_with_settings() -> None:
    text = "network n(width = 3) { input x: [3]; linear(width) -> rellu }"
    assert run("check", "-", "--set", "width=4", input=text).exit_code == 1


@pytest.mark.parametrize("command", ["compile", "graph"])
def test_one_of_several_networks_must_be_named(place: Path, command: str) -> None:
    done = run(command, "family.arch")
    assert done.exit_code == 2
    assert "has several networks: say which" in done.stderr
    assert "= note: its networks are small, large" in done.stderr
    assert "= help: family.arch:small" in done.stderr


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("nowhere.arch", "there is no file nowhere.arch"),
        ("nowhere.arch:net", "there is no file nowhere.arch"),
        (".", "cannot be read: is a directory"),
        ("good.arch:", "good.arch has no network "),
        ("good.arch:res-net", "good.arch has no network res-net"),
        ("a\0b", "cannot be read"),
    ],
)
def test_a_file_that_cannot_be_read_is_the_call_s_fault(
    place: Path, target: str, said: str
) -> None:
    for command in ("check", "compile", "graph"):
        done = run(command, target)
        no_traceback(done)
        assert done.exit_code == 2, done.output
        assert said in done.stderr


def test_a_file_that_is_no_text_is_refused(place: Path) -> None:
    Path("image.arch").write_bytes(b"\x89PNG\xff\xfe")
    for command in ("check", "compile", "graph", "fmt"):
        done = run(command, "image.arch")
        assert done.exit_code == 2
        assert "image.arch is not UTF-8 text" in done.stderr
    done = run("check", "-", input=b"\xff")
    assert done.exit_code == 2
    assert "<stdin> is not UTF-8 text (byte 0)" in done.stderr


# compile --------------------------------------------------------------------------


def test_compile_prints_the_source(place: Path) -> None:
    done = run("compile", "good.arch")
    assert (done.exit_code, done.stderr) == (0, "")
    assert done.stdout == archdsl.source("good.arch")
    compile(done.stdout, "good.py", "exec")


def test_compile_reads_standard_input() -> None:
    done = run("compile", "-", "--set", "width=5", input=GOOD)
    assert done.exit_code == 0
    assert done.stdout == archdsl.source(archdsl.loads(GOOD), width=5)


def test_compile_writes_a_file(place: Path) -> None:
    done = run("compile", "good.arch:good", "-o", "good.py")
    assert (done.exit_code, done.output) == (0, "")
    assert Path("good.py").read_text(encoding="utf-8") == archdsl.source("good.arch")


def test_compile_shows_mistakes_and_writes_nothing(place: Path) -> None:
    Path("bad.py").write_text("precious", encoding="utf-8")
    done = run("compile", "bad.arch", "-o", "bad.py")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "error[unknown-name]" in done.stderr
    assert Path("bad.py").read_text(encoding="utf-8") == "precious"


def test_compile_shows_warnings_beside_the_source() -> None:
    text = "network n {\n    input x: [3]\n    input y: [3]\n    x -> linear(2)\n}\n"
    done = run("compile", "-", input=text)
    assert done.exit_code == 0
    assert "warning[unused-input]" in done.stderr
    assert "warning" not in done.stdout


def test_compile_never_writes_over_the_specification(place: Path) -> None:
    done = run("compile", "good.arch:good", "-o", "./good.arch")
    assert done.exit_code == 2
    assert "is the specification itself" in done.stderr
    assert Path("good.arch").read_text(encoding="utf-8") == GOOD


# fmt ------------------------------------------------------------------------------

UNTIDY = "network n{input x:[3];linear( 2 )}   # two\n"


def test_fmt_formats_in_place_and_again_changes_nothing(place: Path) -> None:
    path = Path("untidy.arch")
    path.write_text(UNTIDY, encoding="utf-8")
    done = run("fmt", "untidy.arch", "good.arch")
    assert (done.exit_code, done.stdout, done.stderr) == (0, "", "untidy.arch reformatted\n")
    text = path.read_text(encoding="utf-8")
    assert text == archdsl.fmt(UNTIDY)
    assert "# two" in text
    before = path.stat().st_mtime_ns
    assert run("fmt", "untidy.arch").output == ""
    assert path.stat().st_mtime_ns == before


def test_fmt_check_tells_and_writes_nothing(place: Path) -> None:
    path = Path("untidy.arch")
    path.write_text(UNTIDY, encoding="utf-8")
    done = run("fmt", "--check", "untidy.arch", "good.arch")
    assert (done.exit_code, done.stdout) == (1, "untidy.arch would be reformatted\n")
    assert path.read_text(encoding="utf-8") == UNTIDY
    assert run("fmt", "--check", "good.arch").exit_code == 0


def test_fmt_diff_shows_what_would_change(place: Path) -> None:
    Path("untidy.arch").write_text(UNTIDY.rstrip("\n"), encoding="utf-8")
    done = run("fmt", "--diff", "untidy.arch")
    assert done.exit_code == 0
    assert done.stdout.startswith("--- untidy.arch\n+++ untidy.arch formatted\n")
    assert "-network n{input x:[3];linear( 2 )}   # two\n\\ No newline" in done.stdout
    assert run("fmt", "--check", "--diff", "untidy.arch").exit_code == 1


def test_fmt_filters_standard_input() -> None:
    done = run("fmt", "-", input=UNTIDY)
    assert (done.exit_code, done.stdout) == (0, archdsl.fmt(UNTIDY))


def test_fmt_leaves_a_file_that_it_cannot_read_alone(place: Path) -> None:
    path = Path("broken.arch")
    path.write_text("network n { input x: [3", encoding="utf-8")
    done = run("fmt", "broken.arch", "nowhere.arch")
    assert done.exit_code == 2
    assert "error[" in done.stderr
    assert path.read_text(encoding="utf-8") == "network n { input x: [3"
    assert run("fmt", "broken.arch").exit_code == 1


def test_fmt_makes_line_ends_and_marks_plain(place: Path) -> None:
    path = Path("windows.arch")
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert run("fmt", "--check", "windows.arch").exit_code == 1
    assert run("fmt", "windows.arch").exit_code == 0
    assert path.read_bytes() == GOOD.encode()


# graph ----------------------------------------------------------------------------


def test_graph_is_a_table() -> None:
    done = run("graph", str(SPECS / "wide_and_deep.arch"))
    assert (done.exit_code, done.stderr) == (0, "")
    header, *rows = done.stdout.splitlines()
    assert header.split() == ["node", "layer", "inputs", "shape"]
    assert len(rows) == archdsl.graph(str(SPECS / "wide_and_deep.arch")).number_of_nodes()
    assert "concat1  concat                     wide, relu2  [35]" in rows
    assert all(row == row.rstrip() for row in rows)


def test_graph_says_which_of_several_outputs_is_taken() -> None:
    text = "network n { input x: [T, 8]; lstm(4) as (s, h, c); concat(s, s) }"
    done = run("graph", "-", input=text)
    assert "lstm1[0], lstm1[0]" in done.stdout
    assert "[T, 4] [1, 4] [1, 4]" in done.stdout


@pytest.mark.parametrize("target", ["recurrent.arch:lstm_classifier", "gpt.arch:gpt_tiny"])
def test_graph_as_json_makes_a_graph_again(target: str) -> None:
    done = run("graph", str(SPECS / target), "--format", "json")
    assert done.exit_code == 0
    found = nx.node_link_graph(json.loads(done.stdout), edges="edges")
    graph = archdsl.graph(str(SPECS / target))
    assert isinstance(found, nx.MultiDiGraph)
    assert list(found) == list(graph)
    assert sorted(found.edges(keys=True)) == sorted(graph.edges(keys=True))
    assert {n: d["op"] for n, d in found.nodes(data=True)} == {
        n: d["op"] for n, d in graph.nodes(data=True)
    }


# layers and new -------------------------------------------------------------------


def test_layers_lists_every_layer() -> None:
    done = run("layers")
    assert done.exit_code == 0
    assert done.stdout == archdsl.layers()
    for name in ("conv ", "batch_norm, bn ", "lstm ", "concat, cat "):
        assert f"\n  {name}" in done.stdout
    assert "scan end" not in done.stdout


def test_layers_shows_the_reference_of_one() -> None:
    done = run("layers", "bn")
    assert done.exit_code == 0
    assert done.stdout == archdsl.layers("batch_norm")
    assert done.stdout.startswith("batch_norm(eps = 1e-05, momentum = 0.1, ")
    for part in ("Arguments\n  eps = 1e-05", "PyTorch: `nn.BatchNorm1d`", "Also called bn."):
        assert part in done.stdout


def test_an_unknown_layer_is_the_call_s_fault() -> None:
    done = run("layers", "convv")
    assert done.exit_code == 2
    assert "error[unknown-layer]: there is no layer convv" in done.stderr
    assert "did you mean conv?" in done.stderr
    assert run("layers", "scan end").exit_code == 2


def test_new_lists_the_zoo() -> None:
    done = run("new")
    assert done.exit_code == 0
    assert done.stdout == archdsl.new()
    for path in SPECS.glob("*.arch"):
        assert any(line.split()[0] == path.stem for line in done.stdout.splitlines())


@pytest.mark.parametrize(("name", "file"), [("unet", "unet.arch"), ("resnet50", "resnet.arch")])
def test_new_starts_a_file_that_checks(place: Path, name: str, file: str) -> None:
    done = run("new", name)
    assert done.exit_code == 0
    assert done.stderr == f"wrote {file}; next: archdsl check {file}:{name}\n"
    assert Path(file).read_bytes() == (SPECS / file).read_bytes()
    assert run("check", file).exit_code == 0


def test_new_never_writes_over_a_file_unless_told_to(place: Path) -> None:
    Path("unet.arch").write_text("mine", encoding="utf-8")
    done = run("new", "unet")
    assert done.exit_code == 2
    assert "unet.arch cannot be written: it is there already" in done.stderr
    assert Path("unet.arch").read_text(encoding="utf-8") == "mine"
    assert run("new", "unet", "--force").exit_code == 0
    assert Path("unet.arch").read_text(encoding="utf-8") == archdsl.new("unet")


def test_new_says_what_else_a_file_needs(place: Path) -> None:
    done = run("new", "fcn")
    assert "it imports from resnet.arch: archdsl new resnet.arch" in done.stderr
    assert run("new", "resnet.arch").exit_code == 0
    assert run("check", "fcn.arch").exit_code == 0


def test_new_prints_and_misses(place: Path) -> None:
    assert run("new", "lenet", "-o", "-").stdout == archdsl.new("lenet")
    done = run("new", "rensnet50")
    assert done.exit_code == 2
    assert "did you mean resnet50?" in done.stderr


# Writing files --------------------------------------------------------------------


def outputs(place: Path) -> list[str]:
    return sorted(path.name for path in place.iterdir())


def test_a_folder_in_the_way_is_left_alone(place: Path) -> None:
    Path("out.py").mkdir()
    done = run("compile", "good.arch", "-o", "out.py")
    assert done.exit_code == 2
    assert "error[unwritable-file]: out.py cannot be written: it is a folder" in done.stderr


def test_a_missing_folder_is_said(place: Path) -> None:
    done = run("compile", "good.arch", "-o", "gone/out.py")
    assert done.exit_code == 2
    assert "gone/out.py cannot be written: there is no folder gone\n" in done.stderr
    done = run("compile", "good.arch", "-o", "good.arch/out.py")
    assert done.exit_code == 2
    assert "cannot be written" in done.stderr
    no_traceback(done)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root writes anywhere")
def test_a_folder_that_may_not_be_written_is_said(place: Path) -> None:
    Path("closed").mkdir(mode=0o500)
    done = run("compile", "good.arch", "-o", "closed/out.py")
    assert done.exit_code == 2
    assert "permission denied" in done.stderr


def test_a_full_disk_keeps_the_old_file(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out.py").write_text("old", encoding="utf-8")

    def fail(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    before = outputs(place)
    done = run("compile", "good.arch", "-o", "out.py")
    assert done.exit_code == 2
    assert "out.py cannot be written: no space left on device" in done.stderr
    assert Path("out.py").read_text(encoding="utf-8") == "old"
    assert outputs(place) == before


def test_an_interrupt_while_writing_keeps_the_old_file(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("out.py").write_text("old", encoding="utf-8")

    def interrupt(handle: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    before = outputs(place)
    done = run("compile", "good.arch", "-o", "out.py")
    assert (done.exit_code, done.output) == (130, "")
    assert Path("out.py").read_text(encoding="utf-8") == "old"
    assert outputs(place) == before


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_a_kill_while_writing_keeps_the_old_file(place: Path) -> None:
    Path("out.py").write_text("old", encoding="utf-8")
    code = (
        "import os, sys, time\n"
        "import archdsl.output\n"
        "def wait(handle):\n"
        "    print('writing', flush=True)\n"
        "    time.sleep(60)\n"
        "os.fsync = wait\n"
        "archdsl.output.write_file('out.py', 'new' * 1000)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    assert Path("out.py").read_text(encoding="utf-8") == "old"
    write_file("out.py", "newer")
    assert Path("out.py").read_text(encoding="utf-8") == "newer"


@pytest.mark.skipif(os.name != "posix", reason="permissions and links as POSIX has them")
def test_permissions_and_links_are_kept(place: Path) -> None:
    target, link = Path("target.py"), Path("link.py")
    target.write_text("old", encoding="utf-8")
    target.chmod(0o640)
    link.symlink_to(target)
    write_file(link, "new")
    assert link.is_symlink()
    assert target.read_text(encoding="utf-8") == "new"
    assert target.stat().st_mode & 0o777 == 0o640
    write_file("fresh.py", "")
    assert Path("fresh.py").stat().st_mode & 0o600 == 0o600


@pytest.mark.skipif(os.name != "posix", reason="there is no /dev/null")
def test_a_device_is_written_to_and_never_replaced(place: Path) -> None:
    assert run("compile", "good.arch", "-o", os.devnull).exit_code == 0
    assert Path(os.devnull).is_char_device()


# The house ------------------------------------------------------------------------


def test_help_reads_well() -> None:
    done = run("--help")
    assert done.exit_code == 0
    for name, command in cli.commands.items():
        assert f"\n  {name}" in done.stdout
        shown = run(name, "--help").stdout
        assert "Examples:\n  archdsl" in shown.replace("\n    ", "\n  ")
        assert max(len(line) for line in shown.splitlines()) <= 80
        assert isinstance(command, click.Command)
    assert "Exit codes: 0 all is well, 1 the specification is at fault" in done.stdout


def test_version() -> None:
    assert run("--version").stdout == f"archdsl, version {archdsl.__version__}\n"


@pytest.mark.parametrize("arguments", [["frobnicate"], ["check"], ["check", "--nope", "x"]])
def test_a_call_that_click_refuses_exits_with_two(arguments: list[str]) -> None:
    done = run(*arguments)
    assert done.exit_code == 2
    assert done.stdout == ""


def test_every_command_is_a_function_of_the_same_name() -> None:
    for name in cli.commands:
        assert callable(getattr(archdsl, name))
        assert name in archdsl.__all__


def test_a_bug_is_one_line_and_a_traceback_only_for_who_asks(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("of all\nthings")

    monkeypatch.setattr(check_module, "open_target", fail)
    done = run("check", "good.arch")
    assert done.exit_code == 70
    assert done.stderr.count("\n") == 1
    assert "has a bug (ZeroDivisionError: of all); please report it" in done.stderr


@pytest.mark.parametrize(
    ("terminal", "no_color", "coloured"),
    [(True, None, True), (True, "1", False), (True, "", True), (False, None, False)],
)
def test_colour_is_for_terminals_that_want_it(
    place: Path, terminal: bool, no_color: str | None, coloured: bool
) -> None:
    done = run("check", "bad.arch", color=terminal, env={"NO_COLOR": no_color})
    assert ("\x1b[" in done.stdout) is coloured
    plain = click.unstyle(done.stdout)
    assert "error[unknown-name]: there is no layer, block or tensor convv\n" in plain


def test_what_a_file_holds_never_steers_the_terminal() -> None:
    text = 'network n { input x: [3]; linear("\x1b[31m") }'
    done = run("check", "-", input=text)
    assert done.exit_code == 1
    assert "\x1b" not in done.stdout


def test_a_reader_that_leaves_is_no_error(place: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "archdsl", "layers"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


@pytest.mark.skipif(os.name != "posix", reason="interrupts as POSIX has them")
def test_an_interrupt_is_quiet() -> None:
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import archdsl.cli; print(flush=True); archdsl.cli.main()",
            "fmt",
            "-",
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
        assert process.stderr.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["check", "good.arch"], ["layers"], ["--help"]])
def test_output_to_a_full_disk_is_no_bug(place: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "archdsl", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr == "the output cannot be written: no space is left\n"


def test_a_process_ends_at_once_and_leaves_nothing_out(place: Path) -> None:
    """All that was written arrives, what was registered for the end runs, the code is told."""
    code = (
        "import atexit, sys\n"
        "from archdsl.cli import process\n"
        "atexit.register(print, 'the end')\n"
        "try:\n"
        "    process()\n"
        "finally:\n"
        "    print('taken apart')\n"
    )
    for file, expected in (("good.arch", 0), ("nowhere.arch", 2)):
        done = subprocess.run(
            [sys.executable, "-c", code, "check", file],
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expected
        assert done.stdout.endswith("the end\n"), done
        assert ("good: x" in done.stdout) == (expected == 0)
        assert ("nowhere.arch" in done.stderr) == (expected == 2)


def test_an_old_locale_is_no_obstacle(place: Path) -> None:
    done = run_process(
        "check", "good.arch", env={"PYTHONIOENCODING": "latin-1"}, encoding="latin-1"
    )
    assert done.returncode == 0
    assert "good: x [3, H, W] \\u2192 [4, " in done.stdout


HEAVY = ("torch", "onnx", "onnxscript", "numpy")


@pytest.mark.parametrize(
    "arguments",
    [
        ["check", "good.arch"],
        ["compile", "good.arch"],
        ["compile", "good.arch", "-o", "out.py"],
        ["graph", "good.arch"],
        ["fmt", "good.arch"],
        ["layers"],
        ["layers", "conv"],
        ["new"],
        ["new", "unet"],
        ["--help"],
    ],
)
def test_only_what_runs_a_network_imports_torch(place: Path, arguments: list[str]) -> None:
    code = (
        "import sys\n"
        "from archdsl.cli import main\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as end:\n"
        "    assert not end.code, end.code\n"
        f"found = [name for name in {HEAVY} if name in sys.modules]\n"
        "assert not found, found\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
