"""The view: what of an outline is shown, and what stands for every layer of the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Literal

from archdsl.diagnostics import ArchError, Diagnostic, suggest
from archdsl.graph import Graph, Scope, Source, Wiring, scopes
from archdsl.passes.outline import Part, outline
from archdsl.records import record, replace

State = Literal["layer", "closed", "open"]

ENOUGH = 26
"""How many boxes a picture may have before the levels below are left closed, unless one asks."""


@record(frozen=True)
class Item:
    """A part as it is shown: a layer, a closed box, or a frame around the items inside.

    ``times`` says how often the part repeats, one after the other; ``rounds`` are those
    repetitions, of which the first is shown.
    """

    part: Part
    state: State
    items: tuple[Item, ...] = ()
    rounds: tuple[Part, ...] = ()

    @property
    def id(self) -> str:
        return self.part.id

    @property
    def times(self) -> int:
        return max(1, len(self.rounds))

    def walk(self) -> Iterator[Item]:
        """The item, and all that it shows."""
        yield self
        for item in self.items:
            yield from item.walk()


@record(frozen=True)
class Link:
    """A tensor that goes from one shown item to another.

    ``source`` is the tensor, ``target`` a node that takes it, and ``edges`` counts the edges of
    the graph that the link stands for.
    """

    tail: str
    head: str
    source: Source
    target: str
    edges: tuple[tuple[str, str, int], ...]


@record(frozen=True)
class View:
    """What is shown of a graph.

    ``shown`` gives for each node of the graph the id of the item that it is, or is folded into.
    ``folded`` are the edges of the graph inside such items, and between the rounds of a run.
    Of a view of one part, ``entering`` are the tensors that come from outside, ``leaving`` those
    that are taken outside, by the ids that stand for the outside among the links.
    """

    root: Item
    shown: Mapping[str, str]
    links: tuple[Link, ...]
    folded: tuple[tuple[str, str, int], ...] = ()
    entering: Mapping[str, Source] = field(default_factory=dict)
    leaving: Mapping[str, Source] = field(default_factory=dict)
    items: Mapping[str, Item] = field(default_factory=dict)


def view(
    graph: Graph,
    tree: Part | None = None,
    *,
    depth: int | None = None,
    unfold: bool = False,
    only: str | None = None,
    enough: int = ENOUGH,
    wiring: Wiring | None = None,
) -> View:
    """What is shown of a checked graph.

    ``tree`` is its outline unless given. ``depth`` is how many levels of modules are open, as
    many as leave ``enough`` boxes or fewer unless given; ``unfold`` shows every round of a run;
    ``only`` names the one module that is shown, by its path. ArchError for a path that is none.
    """
    known = wiring or Wiring(graph)
    whole = outline(graph, wiring=known) if tree is None else tree
    top = whole if only is None else find_part(graph, whole, only)
    if depth is None:
        depth = _readable_depth(top, unfold, enough)
    return view_of(graph, Item(top, "open", _items(top.parts, depth, unfold)), wiring=known)


def view_of(graph: Graph, root: Item, *, wiring: Wiring | None = None) -> View:
    """The view that shows just the items inside ``root``."""
    shown: dict[str, str] = {}
    for item in root.items:
        _stand_for(item, shown)
    return _linked(wiring or Wiring(graph), root, shown)


def find_part(graph: Graph, tree: Part, path: str) -> Part:
    """The module of that path; ArchError where there is none."""
    known = scopes(graph)
    paths: dict[str, Part] = {}
    for part in tree.walk():
        if part.kind == "module" and part.id:
            paths.setdefault(known[part.id].path, part)
    if path in paths:
        return paths[path]
    if path in graph:
        around = next((p for p in _around(known, graph.nodes[path]["scope"]) if p in paths), "")
        help = f"draw the module that it stands in: {around}" if around else ""
        message = f"{path} is a layer, and no module"
        raise ArchError([Diagnostic("unknown-name", message, help=help)])
    meant = suggest(path, list(paths))
    listed = ", ".join(list(paths)[:8]) + (" …" if len(paths) > 8 else "")
    help = f"did you mean {meant}?" if meant else f"the modules are {listed}" if paths else ""
    raise ArchError([Diagnostic("unknown-name", f"there is no module {path}", help=help)])


def _around(known: Mapping[str, Scope], scope: str | None) -> Iterator[str]:
    """The paths of a scope and of those around it, from the inside out."""
    while scope:
        yield known[scope].path
        scope = known[scope].parent


def _items(parts: Sequence[Part], depth: int, unfold: bool) -> tuple[Item, ...]:
    found: list[Item] = []
    for part in parts:
        if part.kind != "run":
            found.append(_item(part, depth, unfold))
        elif unfold:
            for one in part.parts:
                within = one.parts if one.kind == "round" else (one,)
                found.extend(_items(within, depth, unfold))
        else:
            found.append(replace(_item(part.parts[0], depth, unfold), rounds=part.parts))
    return tuple(found)


def _item(part: Part, depth: int, unfold: bool) -> Item:
    if part.kind in ("layer", "stack"):
        return Item(part, "layer")
    if part.kind != "module":
        return Item(part, "open", _items(part.parts, depth, unfold))
    if depth <= 1:
        return Item(part, "closed")
    return Item(part, "open", _items(part.parts, depth - 1, unfold))


def _readable_depth(top: Part, unfold: bool, enough: int) -> int:
    """The deepest level at which the picture has no more boxes than one can read."""
    deepest, depth = _levels(top), 1
    while depth < deepest and _count(_items(top.parts, depth + 1, unfold)) <= enough:
        depth += 1
    return depth


def _levels(part: Part) -> int:
    return (part.kind == "module") + max((_levels(p) for p in part.parts), default=0)


def _count(items: Sequence[Item]) -> float:
    """The boxes, a frame being half of one."""
    return sum(_count(i.items) + 0.5 if i.state == "open" else 1 for i in items)


# What stands for what -----------------------------------------------------------------


def _stand_for(item: Item, shown: dict[str, str]) -> None:
    """Enter for each node inside an item, in all of its rounds, what shows it."""
    if item.state == "open":
        for inner in item.items:
            _stand_for(inner, shown)
    else:
        shown.update(dict.fromkeys(item.part.nodes, item.id))
    for other in item.rounds[1:]:
        for first, node in zip(item.rounds[0].nodes, other.nodes, strict=True):
            shown[node] = shown[first]


def _linked(wiring: Wiring, root: Item, shown: Mapping[str, str]) -> View:
    """The view with its links: edges between the same two items, of the same tensor, are one."""
    number = _numbers(root)
    found: dict[tuple[str, str, Source, int], list[tuple[str, str, int]]] = {}
    first: dict[tuple[str, str, Source, int], Source] = {}
    folded: list[tuple[str, str, int]] = []
    entering: dict[str, Source] = {}
    leaving: dict[str, Source] = {}
    for node, sources in wiring.sources.items():
        for position, source in enumerate(sources):
            edge = (source.node, node, position)
            tail, head = shown.get(source.node), shown.get(node)
            if tail is None and head is None:
                continue
            if tail is None:
                tail = f"from {source.node} {source.output}"
                entering[tail] = source
            elif head is None:
                head = f"to {source.node} {source.output}"
                leaving[head] = source
            elif tail == head or _between_rounds(number, source.node, node):
                folded.append(edge)
                continue
            # What comes to the end of a scan is its result or a state, by the place.
            place = position if wiring.graph.nodes[node]["op"] == "scan end" else 0
            first_node = number[source.node].first if source.node in number else source.node
            assert head is not None
            key = (tail, head, Source(first_node, source.output), place)
            found.setdefault(key, []).append(edge)
            first.setdefault(key, source)
    links = tuple(
        Link(key[0], key[1], first[key], edges[0][1], tuple(edges)) for key, edges in found.items()
    )
    items = {item.id: item for item in root.walk()}
    return View(root, shown, links, tuple(folded), entering, leaving, items)


@record(frozen=True)
class _Rounds:
    """For a node in folded runs: (run, number of the round) from the outside in, and its first."""

    runs: tuple[tuple[str, int], ...]
    first: str


def _numbers(root: Item) -> dict[str, _Rounds]:
    found: dict[str, _Rounds] = {}

    def enter(item: Item, around: tuple[tuple[str, int], ...]) -> None:
        runs = (*around, (item.id, 0)) if item.rounds else around
        if item.state == "open" and item.items:
            for inner in item.items:
                enter(inner, runs)
        else:
            for node in item.part.nodes:
                found[node] = _Rounds(runs, node)
        for number, other in enumerate(item.rounds[1:], 1):
            for first, node in zip(item.rounds[0].nodes, other.nodes, strict=True):
                known = found[first]
                own = len(around)
                there = (*around, (item.id, number), *known.runs[own + 1 :])
                found[node] = _Rounds(there, known.first)

    for item in root.items:
        enter(item, ())
    return found


def _between_rounds(number: Mapping[str, _Rounds], tail: str, head: str) -> bool:
    """Whether two nodes stand in different rounds of the same folded run."""
    for one, two in zip(number[tail].runs, number[head].runs, strict=False):
        if one[0] != two[0]:
            return False
        if one != two:
            return True
    return False
