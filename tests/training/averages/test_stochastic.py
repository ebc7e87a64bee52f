"""Stochastic weight averaging: the mean over the last epochs, at its rate, with new batch norms."""

from pathlib import Path

import pytest
import torch

from archdsl.training.averaging import moves_batch_norms
from archdsl.training.batch_norms import reestimate_batch_norms
from tests.training.averages.runs import Run, batches, network_of, run, same, weights_of
from tests.training.harness import read, recipe_of

TEXT = """
network mean {
    input x: [3]
    x -> linear(4) -> bn -> relu -> linear(1)
}
train {
    loss: mse
    optimizer: sgd(0.05)
    epochs: 8
    SETTINGS
}
"""


def text(*settings: str) -> str:
    return TEXT.replace("SETTINGS", "\n    ".join(settings))


def mean_from(done: Run, first: int) -> dict[str, torch.Tensor]:
    """The plain mean of the weights at the epochs' ends; buffers as they were last."""
    epochs = done.diary.epochs[first:]
    return {
        name: value
        if "running" in name or "tracked" in name
        else torch.stack([epoch[name].double() for epoch in epochs]).mean(0)
        for name, value in epochs[-1].items()
    }


@pytest.mark.parametrize(("start", "first"), [("0.75", 6), ("0.5", 4), ("0", 0), ("1", 7)])
def test_it_is_the_mean_of_the_weights_at_the_ends_of_the_last_epochs(
    start: str, first: int
) -> None:
    done = run(text(f"average: swa(start = {start})"), batches(5, 8))
    assert same(weights_of(done.network), mean_from(done, first), rtol=1e-5, atol=1e-6)


def test_the_run_itself_is_as_it_would_be_without() -> None:
    train, validation = batches(5, 8), batches(2, 8, seed=1)
    plain = run(text(), train, validation)
    done = run(text("average: swa(start = 0.5)"), train, validation)
    assert same(done.diary.epochs[-1], plain.diary.epochs[-1])
    assert done.rows == plain.rows  # validation is of the network in training


def rates(spec: str) -> list[float]:
    return [row["lr"] for row in run(spec, batches(2, 8)).rows]


def test_it_holds_the_rate_that_it_is_given() -> None:
    assert rates(text("average: swa(start = 0.5, lr = 0.02)")) == pytest.approx(
        [0.05] * 4 + [0.02] * 4
    )
    decayed = rates(text("average: swa(start = 0.5, lr = 0.02)", "schedule: exponential(0.5)"))
    assert decayed == pytest.approx([0.05, 0.025, 0.0125, 0.00625] + [0.02] * 4)
    assert rates(text("average: swa(start = 0, lr = 0.02)")) == pytest.approx([0.02] * 8)


@pytest.mark.parametrize("stop", [3, 5, 8])
def test_a_resumed_run_is_the_same_to_the_bit(tmp_path: Path, stop: int) -> None:
    spec = text("average: swa(start = 0.5, lr = 0.02)", "schedule: cosine")
    train, validation = batches(5, 8), batches(2, 8, seed=1)
    whole = run(spec, train, validation)
    run(spec, train, validation, folder=tmp_path, epochs=stop)
    last = tmp_path / "checkpoints" / "last.ckpt"
    resumed = run(spec, train, validation, folder=tmp_path, resume=last)
    assert same(weights_of(resumed.network), weights_of(whole.network))
    assert resumed.rows == whole.rows


def test_a_checkpoint_from_before_the_average_has_the_network_as_it_is(tmp_path: Path) -> None:
    done = run(text("average: swa(start = 0.75)"), batches(5, 8), folder=tmp_path, epochs=3)
    found = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    state = {k.removeprefix("network."): v for k, v in found.items() if k.startswith("network.")}
    assert same(state, done.diary.epochs[-1])


def test_batch_norms_follow_the_average_once_they_are_estimated_anew() -> None:
    spec = text("average: swa(start = 0.5, lr = 0.2)")
    train = batches(5, 8)
    done = run(spec, train)
    assert moves_batch_norms(recipe_of(spec))
    assert not moves_batch_norms(recipe_of(text("average: ema")))
    assert moves_batch_norms(recipe_of(text("reestimate_batch_norm: true")))
    state = weights_of(done.network)
    inside = torch.cat([x for x, _ in train]) @ state["linear1.weight"].T + state["linear1.bias"]
    reestimate_batch_norms(done.network, train)
    found = weights_of(done.network)
    assert torch.allclose(found["bn1.running_mean"], inside.mean(0), atol=1e-5)
    assert not torch.allclose(found["bn1.running_mean"], state["bn1.running_mean"], atol=1e-3)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            ("average: swa", "early_stopping: 3"),
            "swa is made at the end of the whole run, which early_stopping may cut off",
        ),
        (
            ("average: swa(lr = 0.01)", "schedule: plateau"),
            "swa(lr = 0.01) sets the learning rate from epoch 6 on, as plateau does",
        ),
        (
            ("average: ema", "constraint: unit_norm(linear)"),
            "weights of unit norm have no unit norm in their mean, which ema takes",
        ),
        (
            ("ensemble: 3", "folds: 4"),
            "an ensemble and folds are several trainings each, and are not made of one another",
        ),
    ],
)
def test_what_does_not_go_together_is_said_before_the_run(
    settings: tuple[str, ...], message: str
) -> None:
    recipe, found = read(text(*settings))
    assert recipe is None
    assert [d.message for d in found] == [message]
    assert found[0].code == "bad-setting"
    assert found[0].span is not None


def test_network_of_is_the_same_network_each_time() -> None:
    """What the comparisons of this file stand on."""
    assert same(weights_of(network_of(text())), weights_of(network_of(text())))
