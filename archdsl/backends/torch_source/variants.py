"""Variants: which parameters of a network its class can have as its own.

A network's numbers may follow from a parameter (``classes``), or its structure may
(``depth``). To tell, the network is built once more at another value: where it
comes out alike, and every number that changed is an expression of the parameter,
the class takes it: ``def __init__(self, classes: int = 1000)``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from archdsl.backends.torch_source.classes import plan_classes
from archdsl.backends.torch_source.names import expression_names
from archdsl.backends.torch_source.tree import Unit, build_tree
from archdsl.graph import Graph

MOST_NODES = 20_000  # beyond, building again would cost more than it gives
MOST_PARAMETERS = 8
STEPS = (1, 2, 4, 8)
"""How far off to look for a third value, where sizes in proportion make two too few.

What is rounded to multiples, as in ``4 * (width // 4)``, doubles as ``width`` itself does.
"""


def comparable_roots(
    graph: Graph, root: Unit, *, inplace: bool = False
) -> tuple[list[Unit], frozenset[str]]:
    """The network and its variants, and the parameters in which they differ."""
    roots, varied = [root], frozenset[str]()
    vary = graph.graph.get("vary")
    if vary is None or len(graph) > MOST_NODES:
        return roots, varied
    for name in _candidates(graph):
        own = graph.graph["parameters"][name]
        found = _varied_in(name, own, roots, varied | {name}, vary, inplace=inplace)
        if found is not None:
            roots, varied = found, varied | {name}
    return roots, varied


def _varied_in(
    name: str,
    own: Any,
    roots: list[Unit],
    varied: frozenset[str],
    vary: Callable[..., Any],
    *,
    inplace: bool,
) -> list[Unit] | None:
    """The roots with those at other values of a parameter, where its class can take them."""
    for value in _other_values(own):
        other = vary(name, value)
        if other is None:
            continue
        more = [*roots, build_tree(other, len(roots), inplace=inplace)]
        planned = plan_classes(more, set(), varied)
        if planned is None:
            continue
        if not any(plan.scales for plan in planned[0]):
            return more
        near = (own + step for step in STEPS if own + step != value)
        third = next(filter(None, (vary(name, n) for n in near)), None)
        if third is not None:
            more.append(build_tree(third, len(more), inplace=inplace))
        return more if plan_classes(more, set(), varied) is not None else None
    return None


def _candidates(graph: Graph) -> list[str]:
    """The numbers among the network's parameters that some argument was written with."""
    used: set[str] = set()
    for _, hints in graph.nodes(data="hints"):
        for expr in (hints or {}).values():
            used |= expression_names(expr)
    for scope in graph.graph["scopes"].values():
        for expr in scope.hints.values():
            used |= expression_names(expr)
    numbers = [
        name
        for name, value in (graph.graph.get("parameters") or {}).items()
        if name in used and isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
    return numbers[:MOST_PARAMETERS]


def _other_values(value: Any) -> Iterator[Any]:
    """Values to compare with: one that keeps what divides it, and one close by."""
    if isinstance(value, float):
        yield value / 2 if value else 0.5
    else:
        yield value * 2
        yield value + 1
