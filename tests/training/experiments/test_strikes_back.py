"""«ResNet strikes back», recipe A2: it checks, and makes one step."""

from __future__ import annotations

from typing import Any, cast

import pytest
import torch
from torch.utils.data import TensorDataset

import archdsl
from tests.training.experiments.trials import EXAMPLES

PATH = EXAMPLES / "strikes_back.arch"


def test_it_checks_and_is_torchvisions_resnet_50() -> None:
    report = archdsl.check(PATH)
    assert report.ok
    assert not report.diagnostics
    model = archdsl.compile(PATH)
    assert sum(p.numel() for p in model.parameters()) == 25_557_032


def test_the_recipe_says_what_the_paper_says() -> None:
    recipe = archdsl.load(PATH).recipe(archdsl.graph(PATH))[0]
    assert recipe is not None
    optimizer = cast("Any", recipe.optimizer)
    assert (optimizer.lr, optimizer.weight_decay) == (5e-3, 0.02)
    kept = set(optimizer.no_decay.names)
    assert {"bn1.weight", "bn1.bias", "fc.bias"} <= kept
    assert "conv1.weight" not in kept
    assert (recipe.epochs, recipe.batch_size) == (300, 2048)
    assert [t.name for t in recipe.augment[-2:]] == ["mixup", "cutmix"]


def test_stochastic_depth_grows_from_the_first_unit_to_the_last() -> None:
    model = archdsl.compile(PATH)
    drops = [float(cast("Any", m).p) for m in model.modules() if type(m).__name__ == "DropPath"]
    torch.testing.assert_close(torch.tensor(drops), torch.linspace(0, 0.05, 16))


@pytest.mark.parametrize("optimizer", ["lamb", "adamw"])
def test_one_step(optimizer: str) -> None:
    """LAMB where its package is; adamw, which torch has, in its place too."""
    if optimizer == "lamb":
        pytest.importorskip("pytorch_optimizer")
    torch.manual_seed(0)
    model = archdsl.compile(PATH, classes=4, depths=[1, 1, 1, 1])
    asked: dict[str, object] = {"batch_size": 4, "workers": 0}
    if optimizer == "adamw":
        asked["optimizer"] = "adamw(lr = 5e-3, weight_decay = 0.02, no_decay = (biases, norms))"
    recipe = archdsl.recipe(PATH, settings=asked, classes=4, depths=[1, 1, 1, 1]).replace(epochs=1)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    data = (torch.rand(4, 3, 40, 40), torch.arange(4))
    outcome = archdsl.fit(model, (TensorDataset(*data),) * 3, recipe=recipe, progress=False)

    # 4 yes or no a sample, from scores near 0: log 2 each
    assert outcome.rows[0]["train_loss"] == pytest.approx(0.69, abs=0.15)
    assert outcome.rows[0]["lr"] == pytest.approx(5e-3 / 6)  # the first of 5 epochs of warm-up
    after = dict(outcome.network.named_parameters())
    assert all(torch.isfinite(p).all() for p in after.values())
    assert any(not torch.equal(before[name], after[name]) for name in before)
