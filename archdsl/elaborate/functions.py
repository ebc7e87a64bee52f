"""The functions of the language: the few pure ones that an expression can call."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from archdsl.dims import Dim
from archdsl.elaborate.bounds import LONGEST_LIST, Budget, bad_value, bounded, too_long
from archdsl.ops.arguments import describe
from archdsl.syntax import ast

MOST_PLACES = 400  # that are rounded to: no float has more before or behind its point


class _TooLongError(Exception):
    def __init__(self, length: int) -> None:
        super().__init__(length)
        self.length = length


def _list(values: Any) -> list[Any]:
    if isinstance(values, range) and (length := _range_length(values)) > LONGEST_LIST:
        raise _TooLongError(length)
    if not isinstance(values, (list, tuple, range)):
        raise ValueError("needs a list")
    return list(values)


def _numbers(values: tuple[Any, ...]) -> list[Any]:
    items = _list(values[0]) if len(values) == 1 else list(values)
    if not items or any(isinstance(v, bool) or not isinstance(v, (int, float)) for v in items):
        raise ValueError("needs numbers")
    return items


def _range(*values: Any) -> list[int]:
    if not 1 <= len(values) <= 3 or any(
        isinstance(v, bool) or not isinstance(v, int) for v in values
    ):
        raise ValueError("needs one to three whole numbers")
    return _list(range(*values))


def _range_length(values: range) -> int:
    """The length of a range, which ``len`` refuses to tell beyond a machine word."""
    towards = 1 if values.step > 0 else -1
    return max(0, (values.stop - values.start + values.step - towards) // values.step)


def _zip(*lists: Any) -> list[Any]:
    columns = [_list(values) for values in lists]
    if len({len(column) for column in columns}) > 1:
        lengths = " and ".join(str(len(column)) for column in columns)
        raise ValueError(f"the lists have different lengths: {lengths}")
    return list(zip(*columns, strict=True))


def _round(value: Any, digits: Any = None) -> Any:
    number = _numbers((value, 0))[0]
    if digits is None:
        return round(number)
    places = _numbers((digits, 0))[0]
    if not isinstance(places, int):
        raise ValueError("needs a whole number of places")
    return round(number, max(-MOST_PLACES, min(places, MOST_PLACES)))


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "range": _range,
    "len": lambda values: len(_list(values)),
    "enumerate": lambda values, start=0: [
        (i + _numbers((start, 0))[0], v) for i, v in enumerate(_list(values))
    ],
    "zip": _zip,
    "min": lambda *values: min(_numbers(values)),
    "max": lambda *values: max(_numbers(values)),
    "sum": lambda values: sum(_numbers((_list(values),))) if values else 0,
    "round": _round,
    "floor": lambda value: math.floor(_numbers((value, 0))[0]),
    "ceil": lambda value: math.ceil(_numbers((value, 0))[0]),
    "reversed": lambda values: _list(values)[::-1],
}


def apply_function(expr: ast.Call, name: str, values: Sequence[Any], budget: Budget) -> Any:
    """What a function gives for these arguments. Raises Stop where it cannot take them."""
    for value in values:
        if isinstance(value, (list, tuple, range)):
            budget.spend(expr.span, len(value) // 4)
    if any(isinstance(v, Dim) for v in values):
        raise bad_value(expr, f"{name} of a free size is not known when the specification is read")
    try:
        result = FUNCTIONS[name](*values)
    except _TooLongError as problem:
        raise too_long(expr, problem.length) from None
    except OverflowError:
        raise bad_value(expr, "the number is too large") from None
    except (TypeError, ValueError, ZeroDivisionError) as problem:
        shown = ", ".join(describe(v) for v in values)
        along = name in ("max", "min") and len(values) == 1 and isinstance(values[0], int)
        raise bad_value(
            expr,
            f"{name} cannot take ({shown})",
            text=_own_words(str(problem)),
            help=f"along an axis of a tensor it is a{name}({shown})" if along else "",
        ) from None
    if isinstance(result, list):
        budget.spend(expr.span, len(result) // 4)
    return bounded(expr, result)


def _own_words(problem: str) -> str:
    return problem if problem.startswith(("needs", "the lists")) else ""
