"""The sets of one free size that conditions admit, against trying every size."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, product

import pytest

from archdsl.conditions import at_least, decide, divisible, equal, holds
from archdsl.conditions.admissible import (
    sizes_where_divisible,
    sizes_where_not_negative,
    sizes_where_zero,
)
from archdsl.conditions.condition import Condition, meet_by_chance
from archdsl.conditions.size_sets import SizeSet
from archdsl.dims import Dim, Size, evaluate, maximum, minimum, symbol

H, W = symbol("H"), symbol("W")
TRIED = range(1, 121)
LARGEST = 2**62
DIVISORS = (1, 2, 3, 4, 6, 9, 10)


def straight_lines() -> Iterator[Size]:
    for slope, shift in product((-6, -4, -1, 1, 2, 3, 10), range(-7, 8)):
        yield slope * H + shift


def floors() -> Iterator[Size]:
    for (times, before), divisor, (by, slope, shift) in product(
        [(1, 0), (1, 1), (2, 1), (3, -2)],
        [2, 3, 4],
        [(1, 0, -5), (2, -1, 1), (-3, 1, 0), (-1, 0, 6), (2, 0, -7), (4, -3, 0), (-2, -1, 30)],
    ):
        yield by * ((times * H + before) // divisor) + slope * H + shift


def nested() -> Iterator[Size]:
    for inner, middle, outer in product((2, 3), (3, 4), (2, 5)):
        yield (2 * ((H + 1) // inner) + (H // middle) - 3) // outer - 4
        yield 5 * (H // (inner * middle)) - 3 * (H // outer) + 1
        yield (H // inner) % outer - 1
        yield (H // inner - H // middle + 1) // outer - 2


def products() -> Iterator[Size]:
    for divisor, shift in product((2, 3, 4), (-90, -36, 1)):
        half = (H + 1) // divisor
        yield H * H + shift
        yield 3 * H * H + H + shift
        yield H * half + shift
        yield -2 * H * half - shift
        yield half * half - 4 * H + shift
        yield half * half * half + shift


def maxima() -> Iterator[Size]:
    """Of sides of which each is the larger somewhere: below 0 at first, or falling."""
    above, steps = maximum(H - 20, 2 * (H // 5) - 9), maximum(H - 2, H * H - 30)
    falling, valley = maximum(3 - H, -4 - (H // 2)), maximum(9 - H, H - 20)
    for inner in (above, steps, falling, valley, maximum(H, 7), maximum(30 - H, 7)):
        yield from (inner - 3, 2 * inner + H, -inner - 6, inner // 3 - 1, H * inner - 3)
        yield from (inner * inner - 1, inner * inner - 36, (H // 4) * inner, -(inner // 2))
        yield (inner // 2) * (H + 3) - 8
    yield minimum(H, 12) * steps - 4
    for inner in (maximum(2 * H - 40, 9 - H), maximum(9 * H - H * H, 3)):
        yield from (inner - 3, inner // 3 + H - 7, 2 * inner - 9)


FAMILIES: list[Callable[[], Iterator[Size]]] = [straight_lines, floors, nested, products, maxima]


def tried(size: Size, good: Callable[[int], bool]) -> list[int]:
    return [n for n in TRIED if good(evaluate(size, {"H": n}))]


def divisible_by(divisor: int) -> Callable[[int], bool]:
    return lambda value: value % divisor == 0


def members(of: SizeSet) -> list[int]:
    """By membership and by listing: both must tell the same."""
    found = [n for n in TRIED if n in of]
    listed = []
    for size in of:
        if size not in TRIED:
            break
        listed.append(size)
    assert listed == found
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_the_sets_are_those_that_trying_finds(family: Callable[[], Iterator[Size]]) -> None:
    for size in family():
        if not isinstance(size, Dim):
            continue
        zero, positive = sizes_where_zero(size), sizes_where_not_negative(size)
        if family in (straight_lines, floors, nested):
            assert zero is not None
            assert positive is not None
        if zero is not None:
            assert members(zero) == tried(size, lambda value: value == 0), size
        if positive is not None:
            assert members(positive) == tried(size, lambda value: value >= 0), size
        for divisor in DIVISORS:
            multiples = sizes_where_divisible(size, divisor)
            assert (multiples is None) <= (family is maxima)
            if multiples is not None:
                good = tried(size, divisible_by(divisor))
                assert members(multiples) == good, (size, divisor)


@pytest.mark.parametrize(
    "size",
    [
        H * H - 50,
        30 - H * (H // 2),
        H // 1009 + H // 1013 - 5,  # repeats itself after more than is tried, but only rises
        7 - H // 1009 - H // 1013,
        (H // 1009 + H // 1013) // 2 - 3,
        maximum(H - 20, 2 * (H // 5) - 9) - 3,
        H * maximum(H, 7) - 77,
        (maximum(H, 7) + H) // 3 - 5,
    ],
)
def test_what_only_rises_or_falls_is_solved_whatever_its_period(size: Dim) -> None:
    zero, positive = sizes_where_zero(size), sizes_where_not_negative(size)
    assert zero is not None
    assert positive is not None
    assert members(zero) == tried(size, lambda value: value == 0)
    assert members(positive) == tried(size, lambda value: value >= 0)
    for n in (*range(2_500, 4_200), 10**9):
        value = evaluate(size, {"H": n})
        assert ((n in zero), (n in positive)) == (value == 0, value >= 0)


def test_a_bisection_goes_up_to_the_largest_size_and_no_farther() -> None:
    for at, admitted in ((LARGEST, [LARGEST]), (LARGEST + 1, [])):
        zero, positive = sizes_where_zero(H - at), sizes_where_not_negative(H - at)
        assert zero is not None
        assert positive is not None
        assert list(islice(zero, 3)) == admitted
        assert positive.empty == (not admitted)
        assert (LARGEST in positive) == bool(admitted)
        below = sizes_where_not_negative(at - H)
        assert below is not None
        assert LARGEST in below


@pytest.mark.parametrize(
    "size",
    [
        H // 1009 - H // 1013,  # repeats itself too late
        H * H - 5 * H,  # falls, then rises
        maximum(9 - H, H - 20) - 3,
        maximum(H - 20, 2 * (H // 5) - 9) - H,
        H * maximum(H - 20, 2 * (H // 5) - 9) + 3,
        (H - 6 * (H // 5)) // 2 * H + 5,
        (H // 1009 - 3 * (H // 1013)) // 2 + 1,
    ],
)
def test_what_cannot_be_told_from_one_period_is_not_solved(size: Dim) -> None:
    assert sizes_where_zero(size) is None
    assert sizes_where_not_negative(size) is None


@pytest.mark.parametrize(
    ("size", "divisor", "is_solved"),
    [
        (H * H, 100_000, True),
        (H * H, 99_999, True),
        (H * H, 100_003, False),
        (4 * H * H, 400_000, True),
        (H * (H // 317), 317, False),
        (maximum(9 - H, H - 20), 3, False),
        (2 * (maximum(9 - H, H - 20) // 2), 3, False),
        (3 * maximum(9 - H, H - 20) // 2, 3, False),
    ],
)
def test_remainders_are_told_from_a_period_that_is_not_too_long(
    size: Dim, divisor: int, is_solved: bool
) -> None:
    found = sizes_where_divisible(size, divisor)
    assert (found is not None) == is_solved
    if found is not None:
        assert all((n in found) == (evaluate(size, {"H": n}) % divisor == 0) for n in range(1, 999))


@pytest.mark.parametrize(
    "size",
    [
        (2 * (H // 997) + H) // 999 - H // 997,  # after 997 sizes, not after 997 · 999
        H % 100_000 - 5,
    ],
)
def test_a_period_is_no_longer_than_it_must_be(size: Dim) -> None:
    found = sizes_where_zero(size)
    assert found is not None
    assert members(found) == tried(size, lambda value: value == 0)


def test_congruences_of_all_small_moduli() -> None:
    for slope, shift, divisor in product(range(-7, 14), range(-6, 7), range(1, 13)):
        if slope:
            size = H * slope + shift
            assert isinstance(size, Dim)
            found = sizes_where_divisible(size, divisor)
            assert found is not None
            good = [n for n in range(1, 40) if (slope * n + shift) % divisor == 0]
            assert [n for n in range(1, 40) if n in found] == good, (slope, shift, divisor)
            assert list(zip(found, good, strict=False)) == [(n, n) for n in good]


# Conditions ------------------------------------------------------------------------


def sides() -> list[Size]:
    """Of one free size and of two, with factors in common and without."""
    of_one = [H, 2 * H, 3 * H + 1, H // 2, (H + 1) // 2, H * H, H * H + 3 * H, 5 - H, H % 3]
    of_two = [H * W, 2 * H * W, W, 6 * W + 2 * H, W // 2 + H, H * H * W, W * (H + 1), H * W + 2 * W]
    return [*of_one, *of_two, -3, 0, 1, 2, 7, 12]


SMALL = [{"H": h, "W": w} for h, w in product(range(1, 19), range(1, 15))]


@pytest.mark.parametrize("ask", [equal, at_least, divisible])
def test_what_is_decided_and_what_matters_is_so_at_every_small_size(
    ask: Callable[[Size, Size], Condition],
) -> None:
    """An essence holds where its condition does, and what it leaves out never matters."""
    meaning: dict[str, Callable[[int, int], bool]] = {
        "equal": lambda left, right: left == right,
        "at_least": lambda left, right: left >= right,
        "divisible": lambda left, right: right > 0 and left % right == 0,
    }
    judge = meaning[ask.__name__]
    for left, right in product(sides(), sides()):
        condition = ask(left, right)
        kind, size, divisor = condition.essence
        assert kind == ask.__name__
        truth = [judge(evaluate(left, at), evaluate(right, at)) for at in SMALL]
        assert [holds(condition, at) for at in SMALL] == truth, str(condition)
        right_sides = [evaluate(divisor, at) if kind == "divisible" else 0 for at in SMALL]
        pairs = zip((evaluate(size, at) for at in SMALL), right_sides, strict=True)
        assert [judge(value, by) for value, by in pairs] == truth, str(condition)
        decided = decide(condition)
        if decided is not None:
            assert set(truth) == {decided}, str(condition)


@pytest.mark.parametrize(
    ("condition", "decided"),
    [
        (equal(H + 3, H + 3), True),
        (equal(2 * H, 2 * W + 1), False),
        (equal(6 * H + 3 * W, 3 * W), False),
        (equal(H * W, -3), False),
        (equal(H, W), None),
        (equal(H * W, 1), None),
        (equal(H * W, 0), False),
        (at_least(H * W, 1), True),
        (at_least(H * W, 2), None),
        (at_least(0, H * W), False),
        (at_least(0, H * W + W - 1), False),
        (at_least(0, H * W + W - 2), None),
        (equal(H * W + W, 1), False),
        (equal(H * W + W, 2), None),
        (at_least(1, H * W), None),
        (at_least(H + W, H + W), True),
        (divisible(6 * H * W, 3), True),
        (divisible(6 * H * W + 1, 3), False),
        (divisible(6 * H * W + 1, 4), False),
        (divisible(6 * H * W + 2, 4), None),
        (divisible(H * W, W), True),
        (divisible(H * W + 1, W), None),
        (divisible(H, 1 - W), False),
        (divisible(H, W - 1), None),
        (divisible(7, H), None),
        (divisible(12, 0), False),
        (divisible(12, -3), False),
        (divisible(12, 5), False),
        (divisible(H * W, 0), False),
        (divisible(H * W, -2), False),
        (divisible(H * H + H, 2), True),
        (divisible(H * H + 1, 3), False),
        (at_least(H * H + 1, 2 * H), True),
        (at_least(H // 2 - (H + 1) // 3, 0), True),
        (at_least(H // 2 - (H + 2) // 3, 0), None),
        (at_least((H + 1) // 2 - H // 3, 0), True),
        (at_least(H // 3 - (H + 1) // 2, 0), False),
    ],
)
def test_what_is_decided(condition: Condition, decided: bool | None) -> None:
    assert decide(condition) is decided


def test_sizes_meet_by_chance_where_they_are_equal_at_a_few_sizes_alone() -> None:
    """Growth is told apart far out: at a million periods, which no short list of sizes reaches."""
    chains = [H, H + 1, H // 2, (H + 1) // 2, H // 3, 2 * (H // 2), H - H % 4, 9, 2 * H - 5, H - 3]
    for left, right in product(chains, chains):

        def equal_at(sizes: range, left: Size = left, right: Size = right) -> bool:
            return any(evaluate(left, {"H": n}) == evaluate(right, {"H": n}) for n in sizes)

        if isinstance(left, int) or isinstance(right, int):
            assert not meet_by_chance(left, right)  # a size that is fixed is asked for
        elif equal_at(range(1, 60)):
            far = range(12 * 10**6, 12 * 10**6 + 12)
            assert meet_by_chance(left, right) == (not equal_at(far)), (left, right)
    assert meet_by_chance(2 * H + W, W + 5 + H)  # W has no part in it
    assert meet_by_chance(H * W, W)
    assert not meet_by_chance(H, W)
    assert not meet_by_chance(H, W + H // 2)
    assert not meet_by_chance(H * H * W, H * W * W)
    assert not meet_by_chance(H // 1009, H // 1013 + (H % 2))  # whether they do is not told
