"""What layers may write over: tensors that nobody else reads, then or later."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from archdsl.graph import Graph, Source, Wiring, walk_scopes
from archdsl.ops.saved import NOTHING_SAVED


def overwriting(graph: Graph, *, wiring: Wiring | None = None) -> Mapping[str, tuple[int, ...]]:
    """The nodes of a checked graph that may compute in an input, with the places of those inputs.

    PyTorch has such a layer in place, and its gradient does without the input. That is a tensor of
    its own, no view and no input of the network, made in the same module or in one inside it; the
    layer before does not keep it for its gradient, and no other one reads it. A module that runs
    several times may write over what it may every time.
    """
    known = wiring or Wiring(graph)
    readers = Counter(source for sources in known.sources.values() for source in sources)
    by_path: dict[str, set[int]] = {}
    for node, op in known.ops.items():
        able = {place for place in op.overwrites if _is_spare(known, node, place, readers)}
        by_path[_path(graph, node)] = able & by_path.get(_path(graph, node), able)
    found = {node: tuple(sorted(by_path[_path(graph, node)])) for node in known.ops}
    return {node: places for node, places in found.items() if places}


def _path(graph: Graph, node: str) -> str:
    return graph.nodes[node].get("path") or node


def _is_spare(known: Wiring, node: str, place: int, readers: Counter[Source]) -> bool:
    """Whether nothing else has to do with the memory of an input."""
    if place >= len(known.sources[node]):
        return False
    source = known.sources[node][place]
    nodes = known.graph.nodes
    before = known.ops[source.node]
    if (
        before.source
        or before.guards_outputs
        or readers[source] > 1
        or nodes[node].get("loop") is not None
    ):
        return False
    if known.types[node][place] != nodes[node]["types"][0]:
        return False
    around = walk_scopes(known.graph, nodes[source.node].get("scope") or "")
    if (nodes[node].get("scope") or "") not in {scope.id for scope in around}:
        return False
    given, made = known.types[source.node], nodes[source.node]["types"]
    shared = {before.shares(given, made, training=t)[source.output] for t in (True, False)}
    saved = before.saved(given, made, (True,) * len(given))
    if before.overwrites and saved != NOTHING_SAVED:
        return False  # in place its gradient needs its output, whatever it needs else
    return shared == {None} and source.output not in saved.outputs
