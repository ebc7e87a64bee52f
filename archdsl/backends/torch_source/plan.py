"""Plans: what a class of the source is before its text: its instances, parameters, constants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from archdsl.backends.torch_source.tree import Leaf, Unit
from archdsl.graph import Source
from archdsl.ops.torch_text import same
from archdsl.syntax import ast

SlotId: TypeAlias = tuple[Any, ...]
"""Where a constant stands: positions of members, then the argument."""


class _Any:
    """The value of a constant in an instance that has no such member: whatever fits the others."""

    def __repr__(self) -> str:
        return "ANY"


ANY = _Any()


def agree(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Whether two rows of values are the same wherever both have one."""
    if len(left) != len(right):
        return False
    for a, b in zip(left, right, strict=True):
        if a is not ANY and b is not ANY and not same(a, b):
            return False
    return True


@dataclass
class Slot:
    """A constant of a class, with its value in every instance."""

    id: SlotId
    name: str
    values: list[Any]
    hints: tuple[ast.Expr, ...] = ()
    """The ways in which it was written, in one instance or another."""
    follows: Source | None = None
    """In the first instance: the tensor whose channels or features it may follow from."""
    written: bool = False
    arrives: Source | None = None
    """In the first instance: what arrives at the stage, the ``it`` of its arguments."""


@dataclass
class Parameter:
    """A constructor parameter of a class."""

    name: str
    values: list[Any]
    default: Any = None
    has_default: bool = False
    order: int = 0
    follows: tuple[int, int] | None = None
    """For one that is an input's channels: the index of the input, and 0 or -1 for the size."""

    @property
    def annotation(self) -> str:
        names = sorted(
            {annotation(v) for v in [*self.values, *([self.default] if self.has_default else [])]}
        )
        if names == ["float", "int"]:
            names = ["float"]
        none = "None" in names
        rest = [n for n in names if n != "None"]
        return " | ".join([*rest, *(["None"] if none else [])])


def annotation(value: Any) -> str:
    if isinstance(value, tuple):
        return "tuple[int, ...]"
    return "None" if value is None else type(value).__name__


@dataclass
class ClassPlan:
    """A class of the source, with the module calls that it stands for."""

    name: str
    units: list[Unit]
    sequential: bool
    parameters: list[Parameter] = field(default_factory=list)
    texts: dict[SlotId, str] = field(default_factory=dict)
    omitted: set[SlotId] = field(default_factory=set)
    kept: dict[SlotId, str] = field(default_factory=dict)
    """Constants of calls that depend on a parameter: the attributes that keep them."""

    locals: dict[str, str] = field(default_factory=dict)
    """Local variables of the constructor, with their values."""
    optional: str | None = None
    """The member that some instances do without, such as the ``downsample`` of a residual."""
    switch: str = ""
    """The parameter that says whether the optional member is there."""
    scales: bool = False
    """Whether a size of it was found to be in proportion to another."""
    shape: Any = None
    bypassed: dict[Any, str] = field(default_factory=dict)

    @property
    def unit(self) -> Unit:
        """The instance that stands for all: the first that has every member."""
        return next((u for u in self.units if self.has_optional(u)), self.units[0])

    def has_optional(self, unit: Unit) -> bool:
        return self.optional is None or any(m.name == self.optional for m in unit.members)

    def members(self, unit: Unit) -> list[Leaf | Unit | None]:
        """The members of an instance, with None where it lacks the optional one."""
        if self.has_optional(unit):
            return list(unit.members)
        position = next(i for i, m in enumerate(self.unit.members) if m.name == self.optional)
        return [*unit.members[:position], None, *unit.members[position:]]


def is_plain(leaf: Leaf) -> bool:
    """Whether it is a module called with one tensor that gives one: a member of nn.Sequential."""
    code = leaf.code
    return (
        code.module is not None
        and code.call == "{self}({0})"
        and code.targets == "{0}"
        and not code.module.callee.startswith("nn.Parameter")
    )


def is_wrappable(leaf: Leaf) -> bool:
    """Whether it is a function of one tensor, that a small module can stand for."""
    code = leaf.code
    return (
        code.module is None and code.targets == "{0}" and len(leaf.inputs) == 1 and bool(code.call)
    )


def is_sequential(unit: Unit) -> bool:
    """Whether the members of a numbered unit are a chain that ``nn.Sequential`` can run."""
    if not unit.numbered or len(unit.inputs) != 1 or len(unit.outputs) != 1 or not unit.members:
        return False
    expected = unit.inputs[0]
    names: set[str] = set()
    for member in unit.members:
        if member.name in names:
            return False
        names.add(member.name)
        if isinstance(member, Leaf):
            if not (is_plain(member) or is_wrappable(member)) or member.inputs != [expected]:
                return False
            if member.data.get("loop") != unit.scope.loop or "." in member.name:
                return False
            expected = Source(member.node)
        else:
            if member.inputs != [expected] or len(member.outputs) != 1:
                return False
            expected = member.outputs[0]
    return unit.outputs == [expected] and _used_once(unit)


def _used_once(unit: Unit) -> bool:
    """Whether no tensor but the last leaves the chain: nothing is used twice inside it."""
    uses: dict[Source, int] = {}
    for member in unit.members:
        for source in member.inputs:
            uses[source] = uses.get(source, 0) + 1
    return all(count == 1 for count in uses.values()) and unit.outputs[0] not in uses


def is_inline(unit: Unit) -> bool:
    """Whether a group is written as an ``nn.Sequential`` where it stands."""
    return unit.scope.kind == "group" and is_sequential(unit)
