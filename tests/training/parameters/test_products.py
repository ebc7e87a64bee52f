"""Weights as products of two: L1 by gradient descent (Hoff, 2017)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from tests.training.harness import module_of, read
from tests.training.parameters.running import AfterStep, assert_alike, regression, run, spec

BODY = "fc: linear(1, bias = false)"


def lasso(x: torch.Tensor, y: torch.Tensor, penalty: float) -> torch.Tensor:
    """The weights that minimize mean((x·w - y)²) + penalty·|w|₁, coordinate by coordinate."""
    w = torch.zeros(x.shape[1], dtype=torch.float64)
    n = len(x)
    for _ in range(2000):
        for j in range(len(w)):
            rest = y - x @ w + x[:, j] * w[j]
            rho = 2 / n * (x[:, j] @ rest)
            scale = 2 / n * (x[:, j] @ x[:, j])
            w[j] = torch.sign(rho) * torch.clamp(rho.abs() - penalty, min=0) / scale
    return w


def test_l2_of_the_factors_is_twice_l1_of_the_product() -> None:
    made = torch.Generator().manual_seed(0)
    x = torch.randn(64, 8, generator=made)
    y = x @ torch.tensor([2.0, -1.0, 0.5, 0, 0, 0, 0, 0]) + 0.3 * torch.randn(64, generator=made)
    text = """
    network net { input x: [8]; fc: linear(1, bias = false) }
    train {
        loss: mse + 0.2 * l2(fc)
        reparametrize: product(fc)
        optimizer: sgd(lr = 0.05)
        epochs: 30
    }
    """
    torch.manual_seed(1)
    module, recipe = module_of(text)
    run(module, recipe, [(x, y[:, None])] * 50)
    network: Any = module.network
    found = network.fc.weight.detach()[0].double()
    expected = lasso(x.double(), y.double(), 2 * 0.2)
    torch.testing.assert_close(found, expected, atol=2e-3, rtol=0)
    assert (expected == 0).sum() >= 3
    assert (found[expected == 0].abs() < 1e-3).all()


def test_weights_are_plain_again() -> None:
    text = spec("loss: mse + 1e-3 * l2\nreparametrize: product(fc, head)\nepochs: 2")
    module, recipe = module_of(text)
    network: Any = module.network
    assert {n for n, _ in network.named_parameters()} >= {
        "fc.parametrizations.weight.original0",
        "fc.parametrizations.weight.original1",
    }
    seen = AfterStep(lambda m: m.network.fc.weight.detach().clone())
    run(module, recipe, regression(), callbacks=[seen])
    assert sorted(network.state_dict()) == ["fc.bias", "fc.weight", "head.bias", "head.weight"]
    assert isinstance(network.fc.weight, nn.Parameter)
    assert torch.equal(network.fc.weight.detach(), seen.notes[-1])
    assert type(network.fc) is nn.Linear


def test_a_start_is_kept() -> None:
    torch.manual_seed(0)
    plain, _ = module_of(spec("epochs: 1"))
    torch.manual_seed(0)
    made, _ = module_of(spec("reparametrize: product(weights)"))
    x = torch.randn(4, 3)
    one: Any = plain.network
    other: Any = made.network
    torch.testing.assert_close(one(x), other(x))


def test_a_product_can_be_initialized() -> None:
    module, _ = module_of(
        "network net { input x: [200]; fc: linear(300) }\n"
        "train { loss: mse; reparametrize: product(fc); initialize: he -> zeros(biases) }"
    )
    made: Any = module
    torch.manual_seed(0)
    made.initialize()
    weight = made.network.fc.weight.detach()
    assert float(weight.std()) == pytest.approx((2 / 200) ** 0.5, rel=0.02)
    assert not made.network.fc.bias.any()


def test_a_resumed_run_goes_on(tmp_path: Path) -> None:
    text = spec(
        "loss: mse + 0.01 * l2\nreparametrize: product(fc)\noptimizer: adam(0.01)\n"
        "freeze: fc then none at epoch 1\nlayer_lr: { fc: 0.5 }\nepochs: 4"
    )
    torch.manual_seed(0)
    whole, recipe = module_of(text)
    run(whole, recipe, regression())
    torch.manual_seed(0)
    first, _ = module_of(text)
    place = tmp_path / "last.ckpt"

    class Save(AfterStep):
        def on_train_end(self, trainer: Any, pl_module: Any) -> None:
            trainer.save_checkpoint(place)

    run(first, recipe, regression(), callbacks=[Save(lambda m: None)], epochs=2)
    second, _ = module_of(text)
    run(second, recipe, regression(), checkpoint=place)
    assert_alike(whole.network, second.network, to_the_bit=True)


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ("loss: mse + l1(fc)", "loss"),
        ("constraint: max_norm(1)", "constraint"),
        ("average: ema", "average"),
    ],
)
def test_what_products_cannot_take(settings: str, place: str) -> None:
    recipe, (found,) = read(spec(f"{settings}\nreparametrize: product(weights)"))
    assert recipe is None
    assert found.code == "bad-setting"
    assert found.span is not None
    assert found.span.text.startswith(place)


def test_a_network_is_left_plain_however_often_it_is_asked() -> None:
    """A run that breaks off is torn down by its driver; one that ends, by Lightning as well."""
    module, recipe = module_of(spec("reparametrize: product(fc)\nfreeze: head\nepochs: 1"))
    run(module, recipe, regression())
    made: Any = module
    made.teardown("fit")
    network: Any = made.network
    assert sorted(network.state_dict()) == ["fc.bias", "fc.weight", "head.bias", "head.weight"]
    assert all(p.requires_grad for p in network.parameters())
