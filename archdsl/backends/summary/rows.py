"""Makes the rows of a table from what a view shows of a graph."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from archdsl.backends.summary.figures import Figures, total
from archdsl.backends.summary.names import Frame, called, names_of, path_of
from archdsl.backends.summary.record import NOTHING, Row, Summary, Totals
from archdsl.collector import collection_paused
from archdsl.dims import evaluate
from archdsl.graph import Graph, Source, Wiring, inputs, inputs_of, outputs, type_of
from archdsl.ops.op import Tensor
from archdsl.passes.captions import call_text, caption, size_text
from archdsl.passes.outline import begin_of, scope_of
from archdsl.passes.shapes import input_types, output_types
from archdsl.passes.view import Item, View, view
from archdsl.records import replace

ENOUGH = 48
"""How many rows a table may have before the levels below are left closed, unless one asks."""


def summarize(
    graph: Graph,
    *,
    depth: int | None = None,
    unfold: bool = False,
    only: str | None = None,
    sizes: Mapping[str, int] | None = None,
) -> Summary:
    """The table of a checked graph.

    ``depth``, ``unfold`` and ``only`` say what is shown, as in :func:`archdsl.passes.view.view`.
    ``sizes`` gives every free size a value; without them, figures are expressions. Raises
    ArchError where ``only`` is no module.
    """
    with collection_paused():
        return _summarize(graph, depth, unfold, only, sizes)


def _summarize(
    graph: Graph,
    depth: int | None,
    unfold: bool,
    only: str | None,
    sizes: Mapping[str, int] | None,
) -> Summary:
    wiring = Wiring(graph)
    shown = view(graph, depth=depth, unfold=unfold, only=only, enough=ENOUGH, wiring=wiring)
    figures = Figures(wiring, sizes or None)
    rows = tuple(_Rows(shown, figures).made())
    if only is None:
        taken, given = input_types(graph), output_types(graph)
    else:
        taken = {source.node: type_of(graph, source) for source in shown.entering.values()}
        given = {source.node: type_of(graph, source) for source in shown.leaving.values()}
    return Summary(
        network=_network(graph),
        part=only,
        inputs={name: _sized(tensor, sizes) for name, tensor in taken.items()},
        outputs={name: _sized(tensor, sizes) for name, tensor in given.items()},
        sizes=dict(sizes or {}),
        rows=rows,
        totals=_totals([row for row in rows if not row.level], figures, shown, whole=only is None),
    )


def _totals(tops: Sequence[Row], figures: Figures, shown: View, *, whole: bool) -> Totals:
    return Totals(
        parameters=sum(row.parameters for row in tops),
        buffers=figures.buffers(shown.shown),
        multiply_adds=total(row.multiply_adds for row in tops),
        memory=total(row.memory for row in tops),
        peak_memory=figures.memory.peak if whole else None,
        training_memory=total(row.training_memory for row in tops),
    )


def _network(graph: Graph) -> str:
    return str(graph.graph.get("name") or "network")


def _sized(tensor: Tensor, sizes: Mapping[str, int] | None) -> Tensor:
    return tensor.with_dims(*(evaluate(d, sizes) for d in tensor.dims)) if sizes else tensor


class _Rows:
    """The rows of one view."""

    def __init__(self, shown: View, figures: Figures) -> None:
        self.graph = graph = figures.graph
        self.view = shown
        self.figures = figures
        self.ends = {*inputs(graph), *outputs(graph)}
        self.only_output = outputs(graph) if len(outputs(graph)) == 1 else []
        self.nodes: dict[str, list[str]] = {}
        for node in graph:
            if node in shown.shown:
                self.nodes.setdefault(shown.shown[node], []).append(node)
        self.consumers: dict[Source, list[str]] = {}
        for node, sources in figures.wiring.sources.items():
            for source in sources:
                self.consumers.setdefault(source, []).append(node)
        self.modules: dict[str, str] = {}
        """The path of the module that a row stands in, by the id of the row."""

    def made(self) -> Iterator[Row]:
        """All rows, from the top down, with what feeds them."""
        top = Frame(path=path_of(self.graph, self.view.root.part))
        rows = list(self._inside(self.view.root, top))
        by_id = {row.id: row.label for row in rows if row.kind != "open"}
        labels = {row.label for row in rows}
        feeding: dict[str, dict[str, None]] = {}
        for link in self.view.links:
            source = self.view.entering.get(link.tail)
            feeding.setdefault(link.head, {})[source.node if source else link.tail] = None
        above: str | None = None
        for row in rows:
            if row.kind == "open":
                yield row
                continue
            tails = list(feeding.get(row.id, ()))
            whole = tuple(by_id.get(tail, tail) for tail in tails)
            module, network = self.modules[row.id], _network(self.graph)
            short = tuple(called(label, module, labels, network) for label in whole) or (NOTHING,)
            if tails == [above] or (row.id in self.ends and not tails):
                short = ()
            yield replace(row, inputs=whole, connected=short)
            above = row.id

    def _inside(self, root: Item, frame: Frame) -> Iterator[Row]:
        for item in root.items:
            # The only output of a network says nothing that does not stand above it.
            if item.state != "layer" or item.id not in self.only_output:
                yield from self._rows(item, frame)

    def _rows(self, item: Item, frame: Frame) -> Iterator[Row]:
        rounds = frame
        if item.rounds:
            ahead = dict(zip(item.rounds[0].nodes, item.rounds[-1].nodes, strict=True))
            rounds = replace(frame, times=frame.times * item.times, lasts=(ahead, *frame.lasts))
        if item.state != "open":
            self.modules[item.id] = frame.path
            yield self._row(item, frame, rounds, self.nodes.get(item.id, []))
            return
        inner = replace(rounds, id=item.id, level=frame.level + 1)
        if item.part.kind == "module":
            path = path_of(self.graph, item.part)
            inner = replace(inner, path=path, again=frame.again or path != item.id)
        rows = list(self._inside(item, inner))
        nodes = [node for row in rows if row.level == inner.level for node in row.nodes]
        yield self._row(item, frame, rounds, nodes)
        yield from rows

    def _row(self, item: Item, frame: Frame, rounds: Frame, nodes: Sequence[str]) -> Row:
        graph, figures = self.graph, self.figures
        label, name = names_of(graph, item, frame, rounds)
        leaving = self._leaving(item, rounds)
        memory = figures.node_memory(nodes)
        borrowed = list(figures.borrowed(nodes))
        return Row(
            id=item.id,
            label=label,
            name=name,
            kind=item.state,
            level=frame.level,
            parent=frame.id,
            call=self._call(item),
            notes=tuple(self._notes(nodes, [] if frame.again else [t.node for t in borrowed])),
            times=rounds.times,
            nodes=tuple(nodes),
            outputs=tuple(_sized(type_of(graph, s), figures.sizes) for s in leaving),
            parameters=figures.parameters(nodes),
            multiply_adds=figures.multiply_adds(nodes),
            memory=memory.forward,
            training_memory=memory.saved,
            fields=figures.fields[leaving[0].node][leaving[0].output],
            shared=bool(borrowed),
        )

    def _call(self, item: Item) -> str:
        graph, part = self.graph, item.part
        if part.kind == "loop":
            sequence = type_of(graph, inputs_of(graph, begin_of(part))[0])
            return f"loop of {size_text(sequence.dims[0], self.figures.sizes)} steps"
        if part.kind == "round":
            return f"{len(part.parts)} in turn"
        scope = scope_of(graph, part)
        if scope is not None:
            return "" if scope.kind == "group" else call_text(scope)
        words = caption(graph, part.id)
        if part.id in self.ends:
            return words.title  # its shape stands beside it
        return " · ".join((words.title, *words.details))

    def _notes(self, nodes: Sequence[str], owners: Sequence[str]) -> Iterator[str]:
        """What is to be noted of a row whose weights are counted at ``owners``."""
        figures, inside = self.figures, set(nodes)
        if nodes and not figures.wiring.alive.intersection(nodes):
            yield "unused"
        elif nodes and not figures.wiring.running.intersection(nodes):
            yield "training only"
        paths = _modules(figures.paths[node] for node in owners if node not in inside)
        if paths:
            yield f"weights of {paths[0]}" + (" …" if len(paths) > 1 else "")

    def _leaving(self, item: Item, rounds: Frame) -> list[Source]:
        """The tensors that leave an item, those of its last round; the last one where none does."""
        nodes = [rounds.last(node) for node in item.part.nodes]
        inside = set(nodes)
        found = [
            Source(node, place)
            for node in nodes
            for place in range(len(self.graph.nodes[node]["types"]))
            if any(c not in inside for c in self.consumers.get(Source(node, place), ()))
        ]
        return found or [Source(nodes[-1])]


def _modules(paths: Iterable[str]) -> list[str]:
    """The paths, or those of the modules that hold them, where these are fewer."""
    found = list(dict.fromkeys(paths))
    while len(found) > 1 and all("." in path for path in found):
        outer = list(dict.fromkeys(path.rpartition(".")[0] for path in found))
        if len(outer) == len(found):
            break
        found = outer
    return found
