"""Autoencoders of few codes, against as many principal components."""

from __future__ import annotations

from typing import cast

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

import archdsl
from tests.training.experiments.trials import EXAMPLES, printed, trained


@pytest.mark.parametrize("codes", [1, 2, 16])
def test_as_many_codes_as_asked_stand_in_the_middle(codes: int) -> None:
    model = archdsl.compile(EXAMPLES / "codes.arch", codes=codes)
    image = torch.rand(3, 1, 8, 8)
    reconstruction, code = model(image)
    assert code.shape == (3, codes)
    torch.testing.assert_close(cast("nn.Module", model.decoder)(code), reconstruction)


def test_two_codes_tell_more_than_the_mean_image() -> None:
    outcome = trained("examples/codes.arch", epochs=10)
    images = torch.tensor(load_digits().images).float() / 16
    spread = float(images.var(0, unbiased=False).mean())  # the error of the mean image
    assert outcome.test["loss"] < 0.75 * spread


def test_the_program_prints_the_error_beside_that_of_principal_components() -> None:
    head, *rows = printed("codes", "--codes", "1", "16", "--seeds", "1", "--epochs", "1")
    assert head == ["codes", "seed", "autoencoder", "PCA"]
    (one, _, _, linear), (sixteen, _, _, better) = [[float(cell) for cell in row] for row in rows]
    assert (one, sixteen) == (1, 16)
    assert linear == pytest.approx(0.062, abs=0.005)  # of all images it is 0.0625
    assert better < linear / 4
