"""For which values of one free size an expression is zero, not negative, or divisible.

Expressions of ``+``, ``-`` and floor divisions repeat themselves: some period ``P`` and
growth ``D`` have ``e(s + P) == e(s) + D`` for every ``s``, so that one period tells all
sizes, exactly. Expressions that only rise need not even that: a bisection finds where they
pass zero. What is neither, or repeats too late, gives ``None``: such a condition can be
tried at a size, but is not solved.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import gcd, lcm
from typing import TypeAlias

from archdsl.conditions.size_sets import SizeSet, Stretch
from archdsl.dims import Atom, Dim, Floor, Maximum, Size, Symbol, evaluate, symbols

_LONGEST_PERIOD = 100_000
_LARGEST_SIZE = 2**62

Function: TypeAlias = Callable[[int], int]


@lru_cache(maxsize=4096)
def sizes_where_zero(size: Dim) -> SizeSet | None:
    """The values of the one free size at which the expression is 0."""
    value = _function(size)
    direction = _direction(size)
    if direction:
        rising: Function = value if direction > 0 else lambda s: -value(s)
        first = _first_not_negative(rising)
        after = _first_not_negative(lambda s: rising(s) - 1)
        if first is None:
            return SizeSet.between(1, 0)
        return SizeSet.between(first, _LARGEST_SIZE if after is None else after - 1)
    growth = _period_and_growth(size)
    return growth and _solve_by_class(value, *growth, _zero_in_class)


@lru_cache(maxsize=4096)
def sizes_where_not_negative(size: Dim) -> SizeSet | None:
    """The values of the one free size at which the expression is 0 or more."""
    value = _function(size)
    direction = _direction(size)
    if direction > 0:
        first = _first_not_negative(value)
        return SizeSet.between(1, 0) if first is None else SizeSet.between(first)
    if direction < 0:
        after = _first_not_negative(lambda s: -value(s) - 1)
        return SizeSet.between(1, None if after is None else after - 1)
    growth = _period_and_growth(size)
    return growth and _solve_by_class(value, *growth, _not_negative_in_class)


@lru_cache(maxsize=4096)
def sizes_where_divisible(size: Dim, divisor: int) -> SizeSet | None:
    """The values of the one free size at which the expression is a multiple of the divisor."""
    straight = _straight_line(size)
    if straight is not None:
        return _solve_congruence(*straight, divisor)
    period = _residue_period(size, divisor)
    if period is None or period > _LONGEST_PERIOD:
        return None
    value = _function(size)
    good = [s for s in range(1, period + 1) if value(s) % divisor == 0]
    return SizeSet.of(period, {s % period: (s, None) for s in good})


def _function(size: Dim) -> Function:
    (name,) = symbols(size)
    return lambda s: evaluate(size, {name: s})


def _direction(size: Dim) -> int:
    """1 where the expression is seen never to fall, -1 where never to rise, otherwise 0."""
    signs = {c > 0 for monomial, c in size.terms.items() if monomial}
    if len(signs) > 1:
        return 0
    for monomial in size.terms:
        for atom in monomial:
            if not _rises(atom) or (len(monomial) > 1 and _at_one(atom) < 0):
                return 0
    return 1 if signs == {True} else -1


def _rises(atom: Atom) -> bool:
    if isinstance(atom, Symbol):
        return True
    if isinstance(atom, Floor):
        return _direction(atom.numerator) > 0
    return all(isinstance(side, int) or _direction(side) > 0 for side in (atom.left, atom.right))


def _at_one(atom: Atom) -> int:
    size = Dim({(atom,): 1})
    return evaluate(size, dict.fromkeys(symbols(size), 1))


def _first_not_negative(rising: Function) -> int | None:
    high = 1
    while rising(high) < 0:
        high *= 2
        if high > _LARGEST_SIZE:
            return None
    low = high // 2
    while low + 1 < high:
        middle = (low + high) // 2
        if rising(middle) < 0:
            low = middle
        else:
            high = middle
    return high


def _period_and_growth(size: Size) -> tuple[int, int] | None:
    """``(P, D)`` with ``e(s + P) == e(s) + D`` for all ``s``, of an expression of degree 1."""
    if isinstance(size, int):
        return 1, 0
    parts: list[tuple[int, int]] = []
    for monomial, coefficient in size.terms.items():
        if not monomial:
            continue
        if len(monomial) > 1 or isinstance(monomial[0], Maximum):
            return None
        if isinstance(monomial[0], Symbol):
            parts.append((1, coefficient))
            continue
        inner = _period_and_growth(monomial[0].numerator)
        if inner is None:
            return None
        period, growth = inner
        times = monomial[0].divisor // gcd(growth, monomial[0].divisor)
        parts.append((period * times, coefficient * (growth * times // monomial[0].divisor)))
    period = lcm(*(p for p, _ in parts))
    if period > _LONGEST_PERIOD:
        return None
    return period, sum(growth * (period // p) for p, growth in parts)


def _solve_by_class(
    value: Function,
    period: int,
    growth: int,
    solve: Callable[[int, int], tuple[int, int | None] | None],
) -> SizeSet:
    """In each class modulo the period the value is ``value(s) + m * growth``: solve for ``m``."""
    classes: dict[int, Stretch] = {}
    for size in range(1, period + 1):
        steps = solve(value(size), growth)
        if steps is not None:
            first, last = steps
            end = None if last is None else size + last * period
            classes[size % period] = size + first * period, end
    return SizeSet.of(period, classes)


def _zero_in_class(start: int, growth: int) -> tuple[int, int | None] | None:
    if growth == 0:
        return (0, None) if start == 0 else None
    steps, left_over = divmod(-start, growth)
    return (steps, steps) if left_over == 0 and steps >= 0 else None


def _not_negative_in_class(start: int, growth: int) -> tuple[int, int | None] | None:
    if growth > 0:
        return max(0, -(start // growth)), None
    if start < 0:
        return None
    return (0, start // -growth) if growth < 0 else (0, None)


def _straight_line(size: Dim) -> tuple[int, int] | None:
    """``(a, b)`` of an expression ``a*s + b``."""
    slopes = {monomial: c for monomial, c in size.terms.items() if monomial}
    if len(slopes) != 1:
        return None
    (monomial, slope), *_ = slopes.items()
    if len(monomial) != 1 or not isinstance(monomial[0], Symbol):
        return None
    return slope, size.constant


def _solve_congruence(slope: int, constant: int, divisor: int) -> SizeSet:
    common = gcd(slope, divisor)
    if constant % common:
        return SizeSet.between(1, 0)
    modulus = divisor // common
    remainder = -constant // common * pow(slope // common, -1, modulus) % modulus
    return SizeSet(modulus, {remainder: ((remainder - 1) % modulus + 1, None)})


def _residue_period(size: Size, divisor: int) -> int | None:
    """After how many steps the remainder modulo the divisor repeats itself."""
    if isinstance(size, int):
        return 1
    period = 1
    for monomial, coefficient in size.terms.items():
        counts = divisor // gcd(coefficient, divisor)
        for atom in monomial:
            if isinstance(atom, Maximum):
                return None
            if isinstance(atom, Symbol):
                period = lcm(period, counts)
                continue
            inner = _residue_period(atom.numerator, counts * atom.divisor)
            if inner is None:
                return None
            period = lcm(period, inner)
    return period
