"""Names of the generated source: classes, variables, and Python text for values."""

from __future__ import annotations

import ast as python_ast
import keyword
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

from archdsl.ops.torch_text import Construct, Verbatim
from archdsl.syntax import ast

TAKEN = frozenset(
    "torch nn F Tensor NamedTuple OrderedDict math self super range getattr __debug__"
    " __class__".split()
)
"""What the source means itself, its loops by range and getattr.

Nor may `__debug__` be bound, nor `__class__` where super() is.
"""


def class_name(name: str) -> str:
    """``double_conv`` as a class: ``DoubleConv``."""
    words = [w for w in re.split(r"_+", name) if w]
    text = "".join(w[:1].upper() + w[1:] for w in words) or "Network"
    if text[0].isdigit() or text in TAKEN or keyword.iskeyword(text):
        text = f"{text}Module" if not text[0].isdigit() else f"Module{text}"
    return text


def variable(name: str) -> str:
    """A name of the language as a Python variable."""
    return f"{name}_" if keyword.iskeyword(name) or name in TAKEN else name


def field_name(name: str) -> str:
    """A name of the language as a field of a named tuple: no keyword, no underscore in front."""
    text = name.lstrip("_") or "output"
    return f"{text}_" if keyword.iskeyword(text) or text[0].isdigit() else text


def unique(name: str, taken: set[str]) -> str:
    """The name, with a number behind it where it is taken."""
    result, number = name, 1
    while result in taken:
        number += 1
        result = f"{name}{number}"
    taken.add(result)
    return result


def python(value: Any) -> str:
    """A constant as Python source."""
    if type(value) is int or type(value) is bool:  # nearly all are
        return repr(value)
    if isinstance(value, Verbatim):
        return value.text
    if isinstance(value, Construct):
        return construct(value)
    if isinstance(value, tuple):
        inner = ", ".join(python(v) for v in value)
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, list):
        return f"[{', '.join(python(v) for v in value)}]"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        return _float(value)
    return repr(value)


def _quoted(value: str) -> str:
    """A string with double quotes, as formatters write it."""
    single = repr(value)
    if single.startswith("'") and '"' not in value:
        return f'"{single[1:-1]}"'
    return single


def _float(value: float) -> str:
    text = repr(value)
    return text.replace("e-0", "e-").replace("e+0", "e")


def construct(call: Construct) -> str:
    """A constructor call of constants alone."""
    parts = []
    for argument in call.arguments:
        if argument.omitted:
            continue
        text = python(argument.value)
        parts.append(f"{argument.keyword}={text}" if argument.keyword else text)
    return f"{call.callee}({', '.join(parts)})"


_LEVELS = {
    "or": 1,
    "and": 2,
    "not": 3,
    "compare": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "//": 6,
    "%": 6,
}


def expression(expr: ast.Expr, rename: dict[str, str], level: int = 0) -> str:
    """An expression over constructor parameters as Python source, with few parentheses."""
    match expr:
        case ast.Literal_(value=value):
            return python(value)
        case ast.Name(id=name):
            return rename.get(name, variable(name))
        case ast.TupleExpr(items=items):
            inner = ", ".join(expression(i, rename) for i in items)
            return f"({inner},)" if len(items) == 1 else f"({inner})"
        case ast.Unary(op=op, operand=operand):
            text = f"{op} " if op == "not" else op
            own = 3 if op == "not" else 7
            return _wrap(text + expression(operand, rename, own), own, level)
        case ast.Binary(op="**", left=left, right=right):
            base, power = expression(left, rename, 9), expression(right, rename, 8)
            simple = all(isinstance(e, (ast.Name, ast.Literal_)) for e in (left, right))
            return _wrap(f"{base}**{power}" if simple else f"{base} ** {power}", 8, level)
        case ast.Binary(op=op, left=left, right=right):
            own = _LEVELS[op]
            text = f"{expression(left, rename, own)} {op} {expression(right, rename, own + 1)}"
            return _wrap(text, own, level)
        case ast.Compare(first=first, rest=rest):
            text = expression(first, rename, 5)
            for op, other in rest:
                text += f" {op} {expression(other, rename, 5)}"
            return _wrap(text, 4, level)
        case ast.Conditional(condition=condition, then=then, otherwise=otherwise):
            text = (
                f"{expression(then, rename, 1)} if {expression(condition, rename, 1)}"
                f" else {expression(otherwise, rename)}"
            )
            return _wrap(text, 0.5, level)
        case _:
            raise ValueError(f"no Python for {type(expr).__name__}")


def _wrap(text: str, own: float, level: float) -> str:
    return f"({text})" if own < level else text


def grouped(text: str) -> str:
    """An expression as a factor: in parentheses where it needs them."""
    weaker = (" + ", " - ", " if ", " // ", " / ", " % ")
    return f"({text})" if any(operation in text for operation in weaker) else text


_PRODUCT = re.compile(r"\w+(\*\*\w+)?( \* \w+(\*\*\w+)?)*")


def times(count: int, text: str) -> str:
    """An expression so many times; ``base * 4`` twice is ``base * 8``."""
    found = _one_number(text)
    if found is None:
        return f"{count} * {grouped(text)}"
    before, number, after = found
    return " * ".join([*before, str(count * number), *after])


def part(text: str, count: int) -> str:
    """One part of so many; the half of ``base * 4`` is ``base * 2``."""
    found = _one_number(text)
    if found is None or found[1] % count:
        return f"{grouped(text)} // {count}"
    before, number, after = found
    left = [str(number // count)] if number > count else []
    return " * ".join([*before, *left, *after])


def _one_number(text: str) -> tuple[list[str], int, list[str]] | None:
    """The one number among the factors of a product, and those before and behind it."""
    factors = text.split(" * ") if _PRODUCT.fullmatch(text) else []
    places = [i for i, factor in enumerate(factors) if factor.isdigit()]
    if len(places) != 1 or len(factors) < 2:
        return None
    return factors[: places[0]], int(factors[places[0]]), factors[places[0] + 1 :]


def value_of(text: str, names: Mapping[str, Any]) -> Any:
    """What an expression of a constructor comes to at given parameters.

    Only what :func:`expression` writes is known: names, numbers, arithmetic, comparisons,
    conditions. Raises ValueError for anything else.
    """
    try:
        return _value_of(python_ast.parse(text, mode="eval").body, names)
    except (SyntaxError, KeyError, TypeError, ArithmeticError) as problem:
        raise ValueError(str(problem)) from None


_OPERATORS: dict[type, Callable[..., Any]] = {
    python_ast.Add: operator.add,
    python_ast.Sub: operator.sub,
    python_ast.Mult: operator.mul,
    python_ast.Div: operator.truediv,
    python_ast.FloorDiv: operator.floordiv,
    python_ast.Mod: operator.mod,
    python_ast.Eq: operator.eq,
    python_ast.NotEq: operator.ne,
    python_ast.Lt: operator.lt,
    python_ast.LtE: operator.le,
    python_ast.Gt: operator.gt,
    python_ast.GtE: operator.ge,
    python_ast.USub: operator.neg,
    python_ast.Not: operator.not_,
}


def _value_of(node: python_ast.expr, names: Mapping[str, Any]) -> Any:
    match node:
        case python_ast.Constant(value=value):
            return value
        case python_ast.Name(id=name):
            return names[name]
        case python_ast.BinOp(left=left, op=python_ast.Pow(), right=right):
            base, power = _value_of(left, names), _value_of(right, names)
            if abs(power) > 64 or abs(base) > 2**16:
                raise ValueError("a power beyond any size")
            return base**power
        case python_ast.BinOp(left=left, op=op, right=right):
            return _OPERATORS[type(op)](_value_of(left, names), _value_of(right, names))
        case python_ast.UnaryOp(op=op, operand=operand):
            return _OPERATORS[type(op)](_value_of(operand, names))
        case python_ast.IfExp(test=test, body=body, orelse=orelse):
            return _value_of(body if _value_of(test, names) else orelse, names)
        case python_ast.Compare(left=left, ops=[op], comparators=[right]):
            return _OPERATORS[type(op)](_value_of(left, names), _value_of(right, names))
        case python_ast.Tuple(elts=items):
            return tuple(_value_of(item, names) for item in items)
        case _:
            raise ValueError(f"no value for {type(node).__name__}")


def expression_names(expr: ast.Expr) -> set[str]:
    """The names in a closed expression."""
    names: set[str] = set()
    _walk_names(expr, names.add)
    return names


def _walk_names(expr: ast.Expr, found: Callable[[str], None]) -> None:
    match expr:
        case ast.Name(id=name):
            found(name)
        case ast.Unary(operand=operand):
            _walk_names(operand, found)
        case ast.Binary(left=left, right=right):
            _walk_names(left, found)
            _walk_names(right, found)
        case ast.Conditional(condition=condition, then=then, otherwise=otherwise):
            for part in (condition, then, otherwise):
                _walk_names(part, found)
        case ast.Compare(first=first, rest=rest):
            _walk_names(first, found)
            for _, other in rest:
                _walk_names(other, found)
        case ast.TupleExpr(items=items) | ast.ListExpr(items=items):
            for item in items:
                _walk_names(item, found)
        case _:
            pass
