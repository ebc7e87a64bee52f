"""What must hold of any fold, said without the code that folds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import networkx as nx

from archdsl.graph import Graph
from archdsl.passes.outline import Part
from archdsl.passes.view import Item, View

Edge = tuple[str, str, int]


def edges_of(graph: Graph) -> list[Edge]:
    """Every edge of a graph: producer, consumer, and the place among the consumer's inputs."""
    return sorted((a, b, data["input"]) for a, b, data in graph.edges(data=True))


def assert_outlined(graph: Graph, tree: Part) -> None:
    """Every layer stands in the tree, once, and what is gathered as a run does repeat."""
    layers = [part.id for part in tree.walk() if part.kind == "layer"]
    assert sorted(layers) == sorted(graph.nodes)
    for part in tree.walk():
        if part.kind == "run":
            assert_repeats(graph, [one.nodes for one in part.parts])
        if part.kind == "stack":
            assert_chain(graph, part.nodes)


def assert_chain(graph: Graph, nodes: Sequence[str]) -> None:
    """Each takes what the one before gives, and nobody else does."""
    for one, two in pairwise(nodes):
        assert list(graph.successors(one)) == [two]
        assert graph.in_degree(two) == graph.out_degree(one) == 1
        assert len(graph.nodes[one]["types"]) == 1


def assert_repeats(graph: Graph, rounds: Sequence[Sequence[str]]) -> None:
    """The rounds compute alike, one after the other, and only the last is used elsewhere."""
    assert len(rounds) > 1
    everything = [node for one in rounds for node in one]
    assert len(set(everything)) == len(everything)
    for one, two in pairwise(rounds):
        outside = set(graph) - set(one) - set(two)
        assert not any(graph.has_edge(a, b) for a in one for b in outside & _after(graph, a))
        assert any(graph.has_edge(a, b) for a in one for b in two), "the rounds are not joined"
    first, *others = [_pattern(graph, one) for one in rounds]
    assert all(_alike(first, other) for other in others)
    # From the second round on, what comes from further away is the very same tensor.
    joints = [_joint(graph, one, two) for one, two in pairwise(rounds)]
    assert all(_alike(joints[0], other) for other in joints[1:])
    paths = [[graph.nodes[n]["path"] for n in one] for one in rounds]
    assert all(p == paths[0] for p in paths) or len({tuple(p) for p in paths}) == len(paths)


def _after(graph: Graph, node: str) -> set[str]:
    return set(graph.successors(node))


def _computes(graph: Graph, node: str) -> str:
    """What a layer computes; the end of a scan names its beginning, which is another each time."""
    data = graph.nodes[node]
    given = {k: v for k, v in (data.get("args") or {}).items() if k != "begin"}
    return f"{data['op']} {sorted(given.items())!r}"


def _pattern(graph: Graph, nodes: Sequence[str]) -> nx.MultiDiGraph[str]:
    """A round by itself, with a nameless source for each tensor that enters."""
    pattern: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for node in nodes:
        pattern.add_node(node, what=_computes(graph, node))
    for a, b, data in graph.in_edges(nodes, data=True):
        origin = a if a in pattern and a in nodes else f"outside {a} {data['output']}"
        if origin not in pattern:
            pattern.add_node(origin, what="outside")
        output = data["output"] if origin == a else 0
        pattern.add_edge(origin, b, place=(data["input"], output))
    return pattern


def _joint(graph: Graph, one: Sequence[str], two: Sequence[str]) -> nx.MultiDiGraph[str]:
    """A round with the one before it; tensors that enter the later one bear their names."""
    joint: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    for number, nodes in enumerate((one, two)):
        for node in nodes:
            joint.add_node(node, what=f"{number} {_computes(graph, node)}")
    for a, b, data in graph.edges(data=True):
        if b in two and a not in one and a not in two:
            joint.add_node(f"outside {a}", what=f"from {a}")
            joint.add_edge(f"outside {a}", b, place=(data["input"], data["output"]))
        elif a in joint and b in joint:
            joint.add_edge(a, b, place=(data["input"], data["output"]))
    return joint


def _alike(one: nx.MultiDiGraph[str], two: nx.MultiDiGraph[str]) -> bool:
    def same_edges(a: dict[Any, Any], b: dict[Any, Any]) -> bool:
        return sorted(e["place"] for e in a.values()) == sorted(e["place"] for e in b.values())

    return nx.is_isomorphic(
        one, two, node_match=lambda a, b: a["what"] == b["what"], edge_match=same_edges
    )


def assert_accounted(graph: Graph, shown: View) -> None:
    """Every layer is shown or folded into what is, and so is every edge, once."""
    assert set(shown.shown) == set(graph)
    closed = {item.id for item in shown.root.walk() if item.state != "open"}
    assert set(shown.shown.values()) == closed
    drawn = [edge for link in shown.links for edge in link.edges]
    assert sorted([*drawn, *shown.folded]) == edges_of(graph)
    for link in shown.links:
        for a, b, place in link.edges:
            assert (shown.shown[a], shown.shown[b]) == (link.tail, link.head)
            assert graph.edges[a, b, place]["output"] == link.source.output
        assert link.source.node in {a for a, _, _ in link.edges}
    assert sum(times * len(item.part.nodes) for item, times in counted(shown.root.items)) == len(
        graph
    )


def counted(items: Iterable[Item], around: int = 1) -> Iterator[tuple[Item, int]]:
    """The items that are no frames, with how often each stands for itself: folds multiply."""
    for item in items:
        times = around * item.times
        if item.state == "open":
            yield from counted(item.items, times)
        else:
            yield item, times
