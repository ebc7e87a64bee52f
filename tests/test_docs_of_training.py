"""docs/training.md and docs/techniques.md: the one is run, the other made from the registry."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archdsl
from archdsl.cli import COMMANDS
from archdsl.handbook import describe_technique, list_techniques, techniques_page
from archdsl.recipes.settings import SETTINGS
from archdsl.techniques.technique import Technique, kinds, names, registered

ROOT = Path(__file__).resolve().parent.parent
GUIDE = ROOT / "docs" / "training.md"
REFERENCE = ROOT / "docs" / "techniques.md"
BLOCK = re.compile(r"^```(\w+)([^\n`]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
BLOCKS = BLOCK.findall(GUIDE.read_text(encoding="utf-8"))
SPECIFICATIONS = [(words.strip(), text) for language, words, text in BLOCKS if language == "arch"]
PROGRAMS = [text for language, _, text in BLOCKS if language == "python"]

EVERY = [cls for kind in kinds() for cls in registered(kind)]


@pytest.mark.parametrize(("words", "text"), SPECIFICATIONS)
def test_a_specification_of_the_guide_is_what_it_is_said_to_be(words: str, text: str) -> None:
    assert archdsl.fmt(text) == text
    specification = archdsl.loads(text)
    for network in specification.networks:
        recipe, found = specification.recipe(specification.graph(network))
        expected = re.findall(r"error\[([a-z-]+)\]", words)
        assert [d.code for d in found] == expected, "\n".join(map(str, found))
        assert (recipe is None) == bool(expected)


def test_the_programs_of_the_guide_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert PROGRAMS
    for program in PROGRAMS:
        exec(compile(program, "training.md", "exec"), {})


def test_every_block_of_the_guide_is_looked_at() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    assert text.count("\n```") == 2 * len(BLOCKS)
    assert len(SPECIFICATIONS) + len(PROGRAMS) == len(BLOCKS)
    assert len(SPECIFICATIONS) >= 5


def test_the_commands_of_the_guide_are_commands() -> None:
    text = GUIDE.read_text(encoding="utf-8")
    for command in re.findall(r"^    archdsl (\w+)", text, re.MULTILINE):
        assert command in COMMANDS


def test_the_settings_of_the_guide_are_settings() -> None:
    for _, text in SPECIFICATIONS:
        blocks = re.findall(r"^train.*?^}|^train [^\n]*}$", text, re.MULTILINE | re.DOTALL)
        for key in re.findall(r"^    (\w+):", "\n".join(blocks), re.MULTILINE):
            assert key in SETTINGS


def test_the_reference_is_made_from_the_registry(request: pytest.FixtureRequest) -> None:
    text = techniques_page()
    if request.config.getoption("--update-golden"):
        REFERENCE.write_text(text, encoding="utf-8", newline="\n")
    assert REFERENCE.read_text(encoding="utf-8") == text, "`make docs` writes it anew"


def test_every_technique_is_in_the_reference() -> None:
    text, listed = techniques_page(), list_techniques()
    for cls in EVERY:
        assert f"\n### {cls.name}\n" in text
        assert re.search(rf"^  {cls.name}\b", listed, re.MULTILINE)
        first = (cls.__doc__ or "").partition("\n")[0].replace("``", "`")
        assert first in describe_technique(cls.name)


@pytest.mark.parametrize("cls", EVERY, ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_the_example_of_a_technique_is_read(cls: type[Technique]) -> None:
    """In a block of a network that has all that the examples speak of."""
    assert cls.example, "give it an example"
    assert cls.name in names(cls.kind)
