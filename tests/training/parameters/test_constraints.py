"""Constraints and clipping: what holds after every step."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.harness import module_of, read
from tests.training.parameters.running import (
    AfterStep,
    Batches,
    by_hand,
    regression,
    run,
    spec,
    trained,
)

EPS = 1e-5


def watched(text: str, note: Any, batches: Batches) -> list[Any]:
    torch.manual_seed(0)
    module, recipe = module_of(text)
    after = AfterStep(lambda m: note(m.network))
    run(module, recipe, batches, callbacks=[after])
    return after.notes


def rows(weight: Tensor) -> Tensor:
    found: Tensor = torch.linalg.vector_norm(weight.detach().flatten(1), dim=1)
    return found


@pytest.mark.parametrize("more", ["", "accumulate: 2", "clip: norm(0.5)"])
def test_max_norm_holds_after_every_step(more: str) -> None:
    text = spec(f"constraint: max_norm(0.4, fc)\noptimizer: sgd(lr = 2)\nepochs: 3\n{more}")
    found = watched(text, lambda n: (rows(n.fc.weight), rows(n.head.weight)), regression())
    steps = found[1:] if more == "accumulate: 2" else found  # before a step nothing holds yet
    assert all((fc <= 0.4 + EPS).all() for fc, _ in steps)
    assert any((fc > 0.39).any() for fc, _ in steps)
    assert any((head > 0.4).any() for _, head in found)


def test_max_norm_is_what_is_done_by_hand() -> None:
    batches = regression(3)
    text = spec("constraint: max_norm(0.4)\noptimizer: sgd(lr = 0.5)\nepochs: 1")
    before, after, _ = trained(text, batches)
    optimizer = torch.optim.SGD(before.parameters(), lr=0.5)
    for batch in batches:
        by_hand(before, optimizer, [batch], 1)
        with torch.no_grad():
            for layer in (before.fc, before.head):
                norms = rows(layer.weight)  # type: ignore[union-attr,arg-type]  # a layer's weight
                scale = (0.4 / norms).clamp(max=1)
                layer.weight.mul_(scale[:, None])  # type: ignore[union-attr,operator]  # as above
    for one, other in zip(after.parameters(), before.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


def test_unit_norm_and_non_negative_hold() -> None:
    text = spec("constraint: unit_norm(fc) -> non_negative(head)\noptimizer: adam(0.1)\nepochs: 3")
    found = watched(
        text, lambda n: (rows(n.fc.weight), float(n.head.weight.detach().min())), regression()
    )
    assert all(torch.allclose(fc, torch.ones(4), atol=1e-5) for fc, _ in found)
    assert all(least >= 0 for _, least in found)


def test_a_unit_without_weights_stays_so() -> None:
    module, recipe = module_of(spec("constraint: unit_norm(fc)\noptimizer: sgd(lr = 0.1)"))
    weight: Any = module.network.fc.weight
    with torch.no_grad():
        weight[0] = 0
    # no input, no gradient of these weights
    run(module, recipe, [(torch.zeros(2, 3), torch.ones(2, 2))], epochs=2)
    torch.testing.assert_close(rows(weight), torch.tensor([0.0, 1.0, 1.0, 1.0]))


def upsampling(settings: str, groups: int) -> str:
    body = f"up: conv_transpose(4, 3, groups = {groups}, bias = false) -> flatten -> linear(2)"
    return f"network net {{ input x: [6, 2, 2]\n{body}\n}}\ntrain {{\nloss: mse\n{settings}\n}}"


def units_of(network: Any, groups: int) -> Tensor:
    """The weights of every output channel, found by what an impulse of each input gives."""
    up: nn.ConvTranspose2d = network.up
    plain = copy.deepcopy(up)
    with torch.no_grad():
        seen = torch.stack([plain(torch.eye(6)[i].view(1, 6, 1, 1))[0] for i in range(6)])
    return rows(seen.transpose(0, 1))


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("constraint", ["max_norm(0.2)", "unit_norm(up)"])
def test_units_of_a_transposed_convolution(constraint: str, groups: int) -> None:
    torch.manual_seed(0)
    text = upsampling(f"constraint: {constraint}\noptimizer: sgd(lr = 1)\nepochs: 2", groups)
    batches = [(torch.randn(4, 6, 2, 2), torch.randn(4, 2)) for _ in range(3)]
    found = watched(text, lambda n: units_of(n, groups), batches)
    if "unit" in constraint:
        assert all(torch.allclose(norms, torch.ones(4), atol=1e-5) for norms in found)
    else:
        assert all((norms <= 0.2 + EPS).all() for norms in found)
        assert any((norms > 0.19).all() for norms in found)


def test_norms_are_of_units_and_not_of_biases() -> None:
    text = spec("constraint: max_norm(0.01, fc)\noptimizer: sgd(lr = 0.5)\nepochs: 2")
    found = watched(text, lambda n: n.fc.bias.detach().norm().item(), regression())
    assert max(found) > 0.1
    recipe, (wrong,) = read(spec("constraint: max_norm(1, biases)"))
    assert recipe is None
    assert wrong.code == "bad-selection"


# Clipping ---------------------------------------------------------------------------------


def _moved(clip: str) -> tuple[list[Tensor], list[Tensor]]:
    """How far plain steps of rate 1 go, and the gradients that they had."""
    batches = regression(1)
    batches = [(x * 5, y * 50) for x, y in batches]
    before, after, _ = trained(spec(f"clip: {clip}\noptimizer: sgd(lr = 1)\nepochs: 1"), batches)
    ((x, y),) = batches
    torch.autograd.backward(nn.functional.mse_loss(before(x), y))
    pairs = zip(before.parameters(), after.parameters(), strict=True)
    moved = [(a - b).detach() for a, b in pairs]
    return moved, [p.grad for p in before.parameters() if p.grad is not None]


def test_clipping_by_norm() -> None:
    moved, gradients = _moved("norm(0.5)")
    norm = torch.cat([g.flatten() for g in gradients]).norm()
    assert norm > 1
    for step, gradient in zip(moved, gradients, strict=True):
        torch.testing.assert_close(step, gradient * 0.5 / norm, atol=1e-5, rtol=1e-4)


def test_clipping_by_value() -> None:
    moved, gradients = _moved("value(0.2)")
    assert any((g.abs() > 0.2).any() for g in gradients)
    for step, gradient in zip(moved, gradients, strict=True):
        torch.testing.assert_close(step, gradient.clamp(-0.2, 0.2), atol=1e-6, rtol=1e-5)
