"""Cost: parameters, and multiply-adds at given sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import TypeVar

from archdsl.dims import Size, evaluate
from archdsl.graph import Graph, Wiring, inputs_of, type_of
from archdsl.records import record

_T = TypeVar("_T")


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
    known = wiring or Wiring(graph)
    if _each_counts_once(graph, known):
        alike = _together(known.outcomes.values())
        parameters = sum(times * outcome.parameters for outcome, times in alike)
        terms = [(outcome.multiply_adds, times) for outcome, times in alike]
    else:
        counts = list(_counts(graph, training=training, wiring=known))
        parameters = sum(own for _, own, _ in counts)
        terms = _together([term for _, _, term in counts])
    total: Size = sum((times * term for term, times in terms), start=0)
    return Cost(parameters, total if sizes is None else evaluate(total, sizes))


def _together(found: Collection[_T]) -> list[tuple[_T, int]]:
    """Each of them, and how often it is there: layers that are alike share what is theirs."""
    times = Counter(map(id, found))
    return [(one, times[key]) for key, one in {id(one): one for one in found}.items()]


def _each_counts_once(graph: Graph, wiring: Wiring) -> bool:
    """Whether every node runs, once, as a module of its own: then equal layers count together."""
    if not len(wiring.alive) == len(wiring.running) == len(graph):
        return False
    nodes = graph.nodes(data=True)
    if any(own.get("loop") is not None for _, own in nodes):
        return False
    return len({own.get("path") or node for node, own in nodes}) == len(graph)


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
    counts = _counts(graph, training=training, wiring=wiring or Wiring(graph))
    return {
        node: Cost(parameters, term if sizes is None else evaluate(term, sizes))
        for node, parameters, term in counts
    }


def _counts(graph: Graph, *, training: bool, wiring: Wiring) -> Iterator[tuple[str, int, Size]]:
    """Every node with its parameters and its multiply-adds."""
    alive, outcomes = wiring.alive, wiring.outcomes
    running = alive if training else wiring.running
    seen: set[str] = set()
    for node, data in graph.nodes(data=True):
        parameters = 0
        term: Size = 0
        if node in alive:
            found = outcomes[node]
            path = data.get("path") or node
            if path not in seen:
                seen.add(path)
                parameters = found.parameters
            if node in running:
                term = found.multiply_adds
                if data.get("loop") is not None:
                    term = steps_of(graph, node) * term
        yield node, parameters, term


def steps_of(graph: Graph, node: str) -> Size:
    """How often a node runs: once, or once a step of the scans around it."""
    times: Size = 1
    loop = graph.nodes[node].get("loop")
    while loop is not None:
        sequence = type_of(graph, inputs_of(graph, loop)[0])
        times = times * sequence.dims[0]
        loop = graph.nodes[loop].get("loop")
    return times
