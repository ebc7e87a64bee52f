"""What a layer says of its own training: ``linear(100, penalty = l2(0.01))``, as plain data.

Every layer with weights takes ``penalty`` and ``constraint``. They change nothing of the network:
they stay on the layer's node, and are part of every recipe for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from archdsl.diagnostics import Diagnostic, Span, suggest
from archdsl.elaborate.values import Bound, Env, LayerValue, Stop
from archdsl.ops.arguments import OpError, describe
from archdsl.ops.op import build, signature
from archdsl.records import record, replace
from archdsl.syntax import ast

KINDS = ("penalty", "constraint")
"""The arguments, each called as the kind of technique that it takes."""


@record(frozen=True)
class LayerTechnique:
    """A technique of one layer's weights, as plain data."""

    kind: str
    name: str
    factor: float = 1.0
    arguments: tuple[tuple[str, Any], ...] = ()
    span: Span | None = None


def is_technique(name: str) -> bool:
    """Whether a name is a technique that a layer can be given."""
    from archdsl.techniques import technique

    return any(technique.find(kind, name) for kind in KINDS)


class Evaluate:
    """How an expression is evaluated here."""

    def __init__(self, function: Any, env: Env, budget: Any) -> None:
        self._function, self._env, self._budget = function, env, budget

    def number(self, expr: ast.Expr) -> float:
        value = self.value(expr)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            message = f"a factor must be a number, not {describe(value)}"
            raise Stop(Diagnostic("bad-value", message, span=expr.span))
        return value

    def value(self, expr: ast.Expr) -> Any:
        return self._function(expr, self._env, self._budget)


def read_techniques(kind: str, expr: ast.Expr, evaluate: Evaluate) -> tuple[LayerTechnique, ...]:
    """The techniques that an expression writes: ``l2(0.01) + 1e-3 * l1``, ``[max_norm(1)]``."""
    match expr:
        case ast.Literal_(value=None):
            return ()
        case ast.ListExpr(items=items) | ast.TupleExpr(items=items):
            return tuple(t for item in items for t in read_techniques(kind, item, evaluate))
        case ast.Binary(op="+", left=left, right=right) if kind == "penalty":
            return (
                *read_techniques(kind, left, evaluate),
                *read_techniques(kind, right, evaluate),
            )
    return (_one(kind, expr, evaluate),)


def _one(kind: str, expr: ast.Expr, evaluate: Evaluate) -> LayerTechnique:
    from archdsl.techniques import technique  # only a layer that says such a thing pays for them

    match expr:
        case ast.Binary(op="*", left=left, right=right) if kind == "penalty":
            behind = _named(right)
            if behind and _named(left):
                message = "a penalty is multiplied by a number, not by another one"
                raise Stop(Diagnostic("bad-argument", message, span=expr.span))
            one = _one(kind, right if behind else left, evaluate)
            factor = evaluate.number(left if behind else right)
            return replace(one, factor=one.factor * factor, span=expr.span)
        case ast.Name() as name:
            arguments: tuple[ast.Argument, ...] = ()
        case ast.Call(callee=ast.Name() as name, arguments=arguments):
            pass
        case _:
            help = "penalty = l2(0.01)" if kind == "penalty" else "constraint = max_norm(3)"
            message = f"a {kind} is needed here"
            raise Stop(Diagnostic("bad-argument", message, span=expr.span, help=help))
    cls = technique.find(kind, name.id)
    if cls is None:
        known = technique.names(kind)
        meant = suggest(name.id, known)
        raise Stop(
            Diagnostic(
                "unknown-technique",
                f"there is no {kind} {name.id}",
                span=name.span,
                notes=(f"there are {', '.join(known)}",),
                help=f"did you mean {meant}?" if meant else "",
            )
        )
    return _bound(cls, kind, arguments, expr.span, evaluate)


def _named(expr: ast.Expr) -> bool:
    """Whether an expression names a penalty, not a number."""
    from archdsl.techniques import technique

    match expr:
        case ast.Name(id=name) | ast.Call(callee=ast.Name(id=name)):
            return technique.find("penalty", name) is not None
    return False


def _bound(
    cls: Any,
    kind: str,
    arguments: tuple[ast.Argument, ...],
    span: Span,
    evaluate: Evaluate,
) -> LayerTechnique:
    """A technique with its arguments: a penalty's first one is its factor."""
    places = ["factor"] if kind == "penalty" else []
    places += [p.name for p in signature(cls) if p.name != "of"]
    values: dict[str, Any] = {}
    spans: dict[str, Span] = {}
    for argument in arguments:
        place = argument.name or next((p for p in places if p not in values), "")
        if place not in places or place in values:
            message = f"{cls.name} of a layer takes {' and '.join(places) or 'nothing'}"
            text = "the layer says of what it is" if place == "of" or not place else ""
            raise Stop(Diagnostic("unknown-argument", message, span=argument.span, text=text))
        values[place] = (
            evaluate.number(argument.value) if place == "factor" else evaluate.value(argument.value)
        )
        spans[place] = argument.span
    factor = float(values.pop("factor", 1.0))
    try:
        made = build(cls, values)
    except OpError as problem:
        place_of = spans.get(problem.argument or "", span)
        raise Stop(
            Diagnostic(problem.code, problem.message, place_of, problem.text, help=problem.help)
        ) from None
    kept = tuple((k, v) for k, v in made.arguments.items() if k != "of")
    return LayerTechnique(kind, cls.name, factor, kept, span)


def taken_off(layer: LayerValue) -> tuple[LayerValue, tuple[LayerTechnique, ...]]:
    """A layer without what it says of its training, and that."""
    said = [name for name in KINDS if _is_said(layer.named.get(name))]
    if not said:
        return layer, ()
    named = {name: bound for name, bound in layer.named.items() if name not in said}
    techniques = tuple(t for name in said for t in layer.named[name].value)
    return replace(layer, named=named), techniques


def _is_said(bound: Bound | None) -> bool:
    return bound is not None and isinstance(bound.value, tuple)


def need_weights(
    techniques: tuple[LayerTechnique, ...],
    layer: str,
    weights: Mapping[str, tuple[int, ...]],
    *,
    tied: bool,
) -> None:
    """Raise Stop for a layer that has no weights of its own."""
    if not tied and any(own_weights(weights.items())):
        return
    first = techniques[0]
    raise Stop(
        Diagnostic(
            "bad-argument",
            f"{layer} has no weights that a {first.kind} could be of",
            span=first.span,
            text="its weight is another layer's" if tied else "",
            help="give it to the layer that has them" if tied else f"leave {first.kind} out",
        )
    )


def own_weights(parameters: Any) -> Iterator[str]:
    """The names of the weights among a layer's parameters: what has several axes."""
    for name, shape in parameters:
        if len(shape) > 1 and "bias" not in name:
            yield name
