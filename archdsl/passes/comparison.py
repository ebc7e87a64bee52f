"""Comparison: two networks, member by member, with what each costs and which weights fit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.dims import evaluate, symbols
from archdsl.graph import Graph, inputs_of, op_of
from archdsl.ops.op import find, show_value, signature
from archdsl.passes.alignment import align
from archdsl.passes.cost import count_cost
from archdsl.passes.differences import Change, Comparison, Entry, Side, Weights
from archdsl.passes.module_tree import Member, ModuleTree, value_text
from archdsl.passes.sources import find_rewired
from archdsl.passes.state import StateTensor, state_of


def compare(before: Graph, after: Graph, sizes: Mapping[str, int] | None = None) -> Comparison:
    """Compare two checked graphs. ``sizes`` gives free sizes values, in either network.

    Layers are paired as :mod:`archdsl.passes.alignment` says. Takes time in proportion to
    the layers, and to the product of what differs within each module call.
    """
    sizes = dict(sizes or {})
    trees = ModuleTree(before), ModuleTree(after)
    states = state_of(before), state_of(after)
    pairing = align(*trees)
    comparing = _Comparing(*trees, pairing)
    return Comparison(
        _side(trees[0], states[0], sizes),
        _side(trees[1], states[1], sizes),
        comparing.entry(Member("", True), Member("", True)),
        _compare_weights(*states, comparing),
        sizes,
    )


def _side(tree: ModuleTree, state: Mapping[str, StateTensor], sizes: Mapping[str, int]) -> Side:
    cost = count_cost(tree.graph)
    multiply_adds = cost.multiply_adds
    if symbols(multiply_adds) <= sizes.keys():
        multiply_adds = evaluate(multiply_adds, sizes)
    numbers: dict[str, int] = {}
    for tensor in state.values():
        if tensor.trained:
            numbers[tensor.node] = numbers.get(tensor.node, 0) + tensor.numbers
    return Side(
        str(tree.graph.graph.get("name") or "network"),
        sum(not tree.is_end(Member(node, False)) for node in tree.graph),
        cost.parameters,
        multiply_adds,
        numbers,
    )


def _caption(tree: ModuleTree, member: Member) -> str:
    """``bottleneck(256, stride = 2)``: a layer or a block with what is not at its default."""
    kind, arguments = tree.kind(member), tree.arguments(member)
    if not member.scope:
        optional = set(_defaults(kind))
    elif tree.scopes[member.id].kind == "group":
        return ""
    else:
        defaults = tree.scopes[member.id].defaults
        optional = set(defaults)
        written = tree.written(member.id)
        arguments = {
            name: text
            for name, text in arguments.items()
            if name in written and not (name in optional and text == value_text(defaults[name]))
        }
    given = [f"{k} = {text}" if k in optional else text for k, text in arguments.items()]
    return f"{kind}({', '.join(given)})" if given else kind


class _Comparing:
    """The pairing of two graphs, in both directions, and what can be read from it."""

    def __init__(
        self, before: ModuleTree, after: ModuleTree, pairing: Mapping[Member, Member]
    ) -> None:
        self.before, self.after = before, after
        self.forth = dict(pairing)
        self.back = {other: one for one, other in pairing.items()}
        self.nodes = {a.id: b.id for a, b in pairing.items() if not a.scope}
        self.paths = {before.path(a): after.path(b) for a, b in pairing.items()}
        self.rewired = find_rewired(before.graph, after.graph, self.nodes)

    def kinds_differ(self, one: str, other: str) -> bool:
        """Whether two nodes are layers of different kinds, whose weights mean different things."""
        return self.before.kind(Member(one, False)) != self.after.kind(Member(other, False))

    def entry(self, one: Member | None, other: Member | None) -> Entry:
        """The entry of a member of A, of B, or of a pair."""
        member = other or one
        assert member is not None
        tree = self.before if other is None else self.after
        return Entry(
            member.scope,
            one.id if one else None,
            other.id if other else None,
            self.before.path(one) if one else None,
            self.after.path(other) if other else None,
            tree.kind(member),
            tree.is_end(member),
            one is not None and other is not None and self._relabelled(one, other),
            _caption(tree, member),
            tuple(self._changes(one, other)) if one and other else (),
            tuple(self._members(one, other)) if member.scope else (),
        )

    def _relabelled(self, one: Member, other: Member) -> bool:
        written = self.before.is_written(one) or self.after.is_written(other)
        return written and self.before.name(one) != self.after.name(other)

    def _members(self, one: Member | None, other: Member | None) -> Iterator[Entry]:
        """The members of both calls: what was removed stands behind what it stood behind."""
        removed: dict[Member | None, list[Member]] = {}
        last: Member | None = None
        others = self.after.members[other.id] if other else []
        here = set(others)
        for member in self.before.members[one.id] if one else ():
            partner = self.forth.get(member)
            if partner is None:
                removed.setdefault(last, []).append(member)
            elif partner in here:
                last = partner
        yield from (self.entry(member, None) for member in removed.get(None, ()))
        for member in others:
            yield self.entry(self.back.get(member), member)
            yield from (self.entry(gone, None) for gone in removed.get(member, ()))

    def _changes(self, one: Member, other: Member) -> Iterator[Change]:
        kinds = self.before.kind(one), self.after.kind(other)
        if kinds[0] != kinds[1] and (one.id or not one.scope):
            yield Change("layer", "", *kinds)
        yield from self._arguments(one, other, kinds[0] == kinds[1])
        if not one.scope:
            for found in self.rewired.get(other.id, ()):
                place = "" if found.place is None else str(found.place + 1)
                yield Change("input", place, found.before, found.after)
            yield from self._sizes(one.id, other.id)

    def _arguments(self, one: Member, other: Member, same_kind: bool) -> Iterator[Change]:
        """The arguments that differ, those at their defaults included."""
        left, right = self.before.arguments(one), self.after.arguments(other)
        if not same_kind:
            return
        defaults = {} if one.scope else _defaults(self.before.kind(one))
        for name in dict.fromkeys([*left, *right]):
            was = left.get(name, defaults.get(name, ""))
            now = right.get(name, defaults.get(name, ""))
            if was != now and not self._moved_along(was, now):
                yield Change("argument", name, was, now)

    def _moved_along(self, was: str, now: str) -> bool:
        """Whether an argument names a node, or a layer's weight, that was paired with the other."""
        path, dot, weight = was.rpartition(".")
        return self.nodes.get(was) == now or (
            bool(dot) and f"{self.paths.get(path)}.{weight}" == now
        )

    def _sizes(self, one: str, other: str) -> Iterator[Change]:
        sides = (self.before, one), (self.after, other)
        weights = [_shapes(tree.graph, n) for tree, n in sides]
        for name in dict.fromkeys([*weights[0], *weights[1]]):
            was, now = (_sizes_text(shapes.get(name)) for shapes in weights)
            if was != now:
                yield Change("weight", name, was, now)
        types = [tree.graph.nodes[n].get("types") or () for tree, n in sides]
        if types[0] != types[1]:
            was, now = (", ".join(map(str, kinds)) for kinds in types)
            yield Change("shape", "", was, now)


def _defaults(kind: str) -> dict[str, str]:
    cls = find(kind)
    if cls is None:
        return {}
    return {p.name: show_value(p.default) for p in signature(cls) if not p.required}


def _shapes(graph: Graph, node: str) -> dict[str, tuple[int, ...]]:
    """The shapes of a layer's weights and buffers, by their names in the layer."""
    op = op_of(graph, node)
    types = [graph.nodes[s.node]["types"][s.output] for s in inputs_of(graph, node)]
    return {**op.weights(types), **op.buffers(types)}


def _sizes_text(shape: tuple[int, ...] | None) -> str:
    return "" if shape is None else str(list(shape))


def _compare_weights(
    before: Mapping[str, StateTensor], after: Mapping[str, StateTensor], comparing: _Comparing
) -> Weights:
    """By name first, as ``load_state_dict`` does; then by the layers that were paired."""
    loads: list[StateTensor] = []
    wrong: list[tuple[StateTensor, StateTensor]] = []
    matches: list[tuple[StateTensor, StateTensor]] = []
    misplaced: list[StateTensor] = []
    for name, tensor in before.items():
        there = after.get(name)
        partner = _partner(tensor, after, comparing)
        fits = there is not None and there.shape == tensor.shape
        if there is not None and fits:
            loads.append(tensor)
            if partner is not None and partner.name != name:
                misplaced.append(tensor)
        elif there is not None:
            wrong.append((tensor, there))
        if partner is not None and partner.shape == tensor.shape:
            matches.append((tensor, partner))
    return Weights(
        tuple(loads),
        tuple(wrong),
        tuple(t for name, t in before.items() if name not in after),
        tuple(t for name, t in after.items() if name not in before),
        tuple(matches),
        tuple(misplaced),
    )


def _partner(
    tensor: StateTensor, after: Mapping[str, StateTensor], comparing: _Comparing
) -> StateTensor | None:
    """The tensor of the same name in the layer that a tensor's layer was paired with."""
    other = comparing.nodes.get(tensor.node)
    if other is None or comparing.kinds_differ(tensor.node, other):
        return None
    own = comparing.before.path(Member(tensor.node, False))
    return after.get(comparing.after.path(Member(other, False)) + tensor.name[len(own) :])
