"""The trunk: a network as one row of steps with the skips over it, for a figure that reads in rows.

Between two tensors that every path passes, a network branches. Where all branches but one are
short (the tensor itself, or a projection of one layer), the long one is part of the row and the
short ones are skips over it. Any other branching is one step of the row: an Inception module, a
gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph, in_order, inputs, live_nodes, op_of, outputs, type_of
from archdsl.graph import inputs_of as sources_of

_DEEPEST = 40
"""Branches inside branches beyond this are one step: nobody could read them in a row."""

_LAYERS = frozenset(
    {"convolution", "pooling", "linear", "attention", "recurrent", "embedding", "foreign", "custom"}
)
_COMPANIONS = frozenset({"normalization", "activation", "regularization", "generate"})


@dataclass(frozen=True)
class Step:
    """Nodes that are drawn as one; the last one gives what comes out of it.

    One node, or with ``paths`` all that stands between a fork and its merge. ``carried`` are the
    parameters and constants that it takes in.
    """

    nodes: tuple[str, ...]
    paths: int = 0
    carried: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skip:
    """A tensor of the row that a later step takes too, through ``nodes`` on its way."""

    source: str
    target: str
    nodes: tuple[str, ...]


@dataclass(frozen=True)
class Trunk:
    """The row and its skips, and which nodes are in neither.

    ``left_out`` are those that lead to other outputs alone, ``in_training`` those that run in
    training alone.
    """

    steps: tuple[Step, ...]
    skips: tuple[Skip, ...]
    left_out: tuple[str, ...]
    in_training: tuple[str, ...]


def is_layer(graph: Graph, node: str) -> bool:
    """Whether a node makes a map of its own: it convolves, pools, or mixes by weights."""
    op = op_of(graph, node)
    if op.family in _LAYERS:
        return True
    types = [type_of(graph, s) for s in sources_of(graph, node)]
    return op.family not in _COMPANIONS and bool(op.weights(types))


def find_trunk(graph: Graph) -> Trunk:
    """The row of a checked graph as it runs in evaluation, from its input to its longest output.

    ArchError, code ``no-volume``, for a network of several inputs.
    """
    entries = inputs(graph)
    if len(entries) != 1:
        raise no_volume(f"the network has {len(entries)} inputs, and this figure is one row")
    flow, order = _flow(graph)
    position = {node: i for i, node in enumerate(order)}
    after = nx.descendants(flow, entries[0])
    alive = [n for n in outputs(graph) if n in after]
    if not alive:
        raise no_volume("no output depends on the input")
    layers = {node for node in order if is_layer(graph, node)}
    exit = max(alive, key=lambda n: (_longest(flow, entries[0], n, layers, order), -position[n]))
    before = nx.ancestors(flow, exit)
    row = [n for n in order if n in before and n in after]
    walk = _Walk(graph, flow, layers, position)
    steps = [Step((entries[0],)), *walk.between(entries[0], row, exit, 0)]
    carried = _carried(flow, before - set(row) - {entries[0]}, position)
    drawn = {*row, *before, exit}
    return Trunk(
        tuple(
            Step(s.nodes, s.paths, tuple(c for n in s.nodes for c in carried.get(n, ())))
            for s in steps
        ),
        tuple(walk.skips),
        tuple(n for n in order if n not in drawn),
        tuple(sorted(live_nodes(graph) - set(order))),
    )


def no_volume(message: str, *, note: str = "") -> ArchError:
    """The error for a network of which this figure shows nothing."""
    return ArchError(
        [
            Diagnostic(
                "no-volume",
                f"this network cannot be drawn as volumes: {message}",
                notes=(note,) if note else (),
                help="draw it plainly, without --style volume",
            )
        ]
    )


def _flow(graph: Graph) -> tuple[nx.DiGraph[str], list[str]]:
    """What flows in evaluation, and its order; an input that only lends its sizes is no flow."""
    alive = live_nodes(graph, training=False)
    flow: nx.DiGraph[str] = nx.DiGraph()
    flow.add_nodes_from(alive)
    for node in alive:
        names = op_of(graph, node).inputs
        for i, source in enumerate(sources_of(graph, node)):
            if i >= len(names) or names[i] != "like":
                flow.add_edge(source.node, node)
    return flow, [node for node in in_order(graph) if node in alive]


def _longest(
    flow: nx.DiGraph[str], start: str, end: str, layers: set[str], order: Sequence[str]
) -> int:
    """The most layers on a path."""
    most = {start: 0}
    for node in order:
        known = [most[n] for n in flow.predecessors(node) if n in most]
        if known:
            most[node] = max(known) + (node in layers)
    return most[end]


def _carried(
    flow: nx.DiGraph[str], loose: set[str], position: Mapping[str, int]
) -> dict[str, tuple[str, ...]]:
    """What does not come from the input, by the first node of the row that takes it."""
    found: dict[str, list[str]] = {}
    taker: dict[str, str] = {}
    for node in sorted(loose, key=position.__getitem__, reverse=True):
        takers = [taker.get(n, n) for n in flow.successors(node) if n in taker or n not in loose]
        taker[node] = min(takers, key=position.__getitem__)
        found.setdefault(taker[node], []).insert(0, node)
    return {node: tuple(nodes) for node, nodes in found.items()}


class _Walk:
    """The way along the flow, with the skips that it has met."""

    def __init__(
        self, graph: Graph, flow: nx.DiGraph[str], layers: set[str], position: Mapping[str, int]
    ) -> None:
        self.graph, self.flow, self.layers, self.position = graph, flow, layers, position
        self.skips: list[Skip] = []

    def between(self, entry: str, inside: Sequence[str], exit: str, depth: int) -> Iterator[Step]:
        """The steps after ``entry`` up to ``exit``; ``inside`` are the nodes between, in order.

        A node that no edge passes over is on every path. The edge from entry to exit itself,
        where there are nodes between, is the caller's.
        """
        sequence = [entry, *inside, exit]
        place = {node: i for i, node in enumerate(sequence)}
        furthest, at = 0, 0
        for i, node in enumerate(sequence):
            if i and furthest <= i:
                yield from self._region(sequence[at], sequence[at + 1 : i], node, depth)
                at = i
            for after in self.flow.successors(node):
                own = inside and node == entry and after == exit
                if after in place and not own:
                    furthest = max(furthest, place[after])

    def _region(self, fork: str, inside: Sequence[str], merge: str, depth: int) -> Iterator[Step]:
        """What stands between a fork and its merge: one branch of the row, or a step of several."""
        if not inside:
            yield Step((merge,))
            return
        branches = self._branches(inside)
        direct = self.flow.has_edge(fork, merge)
        paths = len(branches) + direct
        main, *others = sorted(branches, key=self._count_layers, reverse=True)
        if paths < 2 or depth > _DEEPEST or not self._is_main(main, others, fork, merge):
            yield Step((*inside, merge), max(paths, 2))
            return
        if direct:
            self.skips.append(Skip(fork, merge, ()))
        for branch in sorted(others, key=lambda b: self.position[b[0]]):
            self.skips.append(Skip(fork, merge, tuple(branch)))
        yield from self.between(fork, main, merge, depth + 1)

    def _branches(self, inside: Sequence[str]) -> list[list[str]]:
        part = self.flow.subgraph(inside)
        found = nx.weakly_connected_components(part)
        ordered = [sorted(nodes, key=self.position.__getitem__) for nodes in found]
        return sorted(ordered, key=lambda nodes: self.position[nodes[0]])

    def _count_layers(self, nodes: Sequence[str]) -> int:
        return sum(node in self.layers for node in nodes)

    def _is_main(
        self, main: Sequence[str], others: Sequence[Sequence[str]], fork: str, merge: str
    ) -> bool:
        """Whether the row follows this branch, the others being skips over it.

        It does not where a map is weighed by something smaller (squeeze and excitation): there
        the map itself is the way on.
        """
        beside = max(map(self._count_layers, others), default=0)
        if beside > 1 or (beside and self._count_layers(main) <= beside):
            return False
        last = [n for n in self.flow.predecessors(merge) if n in set(main)]
        kept = self._dims(fork) == self._dims(merge)
        return not (kept and any(self._dims(n) != self._dims(merge) for n in last))

    def _dims(self, node: str) -> tuple[object, ...]:
        return tuple(self.graph.nodes[node]["types"][0].dims)
