"""Selections: which parameters of a network a technique applies to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from archdsl.ops.arguments import Kind, argument

By = Literal["kind", "layer", "label", "pattern"]

KINDS = ("all", "weights", "biases", "norms")
"""What a parameter can be chosen by whatever it belongs to."""


@dataclass(frozen=True)
class Selector:
    """One word of a selection: ``weights``, ``conv``, ``features``, ``"layer[34].*.weight"``."""

    by: By
    word: str

    def __str__(self) -> str:
        return f'"{self.word}"' if self.by == "pattern" else self.word


@dataclass(frozen=True)
class Selection:
    """Several selectors: what any of them means; and, once resolved, the parameters' names."""

    selectors: tuple[Selector, ...]
    names: tuple[str, ...] = ()
    """The parameters, by their names in ``state_dict``, in the network's order."""

    def __str__(self) -> str:
        return ", ".join(map(str, self.selectors)) or "none"


def selection(*, default: str = "", doc: str = "") -> Any:
    """What it applies to: ``weights``, ``conv``, a label, or a pattern over parameter names."""

    def convert(value: Any) -> Selection:
        if not isinstance(value, Selection):
            raise ValueError("must name parameters: weights, conv, a label, or a pattern")
        return value

    chosen = tuple(Selector("kind", word) for word in default.split())
    return argument(Kind("parameters: weights, conv, a label", convert), Selection(chosen), doc)
