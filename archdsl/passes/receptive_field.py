"""Receptive fields: which positions of the network's inputs every tensor depends on.

The terms are those of Araujo, Norris and Sim, «Computing Receptive Fields of Convolutional
Neural Networks», Distill, 2019: size, stride and start of the window in the input that a
position of a tensor sees. Where axes were joined (the patches of an image), they go on as
they were until layers mix the axis. The field is the theoretical one: it goes on beyond the borders
into what padding puts there, and does not look at sizes of weights. Where paths meet, it is
from the smallest start to the largest end; where they move differently over the input, or an
axis was mixed (a linear layer over flattened values, attention, a global pool, statistics over
positions), it is the whole axis. It is never too small; normalizations over the batch
and dropout are taken as in evaluation.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from functools import lru_cache
from typing import TypeAlias

from archdsl.dims import Dim, Size, evaluate
from archdsl.graph import (
    Graph,
    Source,
    Wiring,
    captured_by_loops,
    in_order,
    inputs,
    new_graph,
)
from archdsl.ops.op import Op, Tensor
from archdsl.ops.reach import Reach, Window, pointwise
from archdsl.records import record

Seen: TypeAlias = "dict[str, Reach]"
"""For every input of the network that a tensor depends on, how it sees that input's axes."""


@record(frozen=True)
class AxisField:
    """What a position of a tensor sees along one axis of a network's input.

    ``window`` is None where it sees everything; positions and sizes are in the input's own.
    """

    axis: int
    """The axis of the input, counted as in torch: 0 is the batch."""
    window: Window | None
    covers: bool | None
    """Whether some position of the tensor sees the whole axis; None where a free size decides."""

    @property
    def whole(self) -> bool:
        """Whether every position sees all of the axis."""
        return self.window is None

    @property
    def size(self) -> int | None:
        """Positions from the first to the last that are seen; the most where they differ."""
        return None if self.window is None else self.window.size

    @property
    def stride(self) -> Fraction | None:
        """How far neighbouring positions of the tensor lie apart in the input («jump»)."""
        return None if self.window is None else self.window.stride

    @property
    def start(self) -> int | None:
        """The first position that position 0 of the tensor sees; below 0 is padding."""
        span = self._first()
        return None if span is None else span[0]

    @property
    def center(self) -> Fraction | None:
        """The middle of what position 0 of the tensor sees («offset»)."""
        span = self._first()
        return None if span is None else Fraction(span[0] + span[1], 2)

    def _first(self) -> tuple[int, int] | None:
        """What position 0 sees; where that is a hole, what it would see, from the next one."""
        if self.window is None:
            return None
        for position, span in enumerate(self.window.spans):
            if span is not None:
                back = int(position * self.window.stride)
                return span[0] - back, span[1] - back
        return None


Fields: TypeAlias = "Mapping[str, tuple[AxisField, ...]]"
"""For every input that a tensor depends on, its field along each of the input's positions' axes."""


def receptive_fields(
    graph: Graph, sizes: Mapping[str, int] | None = None, *, wiring: Wiring | None = None
) -> dict[str, tuple[Fields, ...]]:
    """The receptive fields of every output of every node of a checked graph.

    Fields are along the axes of an input that hold positions, not features: see
    :func:`position_axes`. An input whose values a tensor does not depend on is left out.
    ``sizes`` gives the free ones values: fields depend on them only where a layer brings a
    tensor to a size (``resize``, ``crop``), and whether a field covers the input.
    """
    types = _types_at(graph, sizes or {})
    seen = _seen_by_all(wiring or Wiring(graph), types)
    axes = {node: position_axes(types[node][0], _along(seen, node)) for node in inputs(graph)}
    return {
        node: tuple(
            {
                origin: tuple(
                    _field(types[origin][0].dims[i], i, reach[i], tensor) for i in axes[origin]
                )
                for origin, reach in found.items()
            }
            for found, tensor in zip(seen[node], types[node], strict=True)
        )
        for node in graph
    }


def position_axes(tensor: Tensor, reaches: Sequence[Reach]) -> tuple[int, ...]:
    """The axes of an input that hold positions, as indices into its sizes.

    All of indices, and all but the first of [channels, height, width]. Of two axes the first
    layer that treats them differently tells: one that a window moves along (a convolution, a
    pool) holds positions, and so does one that stays where the other is mixed (a linear layer
    over [positions, features]). If none does, it is the first. A vector has none.
    """
    if tensor.dtype == "int" or tensor.rank < 2:
        return tuple(range(tensor.rank)) if tensor.dtype == "int" else ()
    if tensor.rank > 2:
        return tuple(range(1, tensor.rank))
    for reach in reaches:
        moved = [axis for axis, window in enumerate(reach) if window and window.moves]
        kept = [axis for axis, window in enumerate(reach) if window]
        for told in (moved, kept):
            if len(told) == 1:
                return (told[0],)
    return (0,)


def _along(seen: Mapping[str, Sequence[Seen]], origin: str) -> list[Reach]:
    """How the tensors of the graph see one input, in their order."""
    return [found[origin] for each in seen.values() for found in each if origin in found]


def _types_at(graph: Graph, sizes: Mapping[str, int]) -> dict[str, tuple[Tensor, ...]]:
    """The types of every node, where the free sizes that are given have their values."""
    types = {node: tuple(data["types"]) for node, data in graph.nodes(data=True)}
    if not sizes:
        return types
    at = {
        kind: kind.with_dims(*(evaluate(size, sizes) for size in kind.dims))
        for kind in set(itertools.chain.from_iterable(types.values()))
    }
    return {node: tuple([at[kind] for kind in kinds]) for node, kinds in types.items()}


@lru_cache(maxsize=4096)
def _field(extent: Size, axis: int, window: Window | None, tensor: Tensor) -> AxisField:
    if window is None:
        return AxisField(axis + 1, None, True)
    count = tensor.dims[window.along]
    free = (extent, count, window.divisor, 0 if window.modulus is None else window.modulus)
    if any(isinstance(size, Dim) for size in free):
        return AxisField(axis + 1, window, None)
    assert isinstance(extent, int)
    assert isinstance(count, int)
    return AxisField(axis + 1, window, _covers(window, extent, count))


def _covers(window: Window, extent: int, count: int) -> bool:
    """Whether one of ``count`` positions sees all of 0 to ``extent - 1``."""
    if window.size < extent:
        return False
    return any(
        span is not None and span[0] <= 0 and span[1] >= extent - 1
        for span in map(window.at, range(count))
    )


# The walk -------------------------------------------------------------------------


def _seen_by_all(wiring: Wiring, types: Mapping[str, tuple[Tensor, ...]]) -> dict[str, list[Seen]]:
    seen: dict[str, list[Seen]] = {}
    captured = captured_by_loops(wiring.graph)
    for node in _order(wiring, captured):
        if wiring.graph.nodes[node]["op"] == "input":
            seen[node] = [{node: pointwise(types[node][0].rank)}]
            continue
        sources = wiring.sources[node]
        op = wiring.ops[node]
        given = [types[s.node][s.output] for s in sources]
        behind = [seen[s.node][s.output] for s in sources]
        # What a loop's body reads from outside may come back to it in the state.
        carried = [_everything(seen[s.node][s.output]) for s in captured.get(node, ())]
        seen[node] = [
            _join([*_through(op, given, types[node], behind, i), *carried])
            for i in range(len(types[node]))
        ]
    return seen


def _order(wiring: Wiring, captured: Mapping[str, Sequence[Source]]) -> list[str]:
    """The nodes, and before the beginning of a loop all that its body reads."""
    if not captured:
        return wiring.order
    order = new_graph("order")
    order.add_nodes_from(wiring.graph)
    order.add_edges_from((one, other) for one, other in wiring.graph.edges())
    order.add_edges_from((s.node, loop) for loop, sources in captured.items() for s in sources)
    return in_order(order)


def _through(
    op: Op,
    given: Sequence[Tensor],
    made: Sequence[Tensor],
    behind: Sequence[Seen],
    output: int,
) -> Iterator[Seen]:
    """What an output sees through each of the layer's inputs."""
    for place, seen in enumerate(behind):
        if not seen:
            continue
        reach = op.reach(given, made, place, output)
        if reach is None:
            continue
        yield {origin: tuple(_behind(reach, w) for w in known) for origin, known in seen.items()}


def _behind(reach: Reach, window: Window | None) -> Window | None:
    if window is None:
        return None
    near = reach[window.along]
    return None if near is None else near.after(window)


def _everything(seen: Seen) -> Seen:
    return {origin: (None,) * len(reach) for origin, reach in seen.items()}


def _join(paths: Sequence[Seen]) -> Seen:
    """What is seen on one path or another."""
    if len(paths) == 1:
        return paths[0]
    result: Seen = {}
    for seen in paths:
        for origin, reach in seen.items():
            known = result.get(origin)
            result[origin] = (
                reach
                if known is None
                else tuple(a and b and a.joined(b) for a, b in zip(known, reach, strict=True))
            )
    return result
