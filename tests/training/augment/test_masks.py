"""Masks move where their images move, and stay what they are else."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from tests.training.augment.seeing import MASKS, Shown


def stepped(
    augment: str, image: Tensor, mask: Tensor, *, dims: str = "[1, 16, 16]", body: str = MASKS
) -> tuple[Tensor, Tensor]:
    """The image and the mask of a training step: the mask is what the loss is given."""
    loss = "binary_cross_entropy" if mask.is_floating_point() else "cross_entropy"
    shown = Shown(augment, dims, body, f"loss: {loss}")
    given: list[Tensor] = []
    functional = type(shown.module).training_step.__globals__["F"]

    class Recording:
        def __getattr__(self, name: str) -> Any:
            def call(scores: Tensor, target: Tensor, **options: Any) -> Tensor:
                given.append(target)
                result: Tensor = getattr(functional, name)(scores, target, **options)
                return result

            return call

    type(shown.module).training_step.__globals__["F"] = Recording()
    seen = shown.train(image, mask)
    return seen, given[0]


def blocks(count: int = 32, size: int = 16) -> Tensor:
    """Masks of classes 0 to 4 in squares of four: an image of the same can be told from it."""
    small = torch.randint(5, (count, size // 4, size // 4))
    return small.repeat_interleave(4, 1).repeat_interleave(4, 2)


EXACT = ["horizontal_flip", "vertical_flip", "random_crop(16, padding = 4)"]


@pytest.mark.parametrize("augment", [*EXACT, " -> ".join(EXACT)])
def test_flips_and_crops_take_masks_along_exactly(augment: str) -> None:
    mask = blocks()
    image = mask[:, None] / 4
    seen, moved = stepped(augment, image, mask)
    assert moved.dtype == torch.long
    assert torch.equal(moved, (seen[:, 0] * 4).round().long())
    assert not torch.equal(moved, mask)


SMOOTH = [
    "rotation(30)",
    "zoom((0.7, 1.4))",
    "shift(0.3)",
    "random_resized_crop(16, scale = (0.5, 1))",
]


@pytest.mark.parametrize("augment", SMOOTH)
def test_what_interpolates_images_keeps_classes_whole(augment: str) -> None:
    mask = blocks()
    image = mask[:, None] / 4
    seen, moved = stepped(augment, image, mask)
    assert moved.dtype == torch.long
    assert set(moved.flatten().tolist()) <= set(range(5))
    # inside of the squares both agree; between them the image is interpolated
    agree = ((seen[:, 0] * 4) - moved).abs() < 0.5
    assert agree.float().mean() > 0.75
    apart = ((seen[:, 0] * 4) - mask).abs() < 0.5
    assert apart.float().mean() < agree.float().mean() - 0.1, "it did move"


LOOKS = ["blur(p = 1)", "noise", "erasing(p = 1)", "color_jitter(0.3, 0.3)"]


@pytest.mark.parametrize("augment", LOOKS)
def test_what_changes_looks_alone_leaves_masks_alone(augment: str) -> None:
    mask = blocks()
    image = torch.rand(32, 1, 16, 16)
    seen, kept = stepped(augment, image, mask)
    assert kept is mask
    assert not torch.equal(seen, image)
    seen, kept = stepped(f"{augment} -> horizontal_flip(p = 1)", image, mask)
    assert torch.equal(kept, mask.flip(-1)), "beside something that moves masks, too"


def test_one_mask_of_0_to_1_moves_too() -> None:
    mask = (blocks() > 2).float()[:, None]
    body = "conv(1, 3, padding = 1)"
    seen, moved = stepped("horizontal_flip -> rotation(20)", mask.clone(), mask, body=body)
    assert set(moved.flatten().tolist()) <= {0.0, 1.0}
    assert ((seen - moved).abs() < 0.5).float().mean() > 0.95


def test_evaluation_leaves_masks_alone() -> None:
    mask = blocks()
    shown = Shown("rotation(30) -> erasing", "[1, 16, 16]", MASKS)
    shown.module.eval()
    with torch.no_grad():
        scores = shown.module.network(mask[:, None] / 4)
    shown.evaluate(mask[:, None] / 4, mask)
    wanted = cross_entropy(scores, mask)
    torch.testing.assert_close(shown.module.val_means.sums[0] / len(mask), wanted)


def test_a_policy_moves_masks_where_it_moves_images() -> None:
    """Of one operation a batch, what moves the mask is all that happens to the image."""
    moves = 0
    for _ in range(24):
        mask = blocks()
        image = (mask[:, None] / 4).repeat(1, 3, 1, 1)
        seen, moved = stepped("rand_augment(1, 20)", image, mask, dims="[3, 16, 16]")
        assert set(moved.flatten().tolist()) <= set(range(5))
        if torch.equal(moved, mask):
            continue
        moves += 1
        shown = seen[:, 0] * 4
        agree = ((shown - moved).abs() < 0.5).float().mean()
        assert agree > 0.75
        assert ((shown - mask).abs() < 0.5).float().mean() < agree - 0.05, "the image moved too"
    assert moves > 2


def test_several_outputs_at_every_place_move_together() -> None:
    text = """conv(5, 3, padding = 1) as kinds
    image -> conv(1, 3, padding = 1) as depth
    output kinds, depth"""
    loss = "loss: cross_entropy(kinds, kind) + mse(depth, away)"
    shown = Shown("horizontal_flip(p = 1)", "[1, 16, 16]", text, loss)
    mask, away = blocks(4), torch.rand(4, 1, 16, 16)
    image = torch.rand(4, 1, 16, 16)
    step = shown.module.training_step((image, (mask, away)), 0)
    with torch.no_grad():
        given = shown.module.network(image.flip(-1))
    wanted = cross_entropy(given.kinds, mask.flip(-1))
    wanted = wanted + (given.depth - away.flip(-1)).square().mean()
    torch.testing.assert_close(step["loss"].detach(), wanted)
