"""Two networks as one graph: the second one, with what the first has more in its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import networkx as nx

from archdsl.graph import Graph, Scope, inputs_of, scopes
from archdsl.passes.differences import Comparison, Entry, Status


@dataclass(frozen=True)
class Merged:
    """Both networks in one graph, for a drawing: it does not compile.

    ``status`` is the status of every node. Nodes and module calls of the first network that the
    second has not bear its ids, with ``-`` in front where an id is taken.
    """

    graph: Graph
    status: Mapping[str, Status]


def merge_networks(before: Graph, after: Graph, found: Comparison) -> Merged:
    """The two compared graphs as one."""
    merged = after.copy()
    merged.graph = dict(after.graph)
    merged.graph["name"] = _name(found)
    known = dict(scopes(after))
    merged.graph["scopes"] = known
    status: dict[str, Status] = dict(found.after_status)
    here = dict(found.pairs)
    calls = {"": ""}
    calls |= {e.before: e.after for e in _calls(found.root) if e.before and e.after}
    for node in before:
        if node in here:
            continue
        new = _free(node, merged)
        here[node] = new
        data = dict(before.nodes[node])
        data["scope"] = _place(before, str(data.get("scope") or ""), calls, known)
        data["path"] = new  # a path that it has no more may be another layer's now
        data["loop"] = here.get(data["loop"]) if data.get("loop") else None
        merged.add_node(new, **data)
        status[new] = "removed"
    _connect(before, merged, here, status)
    return Merged(merged, status)


def _name(found: Comparison) -> str:
    a, b = found.before.name, found.after.name
    return a if a == b else f"{a} to {b}"


def _calls(entry: Entry) -> list[Entry]:
    return [e for m in entry.members for e in _calls(m)] + ([entry] if entry.scope else [])


def _free(name: str, graph: Graph) -> str:
    while name in graph:
        name = f"-{name}"
    return name


def _place(before: Graph, scope: str, calls: dict[str, str], known: dict[str, Scope]) -> str:
    """The module call of the merged graph for one of the first network, made where needed."""
    if scope in calls:
        return calls[scope]
    own = scopes(before)[scope]
    parent = _place(before, own.parent or "", calls, known)
    name = scope
    while name in known:
        name = f"-{name}"
    known[name] = replace(own, id=name, parent=parent, loop=None)
    calls[scope] = name
    return name


def _connect(
    before: Graph, merged: Graph, here: Mapping[str, str], status: Mapping[str, Status]
) -> None:
    """The wires of what was removed; one that would close a circle is left out."""
    for node in before:
        for place, source in enumerate(inputs_of(before, node)):
            tail, head = here[source.node], here[node]
            if "removed" not in (status[tail], status[head]):
                continue
            if nx.has_path(merged, head, tail):
                continue
            if source.output >= len(merged.nodes[tail]["types"]):
                continue
            # What is still there has inputs of its own, behind which the removed ones stand.
            at = place if status[head] == "removed" else merged.in_degree(head)
            merged.add_edge(tail, head, key=at, input=at, output=source.output)
