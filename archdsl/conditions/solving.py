"""Solving conditions: one free size at a time, once equalities have tied the others to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from archdsl.conditions.condition import Condition, Essence, admitted, at_least, decide
from archdsl.conditions.size_sets import SizeSet, TooManyClassesError
from archdsl.conditions.solution import Equality, Solution
from archdsl.dims import Size, Symbol, substitute, symbol, symbols
from archdsl.records import record


@record(frozen=True)
class _Origin:
    """A condition as it stands after substitutions, and the one that it was."""

    now: Condition
    was: Condition


def solve(conditions: Iterable[Condition], names: Iterable[str] = ()) -> Solution:
    """Work out what the conditions ask of the free sizes.

    ``names`` are the free sizes in the order in which people should read of them; those
    that only the conditions mention come after.
    """
    distinct = _without_repetitions(conditions)
    order = dict.fromkeys(names)
    for condition in distinct:
        order.update(dict.fromkeys(sorted(condition.symbols - order.keys())))
    solution, broken = _attempt(distinct, tuple(order))
    if not broken:
        return solution
    beginning = _first_conflict(distinct, tuple(order))
    found, _ = _attempt(beginning, tuple(order))  # later conditions may contradict others
    return replace(found, conditions=distinct, conflict=beginning[-1])


def _first_conflict(conditions: Sequence[Condition], names: tuple[str, ...]) -> Sequence[Condition]:
    """The shortest beginning that leaves no sizes."""
    low, high = 0, len(conditions)
    while low + 1 < high:
        middle = (low + high) // 2
        if _attempt(conditions[:middle], names)[1]:
            high = middle
        else:
            low = middle
    return conditions[:high]


def _without_repetitions(conditions: Iterable[Condition]) -> tuple[Condition, ...]:
    """The conditions that say something, each once: the first that says it."""
    kept: dict[Essence, Condition] = {}
    for condition in conditions:
        kept.setdefault(condition.essence, condition)
    return tuple(c for c in kept.values() if decide(c) is not True)


def _attempt(conditions: Sequence[Condition], names: tuple[str, ...]) -> tuple[Solution, bool]:
    """The solution without its conflict, and whether there is one."""
    origins, equalities = _eliminate([_Origin(c, c) for c in conditions], names)
    known = {equality.name for equality in equalities}
    sets = {name: SizeSet.between(1) for name in names if name not in known}
    parts: dict[str, list[tuple[SizeSet, Condition]]] = {name: [] for name in sets}
    ties: list[_Origin] = []
    broken = False
    while origins:
        ties += [origin for origin in origins if not _confine(origin, sets, parts)]
        broken = broken or any(decide(tie.now) is False for tie in ties)
        pinned: dict[str, Size] = {n: s.only for n, s in sets.items() if s.only is not None}
        origins = [_replaced(o, pinned) for o in ties if o.now.symbols & pinned.keys()]
        ties = [o for o in ties if not o.now.symbols & pinned.keys()]
        broken = broken or any(s.empty for s in sets.values())
        if broken:
            break
    ties = [tie for tie in ties if decide(tie.now) is not True]
    solution = Solution(
        names=names,
        conditions=tuple(conditions),
        equalities=tuple(equalities),
        sets=sets,
        ties=tuple(tie.now for tie in ties),
        conflict=None,
        parts={name: tuple(found) for name, found in parts.items()},
    )
    return solution, broken


def _confine(
    origin: _Origin,
    sets: dict[str, SizeSet],
    parts: dict[str, list[tuple[SizeSet, Condition]]],
) -> bool:
    """Take a condition on one free size into its set; False where that cannot be done."""
    free = origin.now.essence.free
    if len(free) != 1:
        return decide(origin.now) is True
    (name,) = free
    good = admitted(origin.now)
    if good is None:
        return False
    try:
        narrowed = sets[name] & good
    except TooManyClassesError:
        return False
    if narrowed != sets[name]:
        sets[name] = narrowed
        parts[name].append((good, origin.was))
    return True


def _eliminate(
    origins: list[_Origin], names: Sequence[str]
) -> tuple[list[_Origin], list[Equality]]:
    """Express free sizes by others where an equality tells them, and put that in everywhere."""
    equalities: list[Equality] = []
    waiting = list(origins)
    while True:
        found = next(((o, e) for o in waiting if (e := _isolated(o, names)) is not None), None)
        if found is None:
            return waiting, equalities
        origin, equality = found
        mapping = {equality.name: equality.value}
        equalities = [replace(e, value=substitute(e.value, mapping)) for e in equalities]
        equalities.append(equality)
        waiting = [_replaced(o, mapping) for o in waiting if o is not origin]
        positive = at_least(equality.value, 1, origin.was.reason, origin.was.span)
        if decide(positive) is not True:
            waiting.append(_Origin(positive, origin.was))


def _isolated(origin: _Origin, names: Sequence[str]) -> Equality | None:
    """The last-named free size that stands in an equality alone, with the factor 1 or -1."""
    kind, difference, _ = origin.now.essence
    if kind != "equal" or isinstance(difference, int) or len(symbols(difference)) < 2:
        return None
    for name in reversed(names):
        coefficient = difference.terms.get((Symbol(name),), 0)
        if abs(coefficient) != 1:
            continue
        rest = difference - coefficient * symbol(name)
        if name not in symbols(rest):
            return Equality(name, rest * -coefficient, origin.was)
    return None


def _replaced(origin: _Origin, mapping: Mapping[str, Size]) -> _Origin:
    if not origin.now.symbols & mapping.keys():
        return origin
    left, right = substitute(origin.now.left, mapping), substitute(origin.now.right, mapping)
    return _Origin(replace(origin.now, left=left, right=right), origin.was)
