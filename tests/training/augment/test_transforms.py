"""What each transform does to images: exactly where that can be said, else by statistics."""

from __future__ import annotations

import math

import pytest
import torch

from archdsl.backends.torch_training import generate_training
from archdsl.techniques.technique import registered
from tests.training.augment.seeing import Shown, changed, images, plausible
from tests.training.harness import recipe_of

EVERY = [cls.example for cls in registered("transform")]
EVERY_OF_THE_SIZE = [e.replace("28", "16").replace("224", "16") for e in EVERY]


@pytest.mark.parametrize("augment", EVERY_OF_THE_SIZE)
def test_size_type_and_range_are_kept(augment: str) -> None:
    shown = Shown(augment)
    image = images(8)
    for _ in range(3):
        after = shown.train(image)
        assert (after.shape, after.dtype, after.device) == (image.shape, image.dtype, image.device)
        assert after.isfinite().all()
        if not augment.startswith("noise"):
            assert after.min() >= -1e-5
            assert after.max() <= 1 + 1e-5


@pytest.mark.parametrize("augment", EVERY_OF_THE_SIZE)
def test_evaluation_sees_the_images_as_they_are(augment: str) -> None:
    shown = Shown(augment)
    image = images(8)
    assert shown.evaluate(image) is image


@pytest.mark.parametrize("augment", EVERY_OF_THE_SIZE)
def test_it_follows_from_torchs_seed_alone(augment: str) -> None:
    first, second = Shown(augment), Shown(augment)
    image = images(8)
    first.train(image)  # what was drawn before does not matter
    drawn = []
    for shown in (first, second, second):
        torch.manual_seed(5)
        drawn.append(shown.train(image))
    assert torch.equal(drawn[0], drawn[1])
    assert torch.equal(drawn[0], drawn[2])
    others = [second.train(image) for _ in range(8)]
    assert any(not torch.equal(drawn[0], other) for other in others), "it is chance"


@pytest.mark.parametrize("augment", EVERY_OF_THE_SIZE)
def test_nothing_of_it_is_state_or_learned(augment: str) -> None:
    module = Shown(augment).module
    assert all(name.startswith("network.") for name in module.state_dict())
    assert all(name.startswith("network.") for name, _ in module.named_parameters())


@pytest.mark.parametrize("augment", EVERY_OF_THE_SIZE)
def test_a_batch_may_be_one_image(augment: str) -> None:
    image = images(1)
    assert Shown(augment).train(image).shape == image.shape


# Where things are -------------------------------------------------------------------------


@pytest.mark.parametrize(("augment", "axis"), [("horizontal_flip", -1), ("vertical_flip", -2)])
def test_a_flip_is_exact(augment: str, axis: int) -> None:
    image = images()
    assert torch.equal(Shown(f"{augment}(p = 1)").train(image), image.flip(axis))
    half = Shown(augment).train(image)
    flipped = changed(image, half)
    assert torch.equal(half[flipped], image[flipped].flip(axis))


@pytest.mark.parametrize(
    ("augment", "share"),
    [
        ("horizontal_flip", 0.5),
        ("vertical_flip(p = 0.2)", 0.2),
        ("rotation(30, p = 0.3)", 0.3),
        ("zoom((1.5, 2), p = 0.7)", 0.7),
        ("shift(0.4, p = 0.6)", 0.6),
        ("blur(3, p = 0.4)", 0.4),
        ("noise(0.1, p = 0.25)", 0.25),
        ("erasing(p = 0.35)", 0.35),
        ("grayscale(p = 0.15)", 0.15),
    ],
)
def test_it_changes_its_share_of_images(augment: str, share: float) -> None:
    image = images(1000, size=12)
    after = Shown(augment, "[3, 12, 12]").train(image)
    assert plausible(int(changed(image, after).sum()), share, 1000)


def angle(image: torch.Tensor) -> float:
    """The direction, in degrees, of a bright spot from the middle."""
    rows, columns = (torch.arange(s) - (s - 1) / 2 for s in image.shape)
    total = image.sum()
    row = (image.sum(1) * rows).sum() / total
    column = (image.sum(0) * columns).sum() / total
    return math.degrees(math.atan2(float(row), float(column)))


def test_a_rotation_turns_by_no_more_than_its_angle() -> None:
    image = torch.zeros(400, 1, 41, 41)
    image[:, :, 19:22, 34:37] = 1
    after = Shown("rotation(20)", "[1, 41, 41]").train(image)
    angles = torch.tensor([angle(one[0]) for one in after])
    assert angles.abs().max() <= 20.5
    # uniform between -20 and 20: mean 0 and standard deviation 20 / sqrt 3
    assert angles.mean().abs() < 5 * 20 / math.sqrt(3 * 400)
    assert angles.std().item() == pytest.approx(20 / math.sqrt(3), rel=0.15)


def test_a_shift_moves_by_no_more_than_its_share() -> None:
    image = torch.zeros(300, 1, 41, 41)
    image[:, :, 20, 20] = 1
    after = Shown("shift(0.2)", "[1, 41, 41]").train(image)
    places = torch.arange(41) - 20.0
    moved = [(after[:, 0].sum(axis) * places).sum(1) for axis in (1, 2)]
    for way in moved:
        assert way.abs().max() <= 0.2 * 41 + 0.01
        assert way.std().item() == pytest.approx(0.2 * 41 / math.sqrt(3), rel=0.2)
    assert (after[:, 0].sum((1, 2)) - 1).abs().max() < 1e-4, "nothing else happens to it"


def test_a_zoom_scales_areas_by_the_square_of_its_factor() -> None:
    image = torch.zeros(300, 1, 64, 64)
    image[:, :, 24:40, 24:40] = 1
    after = Shown("zoom((0.5, 1.5))", "[1, 64, 64]").train(image)
    factors = (after.sum((1, 2, 3)) / 256).sqrt()
    assert factors.min() >= 0.49
    assert factors.max() <= 1.51
    assert factors.mean().item() == pytest.approx(1.0, abs=0.08)
    assert factors.std().item() == pytest.approx(1 / math.sqrt(12), rel=0.2)


def test_a_crop_is_a_window_of_the_padded_image() -> None:
    image = images(200, 1, 8)
    after = Shown("random_crop(8, padding = 2)", "[1, 8, 8]").train(image)
    padded = torch.nn.functional.pad(image, (2, 2, 2, 2))
    windows = padded.unfold(2, 8, 1).unfold(3, 8, 1).flatten(2, 3)  # all 25 of every image
    found = (windows == after[:, :, None]).flatten(3).all(3)[:, 0]
    assert found.any(1).all()
    assert set(found.int().argmax(1).tolist()) == set(range(25)), "every place comes up"


def test_a_crop_may_make_images_smaller_where_the_network_takes_any_size() -> None:
    image = images(4)
    assert Shown("random_crop((12, 10))", "[3, H, W]").train(image).shape == (4, 3, 12, 10)
    resized = Shown("random_resized_crop(24, scale = (0.5, 1))", "[3, H, W]").train(image)
    assert resized.shape == (4, 3, 24, 24)


def test_a_resized_crop_is_of_a_part_of_the_area() -> None:
    ramp = torch.linspace(0, 1, 64).expand(300, 1, 64, 64)
    crop = "random_resized_crop(64, scale = (0.25, 0.25), ratio = (1, 1))"
    after = Shown(crop, "[1, 64, 64]").train(ramp)
    spans = after[:, 0, 32, -1] - after[:, 0, 32, 0]
    assert spans.mean().item() == pytest.approx(0.5, abs=0.02), "half of the width"
    assert after[:, 0, 32, 0].std() > 0.1, "anywhere"


# What they look like ----------------------------------------------------------------------


def test_blur_is_a_mean_with_a_gaussian_window() -> None:
    image = torch.zeros(1, 3, 16, 16)
    image[:, :, 8, 8] = 1
    after = Shown("blur(3, sigma = (1, 1), p = 1)").train(image)
    side = math.exp(-0.5) / (1 + 2 * math.exp(-0.5))
    middle = 1 - 2 * side
    window = torch.tensor([side, middle, side])
    torch.testing.assert_close(after[0, 0, 7:10, 7:10], window[:, None] * window)
    assert after[0, 0].sum().item() == pytest.approx(1, abs=1e-5)


def test_noise_is_normal_of_its_standard_deviation() -> None:
    image = images(64)
    noise = Shown("noise(0.2)").train(image) - image
    assert noise.mean().item() == pytest.approx(0, abs=5 * 0.2 / noise.numel() ** 0.5)
    assert noise.std().item() == pytest.approx(0.2, rel=0.02)
    fourth = ((noise / 0.2) ** 4).mean().item()
    assert fourth == pytest.approx(3, rel=0.1), "the fourth moment of a normal distribution"


@pytest.mark.parametrize("called", ["erasing", "cutout"])
def test_erasing_makes_a_rectangle_of_its_area_black(called: str) -> None:
    image = 0.5 + images(200, size=32) / 2
    augment = f"{called}(p = 1, scale = (0.1, 0.2), ratio = (0.5, 2))"
    after = Shown(augment, "[3, 32, 32]").train(image)
    black = (after == 0).all(1)
    outside = ~black[:, None].expand_as(after)
    assert torch.equal(after[outside], image[outside])
    for one in black:
        rows, columns = one.any(1), one.any(0)
        assert torch.equal(one, rows[:, None] & columns), "a rectangle"
        assert 0.07 <= one.float().mean() <= 0.23


def test_brightness_scales_every_image_by_its_factor() -> None:
    image = 0.2 + 0.2 * images(300)
    ratios = Shown("color_jitter(brightness = 0.5)").train(image) / image
    each = ratios.flatten(1)
    torch.testing.assert_close(each, each[:, :1].expand_as(each))
    factors = each[:, 0]
    assert factors.min() >= 0.49
    assert factors.max() <= 1.51
    assert factors.std().item() == pytest.approx(0.5 / math.sqrt(3), rel=0.15)


def test_contrast_keeps_order_and_saturation_keeps_grey() -> None:
    image = images(32)
    contrast = Shown("color_jitter(contrast = 0.3)").train(image)
    for before, after in zip(image, contrast, strict=True):
        order = before.flatten().argsort()
        assert (after.flatten()[order].diff() >= -1e-6).all()
    grey = images(32, 1).expand(32, 3, 16, 16)
    torch.testing.assert_close(
        Shown("color_jitter(saturation = 0.9)").train(grey), grey, atol=1e-5, rtol=0
    )
    coloured = Shown("color_jitter(hue = 0.4)").train(image)
    torch.testing.assert_close(coloured.amax(1), image.amax(1), atol=1e-4, rtol=0)


def test_grayscale_gives_three_channels_that_are_the_same() -> None:
    image = images(8)
    after = Shown("grayscale(p = 1)").train(image)
    torch.testing.assert_close(after, after[:, :1].expand_as(after))
    luma = (image * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(1)
    torch.testing.assert_close(after[:, 0], luma, atol=1e-3, rtol=0)


@pytest.mark.parametrize("augment", ["rand_augment(2, 9)", "trivial_augment"])
def test_a_policy_draws_anew_for_every_batch(augment: str) -> None:
    shown = Shown(augment)
    image = images(4)
    results = [shown.train(image) for _ in range(20)]
    assert sum(bool(changed(image, after).any()) for after in results) >= 12
    assert len({tuple(after.flatten()[:64].tolist()) for after in results}) >= 12


def test_a_chain_is_applied_in_order() -> None:
    image = images(8, size=16)
    torch.manual_seed(3)
    chain = "horizontal_flip(p = 1) -> random_crop(16, padding = 4) -> noise(0.01)"
    after = Shown(chain).train(image)
    assert after.shape == image.shape
    shown = Shown("horizontal_flip(p = 1) -> vertical_flip(p = 1)")
    assert torch.equal(shown.train(image), image.flip((-1, -2)))


def test_without_augmentation_there_is_no_line_for_it() -> None:
    body = "network n {\ninput image: [1, 4, 4]\nflatten -> linear(3)\n}\n"
    text = generate_training(recipe_of(f"{body}train {{ loss: cross_entropy }}"), "N").module()
    step = text[text.index("def training_step") :].split("\n\n")[0]
    assert len(step.splitlines()) == 6, "unpack, call, loss, mean, return"
    assert "augment" not in text
    assert "kornia" not in text
