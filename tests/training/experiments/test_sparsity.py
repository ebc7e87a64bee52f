"""Which penalty makes weights vanish."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
import torch
from torch import nn

from tests.training.experiments.trials import EXAMPLES, printed

PROGRAM: dict[str, Any] = runpy.run_path(str(EXAMPLES / "sparsity.py"))


def test_biases_do_not_count() -> None:
    layer = nn.Linear(2, 2)
    layer.weight.data = torch.tensor([[0.5, 1e-4], [-1e-4, -2.0]])
    layer.bias.data.zero_()
    assert PROGRAM["share_below"](layer, 1e-3) == 0.5


def test_l1_and_products_make_weights_vanish_and_l2_makes_fewer() -> None:
    head, *rows = printed("sparsity", "--seeds", "1", "--epochs", "20")
    assert head[:2] == ["recipe", "accuracy"]
    below = {row[0]: float(row[3].rstrip("%")) / 100 for row in rows}
    accuracy = {row[0]: float(row[1]) for row in rows}
    assert below["plain"] < 0.05
    assert below["lasso"] > 0.6
    assert below["lasso"] > below["ridge"] + 0.2
    assert below["product"] > below["ridge"] + 0.1
    assert accuracy == pytest.approx(dict.fromkeys(accuracy, 0.97), abs=0.05)
