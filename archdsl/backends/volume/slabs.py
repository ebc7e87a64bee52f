"""Slabs: the steps of a network as the boxes of a figure, each with what is written at it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from archdsl.backends.volume.trunk import Step, Trunk, is_layer
from archdsl.dims import evaluate
from archdsl.graph import Graph, inputs_of, op_of, outputs, scopes, type_of, walk_scopes

_TELLING = ("attention", "convolution", "recurrent", "linear", "embedding", "pooling", "foreign")
"""Of the layers in a part that is drawn as one box, the family that says most of it, first."""

Kind = Literal["map", "sequence", "tokens", "vector"]


@dataclass(frozen=True)
class Shape:
    """The sizes of what a box shows: ``extents`` are those of the map, without its channels.

    A ``"map"`` has two or three extents, a ``"sequence"`` [channels, length] and ``"tokens"``
    [length, features] one, a ``"vector"`` none. A map of 1×1 is a vector, unless it grows again.
    """

    kind: Kind
    channels: int
    extents: tuple[int, ...] = ()


@dataclass(frozen=True)
class Slab:
    """One box: the nodes that it stands for, its shape, and the lines written under it.

    ``captions`` say what made it, with how often; ``modules`` are the ids of the module calls
    that it stands in, outermost first; ``row`` is its level in a U-Net, 0 elsewhere.
    """

    nodes: tuple[str, ...]
    shape: Shape
    family: str
    captions: tuple[tuple[str, ...], ...]
    modules: tuple[str, ...]
    row: int = 0
    marks: tuple[str, ...] = ()
    hidden: int = 0
    """How many equal boxes before this one are not drawn."""


@dataclass(frozen=True)
class Arc:
    """A skip from the box ``source`` to the box ``target``; its caption says through what."""

    source: int
    target: int
    captions: tuple[str, ...]
    nodes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """The boxes of a figure from left to right, and the skips over them."""

    slabs: tuple[Slab, ...]
    arcs: tuple[Arc, ...]


def slabs_of(graph: Graph, trunk: Trunk, sizes: Mapping[str, int]) -> list[Slab]:
    """The boxes of a trunk, one for each layer and for each change of shape."""
    return _Gathering(graph, sizes).slabs(trunk)


def most_telling(families: Sequence[str]) -> str:
    """Of the families of layers in one box, the one that says most of it."""
    return next((family for family in _TELLING if family in families), families[-1])


class _Gathering:
    """The steps of a trunk as slabs, one for each layer and for each change of shape."""

    def __init__(self, graph: Graph, sizes: Mapping[str, int]) -> None:
        self.graph, self.sizes = graph, sizes
        self.marks = {
            source.node: f"output {(graph.nodes[end].get('names') or (end,))[0] or end}"
            for end in outputs(graph)
            for source in inputs_of(graph, end)
        }

    def slabs(self, trunk: Trunk) -> list[Slab]:
        slabs: list[Slab] = []
        first_in_channels = self._first_layer_slides(trunk.steps)
        *steps, end = trunk.steps
        last_map = max((i for i, step in enumerate(steps) if self._is_spread(step)), default=-1)
        for i, step in enumerate(steps):
            before = slabs[-1].shape if slabs else None
            shape = self._shape(step, before, slides=first_in_channels, grows_again=i < last_map)
            whole = (*step.carried, *step.nodes)
            marks = tuple(self.marks[n] for n in step.nodes if n in self.marks)
            if end.nodes[0] in self._successors(step.nodes[-1]):
                marks = ()  # what comes last is the output, as everybody sees
            if slabs and shape == before and not self._is_drawn(step):
                last = slabs[-1]
                slabs[-1] = replace(last, nodes=last.nodes + whole, marks=last.marks + marks)
            else:
                slabs.append(replace(self._slab(step, shape), nodes=whole, marks=marks))
        slabs[-1] = replace(slabs[-1], nodes=slabs[-1].nodes + end.carried + end.nodes)
        return slabs

    def _is_spread(self, step: Step) -> bool:
        """Whether the step gives more than one value a channel; else its map is a vector."""
        dims = self.graph.nodes[step.nodes[-1]]["types"][0].dims
        return len(dims) >= 2 and any(evaluate(size, self.sizes) > 1 for size in dims[1:])

    def _successors(self, node: str) -> set[str]:
        return set(self.graph.successors(node))

    def _is_drawn(self, step: Step) -> bool:
        return any(is_layer(self.graph, node) for node in step.nodes) and not self._keeps(step)

    def _keeps(self, step: Step) -> bool:
        """Whether a step of several paths only weighs or adds to the map that is there (a gate)."""
        if not step.paths:
            return False
        merge = self.graph.nodes[step.nodes[-1]]
        sources = [type_of(self.graph, s) for s in inputs_of(self.graph, step.nodes[-1])]
        outside = [s for s in inputs_of(self.graph, step.nodes[-1]) if s.node not in step.nodes]
        return bool(outside) and any(t.dims != merge["types"][0].dims for t in sources)

    def _slab(self, step: Step, shape: Shape) -> Slab:
        families = [self._family(n) for n in step.nodes if is_layer(self.graph, n)]
        family = most_telling(families or [self._family(step.nodes[-1])])
        place = self.graph.nodes[step.nodes[0]].get("unet")
        row = place.level + (place.part == "down") if place else 0
        modules = self._modules(step)
        return Slab((), shape, family, (self._caption(step, modules),), modules, row)

    def _family(self, node: str) -> str:
        return op_of(self.graph, node).family

    def _modules(self, step: Step) -> tuple[str, ...]:
        chains = [self._chain(node) for node in step.nodes]
        common = chains[0]
        for chain in chains[1:]:
            common = tuple(a for a, b in zip(common, chain, strict=False) if a == b)
        return common

    def _chain(self, node: str) -> tuple[str, ...]:
        around = walk_scopes(self.graph, self.graph.nodes[node].get("scope") or "")
        return tuple(scope.id for scope in around if scope.id)[::-1]

    def _caption(self, step: Step, modules: tuple[str, ...]) -> tuple[str, ...]:
        if not step.paths:
            return caption_of(self.graph, step.nodes[0])
        merge = words(op_of(self.graph, step.nodes[-1]).name)
        if modules:
            return (scopes(self.graph)[modules[-1]].name, f"{step.paths} paths, {merge}")
        return (f"{step.paths} paths", merge)

    def _shape(self, step: Step, before: Shape | None, *, slides: bool, grows_again: bool) -> Shape:
        dims = self.graph.nodes[step.nodes[-1]]["types"][0].dims
        sizes = tuple(evaluate(size, self.sizes) for size in dims)
        if len(sizes) >= 3:
            flat = not grows_again and all(size == 1 for size in sizes[1:])
            return Shape("vector", sizes[0]) if flat else Shape("map", sizes[0], sizes[1:])
        if len(sizes) < 2:
            return Shape("vector", sizes[0] if sizes else 1)
        if self._channels_first(step, sizes, before, slides):
            flat = not grows_again and sizes[1] == 1
            return Shape("vector", sizes[0]) if flat else Shape("sequence", sizes[0], sizes[1:])
        return Shape("tokens", sizes[1], sizes[:1])

    def _channels_first(
        self, step: Step, sizes: tuple[int, ...], before: Shape | None, slides: bool
    ) -> bool:
        """Whether two sizes are [channels, length]: as the layer takes them, or as they were."""
        for node in step.nodes:
            if self._family(node) in {"convolution", "pooling"}:
                return True
            if is_layer(self.graph, node):
                return False
        if before is None:
            return slides
        if before.kind in {"sequence", "tokens"}:
            first = before.kind == "sequence"
            was = (
                (before.channels, *before.extents) if first else (*before.extents, before.channels)
            )
            return first != (sizes == was[::-1] and sizes != was)
        return before.kind == "map" and before.channels == sizes[0]

    def _first_layer_slides(self, steps: Iterable[Step]) -> bool:
        for step in steps:
            for node in step.nodes:
                if is_layer(self.graph, node):
                    return self._family(node) in {"convolution", "pooling"}
        return False


def words(name: str) -> str:
    return name.replace("_", " ")


def caption_of(graph: Graph, node: str) -> tuple[str, ...]:
    """What made a map, in short lines: «3×3 conv», «stride 2». Its channels stand at the box."""
    data = graph.nodes[node]
    op = op_of(graph, node)
    if op.family == "structure":
        return (str((data.get("names") or (node,))[0] or node),)
    caption = op.caption([type_of(graph, s) for s in inputs_of(graph, node)])
    title, name = words(op.name), words(op.name)
    kernel = caption.title.removeprefix(name).partition(",")[0].strip()
    if "kernel_size" in op.arguments and kernel:
        title = f"{kernel} {name}" if "×" in kernel else f"{name} {kernel}"
    own = str(data.get("path") or node).rpartition(".")[2]
    if data.get("labelled") and not own.isdigit() and own.rstrip("0123456789") != op.name:
        title = f"{own}: {title}"
    said = {"stride", "groups", "dilation"}
    if op.family == "pooling" and op.arguments.get("stride") == op.arguments.get("kernel_size"):
        said = {"dilation"}
    details = [d for d in caption.details if d.split(" ")[0] in said]
    return (title, *details)
