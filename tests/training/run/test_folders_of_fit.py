"""The folder that ``archdsl.fit`` leaves, opened again by ``archdsl.trained``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import archdsl
from archdsl.cli import cli
from archdsl.diagnostics import ArchError
from archdsl.recipes.showing import settings_of

TEXT = """\
from "blocks.arch" import hidden

network table {
    input x: [4]

    hidden(8)
    linear(3)
}

network other { input x: [4]; linear(3) }

train for table {
    loss: cross_entropy
    normalize: standard
    epochs: 2
}

train long for table {
    loss: cross_entropy + 1e-3 * l2(weights)
    clip: value(0.5)
    data: iris
    epochs: 4
}
"""

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
Y = X[:, :3].argmax(1)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    blocks = "block hidden(width) { linear(width) -> relu }\n"
    (tmp_path / "blocks.arch").write_text(blocks, encoding="utf-8")
    (tmp_path / "table.arch").write_text(TEXT, encoding="utf-8")
    np.savez(tmp_path / "table.npz", x=X, y=Y)
    return tmp_path / "table.arch"


def fit(*given: Any, **more: Any) -> Any:
    return archdsl.fit(*given, progress=False, accelerator="cpu", **more)


def test_the_folder_of_a_file_opens_again(place: Path) -> None:
    folder = place.parent / "run"
    outcome = fit(f"{place}:table", (X, Y), folder=folder)
    assert (folder / "specification.arch").read_text(encoding="utf-8") == TEXT
    trained = archdsl.trained(folder)
    mine, theirs = trained.predict(X)["output"], outcome.predict(X)["output"]
    assert torch.equal(mine.mean, theirs.mean)
    assert settings_of(trained.recipe) == settings_of(outcome.recipe)
    with pytest.raises(ArchError, match="was of data given in Python, which it does not keep"):
        trained.evaluate()
    assert trained.evaluate((X, Y))["accuracy"] > 0


def test_a_source_by_its_text_is_known_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.parent)
    outcome = fit("table.arch:table", 'npz("table.npz")', folder="run")
    monkeypatch.chdir("/")
    assert archdsl.trained(place.parent / "run").evaluate() == outcome.test


@pytest.mark.parametrize(
    "settings",
    [
        {"epochs": 3, "optimizer": "adam(lr = 0.02)"},
        {"split": "(0.5, 0.25, 0.25)", "seed": 7, "normalize": "none"},
        {"schedule": "cosine(warmup = 1) then constant(1e-3) at epoch 2", "epochs": 3},
        {"clip": "norm(1.0)", "metrics": "[accuracy, f1]", "precision": '"64"'},
        {
            "layer_lr": "{ hidden1: 0.5 }",
            "monitor": "val_loss",
            "initialize": "he -> zeros(biases)",
        },
        {"early_stopping": "patience(2)", "average": "ema(0.9)", "ensemble": "average(2)"},
        {"loss": "cross_entropy(label_smoothing = 0.1) + 0.01 * l1(weights)"},
    ],
)
def test_settings_that_were_changed_are_known_again(
    place: Path, settings: dict[str, object]
) -> None:
    target = f"{place}:table"
    outcome = fit(
        target,
        'npz("' + (place.parent / "table.npz").as_posix() + '")',
        recipe=archdsl.recipe(target, settings=settings),
        folder=place.parent / "run",
    )
    trained = archdsl.trained(place.parent / "run")
    told = settings_of(trained.recipe)
    assert {**told, "data": None} == settings_of(outcome.recipe)
    assert trained.evaluate() == outcome.test


def test_a_block_by_its_name_and_what_it_names(place: Path) -> None:
    target = f"{place}:table"
    recipe = archdsl.recipe(target, "long").replace(epochs=1, clip=None)
    outcome = fit(target, recipe=recipe, folder=place.parent / "run")
    trained = archdsl.trained(place.parent / "run")
    assert settings_of(trained.recipe) == settings_of(recipe)
    assert trained.recipe.name == "long"
    assert trained.evaluate() == outcome.test
    done = CliRunner().invoke(cli, ["evaluate", str(place.parent / "run")])
    assert done.exit_code == 0, done.output


def test_a_specification_without_a_file(tmp_path: Path) -> None:
    text = "network n { input x: [4]; linear(3) }\ntrain { loss: cross_entropy; epochs: 1 }"
    fit(archdsl.loads(text), (X, Y), folder=tmp_path / "run")
    assert archdsl.trained(tmp_path / "run").predict(X)["output"].mean.shape == (60, 3)


def test_a_run_is_gone_on_with(place: Path) -> None:
    target, folder = f"{place}:table", place.parent / "run"
    whole = fit(target, (X, Y), folder=place.parent / "whole")
    fit(target, (X, Y), recipe=archdsl.recipe(target).replace(epochs=1), folder=folder)
    resumed = fit(target, (X, Y), folder=folder, resume=True)
    assert resumed.test == whole.test
    assert archdsl.trained(folder).recipe.epochs == 2


def test_what_no_text_gives_leaves_its_weights_alone(place: Path) -> None:
    """No empty file, either."""
    target, folder = f"{place}:table", place.parent
    recipe = archdsl.recipe(target)
    fit(archdsl.compile(target), (X, Y), folder=folder / "module")
    fit(archdsl.graph(target), (X, Y), folder=folder / "graph")
    by_hand = recipe.replace(
        schedule=archdsl.recipe(target, settings={"schedule": "cosine"}).schedule
    )
    fit(archdsl.compile(target), (X, Y), recipe=by_hand, folder=folder / "by_hand")
    for name in ("module", "graph", "by_hand"):
        assert not (folder / name / "specification.arch").exists()
        with pytest.raises(ArchError, match="has no specification to read") as refused:
            archdsl.trained(folder / name)
        weights = folder / name / "weights.safetensors"
        assert f'weights="{weights.as_posix()}"' in refused.value.diagnostics[0].help
        archdsl.compile(target, weights=weights)
