"""Plain against residual networks: 56 layers are hard to train, unless there are shortcuts."""

from __future__ import annotations

import pytest
from torch import nn

import archdsl
from tests.training.experiments.trials import EXAMPLES, printed, trained

FILE = "examples/plain_or_residual.arch"


@pytest.mark.parametrize("depth", [20, 56])
def test_both_have_the_same_layers_and_as_many_parameters(depth: int) -> None:
    counts = []
    for kind in ("plain", "residual"):
        model = archdsl.compile(f"{EXAMPLES}/plain_or_residual.arch:{kind}{depth}")
        layers = [m for m in model.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
        assert len(layers) == depth
        counts.append(sum(p.numel() for p in model.parameters()))
    assert counts[0] == counts[1]


def test_shortcuts_make_56_layers_learn_what_plain_ones_do_not() -> None:
    """The loss on the training data after three epochs; knowing nothing is ln 10 = 2.30."""
    last = {
        name: trained(f"{FILE}:{name}", epochs=3).rows[-1]["train_loss"]
        for name in ("plain20", "plain56", "residual56")
    }
    assert last["plain56"] > 1.5 * last["plain20"]
    assert last["plain56"] > 2.0
    assert last["residual56"] < 1.0


def test_the_program_prints_a_row_a_network() -> None:
    heading, *rows = printed("plain_or_residual", "--seeds", "1", "--epochs", "1")
    assert heading[:2] == ["training", "loss"]
    assert [row[0] for row in rows] == ["plain20", "plain56", "residual20", "residual56"]
    assert all(len(row) == 4 and float(row[1]) > 0 for row in rows)
