"""``archdsl diff``: what it takes, what it prints, and how it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from archdsl.cli import cli

SPECS = Path(__file__).resolve().parents[2] / "specs"
RESNET = f"{SPECS / 'resnet.arch'}"

NET = """\
network net(width = 4, act = relu) {
    input x: [3, H, W]
    conv(width, 3) -> act -> max_pool(2)
}

network other(width = 4) {
    input x: [3, H, W]
    conv(width, 3) -> relu
}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.arch").write_text(NET, encoding="utf-8")
    Path("edited.arch").write_text(
        NET.replace("conv(width, 3)", "conv(width, 5)"), encoding="utf-8"
    )
    Path("bad.arch").write_text(NET.replace("conv", "convv"), encoding="utf-8")
    return tmp_path


def run(*arguments: str, **more: Any) -> Result:
    result = CliRunner().invoke(cli, ["diff", *arguments], **more)
    assert "Traceback" not in result.output
    return result


def first_line(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[0]


def test_two_networks_of_a_file_are_compared() -> None:
    result = run(f"{RESNET}:resnet18", f"{RESNET}:resnet34")
    assert first_line(result) == "resnet18 → resnet34: of 125 layers, 69 kept and 56 added"
    assert "multiply-adds at H = W = 224" in result.stdout
    assert "+ layer3.2 … 5" in result.stdout


def test_one_network_is_compared_at_two_settings(place: Path) -> None:
    result = run("net.arch:net", "--set-b", "width=8")
    assert first_line(result).startswith("net → net(width=8): ")
    assert "out_channels 4 → 8" in result.stdout
    result = run("net.arch:net", "--set-a", "width=2", "--set-b", "act=gelu", "--set", "width=2")
    assert result.exit_code == 2
    assert "--set gives width twice" in result.stderr


def test_a_setting_of_both_is_in_both(place: Path) -> None:
    result = run("net.arch:net", "--set", "act=gelu", "--set-b", "width=8", "--format", "json")
    data = json.loads(result.stdout)
    changed = [c for e in data["entries"] if e["what"] == "layer" for c in e["changes"]]
    assert changed[0]["name"] == "out_channels"
    assert not any(c["a"] == "relu" for e in data["entries"] for c in e["changes"])


def test_two_files_are_told_apart_by_their_names(place: Path) -> None:
    assert first_line(run("net.arch:net", "edited.arch:net")).startswith(
        "net.arch:net → edited.arch:net: "
    )


def test_standard_input_serves_both(place: Path) -> None:
    assert "1 removed" in first_line(run("--", "-:net", "-:other", input=NET))
    assert "1 changed" in first_line(
        run("--", "net.arch:net", "-:net", input=NET.replace("3)", "5)"))
    )


def test_sizes_are_given_or_usual(place: Path) -> None:
    assert "at H = W = 32" not in run("net.arch:net", "edited.arch:net").stdout
    result = run("net.arch:net", "edited.arch:net", "--sizes", "H=32,W=32")
    assert "multiply-adds at H = W = 32" in result.stdout
    # A map of 30 x 30 and one of 28 x 28, by hand.
    assert f"{30 * 30 * 4 * 3 * 9:,}" in result.stdout
    assert f"{28 * 28 * 4 * 3 * 25:,}" in result.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("net.arch:net",), "there is nothing to compare it with"),
        (("net.arch", "edited.arch:net"), "net.arch has several networks: say which"),
        (("net.arch:net", "none.arch"), "none.arch"),
        (("net.arch:net", "net.arch:nett"), "nett"),
        (("net.arch:net", "--set-b", "widht=3"), "no parameter widht"),
        (("net.arch:net", "--set-b", "3"), "NAME=VALUE"),
        (("net.arch:net", "net.arch:other", "--sizes", "H"), "NAME=SIZE"),
        (("net.arch:net", "net.arch:other", "--sizes", "H=0,W=4"), "NAME=SIZE"),
        (("net.arch:net", "net.arch:other", "--sizes", "H=2,W=4"), "cannot have H = 2"),
        (("net.arch:net", "net.arch:other", "--sizes", "H=8"), "leaves W open"),
        (("net.arch:net", "net.arch:other", "--sizes", "H=8,H=8"), "gives H twice"),
        (("net.arch:net", "net.arch:other", "--sizes", "H=8,W=8,D=8"), "no free size D"),
    ],
)
def test_a_call_that_is_at_fault_is_told_so(
    place: Path, arguments: tuple[str, ...], message: str
) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not result.stdout


def test_a_network_at_fault_is_told_of_and_nothing_compared(place: Path) -> None:
    result = run("net.arch:net", "bad.arch:net")
    assert result.exit_code == 1
    assert "there is no layer, block or tensor convv" in result.stderr
    assert not result.stdout


def test_the_exit_code_tells_only_when_asked(place: Path) -> None:
    assert run("net.arch:net", "edited.arch:net").exit_code == 0
    assert run("net.arch:net", "edited.arch:net", "--exit-code").exit_code == 1
    assert run("net.arch:net", "net.arch:net", "--exit-code").exit_code == 0


def test_markdown_is_a_table_and_two_blocks(place: Path) -> None:
    result = run("net.arch:net", "edited.arch:net", "--format", "markdown")
    assert "|---|---:|---:|---|" in result.stdout
    assert result.stdout.count("```") == 4


def test_json_names_both(place: Path) -> None:
    data = json.loads(run("net.arch:net", "net.arch:other", "--format", "json").stdout)
    assert (data["a"], data["b"]) == ("net", "other")
    assert data["counts"]["removed"] == 1
    assert data["sizes"] == {"H": 224, "W": 224}


def test_unfold_lists_what_was_folded() -> None:
    call = (f"{RESNET}:resnet18", f"{RESNET}:resnet34")
    folded, listed = run(*call).stdout, run(*call, "--unfold").stdout
    assert "+ layer3.4 " not in folded
    assert "+ layer3.4 " in listed


def test_colours_are_for_terminals_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = ("net.arch:net", "net.arch:other")
    assert "\x1b[" not in run(*call).stdout
    coloured = run(*call, color=True).stdout
    assert "\x1b[31m-" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[" not in run(*call, color=True).stdout
