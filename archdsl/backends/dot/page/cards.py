"""Cards: what a page tells of a layer or a module when it is pointed at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from archdsl.backends.dot.boxes import Brush
from archdsl.diagnostics import Span
from archdsl.dims import Size, as_formula, evaluate, symbols
from archdsl.graph import Source, op_of, scopes
from archdsl.ops.arguments import WeightRef
from archdsl.ops.op import show_value
from archdsl.passes.captions import call_text
from archdsl.passes.cost import node_costs
from archdsl.passes.outline import Part, entering

_LONGEST_FORMULA = 48
_MOST_TENSORS = 4
_LONGEST_DOC = 200


class Cards:
    """The cards of a network; ``sources`` are the lines that they point at, each once.

    A card is plain data: texts by what they say, and the number of a source line.
    """

    def __init__(self, brush: Brush) -> None:
        self.brush, self.graph = brush, brush.graph
        self.costs = node_costs(brush.graph)
        self.sources: list[tuple[str, int, str]] = []
        self._numbers: dict[tuple[str, int, str], int] = {}

    def card(self, part: Part, run: Part | None) -> dict[str, Any] | None:
        """The card of a part, if it has one; ``run`` is the run that it is the first round of."""
        if part.kind == "layer":
            return self._filled(part, run, self._layer(part.id))
        if part.kind == "module" and part.id:
            return self._filled(part, run, self._module(part))
        if part.kind == "loop":
            return self._filled(part, run, {"name": "scan", "call": "the body of a scan"})
        return None

    def _layer(self, node: str) -> dict[str, Any]:
        data = self.graph.nodes[node]
        op = op_of(self.graph, node)
        given = ", ".join(f"{key} = {_shown(v)}" for key, v in op.arguments.items())
        words: dict[str, Any] = {"name": str(data.get("path") or node)}
        if data["op"] in ("input", "output"):
            words["call"] = data["op"]
        elif not op.internal:
            words["call"] = f"{data['op']}({given})"
        return words | {"source": self._source(data.get("span")), "op": data["op"]}

    def _module(self, part: Part) -> dict[str, Any]:
        scope = scopes(self.graph)[part.id]
        words: dict[str, Any] = {"name": scope.path or scope.name, "call": call_text(scope)}
        if scope.doc:
            words["doc"] = _summary(scope.doc)
        return words | {"source": self._source(scope.span), "op": scope.name}

    def _filled(self, part: Part, run: Part | None, words: dict[str, Any]) -> dict[str, Any]:
        """The card with what all kinds of parts have: tensors and costs."""
        parameters, work = self._cost(part.nodes)
        words |= {
            "takes": self._tensors(entering(self.graph, part)),
            "gives": self._tensors(self._leaving(part)),
            "parameters": parameters,
            "work": work,
        }
        if run is not None:
            parameters, work = self._cost(run.nodes)
            words["run"] = {
                "times": len(run.parts),
                "last": self._name(run.parts[-1]),
                "parameters": parameters,
                "work": work,
            }
        if part.id in self.brush.shared:
            words["shared"] = True
        if words.get("op") in ("input", "output"):
            del words["parameters"], words["work"]
        return {key: value for key, value in words.items() if value not in (None, "", [])}

    def _name(self, part: Part) -> str:
        """The path of a module; of another part, that of its first layer."""
        if part.kind == "module":
            return scopes(self.graph)[part.id].path
        return str(self.graph.nodes[part.nodes[0]].get("path") or part.nodes[0])

    def _cost(self, nodes: Sequence[str]) -> tuple[str, str]:
        """Parameters and multiply-adds, as they are written."""
        costs = [self.costs[node] for node in nodes]
        work: Size = sum((cost.multiply_adds for cost in costs), start=0)
        return f"{sum(cost.parameters for cost in costs):,}", number_text(work, self.brush.sizes)

    def _tensors(self, sources: Sequence[Source]) -> list[str]:
        shapes = [self.brush.tensor(source) for source in sources]
        more = ["…"] if len(shapes) > _MOST_TENSORS else []
        return shapes[:_MOST_TENSORS] + more

    def _leaving(self, part: Part) -> list[Source]:
        """The tensors of a part that are used outside of it; of an end of the network, its own."""
        inside = set(part.nodes)
        found: dict[Source, None] = {}
        for node in part.nodes:
            for _, head, edge in self.graph.out_edges(node, data=True):
                if head not in inside:
                    found[Source(node, edge["output"])] = None
        last = part.nodes[-1]
        if not found:
            found = {Source(last, i): None for i in range(len(self.graph.nodes[last]["types"]))}
        return list(found)

    def _source(self, span: Span | None) -> int | None:
        if span is None:
            return None
        # The file's name alone: a page says nothing of the machine that it was written on.
        place = (PurePath(span.source.name).name, span.line, span.source.line(span.line).strip())
        if place not in self._numbers:
            self._numbers[place] = len(self.sources)
            self.sources.append(place)
        return self._numbers[place]


def _summary(doc: str) -> str:
    """The first paragraph of a comment, cut where it is long."""
    paragraph = " ".join(doc.strip().partition("\n\n")[0].split())
    if len(paragraph) <= _LONGEST_DOC:
        return paragraph
    return paragraph[:_LONGEST_DOC].rpartition(" ")[0] + " …"


def _shown(value: Any) -> str:
    return f"{value.path}.{value.name}" if isinstance(value, WeightRef) else show_value(value)


def number_text(size: Size, at: Mapping[str, int]) -> str:
    """A number of multiply-adds: with commas, or as a formula where sizes are free.

    ``at`` gives free sizes values. A formula too long to be read is left out.
    """
    if symbols(size) <= at.keys():
        size = evaluate(size, at)
    if isinstance(size, int):
        return f"{size:,}"
    text = as_formula(size)
    return text if len(text) <= _LONGEST_FORMULA else ""
