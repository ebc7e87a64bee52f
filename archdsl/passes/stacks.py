"""Stacks: a convolution with its normalization and activation is one box of a figure."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence

from archdsl.graph import Graph
from archdsl.ops.op import find
from archdsl.passes.outline import Part
from archdsl.records import replace

MOST_LAYERS = 6

_LIGHT = frozenset({"normalization", "activation", "regularization", "function", "shape"})
"""Families of layers that go with the layer before them, or with the one after."""
_ALONE = frozenset({"merge", "structure", "generate"})
"""Families of layers that are drawn by themselves."""


def stack(part: Part, graph: Graph, marks: Mapping[str, Hashable] | None = None) -> Part:
    """The outline with chains of layers gathered in stacks.

    A stack has one heavy layer (a convolution, a pool, attention …) and the light ones before and
    after it. Nothing enters or leaves between its layers, and their ``marks`` are the same.
    """
    marks = marks or {}
    parts = tuple(_stacks(part.parts, graph, marks)) if part.kind != "run" else part.parts
    parts = tuple(stack(p, graph, marks) if p.kind not in ("layer", "stack") else p for p in parts)
    if part.kind == "round" and len(parts) == 1:
        return parts[0]
    return replace(part, parts=parts)


def _stacks(parts: Sequence[Part], graph: Graph, marks: Mapping[str, Hashable]) -> Iterator[Part]:
    chain: list[Part] = []
    for part in parts:
        apart = chain and marks.get(chain[-1].id) != marks.get(part.id)
        if chain and (apart or not _goes_on(chain, part, graph)):
            yield _stack(chain)
            chain = []
        if part.kind == "layer":
            chain.append(part)
        else:
            yield part
    if chain:
        yield _stack(chain)


def _stack(chain: Sequence[Part]) -> Part:
    if len(chain) == 1:
        return chain[0]
    return Part(f"{chain[0].id} stack", "stack", tuple(chain))


def _goes_on(chain: Sequence[Part], part: Part, graph: Graph) -> bool:
    """Whether a layer belongs to the chain that stands before it."""
    if part.kind != "layer" or len(chain) == MOST_LAYERS:
        return False
    last, families = chain[-1].id, [_family(graph, p.id) for p in chain]
    if graph.nodes[last].get("unet") != graph.nodes[part.id].get("unet"):
        return False
    family = _family(graph, part.id)
    if family in _ALONE or families[0] in _ALONE:
        return False
    if family not in _LIGHT and any(f not in _LIGHT for f in families):
        return False
    return (
        graph.in_degree(part.id) == 1
        and graph.out_degree(last) == 1
        and next(iter(graph.predecessors(part.id))) == last
        and len(graph.nodes[last]["types"]) == 1
    )


def _family(graph: Graph, node: str) -> str:
    cls = find(graph.nodes[node]["op"])
    return cls.family if cls else ""
