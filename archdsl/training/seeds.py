"""Seeds every epoch anew, so that a resumed run draws what one that never stopped draws."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Iterator, Sized
from functools import cache
from typing import Any

import numpy as np
import torch


def seed_from(*parts: int | str) -> int:
    """A seed of 32 bits that follows from all parts, and differs where any of them does."""
    text = ",".join(str(part) for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def seed_generators(*parts: int | str) -> None:
    """Seed the generators of Python, NumPy and torch (of every device)."""
    seed = seed_from(*parts)
    random.seed(seed)
    np.random.seed(seed)  # what transforms and data sets of others draw from
    if _has_accelerator():
        torch.manual_seed(seed)
    else:  # the same, without notes of where it was called for devices that may come yet
        torch.default_generator.manual_seed(seed)


@cache
def _has_accelerator() -> bool:
    return torch.cuda.is_available() or torch.xpu.is_available() or torch.mps.is_available()


class SeededBatches:
    """The batches of a loader, in an order that follows from the seed and the epoch alone.

    A ``DataLoader`` draws its order from torch's generator at a moment that differs between a
    fresh and a resumed run. Here it is drawn when the first batch is asked for, from a generator
    seeded just then. The order is the same in every process; what the network draws is not.
    """

    def __init__(self, loader: Iterable[Any], seed: int) -> None:
        self.loader = loader
        self.seed = seed
        self.epoch = 0
        self.rank = 0

    def __len__(self) -> int:
        if not isinstance(self.loader, Sized):
            raise TypeError("the loader has no length")  # what Lightning asks for: unknown length
        return len(self.loader)

    def start_epoch(self, epoch: int, rank: int) -> None:
        """Make the next pass over the data that of an epoch, counted from 0."""
        self.epoch, self.rank = epoch, rank
        samplers = (getattr(self.loader, name, None) for name in ("sampler", "batch_sampler"))
        for part in (self.loader, *samplers):
            set_epoch = getattr(part, "set_epoch", None)
            if callable(set_epoch):
                set_epoch(epoch)

    def __iter__(self) -> Iterator[Any]:
        seed_generators(self.seed, self.epoch, "order")
        batches = iter(self.loader)
        first = next(batches, None)
        seed_generators(self.seed, self.epoch, "network", self.rank)
        if first is not None:
            yield first
            yield from batches
