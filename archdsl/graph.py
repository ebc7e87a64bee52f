"""The graph: a ``networkx.MultiDiGraph`` of layers, and the one file that knows how it is laid out.

A node is a layer at one place of the flow. Its attributes:

``op``      the layer's name, such as ``"conv"``; ``"input"`` and ``"output"`` are the ends
``args``    its arguments as plain data: ``{"out_channels": 64, "kernel_size": 3}``
``shape``   the sizes of its (first) output without the batch: ``(64, 112, 112)``
``types``   a :class:`~archdsl.ops.op.Tensor` for every output
``path``    its module path, such as ``"layer1.0.conv1"``; nodes that share weights share it
``scope``   the id of the module call that it stands in (a key of ``graph.graph["scopes"]``)
``span``    the place in the source that it came from, or None
``calls``   the chain of block calls that led there, innermost first
``names``   what its outputs were called with ``as``, in the scope ``named_in``
``labelled`` whether its name was written by the user
``hints``   the expressions that its arguments were written as, where they use block parameters
``loop``    the id of the ``scan`` node whose body it stands in, or None
``unet``    its :class:`UNetPlace`, where it stands in a ``unet``
``training`` the penalties and constraints that it was given itself, where it was

An edge carries a tensor: ``input`` is its place among the consumer's inputs (also the
edge's key), ``output`` which of the producer's outputs it is.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from archdsl.diagnostics import ArchError, Diagnostic, Span, suggest
from archdsl.ops.arguments import OpError, WeightRef
from archdsl.ops.op import Op, Outcome, Tensor, build, call_form, find, names, outcome
from archdsl.records import record

if TYPE_CHECKING:
    import networkx as nx

Graph: TypeAlias = "nx.MultiDiGraph[str]"
"""A name for annotations: networkx itself is imported when the first graph is made."""


class Source(NamedTuple):
    """Where an input of a node comes from: a node and the index of its output."""

    node: str
    output: int = 0


@record(frozen=True)
class UNetPlace:
    """Where a node stands in the outermost ``unet`` around it.

    ``id`` tells one ``unet`` from another; ``part`` is ``"encode"``, ``"down"``, ``"bottom"``,
    ``"up"``, ``"join"`` or ``"decode"``; ``level`` counts from 0 at the top, the bottom being last.
    """

    id: int
    part: str
    level: int


@record(frozen=True)
class Scope:
    """One call of a module that has others inside: a block, or a labelled group.

    ``kind`` is ``"network"``, ``"block"``, ``"sequence"`` or ``"group"``; ``name`` the block's
    name (for a group, its label). ``numbered`` scopes name their members 0, 1, 2 ….
    ``arguments`` are the block's parameters with their values, ``defaults`` the literal defaults,
    and ``left_out`` those that the call does not give; ``hints`` the expressions that they were
    given as, in terms of the caller's parameters; ``lets`` the constants of its body, in terms of
    its own.
    ``inputs`` are the tensors that it declares, by name, and ``outputs`` those that it names.
    """

    id: str
    path: str
    parent: str | None
    kind: str
    name: str
    numbered: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)
    hints: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    lets: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[tuple[str, Source], ...] = ()
    outputs: tuple[Source, ...] = ()
    doc: str = ""
    span: Span | None = None
    loop: str | None = None


def new_graph(name: str) -> Graph:
    """An empty graph, with the scope of the network itself."""
    import networkx as nx

    graph: Graph = nx.MultiDiGraph(name=name)
    graph.graph["scopes"] = {"": Scope("", "", None, "network", name)}
    graph.graph["conditions"] = []
    return graph


def connect(graph: Graph, node: str, inputs: Iterable[Source]) -> None:
    """Give a node its inputs, in order."""
    for position, source in enumerate(inputs):
        graph.add_edge(source.node, node, key=position, input=position, output=source.output)


def inputs_of(graph: Graph, node: str) -> list[Source]:
    """Where the inputs of a node come from, in their order.

    An edge without ``input`` (added by hand) takes the first place that is free.
    """
    placed = places_of(graph, node)
    return [placed[k] for k in sorted(placed)]


def places_of(graph: Graph, node: str) -> dict[int, Source]:
    """The inputs of a node by their places; ArchError where the edges do not say them well."""
    placed: dict[int, Source] = {}
    loose: list[Source] = []
    for origin, _, data in graph.in_edges(node, data=True):
        output, position = data.get("output", 0), data.get("input")
        if not _is_index(output) or not (position is None or _is_index(position)):
            wrong = "output" if not _is_index(output) else "input"
            message = (
                f"the {wrong} of the edge from {origin} is {data[wrong]!r}, and must be 0, 1, 2 …"
            )
            raise ArchError([graph_error(graph, node, message)])
        source = Source(origin, output)
        if position is None:
            loose.append(source)
        elif position in placed:
            both = f"from {placed[position].node} and from {origin}"
            message = f"two edges claim input {position} of {node}: {both}"
            raise ArchError(
                [graph_error(graph, node, message, help="give each edge an input of its own")]
            )
        else:
            placed[position] = source
    position = 0
    for source in loose:
        while position in placed:
            position += 1
        placed[position] = source
    return placed


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def in_order(graph: Graph) -> list[str]:
    """The nodes, producers before consumers, otherwise as they were added."""
    after = dict(graph.adjacency())
    index = {node: i for i, node in enumerate(graph)}
    waiting = dict.fromkeys(index, 0)
    for consumers in after.values():
        for consumer, edges in consumers.items():
            waiting[consumer] += len(edges)
    ready = [i for node, i in index.items() if not waiting[node]]  # sorted, and so a heap
    nodes = list(graph)
    result: list[str] = []
    while ready:
        node = nodes[heapq.heappop(ready)]
        result.append(node)
        for consumer, edges in after[node].items():
            waiting[consumer] -= len(edges)
            if not waiting[consumer]:
                heapq.heappush(ready, index[consumer])
    if len(result) != len(nodes):
        import networkx as nx

        cycle = [origin for origin, *_ in nx.find_cycle(graph)]
        shown = " -> ".join([*cycle, cycle[0]] if len(cycle) < 8 else [*cycle[:7], "…", cycle[0]])
        message = f"the graph has a cycle: {shown}"
        raise ArchError([graph_error(graph, cycle[0], message)])
    return result


def inputs(graph: Graph) -> list[str]:
    """The network's inputs, in the order of their declaration."""
    return [n for n, data in graph.nodes(data=True) if data.get("op") == "input"]


def outputs(graph: Graph) -> list[str]:
    """The network's output nodes, in the order of their declaration."""
    return [n for n, data in graph.nodes(data=True) if data.get("op") == "output"]


def scopes(graph: Graph) -> dict[str, Scope]:
    """The module calls of the graph, by id."""
    found = graph.graph.setdefault("scopes", {})
    if "" not in found:
        found[""] = Scope("", "", None, "network", graph.graph.get("name") or "network")
    result: dict[str, Scope] = found
    return result


def op_of(graph: Graph, node: str) -> Op:
    """The layer of a node, built from its name and arguments; ArchError where that cannot be."""
    data = graph.nodes[node]
    name = data.get("op")
    if not isinstance(name, str):
        help = 'give it a layer: graph.add_node("act1", op="relu")'
        raise ArchError([graph_error(graph, node, f"the node {node} has no op", help=help)])
    cls = find(name)
    if cls is None:
        meant = suggest(name, names())
        raise ArchError(
            [
                graph_error(
                    graph,
                    node,
                    f"there is no layer {name}",
                    code="unknown-layer",
                    help=f"did you mean {meant}?" if meant else "",
                )
            ]
        )
    arguments = data.get("args") or {}
    if not isinstance(arguments, Mapping):
        message = f"the args of a node are a dict by name, not {arguments!r}"
        raise ArchError([graph_error(graph, node, message, help=f"its form is {call_form(cls)}")])
    try:
        return build(cls, arguments)
    except OpError as problem:
        raise ArchError([diagnose(graph, node, problem)]) from None


def type_of(graph: Graph, source: Source) -> Tensor:
    """The type of a tensor of the graph."""
    result: Tensor = graph.nodes[source.node]["types"][source.output]
    return result


def sources_into(graph: Graph) -> dict[str, list[Source]]:
    """Where the inputs of every node of a checked graph come from, in their order.

    What :func:`inputs_of` says of one node; for all of them one sweep is many times as fast.
    """
    placed: dict[str, dict[int, Source]] = {node: {} for node in graph}
    for origin, consumers in graph.adjacency():
        for node, edges in consumers.items():
            for data in edges.values():
                placed[node][data["input"]] = Source(origin, data["output"])
    return {node: [found[k] for k in sorted(found)] for node, found in placed.items()}


def types_into(graph: Graph) -> dict[str, tuple[Tensor, ...]]:
    """The types of what every node of a checked graph takes, in order."""
    return _types_of(graph, sources_into(graph))


def _types_of(
    graph: Graph, wiring: Mapping[str, Sequence[Source]]
) -> dict[str, tuple[Tensor, ...]]:
    types = {node: data["types"] for node, data in graph.nodes(data=True)}
    return {
        node: tuple([types[source.node][source.output] for source in sources])
        for node, sources in wiring.items()
    }


@record(frozen=True)
class Wiring:
    """What passes ask of every node of a checked graph, worked out once for all of them.

    Who calls several passes in turn hands them one. Good while the graph is not changed.
    """

    graph: Graph
    known: Mapping[str, Outcome] = field(default_factory=dict, repr=False)
    """The outcomes of those layers that have been worked out already."""

    @cached_property
    def order(self) -> list[str]:
        return in_order(self.graph)

    @cached_property
    def ops(self) -> dict[str, Op]:
        known = self.known
        return {n: known[n].op if n in known else op_of(self.graph, n) for n in self.graph}

    @cached_property
    def sources(self) -> dict[str, list[Source]]:
        return sources_into(self.graph)

    @cached_property
    def types(self) -> dict[str, tuple[Tensor, ...]]:
        """The types of what every node takes."""
        return _types_of(self.graph, self.sources)

    @cached_property
    def outcomes(self) -> dict[str, Outcome]:
        """What every layer makes of its inputs."""
        known = self.known
        return {
            node: known[node] if node in known else outcome(self.ops[node], self.types[node])
            for node in self.graph
        }

    @cached_property
    def alive(self) -> set[str]:
        """The nodes that some output depends on."""
        return live_nodes(self.graph)

    @cached_property
    def running(self) -> set[str]:
        """The nodes that run in evaluation."""
        nodes = self.graph.nodes(data=True)
        if any(own.get("op") == "output" and _arguments(own).get("training") for _, own in nodes):
            return live_nodes(self.graph, training=False)
        return self.alive


def diagnose(graph: Graph, node: str, problem: OpError) -> Diagnostic:
    """The diagnostic for an error of a node's layer, at the node's place."""
    data = graph.nodes[node]
    return Diagnostic(
        problem.code,
        problem.message,
        span=data.get("span"),
        text=problem.text,
        notes=(f"at node {node}",),
        calls=tuple(str(call) for call in reversed(data.get("calls") or ())),
        help=problem.help,
    )


def graph_error(
    graph: Graph, node: str, message: str, *, code: str = "bad-graph", help: str = ""
) -> Diagnostic:
    """The diagnostic for a node that is laid out wrongly."""
    span = graph.nodes[node].get("span") if node in graph else None
    return Diagnostic(code, message, span=span, notes=(f"at node {node}",), help=help)


def dead_ties(graph: Graph, alive: AbstractSet[str]) -> Iterator[tuple[str, WeightRef]]:
    """The live nodes with the weight of a layer that none of them is, and that weight."""
    nodes = graph.nodes
    paths = {nodes[node].get("path") or node for node in alive}
    for node in nodes:
        tie = (nodes[node].get("args") or {}).get("tie") if node in alive else None
        if isinstance(tie, WeightRef) and tie.path not in paths:
            yield node, tie


def live_nodes(graph: Graph, *, training: bool = True) -> set[str]:
    """The nodes that some output depends on, and the inputs.

    Without ``training``, those for outputs in training alone are left out.
    """
    data = {node: own for node, own in graph.nodes(data=True)}  # noqa: C416 - for its type
    last = [node for node, consumers in graph.adjacency() if not consumers]
    if all(_gives_out(data[node], training=training) for node in last):
        return set(data)  # every way leads to a node that nothing reads
    producers: dict[str, list[str]] = {node: [] for node in data}
    for origin, consumers in graph.adjacency():
        for consumer in consumers:
            producers[consumer].append(origin)
    waiting = [node for node, own in data.items() if _gives_out(own, training=training)]
    alive = set(waiting)
    while waiting:
        node = waiting.pop()
        before = producers[node]
        if data[node].get("op") == "scan end":
            before.append(_arguments(data[node])["begin"])
        for other in before:
            if other not in alive:
                alive.add(other)
                waiting.append(other)
    return alive


def _gives_out(own: Mapping[str, Any], *, training: bool) -> bool:
    """Whether a node is an output that there is, or an input."""
    if own.get("op") == "output":
        return training or not _arguments(own).get("training")
    return own.get("op") == "input"


def loops_around(graph: Graph, node: str) -> Iterator[str]:
    """The scans in whose bodies a node stands, by the nodes where they begin, innermost first."""
    loop: str | None = graph.nodes[node].get("loop")
    while loop is not None:
        yield loop
        loop = graph.nodes[loop].get("loop")


def captured_by_loops(graph: Graph) -> dict[str, list[Source]]:
    """For every scan the tensors from outside that its body reads, by the node where it begins."""
    found: dict[str, list[Source]] = {}
    for node, own in graph.nodes(data=True):
        if own.get("loop") is None:
            continue
        for loop in loops_around(graph, node):
            for source in inputs_of(graph, node):
                if source.node != loop and loop not in loops_around(graph, source.node):
                    found.setdefault(loop, []).append(source)
    return found


def _arguments(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return data.get("args") or {}


def unlike_runs(graph: Graph) -> Iterator[Scope]:
    """Module calls that take their inputs otherwise than the first call of the same module.

    One class serves all calls of a module: where the first takes one tensor in two
    places, the others cannot take two.
    """
    known = scopes(graph)
    runs: dict[str, list[str]] = {}
    for scope in known.values():
        if scope.path:
            runs.setdefault(scope.path, []).append(scope.id)
    shared = {i for ids in runs.values() if len(ids) > 1 for i in ids}
    if not shared:
        return
    inside: dict[str, dict[str, None]] = {i: {} for i in shared}
    for node, own in graph.nodes(data="scope"):
        for around in walk_scopes(graph, str(own or "")):
            if around.id in shared:
                inside[around.id][node] = None
    for ids in runs.values():
        patterns = [_inputs_alike(graph, inside[i]) for i in ids if len(ids) > 1]
        yield from (
            known[i] for i, p in zip(ids[1:], patterns[1:], strict=False) if p != patterns[0]
        )


def _inputs_alike(graph: Graph, nodes: Mapping[str, None]) -> list[int]:
    """Which of the places where tensors come in are one tensor, as the first such place."""
    places = [
        source for node in nodes for source in inputs_of(graph, node) if source.node not in nodes
    ]
    return [places.index(source) for source in places]


def walk_scopes(graph: Graph, scope: str) -> Iterator[Scope]:
    """A scope and those around it, innermost first."""
    known = scopes(graph)
    current: str | None = scope
    while current is not None:
        yield known[current]
        current = known[current].parent
