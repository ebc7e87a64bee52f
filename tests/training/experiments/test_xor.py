"""XOR: a perceptron cannot learn it, a hidden layer can."""

from __future__ import annotations

import math

import pytest
import torch

from tests.training.experiments.trials import printed, trained

ROWS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


@pytest.mark.parametrize("seed", range(3))
def test_a_perceptron_ends_at_one_half_for_every_row(seed: int) -> None:
    """The loss is convex, and by symmetry least where all four answers are one half: at ln 2."""
    outcome = trained("examples/xor.arch:perceptron", seed)
    assert outcome.test["loss"] == pytest.approx(math.log(2), abs=1e-3)
    assert outcome.test["accuracy"] <= 0.75
    with torch.inference_mode():
        assert outcome.network(ROWS).flatten().tolist() == pytest.approx([0.5] * 4, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_a_hidden_layer_learns_all_four_rows(seed: int) -> None:
    outcome = trained("examples/xor.arch:mlp", seed)
    assert outcome.test["accuracy"] == 1.0
    with torch.inference_mode():
        answers = outcome.network(ROWS).flatten() > 0.5
    assert answers.tolist() == [False, True, True, False]


def test_the_zoo_learns_xor_with_two_hidden_neurons() -> None:
    assert trained("specs/perceptron.arch:xor").test["accuracy"] == 1.0


def test_the_program_prints_a_row_a_network() -> None:
    _, *rows = printed("xor", "--seeds", "1")
    assert [row[0] for row in rows] == ["perceptron", "2", "4", "8"]
    learned = [int(row[row.index("of") - 1]) for row in rows]
    assert learned[0] == 0
    assert learned[-1] == 1
