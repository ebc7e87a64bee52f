"""``archdsl graph``: the nodes of a network, as a table or as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import CLEAN, SPECIFICATION_AT_FAULT, echo_json, json_option
from archdsl.commands.target import checked_graph, complete_file, set_option
from archdsl.diagnostics import Span
from archdsl.dims import Dim
from archdsl.dims import show as show_size
from archdsl.graph import Graph, inputs_of
from archdsl.ops.arguments import WeightRef
from archdsl.ops.op import show_value
from archdsl.passes.shapes import conditions_of


@click.command(
    "graph",
    epilog=examples(
        "archdsl graph wide_and_deep.arch",
        "archdsl graph resnet.arch:resnet50 --format json",
    ),
)
@click.argument("target", shell_complete=complete_file, metavar="FILE[:NETWORK]")
@set_option
@click.option(
    "form",
    "--format",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="A table, or node-link data as networkx reads it.",
)
@json_option
def graph_command(target: str, settings: tuple[str, ...], form: str) -> int:
    """Print the checked graph of a network.

    A row is a layer: its name, what it is, where its inputs come from, and the shape of what
    it gives, without the batch.
    """
    graph = checked_graph(target, settings)
    if graph is None:
        return SPECIFICATION_AT_FAULT
    if form == "json":
        echo_json(node_link_data(graph))
    else:
        click.echo(table(graph), nl=False)
    return CLEAN


def table(graph: Graph) -> str:
    """The graph as rows of text, in the order of the specification."""
    rows = [("node", "layer", "inputs", "shape")]
    for node, data in graph.nodes(data=True):
        shape = " ".join(str(kind) for kind in data["types"])
        rows.append((node, _call(data), ", ".join(_sources(graph, node)), shape))
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    lines = [
        "  ".join([*(f"{cell:<{w}}" for cell, w in zip(row, widths, strict=False)), row[3]])
        for row in rows
    ]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def node_link_data(graph: Graph) -> dict[str, Any]:
    """The graph as plain data: ``networkx.node_link_graph`` makes a graph of it again."""
    return {
        "directed": True,
        "multigraph": True,
        "graph": {
            "name": graph.graph["name"],
            "parameters": _plain(graph.graph.get("parameters", {})),
            "conditions": conditions_of(graph).sentences(),
        },
        "nodes": [_node(node, data) for node, data in graph.nodes(data=True)],
        "edges": [
            {"source": a, "target": b, "key": key, **_plain(data)}
            for a, b, key, data in graph.edges(keys=True, data=True)
        ],
    }


def _node(node: str, data: Mapping[str, Any]) -> dict[str, Any]:
    span: Span | None = data.get("span")
    place = {"file": span.source.name, "line": span.line, "column": span.column} if span else None
    return {
        "id": node,
        "op": data["op"],
        "args": _plain(data["args"]),
        "shapes": [_plain(kind.dims) for kind in data["types"]],
        "dtypes": [kind.dtype for kind in data["types"]],
        "path": data["path"],
        "scope": data.get("scope", ""),
        "names": list(data.get("names", ())),
        "calls": [str(call) for call in data.get("calls", ())],
        "place": place,
    }


def _call(data: Mapping[str, Any]) -> str:
    """A node's layer with the arguments that are not at their defaults."""
    op: str = data["op"]
    if op in {"input", "output"}:
        return op
    arguments = ", ".join(f"{k} = {_shown(v)}" for k, v in data["args"].items())
    return f"{op}({arguments})" if arguments else op


def _sources(graph: Graph, node: str) -> list[str]:
    """Where a node's inputs come from; of several outputs, which."""
    return [
        f"{s.node}[{s.output}]" if len(graph.nodes[s.node]["types"]) > 1 else s.node
        for s in inputs_of(graph, node)
    ]


def _shown(value: Any) -> str:
    return _weight(value) if isinstance(value, WeightRef) else show_value(value)


def _weight(value: WeightRef) -> str:
    return f"{value.path}.{value.name}"


def _plain(value: Any) -> Any:
    """A value as JSON has it; a size as its expression, whatever else by its name."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, Dim):
        return show_size(value)
    if isinstance(value, WeightRef):
        return _weight(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    return str(getattr(value, "name", value))
