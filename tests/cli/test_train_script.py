"""``archdsl compile --with-training``: which train block becomes the script."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from archdsl.cli import cli

SPECIFICATION = """\
network n {
    input x: [4]

    linear(3)
}

train slow for n {
    loss: cross_entropy
    epochs: 77
}

train quick for n {
    loss: cross_entropy
    epochs: 3
}
"""


@pytest.fixture
def place(tmp_path: Path) -> str:
    place = tmp_path / "n.arch"
    place.write_text(SPECIFICATION, encoding="utf-8")
    return str(place)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["compile", *arguments])


@pytest.mark.parametrize(("name", "epochs"), [("slow", 77), ("quick", 3)])
def test_a_recipe_is_chosen_by_its_name(place: str, name: str, epochs: int) -> None:
    done = call(place, "--with-training", "--recipe", name)
    assert done.exit_code == 0
    assert f'"--epochs", type=int, default={epochs}' in done.stdout


def test_without_a_name_several_are_too_many(place: str) -> None:
    done = call(place, "--with-training")
    assert done.exit_code == 1
    assert "slow" in done.output
    assert "quick" in done.output


def test_a_name_that_is_none_is_said(place: str) -> None:
    done = call(place, "--with-training", "--recipe", "quik")
    assert done.exit_code == 1
    assert "did you mean quick?" in done.output


def test_a_recipe_goes_with_training(place: str) -> None:
    done = call(place, "--recipe", "quick")
    assert done.exit_code == 2
    assert "--with-training" in done.output
