"""What the passes say of every node, asked once each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from archdsl.dims import Size
from archdsl.graph import Graph, Wiring
from archdsl.passes.cost import Cost, node_costs
from archdsl.passes.memory import Memory, NodeMemory, measure_memory
from archdsl.passes.receptive_field import Fields, receptive_fields
from archdsl.passes.state import StateTensor, state_of
from archdsl.records import record


@record(frozen=True)
class Figures:
    """The figures of a checked graph at given sizes, or as expressions for None."""

    wiring: Wiring
    sizes: Mapping[str, int] | None

    @property
    def graph(self) -> Graph:
        return self.wiring.graph

    @cached_property
    def costs(self) -> Mapping[str, Cost]:
        return node_costs(self.graph, self.sizes, wiring=self.wiring)

    @cached_property
    def memory(self) -> Memory:
        return measure_memory(self.graph, self.sizes, wiring=self.wiring)

    @cached_property
    def fields(self) -> Mapping[str, tuple[Fields, ...]]:
        return receptive_fields(self.graph, self.sizes, wiring=self.wiring)

    @cached_property
    def state(self) -> Mapping[str, Sequence[StateTensor]]:
        """What ``state_dict`` holds, by module path; each with the node that counts it."""
        found: dict[str, list[StateTensor]] = {}
        for tensor in state_of(self.graph, wiring=self.wiring).values():
            found.setdefault(self.paths[tensor.node], []).append(tensor)
        return found

    @cached_property
    def paths(self) -> Mapping[str, str]:
        """The module path of every node."""
        return {node: str(path or node) for node, path in self.graph.nodes(data="path")}

    def parameters(self, nodes: Iterable[str]) -> int:
        return sum(self.costs[node].parameters for node in nodes)

    def buffers(self, nodes: Iterable[str]) -> int:
        inside = set(nodes)
        held = (tensor for tensors in self.state.values() for tensor in tensors)
        return sum(t.numbers for t in held if not t.trained and t.node in inside)

    def multiply_adds(self, nodes: Iterable[str]) -> Size:
        return total(self.costs[node].multiply_adds for node in nodes)

    def node_memory(self, nodes: Sequence[str]) -> NodeMemory:
        each = [self.memory.nodes[node] for node in nodes]
        return NodeMemory(total(m.forward for m in each), total(m.saved for m in each))

    def borrowed(self, nodes: Sequence[str]) -> Iterator[StateTensor]:
        """The parameters of some nodes that are counted at others, or are another layer's."""
        inside = set(nodes)
        for path in dict.fromkeys(self.paths[node] for node in nodes if node in self.wiring.alive):
            for tensor in self.state.get(path, ()):
                if tensor.trained and (tensor.tied or tensor.node not in inside):
                    yield tensor


def total(sizes: Iterable[Size]) -> Size:
    """The sum of sizes, free ones too."""
    return sum(sizes, start=0)
