"""Shapes: every node's types inferred anew, for a graph that was made or edited by hand."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from archdsl.conditions import Solution, solve
from archdsl.diagnostics import ArchError, Diagnostic, suggest
from archdsl.dims import symbols
from archdsl.graph import (
    Graph,
    Source,
    connect,
    dead_ties,
    diagnose,
    graph_error,
    in_order,
    inputs,
    live_nodes,
    op_of,
    outputs,
    places_of,
    scopes,
)
from archdsl.ops.arguments import OpError, WeightRef
from archdsl.ops.op import Need, Op, Outcome, Tensor, build
from archdsl.passes.structure import check_nesting, place_node
from archdsl.records import record, replace


@record(frozen=True)
class _Module:
    """A module as its first node has it."""

    outcome: Outcome
    node: str

    @property
    def weights(self) -> Mapping[str, tuple[int, ...]]:
        return self.outcome.weights


def infer_shapes(graph: Graph) -> Graph:
    """A copy of the graph with types, shapes, paths and conditions inferred from its inputs on.

    Raises ArchError with a message for every node that is at fault.
    """
    result = _copy(graph)
    diagnostics: list[Diagnostic] = []
    modules: dict[str, _Module] = {}
    for node in in_order(result):
        diagnostics.extend(_check_node(result, node, modules))
    diagnostics.extend(_check_ends(result))
    if not diagnostics:
        diagnostics.extend(_check_references(result, modules))
    if not diagnostics:
        diagnostics.extend(check_nesting(result))
    if diagnostics:
        raise ArchError(diagnostics)
    _keep_reasons(result, graph)
    solution = conditions_of(result)
    if not solution.possible:
        conflict = solution.conflict
        raise ArchError(
            [
                Diagnostic(
                    "no-size-fits",
                    "no sizes satisfy what this network needs",
                    span=conflict.span if conflict else None,
                    text=conflict.reason if conflict else "",
                )
            ]
        )
    return result


def _check_node(graph: Graph, node: str, modules: dict[str, _Module]) -> tuple[Diagnostic, ...]:
    """Place and infer a node; what is wrong with it, which leaves it without types."""
    try:
        place_node(graph, node)
        _infer(graph, node, modules)
    except ArchError as error:
        graph.nodes[node].pop("types", None)
        return error.diagnostics
    except OpError as problem:
        graph.nodes[node].pop("types", None)
        return (diagnose(graph, node, problem),)
    return ()


def _copy(graph: Graph) -> Graph:
    """A graph of its own to write into. Raises ArchError where nodes are no names."""
    nodes: list[object] = list(graph)
    strange = [node for node in nodes if not isinstance(node, str)]
    if strange:
        message = f"a node is called by a text, and {strange[0]!r} is none"
        raise ArchError([Diagnostic("bad-graph", message)])
    result: Graph = graph.copy()
    result.graph = {**graph.graph, "conditions": []}
    result.graph["scopes"] = dict(graph.graph.get("scopes") or {})
    result.graph.pop("vary", None)  # the graph may no longer be what its specification says
    name = re.sub(r"\W+", "_", str(graph.graph.get("name") or "network"), flags=re.ASCII)
    result.graph["name"] = f"_{name}" if name[0].isdigit() else name
    scopes(result)
    return result


def _keep_reasons(graph: Graph, before: Graph) -> None:
    """Conditions that the graph had already keep the words that they were given."""
    known = {(c.kind, c.left, c.right, c.span): c for c in before.graph.get("conditions") or ()}
    graph.graph["conditions"] = [
        known.get((c.kind, c.left, c.right, c.span), c) for c in graph.graph["conditions"]
    ]


def _infer(graph: Graph, node: str, modules: dict[str, _Module]) -> None:
    data = graph.nodes[node]
    data.pop("types", None)
    op = op_of(graph, node)
    sources = _sources(graph, node, op)
    types: list[Tensor] = []
    for source in sources:
        known: Sequence[Tensor] | None = graph.nodes[source.node].get("types")
        if known is None:
            return  # what went wrong there was said there
        if source.output >= len(known):
            count = f"{len(known)} output{'s' * (len(known) != 1)}"
            message = f"{source.node} has {count}, and no output {source.output}"
            raise OpError("bad-graph", message)
        types.append(known[source.output])
    op = _tied_again(graph, node, op, modules)
    need = Need(data.get("span"))
    for name in data.get("names") or ():
        if name and not (isinstance(name, str) and name.isidentifier() and name.isascii()):
            raise OpError("bad-graph", f"a tensor cannot be called {name!r}")
    data["types"] = op.infer(types, need)
    data["shape"] = data["types"][0].dims
    data["op"], data["args"] = op.name, op.arguments
    graph.graph["conditions"].extend(
        c if c.span else replace(c, reason=f"{c.reason} (at {node})") for c in need.conditions
    )
    found = Outcome(op, tuple(types), data["types"], op.weights(types), tuple(need.conditions))
    _remember(data["path"], _Module(found, node), modules)
    graph.remove_edges_from(list(graph.in_edges(node, keys=True)))
    connect(graph, node, sources)


def _sources(graph: Graph, node: str, op: Op) -> list[Source]:
    """The inputs of a node; a merge closes ranks where one is gone, another layer cannot."""
    placed = places_of(graph, node)
    found = [placed[k] for k in sorted(placed)]
    if op.source:
        if found:
            raise _wrong_inputs(f"{op.name} takes no input, and {_edges(len(found))} in")
    elif op.variadic:
        if not found:
            raise _wrong_inputs(f"{op.name} merges what comes in, and no edge comes in")
    elif not len(op.inputs) - op.optional_inputs <= len(found) <= len(op.inputs):
        takes = "one input" if op.inputs == ("input",) else f"the inputs {', '.join(op.inputs)}"
        raise _wrong_inputs(f"{op.name} takes {takes}, and {_edges(len(found))} in")
    elif sorted(placed) != list(range(len(found))):
        absent = next(i for i in range(len(placed) + 1) if i not in placed)
        missing = f"its input {absent} ({op.inputs[absent]})"
        raise _wrong_inputs(f"{op.name} lacks {missing}, and has a later one")
    return found


def _edges(count: int) -> str:
    if not count:
        return "no edge comes"
    return "one edge comes" if count == 1 else f"{count} edges come"


def _wrong_inputs(message: str) -> OpError:
    return OpError("wrong-inputs", message, help="an edge into a node is one of its inputs")


def _tied_again(graph: Graph, node: str, op: Op, modules: Mapping[str, _Module]) -> Op:
    """The op with the shape of the weight that it uses as it is now."""
    tie = getattr(op, "tie", None)
    if not isinstance(tie, WeightRef):
        return op
    if tie.path not in modules:
        paths = {data.get("path", other) for other, data in graph.nodes(data=True)}
        if tie.path not in paths:
            raise ArchError([_no_such_weight(graph, node, tie, modules)])
        return op
    shape = modules[tie.path].weights.get(tie.name, tie.shape)
    return build(type(op), {**op.arguments, "tie": replace(tie, shape=tuple(shape))})


def _remember(path: str, module: _Module, modules: dict[str, _Module]) -> None:
    """Keep a module by its path; nodes that share the path are that module run again."""
    first = modules.setdefault(path, module)
    differ = first.outcome.misfit(module.outcome, f" for {first.node}")
    if not differ:
        return
    one, other = first.outcome.op, module.outcome.op
    if one != other:
        differ = f"{first.node} is {_shown(one)}, {module.node} is {_shown(other)}"
    raise OpError(
        "shared-mismatch",
        f"the nodes that share the module {path} differ: {differ}",
        text="nodes with one path are one module",
        help="change them alike, or give this node a path of its own",
    )


def _shown(op: Op) -> str:
    arguments = ", ".join(f"{k} = {v}" for k, v in op.arguments.items())
    return f"{op.name}({arguments})" if arguments else op.name


def _check_ends(graph: Graph) -> list[Diagnostic]:
    found = []
    if not inputs(graph):
        message = "the graph has no input node"
        help = 'graph.add_node("image", op="input", args={"sizes": [3, 224, 224]})'
        found.append(Diagnostic("no-input", message, graph.graph.get("span"), help=help))
    if not outputs(graph):
        message = "the graph has no output node"
        help = 'graph.add_node("output", op="output"), with an edge into it'
        found.append(Diagnostic("no-output", message, graph.graph.get("span"), help=help))
    for node in inputs(graph):
        if not _is_variable(node):
            found.append(graph_error(graph, node, f"an input cannot be called {node!r}"))
    seen: dict[str, str] = {}
    for node in outputs(graph):
        data = graph.nodes[node]
        types = data.get("types")
        if types and types[0].batch != "free":
            message = f"the output {node} does not depend on any input"
            found.append(graph_error(graph, node, message, code="no-batch-axis"))
        name = (data.get("names") or (node,))[0] or node
        if not _is_variable(name):
            help = '"names": ("logits",) gives it a name'
            message = f"an output cannot be called {name!r}"
            found.append(graph_error(graph, node, message, help=help))
        elif name in seen:
            message = f"the output {name} is there twice: {seen[name]} and {node}"
            found.append(graph_error(graph, node, message, code="duplicate-name"))
        seen.setdefault(name, node)
    return found


def _is_variable(name: str) -> bool:
    return name.isidentifier() and name.isascii() and not name.startswith("_")


def _check_references(graph: Graph, modules: Mapping[str, _Module]) -> list[Diagnostic]:
    """What nodes name beside their edges must be there: tied weights, beginnings of loops."""
    found: list[Diagnostic] = []
    ties = 0
    for node, data in graph.nodes(data=True):
        tie = data["args"].get("tie")
        if isinstance(tie, WeightRef):
            ties += 1
            found.extend(_check_tie(graph, node, tie, modules))
        begin = data["args"].get("begin") if data["op"] == "scan end" else None
        if begin is not None and (begin not in graph or graph.nodes[begin]["op"] != "scan"):
            found.append(graph_error(graph, node, f"the scan {begin} that ends here is not there"))
    if ties and not found:
        for node, tie in dead_ties(graph, live_nodes(graph)):
            message = f"{tie.path} is no part of the network: nobody uses what it computes"
            found.append(graph_error(graph, node, message, code="dead-tie"))
    return found


def _check_tie(
    graph: Graph, node: str, tie: WeightRef, modules: Mapping[str, _Module]
) -> list[Diagnostic]:
    owner = modules.get(tie.path)
    if owner is None or tie.name not in owner.weights:
        return [_no_such_weight(graph, node, tie, modules)]
    shape = tuple(owner.weights[tie.name])
    if shape == tie.shape:
        return []
    message = f"the tied weight {tie.path}.{tie.name} is {list(shape)}, not {list(tie.shape)}"
    return [graph_error(graph, node, message, code="tied-shape")]


def _no_such_weight(
    graph: Graph, node: str, tie: WeightRef, modules: Mapping[str, _Module]
) -> Diagnostic:
    same = [p for p, m in modules.items() if tuple(m.weights.get(tie.name, ())) == tie.shape]
    meant = suggest(tie.path, same) or (same[0] if len(same) == 1 else None)
    message = f"the weight {tie.path}.{tie.name} that {node} uses is not there"
    help = f"did you mean {meant}.{tie.name}?" if meant else "leave tie out of its args"
    return graph_error(graph, node, message, code="unknown-name", help=help)


def conditions_of(graph: Graph) -> Solution:
    """What must hold of the free sizes of a graph."""
    names = [
        name
        for node in inputs(graph)
        for size in graph.nodes[node]["types"][0].dims
        for name in sorted(symbols(size))
    ]
    return solve(graph.graph["conditions"], names=list(dict.fromkeys(names)))


def input_types(graph: Graph) -> dict[str, Tensor]:
    """The type of every input, by name, in order."""
    return {node: graph.nodes[node]["types"][0] for node in inputs(graph)}


def output_types(graph: Graph) -> dict[str, Tensor]:
    """The type of every output, by name, in order."""
    return {_called(graph, node): graph.nodes[node]["types"][0] for node in outputs(graph)}


def training_outputs(graph: Graph) -> tuple[str, ...]:
    """The names of the outputs that there are in training alone."""
    nodes = outputs(graph)
    return tuple(
        _called(graph, n) for n in nodes if (graph.nodes[n].get("args") or {}).get("training")
    )


def _called(graph: Graph, node: str) -> str:
    return (graph.nodes[node].get("names") or (node,))[0] or node
