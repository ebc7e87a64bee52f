"""Optimizers: every step as by hand, with torch or with the closed form."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.training.harness import module_of, read, recipe_of
from tests.training.parameters.running import assert_alike, by_hand, regression, spec, trained

optim = torch.optim
MADE: dict[str, Callable[[Any], optim.Optimizer]] = {
    "sgd(lr = 0.1)": lambda p: optim.SGD(p, lr=0.1),
    "sgd(0.1, 0.9, nesterov = true, weight_decay = 0.01)": lambda p: optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01
    ),
    "sgd(lr = 0.1, momentum = 0.9, dampening = 0.5)": lambda p: optim.SGD(
        p, lr=0.1, momentum=0.9, dampening=0.5
    ),
    "adagrad(lr = 0.05, lr_decay = 0.1)": lambda p: optim.Adagrad(p, lr=0.05, lr_decay=0.1),
    "adadelta(rho = 0.8)": lambda p: optim.Adadelta(p, rho=0.8),
    "rmsprop(lr = 0.01, momentum = 0.5, centered = true)": lambda p: optim.RMSprop(
        p, lr=0.01, momentum=0.5, centered=True
    ),
    "adam(lr = 0.01, betas = (0.8, 0.9), weight_decay = 0.1)": lambda p: optim.Adam(
        p, lr=0.01, betas=(0.8, 0.9), weight_decay=0.1
    ),
    "adam(amsgrad = true)": lambda p: optim.Adam(p, amsgrad=True),
    "adamw(lr = 0.01, weight_decay = 0.2)": lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.2),
    "adamw": optim.AdamW,
    "nadam(lr = 0.01)": lambda p: optim.NAdam(p, lr=0.01),
    "radam(lr = 0.01)": lambda p: optim.RAdam(p, lr=0.01),
    "lbfgs(lr = 0.5, max_iter = 4)": lambda p: optim.LBFGS(p, lr=0.5, max_iter=4),
    "lbfgs(max_iter = 5, line_search = strong_wolfe)": lambda p: optim.LBFGS(
        p, lr=1.0, max_iter=5, history_size=100, line_search_fn="strong_wolfe"
    ),
}


@pytest.mark.parametrize("written", MADE)
def test_steps_are_torchs(written: str) -> None:
    batches = regression()
    before, after, _ = trained(spec(f"optimizer: {written}\nepochs: 3"), batches)
    by_hand(before, MADE[written](before.parameters()), batches, epochs=3)
    assert_alike(after, before)


def _step(settings: str) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Parameters before a first step, after it, and their gradients there."""
    batches = regression(1)
    before, after, _ = trained(spec(f"{settings}\nepochs: 1"), batches)
    ((x, y),) = batches
    torch.autograd.backward(nn.functional.mse_loss(before(x), y))
    gradients = {n: p.grad for n, p in before.named_parameters() if p.grad is not None}
    return (
        {n: p.detach() for n, p in before.named_parameters()},
        {n: p.detach() for n, p in after.named_parameters()},
        gradients,
    )


def test_decay_of_adam_is_scaled_and_of_adamw_is_not() -> None:
    # Adam's first step is the rate times the sign of what it is given, whatever its size.
    start, adam, gradients = _step("optimizer: adam(lr = 0.01, weight_decay = 5)")
    _, adamw, _ = _step("optimizer: adamw(lr = 0.01, weight_decay = 5)")
    for name, w in start.items():
        g = gradients[name]
        torch.testing.assert_close(adam[name], w - 0.01 * torch.sign(g + 5 * w), atol=1e-6, rtol=0)
        expected = w * (1 - 0.01 * 5) - 0.01 * torch.sign(g)
        torch.testing.assert_close(adamw[name], expected, atol=1e-6, rtol=0)
    assert any((adam[n] - adamw[n]).abs().max() > 0.005 for n in start)


def test_l2_penalty_is_the_decay_of_sgd() -> None:
    # the gradient of c · w² is 2c · w
    body = "optimizer: sgd(lr = 0.1"
    _, decayed, _ = _step(f"{body}, weight_decay = 0.2)")
    _, penalized, _ = _step(f"loss: mse + 0.1 * l2(all)\n{body})")
    for name in decayed:
        torch.testing.assert_close(decayed[name], penalized[name])


NORMS = "fc: linear(4) -> bn: batch_norm -> tanh -> head: linear(2)"


def test_what_decay_spares() -> None:
    settings = "optimizer: adamw(lr = 0.1, weight_decay = 0.5, no_decay = (biases, norms))"
    batches = regression()
    before, after, _ = trained(spec(f"{settings}\nepochs: 2", NORMS), batches)
    apart = [p for n, p in before.named_parameters() if n in {"fc.weight", "head.weight"}]
    rest = [p for n, p in before.named_parameters() if n not in {"fc.weight", "head.weight"}]
    groups: list[dict[str, Any]] = [{"params": apart}, {"params": rest, "weight_decay": 0.0}]
    by_hand(before, optim.AdamW(groups, lr=0.1, weight_decay=0.5), batches, epochs=2)
    assert_alike(after, before)


@pytest.mark.parametrize(
    ("rates", "factors"),
    [
        ("{ fc: 0.1 }", {"fc.weight": 0.1, "fc.bias": 0.1}),
        ("{ fc: 0.1; linear: 0.5 }", dict.fromkeys(["fc.weight", "head.bias"], 0.5)),
        ('[("*.bias", 3), (head, 0)]', {"fc.bias": 3.0, "head.weight": 0.0, "head.bias": 0.0}),
        ("{ biases: 2 }", {"fc.bias": 2.0, "head.bias": 2.0, "fc.weight": 1.0}),
    ],
)
def test_rates_of_parts(rates: str, factors: dict[str, float]) -> None:
    start, after, gradients = _step(f"optimizer: sgd(lr = 0.3)\nlayer_lr: {rates}")
    for name, factor in factors.items():
        expected = start[name] - 0.3 * factor * gradients[name]
        torch.testing.assert_close(after[name], expected)


def test_every_parameter_is_in_one_group() -> None:
    settings = """
    optimizer: adamw(weight_decay = 0.1, no_decay = (biases, norms))
    layer_lr: { fc: 0.1; bn: 0.5; biases: 2 }
    """
    module, _ = module_of(spec(settings, NORMS))
    optimizer: Any = module.configure_optimizers()
    given = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(given) == sorted(id(p) for p in module.parameters())


def test_lbfgs_has_one_rate() -> None:
    recipe, (found,) = read(spec("optimizer: lbfgs\nlayer_lr: { fc: 0.1 }"))
    assert recipe is None
    assert found.code == "bad-setting"
    assert "one learning rate" in found.message


def _lamb(w: Tensor, gradients: list[Tensor], lr: float, decay: float) -> Tensor:
    """You et al., 2020, algorithm 2 in the version without bias correction; φ is min(‖w‖, 10)."""
    m, v = torch.zeros_like(w), torch.zeros_like(w)
    for g in gradients:
        m = 0.9 * m + 0.1 * g
        v = 0.999 * v + 0.001 * g * g
        step = m / (v.sqrt() + 1e-6) + decay * w
        w = w - lr * min(float(w.norm()), 10.0) / (step.norm() + 1e-6) * step
    return w


def test_lamb_scales_a_step_by_its_layer() -> None:
    pytest.importorskip("pytorch_optimizer")
    module, recipe = module_of(spec("optimizer: lamb(lr = 0.02, weight_decay = 0.3)"))
    assert recipe.optimizer.extra == "pytorch_optimizer"
    optimizer: Any = module.configure_optimizers()
    start = [p.detach().clone() for p in module.parameters()]
    gradients = [[torch.randn_like(p) for p in module.parameters()] for _ in range(3)]
    for some in gradients:
        for p, g in zip(module.parameters(), some, strict=True):
            p.grad = g.clone()
        optimizer.step()
    for i, p in enumerate(module.parameters()):
        expected = _lamb(start[i], [some[i] for some in gradients], 0.02, 0.3)
        torch.testing.assert_close(p.detach(), expected)


def test_defaults_are_torchs() -> None:
    for written in ("adagrad", "adadelta", "rmsprop", "adam", "adamw", "nadam", "radam", "lbfgs"):
        recipe = recipe_of(spec(f"optimizer: {written}"))
        module, _ = module_of(spec(f"optimizer: {written}"))
        made: Any = module.configure_optimizers()
        torchs = type(made)([torch.zeros(1, requires_grad=True)])
        left = {"history_size", "differentiable", "capturable"} if written == "lbfgs" else set()
        for name, value in torchs.defaults.items():
            assert name in left or made.defaults[name] == value, (written, name)
        assert recipe.optimizer.name == written
        copy.deepcopy(made)
