"""What a network asks of its data beyond the types of its inputs: sizes, and indices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

from archdsl.conditions import Condition
from archdsl.graph import Source, Wiring
from archdsl.ops.op import Tensor


@dataclass(frozen=True)
class Indices:
    """How many indices a layer knows, from 0 on, and the layer's path."""

    count: int
    layer: str


@dataclass(frozen=True)
class Demands:
    """The conditions on free sizes, and the inputs whose values are looked up, by name."""

    conditions: tuple[Condition, ...] = ()
    indices: Mapping[str, Indices] = field(default_factory=dict)


def demands_of(wiring: Wiring) -> Demands:
    """What a checked network asks of data."""
    graph = wiring.graph
    found: dict[str, Indices] = {}
    for node, op in wiring.ops.items():
        count = op.indices if node in wiring.alive else None
        name = _unchanged_from(wiring, wiring.sources[node][0]) if count else None
        if count and name and (name not in found or count < found[name].count):
            found[name] = Indices(count, graph.nodes[node].get("path") or node)
    return Demands(tuple(graph.graph["conditions"]), found)


def _unchanged_from(wiring: Wiring, source: Source) -> str | None:
    """The network's input of which a tensor has all the values, or None."""
    for node, types in _upwards(wiring, source):
        op = wiring.ops[node]
        if op.name == "input":
            return node
        made = wiring.graph.nodes[node]["types"]
        if op.family != "shape" or len(types) != 1 or len(made) != 1:
            return None
        if prod(types[0].dims, start=1) != prod(made[0].dims, start=1):
            return None
    return None


def _upwards(wiring: Wiring, source: Source) -> Iterator[tuple[str, tuple[Tensor, ...]]]:
    """The node that makes a tensor, and those before it as long as each has but one."""
    node = source.node
    yield node, wiring.types[node]
    while len(wiring.sources[node]) == 1:
        node = wiring.sources[node][0].node
        yield node, wiring.types[node]
