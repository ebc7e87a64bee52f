"""The outline: a graph as the tree of modules that it was written as, with what repeats gathered.

The drawing, the table and the page fold a network in the same way, by this tree. A *run* is a
stretch of siblings that repeats: rounds of the same layers, wired alike, of which nothing but
the last one's results leaves. A run can be shown as one round «×N» without loss.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

from archdsl.graph import Graph, Scope, Source, Wiring, inputs_of, scopes
from archdsl.passes.repeats import Signatures, find_run
from archdsl.records import record, replace

Kind = Literal["layer", "stack", "module", "loop", "run", "round"]

_FEWEST_LOOSE = 3
"""How many rounds of bare layers make a run; of modules two do, as they need no frame for it."""


@record(frozen=True)
class Part:
    """A part of an outline.

    ``kind``: a ``"layer"`` is a node; a ``"stack"`` a chain of layers that are drawn as one
    box (see :func:`archdsl.passes.stacks.stack`); a ``"module"`` a call of a block or a labelled
    group, with ``parts`` of its own; a ``"loop"`` the body of a ``scan`` and its ends; a ``"run"``
    has one part for each time that it repeats, its rounds; a ``"round"`` gathers the parts of such
    a round, where they are several. ``id`` is the node's, the scope's, or made from that of the
    first part inside.
    """

    id: str
    kind: Kind
    parts: tuple[Part, ...] = ()

    @cached_property
    def nodes(self) -> tuple[str, ...]:
        """The nodes inside, in the order of the flow."""
        if self.kind == "layer":
            return (self.id,)
        return tuple(node for part in self.parts for node in part.nodes)

    def walk(self) -> Iterator[Part]:
        """The part, and all inside it."""
        yield self
        for part in self.parts:
            yield from part.walk()


def outline(
    graph: Graph, marks: Mapping[str, Hashable] | None = None, *, wiring: Wiring | None = None
) -> Part:
    """The tree of a checked graph, its root being the network, with runs gathered.

    ``marks`` tell layers apart that compute alike, so that they are in no run together.
    """
    known = wiring or Wiring(graph)
    return _gather(_tree(graph, known.order), Signatures(known, marks), graph)


# The tree -----------------------------------------------------------------------------

_LOOP = " loop"
"""What the id of a loop adds to that of the node where it begins."""


def _tree(graph: Graph, order: Sequence[str]) -> Part:
    """The parts as they were written, in the order in which the flow first meets them."""
    known = scopes(graph)
    members: dict[str, dict[str, None]] = {"": {}}
    kinds: dict[str, Kind] = {"": "module"}

    def place(identifier: str, kind: Kind, scope: str, loop: str | None) -> None:
        """Put a part into what it stands in, and that into what it stands in, up to the network."""
        while True:
            owner: str = scope
            owner_kind: Kind = "module"
            if loop is not None and loop != known[scope].loop:
                owner, owner_kind = loop + _LOOP, "loop"
            met = owner in kinds
            kinds[owner] = owner_kind
            members.setdefault(owner, {})[identifier] = None
            kinds[identifier] = kind
            if met or not owner:
                return
            identifier, kind = owner, owner_kind
            if owner_kind == "loop":
                assert loop is not None
                scope, loop = graph.nodes[loop]["scope"] or "", graph.nodes[loop].get("loop")
            else:
                parent = known[owner]
                scope, loop = parent.parent or "", parent.loop

    for node in order:
        data = graph.nodes[node]
        op = data["op"]
        loop = node if op == "scan" else data.get("loop")
        if op == "scan end":
            loop = data["args"]["begin"]
        place(_layer_key(node), "layer", data.get("scope") or "", loop)
    return _assemble("", kinds, members)


def _layer_key(node: str) -> str:
    """A node's key while the tree is built: a layer may be called as the scope that holds it."""
    return f"{node} layer"


def _assemble(
    identifier: str, kinds: Mapping[str, Kind], members: Mapping[str, Mapping[str, None]]
) -> Part:
    if kinds[identifier] == "layer":
        return Part(identifier.removesuffix(" layer"), "layer")
    inside = tuple(_assemble(m, kinds, members) for m in members[identifier])
    return Part(identifier, kinds[identifier], inside)


# Runs ---------------------------------------------------------------------------------


def _gather(part: Part, signatures: Signatures, graph: Graph) -> Part:
    """The part with the runs among its parts, and among theirs, gathered."""
    if part.kind == "layer":
        return part
    # A run's rounds are alike, and would be gathered again.
    found = part.parts if part.kind == "run" else _runs(part.parts, signatures, graph)
    return replace(part, parts=tuple(_gather(p, signatures, graph) for p in found))


def _runs(parts: Sequence[Part], signatures: Signatures, graph: Graph) -> Iterator[Part]:
    if len(parts) < 2:
        yield from parts
        return
    keys = [signatures.of(p.nodes, _shape_of(p, graph)) for p in parts]

    def joined(before: slice, after: slice) -> bool:
        return signatures.joined(parts, before, after)

    def agreeing(rounds: Sequence[slice]) -> int:
        return signatures.sharing_alike(parts, rounds)

    def fewest(stretch: slice) -> int:
        loose = any(p.kind == "layer" for p in parts[stretch])
        return _FEWEST_LOOSE if loose else 2

    position = 0
    while position < len(parts):
        period, count = find_run(keys, position, fewest=fewest, joined=joined, agreeing=agreeing)
        if count == 1:
            yield parts[position]
            position += 1
            continue
        end = position + period * count
        rounds = [parts[start : start + period] for start in range(position, end, period)]
        yield Part(f"{parts[position].id} ×{count}", "run", tuple(map(_round, rounds)))
        position = end


def _round(parts: Sequence[Part]) -> Part:
    return parts[0] if len(parts) == 1 else Part(f"{parts[0].id} …", "round", tuple(parts))


def _shape_of(part: Part, graph: Graph) -> tuple[Any, ...]:
    """What of a part's tree its nodes do not tell: the names and the nesting of its modules."""
    if part.kind == "layer":
        return ()
    name = ""
    if part.kind == "module":
        scope = scopes(graph)[part.id]
        name = scope.kind if scope.kind == "group" else scope.name
    return (part.kind, name, tuple(_shape_of(p, graph) for p in part.parts))


def scope_of(graph: Graph, part: Part) -> Scope | None:
    """The module call that a part stands for."""
    return scopes(graph).get(part.id) if part.kind == "module" else None


def begin_of(loop: Part) -> str:
    """The node where a loop begins."""
    return loop.id.removesuffix(_LOOP)


def entering(graph: Graph, part: Part) -> list[Source]:
    """The tensors that a part takes from outside, each once, in order."""
    inside = set(part.nodes)
    found: dict[Source, None] = {}
    for node in part.nodes:
        found.update(dict.fromkeys(s for s in inputs_of(graph, node) if s.node not in inside))
    return list(found)
