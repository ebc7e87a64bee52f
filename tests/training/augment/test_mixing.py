"""Mixing: images and losses in the same shares, which are of the right distribution."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy import stats  # type: ignore[import-untyped]  # it has no types
from torch import Tensor
from torch.nn import functional

from tests.training.augment.seeing import Shown, images

Mixed = tuple[Tensor, Tensor, float]


def function(shown: Shown, name: str) -> Any:
    """A function of the generated module."""
    return type(shown.module).training_step.__globals__[name]


def recorded(shown: Shown, *names: str) -> list[tuple[str, Mixed]]:
    """Every call of these functions from now on, with what it gave."""
    calls: list[tuple[str, Mixed]] = []

    def recording(name: str) -> Any:
        inner = function(shown, name)

        def call(*arguments: Any, **options: Any) -> Mixed:
            mixed: Mixed = inner(*arguments, **options)
            calls.append((name, mixed))
            return mixed

        return call

    for name in names:
        type(shown.module).training_step.__globals__[name] = recording(name)
    return calls


def test_mixup_is_a_convex_combination_with_a_permutation() -> None:
    image = images()
    mixed, order, share = function(Shown("mixup(0.4)"), "mixup")(image, 0.4)
    assert sorted(order.tolist()) == list(range(64))
    torch.testing.assert_close(mixed, share * image + (1 - share) * image[order])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 2.5])
def test_the_share_of_mixup_is_of_the_beta_distribution(alpha: float) -> None:
    mixup = function(Shown("mixup(0.4)"), "mixup")
    one = torch.zeros(2, 1)
    shares = [mixup(one, alpha)[2] for _ in range(800)]
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-4
    assert stats.kstest(shares, stats.beta(alpha, alpha + 1).cdf).pvalue < 1e-4, "it could tell"


def test_cutmix_puts_a_rectangle_of_another_image_in_and_tells_its_area() -> None:
    shown = Shown("cutmix", "[3, 20, 16]")
    cutmix = function(shown, "cutmix")
    for _ in range(50):
        image = torch.rand(6, 3, 20, 16)
        mixed, order, share = cutmix(image, 1.0)
        other = (mixed != image).any(1)
        still = order == torch.arange(6)
        within = other[:, None].expand_as(mixed)
        assert torch.equal(mixed[within], image[order][within])
        for index, one in enumerate(other):
            if still[index]:
                assert not one.any()
                continue
            rows, columns = one.any(1), one.any(0)
            assert torch.equal(one, rows[:, None] & columns)
            assert (rows.int().diff() == 1).sum() <= 1, "one rectangle"
            assert share == pytest.approx(1 - one.float().mean().item(), abs=1e-6)


def test_the_area_of_cutmix_is_nearly_uniform_at_alpha_1() -> None:
    """Its area is 1 - share before the image's edge cuts it off, which makes it smaller."""
    cutmix = function(Shown("cutmix", "[1, 64, 64]"), "cutmix")
    image = torch.rand(2, 1, 64, 64)
    areas = torch.tensor([1 - cutmix(image, 1.0)[2] for _ in range(1500)])
    # by hand: both sides sqrt(a) of the image, a uniform, cut off about a uniform middle:
    # a side of length s keeps s - s² / 4 on average, so the area (sqrt(a) - a / 4)²
    a = torch.linspace(0, 1, 10_001)
    wanted = ((a.sqrt() - a / 4) ** 2).mean()
    assert areas.mean().item() == pytest.approx(wanted.item(), abs=0.03)


@pytest.mark.parametrize("way", ["mixup(0.4, p = 0.25)", "cutmix(1, p = 0.25)"])
def test_only_a_share_of_batches_is_mixed(way: str) -> None:
    shown = Shown(way)
    name = way.partition("(")[0]
    alpha = 0.4 if name == "mixup" else 1.0
    mix = function(shown, name)
    image = images(4)
    left = 0
    for _ in range(400):
        mixed, _, share = mix(image, alpha, p=0.25)
        if share == 1:
            assert torch.equal(mixed, image)
            left += 1
    assert left == pytest.approx(300, abs=60)
    calls = recorded(shown, name)
    for _ in range(40):
        shown.train(image)
    assert sum(mixed[2] == 1.0 for _, mixed in calls) > 15, "the recipe's p arrives"


def test_in_a_chain_either_is_drawn_for_every_batch() -> None:
    shown = Shown("mixup(0.2) -> cutmix(1.0)")
    calls = recorded(shown, "mixup", "cutmix")
    image = images(4)
    for _ in range(200):
        shown.train(image)
    ways = [name for name, _ in calls]
    assert len(ways) == 200
    assert ways.count("mixup") == pytest.approx(100, abs=36)


@pytest.mark.parametrize("way", ["mixup(1.0)", "cutmix(1.0)"])
def test_the_loss_is_the_cross_entropy_of_soft_targets(way: str) -> None:
    """Cross entropy is linear in its target: the mixture of losses is that of soft labels."""
    shown = Shown(way)
    calls = recorded(shown, way.partition("(")[0])
    image, target = images(16), torch.randint(5, (16,))
    for _ in range(5):
        seen = shown.train(image, target)
        _, (mixed, order, share) = calls[-1]
        assert seen is mixed
        hot = functional.one_hot(target, 5).float()
        soft = share * hot + (1 - share) * hot[order]
        with torch.no_grad():
            scores = shown.module.network(mixed)
        torch.testing.assert_close(shown.loss.detach(), functional.cross_entropy(scores, soft))


def test_each_term_is_mixed_by_itself_and_penalties_are_not() -> None:
    settings = "loss: cross_entropy(label_smoothing = 0.1) + 0.5 * focal + 1e-3 * l2(weights)"
    shown = Shown("mixup(1.0)", settings=settings)
    calls = recorded(shown, "mixup")
    image, target = images(16), torch.randint(5, (16,))
    shown.train(image, target)
    _, (mixed, order, share) = calls[-1]
    with torch.no_grad():
        scores = shown.module.network(mixed)

    def both(loss: Any) -> Tensor:
        result: Tensor = share * loss(target) + (1 - share) * loss(target[order])
        return result

    smooth = both(lambda t: functional.cross_entropy(scores, t, label_smoothing=0.1))

    def focal(t: Tensor) -> Tensor:
        loss = functional.cross_entropy(scores, t, reduction="none")
        return ((1 - (-loss).exp()) ** 2 * loss).mean()

    weights = [p for p in shown.module.network.parameters() if p.ndim > 1]
    squares = torch.stack([p.square().sum() for p in weights]).sum()
    torch.testing.assert_close(shown.loss["cross_entropy"], smooth)
    torch.testing.assert_close(shown.loss["focal"], both(focal))
    torch.testing.assert_close(shown.loss["l2(weights)"], squares.detach())
    wanted = smooth + 0.5 * both(focal) + 1e-3 * squares
    torch.testing.assert_close(shown.loss["loss"], wanted)
    shown.loss["loss"].backward()
    assert all(p.grad is not None for p in shown.module.network.parameters())


def test_a_factor_counts_for_both_shares() -> None:
    shown = Shown("mixup(1.0)", settings="loss: 3 * cross_entropy")
    calls = recorded(shown, "mixup")
    image, target = images(16), torch.randint(5, (16,))
    shown.train(image, target)
    _, (mixed, order, share) = calls[-1]
    with torch.no_grad():
        scores = shown.module.network(mixed)
    hot = functional.one_hot(target, 5).float()
    wanted = 3 * functional.cross_entropy(scores, share * hot + (1 - share) * hot[order])
    torch.testing.assert_close(shown.loss.detach(), wanted)


def test_transforms_come_before_mixing() -> None:
    shown = Shown("horizontal_flip(p = 1) -> mixup(1.0)")
    calls = recorded(shown, "mixup")
    image = images(4)
    shown.train(image)
    _, (mixed, order, share) = calls[-1]
    flipped = image.flip(-1)
    torch.testing.assert_close(mixed, share * flipped + (1 - share) * flipped[order])


def test_mixup_mixes_masks_and_vectors_too() -> None:
    shown = Shown("mixup(1.0)", "[1, 8, 8]", "conv(3, 1)")
    assert shown.train(images(4, 1, 8), torch.randint(3, (4, 8, 8))).shape == (4, 1, 8, 8)
    vectors = Shown("mixup(1.0)", "[6]", "linear(5)")
    assert vectors.train(torch.randn(4, 6)).shape == (4, 6)


@pytest.mark.parametrize("way", ["mixup(0.2)", "cutmix", "mixup(0.2) -> cutmix(1.0)"])
def test_it_follows_from_torchs_seed_alone(way: str) -> None:
    image = images(8)
    drawn = []
    for shown in (Shown(way), Shown(way)):
        torch.manual_seed(7)
        drawn.append(torch.stack([shown.train(image) for _ in range(5)]))
    assert torch.equal(*drawn)


def test_evaluation_mixes_nothing() -> None:
    shown = Shown("mixup(1.0) -> cutmix")
    calls = recorded(shown, "mixup", "cutmix")
    image = images(4)
    assert shown.evaluate(image) is image
    assert not calls
