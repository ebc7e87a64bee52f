"""What a ``forward`` does one after another: calls, and loops with their bodies inside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from archdsl.backends.torch_source.tree import Leaf, Unit
from archdsl.graph import Graph, Source


@dataclass
class Result:
    """What a network gives: its named outputs, and those in training alone."""

    always: list[tuple[str, Source]] = field(default_factory=list)
    training: list[tuple[str, Source]] = field(default_factory=list)
    type_name: str = ""
    """The named tuple of several outputs, where there are several outside training."""
    training_type: str = ""
    """The named tuple that comes in training, with the outputs in training alone."""


def training_only(members: Sequence[Leaf | Unit], result: Result | None) -> set[int]:
    """The members that only outputs in training depend on, by identity."""
    if result is None or not result.training:
        return set()
    needed = {s for _, s in result.always}
    found: set[int] = set()
    for member in reversed(members):
        gives = (
            [Source(member.node, i) for i in range(len(member.data["types"]))]
            if isinstance(member, Leaf)
            else member.outputs
        )
        if any(s in needed for s in gives):
            needed.update(member.inputs)
        else:
            found.add(id(member))
    return found


def steps_of(graph: Graph, members: Sequence[Leaf | Unit], loop: str | None) -> list[Any]:
    """The members as steps; a loop is one step with its body inside."""
    steps: list[Any] = []
    bodies: dict[str, list[Leaf | Unit]] = {}
    order: list[Leaf | Unit] = []
    for member in members:
        own = _loop_of(member)
        outermost = _outermost(graph, own, loop)
        if outermost is not None:
            bodies.setdefault(outermost, []).append(member)
        else:
            order.append(member)
    for member in order:
        if isinstance(member, Leaf) and member.op.name == "scan":
            continue
        if isinstance(member, Leaf) and member.op.name == "scan end":
            begin = next(
                m for m in members if isinstance(m, Leaf) and m.node == member.data["args"]["begin"]
            )
            steps.append((begin, steps_of(graph, bodies.get(begin.node, []), begin.node), member))
        else:
            steps.append(member)
    return steps


def _outermost(graph: Graph, own: str | None, within: str | None) -> str | None:
    """The loop directly inside ``within`` that a member of loop ``own`` stands in."""
    current = own
    while current is not None and current != within:
        around = graph.nodes[current].get("loop")
        if around == within:
            return current
        current = around
    return None


def _loop_of(member: Leaf | Unit) -> str | None:
    if isinstance(member, Leaf):
        loop = member.data.get("loop")
        return str(loop) if loop else None
    return member.scope.loop


def identity_of(step: Any) -> int:
    """Which member decides where a step stands: of a loop its end."""
    return id(step[2]) if isinstance(step, tuple) else id(step)
