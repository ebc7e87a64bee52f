"""Each loss against a computation by hand, in numpy, from what the network gives."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.training.harness import module_of

Array = NDArray[Any]

VECTOR = "input x: [4]\nlinear({})"
SEQUENCE = "input x: [6, 4]\nlinear(5)"
IMAGE = "input image: [2, 4, 3]\nconv({}, 3, padding = 1)"


def losses(body: str, loss: str, inputs: Any, targets: Any) -> tuple[float, float, Array]:
    """The loss of a training step and of an evaluation, and what the network gave."""
    torch.manual_seed(0)
    module, _ = module_of(f"network n {{\n{body}\n}}\ntrain {{ loss: {loss} }}")
    with torch.no_grad():
        output = module.network(inputs).double().numpy()
        step = module.training_step((inputs, targets), 0)
        module.eval()
        module.evaluate((inputs, targets))
    assert module.val_means.sums is not None
    return float(step), float(module.val_means.sums[0] / module.val_means.count), output


def check(body: str, loss: str, inputs: Any, targets: Any, by_hand: Callable[..., Any]) -> None:
    step, evaluated, output = losses(body, loss, inputs, targets)
    wanted = by_hand(output, targets.numpy())
    assert step == pytest.approx(wanted, rel=2e-5)
    assert evaluated == pytest.approx(wanted, rel=2e-5)


def drawn(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def classes(count: int, *shape: int) -> Tensor:
    return torch.randint(count, shape, generator=torch.Generator().manual_seed(2))


def log_softmax(scores: Array, axis: int) -> Array:
    shifted = scores - scores.max(axis, keepdims=True)
    result: Array = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    return result


def sigmoid(scores: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-scores))
    return result


def surprise(scores: Array, target: Array, axis: int = 1) -> Array:
    """-log p of the true class, of every sample and position."""
    logs = np.moveaxis(log_softmax(scores, axis), axis, -1)
    return -np.take_along_axis(logs, target[..., None], -1)[..., 0]


def one_hot(target: Array, count: int) -> Array:
    return np.eye(count)[target]


# Classes ----------------------------------------------------------------------------------


def test_cross_entropy() -> None:
    check(
        VECTOR.format(3),
        "cross_entropy",
        drawn(7, 4),
        classes(3, 7),
        lambda s, t: surprise(s, t).mean(),
    )


def test_cross_entropy_with_smooth_labels_shares_them_among_all_classes() -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        soft = 0.8 * one_hot(target, 3) + 0.2 / 3
        return -(soft * log_softmax(scores, 1)).sum(1).mean()

    loss = "cross_entropy(label_smoothing = 0.2)"
    check(VECTOR.format(3), loss, drawn(7, 4), classes(3, 7), by_hand)


def test_cross_entropy_leaves_out_a_class() -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        return surprise(scores, target)[target != 1].mean()

    loss = "cross_entropy(ignore = 1)"
    check(VECTOR.format(3), loss, drawn(9, 4), classes(3, 9), by_hand)


def test_cross_entropy_of_a_sequence_has_its_classes_last() -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        return surprise(scores, target, axis=2).mean()

    check(SEQUENCE, "cross_entropy", drawn(3, 6, 4), classes(5, 3, 6), by_hand)


def test_the_axis_of_the_classes_can_be_said() -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        return surprise(scores, target, axis=1).mean()

    check(SEQUENCE, "cross_entropy(axis = 1)", drawn(3, 6, 4), classes(6, 3, 5), by_hand)


def test_cross_entropy_of_every_pixel() -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        return surprise(scores, target).mean()

    check(IMAGE.format(5), "cross_entropy", drawn(2, 2, 4, 3), classes(5, 2, 4, 3), by_hand)


def test_nll_is_of_log_probabilities() -> None:
    def by_hand(logs: Array, target: Array) -> Any:
        return -logs[np.arange(len(target)), target].mean()

    body = VECTOR.format(3) + " -> log_softmax"
    check(body, "nll", drawn(7, 4), classes(3, 7), by_hand)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_focal_weighs_what_is_easy_less(gamma: float) -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        loss = surprise(scores, target)
        return ((1 - np.exp(-loss)) ** gamma * loss).mean()

    loss = f"focal(gamma = {gamma})"
    check(VECTOR.format(3), loss, drawn(7, 4), classes(3, 7), by_hand)


def dice(share: Array, truth: Array, smooth: float) -> Any:
    values = []
    for sample_share, sample_truth in zip(share, truth, strict=True):
        for one, other in zip(sample_share, sample_truth, strict=True):
            above = 2 * (one * other).sum() + smooth
            values.append(above / (one.sum() + other.sum() + smooth))
    return 1 - np.mean(values)


def test_dice_of_several_classes() -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        share = np.exp(log_softmax(scores, 1))
        return dice(share, np.moveaxis(one_hot(target, 3), -1, 1), 0.5)

    loss = "dice(smooth = 0.5)"
    check(IMAGE.format(3), loss, drawn(2, 2, 4, 3), classes(3, 2, 4, 3), by_hand)


@pytest.mark.parametrize("end", ["", " -> sigmoid"])
def test_dice_of_one_mask_takes_scores_or_probabilities(end: str) -> None:
    def by_hand(output: Array, target: Array) -> Any:
        return dice(output if end else sigmoid(output), target, 1.0)

    target = classes(2, 2, 1, 4, 3).float()
    check(IMAGE.format(1) + end, "dice", drawn(2, 2, 4, 3), target, by_hand)


def test_dice_and_binary_cross_entropy_go_together_on_one_mask() -> None:
    torch.manual_seed(0)
    text = f"network n {{\n{IMAGE.format(1)}\n}}\ntrain {{ loss: binary_cross_entropy + 2 * dice }}"
    module, recipe = module_of(text)
    image, mask = drawn(2, 2, 4, 3), classes(2, 2, 1, 4, 3).float()
    step = module.training_step((image, mask), 0)
    assert str(recipe.targets["target"]) == "[1, 4, 3]"
    with torch.no_grad():
        share = sigmoid(module.network(image).double().numpy())
    truth = mask.numpy()
    entropy = -(truth * np.log(share) + (1 - truth) * np.log(1 - share)).mean()
    assert step["binary_cross_entropy"].item() == pytest.approx(entropy, rel=1e-5)
    wanted = entropy + 2 * dice(share, truth, 1.0)
    assert step["loss"].item() == pytest.approx(wanted, rel=1e-5)


# Yes and no -------------------------------------------------------------------------------


def entropy(share: Array, truth: Array) -> Any:
    return -(truth * np.log(share) + (1 - truth) * np.log(1 - share)).mean()


@pytest.mark.parametrize("end", ["", " -> sigmoid"])
def test_binary_cross_entropy_takes_scores_or_probabilities(end: str) -> None:
    def by_hand(output: Array, target: Array) -> Any:
        return entropy(output if end else sigmoid(output), target)

    body = VECTOR.format(1) + end
    check(body, "binary_cross_entropy", drawn(9, 4), classes(2, 9, 1).float(), by_hand)


def test_a_yes_can_weigh_more() -> None:
    def by_hand(scores: Array, truth: Array) -> Any:
        share = sigmoid(scores)
        return -(3 * truth * np.log(share) + (1 - truth) * np.log(1 - share)).mean()

    loss = "binary_cross_entropy(positive_weight = 3)"
    check(VECTOR.format(2), loss, drawn(9, 4), classes(2, 9, 2).float(), by_hand)


def test_binary_cross_entropy_of_a_class_is_of_each_score_by_itself() -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        return entropy(sigmoid(scores), 0.9 * one_hot(target, 3) + 0.05)

    loss = "bce(one_hot = true, label_smoothing = 0.1)"
    check(VECTOR.format(3), loss, drawn(9, 4), classes(3, 9), by_hand)


def test_hinge() -> None:
    def by_hand(scores: Array, target: Array) -> Any:
        sides = np.where(target == 1, 1.0, -1.0)
        return np.maximum(0, 1 - sides * scores).mean()

    check(VECTOR.format(1), "hinge", drawn(9, 4), classes(2, 9, 1).float(), by_hand)


# Values -----------------------------------------------------------------------------------


def huber(delta: float) -> Callable[[Array, Array], Any]:
    def by_hand(output: Array, target: Array) -> Any:
        away = np.abs(output - target)
        return np.where(away <= delta, away**2 / 2, delta * (away - delta / 2)).mean()

    return by_hand


def one_minus_cosine(output: Array, target: Array) -> Any:
    norms = np.linalg.norm(output, axis=1) * np.linalg.norm(target, axis=1)
    return (1 - (output * target).sum(1) / norms).mean()


VALUES: dict[str, Callable[[Array, Array], Any]] = {
    "mse": lambda y, t: ((y - t) ** 2).mean(),
    "mae": lambda y, t: np.abs(y - t).mean(),
    "huber(delta = 0.5)": huber(0.5),
    "huber": huber(1.0),
    "smooth_l1(beta = 0.5)": lambda y, t: huber(0.5)(y, t) / 0.5,
    "cosine": one_minus_cosine,
}


@pytest.mark.parametrize("loss", VALUES)
def test_losses_of_values(loss: str) -> None:
    check(VECTOR.format(3), loss, drawn(8, 4), 2 * drawn(8, 3), VALUES[loss])
