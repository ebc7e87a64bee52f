"""Cost: parameters, and multiply-adds at given sizes."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import cast

from archdsl.dims import Size, evaluate
from archdsl.graph import Graph, Wiring, inputs_of, type_of
from archdsl.ops.op import Outcome
from archdsl.records import record


@record(frozen=True)
class Cost:
    """What a network, or a node of it, costs for one sample."""

    parameters: int
    """Trainable numbers; shared ones count once."""
    multiply_adds: Size
    """Multiply-adds of one forward pass, an expression where sizes are free."""


def count_cost(
    graph: Graph,
    sizes: Mapping[str, int] | None = None,
    *,
    training: bool = False,
    wiring: Wiring | None = None,
) -> Cost:
    """The cost of a checked graph: the sum of :func:`node_costs`, by the same arguments."""
    costs = node_costs(graph, sizes, training=training, wiring=wiring).values()
    terms = {id(cost.multiply_adds): cost.multiply_adds for cost in costs}
    times = Counter(id(cost.multiply_adds) for cost in costs)  # layers that are alike share theirs
    total: Size = sum((times[key] * term for key, term in terms.items()), start=0)
    return Cost(sum(cost.parameters for cost in costs), total)


def node_costs(
    graph: Graph,
    sizes: Mapping[str, int] | None = None,
    *,
    training: bool = False,
    wiring: Wiring | None = None,
) -> dict[str, Cost]:
    """What every node of a checked graph costs; ``sizes`` gives the free ones values.

    Parameters that several nodes share count at the first of them; a tied weight counts where
    it is, not where it is used. In a scan multiply-adds are those of all its steps. They leave
    out what is computed in training alone, unless ``training``. What no output depends on
    costs nothing.
    """
    known = wiring or Wiring(graph)
    alive = known.alive
    running = alive if training else known.running
    seen: set[str] = set()
    costs: dict[str, Cost] = {}
    for node, data in graph.nodes(data=True):
        parameters, total = 0, cast("Size", 0)
        if node in alive:
            found = known.outcomes[node]
            path = data.get("path") or node
            if path not in seen:
                seen.add(path)
                parameters = _own_parameters(found)
            if node in running:
                total = found.multiply_adds
                if data.get("loop") is not None:
                    total = steps_of(graph, node) * total
        if sizes is not None:
            total = evaluate(total, sizes)
        costs[node] = Cost(parameters, total)
    return costs


def _own_parameters(found: Outcome) -> int:
    tied = bool(getattr(found.op, "tie", None))
    return sum(
        math.prod(shape) for name, shape in found.weights.items() if not (tied and name == "weight")
    )


def steps_of(graph: Graph, node: str) -> Size:
    """How often a node runs: once, or once a step of the scans around it."""
    times: Size = 1
    loop = graph.nodes[node].get("loop")
    while loop is not None:
        sequence = type_of(graph, inputs_of(graph, loop)[0])
        times = times * sequence.dims[0]
        loop = graph.nodes[loop].get("loop")
    return times
