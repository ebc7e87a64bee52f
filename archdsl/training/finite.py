"""Watches for a loss that is not finite, without waiting for the device at every step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from archdsl.diagnostics import ArchError, Diagnostic

LOOK_EVERY = 50  # steps: each look waits for the device, as `.item()` does


class Seen(NamedTuple):
    """What a step computed: the loss first, then its terms."""

    step: int
    values: tuple[Tensor, ...]


class LossWatch:
    """Keeps the losses of the last steps, and looks at them together."""

    def __init__(self) -> None:
        self._names: tuple[str, ...] = ()
        self._seen: list[Seen] = []

    def see(self, outputs: Any, step: int) -> bool:
        """Take what ``training_step`` returned. True where it is time to look."""
        if isinstance(outputs, Mapping):
            found = {
                name: value
                for name, value in outputs.items()
                if isinstance(value, Tensor) and value.ndim == 0
            }
        elif isinstance(outputs, Tensor):
            found = {"loss": outputs}
        else:
            return False
        self._names = tuple(found)
        self._seen.append(Seen(step, tuple(found.values())))
        return len(self._seen) >= LOOK_EVERY

    def forget(self) -> None:
        """Start afresh: an epoch begins."""
        self._seen = []

    def look(self) -> tuple[float | None, tuple[int, str, float] | None]:
        """The mean loss since the last look; or the first step, term and value at fault."""
        if not self._seen:
            return None, None
        seen, self._seen = self._seen, []
        table = torch.stack([torch.stack([v.detach().float() for v in s.values]) for s in seen])
        rows = table.tolist()  # the one wait for the device
        column = self._names.index("loss") if "loss" in self._names else 0
        for one, row in zip(seen, rows, strict=True):
            wrong = [i for i, value in enumerate(row) if not math.isfinite(value)]
            if wrong:
                at = next((i for i in wrong if i != column), wrong[0])  # a term says more
                return None, (one.step, self._names[at], row[at])
        return sum(row[column] for row in rows) / len(rows), None


def weight_not_finite(network: nn.Module) -> str | None:
    """The name of a weight that holds a NaN or an infinity."""
    named = [(name, p.detach()) for name, p in network.named_parameters() if p.numel()]
    if not named:
        return None
    finite = torch.stack([torch.isfinite(value).all() for _, value in named]).tolist()
    return next((name for (name, _), fine in zip(named, finite, strict=True) if not fine), None)


def not_finite(
    what: str,
    value: float | None,
    epoch: int,
    step: int,
    kept: str | None,
    notes: tuple[str, ...] = (),
) -> ArchError:
    """The error that stops the run. Epoch and step are counted from 1."""
    place = f"epoch {epoch}, step {step}"
    shown = "not finite" if value is None else str(value)
    notes = (*notes, f"the last good checkpoint is {kept}") if kept else notes
    return ArchError(
        [
            Diagnostic(
                "loss-not-finite",
                f"{what} is {shown} at {place}",
                notes=notes,
                help="a smaller learning rate, a warm-up, or clip: norm(1.0) keeps the steps small;"
                " and look for NaN in the data",
            )
        ]
    )
