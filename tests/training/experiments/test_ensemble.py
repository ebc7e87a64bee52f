"""The ensemble of five against its members."""

from __future__ import annotations

from typing import cast

import torch
from torch import nn

from tests.training.experiments.trials import trained


def test_the_ensemble_is_five_networks_and_their_mean_loses_less_than_they_do() -> None:
    outcome = trained("examples/ensemble.arch", epochs=5)
    members = [outcome.extra[f"member-{i}"] for i in range(1, 6)]
    assert "member-6" not in outcome.extra
    # the loss of a mean of probabilities is below the mean loss (Jensen)
    assert outcome.test["loss"] < sum(m["loss"] for m in members) / 5
    accuracies = [m["accuracy"] for m in members]
    assert len(set(accuracies)) > 1
    assert outcome.test["accuracy"] >= sum(accuracies) / 5


def test_it_answers_with_the_mean_of_the_probabilities() -> None:
    outcome = trained("examples/ensemble.arch", epochs=1)
    members = cast("nn.ModuleList", outcome.network.members)
    image = torch.rand(4, 1, 8, 8)
    with torch.inference_mode():
        together = outcome.network(image).softmax(1)
        each = [member(image).softmax(1) for member in members]
    torch.testing.assert_close(together, torch.stack(each).mean(0))
