"""Guides: unseen points that keep branches side by side in their order.

Graphviz orders what stands on a rank so that few wires cross, and knows no other order among
frames. Points in a row, one above each branch, are in the order that is meant; as their wires to
the branches shall not cross either, the branches follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from archdsl.backends.dot.text import quote
from archdsl.backends.dot.wires import Wire
from archdsl.graph import Graph, outputs
from archdsl.passes.view import Item, View


@dataclass(frozen=True)
class Guide:
    """The points below one item, above those that follow it."""

    tail: str
    heads: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        """The statements of DOT."""
        points = [quote(f"guide {self.tail} {i}") for i in range(len(self.heads))]
        for point, head in zip(points, self.heads, strict=True):
            yield f'{point} [shape=point, style=invis, width=0.01, label=""]'
            # Twice, so that to cross it counts more than to cross a wire that is seen.
            yield from [f"{quote(self.tail)} -> {point} -> {quote(head)} [style=invis]"] * 2
        yield f"{{ rank=same; {' -> '.join(points)} [style=invis] }}"


def guides(
    graph: Graph, view: View, following: Mapping[str, Sequence[Wire]]
) -> dict[str, list[Guide]]:
    """The guides of each frame, by its id, the empty one being the picture itself.

    Outputs stand at the bottom, whatever the order of what leads to them, and are in no branch.
    """
    frames = _frames(view.root)
    ends = {view.shown.get(node) for node in outputs(graph)}
    found: dict[str, list[Guide]] = {}
    for tail, wires in following.items():
        heads = tuple(dict.fromkeys(w.link.head for w in wires if w.link.head not in ends))
        if len(heads) < 2 or any(wire.kind != "flow" for wire in wires):
            continue
        around = [frames.get(item, ()) for item in (tail, *heads)]
        common = _common(around)
        found.setdefault(common[-1] if common else "", []).append(Guide(tail, heads))
    return found


def _frames(root: Item) -> dict[str, tuple[str, ...]]:
    """The frames around each item, from the outside in."""
    found: dict[str, tuple[str, ...]] = {}

    def enter(items: Sequence[Item], around: tuple[str, ...]) -> None:
        for item in items:
            found[item.id] = around
            enter(item.items, (*around, item.id))

    enter(root.items, ())
    return found


def _common(chains: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    """What chains begin with alike."""
    shared: list[str] = []
    for names in zip(*chains, strict=False):
        if len(set(names)) > 1:
            break
        shared.append(names[0])
    return tuple(shared)
