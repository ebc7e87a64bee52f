"""Transfer: weights of another file or network into the layers that they fit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from archdsl.backends.torch_module.weights import read_weights
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.results import WEIGHTS

MOST_LISTED = 6


@dataclass(frozen=True)
class OtherShape:
    """A tensor that both have, and not alike."""

    name: str
    own: tuple[int, ...]
    given: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.name} is {list(self.given)}, and the network's is {list(self.own)}"


@dataclass(frozen=True)
class Transfer:
    """What was taken of other weights, what was not, and why; by the names of ``state_dict``."""

    source: str
    matched: tuple[str, ...]
    """Those that were taken: of the same name and shape."""
    missing: tuple[str, ...] = ()
    """Those of the network that the other weights have not: they stay as they were."""
    unexpected: tuple[str, ...] = ()
    """Those of the other weights that the network has not."""
    reshaped: tuple[OtherShape, ...] = ()
    """Those of the same name and another shape: they stay as they were."""

    @property
    def complete(self) -> bool:
        """Whether the network has all of its weights from there."""
        return not self.missing and not self.reshaped

    def __str__(self) -> str:
        total = len(self.matched) + len(self.missing) + len(self.reshaped)
        lines = [f"{len(self.matched)} of {total} tensors taken from {self.source}"]
        if self.reshaped:
            lines.append(f"  of another shape: {_listed([str(o) for o in self.reshaped], '; ')}")
        if self.missing:
            lines.append(f"  not in {self.source}: {_listed(self.missing)}")
        if self.unexpected:
            lines.append(f"  not in the network: {_listed(self.unexpected)}")
        return "\n".join(lines)


def transfer_weights(
    network: nn.Module, weights: nn.Module | Mapping[str, Tensor] | str | os.PathLike[str]
) -> Transfer:
    """Take what matches by name and shape into a network, in place; tell what did and what not.

    ``weights`` is another network, its ``state_dict``, or a file of one (``.safetensors``, or what
    ``torch.save`` wrote), read without running anything; or the folder of a run. Raises ArchError,
    ``bad-weights``, where it cannot be read, or nothing of it matches.
    """
    given, source = _read(weights)
    own = network.state_dict()
    report = compare(own, given, source)
    if not report.matched:
        raise ArchError([_nothing(report)])
    with torch.no_grad():
        for name in report.matched:
            own[name].copy_(given[name])
    return report


def compare(own: Mapping[str, Tensor], given: Mapping[str, Tensor], source: str) -> Transfer:
    """What of given weights fits a network's."""
    both = [name for name in own if name in given]
    return Transfer(
        source,
        matched=tuple(name for name in both if own[name].shape == given[name].shape),
        missing=tuple(name for name in own if name not in given),
        unexpected=tuple(name for name in given if name not in own),
        reshaped=tuple(
            OtherShape(name, tuple(own[name].shape), tuple(given[name].shape))
            for name in both
            if own[name].shape != given[name].shape
        ),
    )


def _read(
    weights: nn.Module | Mapping[str, Tensor] | str | os.PathLike[str],
) -> tuple[Mapping[str, Tensor], str]:
    """The tensors, and what a report calls where they come from."""
    if isinstance(weights, nn.Module):
        return weights.state_dict(), type(weights).__name__
    source = "the weights" if isinstance(weights, Mapping) else os.fspath(weights)
    if not isinstance(weights, Mapping) and Path(weights).is_dir():
        weights = _of_run(Path(weights))
    return read_weights(weights).tensors, source


def _of_run(folder: Path) -> Path:
    """The weights in the folder of a run."""
    place = folder / WEIGHTS
    if place.is_file():
        return place
    message = f"{folder} is a folder, and holds no finished run: it has no {WEIGHTS}"
    help = "name a file of weights, or the folder that archdsl train left"
    raise ArchError([Diagnostic("bad-weights", message, help=help)])


def _nothing(report: Transfer) -> Diagnostic:
    notes = [
        f"of another shape: {_listed([str(o) for o in report.reshaped], '; ')}"
        for _ in report.reshaped[:1]
    ]
    notes += [f"the network has {_listed(report.missing)}" for _ in report.missing[:1]]
    notes += [f"{report.source} has {_listed(report.unexpected)}" for _ in report.unexpected[:1]]
    return Diagnostic(
        "bad-weights",
        f"nothing of {report.source} matches the network by name and shape",
        notes=tuple(notes),
        help="layers are matched by their names: label them alike",
    )


def _listed(names: list[str] | tuple[str, ...], between: str = ", ") -> str:
    shown = between.join(names[:MOST_LISTED])
    more = len(names) - MOST_LISTED
    return f"{shown} and {more} more" if more > 0 else shown
