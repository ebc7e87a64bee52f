"""Sets of sizes, the rules that describe them, and the words: all against lists of members."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Iterator, Sequence
from itertools import islice, product

import pytest

from archdsl.conditions.size_sets import (
    MOST_CLASSES,
    Rule,
    SizeSet,
    Stretch,
    TooManyClassesError,
    describe,
)

LAST = 240
"""Every set of these tests is regular long before, and one period is much shorter."""


def stretches(modulus: int, remainder: int) -> list[Stretch | None]:
    """None, all, those from a late one, a few, one, and all but the first."""
    first = (remainder - 1) % modulus + 1
    late, later = first + 2 * modulus, first + 4 * modulus
    return [None, (first, None), (late, None), (first, late), (late, later), (later, later)]


def all_classes() -> Iterator[tuple[int, dict[int, Stretch]]]:
    """All for the moduli to 3, and some for larger ones, all of one period among them."""
    drawn = random.Random(7)  # noqa: S311  # sets to try, the same ones always
    for modulus in (1, 2, 3, 4, 5, 6, 8, 9, 12):
        options = [stretches(modulus, remainder) for remainder in range(modulus)]
        some = [[drawn.choice(o) for o in options] for _ in range(40)]
        some += [[drawn.choice(o[:2]) for o in options] for _ in range(20)]
        some += [[o[k] for o in options] for k in range(6)]
        for choice in product(*options) if modulus <= 3 else some:
            yield modulus, {r: s for r, s in enumerate(choice) if s is not None}


def listed(modulus: int, classes: dict[int, Stretch]) -> list[int]:
    """The members up to LAST, from the stretches themselves."""
    ends = [(first, LAST if last is None else last) for first, last in classes.values()]
    return sorted(n for first, last in ends for n in range(first, last + 1, modulus))


def is_told_by(modulus: int, members: Sequence[int]) -> bool:
    """Whether each remainder has one stretch, where the members go on at LAST if at all."""
    for remainder in range(modulus):
        mine = [n for n in members if n % modulus == remainder]
        if mine and mine != list(range(mine[0], mine[-1] + 1, modulus)):
            return False
        if mine and LAST // 2 < mine[-1] <= LAST - modulus:
            return False
    return True


CLASSES = list(all_classes())


def test_a_set_has_the_members_of_its_stretches_and_the_least_modulus() -> None:
    for modulus, classes in CLASSES:
        members = listed(modulus, classes)
        of = SizeSet.of(modulus, classes)
        assert [n for n in range(1, LAST + 1) if n in of] == members
        assert list(islice(of, 30)) == members[:30]
        assert [of.count(n) for n in (0, 1, 7, 30, LAST)] == [
            sum(m <= n for m in members) for n in (0, 1, 7, 30, LAST)
        ]
        assert modulus % of.modulus == 0
        for prime in (2, 3, 5):
            if of.modulus % prime == 0:
                assert not is_told_by(of.modulus // prime, members), of
        far = [n for n in members if n > LAST - 2 * modulus]
        assert of.empty == (not members)
        assert of.finite == (not far)
        assert of.everything == (members == list(range(1, LAST + 1)))
        assert of.only == (members[0] if len(members) == 1 else None)
        assert of.density == pytest.approx(len(far) / (2 * modulus))
        period = range(of.settled + 1, LAST - of.modulus)
        assert all((n in of) == (n + of.modulus in of) for n in period)
        assert of.settled <= max([0, *members[:-1]]) or of.finite


def test_no_other_number_is_a_size() -> None:
    for modulus, classes in CLASSES[:300:7]:
        assert not any(n in SizeSet.of(modulus, classes) for n in range(-20, 1))
    assert SizeSet.between(-5, 3) == SizeSet.between(1, 3)
    assert SizeSet.between(4, 3).empty
    assert SizeSet.between(4, 3) == SizeSet.of(6, {})
    assert not SizeSet.between(4, 4).empty
    assert SizeSet.between(1).__eq__(3) is NotImplemented
    assert SizeSet.between(2) != 2


def test_sets_meet_and_compare_by_their_members() -> None:
    drawn = random.Random(3)  # noqa: S311  # as above
    some = [(SizeSet.of(m, c), listed(m, c)) for m, c in drawn.sample(CLASSES, 70)]
    raw = [(SizeSet(m, c), listed(m, c)) for m, c in drawn.sample(CLASSES, 25) if c]
    for (left, in_left), (right, in_right) in product([*some, *raw], some):
        both = left & right
        common = sorted({*in_left} & {*in_right})
        assert [n for n in islice(both, 12) if n <= LAST] == common[:12]
        assert both.count(LAST) == len(common)
        assert (left == right) == (in_left == in_right)
    for modulus, classes in CLASSES:
        if classes:
            assert SizeSet(modulus, classes) == SizeSet.of(modulus, classes)


def test_intersections_keep_a_bounded_number_of_classes() -> None:
    def all_but_one_of(modulus: int) -> SizeSet:
        return SizeSet(modulus, {r: (r, None) for r in range(1, modulus)})

    assert len((all_but_one_of(401) & SizeSet(251, dict.fromkeys([0], (251, None)))).classes) == 400
    with pytest.raises(TooManyClassesError):
        all_but_one_of(401) & all_but_one_of(257)
    most = SizeSet(MOST_CLASSES + 1, {r: (r, None) for r in range(1, MOST_CLASSES + 1)})
    assert len((most & SizeSet.between(1)).classes) == MOST_CLASSES
    # 2 · 50 000 of them, and not one more: they are 50 000 by another modulus.
    odd = SizeSet(2, {0: (2, None), 1: (3, None)})
    many = SizeSet(
        MOST_CLASSES // 2, {r: (r + MOST_CLASSES, None) for r in range(MOST_CLASSES // 2)}
    )
    assert (odd & many).everything is False


def test_the_modulus_of_a_large_period_is_found() -> None:
    """Its prime factors are, too: squares, a large one, and two alike."""
    for modulus in (4, 25, 36, 49, 121, 2 * 97, 97 * 97, 3 * 10_007, 2**10, 7 * 7 * 11):
        every = SizeSet.of(modulus, {r: ((r - 1) % modulus + 1, None) for r in range(modulus)})
        assert every.everything, modulus
    for square in (9, 25, 49):
        root = math.isqrt(square)
        some = SizeSet.of(square, {r: (r, None) for r in range(1, square, root)})
        assert (some.modulus, some.classes) == (root, {1: (1, None)})
    prime = 10**9 + 7
    assert SizeSet.of(prime * 3, {5: (5, None)}).modulus == prime * 3
    assert SizeSet.of(prime * 2, {5: (5, None), 5 + prime: (5 + prime, None)}).modulus == prime


# Rules and their words -------------------------------------------------------------


def test_a_rule_has_the_members_of_its_set_and_says_them() -> None:
    for modulus, classes in CLASSES:
        members = listed(modulus, classes)
        rule = describe(SizeSet.of(modulus, classes))
        assert rule is not None
        assert [n for n in range(1, LAST + 1) if n in rule] == members
        assert rule.modulus <= modulus
        assert not {*rule.also} & {*rule.never}
        assert all(n >= rule.minimum for n in rule.never)
        sentence = rule.sentence(["H"])
        if members and rule != Rule() and not re.search(r"\d more(?! than)", sentence):
            readings = list(meanings(sentence.removeprefix("H must ")))
            assert members in readings, sentence


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(also=(1, 2, 4, 5, 6, 9), remainders=()), "1, 2, 4 to 6 or 9"),
        (
            Rule(also=tuple(range(1, 24, 2)), remainders=()),
            "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21 or 23",
        ),
        (
            Rule(also=tuple(range(1, 30, 2)), remainders=()),
            "1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21 or 4 more",
        ),
        (Rule(64, tuple(range(63))), None),
        (Rule(64, tuple(r for r in range(64) if r != 5)), None),
        (
            Rule(14, tuple(range(12))),
            "a multiple of 14, or 1, 2, 3, 4, 5, 6, 7, 8, 9, 10 or 11 more than one \
(such as 1, 2, 3)",
        ),
        (
            Rule(14, tuple(range(1, 13))),
            "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 or 12 more than a multiple of 14 (such as 1, 2, 3)",
        ),
        (
            Rule(30, tuple(range(13))),
            "leave one of 13 remainders when divided by 30 (such as 1, 2, 3)",
        ),
        (
            Rule(65, tuple(range(1, 65))),
            "leave one of 64 remainders when divided by 65 (such as 1, 2, 3)",
        ),
        (
            Rule(4, (1,), 5, 9),
            "1 more than a multiple of 4, at least 5 and at most 9 (such as 5, 9)",
        ),
        (
            Rule(8, (3, 7), 4, 9),
            "3 or 7 more than a multiple of 8, at least 4 and at most 9 (such as 7)",
        ),
        (Rule(2, (1,), 3, never=(7,)), "odd, at least 3, but not 7"),
        (Rule(2, (0,), 4, never=(6, 8, 10)), "even, at least 4, but not 6, 8 or 10"),
        (
            Rule(5, (2,), 2, never=(7,)),
            "2 more than a multiple of 5 (such as 2, 12, 17), but not 7",
        ),
        (Rule(1, (0,), 3, never=(7,)), "at least 3, but not 7"),
    ],
)
def test_the_words_of_a_rule(rule: Rule, words: str | None) -> None:
    sentence = rule.sentence(["H"]).removeprefix("H must ")
    if words is None:  # all remainders but one
        members = [n for n in range(1, LAST + 1) if n in rule]
        assert sentence.startswith("not be ")
        assert members in list(meanings(sentence))
    else:
        assert sentence.removeprefix("be ") == words


def test_several_free_sizes_share_their_sentence() -> None:
    assert Rule(4).sentence(["H", "W"]) == "H and W must be multiples of 4"
    assert (
        Rule(4, (1, 2, 3)).sentence(["H", "W"])
        == "H and W must not be multiples of 4 (such as 1, 2, 3)"
    )
    assert Rule(never=(5, 6, 7)).sentence(["H", "W", "T"]) == "H, W and T must not be 5 to 7"


def test_what_is_too_irregular_has_no_rule() -> None:
    """The limit is of sizes told one by one: a thousand."""
    odds, evens = (1, None), (2, None)
    for count, is_told in ((1000, True), (1001, False)):
        late = SizeSet(2, {1: odds, 0: (2 * count + 2, None)})
        rule = describe(late)
        assert (rule is not None) == is_told
        finite = SizeSet(4, {1: (1, 4 * count - 7), 2: (2, 2)})  # count of them
        assert sum(1 for _ in finite) == count
        rule = describe(finite)
        assert (rule is not None) == is_told
    assert describe(SizeSet(2, {1: odds, 0: evens})) == Rule()


@pytest.mark.parametrize(
    ("classes", "rule"),
    [
        ({0: (2, None), 1: (5, None)}, Rule(minimum=4, also=(2,))),
        ({0: (4, None), 1: (1, None)}, Rule(minimum=3, also=(1,))),
        ({0: (2, None), 1: (1, 3)}, Rule(2, (0,), 2, also=(1, 3))),
        ({0: (2, None), 1: (1, 1)}, Rule(2, (0,), 2, also=(1,))),
        ({0: (4, 40), 1: (5, 41)}, Rule(minimum=4, maximum=41)),
        ({0: (4, 40), 1: (5, 5)}, Rule(remainders=(), also=(4, 5, *range(6, 41, 2)))),
        ({1: (7, 41)}, Rule(2, (1,), 7, 41)),
        ({1: (7, 9)}, Rule(remainders=(), also=(7, 9))),
        ({1: (7, 11)}, Rule(2, (1,), 7, 11)),
        ({}, Rule(remainders=())),
        ({0: (2, None), 1: (3, None)}, Rule(minimum=2)),
        ({0: (200_000, None), 1: (1, None)}, None),
        ({0: (2, None), 1: (400_001, None)}, None),
    ],
)
def test_the_simplest_rule(classes: dict[int, Stretch], rule: Rule | None) -> None:
    assert describe(SizeSet.of(2, classes)) == rule


def test_a_rule_leaves_out_few_where_it_would_name_more() -> None:
    late = SizeSet.of(3, {0: (6, None), 1: (1, None), 2: (2, None)})
    assert describe(late) == Rule(never=(3,))


def meanings(words: str) -> Iterator[list[int]]:
    """The sizes up to LAST that a sentence tells, in each of the ways to read it."""
    words, _, never = words.partition(", but not ")
    such_as = re.search(r" \(such as (.*)\)", words)
    words = re.sub(r" \(such as .*\)", "", words)
    for single, rest in splits(words):
        gone = numbers(never)
        regular = [n for n in (pattern(rest) if rest else ()) if n not in gone]
        found = sorted({*single, *regular})
        if such_as is None or numbers(such_as[1]) == regular[:3]:
            yield found


def numbers(words: str) -> list[int]:
    """Of a list: ``1, 4 to 7 or 9``."""
    found: list[int] = []
    for part in re.split(r", | or ", words) if words else []:
        first, _, last = part.partition(" to ")
        found += range(int(first), int(last or first) + 1)
    return found


def splits(words: str) -> Iterator[tuple[list[int], str]]:
    """Ways to tell sizes that stand alone from the regular ones."""
    yield [], words
    words = words.removeprefix("be ")
    parts = re.split(r"(, | or )", words)
    for end in range(1, len(parts) + 1, 2):
        alone, rest = "".join(parts[:end]), "".join(parts[end + 1 :])
        if re.fullmatch(r"(\d+( to \d+)?(, | or |$))+", alone + (", " if rest else "")):
            yield numbers(alone), f"be {rest}" if rest else ""


def pattern(words: str) -> list[int]:
    """A remainder and limits: ``be 1 or 2 more than a multiple of 4, at least 5``."""
    sizes = range(1, LAST + 1)
    least, most = re.search(r"at least (\d+)", words), re.search(r"at most (\d+)", words)
    both = re.search(r"from (\d+) to (\d+)", words)
    low = int(least[1]) if least else int(both[1]) if both else 1
    high = int(most[1]) if most else int(both[2]) if both else LAST
    inside = [n for n in sizes if low <= n <= high]
    rest = re.sub(r"(,? ?(and )?(at least|at most) \d+)|(from \d+ to \d+)", "", words)
    if rest in ("", "be", "be "):
        return inside if least or most or both else []
    if rest in ("be odd", "be even"):
        return [n for n in inside if n % 2 == (rest == "be odd")]
    if found := re.fullmatch(r"(not )?be (?:(\d+) more than )?a multiple of (\d+)", rest):
        by, more = int(found[3]), int(found[2] or 0)
        return [n for n in inside if (n % by == more) != bool(found[1])]
    if found := re.fullmatch(r"be 1 less than a multiple of (\d+)", rest):
        return [n for n in inside if (n + 1) % int(found[1]) == 0]
    if found := re.fullmatch(r"be ([\d, or]+) more than a multiple of (\d+)", rest):
        by, mores = int(found[2]), numbers(found[1])
        return [n for n in inside if n % by in mores]
    if found := re.fullmatch(r"be a multiple of (\d+), or ([\d, or]+) more than one", rest):
        by, mores = int(found[1]), [0, *numbers(found[2])]
        return [n for n in inside if n % by in mores]
    if found := re.fullmatch(r"not be ([\d, or]+(?: to \d+)?.*)", rest):
        gone = numbers(found[1])
        return [n for n in inside if n not in gone]
    return []
