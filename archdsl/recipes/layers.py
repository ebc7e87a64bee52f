"""Penalties and constraints that layers were given themselves, as parts of a recipe."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from archdsl.elaborate.trained import LayerTechnique, own_weights
from archdsl.graph import Graph
from archdsl.recipes.parts import Part
from archdsl.recipes.recipe import Term
from archdsl.techniques.constraints import Constraint
from archdsl.techniques.penalties import Penalty
from archdsl.techniques.selection import Selection, Selector
from archdsl.techniques.technique import Technique, find

MOST_NAMED = 3


def layer_terms(graph: Graph, parts: Collection[Part], known: Collection[str]) -> tuple[Term, ...]:
    """The terms that layers add to the loss; ``known`` are names that others bear."""
    terms: list[Term] = []
    taken = set(known)
    for said, paths in _said(graph, "penalty"):
        penalty = _made(said, paths, parts)
        assert isinstance(penalty, Penalty)
        name, count = f"{said.name}({_shown(paths)})", 1
        while name in taken:
            count += 1
            name = f"{said.name}({_shown(paths)}) {count}"
        taken.add(name)
        terms.append(Term(name, said.factor, penalty))
    return tuple(terms)


def layer_constraints(graph: Graph, parts: Collection[Part]) -> tuple[Constraint, ...]:
    """The constraints that layers were given."""
    found = []
    for said, paths in _said(graph, "constraint"):
        constraint = _made(said, paths, parts)
        assert isinstance(constraint, Constraint)
        found.append(constraint)
    return tuple(found)


def _said(graph: Graph, kind: str) -> Iterator[tuple[LayerTechnique, tuple[str, ...]]]:
    """What layers say, and the paths of all that say the same."""
    together: dict[tuple[object, ...], tuple[LayerTechnique, dict[str, None]]] = {}
    for node, data in graph.nodes(data=True):
        for said in data.get("training", ()):
            if said.kind == kind:
                key = (said.name, said.factor, said.arguments)
                together.setdefault(key, (said, {}))[1][data.get("path") or node] = None
    for said, paths in together.values():
        yield said, tuple(paths)


def _made(said: LayerTechnique, paths: Collection[str], parts: Collection[Part]) -> Technique:
    """The technique, of the weights of these layers."""
    cls = find(said.kind, said.name)
    assert cls is not None
    arguments = {**dict(said.arguments), "of": _selection(paths, parts)}
    return cls(**arguments)


def _selection(paths: Collection[str], parts: Collection[Part]) -> Selection:
    names = [n for p in parts if p.path in paths for n in own_weights(p.parameters)]
    return Selection(tuple(Selector("label", path) for path in paths), tuple(names))


def _shown(paths: tuple[str, ...]) -> str:
    if len(paths) <= MOST_NAMED:
        return ", ".join(paths)
    return f"{paths[0]} and {len(paths) - 1} more"
