"""A last batch of one sample, which a batch norm over samples alone cannot take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.data import Data

_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm)


def without_lone_samples(
    data: Data, make: Callable[[], nn.Module], processes: int, tell: Callable[[str], None]
) -> Data:
    """The data without a last training batch of one sample, where the network cannot take that.

    ``make`` makes such a network, to try it. What is left out is told; it is another sample in
    every epoch. Raises ArchError where every batch is of one.
    """
    if data.parts is None or data.settings.drop_last:
        return data
    size = data.settings.batch_size
    alone = size // processes == 1
    left = len(data.parts.train) % size
    if not (alone or left // processes == 1) or _takes_one(make, data):
        return data
    if alone:
        message = f"batch norm needs more than one sample, and a batch of {size} has no more"
        if processes > 1:
            message += f" for each of {processes} processes"
        help = f"choose a batch_size of {2 * processes} at the least"
        raise ArchError([Diagnostic("bad-setting", message, help=help)])
    tell(
        f"every epoch leaves out its last batch, of {left}: batch norm cannot take one sample alone"
    )
    return replace(data, settings=replace(data.settings, drop_last=True))


def _takes_one(make: Callable[[], nn.Module], data: Data) -> bool:
    """Whether a batch of one can be trained on: tried out."""
    network = make()
    if not any(isinstance(module, _NORMS) for module in network.modules()):
        return True
    assert data.store is not None
    assert data.parts is not None
    inputs, _ = data.store.take(data.parts.train[:1])
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        try:
            network.cpu().train()(*inputs)
        except ValueError as problem:
            return "more than 1 value" not in str(problem)
    return True
