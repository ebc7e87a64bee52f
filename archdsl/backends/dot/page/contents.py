"""What a page is given of a network: its parts with their boxes and cards, and what joins them.

All of it is plain data for JSON; parts and nodes are numbers, places in ``parts`` and ``nodes``.
Whatever the scripts write as DOT is quoted here, and every box is SVG text with escaped words.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from archdsl.backends.dot.box import Box, frame_rows, row_svg
from archdsl.backends.dot.boxes import Brush, frame_words
from archdsl.backends.dot.drawing import Layout, Writer
from archdsl.backends.dot.page.cards import Cards
from archdsl.backends.dot.page.colors import VARIABLES, as_variables
from archdsl.backends.dot.text import quote
from archdsl.backends.dot.ushape import UShape
from archdsl.backends.dot.wires import SHORTEST_CHAIN, loop_role, only_shape, tensor_name
from archdsl.graph import Source, UNetPlace, inputs_of
from archdsl.passes.outline import Part
from archdsl.passes.view import Item, Link, View, view_of

Data = dict[str, Any]
_NO_U = UShape(frozenset(), {})


def contents(brush: Brush, tree: Part, shown: View, layout: Layout) -> Data:
    """The data of a page that opens with ``shown``, a view of the outline ``tree``."""
    return _Contents(brush, tree, shown).data(layout)


class _Contents:
    """The data of one page, as it is gathered; boxes that look alike are held once."""

    def __init__(self, brush: Brush, tree: Part, shown: View) -> None:
        self.brush, self.graph, self.view = brush, brush.graph, shown
        # What is written on a part does not depend on what else is shown: of nothing, then.
        self.writer = Writer(brush, view_of(brush.graph, Item(tree, "open")), None)
        self.parts = list(tree.walk())
        self.number = {part.id: i for i, part in enumerate(self.parts)}
        self.nodes = {node: i for i, node in enumerate(self.graph)}
        self.boxes: dict[str, int] = {}
        self.firsts = {part.parts[0].id: part for part in self.parts if part.kind == "run"}
        self.cards = Cards(brush)

    def data(self, layout: Layout) -> Data:
        theme = self.brush.theme
        name = str(self.graph.graph.get("name") or "network")
        parts = [self._part(part) for part in self.parts]
        ops = {node: data["op"] for node, data in self.graph.nodes(data=True)}
        return {
            "name": name,
            "title": quote(name),
            "layout": layout,
            "shortestChain": SHORTEST_CHAIN,
            "root": self.number[self.view.root.id],
            "head": {
                "flow": list(self.writer.head()),
                "u": list(Writer(self.brush, self.writer.view, _NO_U).head()),
            },
            "colors": {
                "quiet": theme.quiet,
                "skip": theme.skip,
                "frames": [[tint.fill, tint.line] for tint in theme.frames],
            },
            "variables": dict(VARIABLES),
            "parts": parts,
            "nodes": [self._node(node) for node in self.graph],
            "edges": list(self._edges()),
            "ranks": {
                rank: [self.nodes[node] for node, op in ops.items() if op == end]
                for rank, end in (("min", "input"), ("max", "output"))
            },
            "loops": [
                [self.nodes[data["args"]["begin"]], self.nodes[node]]
                for node, data in self.graph.nodes(data=True)
                if data["op"] == "scan end"
            ],
            "boxes": list(self.boxes),
            "sources": self.cards.sources,
            "opened": self._opened(),
        }

    def _opened(self) -> list[int]:
        """The modules that are open at first."""
        return [
            self.number[item.id]
            for item in self.view.items.values()
            if item.state == "open" and item.part.kind == "module"
        ]

    # Parts ------------------------------------------------------------------------

    def _part(self, part: Part) -> Data:
        found: Data = {
            "kind": part.kind,
            "parts": [self.number[inner.id] for inner in part.parts],
            "nodes": [self.nodes[node] for node in part.nodes],
            "escaped": quote(part.id)[1:-1],
            "faces": {},
        }
        if part.kind != "run" and part is not self.parts[0]:
            run = self.firsts.get(part.id)
            found["faces"]["one"] = self._faces(Item(part, "layer"))
            if run is not None:
                found["faces"]["run"] = self._faces(Item(part, "layer", rounds=run.parts))
        card = self.cards.card(part, self.firsts.get(part.id))
        if card is not None:
            found["card"] = card
        return found

    def _faces(self, item: Item) -> Data:
        """What is written on a part: on its box, where it may be one, and on its frame."""
        kind = item.part.kind
        faces: Data = {}
        if kind in ("layer", "stack"):
            faces["box"] = self._box(item)
        elif kind == "module":
            faces["box"] = self._box(replace(item, state="closed"))
        if kind not in ("layer", "stack"):
            faces["frame"] = self._frame(replace(item, state="open"))
        return faces

    def _box(self, item: Item) -> Data:
        look = self.writer.node(item).removeprefix(f"[id={quote(item.id)}, ")
        box = self.writer.boxes.get(item.id)
        if box is None:  # a sign in a circle, which Graphviz itself draws
            return {"look": look}
        found: Data = {"look": look, "box": self._svg(box)}
        if len(box.cells) > 1 and self.graph.nodes[item.part.nodes[0]].get("unet"):
            found["climbing"] = self._svg(replace(box, cells=box.cells[::-1]))
        return found

    def _svg(self, box: Box) -> int:
        # Without the ids of its cells a box is the same for all layers that look alike.
        alike = replace(box, cells=tuple(replace(cell, id="") for cell in box.cells))
        return self.boxes.setdefault(as_variables(alike.svg()), len(self.boxes))

    def _frame(self, item: Item) -> Data:
        look = next(line for i, line in enumerate(self.writer.frame(item, 0, 0)) if i == 1)
        rows = frame_rows(frame_words(self.brush, item))
        title = "".join(row_svg(row, 9, 15 + 11 * i) for i, row in enumerate(rows))
        return {
            "look": look.removeprefix(f"  graph [id={quote(f'frame {item.id}')}, "),
            "title": self.boxes.setdefault(as_variables(title), len(self.boxes)),
        }

    # Nodes and edges --------------------------------------------------------------

    def _node(self, node: str) -> Data:
        data = self.graph.nodes[node]
        shapes = [self.brush.tensor(Source(node, i)) for i in range(len(data["types"]))]
        found: Data = {
            "escaped": quote(node)[1:-1],
            "shapes": [quote(shape)[1:-1] for shape in shapes],
        }
        place: UNetPlace | None = data.get("unet")
        if place is not None:
            found["unet"] = {"id": place.id, "part": place.part, "level": place.level}
        return found

    def _edges(self) -> Iterator[Data]:
        """Every edge, in the order in which a view looks at them, with what a wire says of it."""
        for node in self.graph:
            ends = self.graph.nodes[node]["op"] == "scan end"
            for position, source in enumerate(inputs_of(self.graph, node)):
                link = Link("", "", source, node, ((source.node, node, position),))
                role = loop_role(self.graph, link)
                name = tensor_name(self.graph, link)
                said = {
                    "pairing": role == "pairing",
                    "carried": quote(role)[1:-1] if role not in (None, "pairing") else "",
                    "shapeOnly": only_shape(self.graph, link),
                    "name": quote(name)[1:-1],
                }
                yield {
                    "tail": self.nodes[source.node],
                    "head": self.nodes[node],
                    "output": source.output,
                    "place": position if ends else 0,
                    **{key: value for key, value in said.items() if value},
                }
