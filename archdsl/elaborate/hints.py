"""How an argument was written, in terms of its block's parameters, for the generated source.

``conv(width * 4, 1)`` should give ``nn.Conv2d(width, width * 4, 1)``. A hint is an
expression whose only names are parameters of the block that it stands in: names
of ``let`` are replaced by what they stand for, loop variables by their values. Besides
parameters, ``it.channels`` and ``it.features`` stand for the sizes of what arrives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.diagnostics import Span
from archdsl.elaborate.alike import names_in
from archdsl.elaborate.bounds import Budget
from archdsl.elaborate.expressions import evaluate
from archdsl.elaborate.memory import Memory
from archdsl.elaborate.values import Bound, Env, Poisoned, Stop
from archdsl.syntax import ast

_NOWHERE = Env()


def close(expr: ast.Expr, env: Env) -> ast.Expr | None:
    """The expression in terms of block parameters alone, or None where it has other names."""
    match expr:
        case ast.Literal_():
            return expr
        case ast.Name(id=name):
            return env.hint(name)
        case ast.Unary(span, op, operand):
            inner = close(operand, env)
            return None if inner is None else _fold(ast.Unary(span, op, inner))
        case ast.Binary(span, op, left, right):
            one, two = close(left, env), close(right, env)
            if one is None or two is None:
                return None
            return _fold(ast.Binary(span, op, one, two))
        case ast.Conditional(span, condition, then, otherwise):
            return _close_conditional(span, condition, then, otherwise, env)
        case ast.Compare(span, first, rest):
            start = close(first, env)
            others = [(op, close(e, env)) for op, e in rest]
            if start is None or any(e is None for _, e in others):
                return None
            closed = tuple((op, e) for op, e in others if e is not None)
            return _fold(ast.Compare(span, start, closed))
        case ast.Attribute(span, ast.Name(id="it"), ("channels" | "features") as name):
            return ast.Name(span, f"it.{name}")
        case ast.TupleExpr(span, items):
            closed_items = [close(item, env) for item in items]
            if any(item is None for item in closed_items):
                return None
            return ast.TupleExpr(span, tuple(i for i in closed_items if i is not None))
        case _:
            return None


def close_known(expr: ast.Expr, value: Any, env: Env, memory: Memory) -> ast.Expr | None:
    """:func:`close` of an expression whose value is known: most are numbers, and done with."""
    if isinstance(expr, (ast.Name, ast.Literal_)):
        return close(expr, env)
    names = memory.once(names_in, expr)
    if names is not None and all(type(env.hint(name)) is ast.Literal_ for name in names):
        known = literal(value, expr.span)
        if known is not None:
            return known
    return close(expr, env)


def _close_conditional(
    span: Span, condition: ast.Expr, then: ast.Expr, otherwise: ast.Expr, env: Env
) -> ast.Expr | None:
    test = close(condition, env)
    if test is None:
        return None
    if isinstance(test, ast.Literal_):
        return close(then if test.value else otherwise, env)
    one, two = close(then, env), close(otherwise, env)
    return None if one is None or two is None else ast.Conditional(span, test, one, two)


def _fold(expr: ast.Unary | ast.Binary | ast.Compare) -> ast.Expr | None:
    """A part without names becomes the number that it is; neutral parts go."""
    match expr:
        case ast.Unary(operand=ast.Literal_()):
            return literal(_value(expr), expr.span)
        case ast.Binary(left=ast.Literal_(), right=ast.Literal_()):
            return literal(_value(expr), expr.span)
        case ast.Binary(op="*", left=left, right=ast.Literal_(value=1)):
            return left
        case ast.Binary(op="*", left=ast.Literal_(value=1), right=right):
            return right
        case ast.Compare(first=ast.Literal_(), rest=rest) if all(
            isinstance(e, ast.Literal_) for _, e in rest
        ):
            return literal(_value(expr), expr.span)
        case _:
            return expr


def _value(expr: ast.Expr) -> Any:
    try:
        return evaluate(expr, _NOWHERE, Budget(100))
    except (Stop, Poisoned):
        return None


def literal(value: Any, span: Span) -> ast.Literal_ | None:
    """A literal for a value that has one."""
    if value is not None and not isinstance(value, (bool, int, float, str)):
        return None
    text = (
        {True: "true", False: "false", None: "none"}.get(value)
        if not isinstance(value, (int, float, str)) or isinstance(value, bool)
        else repr(value)
    )
    return ast.Literal_(span, value, text or repr(value))


def bind_literal(env: Env, names: Sequence[str], span: Span) -> None:
    """Loop variables stand for their values in hints."""
    for name in names:
        value = env.names[name]
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            found = literal(value, span)
            if found is not None:
                env.hints[name] = found


def hints_of(bound: Mapping[str, Bound], env: Env, memory: Memory) -> dict[str, ast.Expr]:
    """The hints of a call's arguments; plain literals need none."""
    result: dict[str, ast.Expr] = {}
    for name, argument in bound.items():
        if argument.expression is None or type(argument.expression) is ast.Literal_:
            continue
        closed = close_known(argument.expression, argument.value, env, memory)
        if closed is not None and not isinstance(closed, ast.Literal_):
            result[name] = closed
    return result


def default_hint(default: ast.Expr, env: Env) -> ast.Expr | None:
    """What a parameter left at its default stands for in hints, where that is not itself.

    ``padding = kernel // 2`` left at its default is no number of its own.
    """
    closed = close(default, env)
    return None if isinstance(closed, ast.Literal_) else closed
