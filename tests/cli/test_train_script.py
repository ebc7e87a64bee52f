"""``archdsl compile --with-training``: which train block becomes the script."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
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


@pytest.mark.parametrize("schedule", ["one_cycle", "cosine(warmup = 3)"])
def test_a_script_runs_for_as_many_epochs_as_it_is_told(schedule: str, tmp_path: Path) -> None:
    block = f"train for n {{ loss: cross_entropy; schedule: {schedule}; epochs: 4 }}\n"
    text = SPECIFICATION.partition("train")[0] + block
    (tmp_path / "n.arch").write_text(text, encoding="utf-8")
    assert (
        call(str(tmp_path / "n.arch"), "--with-training", "-o", str(tmp_path / "n.py")).exit_code
        == 0
    )
    x = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    np.savez(tmp_path / "n.npz", x_train=x, target_train=x[:, :3].argmax(1))
    for epochs in ("7", "2"):
        command = [sys.executable, "n.py", "n.npz", "--epochs", epochs]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert (tmp_path / "weights.pt").exists()


def test_a_script_without_an_average_holds_no_rate_for_it(tmp_path: Path) -> None:
    """When it would begin hangs on how many epochs there are."""
    average = "average: swa(lr = 0.5); schedule: cosine"
    text = SPECIFICATION.partition("train")[0]
    text += f"train for n {{ loss: cross_entropy; {average}; epochs: 8 }}\n"
    (tmp_path / "n.arch").write_text(text, encoding="utf-8")
    script = call(str(tmp_path / "n.arch"), "--with-training").stdout
    assert "# Not in this script: average: swa(" in script
    assert "T_max=epochs" in script
    assert "0.5 /" not in script


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
