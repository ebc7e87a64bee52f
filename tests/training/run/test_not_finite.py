"""A loss that is no number any more: where it became so, and whose value it is."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import archdsl
from archdsl.diagnostics import ArchError, Diagnostic

NETWORK = """
network n {
    input x: [4]

    fc: linear(3)
}

train for n {
    loss: LOSS
    optimizer: sgd(lr = RATE)
    epochs: 3
    batch_size: 8
    split: (0.5, 0.5, 0.0)
}
"""


def said_of(loss: str, rate: str, x: torch.Tensor, y: torch.Tensor) -> Diagnostic:
    spec = archdsl.loads(NETWORK.replace("LOSS", loss).replace("RATE", rate))
    parts = [torch.utils.data.TensorDataset(x[i : i + 16], y[i : i + 16]) for i in (0, 16)]
    with pytest.raises(ArchError) as caught:
        archdsl.fit(spec, tuple(parts), progress=False)
    (said,) = caught.value.diagnostics
    assert said.code == "loss-not-finite"
    return said


def values() -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    return torch.randn(32, 4, generator=draw), torch.randn(32, 3, generator=draw)


def test_the_only_term_is_named() -> None:
    x, y = values()
    said = said_of("mse", "1e25", x, y)
    # the first step has a finite loss, and takes the weights to 1e25: its square is infinite
    assert said.message == "the loss mse is inf at epoch 1, step 2"


def test_of_several_terms_the_one_at_fault_is_named() -> None:
    x, y = values()
    said = said_of("mae + 1e-3 * l2(fc)", "1e25", x, y)
    assert said.message == "the term l2(fc) of the loss is inf at epoch 1, step 2"


def test_a_term_of_the_validation_loss_is_named() -> None:
    x, y = values()
    y[16:] = 1e30  # its square is infinite in float32, its amount is not
    said = said_of("mae + mse", "1e-3", x, y)
    assert said.message == "the term mse of the validation loss is inf at epoch 1, step 2"
    said = said_of("mse", "1e-3", x, y)
    assert said.message == "the validation loss mse is inf at epoch 1, step 2"


class Root(nn.Module):
    """Its answer is finite at 0, and its slope there is not."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :3] * self.scale.sqrt()


def test_a_weight_that_is_lost_at_an_epochs_last_step_is_named_with_its_gradient() -> None:
    x, y = values()
    spec = archdsl.loads(NETWORK.replace("LOSS", "mse").replace("RATE", "1e-3"))
    recipe = archdsl.recipe(spec, settings={"batch_size": 16, "split": "(0.5, 0.0, 0.5)"})
    with pytest.raises(ArchError) as caught:
        archdsl.fit(Root(), (x, y), recipe=recipe, progress=False)
    (said,) = caught.value.diagnostics
    assert said.message == "the weight scale is not finite at epoch 1, step 1"
    assert said.notes == ("its gradient is not finite, either",)
