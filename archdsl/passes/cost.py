"""Cost: parameters, and multiply-adds at given sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.dims import Size, evaluate
from archdsl.graph import Graph, inputs_of, live_nodes, op_of, type_of


@dataclass(frozen=True)
class Cost:
    """What a network costs for one sample."""

    parameters: int
    """Trainable numbers; shared ones count once."""
    multiply_adds: Size
    """Multiply-adds of one forward pass, an expression where sizes are free."""


def count_cost(
    graph: Graph, sizes: Mapping[str, int] | None = None, *, training: bool = False
) -> Cost:
    """The cost of a checked graph; ``sizes`` gives the free ones values.

    Multiply-adds leave out what is computed in training alone, unless ``training``.
    """
    alive = live_nodes(graph)
    running = alive if training else live_nodes(graph, training=False)
    seen: set[str] = set()
    parameters = 0
    total: Size = 0
    for node in graph:
        if node not in alive:
            continue
        op = op_of(graph, node)
        data = graph.nodes[node]
        types = [type_of(graph, s) for s in inputs_of(graph, node)]
        path = data.get("path") or node
        if path not in seen:
            seen.add(path)
            tied = bool(getattr(op, "tie", None))
            parameters += sum(
                math.prod(shape)
                for name, shape in op.weights(types).items()
                if not (tied and name == "weight")
            )
        if node in running:
            total = total + _steps(graph, node) * op.multiply_adds(types, data["types"])
    if sizes is not None:
        total = evaluate(total, dict(sizes))
    return Cost(parameters, total)


def _steps(graph: Graph, node: str) -> Size:
    """How often a node runs: once, or once a step of the scans around it."""
    times: Size = 1
    loop = graph.nodes[node].get("loop")
    while loop is not None:
        sequence = type_of(graph, inputs_of(graph, loop)[0])
        times = times * sequence.dims[0]
        loop = graph.nodes[loop].get("loop")
    return times
