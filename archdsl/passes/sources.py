"""Sources: which paired layers take their inputs from elsewhere, seen past what came or went."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.graph import Graph, Source, in_order, inputs_of
from archdsl.records import record


@record(frozen=True)
class Rewiring:
    """An input of a layer that comes from elsewhere; ``place`` counts from 0.

    ``place`` is None where the number of inputs is another: ``before`` and ``after`` are these.
    """

    place: int | None
    before: str
    after: str


def find_rewired(
    before: Graph, after: Graph, nodes: Mapping[str, str]
) -> dict[str, tuple[Rewiring, ...]]:
    """The inputs of paired layers that were rewired, by the layer's id in B.

    ``nodes`` are the pairs, by their ids in A. What stands between two paired layers is seen
    through: where a layer was put in between, that layer is the change and not the next one's
    input. So an input is rewired where neither network's way back to paired layers holds the
    other's.
    """
    left = _Origins(before, nodes)
    right = _Origins(after, {node: node for node in nodes.values()})
    found: dict[str, tuple[Rewiring, ...]] = {}
    for one, other in nodes.items():
        rewired = tuple(_rewired(left, right, inputs_of(before, one), inputs_of(after, other)))
        if rewired:
            found[other] = rewired
    return found


def _rewired(
    left: _Origins, right: _Origins, ones: list[Source], others: list[Source]
) -> list[Rewiring]:
    if len(ones) != len(others):
        return [Rewiring(None, str(len(ones)), str(len(others)))]
    found = []
    for place, (one, other) in enumerate(zip(ones, others, strict=True)):
        was, now = left.of(one), right.of(other)
        if not (was <= now or now <= was):
            found.append(Rewiring(place, left.text(one), right.text(other)))
    return found


class _Origins:
    """Where tensors of a graph come from, in terms of B's paired nodes."""

    def __init__(self, graph: Graph, names: Mapping[str, str]) -> None:
        self.graph, self.names = graph, names
        self.behind: dict[str, frozenset[Source]] = {}
        """For a node that has no partner, the nearest that have one."""
        for node in in_order(graph):
            if node not in names:
                inputs = inputs_of(graph, node)
                self.behind[node] = frozenset().union(*map(self.of, inputs))

    def of(self, source: Source) -> frozenset[Source]:
        name = self.names.get(source.node)
        return (
            self.behind[source.node] if name is None else frozenset([Source(name, source.output)])
        )

    def text(self, source: Source) -> str:
        """A tensor by its layer's name; of several outputs, which."""
        several = len(self.graph.nodes[source.node].get("types") or ()) > 1
        return f"{source.node}[{source.output}]" if several else source.node
