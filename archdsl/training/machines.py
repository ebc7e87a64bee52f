"""What of a run this machine cannot do, told before the run is made."""

from __future__ import annotations

import torch

from archdsl.diagnostics import ArchError, Diagnostic

_NO_GPU = "this machine has no GPU that torch can use"


def need_machine(*, devices: int, nodes: int, strategy: str, accelerator: str) -> None:
    """Raise ArchError, code ``cannot-run``, for what is not there."""
    for problem in (
        _too_few("devices", "processes on a machine", devices),
        _too_few("nodes", "machines", nodes),
        _no_accelerator(accelerator),
        _no_gpus_to_share(strategy, accelerator),
        _more_than_there_are(devices, accelerator),
    ):
        if problem is not None:
            raise ArchError([problem])


def _too_few(name: str, what: str, count: object) -> Diagnostic | None:
    if isinstance(count, int) and count >= 1:
        return None
    message = f"{name} counts {what}: it is 1 or more, not {count!r}"
    return Diagnostic("cannot-run", message, help=f"--{name} 1, or leave it out")


def _no_accelerator(accelerator: str) -> Diagnostic | None:
    if accelerator in ("gpu", "cuda") and not torch.cuda.is_available():
        message = f"accelerator {accelerator} needs a GPU, and {_NO_GPU}"
    elif accelerator == "mps" and not torch.backends.mps.is_available():
        message = "accelerator mps is the GPU of an Apple computer, and this machine has none"
    else:
        return None
    return Diagnostic("cannot-run", message, help="--accelerator cpu, or leave it out")


def _no_gpus_to_share(strategy: str, accelerator: str) -> Diagnostic | None:
    if strategy != "fsdp" or (torch.cuda.is_available() and accelerator != "cpu"):
        return None
    why = _NO_GPU if not torch.cuda.is_available() else "this run computes on a CPU"
    message = f"strategy fsdp parts a network among GPUs, and {why}"
    return Diagnostic("cannot-run", message, help="--strategy ddp shares the batches, on CPUs too")


def _more_than_there_are(devices: int, accelerator: str) -> Diagnostic | None:
    on_gpu = accelerator in ("gpu", "cuda", "auto") and torch.cuda.is_available()
    there = torch.cuda.device_count()
    if not on_gpu or devices <= there:
        return None
    message = f"this machine has {there} GPU{'s' * (there != 1)}, and devices asks for {devices}"
    return Diagnostic("cannot-run", message, help=f"--devices {there}, or --accelerator cpu")
