"""A U-Net on shapes that the example draws."""

from __future__ import annotations

import runpy
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.experiments.trials import EXAMPLES, printed

SHAPES: dict[str, Any] = runpy.run_path(str(EXAMPLES / "shapes.py"))


@pytest.mark.parametrize(("kind", "area"), [(1, np.pi), (2, 2.0), (3, 0.75 * 3**0.5)])
def test_a_shape_has_the_area_of_its_kind(kind: int, area: float) -> None:
    points = np.array(SHAPES["corners"](kind, np.array([16.0, 16.0]), 10.0, 0.3))
    x, y = points.T
    shoelace = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    assert shoelace == pytest.approx(100 * area, rel=0.01)


def test_a_mask_lies_on_what_is_light() -> None:
    images, masks = SHAPES["draw"](50, seed=0)
    assert images.shape == (50, 1, 32, 32)
    assert set(masks.unique().tolist()) == {0, 1, 2, 3}
    for image, mask in zip(images[:, 0], masks, strict=True):
        assert image[mask > 0].mean() > image[mask == 0].mean() + 0.1


def test_overlap_of_halves() -> None:
    masks = torch.tensor([[0, 0, 1, 1], [2, 2, 3, 3]])
    found = torch.tensor([[0, 1, 1, 1], [2, 3, 3, 2]])
    assert SHAPES["overlaps"](found, masks) == pytest.approx([1 / 2, 2 / 3, 1 / 3, 1 / 3])


def test_the_program_tells_shapes_from_background_after_two_epochs() -> None:
    head, row = printed("shapes", "--seeds", "1", "--epochs", "2", "--images", "200")
    assert head[-4:] == ["background", "disc", "square", "triangle"]
    right, mean, *classes = [float(cell) for cell in row[1:]]
    assert classes[0] > 0.9  # all of it background would be 0.78
    assert 0.75 < right <= 1
    assert mean == pytest.approx(np.mean(classes), abs=0.002)
