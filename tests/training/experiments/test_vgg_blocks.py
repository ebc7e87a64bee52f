"""VGG-like networks: blocks by layers per block."""

from __future__ import annotations

import itertools

import pytest
from torch import nn

import archdsl
from tests.training.experiments.trials import EXAMPLES, printed, trained


@pytest.mark.parametrize(("blocks", "layers"), list(itertools.product((1, 2, 3), repeat=2)))
def test_a_network_has_the_blocks_and_layers_asked(blocks: int, layers: int) -> None:
    model = archdsl.compile(EXAMPLES / "vgg_blocks.arch", blocks=blocks, layers=layers)
    modules = list(model.modules())
    widths = [m.out_channels for m in modules if isinstance(m, nn.Conv2d)]
    assert widths == [16 * 2**block for block in range(blocks) for _ in range(layers)]
    assert sum(isinstance(m, nn.MaxPool2d) for m in modules) == blocks


def test_two_blocks_of_two_layers_learn_digits_from_a_fifth_of_them() -> None:
    outcome = trained("examples/vgg_blocks.arch", epochs=15)
    assert outcome.test["accuracy"] >= 0.95


def test_the_program_prints_three_times_three_accuracies() -> None:
    _, *rows = printed("vgg_blocks", "--seeds", "1", "--epochs", "4")
    assert len(rows) == 3
    found = [[float(cell) for cell in row[2:]] for row in rows]
    assert all(len(row) == 3 for row in found)
    assert all(20 < accuracy <= 100 for row in found for accuracy in row)  # guessing gives 10
    assert len({accuracy for row in found for accuracy in row}) > 1
