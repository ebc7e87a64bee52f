"""Whether calls and values are alike: by what they are given, and what they are written as."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from archdsl.elaborate.context import Context
from archdsl.elaborate.memory import Memory
from archdsl.elaborate.values import ABSENT, BlockDef, Bound, Env, LayerValue
from archdsl.ops.arguments import Choice
from archdsl.syntax import ast

_T = TypeVar("_T")
_DEEPEST, _LONGEST = 6, 256  # of lists among the arguments


class UnlikeError(Exception):
    """The call is like no other, as far as can be told."""


def frozen(value: Any, depth: int = 0) -> Any:
    """A value as part of a key: ``1``, ``1.0`` and ``true`` are three.

    Holds the identities of what is written among a layer's arguments: good while the value is kept.
    Raises UnlikeError for tensors, labels, and what is too large.
    """
    kind = type(value)
    if value is None or kind in _PLAIN:
        return kind, value
    if depth > _DEEPEST:
        raise UnlikeError
    if kind is list or kind is tuple:
        if len(value) > _LONGEST:
            raise UnlikeError
        return kind, tuple([frozen(item, depth + 1) for item in value])
    if kind is LayerValue:
        return (
            value.target if isinstance(value.target, BlockDef) else id(value.target),
            tuple([_frozen_argument(bound, depth) for bound in value.positional]),
            tuple([(name, _frozen_argument(bound, depth)) for name, bound in value.named.items()]),
        )
    raise UnlikeError


_PLAIN = frozenset((bool, int, float, str, Choice))


def _frozen_argument(bound: Bound, depth: int) -> Any:
    return frozen(bound.value, depth + 1), id(bound.span), id(bound.expression)


def once_alike(
    work: Callable[[Context, Any, Env], _T],
    context: Context,
    expr: ast.Expr,
    env: Env,
    keeps: Callable[[_T], bool] = lambda _: True,
) -> _T:
    """What ``work`` makes of an expression: worked out once while the names in it stay.

    Nothing is kept of what ``keeps`` refuses, nor where a mistake is raised.
    """
    memory = context.memory
    key, kept = _written(expr, memory, env)
    if key is None:
        return work(context, expr, env)
    key = work, key
    if key in memory.worked_out:
        context.budget.spend(expr.span)
        known: _T = memory.worked_out[key]
        return known
    value = work(context, expr, env)
    if keeps(value):
        memory.keep_value(key, value, kept)
    return value


def _written(expr: ast.Expr, memory: Memory, env: Env) -> tuple[Any, Any]:
    """What an expression comes to where it stands: a key, and what must be kept as long as that.

    Its names stand for values, and in hints for expressions. The key is None where it depends on
    more.
    """
    names = memory.once(names_in, expr)
    try:
        return (None, None) if names is None else _key(expr, names, env)
    except UnlikeError:
        return None, None


def _key(expr: ast.Expr, names: tuple[str, ...], env: Env) -> tuple[Any, Any]:
    key: list[Any] = [id(expr)]
    kept: list[Any] = [expr]
    for name in names:
        value = env.find(name)
        if value is ABSENT:  # a layer, a function, a choice: the same wherever it stands
            key.append(None)
            continue
        hint = env.hint(name)
        key.append((frozen(value), type(hint) if isinstance(hint, ast.Literal_) else id(hint)))
        kept.append((value, hint))
    return tuple(key), tuple(kept)


def names_in(expr: ast.Expr) -> tuple[str, ...] | None:
    """The names that it depends on; None where it depends on more, such as a tensor's sizes."""
    found: dict[str, None] = {}
    waiting: list[ast.Expr] = [expr]
    while waiting:
        one = waiting.pop()
        match one:
            case ast.Literal_():
                pass
            case ast.Name(id=name) if name != "it":
                found[name] = None
            case ast.Call(callee=ast.Name() as callee, arguments=arguments):
                waiting += [callee, *(argument.value for argument in arguments)]
            case ast.ListExpr(items=items) | ast.TupleExpr(items=items):
                waiting += items
            case ast.Unary(operand=operand):
                waiting.append(operand)
            case ast.Binary(left=left, right=right):
                waiting += [left, right]
            case ast.Compare(first=first, rest=rest):
                waiting += [first, *(right for _, right in rest)]
            case ast.Conditional(condition=condition, then=then, otherwise=otherwise):
                waiting += [condition, then, otherwise]
            case _:
                return None
    return tuple(found)
