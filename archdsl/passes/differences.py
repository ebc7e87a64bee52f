"""Differences: the records of what two networks have in common, and what not.

Everything is said of ``before`` (A) and ``after`` (B), and in the order of the flow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from archdsl.dims import Size
from archdsl.passes.state import StateTensor

Status = Literal["kept", "resized", "changed", "added", "removed"]
STATUSES: tuple[Status, ...] = ("kept", "resized", "changed", "removed", "added")
What = Literal["layer", "argument", "input", "weight", "shape"]


@dataclass(frozen=True)
class Change:
    """One thing that differs between two members that were paired.

    ``layer``: the layer or block itself, ``name`` being empty. ``argument``: one of its
    arguments. ``input``: where the input of that place, counted from 1, comes from; without a
    place, how many inputs there are. ``weight``: the shape of
    one of its weights or buffers. ``shape``: the sizes of its outputs, ``name`` being empty.
    """

    what: What
    name: str
    before: str
    after: str

    @property
    def follows(self) -> bool:
        """Whether it follows from what was changed elsewhere: sizes do, the rest was written."""
        return self.what in {"weight", "shape"}


@dataclass(frozen=True)
class Entry:
    """A layer or a module call, of A, of B, or of both.

    ``before`` and ``after`` are its ids: of a node, or of a scope where ``scope`` says so.
    ``members`` are what stands inside a call, those of both networks in one order; a layer
    that was moved stands where B has it.
    """

    scope: bool
    before: str | None
    after: str | None
    path_before: str | None
    path_after: str | None
    kind: str
    """The layer's or the block's name, in B where it is there."""
    end: bool
    """Whether it is an input or an output of the network, and no layer."""
    relabelled: bool
    """Whether a name that somebody chose is another one now; a counted one only shifts."""
    caption: str
    """The same with its arguments, as the language writes it; empty for a group."""
    changes: tuple[Change, ...] = ()
    members: tuple[Entry, ...] = ()

    @property
    def status(self) -> Status:
        """``resized`` is the same layer of the same arguments, with other sizes or weights."""
        if self.before is None:
            return "added"
        if self.after is None:
            return "removed"
        if not self.changes:
            return "kept"
        return "resized" if all(change.follows for change in self.changes) else "changed"

    @property
    def path(self) -> str:
        """Its module path, in B where it is there."""
        path = self.path_before if self.path_after is None else self.path_after
        return path or ""

    @property
    def renamed(self) -> bool:
        return None not in (self.before, self.after) and self.path_before != self.path_after

    def layers(self) -> Iterator[Entry]:
        """The layers inside, or itself where it is one."""
        if not self.scope:
            yield self
        for member in self.members:
            yield from member.layers()


@dataclass(frozen=True)
class Side:
    """One of the two networks, with its totals."""

    name: str
    layers: int
    parameters: int
    """Trainable numbers; shared ones count once."""
    multiply_adds: Size
    """Of one forward pass for one sample, an expression where sizes are free."""
    node_parameters: Mapping[str, int] = field(repr=False)
    """The trainable numbers by node; shared ones are at the first."""


@dataclass(frozen=True)
class Weights:
    """Which tensors of A's ``state_dict`` load into B, parameters and buffers alike.

    ``loads`` have the same name and shape in both; ``wrong_shape`` the same name alone.
    ``only_before`` and ``only_after`` have a name that the other lacks.

    ``matches`` goes by the layers that were paired instead of by names: the tensors that have
    the same shape there. ``misplaced`` load by their name, but into another layer than that:
    a name that was counted, such as ``features.3``, stands for another layer now.
    """

    loads: tuple[StateTensor, ...]
    wrong_shape: tuple[tuple[StateTensor, StateTensor], ...]
    only_before: tuple[StateTensor, ...]
    only_after: tuple[StateTensor, ...]
    matches: tuple[tuple[StateTensor, StateTensor], ...]
    misplaced: tuple[StateTensor, ...]

    @property
    def renames(self) -> dict[str, str]:
        """What to call tensors of A so that they load into the layers that they belong to."""
        return {a.name: b.name for a, b in self.matches if a.name != b.name}


@dataclass(frozen=True)
class Comparison:
    """What two networks have in common, and what not."""

    before: Side
    after: Side
    root: Entry = field(repr=False)
    weights: Weights = field(repr=False)
    sizes: Mapping[str, int]
    """The values of free sizes that multiply-adds were counted at."""

    @cached_property
    def layers(self) -> tuple[Entry, ...]:
        """Every layer of both networks once, in order; inputs and outputs too."""
        return tuple(self.root.layers())

    @cached_property
    def after_status(self) -> dict[str, Status]:
        """The status of every node of B, by its id: anything but ``removed``."""
        return {entry.after: entry.status for entry in self.layers if entry.after is not None}

    @cached_property
    def pairs(self) -> dict[str, str]:
        """The nodes of A that have one in B, with it."""
        return {e.before: e.after for e in self.layers if None not in (e.before, e.after)}  # type: ignore[misc]  # mypy does not read `not in`

    def count(self, status: Status) -> int:
        """How many layers have a status, inputs and outputs left out."""
        return sum(entry.status == status and not entry.end for entry in self.layers)

    @property
    def identical(self) -> bool:
        """Whether the two are one network: the same layers, wired and named alike."""
        return (
            all(e.status == "kept" and not e.renamed for e in self.layers)
            and not self.weights.only_before
            and not self.weights.only_after
        )
