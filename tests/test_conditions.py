"""Conditions on free sizes: their solution is exact, short, and names what asks for it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.conditions import Condition, Solution, at_least, decide, divisible, equal, holds, solve
from archdsl.conditions.size_sets import SizeSet, describe
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
