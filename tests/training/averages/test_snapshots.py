"""Snapshots: the weights at the ends of a schedule's cycles, which answer together."""

from pathlib import Path

import pytest
import torch

from archdsl.techniques.averages import Snapshots
from archdsl.techniques.schedules import Constant, Cosine
from archdsl.training.ensemble import Ensemble
from tests.training.averages.runs import classes, network_of, run, same, weights_of
from tests.training.harness import read

TEXT = """
network parts {
    input x: [4]
    x -> linear(6) -> relu -> linear(3)
}
train {
    loss: cross_entropy
    optimizer: sgd(0.2)
    schedule: cosine(cycles = 3)
    epochs: 9
    average: snapshots(2)
    SETTINGS
}
"""


def text(*settings: str) -> str:
    return TEXT.replace("SETTINGS", "\n    ".join(settings))


def test_the_members_are_the_networks_at_the_ends_of_the_last_cycles() -> None:
    train = classes(4, 8)
    done = run(text(), train)
    assert isinstance(done.network, Ensemble)
    rates = [row["lr"] for row in done.rows]
    restarts = [i for i in range(1, 9) if rates[i] > rates[i - 1]]
    assert restarts == [3, 6]  # so that cycles end with the third, the sixth, and the last epoch
    assert len(done.network.members) == 2
    for member, epoch in zip(done.network.members, (5, 8), strict=True):
        assert same(weights_of(member), done.diary.epochs[epoch])


def test_they_answer_with_the_mean_of_their_probabilities() -> None:
    done = run(text(), classes(4, 8))
    x = torch.randn(10, 4)
    shares = []
    for epoch in (5, 8):
        network = network_of(text())
        network.load_state_dict(done.diary.epochs[epoch])
        shares.append(network(x).softmax(1))
    assert torch.allclose(done.network(x).exp(), (shares[0] + shares[1]) / 2, atol=1e-6)
    assert done.module.network is done.network  # so that it is what a test measures


@pytest.mark.parametrize("stop", [4, 9])
def test_a_resumed_run_has_the_same_members_to_the_bit(tmp_path: Path, stop: int) -> None:
    train = classes(4, 8)
    whole = run(text(), train)
    run(text(), train, folder=tmp_path, epochs=stop)
    resumed = run(text(), train, folder=tmp_path, resume=tmp_path / "checkpoints" / "last.ckpt")
    assert same(weights_of(resumed.network), weights_of(whole.network))


@pytest.mark.parametrize(
    ("schedule", "start", "epochs", "ends"),
    [
        (Cosine(cycles=5), 0, 50, (10, 20, 30, 40, 50)),
        (Cosine(cycles=7), 0, 70, (30, 40, 50, 60, 70)),
        (Cosine(cycles=3), 0, 10, (4, 8, 10)),
        (Cosine(cycles=2, warmup=4), 0, 10, (7, 10)),
        (Cosine(cycles=2), 6, 10, (8, 10)),
        (Constant(), 0, 10, (10,)),
        (None, 0, 10, (10,)),
    ],
)
def test_where_cycles_end(
    schedule: Cosine | Constant | None, start: int, epochs: int, ends: tuple[int, ...]
) -> None:
    assert Snapshots(5).ends(schedule, start, epochs) == ends


@pytest.mark.parametrize(
    ("cycles", "has"), [("cosine(cycles = 3)", "3"), ("cosine", "1"), ("step(3)", "none")]
)
def test_without_as_many_cycles_it_is_refused(cycles: str, has: str) -> None:
    spec = text().replace("cosine(cycles = 3)", cycles).replace("snapshots(2)", "snapshots(4)")
    recipe, found = read(spec)
    assert recipe is None
    (diagnostic,) = found
    assert diagnostic.code == "bad-setting"
    assert diagnostic.message == (
        f"snapshots(count = 4) are taken at the ends of as many cycles, and the schedule has {has}"
    )
    assert diagnostic.help == "schedule: cosine(cycles = 4)"
