"""Early stopping: when a run ends, and with which weights."""

from pathlib import Path

import pytest
import torch

import archdsl
from archdsl.compiler import recipe
from archdsl.diagnostics import ArchError
from archdsl.training.stopping import monitored, stopping_callbacks
from tests.training.averages.runs import batches, classes, run, same, weights_of
from tests.training.harness import recipe_of

VALUES = """
network values {
    input x: [3]
    x -> linear(16) -> relu -> linear(16) -> relu -> linear(1)
}
train {
    loss: mse
    optimizer: adam(0.03)
    epochs: 60
    SETTINGS
}
"""
CLASSES = """
network classes {
    input x: [4]
    x -> linear(32) -> relu -> linear(3)
}
train {
    loss: cross_entropy
    metrics: accuracy
    optimizer: adam(0.05)
    epochs: 12
    SETTINGS
}
"""


def values(*settings: str) -> str:
    return VALUES.replace("SETTINGS", "\n    ".join(settings))


def kinds(*settings: str) -> str:
    return CLASSES.replace("SETTINGS", "\n    ".join(settings))


def stop_of(losses: list[float], patience: int, delta: float = 0.0) -> int:
    """How many epochs a run has that watches these losses, worked out by hand."""
    best, waited = float("inf"), 0
    for epoch, loss in enumerate(losses):
        if loss < best - delta:
            best, waited = loss, 0
        else:
            waited += 1
        if waited >= patience:
            return epoch + 1
    return len(losses)


@pytest.fixture(scope="module")
def unstopped() -> list[float]:
    """The losses of a run that goes on to its end, and overfits."""
    done = run(values(), batches(2, 6), batches(2, 16, seed=7))
    return [row["val_loss"] for row in done.rows]


@pytest.mark.parametrize(("patience", "delta"), [(3, 0.0), (6, 0.0), (5, 0.02)])
def test_it_stops_after_so_many_epochs_without_improvement(
    unstopped: list[float], patience: int, delta: float
) -> None:
    expected = stop_of(unstopped, patience, delta)
    assert expected < len(unstopped)
    spec = values(f"early_stopping: patience({patience}, min_delta = {delta})")
    done = run(spec, batches(2, 6), batches(2, 16, seed=7))
    assert [row["val_loss"] for row in done.rows] == unstopped[:expected]
    best = unstopped.index(min(unstopped[:expected]))
    assert best < expected - 1
    assert same(weights_of(done.network), done.diary.epochs[best])


def test_without_it_the_last_weights_are_given(unstopped: list[float]) -> None:
    done = run(values(), batches(2, 6), batches(2, 16, seed=7))
    assert unstopped.index(min(unstopped)) < len(unstopped) - 1
    assert same(weights_of(done.network), done.diary.epochs[-1])


def test_the_best_weights_of_a_run_that_trains_products_are_plain_ones() -> None:
    spec = values("early_stopping: 4", "reparametrize: product(linear)")
    done = run(spec, batches(2, 6), batches(2, 16, seed=7))
    losses = [row["val_loss"] for row in done.rows]
    best = done.diary.epochs[losses.index(min(losses))]
    factors = [best[f"linear2.parametrizations.weight.original{i}"] for i in (0, 1)]
    assert losses.index(min(losses)) < len(losses) - 1
    assert torch.equal(weights_of(done.network)["linear2.weight"], factors[0] * factors[1])


@pytest.mark.parametrize("stop", [2, "end"])
def test_a_resumed_run_stops_where_the_whole_one_does(tmp_path: Path, stop: int | str) -> None:
    spec = values("early_stopping: 4")
    train, validation = batches(2, 6), batches(2, 16, seed=7)
    whole = run(spec, train, validation)
    losses = [row["val_loss"] for row in whole.rows]
    best = losses.index(min(losses))
    epochs = len(losses) if stop == "end" else best + 1 + int(stop)
    run(spec, train, validation, folder=tmp_path, epochs=epochs)
    last = tmp_path / "checkpoints" / "last.ckpt"
    resumed = run(spec, train, validation, folder=tmp_path, resume=last)
    assert resumed.rows == whole.rows
    assert same(weights_of(resumed.network), weights_of(whole.network))
    assert same(weights_of(resumed.network), whole.diary.epochs[best])


def test_more_is_better_where_the_metric_says_so() -> None:
    spec = kinds('early_stopping: patience(4, monitor = "val_accuracy")')
    done = run(spec, classes(2, 6), classes(2, 20, seed=9))
    seen = [row["val_accuracy"] for row in done.rows]
    assert len(set(seen)) > 1
    assert same(weights_of(done.network), done.diary.epochs[seen.index(max(seen))])


def test_a_monitor_that_is_chosen_gives_its_best_weights_without_stopping() -> None:
    done = run(kinds("monitor: val_accuracy"), classes(2, 6), classes(2, 20, seed=9))
    assert len(done.rows) == 12
    seen = [row["val_accuracy"] for row in done.rows]
    assert same(weights_of(done.network), done.diary.epochs[seen.index(max(seen))])


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ((), ("val_loss", "min")),
        (("monitor: val_accuracy",), ("val_accuracy", "max")),
        (("early_stopping: 3", "monitor: train_loss"), ("train_loss", "min")),
        (('early_stopping: patience(3, monitor = "val_accuracy")',), ("val_accuracy", "max")),
    ],
)
def test_what_is_monitored_and_which_way_is_better(
    settings: tuple[str, ...], expected: tuple[str, str]
) -> None:
    assert monitored(recipe_of(kinds(*settings))) == expected


def test_an_error_is_better_when_small() -> None:
    spec = values("metrics: [mae, r2]", "monitor: val_mae")
    assert monitored(recipe_of(spec)) == ("val_mae", "min")
    assert monitored(recipe_of(spec.replace("val_mae", "val_r2"))) == ("val_r2", "max")


def test_a_run_without_validation_says_so_before_the_first_step() -> None:
    with pytest.raises(ArchError, match="judged by val_loss, and there is no data for validation"):
        run(values("early_stopping: 3"), batches(2, 6))


def test_without_validation_the_training_loss_can_be_watched() -> None:
    spec = values("early_stopping: 2", "monitor: train_loss").replace("adam(0.03)", "sgd(0.9)")
    done = run(spec, batches(2, 6))
    losses = [row["train_loss"] for row in done.rows]
    assert len(losses) == stop_of(losses, 2) < 60
    assert same(weights_of(done.network), done.diary.epochs[losses.index(min(losses))])


def test_what_is_never_logged_is_an_error_and_no_traceback() -> None:
    wrong = recipe_of(values("early_stopping: 3")).replace(monitor="val_los")
    with pytest.raises(ArchError, match="val_los, and nothing of that name") as caught:
        run(values(), batches(2, 6), batches(2, 6), recipe=wrong)
    assert caught.value.diagnostics[0].help == "did you mean val_loss?"


def test_a_checkpoint_with_the_best_weights_is_plain_data(tmp_path: Path) -> None:
    run(values("early_stopping: 3"), batches(2, 6), batches(2, 6), folder=tmp_path, epochs=2)
    found = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    (state,) = [s for name, s in found["callbacks"].items() if "BestWeights" in name]
    assert state["weights"]["network.linear1.weight"].shape == (16, 3)


def test_a_plain_run_has_no_callback_of_these() -> None:
    assert stopping_callbacks(recipe_of(values())) == []


@pytest.mark.parametrize(
    "key", ["average", "early_stopping", "ensemble", "predict", "folds", "clip"]
)
def test_none_takes_back_what_a_block_says(key: str) -> None:
    said = {
        "average": "ema",
        "early_stopping": "3",
        "ensemble": "3",
        "predict": "monte_carlo",
        "folds": "3",
        "clip": "norm(1)",
    }
    specification = archdsl.loads(values(f"{key}: {said[key]}"))
    assert getattr(recipe(specification), key) is not None
    assert getattr(recipe(specification, settings={key: "none"}), key) is None
