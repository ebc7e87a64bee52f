"""Every code is registered, used, explained by an example that gets it, and in the corpus."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import archdsl
from archdsl.codes import CODES, Code
from archdsl.diagnostics import ArchError, Diagnostic, render
from archdsl.ops import foreign
from archdsl.ops.arguments import OpError
from tests.errors.expectations import cases, expectations

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "diagnostics.md"
SOUND = "network example {\n    input x: [4]\n    linear(8) -> relu\n}\n"

# Codes of a message are the first argument of what makes one, or its keyword `code`.
MAKERS = re.compile(r"(Diagnostic|OpError|_?error|warn|_code|\w*(refuse|fail|problem)\w*)$")
CODE = re.compile(r"[a-z]+(-[a-z]+)+|syntax|misplaced|recursion")
NOT_IN_THE_CORPUS = {
    "bad-call": "tests/test_cli.py",
    "bad-checkpoint": "tests/training/run/",
    "bad-data": "tests/training/data/",
    "bad-graph": "tests/test_graph.py",
    "bad-weights": "tests/backends/",
    "cannot-run": "tests/training/run/",
    "data-mismatch": "tests/training/data/",
    "ignored-columns": "tests/cli/",
    "loss-not-finite": "tests/training/run/",
    "no-data": "tests/cli/test_train.py",
    "no-graphviz": "tests/render/",
    "no-lightning": "tests/cli/test_train.py",
    "no-onnx": "tests/backends/",
    "no-recipe": "tests/cli/test_train.py",
    "no-run": "tests/cli/test_train.py",
    "not-optimized": "tests/backends/",
    "no-torch": "below",
    "no-volume": "tests/backends/",
    "onnx-failed": "tests/backends/",
    "results-folder": "tests/training/run/",
    "skipped-files": "tests/training/data/",
    "too-large-to-draw": "tests/render/",
    "unknown-network": "below",
    "unwritable-file": "below",
}


def used() -> Iterator[tuple[str, str]]:
    """The codes in the package's own text, each with a place."""
    for path in sorted((ROOT / "archdsl").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or path.name == "codes.py":
                continue
            makes = MAKERS.search(ast.unparse(node.func))
            values = [*(node.args[:1] if makes else ())]
            values += [k.value for k in node.keywords if k.arg == "code"]
            for value in values:
                for part in ast.walk(value):
                    text = part.value if isinstance(part, ast.Constant) else None
                    if isinstance(text, str) and CODE.fullmatch(text):
                        yield text, f"{path.relative_to(ROOT)}:{node.lineno}"


def test_every_code_in_use_is_registered() -> None:
    unknown = sorted((code, place) for code, place in used() if code not in CODES)
    assert not unknown, f"say in archdsl/codes.py what they mean: {unknown}"


def test_every_registered_code_is_in_use() -> None:
    assert set(CODES) == {code for code, _ in used()}


def test_every_code_is_in_the_corpus() -> None:
    seen = {mistake.code for case in cases() for mistake, _ in expectations(case)}
    assert set(CODES) - seen == set(NOT_IN_THE_CORPUS)


def test_the_severity_is_the_one_that_is_registered() -> None:
    for case in cases():
        for mistake, _ in expectations(case):
            assert mistake.severity == CODES[mistake.code].severity, mistake


# The examples -----------------------------------------------------------------------


def said_of(
    code: Code, text: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[Diagnostic]:
    """What is said of an example; a program says it by an error, or by a report."""
    monkeypatch.chdir(folder)
    example = Path("example.arch")
    if code.kind == "arch":
        example.write_text(text, encoding="utf-8")
        try:
            return list(archdsl.check("example.arch:example").diagnostics)
        except ArchError as error:
            return list(error.diagnostics)
    example.write_text(SOUND, encoding="utf-8")
    monkeypatch.setattr(foreign, "PROBE", foreign.PROBE)
    *lines, last = ast.parse(text).body
    names: dict[str, object] = {}
    try:
        exec(compile(ast.Module(lines, []), "example.py", "exec"), names)
        assert isinstance(last, ast.Expr)
        result = eval(compile(ast.Expression(last.value), "example.py", "eval"), names)
    except ArchError as error:
        return list(error.diagnostics)
    except OpError as problem:
        return [Diagnostic(problem.code, problem.message, help=problem.help)]
    return list(result.diagnostics) if isinstance(result, archdsl.Report) else []


RUN = [code for code in CODES.values() if code.kind != "sh"]


@pytest.mark.parametrize("code", RUN, ids=lambda code: code.name)
def test_the_example_gets_its_code_and_no_other(
    code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = said_of(code, code.example, tmp_path, monkeypatch)
    assert [(d.code, d.severity) for d in said] == [(code.name, code.severity)], said


@pytest.mark.parametrize("code", RUN, ids=lambda code: code.name)
def test_the_mended_example_is_sound(
    code: Code, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said_of(code, code.mended, tmp_path, monkeypatch) == []


# The page ---------------------------------------------------------------------------

HEAD = """\
# What the messages mean

Every message has a permanent code. For each, here is what it means, an example that gets it with
what is said of it, and the same example mended. `error`s keep a network from being compiled,
`warning`s do not.

This page is made from `archdsl/codes.py` (`make golden` writes it), and its examples are run.
"""


def page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """docs/diagnostics.md as it should be."""
    names = sorted(CODES)
    parts = [HEAD, "\n".join(f"- [{name}](#{name}): {CODES[name].meaning}" for name in names)]
    for name in names:
        code = CODES[name]
        parts.append(
            f"## {name}\n\n{'' if code.severity == 'error' else 'A warning. '}{code.meaning}"
        )
        parts.append(f"```{code.kind}\n{code.example}```")
        if code.kind != "sh":
            said = said_of(code, code.example, folder, monkeypatch)
            shown = "\n\n".join(render(d) for d in said)
            parts.append(f"```text\n{shown}\n```")
        parts.append(f"Mended:\n\n```{code.kind}\n{code.mended}```")
    return "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def test_the_page_is_made_from_the_registry(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = page(tmp_path, monkeypatch)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(text, encoding="utf-8", newline="\n")
    assert PAGE.read_text(encoding="utf-8") == text, "`make golden` writes docs/diagnostics.md anew"
