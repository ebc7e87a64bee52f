"""The sizes that a figure is drawn at: those given, and usual ones for what is still free."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph
from archdsl.passes.free_sizes import choose_sizes
from archdsl.passes.shapes import conditions_of


def drawn_sizes(graph: Graph, given: Mapping[str, int]) -> dict[str, int]:
    """A value for every free size of a checked graph.

    ArchError, code ``bad-value``, where the sizes given are not what the network has or allows,
    or where none are found.
    """
    found = choose_sizes(graph, given)
    missing = [name for name in conditions_of(graph).names if name not in found]
    if missing:
        message = f"a figure is drawn to scale, and no good sizes are known for {missing[0]}"
        raise ArchError([Diagnostic("bad-value", message, help="give the sizes to draw at")])
    return found
