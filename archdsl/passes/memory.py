"""Memory: the bytes of what layers compute, and of what training keeps of it.

Parameters, their gradients and buffers are not counted, nor what a layer holds for itself
while it runs. A tensor that is a view of another counts as that other, once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from archdsl.dims import Size, evaluate, minimum_value
from archdsl.graph import (
    Graph,
    Source,
    Wiring,
    captured_by_loops,
    inputs,
    inputs_of,
    loops_around,
    outputs,
    type_of,
)
from archdsl.ops.op import Op, Tensor
from archdsl.records import record


@record(frozen=True)
class NodeMemory:
    """The bytes that a node adds; expressions where sizes are free."""

    forward: Size = 0
    """Of its outputs, in evaluation; none of a view's."""
    saved: Size = 0
    """Of what autograd keeps for its backward pass in training, and no node before it kept."""


@record(frozen=True)
class Memory:
    """The bytes that the nodes of a network add, and what they come to."""

    nodes: Mapping[str, NodeMemory]
    peak: int | None
    """The most that is held at once in evaluation, when nodes run in their order and a tensor
    is let go after its last use; the network's inputs, which its caller holds, count throughout.
    None where a free size decides. A module holds more where a block's caller holds its input.
    """

    @property
    def forward(self) -> Size:
        """What all outputs come to, in evaluation."""
        return sum((node.forward for node in self.nodes.values()), start=0)

    @property
    def saved(self) -> Size:
        """What autograd keeps between the forward and the backward pass of training."""
        return sum((node.saved for node in self.nodes.values()), start=0)


def measure_memory(
    graph: Graph,
    sizes: Mapping[str, int] | None = None,
    *,
    batch: int = 1,
    bytes_per_value: int = 4,
    wiring: Wiring | None = None,
) -> Memory:
    """The memory of a checked graph's activations at a batch size.

    ``sizes`` gives the free ones values. Real numbers take ``bytes_per_value`` (2 in half
    precision), indices 8, truth values 1. What is kept for training is that of torch's plain
    kernels, as ``torch.autograd.graph.saved_tensors_hooks`` sees it; fused ones of an
    accelerator may keep less (a mask of dropout as truth values). Inside a scan every step
    keeps its own.
    """
    bytes_of = _Bytes(batch, {"float": bytes_per_value, "int": 8, "bool": 1}, sizes)
    known = wiring or Wiring(graph)
    layers = {node: _layer(known, node) for node in known.order}
    owners = _owners(layers, training=False)
    made = dict(_forward(known, layers, owners, bytes_of))
    kept = _Kept(known, layers, _owners(layers, training=True), bytes_of).by_node()
    nodes = {
        node: NodeMemory(sum(made[node].values(), start=0) if node in made else 0, kept[node])
        for node in graph
    }
    return Memory(nodes, _peak(graph, layers, owners, made, bytes_of))


@record(frozen=True)
class _Bytes:
    batch: int
    widths: Mapping[str, int]
    sizes: Mapping[str, int] | None
    known: dict[Tensor, Size] = field(default_factory=dict)

    def of(self, tensor: Tensor) -> Size:
        found = self.known.get(tensor)
        if found is None:  # of the 500 tensors of a ResNet-152 about 20 differ
            samples = self.batch if tensor.batch == "free" else 1
            found = self.at(tensor.elements) * samples * self.widths[tensor.dtype]
            self.known[tensor] = found
        return found

    def at(self, size: Size) -> Size:
        return size if self.sizes is None else evaluate(size, self.sizes)

    def steps(self, graph: Graph, loops: Sequence[str]) -> Size:
        """How often the body of nested loops runs."""
        times: Size = 1
        for loop in loops:
            times = times * self.at(type_of(graph, inputs_of(graph, loop)[0]).dims[0])
        return times


@record(frozen=True)
class _Layer:
    """A node with what every question about it needs."""

    op: Op
    sources: list[Source]
    given: tuple[Tensor, ...]
    made: Sequence[Tensor]
    loops: list[str]

    def shares(self, *, training: bool) -> tuple[int | None, ...]:
        return self.op.shares(self.given, self.made, training=training)


def _layer(wiring: Wiring, node: str) -> _Layer:
    data = wiring.graph.nodes[node]
    loops = [] if data.get("loop") is None else list(loops_around(wiring.graph, node))
    return _Layer(wiring.ops[node], wiring.sources[node], wiring.types[node], data["types"], loops)


def _owners(layers: Mapping[str, _Layer], *, training: bool) -> dict[Source, Source | None]:
    """For every tensor the one whose memory it is; None where that is a parameter's."""
    owners: dict[Source, Source | None] = {}
    for node, layer in layers.items():
        learned = layer.op.source and bool(layer.op.weights(layer.given))
        for place, shared in enumerate(layer.shares(training=training)):
            own = Source(node, place)
            if shared is not None:
                owners[own] = owners[layer.sources[shared]]
            else:
                owners[own] = None if learned else own
    return owners


# Forward --------------------------------------------------------------------------


def _forward(
    wiring: Wiring,
    layers: Mapping[str, _Layer],
    owners: Mapping[Source, Source | None],
    bytes_of: _Bytes,
) -> Iterator[tuple[str, dict[Source, Size]]]:
    """For every node that runs in evaluation the outputs that have memory of their own."""
    for node, layer in layers.items():
        if node in wiring.running:
            times = bytes_of.steps(wiring.graph, layer.loops)
            outs = {Source(node, place): kind for place, kind in enumerate(layer.made)}
            yield (
                node,
                {
                    own: bytes_of.of(kind) * times
                    for own, kind in outs.items()
                    if owners[own] == own
                },
            )


def _peak(
    graph: Graph,
    layers: Mapping[str, _Layer],
    owners: Mapping[Source, Source | None],
    made: Mapping[str, Mapping[Source, Size]],
    bytes_of: _Bytes,
) -> int | None:
    order = {node: i for i, node in enumerate(made)}
    last = _last_uses(graph, layers, owners, order)
    gathered = _gathered(layers, owners)
    freed: dict[int, int] = {}
    held = peak = 0
    for node, place in order.items():
        for own, size in made[node].items():
            times = bytes_of.steps(graph, gathered.get(own, layers[node].loops))
            if not isinstance(size, int) or not isinstance(times, int):
                return None
            held += size // times
            end = last.get(own, place)
            freed[end] = freed.get(end, 0) + size // times
        peak = max(peak, held)
        held -= freed.pop(place, 0)
    return peak


def _last_uses(
    graph: Graph,
    layers: Mapping[str, _Layer],
    owners: Mapping[Source, Source | None],
    order: Mapping[str, int],
) -> dict[Source, int]:
    """The place in the order after which a tensor's memory is let go."""
    last: dict[Source, int] = {}

    def use(source: Source, place: int) -> None:
        own = owners[source]
        if own is not None:
            last[own] = max(last.get(own, place), place)

    for node, place in order.items():
        for source in layers[node].sources:
            use(source, place)
    ends = {begin: order[end] for begin, end in _ends(graph).items() if end in order}
    for loop, sources in captured_by_loops(graph).items():
        for source in sources:
            if source.node in order and loop in ends:
                use(source, ends[loop])
    for node in (*inputs(graph), *outputs(graph)):
        if node in order:
            use(Source(node), len(order))
    return last


def _ends(graph: Graph) -> dict[str, str]:
    """Where the loops end, by where they begin."""
    return {
        data["args"]["begin"]: node
        for node, data in graph.nodes(data=True)
        if "begin" in (data.get("args") or {})
    }


def _gathered(
    layers: Mapping[str, _Layer], owners: Mapping[Source, Source | None]
) -> dict[Source | None, list[str]]:
    """The tensors of a loop's body that are held for every step, to be joined at its end.

    With the loops around that end: of them only one step is held.
    """
    found: dict[Source | None, list[str]] = {}
    for layer in layers.values():
        shared = layer.shares(training=False)
        for place, source in enumerate(layer.sources):
            inner = layers[source.node].loops
            if place not in shared and len(inner) > len(layer.loops):
                own = owners[source]
                found[own] = min(found.get(own, inner), layer.loops, key=len)
    return found


# Training -------------------------------------------------------------------------


@dataclass
class _Kept:
    """What autograd keeps, each tensor at the first node that keeps it."""

    wiring: Wiring
    layers: Mapping[str, _Layer]
    owners: Mapping[Source, Source | None]
    bytes_of: _Bytes
    tracked: dict[Source, bool] = field(default_factory=dict)
    kept: dict[Source, Size] = field(default_factory=dict)
    """How often every tensor is kept so far."""
    ends: Mapping[str, str] = field(default_factory=dict)

    def by_node(self) -> dict[str, Size]:
        self.ends = _ends(self.wiring.graph)
        return {
            node: self._node(node, layer) if node in self.wiring.alive else 0
            for node, layer in self.layers.items()
        }

    def _node(self, node: str, layer: _Layer) -> Size:
        tracked = [self.tracked.get(source, False) for source in layer.sources]
        learns = any(tracked) or bool(layer.op.weights(layer.given))
        for place, kind in enumerate(layer.made):
            self.tracked[Source(node, place)] = learns and kind.dtype == "float"
        if not learns:
            return 0
        saved = layer.op.saved(layer.given, layer.made, tracked)
        total: Size = sum(map(self.bytes_of.of, saved.made), start=0)
        total = total * self.bytes_of.steps(self.wiring.graph, layer.loops)
        sources = [layer.sources[i] for i in saved.inputs]
        for source in (*sources, *(Source(node, i) for i in saved.outputs)):
            for owner, times in self._held(source, layer.loops):
                total = total + self._keep(owner, times)
        return total

    def _held(self, source: Source, loops: Sequence[str]) -> Iterator[tuple[Source, Size]]:
        """The memory that a tensor is when a node in loops reads it, and how often it is.

        The state of a loop is what comes in, at the first step, and what the body made of it
        in the step before, at the others.
        """
        own = self.owners[source]
        if own is not None:
            yield own, self._times(own, loops)
        later = self._next_state(source)
        if later is not None:
            first = [loop for loop in loops if loop != source.node]
            yield later, self._times(later, loops) - self._times(later, first)

    def _next_state(self, source: Source) -> Source | None:
        """For the state of a loop the memory of what the body makes of it."""
        end = self.layers.get(self.ends.get(source.node, ""))
        if end is None or not source.output:
            return None
        place = end.shares(training=True)[source.output]
        return None if place is None else self.owners[end.sources[place]]

    def _times(self, owner: Source, loops: Sequence[str]) -> Size:
        """How often a tensor is kept: once a step of the loops that it and its reader stand in."""
        both = [loop for loop in self.layers[owner.node].loops if loop in loops]
        return self.bytes_of.steps(self.wiring.graph, both)

    def _keep(self, owner: Source, times: Size) -> Size:
        """What keeping a tensor so often adds to what is kept of it already."""
        more = times
        if owner in self.kept:
            more = times - self.kept[owner]
            least = minimum_value(more)
            if least is None or least < 0:  # it is kept as often, as far as can be told
                return 0
        self.kept[owner] = times
        return self.bytes_of.of(type_of(self.wiring.graph, owner)) * more
