"""Serves samples in batches, in an order that is a function of the seed and the epoch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Sampler

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.data.samples import Batch, InMemory, packed


class EpochBatches(Sampler[list[int]]):
    """The batches of one process, as indices.

    For training they are shuffled anew in every epoch (``set_epoch``). Of every global batch a
    process takes its part, ``batch[rank::world]``; the last one is cut to a multiple of the
    processes in training, so that each has as many, and is whole in evaluation.
    """

    def __init__(
        self,
        indices: Tensor,
        batch_size: int,
        *,
        seed: int = 0,
        training: bool = False,
        drop_last: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        if training and batch_size % world:
            raise _bad_batches(
                f"a batch of {batch_size} cannot be parted evenly among {world} processes",
                f"choose a batch_size that is a multiple of {world}",
            )
        if not training:
            batch_size = max(batch_size, world)  # every process has a share of every batch
        self.indices, self.batch_size, self.seed = indices, batch_size, seed
        self.training, self.drop_last = training, drop_last
        self.rank, self.world = rank, world
        if not training and len(indices) < world:
            self.rank, self.world = 0, 1  # too few to part: every process takes all of them
        self.epoch = 0
        self.generator = torch.Generator()  # what the workers of a DataLoader are seeded from
        self.set_epoch(0)
        if training and not len(self):
            raise _bad_batches(
                f"{len(indices)} samples for training make no batch of {batch_size}"
                + (f" for {world} processes" if world > 1 else ""),
                "choose a smaller batch_size" + (", or drop_last = false" if drop_last else ""),
            )

    @property
    def sampler(self) -> EpochBatches:
        """Itself: where Lightning looks for ``set_epoch``."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.epoch = epoch
        self.generator.manual_seed(_seed(self.seed, epoch, 1 + self.rank))

    def __len__(self) -> int:
        whole, last = divmod(len(self.indices), self.batch_size)
        return whole + (self._share(last) > 0)

    def _share(self, size: int) -> int:
        """How many samples of a last batch of that size this process takes."""
        if not self.training:
            return len(range(self.rank, size, self.world))
        return 0 if self.drop_last else size // self.world

    def shares(self) -> Iterator[Tensor]:
        """The indices of every batch, as a tensor."""
        order = self.indices
        if self.training:
            generator = torch.Generator().manual_seed(_seed(self.seed, self.epoch, 0))
            order = order[torch.randperm(len(order), generator=generator)]
        for batch in torch.split(order, self.batch_size):
            if len(batch) == self.batch_size:
                yield batch[self.rank :: self.world]
            elif share := self._share(len(batch)):
                yield batch[self.rank :: self.world][:share]

    def __iter__(self) -> Iterator[list[int]]:
        return (share.tolist() for share in self.shares())


class InMemoryLoader:
    """Batches of tensors that lie in memory, each by one indexing.

    What a DataLoader does sample by sample costs more than a step of a small network.
    """

    def __init__(self, store: InMemory, batches: EpochBatches) -> None:
        self.store = store
        self.batches = batches  # by another name than torch's: Lightning asks more of a sampler

    @property
    def batch_size(self) -> int:
        return self.batches.batch_size

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch."""
        self.batches.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[Batch]:
        for indices in self.batches.shares():
            inputs, targets = self.store.take(indices)
            yield packed(inputs), packed(targets)


def _seed(*entropy: int) -> int:
    """One seed of several numbers, such that neighbours have nothing in common."""
    state = np.random.SeedSequence([n % 2**64 for n in entropy]).generate_state(1, np.uint64)
    return int(state[0]) >> 1  # torch takes 63 bits and a sign


def _bad_batches(message: str, help: str) -> ArchError:
    return ArchError([Diagnostic("bad-value", message, help=help)])
