"""Sets of positive integers that sizes may come from, and the words that describe them.

What a chain of strides, kernels and pools asks of a free size is, for each remainder
modulo some period, a stretch of sizes: from a first one on, or up to a last one. Such
sets are closed under intersection, so a whole network's conditions stay exact.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice, takewhile
from math import gcd, lcm

from archdsl.records import record

Stretch = tuple[int, int | None]
"""The first and the last member of a remainder class; no last one: without end."""

MOST_CLASSES = 100_000


class TooManyClassesError(Exception):
    """An intersection with more remainder classes than are worth keeping."""


@dataclass(frozen=True, eq=False)
class SizeSet:
    """Positive integers: for each remainder modulo ``modulus`` a stretch of its class."""

    modulus: int
    classes: Mapping[int, Stretch]

    @classmethod
    def between(cls, first: int, last: int | None = None) -> SizeSet:
        """All sizes from the first to the last, or without end."""
        first = max(first, 1)
        if last is not None and last < first:
            return cls(1, {})
        return cls(1, {0: (first, last)})

    @classmethod
    def of(cls, modulus: int, classes: Mapping[int, Stretch]) -> SizeSet:
        """The set with the smallest modulus that tells it."""
        if not classes:
            return cls(1, {})
        for prime in _prime_factors(modulus):
            while modulus % prime == 0:
                merged = _merge(modulus, classes, prime)
                if merged is None:
                    break
                modulus, classes = modulus // prime, merged
        return cls(modulus, classes)

    def __contains__(self, size: int) -> bool:
        stretch = self.classes.get(size % self.modulus)
        if stretch is None or size < stretch[0]:
            return False
        return stretch[1] is None or size <= stretch[1]

    def __and__(self, other: SizeSet) -> SizeSet:
        common = gcd(self.modulus, other.modulus)
        modulus = lcm(self.modulus, other.modulus)
        step = other.modulus // common
        inverse = pow(self.modulus // common, -1, step)
        partners: dict[int, list[tuple[int, Stretch]]] = {}
        for remainder, stretch in other.classes.items():
            partners.setdefault(remainder % common, []).append((remainder, stretch))
        classes: dict[int, Stretch] = {}
        for remainder, stretch in self.classes.items():
            for partner, partner_stretch in partners.get(remainder % common, ()):
                steps = (partner - remainder) // common * inverse % step
                both = remainder + self.modulus * steps
                shared = _overlap(both, modulus, stretch, partner_stretch)
                if shared is not None:
                    classes[both] = shared
            if len(classes) > MOST_CLASSES:
                raise TooManyClassesError
        return SizeSet.of(modulus, classes)

    def __eq__(self, other: object) -> bool:
        """Whether the members are the same: the same count, and as many in common."""
        if not isinstance(other, SizeSet):
            return NotImplemented
        if self.modulus == other.modulus and self.classes == other.classes:
            return True
        limit = max(self.settled, other.settled) + lcm(self.modulus, other.modulus)
        return self.count(limit) == other.count(limit) == (self & other).count(limit)

    __hash__ = None  # type: ignore[assignment]  # equal sets may be written with different moduli

    def __iter__(self) -> Iterator[int]:
        """The members, ascending; without end where the set has none."""
        heap = [(first, last) for first, last in self.classes.values()]
        heapq.heapify(heap)
        while heap:
            size, last = heap[0]
            yield size
            if last is not None and size >= last:
                heapq.heappop(heap)
            else:
                heapq.heapreplace(heap, (size + self.modulus, last))

    @property
    def empty(self) -> bool:
        return not self.classes

    @property
    def everything(self) -> bool:
        return self.modulus == 1 and self.classes == {0: (1, None)}

    @property
    def finite(self) -> bool:
        return all(last is not None for _, last in self.classes.values())

    @property
    def only(self) -> int | None:
        """The single member, where there is just one."""
        if len(self.classes) != 1:
            return None
        first, last = next(iter(self.classes.values()))
        return first if first == last else None

    @property
    def density(self) -> float:
        """The share of all large sizes that are members."""
        return sum(last is None for _, last in self.classes.values()) / self.modulus

    def count(self, limit: int) -> int:
        """How many members are at most ``limit``."""
        total = 0
        for first, last in self.classes.values():
            end = limit if last is None else min(last, limit)
            if end >= first:
                total += (end - first) // self.modulus + 1
        return total

    @property
    def settled(self) -> int:
        """From here on membership is by the remainder alone."""
        return max((last or first for first, last in self.classes.values()), default=0)


def _overlap(remainder: int, modulus: int, left: Stretch, right: Stretch) -> Stretch | None:
    first = max(left[0], right[0])
    first += (remainder - first) % modulus
    ends = [last for last in (left[1], right[1]) if last is not None]
    if not ends:
        return first, None
    last = min(ends)
    last -= (last - remainder) % modulus
    return (first, last) if first <= last else None


def _merge(modulus: int, classes: Mapping[int, Stretch], prime: int) -> dict[int, Stretch] | None:
    """The classes of ``modulus // prime``, if each is one stretch."""
    smaller = modulus // prime
    groups: dict[int, list[Stretch]] = {}
    for remainder, stretch in classes.items():
        groups.setdefault(remainder % smaller, []).append(stretch)
    merged: dict[int, Stretch] = {}
    for remainder, group in groups.items():
        first = min(stretch[0] for stretch in group)
        ends = [last for _, last in group if last is not None]
        if not ends:
            if len(group) < prime or max(stretch[0] for stretch in group) - first >= modulus:
                return None
            merged[remainder] = first, None
            continue
        members = sum((last - start) // modulus + 1 for start, last in group if last is not None)
        if len(ends) < len(group) or members != (max(ends) - first) // smaller + 1:
            return None
        merged[remainder] = first, max(ends)
    return merged


def _prime_factors(number: int) -> Iterator[int]:
    divisor = 2
    while divisor * divisor <= number and divisor < MOST_CLASSES:
        if number % divisor == 0:
            yield divisor
            while number % divisor == 0:
                number //= divisor
        divisor += 1
    if number > 1:
        yield number


_MOST_LISTED = 12
_MOST_EXCEPTIONS = 1000


@record(frozen=True)
class Rule:
    """A set of sizes as a person would say it.

    The sizes from ``minimum`` to ``maximum`` whose remainder modulo ``modulus`` is one of
    ``remainders``, without those in ``never``; and those in ``also``.
    """

    modulus: int = 1
    remainders: tuple[int, ...] = (0,)
    minimum: int = 1
    maximum: int | None = None
    also: tuple[int, ...] = ()
    never: tuple[int, ...] = ()

    def __contains__(self, size: int) -> bool:
        if size in self.also:
            return True
        if size < self.minimum or (self.maximum is not None and size > self.maximum):
            return False
        return size % self.modulus in self.remainders and size not in self.never

    def sentence(self, names: Sequence[str]) -> str:
        """What must hold of these free sizes: «H and W must be multiples of 16»."""
        return f"{_listed(names, 'and')} must {self._predicate(plural=len(names) > 1)}"

    def _predicate(self, plural: bool) -> str:
        choices = _runs(self.also) if self.also else []
        if not self.remainders:
            return f"be {_listed(choices, 'or')}"
        pattern = self._pattern(plural)
        limits = self._limits(from_start=not pattern)
        if not pattern and not limits:
            return f"not be {_listed(_runs(self.never), 'or')}"
        words = ", ".join(part for part in (pattern, limits) if part)
        if self.remainders != (0,) and pattern not in ("be odd", "be even"):
            words += f" (such as {', '.join(map(str, self._examples()))})"
        if self.never:
            words += f", but not {_listed(_runs(self.never), 'or')}"
        if choices:
            return f"be {_listed([*choices, words.removeprefix('be ')], 'or')}"
        return words if pattern else f"be {words}"

    def _pattern(self, plural: bool) -> str:
        left_out = [r for r in range(min(self.modulus, 64)) if r not in self.remainders]
        multiple = f"multiples of {self.modulus}" if plural else f"a multiple of {self.modulus}"
        of = f"a multiple of {self.modulus}"
        if self.modulus == 1:
            return ""
        if self.modulus == 2:
            return "be odd" if self.remainders == (1,) else "be even"
        if self.remainders == (0,):
            return f"be {multiple}"
        if self.remainders == (self.modulus - 1,):
            return f"be 1 less than {of}"
        if self.modulus <= 64 and len(left_out) == 1 and not self.also:
            gone = f"{left_out[0]} more than {of}" if left_out[0] else multiple
            return f"not be {gone}"
        more = _listed([str(r) for r in self.remainders if r][:_MOST_LISTED], "or")
        if len(self.remainders) > _MOST_LISTED:
            return f"leave one of {len(self.remainders)} remainders when divided by {self.modulus}"
        if 0 in self.remainders:
            return f"be {of}, or {more} more than one"
        return f"be {more} more than {of}"

    def _limits(self, from_start: bool) -> str:
        natural = min(((r - 1) % self.modulus + 1 for r in self.remainders), default=1)
        if self.maximum is None:
            return f"at least {self.minimum}" if self.minimum > natural else ""
        if self.minimum <= natural:
            return f"at most {self.maximum}"
        if from_start:
            return f"from {self.minimum} to {self.maximum}"
        return f"at least {self.minimum} and at most {self.maximum}"

    def _examples(self) -> list[int]:
        stretches = {
            remainder: _overlap(remainder, self.modulus, (self.minimum, self.maximum), (1, None))
            for remainder in self.remainders
        }
        members = SizeSet(self.modulus, {r: s for r, s in stretches.items() if s is not None})
        return list(islice((size for size in members if size not in self.never), 3))


def describe(sizes: SizeSet) -> Rule | None:
    """The simplest rule with just these members, or none where they are too irregular."""
    if sizes.empty:
        return Rule(remainders=())
    if sizes.finite:
        return _describe_finite(sizes)
    endless = [r for r, (_, last) in sizes.classes.items() if last is None]
    modulus, remainders = _smallest_period(sizes.modulus, endless)
    regular = _regular_from(sizes)
    minimum = next(size for size in sizes if size >= regular)
    also = tuple(islice(takewhile(minimum.__gt__, sizes), _MOST_EXCEPTIONS + 1))
    if len(also) > _MOST_EXCEPTIONS:
        return None
    if not also:
        return Rule(modulus, remainders, minimum)
    regular_remainders = frozenset(remainders)
    outside = tuple(size for size in also if size % modulus not in regular_remainders)
    start = next((s for s in also if s % modulus in regular_remainders), minimum)
    never = [
        size
        for size in range(start, min(minimum, start + 100 * _MOST_EXCEPTIONS))
        if size % modulus in regular_remainders and size not in sizes
    ]
    whole = start + 100 * _MOST_EXCEPTIONS > minimum
    if whole and len(outside) + len(never) < len(also):
        return Rule(modulus, remainders, start, None, outside, tuple(never))
    return Rule(modulus, remainders, minimum, None, also)


def _describe_finite(sizes: SizeSet) -> Rule | None:
    few = tuple(islice(sizes, _MOST_EXCEPTIONS + 1))
    if len(few) <= 2:
        return Rule(remainders=(), also=few)
    first, last = few[0], sizes.settled
    modulus, remainders = _smallest_period(sizes.modulus, list(sizes.classes))
    pattern = SizeSet(modulus, dict.fromkeys(remainders, (first, last)))
    stretches = {r: _overlap(r, modulus, (first, last), (1, None)) for r in pattern.classes}
    filled = SizeSet(modulus, {r: s for r, s in stretches.items() if s is not None})
    if filled.count(last) == sizes.count(last):
        return Rule(modulus, remainders, first, last)
    if len(few) <= _MOST_EXCEPTIONS:
        return Rule(remainders=(), also=few)
    return None


def _smallest_period(modulus: int, remainders: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    pattern = SizeSet.of(modulus, {r: ((r - 1) % modulus + 1, None) for r in remainders})
    return pattern.modulus, tuple(sorted(pattern.classes))


def _regular_from(sizes: SizeSet) -> int:
    """The size from which on the remainders alone decide."""
    regular = 1
    for first, last in sizes.classes.values():
        if last is None:
            regular = max(regular, first - sizes.modulus + 1)
        else:
            regular = max(regular, last + 1)
    return regular


def _runs(numbers: Sequence[int]) -> list[str]:
    """The numbers as words, stretches of three and more together: ``1``, ``4 to 7``."""
    words: list[str] = []
    start = 0
    while start < len(numbers):
        end = start
        while end + 1 < len(numbers) and numbers[end + 1] == numbers[end] + 1:
            end += 1
        if end - start >= 2:
            words.append(f"{numbers[start]} to {numbers[end]}")
        else:
            words.extend(str(number) for number in numbers[start : end + 1])
        start = end + 1
    if len(words) > _MOST_LISTED:
        return [*words[: _MOST_LISTED - 1], f"{len(words) - _MOST_LISTED + 1} more"]
    return words


def _listed(words: Sequence[str], last: str) -> str:
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} {last} {words[-1]}"
