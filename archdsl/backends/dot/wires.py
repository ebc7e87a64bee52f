"""Wires: which links are skips, which carry a state back, and which bear their shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from archdsl.graph import Graph, Source, op_of
from archdsl.passes.view import Link, View

SHORTEST_CHAIN = 3

Kind = Literal["flow", "skip", "carried", "shape"]


@dataclass(frozen=True)
class Wire:
    """A link as it is drawn.

    A ``"skip"`` jumps over what another path goes through; a ``"carried"`` one brings a scan's
    state back to its beginning; of a ``"shape"`` only the sizes are read. ``name`` is what the
    tensor is called, where there is more than one to tell apart; ``shaped`` says whether it bears
    its shape.
    """

    link: Link
    kind: Kind
    shaped: bool = True
    name: str = ""


def wires(graph: Graph, view: View, gone: Collection[str] = ()) -> list[Wire]:
    """The wires of a view, in the order of its links.

    ``gone`` are nodes that are only shown: a path through them makes nothing a skip.
    """
    flowing = [
        link
        for link in view.links
        if not only_shape(graph, link) and link.source.node not in gone and link.target not in gone
    ]
    skips = _skips(view, flowing)
    result: list[Wire] = []
    told = {Source(node) for node in graph if graph.nodes[node]["op"] == "input"}
    for link in view.links:
        role = loop_role(graph, link)
        if role == "pairing":
            continue
        if role is not None:
            result.append(Wire(link, "carried", name=role))
            continue
        if link not in skips and only_shape(graph, link):
            result.append(Wire(link, "shape", shaped=False))
            continue
        kind: Kind = "skip" if link in skips else "flow"
        name = tensor_name(graph, link)
        shaped = (link.source not in told and kind == "flow") or bool(name)
        if shaped:
            told.add(link.source)
        result.append(Wire(link, kind, shaped, name))
    return [_told(wire, told) for wire in result]


def only_shape(graph: Graph, link: Link) -> bool:
    """Whether only the shape of the tensor is read at the other end."""
    op = op_of(graph, link.target)
    position = link.edges[0][2]
    return position < len(op.inputs) and op.inputs[position] in op.shape_only


def tensor_name(graph: Graph, link: Link) -> str:
    """What a tensor is called: the one of several outputs, or the input that it serves as."""
    names = graph.nodes[link.source.node].get("names") or ()
    if len(graph.nodes[link.source.node]["types"]) > 1 and link.source.output < len(names):
        return str(names[link.source.output])
    op = op_of(graph, link.target)
    position = link.edges[0][2]
    serves = not op.variadic and 0 < position < len(op.inputs)
    return op.inputs[position] if serves else ""


def _told(wire: Wire, told: set[Source]) -> Wire:
    """A skip bears its shape where no other wire of its tensor does."""
    if wire.kind == "skip" and wire.link.source not in told:
        told.add(wire.link.source)
        return Wire(wire.link, wire.kind, True, wire.name)
    return wire


def loop_role(graph: Graph, link: Link) -> str | None:
    """Of a link into the end of a scan: the state that it carries, or «pairing» for one that is
    there only so that the end knows its beginning.
    """
    data = graph.nodes[link.target]
    if data["op"] != "scan end":
        return None
    carried = int(data["args"].get("carried", 0))
    position = link.edges[0][2]
    if position <= carried:
        return "pairing"
    # Behind its states a scan takes nothing, but for what another network had there.
    if position == carried + 1 or position > 2 * carried + 1:
        return None
    names = graph.nodes[data["args"]["begin"]]["names"]
    return str(names[position - carried - 1])


def loop_ends(graph: Graph, view: View) -> Mapping[str, str]:
    """The item of each scan's beginning by that of its end."""
    return {
        view.shown[node]: view.shown[data["args"]["begin"]]
        for node, data in graph.nodes(data=True)
        if data["op"] == "scan end" and node in view.shown
    }


def _skips(view: View, links: Sequence[Link]) -> set[Link]:
    """The links that lead to where a longer path leads as well."""
    before: dict[str, list[str]] = {}
    for link in links:
        before.setdefault(link.head, []).append(link.tail)
    depth = _depths(view, before)
    found: set[Link] = set()
    for link in links:
        others = [t for t in before[link.head] if t != link.tail]
        if others and _reaches(link.tail, others, before, depth):
            found.add(link)
    return found


def _depths(view: View, before: Mapping[str, list[str]]) -> Mapping[str, int]:
    """How many links lead to an item at the most: no path goes up in this number."""
    after: dict[str, list[str]] = {}
    waiting = dict.fromkeys((*view.items, *view.entering, *view.leaving), 0)
    for head, tails in before.items():
        waiting[head] = len(tails)
        for tail in tails:
            after.setdefault(tail, []).append(head)
    depth = dict.fromkeys(waiting, 0)
    ready = [item for item, count in waiting.items() if not count]
    while ready:
        item = ready.pop()
        for head in after.get(item, ()):
            depth[head] = max(depth[head], depth[item] + 1)
            waiting[head] -= 1
            if not waiting[head]:
                ready.append(head)
    return depth


def _reaches(
    tail: str, others: list[str], before: Mapping[str, list[str]], depth: Mapping[str, int]
) -> bool:
    """Whether some other item that leads to the same place comes after ``tail``."""
    least = depth[tail]
    waiting, seen = [o for o in others if depth[o] > least], set(others)
    while waiting:
        for earlier in before.get(waiting.pop(), ()):
            if earlier == tail:
                return True
            if earlier not in seen and depth[earlier] > least:
                seen.add(earlier)
                waiting.append(earlier)
    return False


def spine(view: View, wires: Sequence[Wire]) -> set[Link]:
    """The links of the longest path, which is drawn as straight as can be."""
    flow = [wire.link for wire in wires if wire.kind == "flow"]
    before: dict[str, list[Link]] = {}
    for link in flow:
        before.setdefault(link.head, []).append(link)
    depth = _depths(view, {head: [k.tail for k in links] for head, links in before.items()})
    item = max(depth, key=lambda i: depth[i], default="")
    found: set[Link] = set()
    while item in before:
        link = max(before[item], key=lambda k: depth[k.tail])
        found.add(link)
        item = link.tail
    return found


def chains(wires: Sequence[Wire]) -> dict[str, str]:
    """For items in a row without branches, the first of the row: they are drawn in one line."""
    after: dict[str, list[str]] = {}
    before: dict[str, list[str]] = {}
    for wire in wires:
        after.setdefault(wire.link.tail, []).append(wire.link.head)
        before.setdefault(wire.link.head, []).append(wire.link.tail)
    found: dict[str, str] = {}
    for tail, heads in after.items():
        if len(heads) == 1 and len(before[heads[0]]) == 1 and not _continues(tail, before, after):
            row = [tail]
            while len(after.get(row[-1], ())) == 1 and len(before[after[row[-1]][0]]) == 1:
                row.append(after[row[-1]][0])
            if len(row) >= SHORTEST_CHAIN:
                found.update(dict.fromkeys(row, tail))
    return found


def _continues(
    item: str, before: Mapping[str, Sequence[str]], after: Mapping[str, Sequence[str]]
) -> bool:
    """Whether a row goes on with an item, and so does not begin there."""
    tails = before.get(item, ())
    return len(tails) == 1 and len(after[tails[0]]) == 1
