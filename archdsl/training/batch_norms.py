"""Estimates the means and variances of batch norms anew, for weights they have not followed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn

from archdsl.training.seeds import SeededBatches

Norm: TypeAlias = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm


@torch.no_grad()
def reestimate_batch_norms(
    network: nn.Module,
    batches: Iterable[Any],
    seed: int = 0,
    device: torch.device | None = None,
) -> None:
    """Set the running means and variances of batch norms to those over all of ``batches``.

    Each is the mean over samples of what the batches give (Izmailov et al., 2018). Dropout and
    whatever else differs in training stays as it is in evaluation, as it will be when the network
    is used. Several processes come to the same numbers. A batch is ``(inputs, targets)``.

    It is computed on ``device``, where one is given; afterwards the network is where it was.
    """
    norms = [m for m in network.modules() if isinstance(m, Norm) and m.track_running_stats]
    if not norms:
        return
    modes = {module: module.training for module in network.modules()}
    momenta = {norm: norm.momentum for norm in norms}
    before = {norm: {k: v.clone() for k, v in norm.named_buffers()} for norm in norms}
    network.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    home = next(iter(norms[0].buffers())).device
    device = home if device is None else device
    network.to(device)
    ordered = SeededBatches(batches, seed)
    ordered.start_epoch(0, 0)
    seen = 0
    try:
        for inputs, _ in ordered:
            columns = _moved(inputs, device)
            seen += len(columns[0])
            for norm in norms:
                norm.momentum = len(columns[0]) / seen
            network(*columns)
    finally:
        for norm in norms:
            norm.momentum = momenta[norm]
            if not norm.state_dict()[
                "num_batches_tracked"
            ]:  # a part that evaluation does not come through
                norm.load_state_dict(before[norm], strict=False)
        for module, training in modes.items():
            module.training = training
    _mean_of_processes(norms, seen, device)
    network.to(home)


def _moved(inputs: Any, device: torch.device) -> tuple[Tensor, ...]:
    columns = (inputs,) if isinstance(inputs, Tensor) else tuple(inputs)
    return tuple(column.to(device) for column in columns)


def _mean_of_processes(norms: list[Norm], seen: int, device: torch.device) -> None:
    """The mean over what every process has seen, in proportion to it."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return
    total = torch.tensor(float(seen), device=device)
    torch.distributed.all_reduce(total)
    for norm in norms:
        for name in ("running_mean", "running_var"):
            running = norm.get_buffer(name)
            running.mul_(seen / total)
            torch.distributed.all_reduce(running)
