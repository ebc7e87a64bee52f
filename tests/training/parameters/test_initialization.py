"""Initializations: statistics against theory, and what they leave alone."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.training.harness import module_of, read, recipe_of

BODY = "conv(32, 5) -> bn -> relu -> flatten -> fc: linear(300) -> relu -> head: linear(100)"


def text(initialize: str, body: str = BODY) -> str:
    settings = f"loss: mse; initialize: {initialize}"
    return f"network net {{ input x: [8, 10, 10]\n{body}\n}}\ntrain {{ {settings} }}"


def filled(initialize: str, seed: int = 0) -> dict[str, Tensor]:
    module, _ = module_of(text(initialize))
    before = {n: p.detach().clone() for n, p in module.network.named_parameters()}
    torch.manual_seed(seed)
    made: Any = module
    made.initialize()
    after = {n: p.detach() for n, p in module.network.named_parameters()}
    return {n: p for n, p in after.items() if not torch.equal(p, before[n])}


def assert_spread(weight: Tensor, std: float, mean: float = 0.0) -> None:
    """Mean and spread within five standard errors of a sample of that size."""
    n = weight.numel()
    assert abs(float(weight.mean()) - mean) < 5 * std / math.sqrt(n)
    assert abs(float(weight.std()) - std) < 5 * std / math.sqrt(2 * n)


FANS = {"conv1.weight": (8 * 25, 32 * 25), "fc.weight": (1152, 300), "head.weight": (300, 100)}


def test_he() -> None:
    found = filled("he(conv, linear)")
    assert found.keys() == FANS.keys()  # biases have no fan, and are left alone
    for name, (fan_in, _) in FANS.items():
        assert_spread(found[name], math.sqrt(2 / fan_in))
    for name, (_, fan_out) in FANS.items():
        assert_spread(filled("he(weights, mode = fan_out)")[name], math.sqrt(2 / fan_out))


def test_he_keeps_the_size_of_what_goes_through_relu() -> None:
    module, _ = module_of(
        "network net { input x: [256]; repeat 8 { linear(256, bias = false) -> relu }; linear(1) }"
        "\ntrain { loss: mse; initialize: he }"
    )
    made: Any = module
    torch.manual_seed(0)
    made.initialize()
    x = torch.randn(400, 256)
    start = x.square().mean()
    with torch.no_grad():
        for i in range(1, 9):
            x = getattr(made.network, f"linear{i}")(x).relu()
    assert 0.5 < float(x.square().mean() / start) < 2.0


def test_xavier() -> None:
    found = filled("xavier(gain = 2)")
    for name, (fan_in, fan_out) in FANS.items():
        bound = 2 * math.sqrt(6 / (fan_in + fan_out))
        assert float(found[name].abs().max()) <= bound
        assert_spread(found[name], bound / math.sqrt(3))


def test_orthogonal() -> None:
    head = filled("orthogonal(head, gain = 3)")["head.weight"]
    torch.testing.assert_close(head @ head.T, 9 * torch.eye(100), atol=1e-4, rtol=0)


def test_normal_and_uniform() -> None:
    found = filled("normal(0.02, fc) -> uniform(0.5, head)")
    assert_spread(found["fc.weight"], 0.02)
    assert_spread(found["fc.bias"], 0.02)
    assert_spread(found["head.weight"], 0.5 / math.sqrt(3))
    assert float(found["head.weight"].abs().max()) <= 0.5


def test_the_later_one_has_the_last_word() -> None:
    found = filled("he -> zeros(biases) -> constant(0.5, head.bias) -> constant(2, bn)")
    assert found.keys() == {*FANS, "conv1.bias", "fc.bias", "head.bias", "bn1.weight", "bn1.bias"}
    assert not found["fc.bias"].any()
    assert (found["head.bias"] == 0.5).all()
    assert (found["bn1.weight"] == 2).all()


def test_the_seed_decides() -> None:
    one, same, other = filled("he", 1), filled("he", 1), filled("he", 2)
    assert all(torch.equal(one[n], same[n]) for n in one)
    assert not any(torch.equal(one[n], other[n]) for n in one)


@pytest.mark.parametrize(
    ("initialize", "first"),
    [
        ("zeros(weights)", "zeros makes all units of conv1 and 1 more alike"),
        ("constant(0.1, fc)", "constant makes all units of fc alike"),
        ("he -> zeros(fc)", "zeros makes all units of fc alike"),
    ],
)
def test_symmetry_is_not_left_unbroken_silently(initialize: str, first: str) -> None:
    recipe, (found,) = read(text(initialize))
    assert recipe is not None
    assert found.code == "symmetric-weights"
    assert found.severity == "warning"
    assert found.message == first
    assert found.span is not None
    assert found.span.text == f"initialize: {initialize}"


@pytest.mark.parametrize(
    "initialize", ["zeros(head)", "zeros(biases)", "zeros(weights) -> he", "constant(1, norms)"]
)
def test_what_leaves_no_symmetry(initialize: str) -> None:
    recipe_of(text(initialize))  # the last layer's units differ by their targets


def test_units_that_start_alike_stay_alike() -> None:
    # what the warning says, seen: all hidden units of an MLP that starts at a constant
    a, b = torch.nn.Linear(3, 4), torch.nn.Linear(4, 1)
    for p in (*a.parameters(), *b.parameters()):
        torch.nn.init.constant_(p, 0.3)
    optimizer = torch.optim.SGD([*a.parameters(), *b.parameters()], lr=0.1)
    x, y = torch.randn(16, 3), torch.randn(16, 1)
    for _ in range(20):
        optimizer.zero_grad()
        (b(a(x).tanh()) - y).square().mean().backward()
        optimizer.step()
    assert torch.allclose(a.weight, a.weight[:1].expand(4, 3), atol=1e-5)


def test_nothing_of_that_many_axes() -> None:
    recipe, (found,) = read(text("he(biases)"))
    assert recipe is None
    assert found.code == "bad-selection"
