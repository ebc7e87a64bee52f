"""What repeats: stretches of a sequence that are alike, and wired alike."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Protocol

from archdsl.graph import Source, Wiring

LONGEST_ROUND = 16
"""How many parts a round may have: what repeats at a longer stride is not seen as a repetition."""


class Gathered(Protocol):
    """What has nodes: a part of an outline."""

    @property
    def nodes(self) -> tuple[str, ...]: ...


def find_run(
    keys: Sequence[Hashable],
    start: int,
    *,
    fewest: Callable[[slice], int],
    joined: Callable[[slice, slice], bool],
    agreeing: Callable[[Sequence[slice]], int],
) -> tuple[int, int]:
    """The run that begins at ``start``: the length of a round, and how many rounds there are.

    Of several the one that covers most, of equals the one with the shortest rounds; (1, 1) where
    there is none. ``fewest`` says how many rounds like the first make a run, ``joined`` of two
    neighbouring rounds whether the second goes on where the first ends, ``agreeing`` how many of
    such rounds, from the first on, can stand together.
    """
    best = (1, 1)
    room = len(keys) - start
    for period in range(1, min(LONGEST_ROUND, room // 2) + 1):
        if keys[start] != keys[start + period]:
            continue
        count = 1
        while _alike(keys, start, period, count) and joined(
            _round(start, period, count - 1), _round(start, period, count)
        ):
            count += 1
        if count > 1:
            count = agreeing([_round(start, period, number) for number in range(count)])
        if count >= fewest(_round(start, period, 0)) and period * count > best[0] * best[1]:
            best = (period, count)
    return best


def _round(start: int, period: int, number: int) -> slice:
    return slice(start + period * number, start + period * (number + 1))


def _alike(keys: Sequence[Hashable], start: int, period: int, count: int) -> bool:
    """Whether one more round is there, and equals the first."""
    after = start + period * count
    return (
        after + period <= len(keys) and keys[after : after + period] == keys[start : start + period]
    )


class Signatures:
    """Numbers for what parts of a graph are: equal for those that compute alike."""

    def __init__(self, wiring: Wiring, marks: Mapping[str, Hashable] | None = None) -> None:
        """``marks`` tell layers apart that compute alike."""
        self._graph = wiring.graph
        self._marks = marks or {}
        self._inputs = wiring.sources
        self._consumers: dict[str, list[str]] = {node: [] for node in wiring.graph}
        for node, sources in self._inputs.items():
            for source in sources:
                self._consumers[source.node].append(node)
        self._numbers: dict[Hashable, int] = {}
        self._layers: dict[str, int] = {}

    def of(self, nodes: Sequence[str], more: Hashable) -> int:
        """The number of these nodes with their wiring: where an input stands among them, or which
        of the tensors from outside it is.
        """
        inside = {node: i for i, node in enumerate(nodes)}
        outside: dict[Source, int] = {}
        wiring: list[int | tuple[int, int]] = []
        for node in nodes:
            wiring.append(self._layer(node))
            for source in self._inputs[node]:
                place = inside.get(source.node)
                if place is None:
                    wiring.append(-1 - outside.setdefault(source, len(outside)))
                else:
                    wiring.append((place, source.output))
        return self._number((more, tuple(wiring)))

    def joined(self, parts: Sequence[Gathered], before: slice, after: slice) -> bool:
        """Whether a round goes on where the round before it ends, and in the same way as that.

        What it takes from outside is what the first took there, or at one place what comes
        from the round before; of that round nothing goes anywhere else.
        """
        first = [node for part in parts[before] for node in part.nodes]
        second = [node for part in parts[after] for node in part.nodes]
        inside, following = set(first), set(second)
        if any(c not in inside and c not in following for n in first for c in self._consumers[n]):
            return False
        linked = False
        for old, new in zip(first, second, strict=True):
            for one, two in zip(self._inputs[old], self._inputs[new], strict=True):
                if two.node in inside:
                    linked = True
                elif two.node not in following and two != one:
                    return False
        return linked

    def sharing_alike(self, parts: Sequence[Gathered], rounds: Sequence[slice]) -> int:
        """How many of these rounds, from the first on, share all of their weights, or none."""
        first, *others = [self._paths(parts[one]) for one in rounds]
        met = set(first)
        count = 1
        for paths in others:
            if paths != first if others[0] == first else not met.isdisjoint(paths):
                break
            met.update(paths)
            count += 1
        return count

    def _paths(self, parts: Sequence[Gathered]) -> list[str]:
        return [self._graph.nodes[node]["path"] for part in parts for node in part.nodes]

    def _layer(self, node: str) -> int:
        known = self._layers.get(node)
        if known is None:
            data = self._graph.nodes[node]
            ends = data["op"] == "scan end"  # its argument is the node where the scan begins
            arguments: Any = () if ends else repr(sorted((data.get("args") or {}).items()))
            mark = self._marks.get(node)
            known = self._number((data["op"], arguments, data.get("unet"), mark))
            self._layers[node] = known
        return known

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))
