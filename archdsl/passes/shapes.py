"""Shapes: every node's types inferred anew, for a graph that was made or edited by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archdsl.conditions import Solution, solve
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.dims import symbols
from archdsl.graph import Graph, Source, diagnose, in_order, inputs, inputs_of, op_of, outputs
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Need, Op, Tensor


def infer_shapes(graph: Graph) -> Graph:
    """A copy of the graph with types, shapes and conditions inferred from its inputs on.

    Raises ArchError with a message for every node that is at fault.
    """
    result = graph.copy()
    result.graph = {**graph.graph, "conditions": []}
    result.graph["scopes"] = dict(graph.graph.get("scopes") or {})
    diagnostics: list[Diagnostic] = []
    modules: dict[str, tuple[Op, dict[str, tuple[int, ...]]]] = {}
    for node in in_order(result):
        try:
            _infer(result, node, modules, diagnostics)
        except ArchError as error:
            diagnostics.extend(error.diagnostics)
            result.nodes[node].pop("types", None)
        except OpError as problem:
            diagnostics.append(diagnose(result, node, problem))
            result.nodes[node].pop("types", None)
    diagnostics.extend(_check_ends(result))
    if diagnostics:
        raise ArchError(diagnostics)
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


def _infer(
    graph: Graph,
    node: str,
    modules: dict[str, tuple[Op, dict[str, tuple[int, ...]]]],
    diagnostics: list[Diagnostic],
) -> None:
    data = graph.nodes[node]
    data.pop("types", None)
    op = op_of(graph, node)
    sources = inputs_of(graph, node)
    types: list[Tensor] = []
    for source in sources:
        known: Sequence[Tensor] | None = graph.nodes[source.node].get("types")
        if known is None:
            return  # what went wrong there was said there
        if source.output >= len(known):
            raise OpError("bad-graph", f"{source.node} has no output {source.output}")
        types.append(known[source.output])
    _check_count(op, len(sources))
    need = Need(data.get("span"))
    data["types"] = op.infer(types, need)
    data["shape"] = data["types"][0].dims
    data["args"] = op.arguments
    graph.graph["conditions"].extend(
        c if c.span else replace(c, reason=f"{c.reason} (at {node})") for c in need.conditions
    )
    path = data.setdefault("path", node)
    weights = op.weights(types)
    known_module = modules.setdefault(path, (op, weights))
    if known_module != (op, weights) and (weights or known_module[1]):
        raise OpError(
            "shared-mismatch",
            f"the nodes that share the module {path} differ",
            text="nodes with one path are one module: give this one a path of its own",
        )


def _check_count(op: Op, count: int) -> None:
    if op.source:
        wanted = count == 0
    elif op.variadic:
        wanted = count >= 1
    else:
        wanted = len(op.inputs) - op.optional_inputs <= count <= len(op.inputs)
    if not wanted:
        takes = "no input" if op.source else ", ".join(op.inputs)
        raise OpError("wrong-inputs", f"{op.name} takes {takes}, and {count} edges come in")


def _check_ends(graph: Graph) -> list[Diagnostic]:
    found = []
    if not inputs(graph):
        found.append(Diagnostic("no-input", "the graph has no input node", graph.graph.get("span")))
    if not outputs(graph):
        found.append(Diagnostic("no-output", "the graph has no output node", graph.graph.get("span")))
    for node in outputs(graph):
        types = graph.nodes[node].get("types")
        if types and types[0].batch != "free":
            message = f"the output {node} does not depend on any input"
            found.append(Diagnostic("no-batch-axis", message, graph.nodes[node].get("span")))
    return found


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
    return {
        (graph.nodes[node].get("names") or (node,))[0]: graph.nodes[node]["types"][0]
        for node in outputs(graph)
    }


__all__ = ["Source", "conditions_of", "infer_shapes", "input_types", "output_types"]
