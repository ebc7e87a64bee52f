"""Boxes: what a layer, a stack of layers, a closed module and a frame have written on them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from archdsl.backends.dot.box import Box, Cell, Line
from archdsl.backends.dot.theme import Theme, Tint, group_of
from archdsl.graph import Graph, Source, inputs_of, live_nodes, op_of, scopes, type_of, types_into
from archdsl.passes.captions import call_text, caption, multiples_of, own_name, tensor_text
from archdsl.passes.differences import Status
from archdsl.passes.view import Item

TITLE, DETAIL, LIGHT = 10.5, 8.0, 9.0
_LIGHT = frozenset({"normalization", "activation", "regularization", "shape"})


@dataclass(frozen=True)
class Brush:
    """What boxes are drawn with: the graph that they are of, and how it is to look."""

    graph: Graph
    theme: Theme
    sizes: Mapping[str, int]
    shared: frozenset[str]
    """The ids of module calls and layers whose weights are used at another place too."""
    status: Mapping[str, Status] = field(default_factory=dict)
    """Of a comparison, what became of every layer."""

    def group(self, node: str) -> str:
        """The group of a layer, as the legend has it."""
        return group_of(op_of(self.graph, node).family)

    def tint(self, node: str) -> Tint:
        return self.marked([node]) or self.theme.tints[self.group(node)]

    def marked(self, nodes: Sequence[str]) -> Tint | None:
        """Of a comparison, the tint of what became of these layers: alike, or changed."""
        return self.theme.marks[self.mark(nodes)] if self.status else None

    def mark(self, nodes: Sequence[str]) -> Status:
        """What became of these layers together."""
        met = {self.status[node] for node in nodes}
        if met <= {"kept", "resized"}:
            return "resized" if "resized" in met else "kept"
        return met.pop() if len(met) == 1 else "changed"

    def tensor(self, source: Source) -> str:
        """The sizes of a tensor, free ones at their values where those are given."""
        return tensor_text(type_of(self.graph, source), self.sizes, self.multiples)

    @cached_property
    def in_training(self) -> set[str]:
        """The layers that run in training alone."""
        return live_nodes(self.graph) - live_nodes(self.graph, training=False)

    def only_training(self, item: Item) -> bool:
        """Whether a module runs in training alone, and the one around it does not."""
        if not self.in_training.issuperset(item.part.nodes):
            return False
        known = scopes(self.graph)
        around = known[item.part.id].parent or ""
        return any(
            node not in self.in_training
            for node, data in self.graph.nodes(data=True)
            if around in ("", data.get("scope"))
        )

    @cached_property
    def multiples(self) -> dict[str, int]:
        """What free sizes must be multiples of."""
        return multiples_of(self.graph)

    def title(self, text: str) -> Line:
        return Line(text, TITLE, self.theme.ink, bold=True)

    def detail(self, text: str) -> Line:
        return Line(text, DETAIL, self.theme.quiet)

    def badge(self, item: Item) -> Line | None:
        return Line(f"×{item.times}", TITLE + 0.5, self.theme.ink, True) if item.times > 1 else None


def shared_calls(graph: Graph) -> frozenset[str]:
    """Module calls and layers whose weights are used elsewhere too: the outermost of them."""
    known = scopes(graph)
    calls = Counter(s.path for s in known.values() if s.path)
    layers = Counter(str(data.get("path") or node) for node, data in graph.nodes(data=True))
    found = {s.id for s in known.values() if calls[s.path] > 1}
    found -= {i for i in found if known[i].parent in found}
    for node, data in graph.nodes(data=True):
        path = str(data.get("path") or node)
        alone = calls[known[data.get("scope") or ""].path] < 2
        if layers[path] > 1 and alone:
            found.add(node)
    return frozenset(found & _with_weights(graph)) if found else frozenset()


def _with_weights(graph: Graph) -> set[str]:
    """The layers that have weights, and the modules around them."""
    known = scopes(graph)
    found: set[str] = set()
    for node, types in types_into(graph).items():
        if op_of(graph, node).weights(types):
            found.add(node)
            scope: str | None = graph.nodes[node].get("scope")
            while scope and scope not in found:
                found.add(scope)
                scope = known[scope].parent
    return found


def layer_box(brush: Brush, item: Item) -> Box:
    """A layer, or a stack of them, a cell each."""
    return Box(tuple(_layer(brush, node) for node in item.part.nodes), brush.badge(item))


def _layer(brush: Brush, node: str) -> Cell:
    tint, words = brush.tint(node), caption(brush.graph, node)
    light = brush.group(node) in _LIGHT
    title = Line(words.title, LIGHT, brush.theme.ink) if light else brush.title(words.title)
    more = [" · ".join(words.details)] if words.details else []
    name = own_name(brush.graph, node)
    op = op_of(brush.graph, node)
    if name and name not in (op.name, *op.aliases):
        more.insert(0, name)
    if node in brush.shared:
        more.append("shared weights")
    lines = (title, *map(brush.detail, more))
    return Cell(lines, tint.fill, tint.line, node, above=1.8 if light else 3.4)


def module_box(brush: Brush, item: Item) -> Box:
    """A closed module: the call, and the path or paths that it has in the model."""
    tint = brush.marked(item.part.nodes) or brush.theme.module
    title = _call(brush, item)
    more = [path for path in [_paths(brush, item)] if path and path != title]
    if item.part.id in brush.shared:
        more.append("shared weights")
    if brush.only_training(item):
        more.append("in training")
    lines = (brush.title(title), *map(brush.detail, more))
    cell = Cell(lines, tint.fill, tint.line, item.id, stroke_width=1.6, radius=5, above=5)
    return Box((cell,), brush.badge(item))


def merge_box(brush: Brush, item: Item) -> Box:
    """A merge that has no sign of its own."""
    (node,) = item.part.nodes
    theme, words = brush.theme, caption(brush.graph, node)
    tint = brush.marked([node]) or theme.tints["other"]
    line = Line(" ".join([words.title, *words.details]), LIGHT, theme.ink)
    cell = Cell((line,), tint.fill, tint.line, node, stroke_width=1.1, radius=20, above=2)
    return Box((cell,), brush.badge(item), narrowest=44)


def end_box(brush: Brush, item: Item) -> Box:
    """An input or an output of the network, or an end of a scan."""
    (node,) = item.part.nodes
    theme, data = brush.theme, brush.graph.nodes[node]
    tint = brush.marked([node]) or Tint(theme.paper, theme.wire)
    if data["op"] == "scan":
        title, more = "each step", ", ".join(["its input", *(str(n) for n in data["names"] if n)])
    elif data["op"] == "scan end":
        title, more = "all steps", "the results in order"
    elif data["op"] == "input":
        title, more = node, brush.tensor(Source(node))
    else:
        title, more = node, "in training" if (data.get("args") or {}).get("training") else ""
    lines = [Line(title, LIGHT + 0.5, theme.ink, bold=True)]
    lines += [brush.detail(more)] if more else []
    cell = Cell(tuple(lines), tint.fill, tint.line, node, radius=20, stroke_width=1.3)
    return Box((cell,), narrowest=44)


def frame_words(brush: Brush, item: Item) -> list[Line]:
    """What stands at the top of the frame around an open module, a loop, or a run."""
    theme = brush.theme
    words: list[Line] = []
    if item.part.kind == "module":
        title = _call(brush, item)
        words.append(Line(title, LIGHT, theme.ink, bold=True))
        path = _paths(brush, item)
        if path and path != title:
            words.append(brush.detail(path))
        if item.part.id in brush.shared:
            words.append(Line("shared weights", DETAIL, theme.skip))
        if brush.only_training(item):
            words.append(brush.detail("in training"))
    elif item.part.kind == "loop":
        words.append(Line("scan", LIGHT, theme.ink, bold=True))
        words.append(brush.detail(_steps(brush, item)))
    if item.times > 1:
        words.append(Line(f"×{item.times}", TITLE, theme.ink, bold=True))
    return words


def _call(brush: Brush, item: Item) -> str:
    """A module call as it was written; without arguments where those of its rounds differ."""
    known = scopes(brush.graph)
    parts = [p for p in item.rounds if p.kind == "module"] or [item.part]
    texts = {call_text(known[p.id]) for p in parts}
    return texts.pop() if len(texts) == 1 else f"{known[item.part.id].name}(…)"


def _paths(brush: Brush, item: Item) -> str:
    """The name of a module in the one around it; of one that repeats, the first and the last."""
    known = scopes(brush.graph)
    parts = [p for p in item.rounds if p.kind == "module"] or [item.part]
    first, last = _name_of(known[parts[0].id].path), _name_of(known[parts[-1].id].path)
    if first == last:
        return first
    return f"{first} … {last.rpartition('.')[2]}"


def _name_of(path: str) -> str:
    """The last name of a path; a number with the name before it."""
    *around, name = path.split(".")
    return f"{around[-1]}.{name}" if name.isdigit() and around else name


def _steps(brush: Brush, item: Item) -> str:
    begin = next(n for n in item.part.nodes if brush.graph.nodes[n]["op"] == "scan")
    steps = brush.tensor(inputs_of(brush.graph, begin)[0]).partition("×")[0]
    return f"for each of {steps} step{'s' * (steps != '1')}"
