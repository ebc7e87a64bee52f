"""Which parameters a selection means in a network."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import replace

from archdsl.diagnostics import Diagnostic, suggest
from archdsl.elaborate.values import Stop
from archdsl.ops import find_public
from archdsl.ops import names as layer_names
from archdsl.recipes.parts import Trained
from archdsl.syntax import ast
from archdsl.techniques.selection import KINDS, Selection, Selector


def read_selection(items: Sequence[ast.Expr], parameters: Sequence[Trained]) -> Selection:
    """The selection that expressions write, resolved. Raises Stop for what selects nothing."""
    flat: list[ast.Expr] = []
    for item in items:
        flat.extend(item.items if isinstance(item, (ast.TupleExpr, ast.ListExpr)) else [item])
    selectors = []
    for expr in flat:
        selector = _selector(expr, parameters)
        if selector.by != "kind" and not _matching(selector, parameters):
            raise Stop(_nothing(selector, expr, parameters))
        selectors.append(selector)
    return resolve(Selection(tuple(selectors)), parameters)


def resolve(selection: Selection, parameters: Sequence[Trained]) -> Selection:
    """The selection with the names of its parameters, in the network's order."""
    chosen = {n for s in selection.selectors for n in _matching(s, parameters)}
    return replace(selection, names=tuple(p.name for p in parameters if p.name in chosen))


def _selector(expr: ast.Expr, parameters: Sequence[Trained]) -> Selector:
    match expr:
        case ast.Literal_(value=str(pattern)):
            return Selector("pattern", pattern)
        case ast.Name(id=word) if word in KINDS:
            return Selector("kind", word)
        case ast.Name() | ast.Attribute():
            word = _path(expr)
            if any(_inside(p.name, word) for p in parameters):
                return Selector("label", word)
            layer = find_public(word)
            return Selector("layer", layer.name) if layer else Selector("label", word)
    raise Stop(
        Diagnostic(
            "bad-selection",
            "this names no parameters",
            span=expr.span,
            text="a label, a layer, weights, biases, norms, all, or a pattern in quotes",
        )
    )


def _path(expr: ast.Expr) -> str:
    match expr:
        case ast.Name(id=word):
            return word
        case ast.Attribute(value=value, name=name):
            return f"{_path(value)}.{name}"
    raise Stop(Diagnostic("bad-selection", "this names no parameters", span=expr.span))


def _inside(name: str, path: str) -> bool:
    return name == path or name.startswith(f"{path}.")


def _matching(selector: Selector, parameters: Sequence[Trained]) -> list[str]:
    word = selector.word
    if selector.by == "kind":
        return [p.name for p in parameters if word in ("all", p.kind)]
    if selector.by == "layer":
        return [p.name for p in parameters if p.layer == word]
    if selector.by == "label":
        return [p.name for p in parameters if _inside(p.name, word)]
    return [p.name for p in parameters if fnmatch.fnmatchcase(p.name, word)]


def _nothing(selector: Selector, expr: ast.Expr, parameters: Sequence[Trained]) -> Diagnostic:
    labels = {p.name[:i] for p in parameters for i, c in enumerate(p.name) if c == "."}
    meant = suggest(selector.word, [*KINDS, *labels, *layer_names()])
    known = sorted(label for label in labels if "." not in label)
    tops = ", ".join(known[:8]) + (" …" if len(known) > 8 else "")
    return Diagnostic(
        "bad-selection",
        f"the network has no parameters at {selector}",
        span=expr.span,
        notes=(f"its parts with parameters are {tops}",) if tops else ("it has no parameters",),
        help=f"did you mean {meant}?" if meant and meant != selector.word else "",
    )
