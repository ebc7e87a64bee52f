"""What the network is shown in training and in evaluation."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from tests.training.harness import module_of

CLASSES = "global_avg_pool -> flatten -> linear(5)"
MASKS = "conv(5, 3, padding = 1)"


class Shown:
    """A module that trains with an augmentation; ``image`` and ``target`` are what arrived."""

    def __init__(
        self, augment: str, dims: str = "[3, 16, 16]", body: str = CLASSES, settings: str = ""
    ) -> None:
        text = f"network n {{\ninput image: {dims}\n{body}\n}}\n"
        said = settings or "loss: cross_entropy"
        self.loss: Any = None
        self.module: Any
        self.module, self.recipe = module_of(f"{text}train {{ {said}\naugment: {augment} }}")
        self._seen: list[Tensor] = []
        self.module.network.register_forward_pre_hook(lambda _, given: self._seen.append(given[0]))

    def train(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        """The images of a training step."""
        if target is None:
            target = torch.zeros(len(image), dtype=torch.long)
        before = image.clone()
        self.loss = self.module.training_step((image, target), 0)
        assert torch.equal(image, before), "the data itself is not to be changed"
        return self._seen[-1]

    def evaluate(self, image: Tensor, target: Tensor | None = None) -> Tensor:
        if target is None:
            target = torch.zeros(len(image), dtype=torch.long)
        self.module.eval()
        self.module.evaluate((image, target))
        return self._seen[-1]


def images(count: int = 64, channels: int = 3, size: int = 16) -> Tensor:
    return torch.rand(count, channels, size, size)


def changed(before: Tensor, after: Tensor) -> Tensor:
    """Which images of a batch are other than they were."""
    return (before != after).flatten(1).any(1)


def plausible(count: int, share: float, of: int) -> bool:
    """Whether so many of a number are within five standard deviations of a share."""
    return abs(count - share * of) <= 5 * math.sqrt(share * (1 - share) * of)
