"""The graph as a tree of module calls: what every class of the source has in it, in order."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import (
    Graph,
    Scope,
    Source,
    in_order,
    inputs_of,
    live_nodes,
    new_graph,
    op_of,
    scopes,
    type_of,
)
from archdsl.ops.op import Op, Tensor
from archdsl.ops.torch_text import Code, keyword
from archdsl.passes.in_place import overwriting


@dataclass
class Leaf:
    """A node: a layer, called once."""

    node: str
    op: Op
    code: Code
    inputs: list[Source]
    name: str
    """Its attribute in the class, such as ``conv1``; a function has it for errors alone."""
    data: dict[str, Any]
    overwrites: tuple[int, ...] = ()
    """The places of the inputs that it is to compute in."""

    @property
    def labelled(self) -> bool:
        return bool(self.data.get("labelled"))

    @property
    def is_function(self) -> bool:
        """Whether it is called without a module of its own."""
        return self.code.module is None


@dataclass
class Unit:
    """A module call with members of its own: the network, a block, a labelled group."""

    scope: Scope
    name: str
    members: list[Leaf | Unit] = field(default_factory=list)
    inputs: list[Source] = field(default_factory=list)
    outputs: list[Source] = field(default_factory=list)
    input_names: dict[Source, str] = field(default_factory=dict)
    graph: Graph = field(default_factory=lambda: new_graph(""), repr=False)
    variant: int = 0
    """0 in the network itself, more in one that it was compared with."""

    @property
    def key(self) -> tuple[int, str]:
        """What tells this module call from every other."""
        return self.variant, self.scope.id

    @property
    def numbered(self) -> bool:
        return self.scope.numbered

    def leaves(self) -> Iterator[Leaf]:
        for member in self.members:
            if isinstance(member, Leaf):
                yield member
            else:
                yield from member.leaves()


def build_tree(graph: Graph, variant: int = 0, *, inplace: bool = False) -> Unit:
    """The network as a tree of its module calls. The graph's types must be known."""
    return _Builder(graph, variant, overwriting(graph) if inplace else {}).build()


class _Builder:
    def __init__(
        self, graph: Graph, variant: int, overwriting: Mapping[str, tuple[int, ...]]
    ) -> None:
        self.graph = graph
        self.variant = variant
        self.overwriting = overwriting
        self.scopes = scopes(graph)
        self.alive = live_nodes(graph)
        self.index = {node: i for i, node in enumerate(graph)}
        self.feeds = {n: inputs_of(graph, n) for n in graph if n in self.alive}
        self.same: dict[Source, Source] = {}
        self._drop_identities()
        self.chains = {n: self._chain(n) for n in self.feeds}
        self.consumers: dict[str, list[tuple[str, Source]]] = {}
        for node, feeds in self.feeds.items():
            for source in feeds:
                self.consumers.setdefault(source.node, []).append((node, source))

    def _drop_identities(self) -> None:
        """A function that gives back what it takes is no line of the source."""
        same = self.same
        for node in in_order(self.graph):
            if node not in self.feeds:
                continue
            feeds = self.feeds[node] = [same.get(s, s) for s in self.feeds[node]]
            data = self.graph.nodes[node]
            if data["op"] != "identity" or data.get("labelled"):
                continue
            if not self.scopes[self._chain(node)[-1]].numbered:
                same[Source(node)] = feeds[0]
                del self.feeds[node]
                self.alive.discard(node)

    def _chain(self, node: str) -> tuple[str, ...]:
        """The ids of the scopes around a node, outermost (the network) first."""
        identifier = self.graph.nodes[node].get("scope")
        if identifier is None:
            identifier = self._scope_by_path(self.graph.nodes[node].get("path") or node)
        result: list[str] = []
        while identifier is not None:
            if identifier not in self.scopes:
                raise _error(
                    self.graph, node, f"the node stands in a scope {identifier} that is not there"
                )
            result.append(identifier)
            identifier = self.scopes[identifier].parent
        return tuple(reversed(result))

    def _scope_by_path(self, path: str) -> str:
        parts = path.split(".")
        for length in range(len(parts) - 1, 0, -1):
            prefix = ".".join(parts[:length])
            if prefix in self.scopes:
                return prefix
        return ""

    def build(self) -> Unit:
        members: dict[str, list[str]] = {}
        for node, chain in self.chains.items():
            for scope in chain:
                members.setdefault(scope, []).append(node)
        return self._unit("", members, depth=1)

    def _unit(self, scope: str, members: dict[str, list[str]], depth: int) -> Unit:
        nodes = members.get(scope, [])
        unit = Unit(self.scopes[scope], self._relative(self.scopes[scope]))
        unit.graph, unit.variant = self.graph, self.variant
        inside = set(nodes)
        items: dict[str, list[str]] = {}
        for node in nodes:
            chain = self.chains[node]
            key = f"scope {chain[depth]}" if len(chain) > depth else f"node {node}"
            items.setdefault(key, []).append(node)
        for key in self._sorted(items, inside):
            kind, _, name = key.partition(" ")
            if kind == "scope":
                unit.members.append(self._unit(name, members, depth + 1))
            elif self.graph.nodes[name]["op"] not in ("input", "output"):
                unit.members.append(self._leaf(name, unit.scope))
        if scope:
            self._ends(unit, nodes, inside)
            unit.input_names = self.input_names(unit)
        else:
            unit.inputs = [Source(n) for n in nodes if self.graph.nodes[n]["op"] == "input"]
            unit.outputs = [
                self.feeds[n][0] for n in nodes if self.graph.nodes[n]["op"] == "output"
            ]
        return unit

    def _sorted(self, items: dict[str, list[str]], inside: set[str]) -> Iterable[str]:
        """The members of a module call, producers before consumers, else in the graph's order."""
        if len(items) < 2:
            return list(items)
        owner = {node: key for key, nodes in items.items() for node in nodes}
        before: dict[str, set[str]] = {key: set() for key in items}
        after: dict[str, set[str]] = {key: set() for key in items}
        for node, consumer in owner.items():
            data = self.graph.nodes[node]
            begin = data["args"].get("begin") if data["op"] == "scan end" else None
            loop = self.graph.nodes[node].get("loop")
            extra = [Source(n) for n in (begin, loop) if n]
            for source in (*self.feeds[node], *extra):
                if source.node in inside:
                    producer = owner[source.node]
                    if producer != consumer:
                        before[consumer].add(producer)
                        after[producer].add(consumer)
        rank = {key: min(self.index[n] for n in nodes) for key, nodes in items.items()}
        by_rank = {r: key for key, r in rank.items()}
        ready = [rank[key] for key in items if not before[key]]
        heapq.heapify(ready)
        result: list[str] = []
        while ready:
            key = by_rank[heapq.heappop(ready)]
            result.append(key)
            for consumer in after[key]:
                before[consumer].discard(key)
                if not before[consumer]:
                    heapq.heappush(ready, rank[consumer])
        if len(result) != len(items):
            stuck = next(key for key in items if key not in set(result))
            name = stuck.partition(" ")[2]
            message = f"the module {name} cannot be one call: what it computes comes back into it"
            raise _error(self.graph, items[stuck][0], message)
        return result

    def _leaf(self, node: str, scope: Scope) -> Leaf:
        data = self.graph.nodes[node]
        op = op_of(self.graph, node)
        feeds = self.feeds[node]
        types = [type_of(self.graph, s) for s in feeds]
        outputs: Sequence[Tensor] = data["types"]
        code = op.code(types, outputs) if not _is_loop(op) else Code(call="")
        if code.function and not data.get("labelled") and not scope.numbered:
            code = replace(code, call=code.function, module=None, function="")
        if node in self.overwriting and code.module is not None:
            arguments = (*code.module.arguments, keyword("inplace", True))
            code = replace(code, module=replace(code.module, arguments=arguments))
        path = data.get("path") or node
        name = (
            path[len(scope.path) + 1 :]
            if scope.path and path.startswith(scope.path + ".")
            else path
        )
        if "." in name and code.module is not None:
            raise _error(
                self.graph,
                node,
                f"the module path {path} lies outside its scope {scope.path or 'the network'}",
            )
        return Leaf(node, op, code, feeds, name, data, self.overwriting.get(node, ()))

    def _ends(self, unit: Unit, nodes: list[str], inside: set[str]) -> None:
        seen: set[Source] = set()
        for node in sorted(nodes, key=self.index.__getitem__):
            for source in self.feeds[node]:
                if source.node not in inside and source not in seen:
                    seen.add(source)
                    unit.inputs.append(source)
        declared = [self.same.get(s, s) for _, s in unit.scope.inputs]
        unit.inputs.sort(key=lambda s: declared.index(s) if s in declared else len(declared))
        used: set[Source] = set()
        for node in nodes:
            used.update(s for c, s in self.consumers.get(node, ()) if c not in inside)
        named = [self.same.get(s, s) for s in unit.scope.outputs]
        unit.outputs = sorted(
            used,
            key=lambda s: (
                named.index(s) if s in named else len(named),
                self.index[s.node],
                s.output,
            ),
        )

    def input_names(self, unit: Unit) -> dict[Source, str]:
        """What a block calls the tensors that it declares."""
        return {self.same.get(s, s): name for name, s in unit.scope.inputs}

    def _relative(self, scope: Scope) -> str:
        if scope.parent is None:
            return scope.path
        parent = self.scopes[scope.parent].path
        return scope.path[len(parent) + 1 :] if parent else scope.path


def _is_loop(op: Op) -> bool:
    return op.name in ("scan", "scan end")


def _error(graph: Graph, node: str, message: str) -> ArchError:
    span = graph.nodes[node].get("span")
    return ArchError([Diagnostic("bad-graph", message, span=span, notes=(f"at node {node}",))])
