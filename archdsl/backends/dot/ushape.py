"""The U: where the items of a ``unet`` stand when it is drawn as one.

Graphviz ranks from top to bottom. The contracting path does so by itself; of the expanding
path every wire is laid out backwards, so that it climbs, and each skip joins its two ends on one
rank.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from archdsl.graph import Graph, UNetPlace
from archdsl.passes.view import Link, View

_CLIMBING = frozenset({"up", "join", "decode"})


@dataclass(frozen=True)
class UShape:
    """Which items climb, and which pairs stand side by side."""

    climbing: frozenset[str]
    level: Mapping[str, int]

    def climbs(self, link: Link) -> bool:
        """Whether a link is laid out backwards."""
        return link.head in self.climbing and not self.crosses(link)

    def crosses(self, link: Link) -> bool:
        """Whether a link is a skip from the contracting path to the expanding one."""
        return (
            link.head in self.climbing
            and link.tail not in self.climbing
            and link.tail in self.level
            and self.level[link.tail] <= self.level.get(link.head, -1)
        )


def ushape(graph: Graph, view: View) -> UShape | None:
    """How a view is drawn as a U; None where it does not hold just one ``unet``."""
    places: dict[str, UNetPlace] = {}
    for item in view.items.values():
        if item.state == "open":
            continue
        place = graph.nodes[item.part.nodes[0]].get("unet")
        if place is not None:
            places[item.id] = place
    if len({p.id for p in places.values()}) != 1:
        return None
    climbing = {i for i, place in places.items() if place.part in _CLIMBING}
    if not climbing or not any(p.part == "encode" for p in places.values()):
        return None
    climbing |= _after(view, climbing)
    return UShape(frozenset(climbing), {i: place.level for i, place in places.items()})


def _after(view: View, climbing: set[str]) -> set[str]:
    """What comes after the expanding path: it goes on climbing."""
    following: dict[str, list[str]] = {}
    for link in view.links:
        following.setdefault(link.tail, []).append(link.head)
    found: set[str] = set()
    waiting = list(climbing)
    while waiting:
        for head in following.get(waiting.pop(), ()):
            if head not in found and head not in climbing:
                found.add(head)
                waiting.append(head)
    return found
