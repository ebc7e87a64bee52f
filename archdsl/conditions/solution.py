"""The solved conditions of a network: which sizes are good, why, and how to say it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice

from archdsl.conditions.condition import Condition, holds
from archdsl.conditions.size_sets import Rule, SizeSet, describe
from archdsl.dims import Size, evaluate, show, symbol, symbols
from archdsl.records import record

_DEEPEST = 400
_MOST_TRIED = 20_000


@record(frozen=True)
class Requirement:
    """One thing to say of the free sizes, and the conditions that make it necessary.

    ``because`` begins with the condition that asks for most: for «H must be a multiple of
    16» the one without which a multiple of 8 would do.
    """

    sentence: str
    names: tuple[str, ...]
    because: tuple[Condition, ...]
    rule: Rule | None = None


@record(frozen=True)
class Equality:
    """A free size that is known by the others, from this condition."""

    name: str
    value: Size
    because: Condition


@record(frozen=True)
class Solution:
    """All the conditions of a network, solved as far as that goes.

    ``equalities`` express some free sizes by the others; ``sets`` are the good values of
    the others, each alone; ``ties`` are the conditions that still bind several together
    (or one, in a way that is not solved). ``conflict`` is the first condition that, with
    those before it, leaves no sizes; then the rest is what had been found when that showed.
    ``parts`` are the sets whose intersections the ``sets`` are, each with its condition.
    """

    names: tuple[str, ...]
    conditions: tuple[Condition, ...]
    equalities: tuple[Equality, ...]
    sets: Mapping[str, SizeSet]
    ties: tuple[Condition, ...]
    conflict: Condition | None
    parts: Mapping[str, tuple[tuple[SizeSet, Condition], ...]]

    @property
    def possible(self) -> bool:
        """False where no sizes at all meet the conditions, as far as that is seen."""
        return self.conflict is None

    def admits(self, sizes: Mapping[str, int]) -> bool:
        """Whether all the conditions hold at these sizes."""
        if any(size < 1 for size in sizes.values()):
            return False
        return all(holds(condition, sizes) for condition in self.conditions)

    def binding(self, name: str) -> tuple[Condition, ...]:
        """Conditions that give the free size its set, none to spare, the strongest first."""
        for equality in self.equalities:
            if equality.name == name:
                others = [self.binding(other) for other in sorted(symbols(equality.value))]
                return _distinct([equality.because, *(c for part in others for c in part)])
        return _strongest_first(_irredundant(self.parts.get(name, ())))

    @cached_property
    def requirements(self) -> tuple[Requirement, ...]:
        """What must hold, in the order in which the free sizes appear."""
        if self.conflict is not None:
            return (self._impossible(self.conflict),)
        found: list[Requirement] = []
        for rule, names in self._rules():
            because = _distinct(c for name in names for c in self.binding(name))
            found.append(Requirement(rule.sentence(names), names, because, rule))
        for name, sizes in self.sets.items():
            if describe(sizes) is None:
                binding = self.binding(name)
                found.extend(Requirement(str(c), (name,), (c,)) for c in binding)
        found += [_say_equality(equality) for equality in self.equalities]
        found += [Requirement(str(t), tuple(sorted(t.symbols)), (t,)) for t in self.ties]
        return tuple(found)

    def sentences(self) -> list[str]:
        """What must hold, for people: «H and W must be multiples of 16»."""
        return [requirement.sentence for requirement in self.requirements]

    def rule(self, name: str) -> Rule | None:
        """The rule of one free size by itself, if it has a simple one."""
        for equality in self.equalities:
            if equality.name == name:
                alias = _alias(equality)
                return None if alias is None else self.rule(alias)
        return describe(self.sets.get(name, SizeSet.between(1)))

    def smallest(self, name: str) -> int | None:
        """The value of this free size in the smallest sizes that meet all the conditions."""
        example = next(self._search(), None)
        return None if example is None else example.get(name)

    def examples(self, count: int) -> list[dict[str, int]]:
        """Small sizes that meet all the conditions; fewer where no more are found."""
        return list(islice(self._search(), count))

    def near_misses(self, count: int) -> list[dict[str, int]]:
        """Sizes that fail a condition, next to sizes that meet them all."""
        return list(islice(self._misses(), count))

    def _rules(self) -> list[tuple[Rule, tuple[str, ...]]]:
        """The rules that say something, with all the free sizes that each is true of."""
        groups: dict[Rule, list[str]] = {}
        for name in self.names:
            rule = self.rule(name)
            if rule is not None and rule != Rule():
                groups.setdefault(rule, []).append(name)
        return [(rule, tuple(names)) for rule, names in groups.items()]

    def _impossible(self, conflict: Condition) -> Requirement:
        empty = [name for name, sizes in self.sets.items() if sizes.empty]
        if not empty:
            return Requirement(f"{conflict}, which cannot be", tuple(self.names), (conflict,))
        core = _distinct([conflict, *self.binding(empty[0])])
        sentence = f"no size of {empty[0]} meets all the conditions"
        return Requirement(sentence, (empty[0],), core)

    def _search(self) -> Iterator[dict[str, int]]:
        """Combine the first members of the sets, smaller ones before larger ones."""
        if self.conflict is not None:
            return
        free = list(self.sets)
        members = {name: list(islice(self.sets[name], _DEEPEST)) for name in free}
        tried = 0
        for total in range(_DEEPEST):
            for places in _compositions(total, len(free)):
                tried += 1
                if tried > _MOST_TRIED:
                    return
                pairs = zip(free, places, strict=True)
                if any(place >= len(members[name]) for name, place in pairs):
                    continue
                pairs = zip(free, places, strict=True)
                sizes = self._complete({name: members[name][place] for name, place in pairs})
                if all(holds(tie, sizes) for tie in self.ties) and self.admits(sizes):
                    yield sizes

    def _complete(self, free: Mapping[str, int]) -> dict[str, int]:
        known = {e.name: evaluate(e.value, free) for e in self.equalities}
        return {name: free[name] if name in free else known[name] for name in self.names}

    def _misses(self) -> Iterator[dict[str, int]]:
        seen: set[tuple[int, ...]] = set()
        for example in self.examples(5):
            for name in self.names:
                for size in self._neighbours(name, example[name]):
                    moved = {**example, name: size}
                    followed = self._complete({n: moved[n] for n in self.sets})
                    for sizes in (moved, followed):
                        key = tuple(sizes.values())
                        if min(key) > 0 and key not in seen and not self.admits(sizes):
                            seen.add(key)
                            yield sizes

    def _neighbours(self, name: str, size: int) -> list[int]:
        """Other values of a free size: next to this one, a period away, past the last ones."""
        sizes = self.sets.get(name, SizeSet.between(1))
        steps = [step for step in (1, sizes.modulus // 2, sizes.modulus, 2) if step]
        near = [size + sign * step for step in steps for sign in (-1, 1)]
        ends = sorted(last for _, last in sizes.classes.values() if last is not None)[-3:]
        near += [end + step for end in ends for step in (1, sizes.modulus)]
        return [other for other in dict.fromkeys(near) if other >= 1]


def _irredundant(
    parts: Sequence[tuple[SizeSet, Condition]],
) -> list[tuple[SizeSet, Condition]]:
    """The sets and conditions that are left when each is dropped that the others make needless."""
    after = [SizeSet.between(1)]
    for admitted, _ in reversed(parts):
        after.append(after[-1] & admitted)
    whole = after.pop()
    kept: list[tuple[SizeSet, Condition]] = []
    before = SizeSet.between(1)
    for admitted, condition in parts:
        if before & after.pop() != whole:
            kept.append((admitted, condition))
            before = before & admitted
    return kept


def _strongest_first(parts: Sequence[tuple[SizeSet, Condition]]) -> tuple[Condition, ...]:
    """First the condition without which the most sizes would do."""

    def weight(place: int) -> tuple[float, int, int]:
        others = SizeSet.between(1)
        for other, (admitted, _) in enumerate(parts):
            if other != place:
                others = others & admitted
        return -others.density, others.modulus, place

    return tuple(parts[place][1] for place in sorted(range(len(parts)), key=weight))


def _say_equality(equality: Equality) -> Requirement:
    names = (*sorted(symbols(equality.value)), equality.name)
    alias = _alias(equality)
    if alias is not None:
        sentence = f"{alias} must equal {equality.name}"
    else:
        sentence = f"{equality.name} must equal {show(equality.value)}"
    return Requirement(sentence, names, (equality.because,))


def _alias(equality: Equality) -> str | None:
    """The other free size, where the equality says that two are the same."""
    for name in symbols(equality.value):
        if equality.value == symbol(name):
            return name
    return None


def _distinct(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    return tuple({id(condition): condition for condition in conditions}.values())


def _compositions(total: int, places: int) -> Iterator[tuple[int, ...]]:
    """All ways to write the total as a sum of this many numbers of 0 or more, in order."""
    if places == 0:
        if total == 0:
            yield ()
        return
    if places == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _compositions(total - first, places - 1):
            yield (first, *rest)
