"""What rows are called: as in ``state_dict``, and as briefly as is clear where they stand."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from archdsl.graph import Graph, scopes, walk_scopes
from archdsl.passes.outline import Part, begin_of
from archdsl.passes.view import Item
from archdsl.records import record


@record(frozen=True)
class Frame:
    """The open row in which rows are made: its id, the path of its module, how deep its rows are.

    ``times`` is how often it repeats, with those around it; ``lasts`` lead from the nodes of
    shown rounds to those of the last ones, from the inside out. ``again`` says that it is a later
    call of a module: its id has a mark, which those inside need not repeat.
    """

    id: str | None = None
    path: str = ""
    level: int = 0
    times: int = 1
    lasts: tuple[Mapping[str, str], ...] = ()
    again: bool = False

    def last(self, node: str) -> str:
        """The node of the last rounds that stands where a shown one does."""
        for mapping in self.lasts:
            node = mapping.get(node, node)
        return node


def names_of(graph: Graph, item: Item, frame: Frame, rounds: Frame) -> tuple[str, str]:
    """What an item is called from the network on, and inside its frame: ``layer3.1``, ``1``.

    ``rounds`` is the frame with the rounds of the item itself: where the last of them is
    called otherwise, both are named, ``layer3.1 … 5``.
    """
    first, last = _ends(item.part)
    path = path_of(graph, first)
    name = path if frame.again and first.id.startswith(path) else first.id
    name = name.removeprefix(f"{frame.path}.")
    until = _path_around(graph, rounds.last(last.nodes[0]), last).rpartition(".")[2]
    if first is last and until == path.rpartition(".")[2]:
        return first.id, name
    until = _as_end(until, name)
    return f"{first.id} … {until}", f"{name} … {until}"


def path_of(graph: Graph, part: Part) -> str:
    """The module path of a layer or a module."""
    if part.kind == "layer":
        return str(graph.nodes[part.id].get("path") or part.id)
    return scopes(graph)[part.id].path


def called(label: str, module: str, labels: Collection[str], network: str) -> str:
    """What the row of that label is called where one of that module names it.

    As briefly as is clear there: a name is looked up as in a specification, in the module, then
    in those around it; what a nearer one hides is named from further out.
    """
    around = _around(module)
    for place, outer in enumerate(around):
        inside = f"{outer}." if outer else ""
        if label.startswith(inside):
            name = label[len(inside) :]
            if not any(f"{nearer}.{name}" in labels for nearer in around[:place]):
                return name
            return label if outer else f"{network}.{label}"
    return label


def _around(module: str) -> list[str]:
    """A module's path, and those of the modules around it, the network's being empty."""
    found = [module]
    while found[-1]:
        found.append(found[-1].rpartition(".")[0])
    return found


def _ends(part: Part) -> tuple[Part, Part]:
    """The first and the last part that has a name, of what may be a gathering of several."""
    if part.kind == "loop":
        begin = Part(begin_of(part), "layer")
        return begin, begin
    if part.kind in ("round", "run"):
        return _ends(part.parts[0])[0], _ends(part.parts[-1])[1]
    return part, part


def _path_around(graph: Graph, node: str, part: Part) -> str:
    """The path of what stands around a node as a part stands around its own first node."""
    data = graph.nodes
    if part.kind == "layer":
        return str(data[node].get("path") or node)
    own = [scope.id for scope in walk_scopes(graph, data[part.nodes[0]].get("scope") or "")]
    there = list(walk_scopes(graph, data[node].get("scope") or ""))
    return there[own.index(part.id)].path


def _as_end(last: str, first: str) -> str:
    """The last of several names without the words that the first has too: ``5`` for ``layer5``."""
    counted = re.fullmatch(r"(.*?)(\d+)", last)
    stem = re.fullmatch(r"(?:.*\.)?([^.]*?)\d+", first)
    return counted[2] if counted and stem and counted[1] == stem[1] else last
