"""An exponential moving average: its numbers, who sees it, and that a resumed run has the same."""

from pathlib import Path

import pytest
import torch

from tests.training.averages.runs import batches, network_of, run, same, weights_of

TEXT = """
network mean {
    input x: [3]
    x -> linear(4) -> bn -> relu -> linear(1)
}
train {
    loss: mse
    optimizer: sgd(0.05, momentum = 0.9)
    epochs: 4
    average: ema(0.8)
    SETTINGS
}
"""


def text(*settings: str) -> str:
    return TEXT.replace("SETTINGS", "\n    ".join(settings))


def averaged(steps: list[dict[str, torch.Tensor]], decay: float) -> dict[str, torch.Tensor]:
    """The closed form: (1 - d) * d ** (n - i) for step i of n, and d ** (n - 1) for the first."""
    last = len(steps) - 1
    shares = [decay**last] + [(1 - decay) * decay ** (last - i) for i in range(1, last + 1)]
    assert sum(shares) == pytest.approx(1)
    found = {}
    for name, value in steps[-1].items():
        if "running" in name or "tracked" in name:
            found[name] = value  # buffers are those of the last step
        else:
            every = torch.stack([step[name].double() for step in steps])
            found[name] = torch.tensordot(torch.tensor(shares).double(), every, 1)
    return found


def test_it_is_the_weighted_mean_of_the_weights_after_every_step() -> None:
    done = run(text(), batches(5, 8))
    assert len(done.diary.steps) == 20
    assert same(weights_of(done.network), averaged(done.diary.steps, 0.8), rtol=1e-5, atol=1e-6)
    assert not same(weights_of(done.network), done.diary.steps[-1], rtol=1e-3, atol=1e-3)


def test_what_is_validated_is_the_average_and_training_goes_on_from_its_own_weights() -> None:
    train, validation = batches(5, 8), batches(2, 8, seed=1)
    done = run(text(), train, validation)
    for epoch in range(4):
        steps = done.diary.steps[: 5 * (epoch + 1)]
        expected = averaged(steps, 0.8)
        network = network_of(text())
        network.load_state_dict(
            {k: v.to(network.state_dict()[k].dtype) for k, v in expected.items()}
        )
        network.eval()
        with torch.no_grad():
            errors = [(network(x) - y).square().mean() for x, y in validation]
        assert done.rows[epoch]["val_loss"] == pytest.approx(
            float(torch.stack(errors).mean()), rel=1e-5
        )
        # after validation the network has the weights of the last step again
        assert same(done.diary.epochs[epoch], done.diary.steps[5 * (epoch + 1) - 1])


def test_with_accumulated_gradients_it_counts_steps_of_the_optimizer() -> None:
    done = run(text("accumulate: 2"), batches(6, 8))
    steps = done.diary.steps[1::2]  # the weights change at every second batch
    assert len(steps) == 12
    assert same(weights_of(done.network), averaged(steps, 0.8), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stop", [2, 4])
def test_a_resumed_run_is_the_same_to_the_bit(tmp_path: Path, stop: int) -> None:
    train, validation = batches(5, 8), batches(2, 8, seed=1)
    whole = run(text(), train, validation)
    run(text(), train, validation, folder=tmp_path, epochs=stop)
    resumed = run(
        text(), train, validation, folder=tmp_path, resume=tmp_path / "checkpoints" / "last.ckpt"
    )
    assert same(weights_of(resumed.network), weights_of(whole.network))
    assert resumed.rows == whole.rows


def test_the_best_weights_are_those_of_the_average() -> None:
    train, validation = batches(3, 4), batches(4, 8, seed=5)
    settings = ("early_stopping: 3", "seed: 3")
    spec = text(*settings).replace("epochs: 4", "epochs: 40").replace("sgd(0.05", "sgd(0.2")
    done = run(spec, train, validation)
    losses = [row["val_loss"] for row in done.rows]
    best = losses.index(min(losses))
    assert best < len(losses) - 1, "the last epoch is the best, and nothing is shown"
    expected = averaged(done.diary.steps[: 3 * (best + 1)], 0.8)
    assert same(weights_of(done.network), expected, rtol=1e-5, atol=1e-6)


def test_a_bounded_weight_stays_bounded_in_the_average() -> None:
    spec = text("constraint: max_norm(0.5, linear)")
    done = run(spec, batches(5, 8))
    for name in ("linear1.weight", "linear2.weight"):
        norms = done.network.state_dict()[name].norm(dim=1)
        assert float(norms.max()) <= 0.5 + 1e-6
    assert float(done.network.state_dict()["linear1.weight"].norm(dim=1).max()) > 0.3
