"""Folders of runs, measured again as ``archdsl evaluate`` does: their data, folds and members."""

import json
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, log_loss

import archdsl
from archdsl.commands.evaluate import open_folder
from archdsl.commands.messages import CallError
from archdsl.training.data import open_data
from archdsl.training.evaluating import evaluate
from archdsl.training.experiment import Experiment, run
from archdsl.training.fit import Machine, Outcome
from archdsl.training.origin import Origin
from archdsl.training.runs import Trained, metadata_of
from tests.training.harness import recipe_of

TEXT = """
network iris {
    input x: [4]
    hidden: linear(8)
    last: linear(3)
    x -> hidden -> relu -> dropout(0.2) -> last
}
train {
    loss: cross_entropy
    metrics: accuracy
    optimizer: adam(0.03)
    epochs: 3
    batch_size: 32
    data: iris
    normalize: standard
    split: (0.5, 0.1, 0.4)
    SETTINGS
}
"""


def text(*settings: str) -> str:
    return TEXT.replace("SETTINGS", "\n    ".join(settings))


def trained(spec: str, folder: Path) -> Outcome:
    """A run as the command makes it."""
    origin = Origin("iris", files={"specification.arch": spec}, root=folder)
    machine = Machine(folder=folder, progress=False, accelerator="cpu", origin=origin)
    fresh = lambda: archdsl.compile(archdsl.loads(spec))  # noqa: E731
    return run(Experiment(recipe_of(spec), machine=machine), fresh)


def opened(folder: Path) -> Trained:
    with click.Context(click.Command("evaluate")):
        return open_folder(folder)


def told(folder: Path) -> dict[str, float]:
    test: dict[str, float] = json.loads((folder / "result.json").read_text())["test"]
    return test


def test_a_fold_is_measured_on_what_it_was_not_trained_on(tmp_path: Path) -> None:
    trained(text("folds: 3"), tmp_path / "run")
    folders = [tmp_path / "run" / f"fold-{k}" for k in (1, 2, 3)]
    assert len({told(folder)["loss"] for folder in folders}) == 3
    for folder in folders:
        assert evaluate(opened(folder)) == pytest.approx(told(folder), rel=1e-5)


def test_of_a_run_with_folds_it_is_said_where_the_weights_are(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    trained(text("folds: 2", "epochs: 1").replace("epochs: 3\n", ""), folder)
    with pytest.raises(CallError) as caught:
        open_folder(folder)
    (found,) = caught.value.diagnostics
    assert "each of which has weights of its own" in found.message
    assert found.help == f"name the folder of one: {folder / 'fold-1'}"


def test_a_member_is_measured_as_it_was_after_training(tmp_path: Path) -> None:
    trained(text("ensemble: 3"), tmp_path / "run")
    assert evaluate(opened(tmp_path / "run")) == pytest.approx(told(tmp_path / "run"), rel=1e-5)
    for number in (1, 2, 3):
        folder = tmp_path / "run" / f"member-{number}"
        assert evaluate(opened(folder)) == pytest.approx(told(folder), rel=1e-5)


def test_a_source_with_parts_of_its_own_is_measured_whole(tmp_path: Path) -> None:
    trained(text(), tmp_path / "run")
    generator = np.random.default_rng(0)
    x, y = generator.normal(5, 2, (100, 4)).astype("float32"), generator.integers(3, size=100)
    place = tmp_path / "parts.npz"
    np.savez(place, x_train=x[:20], y_train=y[:20], x_test=x[20:], y_test=y[20:])
    known = opened(tmp_path / "run")
    found = evaluate(known, f'npz("{place.as_posix()}")')
    with torch.no_grad():
        scaled = known.scale["x"].apply(torch.from_numpy(x))
        shares = known.network(scaled).softmax(1).double().numpy()
    shares /= shares.sum(1, keepdims=True)
    assert found["accuracy"] == pytest.approx(accuracy_score(y, shares.argmax(1)))
    assert found["loss"] == pytest.approx(log_loss(y, shares, labels=range(3)), rel=1e-4)


def test_an_ensemble_of_products_has_plain_weights_and_is_measured(tmp_path: Path) -> None:
    settings = ("ensemble: 2", "reparametrize: product(last)", "freeze: hidden")
    outcome = trained(text(*settings), tmp_path / "run")
    assert not any("parametrizations" in name for name in outcome.network.state_dict())
    assert all(p.requires_grad for p in outcome.network.parameters())
    known = opened(tmp_path / "run")
    before = {name: value.clone() for name, value in known.network.state_dict().items()}
    assert evaluate(known) == pytest.approx(told(tmp_path / "run"), rel=1e-5)
    after = known.network.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(p.requires_grad for p in known.network.parameters())


def test_a_run_of_python_says_that_it_has_no_specification(tmp_path: Path) -> None:
    model = archdsl.compile(archdsl.loads(text()))
    archdsl.fit(model, folder=tmp_path / "run", progress=False, accelerator="cpu")
    with pytest.raises(CallError) as caught:
        open_folder(tmp_path / "run")
    (found,) = caught.value.diagnostics
    assert (found.code, "archdsl.fit in Python" in found.message) == ("no-run", True)
    # and what it advises does
    place = tmp_path / "run" / "weights.safetensors"
    assert found.help is not None
    assert place.as_posix() in found.help
    again = archdsl.compile(archdsl.loads(text()), weights=place)
    assert torch.equal(again.get_parameter("last.weight"), model.get_parameter("last.weight"))


def test_a_run_that_was_moved_has_its_data(tmp_path: Path) -> None:
    """A place that is told from the folder is found from wherever a person stands."""
    (tmp_path / "first").mkdir()
    generator = np.random.default_rng(1)
    x, y = generator.normal(size=(60, 4)).astype("float32"), generator.integers(3, size=60)
    np.savez(tmp_path / "first" / "own.npz", x=x, y=y)
    spec = text().replace("data: iris", 'data: npz("own.npz")')
    root = tmp_path / "first"
    origin = Origin("iris", files={"specification.arch": spec}, root=root)
    machine = Machine(folder=root / "run", progress=False, accelerator="cpu", origin=origin)
    fresh = lambda: archdsl.compile(archdsl.loads(spec))  # noqa: E731
    outcome = run(Experiment(recipe_of(spec), machine=machine, root=root), fresh)
    root.rename(tmp_path / "second")
    folder = tmp_path / "second" / "run"
    assert str(tmp_path) not in json.dumps(metadata_of(folder)["origin"])
    assert evaluate(opened(folder)) == pytest.approx(dict(outcome.test), rel=1e-5)


def test_the_outcome_of_folds_scales_what_it_predicts(tmp_path: Path) -> None:
    """The network is the last fold's, and so are the scales."""
    outcome = trained(text("folds: 3"), tmp_path / "run")
    recipe = recipe_of(text("folds: 3"))
    data = open_data(
        recipe.data,
        inputs=recipe.inputs,
        targets=recipe.targets,
        settings=recipe.data_settings(2),
    )
    (x,), _ = data.samples("test")
    found = outcome.predict(data.scale["x"].undo(x))
    with torch.no_grad():
        expected = outcome.network.eval()(x).softmax(1)
    (predictions,) = found.values()
    assert torch.allclose(predictions.mean, expected, atol=1e-4)
