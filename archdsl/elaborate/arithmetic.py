"""What operators make of values: numbers, free sizes, lists; and how values compare."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from archdsl.diagnostics import Diagnostic
from archdsl.dims import Dim, DimError, show
from archdsl.elaborate.bounds import (
    LONGEST_LIST,
    MOST_TERMS,
    Budget,
    bad_value,
    bounded,
    too_long,
)
from archdsl.elaborate.values import LayerValue, Stop
from archdsl.ops.arguments import describe
from archdsl.syntax import ast

DEEPEST_LIST = 50  # how deep lists that are compared may be nested
_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}
_WHOLE = {op: _ARITHMETIC[op] for op in ("+", "-", "*")}
"""What nothing can go wrong with, where both are whole numbers."""
_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def calculated(expr: ast.Binary, left: Any, right: Any, budget: Budget) -> Any:
    """What an operator makes of two values; `and` and `or` are no such operators."""
    if type(left) is int and type(right) is int and expr.op in _WHOLE:
        return bounded(expr, _WHOLE[expr.op](left, right))
    if isinstance(left, (list, tuple)) or isinstance(right, (list, tuple)):
        return _list_arithmetic(expr, left, right, budget)
    need_number(expr.left, left, expr.op)
    need_number(expr.right, right, expr.op)
    for number, size in ((left, right), (right, left)):
        if isinstance(number, float) and isinstance(size, Dim):
            message = f"{expr.op} of the free size {show(size)} takes whole numbers, not {number!r}"
            raise bad_value(expr, message)
    if expr.op == "/" and (isinstance(left, Dim) or isinstance(right, Dim)):
        raise bad_value(
            expr, "a free size is divided into whole numbers", help="write // in the place of /"
        )
    try:
        if expr.op == "**":
            return _power(expr, left, right)
        if expr.op in ("*", "%", "//"):
            _need_few_terms(expr, left, right)
        return bounded(expr, _ARITHMETIC[expr.op](left, right))
    except ZeroDivisionError:
        raise bad_value(expr, "division by zero", text="the divisor is 0") from None
    except OverflowError:
        raise bad_value(expr, "the number is too large") from None
    except DimError as problem:
        raise bad_value(expr, str(problem)) from None


def need_number(expr: ast.Expr, value: Any, op: str) -> None:
    """Raise Stop where an operand is no number and no free size."""
    if isinstance(value, bool) or not isinstance(value, (int, float, Dim)):
        raise bad_value(expr, f"{op} needs numbers, and this is {describe(value)}")


def _need_few_terms(expr: ast.Binary, left: Any, right: Any) -> None:
    terms = [len(side.terms) if isinstance(side, Dim) else 1 for side in (left, right)]
    if terms[0] * terms[1] > MOST_TERMS:
        raise Stop(
            Diagnostic(
                "too-large",
                "this size has too many terms when it is multiplied out",
                span=expr.span,
                text=f"more than {MOST_TERMS:,}",
            )
        )


def _list_arithmetic(expr: ast.Binary, left: Any, right: Any, budget: Budget) -> Any:
    if expr.op == "+" and type(left) is type(right):
        if len(left) + len(right) > LONGEST_LIST:
            raise too_long(expr, len(left) + len(right))
        budget.spend(expr.span, (len(left) + len(right)) // 4)
        return left + right
    if expr.op == "*":
        items, count = (left, right) if isinstance(left, (list, tuple)) else (right, left)
        if isinstance(count, int) and not isinstance(count, bool):
            if len(items) * max(count, 0) > LONGEST_LIST:
                raise too_long(expr, len(items) * count)
            budget.spend(expr.span, len(items) * max(count, 0) // 4)
            return items * count
    raise bad_value(expr, f"{describe(left)} {expr.op} {describe(right)} has no meaning")


def _power(expr: ast.Binary, base: Any, exponent: Any) -> Any:
    if isinstance(base, Dim) and isinstance(exponent, int) and 0 <= exponent <= 8:
        result: Any = 1
        for _ in range(exponent):
            _need_few_terms(expr, result, base)
            result = bounded(expr, result * base)
        return result
    if isinstance(base, Dim) or isinstance(exponent, Dim):
        raise bad_value(expr, "a power of a free size must be a small whole number")
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    if base not in (0, 1, -1) and abs(exponent) * max(1.0, abs(math.log2(abs(base)))) > 1100:
        raise bad_value(expr, "the number is too large", text="a power this high is out of range")
    result = base**exponent
    if isinstance(result, complex):
        raise bad_value(expr, "the power of a negative number by a fraction has no real value")
    return bounded(expr, result)


def compared(expr: ast.Compare, op: str, left: Any, right: Any, budget: Budget) -> bool:
    """Whether a comparison of two values holds."""
    if op in ("in", "not in"):
        if not isinstance(right, (list, tuple, range)):
            raise bad_value(expr, f"`{op}` needs a list, and this is {describe(right)}")
        found = any(_same(expr, left, item, budget) for item in right)
        return found == (op == "in")
    free = [v for v in (left, right) if isinstance(v, Dim)]
    if free and left != right:
        raise free_condition(expr, free[0])
    if op in ("==", "!="):
        return _same(expr, left, right, budget) == (op == "==")
    numbers = all(isinstance(v, (int, float, Dim)) for v in (left, right))
    if free:
        return op in ("<=", ">=")
    if not numbers:
        raise bad_value(expr, f"{describe(left)} {op} {describe(right)} has no meaning")
    return _COMPARISONS[op](left, right)


def _same(expr: ast.Compare, left: Any, right: Any, budget: Budget, depth: int = 0) -> bool:
    """Equality, item by item for lists and for the arguments of layers, within the budget."""
    budget.spend(expr.span)
    if isinstance(left, LayerValue) and isinstance(right, LayerValue):
        if left.target is not right.target or left.named.keys() != right.named.keys():
            return False
        left, right = (_arguments(layer) for layer in (left, right))
    if not isinstance(left, (list, tuple)) or not isinstance(right, (list, tuple)):
        return bool(left == right)
    if depth > DEEPEST_LIST:
        raise bad_value(expr, f"lists nested more than {DEEPEST_LIST} deep are not compared")
    if type(left) is not type(right) or len(left) != len(right):
        return False
    pairs = zip(left, right, strict=True)
    return all(_same(expr, one, two, budget, depth + 1) for one, two in pairs)


def _arguments(layer: LayerValue) -> list[Any]:
    """What is bound to a layer, in an order that does not depend on how it was written."""
    named = [layer.named[name].value for name in sorted(layer.named)]
    return [[bound.value for bound in layer.positional], named]


def free_condition(expr: ast.Node, size: Dim) -> Stop:
    """The error for a condition that is known only when the network runs."""
    return Stop(
        Diagnostic(
            "free-size",
            f"a condition cannot depend on the free size {show(size)}",
            span=expr.span,
            text="decided when the specification is read, not while the network runs",
            help="fix the size in the input, or make it a parameter",
        )
    )
