"""Captions: the words of a picture or a table for layers, modules and tensors."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from archdsl.dims import Dim, Size, Symbol, as_formula, evaluate, substitute, symbol, symbols
from archdsl.graph import Graph, Scope, inputs_of, op_of, type_of
from archdsl.ops.caption import Caption
from archdsl.ops.op import Tensor, show_value
from archdsl.passes.shapes import conditions_of

_LONGEST_VALUE = 24


def caption(graph: Graph, node: str) -> Caption:
    """What a drawing writes on a layer."""
    return op_of(graph, node).caption([type_of(graph, s) for s in inputs_of(graph, node)])


def own_name(graph: Graph, node: str) -> str:
    """The name that a person gave a layer; empty where it is only counted."""
    data = graph.nodes[node]
    name = str(data.get("path") or node).rpartition(".")[2]
    return name if data.get("labelled") and not name.isdigit() else ""


def call_text(scope: Scope) -> str:
    """A module call as it was written: ``basic(128, stride = 2)``; a group by its label."""
    if scope.kind == "group":
        return scope.name
    shown = _arguments(scope)
    return f"{scope.name}({', '.join(shown)})" if shown else scope.name


def _arguments(scope: Scope) -> list[str]:
    """The arguments that are not at their defaults: by place while nothing is left out."""
    shown: list[str] = []
    in_order = True
    for name, value in scope.arguments.items():
        text = _shorten(value)
        optional = name in scope.defaults
        if name in scope.left_out or (optional and _shorten(scope.defaults[name]) == text):
            in_order = False
            continue
        in_order = in_order and not optional
        shown.append(text if in_order else f"{name} = {text}")
    return shown


def _shorten(value: Any) -> str:
    name = getattr(value, "name", None)
    text = name if isinstance(name, str) else show_value(value)
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def tensor_text(
    tensor: Tensor,
    at: Mapping[str, int] | None = None,
    multiples: Mapping[str, int] | None = None,
) -> str:
    """The sizes of a tensor as a figure writes them: ``64×56×56``, ``64×⌈H/4⌉×⌈W/4⌉``.

    ``at`` gives free sizes values; ``multiples`` says what free sizes are multiples of, so that
    nothing is rounded that is whole: ``64×H/4×W/4``.
    """
    sizes = "×".join(size_text(size, at, multiples) for size in tensor.dims) or "1"
    return sizes if tensor.dtype == "float" else f"{tensor.dtype} {sizes}"


def size_text(
    size: Size,
    at: Mapping[str, int] | None = None,
    multiples: Mapping[str, int] | None = None,
) -> str:
    """One size as a factor: ``⌈H/4⌉``, in parentheses where it is a sum."""
    if at and symbols(size) <= at.keys():
        size = evaluate(size, at)
    whole = _whole(size, multiples) if multiples else ""
    sum_ = " " in whole if whole else isinstance(size, Dim) and len(size.terms) > 1
    text = whole or as_formula(size)
    return f"({text})" if sum_ else text


def multiples_of(graph: Graph) -> dict[str, int]:
    """What each free size of a checked graph must be a multiple of, where that is more than 1."""
    sets = conditions_of(graph).sets
    return {name: s.modulus for name, s in sets.items() if s.modulus > 1 and set(s.classes) == {0}}


def _whole(size: Size, multiples: Mapping[str, int]) -> str:
    """A size without rounding, where the multiples leave none; empty where they do."""
    counted = substitute(size, {name: m * symbol(name) for name, m in multiples.items()})
    if isinstance(counted, int):
        return ""
    parts = []
    for monomial, count in counted.terms.items():
        if not monomial:
            continue
        (atom, *others) = monomial
        if others or not isinstance(atom, Symbol) or count < 0:
            return ""
        share = Fraction(count, multiples.get(atom.name, 1))
        times = f"{share.numerator}·" if share.numerator > 1 else ""
        parts.append(f"{times}{atom.name}" + (f"/{share.denominator}" * (share.denominator > 1)))
    if counted.constant:
        parts.append(f"{'-' if counted.constant < 0 else ''}{abs(counted.constant)}")
    return " + ".join(parts).replace("+ -", "- ")
