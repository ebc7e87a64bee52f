"""Folding: the boxes of a network brought down to what can be read side by side.

Modules become one box each, where their layers are too many, and of a run of equal boxes only some
are drawn.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from archdsl.backends.volume.slabs import Arc, Row, Slab, caption_of, most_telling, slabs_of
from archdsl.backends.volume.trunk import Skip, Trunk, is_layer, no_volume
from archdsl.graph import Graph, scopes

MOST_SLABS = 36
"""More boxes than this in a row cannot be read: modules are drawn as one box each instead."""
MOST_ALIKE = 4
"""A run of more equal boxes is drawn as two, dots and the last; the caption counts them all."""
_MOST_STAGES, _MOST_IN_A_STAGE = 20, 8
_MOST_LAYERS_IN_A_STEP = 24
_ALL_BUT = 0.9
"""What a convolution without padding leaves of a map: that much keeps two boxes together."""


def gather(graph: Graph, trunk: Trunk, sizes: Mapping[str, int]) -> Row:
    """The boxes of a network, folded by modules until they can be read side by side.

    ArchError, code ``no-volume``, where there is no map of features, or too much for a row.
    """
    slabs = _join_reshapes(slabs_of(graph, trunk, sizes))
    if not any(s.family in {"convolution", "pooling"} and s.shape.kind != "vector" for s in slabs):
        raise no_volume(
            "it has no feature maps",
            note="the figure shows what convolutions and pools give: [channels, height, width]",
        )
    _refuse_tangles(graph, trunk)
    deepest = max(len(slab.modules) for slab in slabs)
    folded = (_fold_modules(graph, slabs, depth) for depth in range(deepest, 0, -1))
    rows = [_fold_runs(list(row)) for row in (slabs, *folded)]
    possible = [row for row in rows if len(row) <= MOST_SLABS]
    if not possible:
        raise no_volume(
            f"it has {min(map(len, rows))} feature maps in a row, and {MOST_SLABS} can be read",
            note="what stands in a block or a labelled group is drawn as one box",
        )
    drawn = next(filter(_reads_well, possible), possible[0])
    return _connect(graph, trunk.skips, drawn)


def _reads_well(row: Sequence[Slab]) -> bool:
    """Whether the row has few stages, and each of them few boxes."""
    stages = list(stages_of(row))
    return len(stages) <= _MOST_STAGES and max(map(len, stages)) <= _MOST_IN_A_STAGE


def stages_of(slabs: Sequence[Slab]) -> Iterator[list[Slab]]:
    """The runs of boxes that stand close together: of equal shape, or all but; pools apart."""
    stage: list[Slab] = []
    for slab in slabs:
        if stage and not _belong(stage[-1], slab):
            yield stage
            stage = []
        stage.append(slab)
    yield stage


def _belong(one: Slab, two: Slab) -> bool:
    apart = {one.family, two.family} & {"structure", "pooling"}
    if one.row != two.row or (apart and one.family != two.family):
        return False
    alike = (one.shape.kind, one.shape.channels) == (two.shape.kind, two.shape.channels)
    pairs = list(zip(one.shape.extents, two.shape.extents, strict=False))
    return alike and all(min(pair) >= _ALL_BUT * max(pair) for pair in pairs)


def _refuse_tangles(graph: Graph, trunk: Trunk) -> None:
    for step in trunk.steps:
        count = sum(is_layer(graph, node) for node in step.nodes) if step.paths else 0
        if count > _MOST_LAYERS_IN_A_STEP:
            raise no_volume(
                f"{count} of its layers, from {step.nodes[0]} to {step.nodes[-1]}, are wired in a"
                " way that one row does not show"
            )


# Fewer slabs --------------------------------------------------------------------------


def _join_reshapes(slabs: Sequence[Slab]) -> list[Slab]:
    """One box for shape operations that follow one another: what the last one gives."""
    joined: list[Slab] = []
    for slab in slabs:
        last = joined[-1] if joined else None
        if last and not last.marks and {last.family, slab.family} <= {"shape", "merge"}:
            lines = (*last.captions, *slab.captions)
            joined[-1] = replace(slab, nodes=last.nodes + slab.nodes, captions=lines)
        else:
            joined.append(slab)
    return joined


def _fold_modules(graph: Graph, slabs: Sequence[Slab], depth: int) -> Iterator[Slab]:
    """One box for what stands in the same module call at this depth."""
    keys = [s.modules[:depth] if len(s.modules) >= depth else (i,) for i, s in enumerate(slabs)]
    inside = Counter(s.modules[:i] for s in slabs for i in range(1, len(s.modules) + 1))
    for _, run in groupby(range(len(slabs)), key=keys.__getitem__):
        part = [slabs[i] for i in run]
        if len(part) == 1:
            yield part[0]
            continue
        # Of the modules that hold this part and nothing else, a block has the best name.
        modules = part[0].modules[:depth]
        whole = [m for i, m in enumerate(modules, 1) if inside[modules[:i]] == len(part)]
        blocks = [m for m in whole if scopes(graph)[m].kind != "group"]
        yield replace(
            part[-1],
            nodes=tuple(n for s in part for n in s.nodes),
            family=most_telling([s.family for s in part]),
            captions=((scopes(graph)[(blocks or modules[-1:])[0]].name,),),
            modules=modules,
            marks=tuple(m for s in part for m in s.marks),
        )


def _fold_runs(slabs: Sequence[Slab]) -> list[Slab]:
    """Of a long run of equal boxes two and the last one, which says how many are left out."""
    drawn: list[Slab] = []

    def look(slab: Slab) -> tuple[object, ...]:
        return slab.shape, slab.family, slab.captions, slab.row, slab.marks

    for _, found in groupby(slabs, key=look):
        run = list(found)
        if len(run) <= MOST_ALIKE:
            drawn.extend(run)
            continue
        nodes = tuple(n for s in run[2:] for n in s.nodes)
        drawn.extend((*run[:2], replace(run[-1], nodes=nodes, hidden=len(run) - 3)))
    return drawn


# Skips --------------------------------------------------------------------------------


def _connect(graph: Graph, skips: Sequence[Skip], slabs: Sequence[Slab]) -> Row:
    """The boxes with the skips between them; a skip inside a box belongs to it."""
    place = {node: i for i, slab in enumerate(slabs) for node in slab.nodes}
    boxes = list(slabs)
    found: dict[tuple[int, int], Arc] = {}
    for skip in skips:
        source, target = place[skip.source], place[skip.target]
        if source == target:
            boxes[source] = replace(boxes[source], nodes=boxes[source].nodes + skip.nodes)
            continue
        lines = [", ".join(caption_of(graph, n)) for n in skip.nodes if is_layer(graph, n)]
        known = found.get((source, target), Arc(source, target, ()))
        captions = tuple(dict.fromkeys((*known.captions, *lines)))
        found[source, target] = replace(known, captions=captions, nodes=known.nodes + skip.nodes)
    arcs = sorted(found.values(), key=lambda arc: (arc.source, -arc.target))
    return Row(tuple(boxes), tuple(arcs))
