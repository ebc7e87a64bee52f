"""Alignment: which layers and module calls of two graphs are the same ones.

A network is a tree: module calls hold layers and further calls, in the order of the flow. Two
calls that belong together are aligned member by member, so that the members' order is kept and
as much as possible is alike (Needleman and Wunsch, 1970, over members in place of letters).
A name that was written, such as ``fc``, weighs more than anything; one that was counted, such
as ``conv2`` or ``features.3``, only decides between members that are equally alike, for it
shifts when something is put in before it. What is left over is looked for in the other graph
as a whole: layers that were moved into a block, or out of one, keep their neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from archdsl.ops.op import find
from archdsl.passes.module_tree import Member, ModuleTree
from archdsl.passes.state import state_of_node

LARGEST_TABLE = 400_000
"""Members times members: beyond, members are paired by their names alone."""

Pair: TypeAlias = tuple[Member, Member]
Pairing: TypeAlias = Mapping[Member, Member]

_WRITTEN, _COUNTED = 10.0, 0.05  # what a name adds to a likeness between 0 and 1
_OF_ONE_FAMILY = 0.3  # a gelu for a relu: less than any two layers of one kind
_LEAST_LIKE = 0.35  # calls that share less are two modules, not one that was changed
_MOST_TRIED = 16  # places where a moved run may begin; more are more of the same
_RUN = 3  # moved layers must bring neighbours, or any relu would be any other


def align(before: ModuleTree, after: ModuleTree) -> dict[Member, Member]:
    """The layers and calls of two graphs that are the same ones; the networks themselves are."""
    root = Member("", True)
    pairing = {root: root}
    waiting = [(root, root)]
    while waiting:
        one, other = waiting.pop()
        ones, others = before.members[one.id], after.members[other.id]
        pairs = dict(_align_members(before, after, ones, others))
        waiting += [pair for pair in pairs.items() if pair[0].scope]
        placed = set(pairs.values())
        left = [m for m in ones if m not in pairs]
        right = [m for m in others if m not in placed]
        pairing.update(pairs)
        pairing.update(_across_levels(before, after, left, right))
    pairing.update(_find_moved(before, after, pairing))
    return pairing


def _align_members(
    before: ModuleTree, after: ModuleTree, ones: Sequence[Member], others: Sequence[Member]
) -> Iterator[Pair]:
    """Pair the members of two calls: alike ends first, then what is in between."""

    def same(one: Member, other: Member) -> bool:
        return (
            one.scope == other.scope
            and before.name(one) == after.name(other)
            and before.signature(one) == after.signature(other)
        )

    start, shorter = 0, min(len(ones), len(others))
    while start < shorter and same(ones[start], others[start]):
        start += 1
    end = 0
    while end < shorter - start and same(ones[-1 - end], others[-1 - end]):
        end += 1
    yield from zip(ones[:start], others[:start], strict=True)
    if end:
        yield from zip(ones[-end:], others[-end:], strict=True)
    ones, others = ones[start : len(ones) - end], others[start : len(others) - end]
    if len(ones) * len(others) > LARGEST_TABLE:
        yield from _by_name(before, after, ones, others)
        return
    pairs = list(_in_order(before, after, ones, others))
    yield from pairs
    taken = {member for pair in pairs for member in pair}
    left = [m for m in ones if m not in taken and before.is_written(m)]
    yield from _by_name(before, after, left, [m for m in others if m not in taken])


def _by_name(
    before: ModuleTree, after: ModuleTree, ones: Sequence[Member], others: Sequence[Member]
) -> Iterator[Pair]:
    """Pair members of one name and kind, wherever they stand."""
    named = {(m.scope, after.name(m), after.kind(m)): m for m in reversed(others)}
    for one in ones:
        other = named.pop((one.scope, before.name(one), before.kind(one)), None)
        if other is not None:
            yield one, other


def _in_order(
    before: ModuleTree, after: ModuleTree, ones: Sequence[Member], others: Sequence[Member]
) -> Iterator[Pair]:
    """The pairs, in order on both sides, whose likeness adds up to most.

    ``best[i][j]`` is the most that members from i and from j on can reach. Read from the
    start, a pair that keeps it is taken as soon as it can be: neighbours stay neighbours.
    """
    likeness = _likenesses(before, after, ones, others)
    best = [[0.0] * (len(others) + 1) for _ in range(len(ones) + 1)]
    for i in reversed(range(len(ones))):
        row, below = best[i], best[i + 1]
        for j in reversed(range(len(others))):
            alike = likeness[i][j]
            paired = below[j + 1] + alike if alike else 0.0
            row[j] = max(paired, below[j], row[j + 1])
    i = j = 0
    while i < len(ones) and j < len(others):
        alike = likeness[i][j]
        if alike and best[i][j] == best[i + 1][j + 1] + alike:
            yield ones[i], others[j]
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1


def _likenesses(
    before: ModuleTree, after: ModuleTree, ones: Sequence[Member], others: Sequence[Member]
) -> list[list[float]]:
    """How much members are alike, each with each; 0 where they are not to be paired.

    Most layers of a network are like many others: each kind is compared with each only once.
    """
    known: dict[tuple[Any, Any], float] = {}
    right = [(m, after.name(m), after.is_written(m), after.signature(m)) for m in others]
    table = []
    for one in ones:
        name, written, own = before.name(one), before.is_written(one), before.signature(one)
        row = []
        for other, its_name, its_written, its in right:
            key = own, its
            alike = known.get(key)
            if alike is None:
                alike = known[key] = _likeness(before, after, one, other)
            if name == its_name and one.scope == other.scope:
                if written and its_written:
                    alike += _WRITTEN
                elif alike:
                    alike += _COUNTED
            row.append(alike)
        table.append(row)
    return table


def _likeness(before: ModuleTree, after: ModuleTree, one: Member, other: Member) -> float:
    """How much two members are alike, whatever they are called: between 0 and 1."""
    if one.scope != other.scope:
        return 0.0
    return (_calls_alike if one.scope else _layers_alike)(before, after, one, other)


def _layers_alike(before: ModuleTree, after: ModuleTree, one: Member, other: Member) -> float:
    """Layers of one kind are, the more so the more of their arguments are equal.

    One may also stand in the place of another of its family: a gelu that of a relu.
    """
    if before.kind(one) != after.kind(other):
        families = (find(tree.kind(m)) for tree, m in ((before, one), (after, other)))
        first, second = (found and not found.internal and found.family for found in families)
        return _OF_ONE_FAMILY if first and first == second else 0.0
    left, right = before.arguments(one), after.arguments(other)
    equal = sum(left.get(name) == right.get(name) for name in left.keys() | right.keys())
    return 0.5 + 0.5 * (equal + 1) / (len(left.keys() | right.keys()) + 1)


def _calls_alike(before: ModuleTree, after: ModuleTree, one: Member, other: Member) -> float:
    """Calls are as far as they hold the same layers (the Dice coefficient)."""
    if before.signature(one) == after.signature(other):
        return 1.0
    left, right = before.contents(one), after.contents(other)
    held = left.total() + right.total()
    share = 2 * (left & right).total() / held if held else 0.0
    same_block = before.kind(one) == after.kind(other)
    likeness = 0.7 * share + 0.2 * same_block
    return likeness if likeness >= _LEAST_LIKE else 0.0


def _across_levels(
    before: ModuleTree, after: ModuleTree, left: Sequence[Member], right: Sequence[Member]
) -> Iterator[Pair]:
    """Layers that stand one level deeper or higher: in a call that the other network lacks."""
    for deeper in (False, True):
        flat = [m for m in left if not m.scope] if deeper else list(_layers_inside(before, left))
        held = list(_layers_inside(after, right)) if deeper else [m for m in right if not m.scope]
        if not flat or not held or len(flat) * len(held) > LARGEST_TABLE:
            continue
        pairs = [
            (one, other)
            for one, other in _in_order(before, after, flat, held)
            if _weights_fit(before, after, one, other)
        ]
        if len(pairs) >= _RUN:
            yield from pairs
            return


def _layers_inside(tree: ModuleTree, members: Sequence[Member]) -> Iterator[Member]:
    """The layers in the calls among members, at any depth."""
    for member in members:
        if member.scope:
            for inner in tree.members[member.id]:
                yield from _layers_inside(tree, [inner]) if inner.scope else [inner]


def _weights_fit(before: ModuleTree, after: ModuleTree, one: Member, other: Member) -> bool:
    """Whether layers of one kind have weights of one shape, or no weights and equal arguments."""
    if before.kind(one) != after.kind(other):
        return False
    shapes = [dict(_shapes(tree, m)) for tree, m in ((before, one), (after, other))]
    both = shapes[0].keys() & shapes[1].keys()
    if not both:
        return shapes[0] == shapes[1] and before.layer(one.id) == after.layer(other.id)
    return all(shapes[0][name] == shapes[1][name] for name in both)


def _shapes(tree: ModuleTree, member: Member) -> Iterator[tuple[str, tuple[int, ...]]]:
    path = tree.path(member)
    for tensor in state_of_node(tree.graph, member.id):
        yield tensor.name[len(path) :], tensor.shape


def _find_moved(before: ModuleTree, after: ModuleTree, pairing: Pairing) -> Iterator[Pair]:
    """Runs of layers that stand elsewhere now, with the same arguments, weights and neighbours."""
    placed = set(pairing.values())
    ones = [m for n in before.graph if (m := Member(n, False)) not in pairing]
    others = [m for n in after.graph if (m := Member(n, False)) not in placed]
    left = [_with_weights(before, m) for m in ones]
    right = [_with_weights(after, m) for m in others]
    starts: dict[Any, list[int]] = {}
    for j in range(len(right) - _RUN + 1):
        starts.setdefault(tuple(right[j : j + _RUN]), []).append(j)
    free = [True] * len(right)
    i = 0
    while i < len(left):
        runs = [
            (_run_length(left, right, free, i, j), -j)
            for j in starts.get(tuple(left[i : i + _RUN]), ())[:_MOST_TRIED]
        ]
        length, place = max(runs, default=(0, 0))
        if length < _RUN or not any(shapes for _, shapes in left[i : i + length]):
            i += 1
            continue
        for step in range(length):
            free[step - place] = False
            yield ones[i + step], others[step - place]
        i += length


def _run_length(
    left: Sequence[Any], right: Sequence[Any], free: Sequence[bool], i: int, j: int
) -> int:
    """How many layers from i on are those from j on, of which nobody has one yet."""
    length = 0
    while (
        i + length < len(left)
        and j + length < len(right)
        and free[j + length]
        and left[i + length] == right[j + length]
    ):
        length += 1
    return length


def _with_weights(tree: ModuleTree, member: Member) -> tuple[Any, ...]:
    """A layer with its arguments, and the shapes of its weights."""
    return tree.layer(member.id), tuple(_shapes(tree, member))
