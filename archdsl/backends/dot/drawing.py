"""The drawing: a view of a checked graph, written as DOT, and finished as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from archdsl.backends.dot.box import Box, Line, frame_rows, row_width
from archdsl.backends.dot.boxes import (
    DETAIL,
    LIGHT,
    Brush,
    end_box,
    frame_words,
    layer_box,
    merge_box,
    module_box,
    shared_calls,
)
from archdsl.backends.dot.guides import guides
from archdsl.backends.dot.legend import Legend
from archdsl.backends.dot.text import Markup, attributes, cell, font, quote, table
from archdsl.backends.dot.theme import FONT, THEMES
from archdsl.backends.dot.ushape import UShape, ushape
from archdsl.backends.dot.wires import Wire, chains, loop_ends, spine, wires
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph, op_of
from archdsl.passes.differences import Status
from archdsl.passes.outline import outline
from archdsl.passes.stacks import stack
from archdsl.passes.view import Item, Link, View, view

Layout = Literal["auto", "flow", "u"]
_INCH = 72.0


@dataclass(frozen=True)
class Drawing:
    """A picture before Graphviz has placed it.

    ``dot`` is complete, with HTML-like labels; ``skeleton`` has boxes of the right sizes with
    nothing in them, for :func:`archdsl.backends.dot.svg.finish` to fill with ``boxes`` and
    ``frames``.
    """

    dot: str
    skeleton: str
    view: View
    boxes: Mapping[str, Box]
    frames: Mapping[str, tuple[Line, ...]]
    legend: Legend


def draw(
    graph: Graph,
    *,
    depth: int | None = None,
    unfold: bool = False,
    only: str | None = None,
    theme: str = "light",
    layout: Layout = "auto",
    sizes: Mapping[str, int] | None = None,
    status: Mapping[str, Status] | None = None,
) -> Drawing:
    """The picture of a checked graph.

    ``depth``, ``unfold`` and ``only`` choose what is shown (see :func:`archdsl.passes.view.view`).
    ``layout`` is ``"flow"`` from top to bottom or ``"u"``; ``"auto"`` takes the U where the one
    ``unet`` of the graph is shown. ``sizes`` gives free sizes values. ``status`` says of every
    layer what became of it, where the graph is two that were compared. Raises ArchError where a U
    is asked for and cannot be.
    """
    tree = stack(outline(graph, status), graph, status)
    shown = view(graph, tree, depth=depth, unfold=unfold, only=only)
    brush = Brush(graph, THEMES[theme], sizes or {}, shared_calls(graph), status or {})
    return draw_view(brush, shown, layout)


def draw_view(brush: Brush, shown: View, layout: Layout) -> Drawing:
    """The picture of a view. Raises ArchError where a U is asked for and cannot be."""
    u = None if layout == "flow" else ushape(brush.graph, shown)
    if layout == "u" and u is None:
        message = "there is not one unet in this network, so that it cannot be drawn as a U"
        help = "leave --layout out: the flow goes from top to bottom"
        raise ArchError([Diagnostic("bad-call", message, help=help)])
    writer = Writer(brush, shown, u)
    return Drawing(
        writer.text(rich=True),
        writer.text(rich=False),
        shown,
        writer.boxes,
        writer.frames,
        writer.legend,
    )


class Writer:
    """One picture, as it is written line by line."""

    def __init__(self, brush: Brush, shown: View, u: UShape | None) -> None:
        self.brush, self.view, self.u = brush, shown, u
        self.theme = brush.theme
        gone = {node for node, status in brush.status.items() if status == "removed"}
        self.wires = wires(brush.graph, shown, gone)
        self.boxes: dict[str, Box] = {}
        self.frames: dict[str, tuple[Line, ...]] = {}
        self.legend = Legend.of(brush, shown, {self._kind(wire) for wire in self.wires})
        self.spine = spine(shown, self.wires)
        self.on_spine = {end for link in self.spine for end in (link.tail, link.head)}
        self.following: dict[str, list[Wire]] = {}
        for wire in self.wires:
            self.following.setdefault(wire.link.tail, []).append(wire)
        self.chains = chains(self.wires)
        self.guides = {} if u else guides(brush.graph, shown, self.following)
        self.rich = False

    def text(self, *, rich: bool) -> str:
        """The DOT file; ``rich`` with labels, else with empty boxes of their sizes."""
        self.rich = rich
        return "\n".join(self._lines()) + "\n"

    def _lines(self) -> Iterator[str]:
        name = str(self.brush.graph.graph.get("name") or "network")
        yield f"digraph {quote(name)} {{"
        yield from self.head()
        yield from self._items(self.view.root.items, 1, 0)
        yield from self._ghosts()
        yield from self._edges()
        yield from self._ranks()
        yield "}"

    def head(self) -> Iterator[str]:
        theme = self.theme
        yield "  graph " + attributes(
            bgcolor=theme.paper,
            fontname=FONT,
            fontcolor=theme.ink,
            fontsize=LIGHT,
            label=self.legend.label() if self.rich else None,
            labelloc="b",
            pad=0.15,
            nodesep=0.28 if self.u is None else 0.5,
            ranksep=0.26,
            newrank=True if self.u is not None else None,
            splines="spline",
        )
        yield "  node " + attributes(fontname=FONT, fontcolor=theme.ink, shape="plain")
        yield "  edge " + attributes(
            arrowsize=0.55,
            color=theme.wire,
            fontcolor=theme.quiet,
            fontname=FONT,
            fontsize=DETAIL,
            penwidth=1.0,
        )

    # Items ------------------------------------------------------------------------

    def _items(
        self, items: Iterable[Item], indent: int, depth: int, frame: str = ""
    ) -> Iterator[str]:
        for guide in self.guides.get(frame, ()):
            yield from ("  " * indent + line for line in guide.lines())
        for item in items:
            if item.state == "open":
                yield from self.frame(item, indent, depth)
            else:
                yield "  " * indent + f"{quote(item.id)} {self.node(item)}"

    def frame(self, item: Item, indent: int, depth: int) -> Iterator[str]:
        space = "  " * indent
        loop = item.part.kind == "loop"
        tint = self.theme.frames[depth % len(self.theme.frames)]
        words = tuple(frame_words(self.brush, item))
        self.frames[item.id] = words
        yield f"{space}subgraph {quote(f'cluster {item.id}')} {{"
        yield f"{space}  graph " + attributes(
            id=f"frame {item.id}",
            bgcolor=tint.fill,
            color=self.theme.skip if loop else tint.line,
            fontcolor=self.theme.ink,
            fontname=FONT,
            fontsize=LIGHT,
            label=self._frame_label(words),
            labelloc="t",
            labeljust="l",
            margin=20 if loop else 8,
            style="rounded,dashed" if loop or item.part.kind == "round" else "rounded",
        )
        yield from self._items(item.items, indent + 1, depth + 1, item.id)
        yield f"{space}}}"

    def _frame_label(self, words: tuple[Line, ...]) -> str | Markup:
        if not words:
            return ""
        if self.rich:
            texts = [font(w.text, size=w.size, color=w.color, bold=w.bold) for w in words]
            return table([cell("&#160; ".join(texts), border=0)], border=0, cellpadding=1)
        # Only the room counts: an «n» is 0.556 of its size wide.
        rows = frame_rows(words)
        room = ["n" * max(1, round(row_width(row) / (LIGHT * 0.556))) for row in rows]
        return "\n".join(room)

    def node(self, item: Item) -> str:
        graph, node = self.brush.graph, item.part.nodes[0]
        family = op_of(graph, node).family if item.state == "layer" else ""
        if item.state == "closed":
            box = module_box(self.brush, item)
        elif family == "structure":
            box = end_box(self.brush, item)
        elif self.u is not None and item.id in self.u.climbing and family != "merge":
            # Read from below, as the flow goes here.
            box = layer_box(self.brush, item)
            box = replace(box, cells=box.cells[::-1])
        elif family == "merge" and op_of(graph, node).sign:
            return self._sign(item, node)
        else:
            box = (merge_box if family == "merge" else layer_box)(self.brush, item)
        self.boxes[item.id] = box
        in_order = self._order(item.id)
        group = self._group(item.id)
        if self.rich:
            return attributes(id=item.id, label=box.label(), ordering=in_order, group=group)
        return attributes(
            id=item.id,
            group=group,
            ordering=in_order,
            label="",
            shape="box",
            fixedsize=True,
            width=round(box.width / _INCH, 3),
            height=round(box.height / _INCH, 3),
        )

    def _sign(self, item: Item, node: str) -> str:
        tint = self.brush.marked([node]) or self.theme.tints["other"]
        return attributes(
            id=item.id,
            label=op_of(self.brush.graph, node).sign,
            shape="circle",
            style="filled",
            fillcolor=tint.fill,
            color=tint.line,
            fontsize=13,
            fixedsize=True,
            width=0.25,
            penwidth=1.2,
            ordering=self._order(item.id),
            group=self._group(item.id),
        )

    def _ghosts(self) -> Iterator[str]:
        """Of one part: where its tensors come from, and that they go on."""
        look = {
            "shape": "plaintext",
            "fontsize": LIGHT,
            "fontcolor": self.theme.quiet,
            "height": 0.2,
        }
        for ghost, source in self.view.entering.items():
            text = f"from {source.node}"
            yield f"  {quote(ghost)} " + attributes(label=text, **look)
        for ghost in self.view.leaving:
            yield f"  {quote(ghost)} " + attributes(label="…", **look)

    def _group(self, item: str) -> str | None:
        """What stands in one line: a chain of items; of a U, each of its sides."""
        if self.u is None:
            return self.chains.get(item)
        if item not in self.u.climbing:
            return "down"
        crossing = {w.link.head for w in self.wires if self.u.crosses(w.link)}
        return "up" if item in self.on_spine or item not in crossing else None

    def _order(self, item: str) -> str | None:
        """In a U, whether what is laid out below an item stands there in the order of its wires."""
        return "out" if self.u is not None and item in self.u.climbing else None

    # Edges ------------------------------------------------------------------------

    def _edges(self) -> Iterator[str]:
        begins = loop_ends(self.brush.graph, self.view)
        for wire in sorted(self.wires, key=self._place):
            yield "  " + self._edge(wire, begins)

    def _place(self, wire: Wire) -> int:
        """In a U, what comes over from the contracting path is laid out first, on that side."""
        if self.u is None:
            return 0
        crossing = {w.link.head for w in self.wires if self.u.crosses(w.link)}
        return 0 if self.u.crosses(wire.link) or wire.link.tail in crossing else 1

    def _edge(self, wire: Wire, begins: Mapping[str, str]) -> str:
        link, theme = wire.link, self.theme
        look: dict[str, object] = {}
        tail, head = quote(link.tail), quote(link.head)
        if wire.shaped or wire.name:
            shape = self.brush.tensor(link.source)
            look["label"] = f"  {wire.name} {shape} " if wire.name else f"  {shape} "
        if wire.kind == "shape":
            look |= {"style": "dotted", "color": theme.quiet, "arrowhead": "open", "weight": 0}
        if wire.kind == "carried":
            # Laid out from the beginning to the end, as the loop goes, and drawn the other way.
            look |= {"dir": "back", "style": "dashed", "color": theme.skip, "fontcolor": theme.skip}
            return f"{quote(begins[link.head])} -> {tail} " + attributes(**look, weight=0)
        if self.u is not None and self.u.crosses(link):
            look |= {"color": theme.skip, "penwidth": 1.7, "constraint": False}
        elif wire.kind == "skip":
            look |= {"color": theme.skip, "penwidth": 1.4, "weight": 0}
        elif wire.kind == "flow":
            look["weight"] = 12 if link in self.spine else 4
        if self._removed(link):
            look |= {"color": theme.marks["removed"].line, "style": "dashed", "weight": 1}
        if self.u is not None and self.u.climbs(link):
            return f"{head} -> {tail} " + attributes(**look, dir="back")
        return f"{tail} -> {head} " + attributes(**look)

    def _kind(self, wire: Wire) -> str:
        """How a wire is drawn, in the words of the legend."""
        if self._removed(wire.link):
            return "removed"
        crosses = self.u is not None and self.u.crosses(wire.link)
        return "skip" if crosses else wire.kind

    def _removed(self, link: Link) -> bool:
        """Whether a link goes from or to what the second of two networks has no more."""
        status = self.brush.status
        return "removed" in (status.get(link.source.node), status.get(link.target))

    # Ranks ------------------------------------------------------------------------

    def _ranks(self) -> Iterator[str]:
        """Inputs at the top, outputs at the bottom; the ends of a U's skips side by side."""
        if self.u is not None:
            for wire in self.wires:
                if self.u.crosses(wire.link) and not self._removed(wire.link):
                    yield f"  {{ rank=same; {quote(wire.link.tail)}; {quote(wire.link.head)} }}"
            return
        for op, rank in (("input", "min"), ("output", "max")):
            nodes = [n for n, data in self.brush.graph.nodes(data=True) if data["op"] == op]
            items = [quote(self.view.shown[n]) for n in nodes if n in self.view.shown]
            if len(items) > 1:
                yield f"  {{ rank={rank}; {' -> '.join(items)} [style=invis] }}"
