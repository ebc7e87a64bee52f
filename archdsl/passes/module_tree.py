"""The module tree: a graph as calls that hold layers and further calls, in their order."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from archdsl.graph import Graph, Scope, scopes
from archdsl.ops.arguments import WeightRef
from archdsl.ops.op import show_value
from archdsl.records import record

_ENDS = frozenset({"input", "output"})


@record(frozen=True)
class Member:
    """A layer or a module call, as a member of the call around it."""

    id: str
    scope: bool


@dataclass
class ModuleTree:
    """A graph as a tree of module calls, with what alignment asks of its members."""

    graph: Graph
    _arguments: dict[Member, Mapping[str, str]] = field(default_factory=dict)
    _signatures: dict[Member, Any] = field(default_factory=dict)
    _contents: dict[Member, Counter[Any]] = field(default_factory=dict)

    @cached_property
    def scopes(self) -> dict[str, Scope]:
        return scopes(self.graph)

    @cached_property
    def members(self) -> dict[str, list[Member]]:
        """The members of every module call, in the order of the graph."""
        found: dict[str, dict[Member, None]] = {id: {} for id in self.scopes}
        for node in self.graph:
            member, around = Member(node, False), self.scope_of(node)
            while member not in found[around]:
                found[around][member] = None
                parent = self.scopes[around].parent
                if parent is None:
                    break
                member, around = Member(around, True), parent
        return {id: list(own) for id, own in found.items()}

    def scope_of(self, node: str) -> str:
        """The call that a layer stands in; the network itself for one that was added by hand."""
        scope = str(self.graph.nodes[node].get("scope") or "")
        return scope if scope in self.scopes else ""

    def path(self, member: Member) -> str:
        """The module path of a member, as its weights are named."""
        if member.scope:
            return self.scopes[member.id].path
        return str(self.graph.nodes[member.id].get("path") or member.id)

    def name(self, member: Member) -> str:
        """The last part of its path."""
        return self.path(member).rpartition(".")[2]

    def is_written(self, member: Member) -> bool:
        """Whether a person chose its name; others are counted."""
        if not member.scope:
            return bool(self.graph.nodes[member.id].get("labelled"))
        name, called = self.name(member), re.escape(self.kind(member))
        return not re.fullmatch(rf"(?:{called})?\d+", name)

    def kind(self, member: Member) -> str:
        """The layer's or the block's name; a labelled group has none but its label."""
        if member.scope:
            scope = self.scopes[member.id]
            return scope.name if scope.kind != "group" else "group"
        return str(self.graph.nodes[member.id].get("op"))

    def is_end(self, member: Member) -> bool:
        """Whether it is an input or an output of the network."""
        return not member.scope and self.kind(member) in _ENDS

    def arguments(self, member: Member) -> Mapping[str, str]:
        """Its arguments as text, those of a layer that are not at their defaults."""
        known = self._arguments.get(member)
        if known is None:
            if member.scope:
                given: Mapping[str, Any] = self.scopes[member.id].arguments
            else:
                given = self.graph.nodes[member.id].get("args") or {}
            known = {name: value_text(value) for name, value in given.items()}
            self._arguments[member] = known
        return known

    def written(self, scope: str) -> frozenset[str]:
        """The parameters of a block that its call gives; all, where nobody knows."""
        names = list(self.scopes[scope].arguments)
        call = self._calls.get(scope)
        if call is None:
            return frozenset(names)
        given = enumerate(call.arguments)
        return frozenset(names[i] if name is None else name for i, (name, _) in given)

    @cached_property
    def _calls(self) -> dict[str, Any]:
        """The calls of blocks, by the scope that each opened."""
        chains: list[tuple[Any, ...]] = [
            d.get("calls") or () for _, d in self.graph.nodes(data=True)
        ]
        return {call.path: call for chain in chains for call in chain}

    def signature(self, member: Member) -> Any:
        """What is equal for members that are alike in everything, the names inside included."""
        known = self._signatures.get(member)
        if known is None:
            if member.scope:
                inside = self.members[member.id]
                known = hash(tuple((self.name(m), self.signature(m)) for m in inside))
            else:
                known = self.layer(member.id)
            self._signatures[member] = known
        return known

    def layer(self, node: str) -> tuple[Any, ...]:
        """A layer and its arguments, to be compared."""
        member = Member(node, False)
        return (self.kind(member), *sorted(self.arguments(member).items()))

    def contents(self, member: Member) -> Counter[Any]:
        """How often a call holds each layer, and each layer with its arguments."""
        known = self._contents.get(member)
        if known is None:
            known = Counter()
            for inner in self.members[member.id]:
                if inner.scope:
                    known += self.contents(inner)
                else:
                    known[self.kind(inner)] += 1
                    known[self.layer(inner.id)] += 1
            self._contents[member] = known
        return known


def value_text(value: Any) -> str:
    """An argument as the language writes it: a layer with what is bound to it, a weight's name."""
    if isinstance(value, WeightRef):
        return f"{value.path}.{value.name}"
    if isinstance(value, (list, tuple)):
        inner = ", ".join(value_text(v) for v in value)
        return f"[{inner}]" if isinstance(value, list) else f"({inner}{',' * (len(value) == 1)})"
    named = getattr(value, "named", None)
    if named is None or not hasattr(value, "target"):
        return show_value(value)
    bound = [value_text(b.value) for b in value.positional]
    bound += [f"{name} = {value_text(b.value)}" for name, b in named.items()]
    return f"{value.name}({', '.join(bound)})" if bound else str(value.name)
