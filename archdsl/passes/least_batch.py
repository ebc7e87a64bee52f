"""How many samples a batch must have, so that a network can be trained on it."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.graph import Graph, Wiring
from archdsl.ops.op import Tensor


def least_batch(graph: Graph, *, wiring: Wiring | None = None) -> int:
    """The least batch for training, whatever the free sizes are."""
    outcomes = (wiring or Wiring(graph)).outcomes.values()
    return max((found.least_batch for found in outcomes), default=1)


def layers_of_several(graph: Graph) -> dict[str, int]:
    """The layers that need more samples than one at all free sizes, by path, and how many.

    A batch norm takes its deviation over samples and places: behind ``[C, H, W]`` one sample may
    have places enough, and nothing is known of it.
    """
    return {path: least for path, least, fixed in _needs(graph) if least > 1 and fixed}


def _needs(graph: Graph) -> Iterator[tuple[str, int, bool]]:
    """Each layer's path, what it needs, and whether the sizes before it are fixed."""
    for node, found in Wiring(graph).outcomes.items():
        path: str = graph.nodes[node].get("path") or node
        yield path, found.least_batch, all(map(_is_fixed, found.inputs))


def _is_fixed(type: Tensor) -> bool:
    return all(isinstance(size, int) for size in type.dims)
