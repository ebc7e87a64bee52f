"""A condition on sizes: what a shape rule asks where a free size decides whether it runs."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from math import gcd
from typing import Literal, NamedTuple

from archdsl.conditions.admissible import (
    sizes_where_divisible,
    sizes_where_not_negative,
    sizes_where_zero,
)
from archdsl.conditions.size_sets import SizeSet
from archdsl.diagnostics import Span
from archdsl.dims import (
    Dim,
    Size,
    Symbol,
    evaluate,
    exact_quotient,
    minimum_value,
    show,
    symbols,
)
from archdsl.records import record

Kind = Literal["equal", "at_least", "divisible"]


class Essence(NamedTuple):
    """What a condition comes down to: ``size`` is zero, not negative, or divisible.

    Conditions with the same essence hold at the same sizes. ``free`` are the free sizes
    that matter; others may stand in the condition and cancel out.
    """

    kind: Kind
    size: Size
    divisor: Size = 1

    @property
    def free(self) -> frozenset[str]:
        return symbols(self.size) | symbols(self.divisor)


@record(frozen=True)
class Condition:
    """``left == right``, ``left >= right`` or ``left % right == 0``, and who asks for it."""

    kind: Kind
    left: Size
    right: Size
    reason: str = ""
    span: Span | None = None

    @property
    def symbols(self) -> frozenset[str]:
        return symbols(self.left) | symbols(self.right)

    @cached_property
    def essence(self) -> Essence:
        if self.kind == "divisible":
            return Essence("divisible", _remainder(self.left, self.right), self.right)
        return Essence(self.kind, _primitive(self.left - self.right, self.kind))

    def __str__(self) -> str:
        """The condition as maths, for people: ``H*W must be a multiple of 4``."""
        left, right = show(self.left), show(self.right)
        if self.kind == "equal":
            return f"{left} must equal {right}"
        if self.kind == "at_least":
            return f"{left} must be at least {right}"
        return f"{left} must be a multiple of {right}"


def equal(left: Size, right: Size, reason: str = "", span: Span | None = None) -> Condition:
    """The two sizes must be the same."""
    return Condition("equal", left, right, reason, span)


def at_least(left: Size, right: Size, reason: str = "", span: Span | None = None) -> Condition:
    """The left size must not be smaller than the right one."""
    return Condition("at_least", left, right, reason, span)


def divisible(left: Size, right: Size, reason: str = "", span: Span | None = None) -> Condition:
    """The left size must be a multiple of the right one."""
    return Condition("divisible", left, right, reason, span)


def holds(condition: Condition, sizes: Mapping[str, int]) -> bool:
    """Whether the condition holds at these sizes."""
    left, right = evaluate(condition.left, sizes), evaluate(condition.right, sizes)
    if condition.kind == "equal":
        return left == right
    if condition.kind == "at_least":
        return left >= right
    return right > 0 and left % right == 0


def decide(condition: Condition) -> bool | None:
    """Whether the condition holds whatever the free sizes are, or never; otherwise ``None``."""
    if isinstance(condition.left, int) and isinstance(condition.right, int):
        return holds(condition, {})
    essence = condition.essence
    if essence.kind == "divisible":
        decided = _decide_divisible(essence.size, essence.divisor)
    else:
        decided = _decide_sign(essence.kind, essence.size)
    if decided is None and len(essence.free) == 1:
        sizes = admitted(condition)
        if sizes is not None and (sizes.empty or sizes.everything):
            return sizes.everything
    return decided


def admitted(condition: Condition) -> SizeSet | None:
    """The good values of the one free size of a condition, where they can be told."""
    kind, size, divisor = condition.essence
    if isinstance(size, int):
        return None
    if kind == "equal":
        return sizes_where_zero(size)
    if kind == "at_least":
        return sizes_where_not_negative(size)
    return sizes_where_divisible(size, divisor) if isinstance(divisor, int) else None


def meet_by_chance(left: Size, right: Size) -> bool:
    """Whether two sizes that depend on one free size are equal at a few of its values alone.

    So it is where they grow differently: ⌈H/2⌉ is H where H is 1, and nobody means that.
    """
    condition = equal(left, right)
    if not symbols(left) & symbols(right) or len(condition.essence.free) != 1:
        return False
    sizes = admitted(condition)
    return sizes is not None and all(last is not None for _, last in sizes.classes.values())


def _decide_sign(kind: Kind, size: Size) -> bool | None:
    if isinstance(size, int):
        return size == 0 or (size > 0 and kind == "at_least")
    least, negated = minimum_value(size), minimum_value(-size)
    if negated is not None and negated > 0:
        return False
    if kind == "equal":
        return False if least is not None and least > 0 else None
    return True if least is not None and least >= 0 else None


def _decide_divisible(size: Size, divisor: Size) -> bool | None:
    least, negated = minimum_value(divisor), minimum_value(-divisor)
    if negated is not None and negated >= 0:
        return False
    if least is None or least < 1:
        return None
    if exact_quotient(size, divisor) is not None:
        return True
    if isinstance(size, int) and isinstance(divisor, int):
        return size % divisor == 0
    if isinstance(size, Dim) and isinstance(divisor, int):
        common = gcd(divisor, *(c for monomial, c in size.terms.items() if monomial))
        return False if size.constant % common else None
    return None


def _primitive(difference: Size, kind: Kind) -> Size:
    """The difference without the positive factors that all its terms share."""
    if isinstance(difference, int):
        return difference
    shared = gcd(*(c for monomial, c in difference.terms.items() if monomial))
    if kind == "equal" and difference.constant % shared:
        return 1
    size = difference // shared
    if isinstance(size, int) or size.constant:
        return size
    first = next(iter(size.terms))
    for atom in dict.fromkeys(first):
        while isinstance(atom, Symbol) and isinstance(size, Dim):
            quotient = exact_quotient(size, Dim({(atom,): 1}))
            if quotient is None:
                break
            size = quotient
    return size


def _remainder(size: Size, divisor: Size) -> Size:
    """The size without the terms that every multiple of the divisor has."""
    if isinstance(size, int) or not isinstance(divisor, int) or divisor < 1:
        return size
    total: Size = 0
    for monomial, coefficient in size.terms.items():
        rest = coefficient % divisor
        if rest:
            total = total + (Dim({monomial: rest}) if monomial else rest)
    return total
