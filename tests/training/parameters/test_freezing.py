"""Freezing and dropout, switched at epochs: they follow from the epoch's number alone."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.training.harness import module_of, read
from tests.training.parameters.running import AfterStep, Watch, regression, run, spec

BODY = """
    features: { linear(4) -> bn -> tanh -> dropout(0.5) -> linear(5) -> batch_norm(affine = false) }
    tanh -> middle: linear(4) -> norm: bn -> tanh -> head: linear(2)
"""


def states(settings: str, body: str = BODY) -> list[dict[str, torch.Tensor]]:
    """The network's state before every epoch, and at the end."""
    torch.manual_seed(0)
    module, recipe = module_of(spec(settings, body))
    watch = Watch(lambda m: copy.deepcopy(m.network.state_dict()))
    run(module, recipe, regression(), callbacks=[watch])
    return [*watch.notes, copy.deepcopy(module.network.state_dict())]


def moved(states: list[dict[str, torch.Tensor]], epoch: int) -> set[str]:
    """What changed in an epoch, without the counters."""
    before, after = states[epoch], states[epoch + 1]
    counted = {n for n in before if not n.endswith("num_batches_tracked")}
    return {n for n in counted if not torch.equal(before[n], after[n])}


FEATURES = {
    f"features.{n}"
    for n in (
        "0.weight 0.bias 1.weight 1.bias 1.running_mean 1.running_var "
        "4.weight 4.bias 5.running_mean 5.running_var"
    ).split()
}
NORM = {f"norm.{n}" for n in ("weight", "bias", "running_mean", "running_var")}
MIDDLE = {"middle.weight", "middle.bias"}
HEAD = {"head.weight", "head.bias"}
EVERY = FEATURES | NORM | MIDDLE | HEAD
DECAY = "optimizer: adamw(lr = 0.01, weight_decay = 0.5)"


@pytest.mark.parametrize(
    ("freeze", "trained"),
    [
        ("features", [EVERY - FEATURES] * 3),
        ("features then none at epoch 2", [EVERY - FEATURES, EVERY - FEATURES, EVERY]),
        (
            "(features, middle, norm) then features at epoch 1 then none at epoch 2",
            [HEAD, HEAD | MIDDLE | NORM, EVERY],
        ),
        (
            "none then features at epoch 1 then middle at epoch 2",
            [EVERY, EVERY - FEATURES, EVERY - MIDDLE],
        ),
        (
            "features then none at epoch 1 then features at epoch 2",
            [EVERY - FEATURES, EVERY, EVERY - FEATURES],
        ),
        ("norms", [EVERY - NORM - {f"features.1.{n.partition('.')[2]}" for n in NORM}] * 3),
        (
            "biases",
            [EVERY - {"features.0.bias", "features.4.bias", "middle.bias", "head.bias"}] * 3,
        ),
        ('"features.[04].*"', [EVERY - {n for n in FEATURES if n[9] in "04"}] * 3),
    ],
)
def test_what_is_frozen_does_not_move(freeze: str, trained: list[set[str]]) -> None:
    # Neither by gradients nor by weight decay, nor do the means of batch norms.
    found = states(f"{DECAY}\nfreeze: {freeze}\nepochs: 3")
    assert [moved(found, epoch) for epoch in range(3)] == trained


def test_a_constraint_waits_too() -> None:
    # Of features the norms are above 0.1 as they come: only when they are trained they are bounded.
    settings = (
        f"{DECAY}\nconstraint: max_norm(0.1)\nfreeze: features then none at epoch 1\nepochs: 2"
    )
    found = states(settings)
    assert moved(found, 0) == EVERY - FEATURES
    norms = torch.linalg.vector_norm(found[2]["features.0.weight"], dim=1)
    assert (norms <= 0.1 + 1e-5).all()


def test_momentum_waits_too() -> None:
    found = states("optimizer: sgd(0.1, 0.9)\nfreeze: none then features at epoch 1\nepochs: 2")
    assert moved(found, 1) == EVERY - FEATURES


def test_the_network_is_left_as_any_other() -> None:
    for freeze in ("features", "none then (features, head) at epoch 1"):
        module, recipe = module_of(spec(f"freeze: {freeze}\nepochs: 2", BODY))
        run(module, recipe, regression())
        assert all(p.requires_grad for p in module.parameters())


def test_everything_frozen() -> None:
    recipe, (found,) = read(spec("freeze: features then all at epoch 2", BODY))
    assert recipe is None
    assert found.message.startswith("from epoch 2 on every parameter is frozen")


# Dropout ----------------------------------------------------------------------------------

DROPPING = """
    linear(8) -> dropout(0.5) -> alpha_dropout(0.2) -> linear(8) -> drop_connect(8, p = 0.3)
    residual(drop_path = 0.5) { linear(8) -> bn } -> tanh -> linear(2)
"""


def dropping(module: Any) -> dict[str, bool]:
    return {n: m.training for n, m in module.network.named_modules() if not list(m.children())}


@pytest.mark.parametrize(
    ("dropout", "on"),
    [
        ("off then on at epoch 2", [False, False, True, True]),
        ("on then off at epoch 1", [True, False, False, False]),
        ("on then off at epoch 1 then on at epoch 3", [True, False, False, True]),
        ("off", [False] * 4),
    ],
)
def test_dropout_is_switched(dropout: str, on: list[bool]) -> None:
    module, recipe = module_of(spec(f"dropout: {dropout}\nepochs: 4", DROPPING))
    watch = Watch(dropping)
    run(module, recipe, regression(), callbacks=[watch])
    for found, expected in zip(watch.notes, on, strict=True):
        switched = {n for n, training in found.items() if training != expected}
        drops = {n for n in found if "drop" in n}
        assert len(drops) == 4
        assert not switched & drops
        assert all(training for n, training in found.items() if n not in drops)


def test_without_dropout_two_passes_agree() -> None:
    def differs(module: Any) -> bool:
        x = torch.randn(6, 3)
        norms = [m for m in module.network.modules() if isinstance(m, torch.nn.BatchNorm1d)]
        for norm in norms:
            norm.eval()
        with torch.no_grad():
            found = not torch.equal(module.network(x), module.network(x))
        for norm in norms:
            norm.train()
        return found

    module, recipe = module_of(spec("dropout: off then on at epoch 1\nepochs: 2", DROPPING))
    watch = Watch(differs)
    run(module, recipe, regression(), callbacks=[watch])
    assert watch.notes == [False, True]


def test_dropout_inside_of_layers() -> None:
    text = """
    network net {
        input x: [6, 8]
        attention(2, dropout = 0.5) -> lstm(8, num_layers = 2, dropout = 0.4) as (h, state)
        h -> linear(2)
    }
    train { loss: mse; dropout: off then on at epoch 1; epochs: 2 }
    """
    module, recipe = module_of(text)

    def differs(module: Any) -> bool:
        with torch.no_grad():
            x = torch.randn(2, 6, 8)
            found = not torch.equal(module.network(x), module.network(x))
        assert module.network.lstm1.training
        return found

    watch = Watch(differs)
    batches = [(torch.randn(4, 6, 8), torch.randn(4, 6, 2))] * 2
    run(module, recipe, batches, callbacks=[watch])
    assert watch.notes == [False, True]


def test_no_dropout_to_switch() -> None:
    recipe, (found,) = read(spec("dropout: off"))
    assert recipe is None
    assert "no dropout" in found.message


def test_a_resumed_run_freezes_and_drops_as_one_that_went_through(tmp_path: Path) -> None:
    settings = """
    optimizer: adam(0.01)
    freeze: (features, middle) then features at epoch 2 then none at epoch 4
    dropout: off then on at epoch 4
    epochs: 6
    """
    body = BODY.replace("dropout(0.5)", "dropout(0)")  # what is random is not what is looked at

    def look(module: Any) -> Any:
        return (
            {n: p.requires_grad for n, p in module.network.named_parameters()},
            {n: m.training for n, m in module.network.named_modules()},
        )

    body = BODY.replace("dropout(0.5)", "dropout(1e-12)")
    results = []
    for broken in (0, 1, 3, 5):
        torch.manual_seed(0)
        module, recipe = module_of(spec(settings, body))
        watch = AfterStep(look)
        if broken:
            trainer = run(module, recipe, regression(), callbacks=[watch], epochs=broken)
            trainer.save_checkpoint(tmp_path / f"{broken}.ckpt")
            module, recipe = module_of(spec(settings, body))
            path = tmp_path / f"{broken}.ckpt"
            run(module, recipe, regression(), callbacks=[watch], checkpoint=path)
        else:
            run(module, recipe, regression(), callbacks=[watch])
        results.append((watch.notes, dict(module.network.state_dict())))
    for notes, state in results[1:]:
        assert notes == results[0][0]
        torch.testing.assert_close(state, results[0][1], rtol=0, atol=0)


def test_recurrent_layers_drop_again_after_a_run_that_ends_without() -> None:
    body = "x -> lstm(6, num_layers = 2, dropout = 0.5) -> flatten -> linear(2)"
    text = spec("dropout: on then off at epoch 1\nepochs: 2", body).replace("x: [3]", "x: [5, 3]")
    module, recipe = module_of(text)
    found: list[Any] = [m for m in module.network.modules() if isinstance(m, torch.nn.LSTM)]
    (lstm,) = found
    watch = Watch(lambda _: lstm.dropout)
    batches = [(torch.randn(8, 5, 3), torch.randn(8, 2)) for _ in range(2)]
    run(module, recipe, batches, callbacks=[watch])
    assert watch.notes == [0.5, 0.0]
    assert lstm.dropout == 0.5
    lstm.train()
    x = torch.randn(4, 5, 3)
    assert not torch.equal(lstm(x)[0], lstm(x)[0])
