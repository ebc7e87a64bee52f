"""State: the names and the shapes of what the compiled module's ``state_dict`` holds."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from archdsl.graph import Graph, Wiring, inputs_of, op_of, type_of
from archdsl.ops.op import Op, Tensor
from archdsl.records import record


@record(frozen=True)
class StateTensor:
    """One tensor of a ``state_dict``: a parameter, or a buffer such as a running mean."""

    name: str
    shape: tuple[int, ...]
    node: str
    """The first node that it belongs to; nodes that share weights have the same."""
    trained: bool = True
    tied: bool = False
    """Whether it is another layer's parameter under one more name."""

    @property
    def numbers(self) -> int:
        """How many numbers it adds to the network; none where it is another's."""
        return 0 if self.tied else math.prod(self.shape)


def state_of(graph: Graph, *, wiring: Wiring | None = None) -> dict[str, StateTensor]:
    """What ``state_dict`` of the compiled module holds, by name, in the order of the graph."""
    known = wiring or Wiring(graph)
    seen: set[str] = set()
    found: dict[str, StateTensor] = {}
    for node, data in graph.nodes(data=True):
        path = data.get("path") or node
        if node in known.alive and path not in seen:
            seen.add(path)
            tensors = _state(known.ops[node], known.types[node], path, node)
            found.update((tensor.name, tensor) for tensor in tensors)
    return found


def state_of_node(graph: Graph, node: str) -> Iterator[StateTensor]:
    """The tensors of one node, its parameters first."""
    types = [type_of(graph, source) for source in inputs_of(graph, node)]
    return _state(op_of(graph, node), types, graph.nodes[node].get("path") or node, node)


def _state(op: Op, types: Sequence[Tensor], path: str, node: str) -> Iterator[StateTensor]:
    tied = bool(getattr(op, "tie", None))
    for trained, shapes in ((True, op.weights(types)), (False, op.buffers(types))):
        for name, shape in shapes.items():
            full = f"{path}.{name}" if name else path
            yield StateTensor(full, tuple(shape), node, trained, tied and name == "weight")
