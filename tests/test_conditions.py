"""Conditions on free sizes: their solution is exact, short, and names what asks for it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.conditions import Condition, Solution, at_least, decide, divisible, equal, holds, solve
from archdsl.conditions.size_sets import Rule, SizeSet, describe
from archdsl.conditions.solution import _compositions
from archdsl.dims import Dim, Size, symbol

H, W, T = symbol("H"), symbol("W"), symbol("T")


def unet(size: Size, depth: int, decoded: bool = False) -> list[Condition]:
    """What the skips of a U-Net ask; ``decoded``: each join has the size of the decoder."""
    skips = []
    for _ in range(depth):
        skips.append(size)
        size = size // 2
    conditions = [at_least(size, 1, "bottom")]
    for level in reversed(range(depth)):
        conditions.append(equal(skips[level], 2 * size, f"skip {level}"))
        size = 2 * size if decoded else skips[level]
    return conditions


def reasons(conditions: Sequence[Condition]) -> list[str]:
    return [condition.reason for condition in conditions]


@st.composite
def chains(draw: st.DrawFn) -> Size:
    """What convolutions, pools and up-convolutions make of a size."""
    size: Size = H
    for _ in range(draw(st.integers(1, 4))):
        stride, shift = draw(st.integers(1, 4)), draw(st.integers(-6, 3))
        if draw(st.integers(0, 2)):
            size = (size + shift) // stride + draw(st.integers(0, 1))
        else:
            size = size * stride + shift
    return size


@st.composite
def single_conditions(draw: st.DrawFn) -> Condition:
    left = draw(chains())
    kind = draw(st.sampled_from(["equal", "equal chain", "at_least", "at_most", "divisible"]))
    if kind == "equal":
        return equal(left, draw(st.integers(0, 30)))
    if kind == "equal chain":
        return equal(left, draw(chains()))
    if kind == "at_least":
        return at_least(left, draw(st.one_of(st.integers(-5, 40), chains())))
    if kind == "at_most":
        return at_least(draw(st.integers(0, 60)), left)
    square = draw(st.booleans())
    return divisible(left * left if square else left, draw(st.integers(1, 12)))


@given(st.lists(single_conditions(), min_size=1, max_size=4))
@settings(deadline=None)
def test_rule_and_set_have_just_the_sizes_that_meet_the_conditions(
    conditions: list[Condition],
) -> None:
    solution = solve(conditions)
    rule = solution.rule("H")
    good = [n for n in range(1, 2001) if all(holds(c, {"H": n}) for c in conditions)]
    assert [n for n in range(1, 2001) if solution.admits({"H": n})] == good
    if not solution.possible:
        assert not good
        return
    if solution.names and not solution.ties:
        assert [n for n in range(1, 2001) if n in solution.sets["H"]] == good
        assert rule is not None
        assert [n for n in range(1, 2001) if n in rule] == good


@given(st.lists(single_conditions(), min_size=1, max_size=5))
@settings(deadline=None)
def test_binding_conditions_are_enough_and_each_is_needed(conditions: list[Condition]) -> None:
    solution = solve(conditions)
    if not solution.possible or not solution.names or solution.ties:
        return
    binding = solution.binding("H")
    whole = solution.sets["H"]
    assert solve(binding, ["H"]).sets["H"] == whole
    for left_out in binding:
        assert solve([c for c in binding if c is not left_out], ["H"]).sets["H"] != whole


@given(single_conditions())
@settings(deadline=None)
def test_what_is_decided_is_true(condition: Condition) -> None:
    decided = decide(condition)
    if decided is not None:
        assert all(holds(condition, {"H": n}) is decided for n in range(1, 300))


@given(st.lists(single_conditions(), max_size=3), st.integers(0, 5))
@settings(deadline=None)
def test_examples_meet_all_conditions_and_near_misses_do_not(
    conditions: list[Condition], pick: int
) -> None:
    ties = [equal(H, W), equal(W, H // 2), divisible(H * W, 4), at_least(H + W, 9), equal(T, H * W)]
    solution = solve([*conditions, *ties[pick : pick + 2]], ["H", "W"])
    for sizes in solution.examples(5):
        assert solution.admits(sizes)
    for sizes in solution.near_misses(5):
        assert not solution.admits(sizes)


sets = st.builds(
    lambda modulus, stretches: SizeSet.of(
        modulus,
        {
            r % modulus: (r % modulus + modulus * first, end)
            for r, (first, steps) in enumerate(stretches)
            if r < modulus
            for end in [None if steps is None else r % modulus + modulus * (first + steps)]
        },
    ),
    st.integers(1, 8),
    st.lists(st.tuples(st.integers(1, 5), st.none() | st.integers(0, 5)), max_size=8),
)


@given(sets, sets)
def test_sets_intersect_and_compare_by_their_members(left: SizeSet, right: SizeSet) -> None:
    def members(of: SizeSet) -> list[int]:
        return [n for n in range(1, 400) if n in of]

    both = left & right
    assert members(both) == [n for n in members(left) if n in right]
    assert (left == right) == (members(left) == members(right))
    assert both.count(399) == len(members(both))
    assert [n for n, _ in zip(both, range(5), strict=False)] == members(both)[:5]
    rule = describe(both)
    assert rule is not None
    assert [n for n in range(1, 400) if n in rule] == members(both)


def test_unet_asks_for_multiples_and_names_the_innermost_skip() -> None:
    solution = solve([*unet(H, 4), *unet(W, 4)], ["H", "W"])
    assert solution.sentences() == ["H and W must be multiples of 16"]
    assert reasons(solution.binding("H")) == ["skip 3", "skip 2", "skip 1", "skip 0"]
    assert solution.smallest("H") == 16
    assert solution.examples(3)[1] == {"H": 16, "W": 32}


def test_unet_whose_joins_are_cropped_to_the_decoder_names_the_outermost_skip() -> None:
    solution = solve(unet(H, 4, decoded=True))
    assert solution.sentences() == ["H must be a multiple of 16"]
    assert reasons(solution.binding("H")) == ["skip 0"]


def test_conditions_that_always_hold_say_nothing() -> None:
    solution = solve([at_least(H, 1), at_least(H // 2 + 1, 1), equal(H // 2 + (H + 1) // 2, H)])
    assert solution.sentences() == []
    assert solution.conditions == ()
    assert solution.possible


def test_valid_convolutions_and_dilations_ask_for_a_least_size() -> None:
    size: Size = H
    conditions = []
    for number, kernel in enumerate([3, 5, 2 * (3 - 1) + 1]):
        conditions.append(at_least(size, kernel, f"conv{number + 1}"))
        size = size - kernel + 1
    solution = solve(conditions)
    assert solution.sentences() == ["H must be at least 11"]
    assert reasons(solution.binding("H")) == ["conv3"]


def test_a_chain_of_strides_before_a_kernel() -> None:
    size: Size = H
    for _ in range(5):
        size = (size - 1) // 2 + 1
    assert solve([at_least(size, 7)]).sentences() == ["H must be at least 193"]


@pytest.mark.parametrize(
    ("conditions", "sentences"),
    [
        ([divisible(H, 16)], ["H must be a multiple of 16"]),
        ([divisible(H, 2)], ["H must be even"]),
        ([divisible(H + 1, 2), divisible(W + 1, 2)], ["H and W must be odd"]),
        ([at_least(H, 7)], ["H must be at least 7"]),
        ([at_least(10, H)], ["H must be at most 10"]),
        ([at_least(10, H), at_least(H, 3)], ["H must be from 3 to 10"]),
        ([equal(H // 2, 7)], ["H must be 14 or 15"]),
        ([equal(H, 28)], ["H must be 28"]),
        (
            [divisible(H, 32), at_least(H, 50), divisible(W, 32), at_least(W, 64)],
            ["H and W must be multiples of 32, at least 64"],
        ),
        (
            [divisible(H, 32), at_least(100, H)],
            ["H must be a multiple of 32, at most 96"],
        ),
        (
            [divisible(H - 12, 16)],
            ["H must be 12 more than a multiple of 16 (such as 12, 28, 44)"],
        ),
        (
            [divisible(H - 12, 16), at_least(H, 20)],
            ["H must be 12 more than a multiple of 16, at least 28 (such as 28, 44, 60)"],
        ),
        ([divisible(H + 1, 8)], ["H must be 1 less than a multiple of 8 (such as 7, 15, 23)"]),
        (
            [equal((H % 4 + 1) // 2, 1)],
            ["H must be 1 or 2 more than a multiple of 4 (such as 1, 2, 5)"],
        ),
        ([at_least(H % 5, 1)], ["H must not be a multiple of 5 (such as 1, 2, 3)"]),
        ([at_least(H // 2 - H // 3, 4)], ["H must be 20 or at least 22"]),
        ([at_least(H * H, 10 * H)], ["H must be at least 10"]),
        ([at_least(H * H * H, 5 * H * H - 3)], ["H*H*H must be at least 5*H*H - 3"]),
        ([divisible(H * H, 12)], ["H must be a multiple of 6"]),
        ([equal(H, W)], ["H must equal W"]),
        ([equal(H, W), divisible(W, 16)], ["H and W must be multiples of 16", "H must equal W"]),
        ([equal(64 * H, 64 * W)], ["H must equal W"]),
        ([equal(H * T, W * T)], ["H must equal W"]),
        ([equal(H + W, W + 16)], ["H must be 16"]),
        ([equal(W, H // 2)], ["H must be at least 2", "W must equal H // 2"]),
        ([equal(H // 2, W // 2)], ["H // 2 must equal W // 2"]),
        ([divisible(H * W, 4)], ["H*W must be a multiple of 4"]),
        ([at_least(H // 2 + W, 3)], ["W + H // 2 must be at least 3"]),
        ([equal(H, 28), divisible(H * W, 49)], ["H must be 28", "W must be a multiple of 7"]),
    ],
)
def test_sentences(conditions: list[Condition], sentences: list[str]) -> None:
    solution = solve(conditions, ["H", "W"])
    assert solution.possible
    assert sorted(solution.sentences()) == sorted(sentences)


@pytest.mark.parametrize(
    ("conditions", "conflict"),
    [
        ([at_least(H, 3, "a"), equal(H // 2, H, "b"), at_least(H, 9, "c")], "b"),
        ([equal(H // 32, 1, "a"), divisible(W, 2, "b"), at_least(H, 100, "c")], "c"),
        ([divisible(H, 2, "a"), divisible(H + 1, 4, "b")], "b"),
        ([equal(2 * H, 2 * W + 1, "a")], "a"),
        ([equal(H, W, "a"), at_least(3, H, "b"), at_least(W, 4, "c")], "c"),
        ([at_least(1, 2, "a")], "a"),
        ([divisible(2 * H + 1, 4, "a")], "a"),
    ],
)
def test_conditions_that_leave_nothing_name_the_first_that_does(
    conditions: list[Condition], conflict: str
) -> None:
    solution = solve(conditions)
    assert not solution.possible
    assert solution.conflict is not None
    assert solution.conflict.reason == conflict
    assert solution.examples(3) == []
    assert solution.sentences() != []


def test_what_contradicts_is_told_with_all_that_it_takes() -> None:
    solution = solve([equal(H // 32, 1, "a"), divisible(H, 2, "b"), at_least(H, 100, "c")])
    (requirement,) = solution.requirements
    assert requirement.sentence == "no size of H meets all the conditions"
    assert reasons(requirement.because) == ["c", "a"]


def test_the_first_of_several_contradictions_is_named() -> None:
    never, again = divisible(2 * H + 1, 4, "never"), equal(2 * W, 2 * H + 1, "again")
    for others in ([at_least(H, 3)], [at_least(W, 3), again], [again]):
        solution = solve([never, *others])
        assert solution.conflict is never
    assert solve([equal(W, -H)]).possible is False  # what it is known by cannot be positive
    assert solve([equal(W, H - 5), at_least(4, H)]).possible is False


def test_a_contradiction_of_one_free_size_is_not_said_of_others() -> None:
    of_w = [at_least(W, 9, "a"), at_least(8, W, "b")]
    of_h = [at_least(H, 7, "c"), at_least(4, H, "d")]
    for conditions, name, because in [
        ([at_least(H, 2), *of_w, at_least(T, 2)], "W", ["a", "b"]),
        ([*of_w, *of_h], "W", ["a", "b"]),
        ([*of_h, *of_w], "H", ["c", "d"]),
        ([of_w[0], *of_h, of_w[1]], "H", ["c", "d"]),
    ]:
        solution = solve(conditions, ["H", "W"])
        (requirement,) = solution.requirements
        assert requirement.sentence == f"no size of {name} meets all the conditions"
        assert requirement.names == (name,)
        assert sorted(reasons(requirement.because)) == because
        assert not solution.admits({"H": 7, "W": 9, "T": 2})


def test_long_periods_are_tried_and_not_solved() -> None:
    odd = [1009, 1013]
    long = (H // odd[0]) - (H // odd[1])
    solution = solve([at_least(long, 1)])
    assert [str(tie) for tie in solution.ties] == solution.sentences()
    assert solution.admits({"H": 1009})
    assert not solution.admits({"H": 1013})


def test_large_numbers_cost_nothing() -> None:
    prime = 10**9 + 7
    solution = solve([divisible(H - 5, prime), at_least(H, 10**12), at_least(10**15, H)])
    assert solution.possible
    assert solution.sentences()[0].startswith(f"H must be 5 more than a multiple of {prime}")
    assert solution.sets["H"].classes


def test_thousands_of_conditions_are_fast() -> None:
    size: Size = H
    conditions: list[Condition] = []
    for number in range(5000):
        if number % 1000 == 0:
            assert isinstance(size, Dim)
            size = (size - 1) // 2 + 1
        conditions.append(at_least(size - number // 100, 1))
        conditions.append(equal(2 * (size // 2), size))
    start = time.perf_counter()
    solution = solve(conditions)
    assert solution.possible
    assert time.perf_counter() - start < 2


def test_free_sizes_that_nothing_binds_have_examples_too() -> None:
    solution: Solution = solve([], ["T"])
    assert solution.examples(2) == [{"T": 1}, {"T": 2}]
    assert solution.near_misses(3) == []
    assert solution.admits({"T": 5})
    assert not solution.admits({"T": 0})
    assert not solution.admits({"T": 0, "H": 3})


def test_the_condition_that_asks_for_most_comes_first() -> None:
    """Most by how many sizes would do without it, then by the period of those."""
    least = at_least(H, 13, "least")
    three, four, even = divisible(H, 3, "3"), divisible(H, 4, "4"), divisible(H, 2, "even")
    not_five, pairs = at_least(H % 5, 1, "not 5"), at_least(1, H % 4, "pairs")
    for given_in, binding in [
        ([least, three, four], ["4", "3", "least"]),
        ([not_five, even], ["even", "not 5"]),
        ([even, pairs], ["pairs", "even"]),
        ([pairs, even], ["pairs", "even"]),
        ([at_least(H, 2, "two")], ["two"]),
        ([at_least(H, 2, "two"), at_least(H, 3, "three")], ["three"]),
        ([at_least(H, 2, "two"), at_least(30, H, "most")], ["most", "two"]),
    ]:
        assert reasons(solve(given_in).binding("H")) == binding


def test_what_binds_a_size_that_is_known_by_others_is_said_with_what_binds_those() -> None:
    known = equal(T, H * W, "known")
    solution = solve([known, divisible(H, 4, "four"), at_least(W, 3, "three")], ["H", "W", "T"])
    assert list(solution.sets) == ["H", "W"]
    assert reasons(solution.binding("T")) == ["known", "four", "three"]
    told = {requirement.sentence: requirement.names for requirement in solution.requirements}
    assert told["T must equal H*W"] == ("H", "W", "T")
    assert solution.rule("T") is None
    assert solution.rule("H") == Rule(4, (0,), 4)
    alias = solve([equal(H, W), divisible(H, 4)], ["H", "W"])
    assert alias.rule("W") == alias.rule("H") == Rule(4, (0,), 4)
    assert alias.rule("T") == Rule()


def test_conditions_that_equalities_make_needless_are_not_said() -> None:
    solution = solve([equal(W, H + 1), at_least(W**3, 2 * W * W)], ["H", "W"])
    assert solution.sentences() == ["W must equal H + 1"]


def test_conditions_of_too_many_remainders_stay_as_they_are() -> None:
    conditions = [at_least(H % 401, 1, "a"), at_least(H % 257, 1, "b")]
    solution = solve(conditions)
    assert reasons(solution.ties) == ["b"]
    assert str(solution.ties[0]) in solution.sentences()
    assert not solution.admits({"H": 257 * 2})
    irregular = solve([at_least(H // 4001, H % 2)])
    assert irregular.rule("H") is None
    assert irregular.sentences() == [str(irregular.conditions[0])]
    assert irregular.ties == ()


def test_all_small_sizes_are_among_the_examples() -> None:
    """Whatever ties them, and each once; the smallest are the first."""
    for conditions in (
        [equal(H * W, 36), at_least(40, H)],
        [at_least(9, H + W), at_least(H * W, 7)],
        [equal(W, H - 2), at_least(12, H)],
        [equal(T, H * W), at_least(3, H), at_least(14, T)],
        [at_least(3, H), at_least(H + W, 9), at_least(7, W)],
        [at_least(3, H)],
    ):
        names = [n for n in "HWT" if any(n in c.symbols for c in conditions)]
        solution = solve(conditions, names)
        sizes = [
            dict(zip(names, at, strict=True)) for at in product(range(1, 41), repeat=len(names))
        ]
        good = [at for at in sizes if all(holds(c, at) for c in conditions)]
        found = solution.examples(500)
        assert sorted(map(str, found)) == sorted(map(str, good))
        assert solution.examples(2) == found[:2]
        assert [solution.smallest(name) for name in names] == [found[0][name] for name in names]


def test_no_more_than_so_many_sizes_are_tried() -> None:
    """Those of (100, 101) are the twenty-thousandth to be tried, those of (101, 100) come next."""
    assert solve([equal(H * W, 10_100)], ["H", "W"]).examples(9) == [{"H": 100, "W": 101}]


@pytest.mark.parametrize(
    ("conditions", "misses"),
    [
        ([at_least(H, 2)], [1]),
        ([at_least(10, H), at_least(H, 3)], [2, 1, 11]),
        (
            [divisible(H, 8), at_least(20, H)],
            [7, 9, 4, 12, 6, 10, 17, 24, 15, 20, 14, 18],
        ),
        ([equal(H, 6)], [5, 7, 4, 8]),
        (  # of five examples
            [divisible(H, 8)],
            [
                *[7, 9, 4, 12, 6, 10],
                *[15, 17, 20, 14, 18],
                *[23, 25, 28, 22, 26],
                *[31, 33, 36, 30, 34],
                *[39, 41, 44, 38, 42],
            ],
        ),
        ([divisible(H - 1, 9), at_least(5, H)], [2, 3]),
        (  # where each of five remainders ends by itself, at 14, 18, 22, 26 and 30
            [at_least(30, H + 4 * (H % 5)), at_least(H, 12)],
            [11, 10, 7, 23, 27, 31, 35, 8, 9, 19],
        ),
    ],
)
def test_near_misses_are_next_to_what_is_good(
    conditions: list[Condition], misses: list[int]
) -> None:
    solution = solve(conditions)
    assert [sizes["H"] for sizes in solution.near_misses(99)] == misses


def test_near_misses_of_sizes_that_depend_on_one_another() -> None:
    """One alone is moved, or what it is known by with it."""
    misses = solve([equal(H, W), divisible(H, 4)], ["H", "W"]).near_misses(99)
    assert {"H": 4, "W": 5} in misses
    assert {"H": 5, "W": 5} in misses
    assert {"H": 5, "W": 4} in misses
    shifted = solve([equal(W, H - 2), at_least(9, H)], ["H", "W"]).near_misses(99)
    assert {"H": 2, "W": 1} in shifted
    assert all(min(sizes.values()) >= 1 for sizes in shifted)
    assert len({str(sizes) for sizes in shifted}) == len(shifted)


def test_compositions_are_all_ways_to_write_a_sum_in_order() -> None:
    for total, places in product(range(6), range(5)):
        every = [c for c in product(range(total + 1), repeat=places) if sum(c) == total]
        assert list(_compositions(total, places)) == every
