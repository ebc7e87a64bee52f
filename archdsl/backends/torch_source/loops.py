"""How a scan is written: as a loop in Python, or as an operator that exporters can follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Row(NamedTuple):
    """A line of a loop; one that is ``inside`` is deeper than its first."""

    text: str
    inside: bool = False


@dataclass
class PythonLoop:
    """``for step in x.unbind(1)``: as it is written by hand."""

    sequence: str
    step: str
    results: str
    states: Sequence[str]
    """The variables of the states that are read."""
    initial: Sequence[str]

    def begin(self) -> list[Row]:
        """What stands before the body."""
        pairs = zip(self.states, self.initial, strict=True)
        starts = [Row(f"{state} = {start}") for state, start in pairs if state != start]
        loop = f"for {self.step} in {self.sequence}.unbind(1):"
        return [*starts, Row(f"{self.results} = []"), Row(loop)]

    def end(self, given: str, after: Sequence[str]) -> list[Row]:
        """What stands behind the body, which gives one tensor and the states that go on."""
        rows = [Row(f"{self.results}.append({given})", inside=True)]
        changed = [(old, new) for old, new in zip(self.states, after, strict=True) if old != new]
        if changed:
            left, right = (", ".join(part) for part in zip(*changed, strict=True))
            rows.append(Row(f"{left} = {right}", inside=True))
        return rows

    def stacked(self) -> str:
        """The results of all steps as one tensor [batch, steps, …]."""
        return f"torch.stack({self.results}, dim=1)"


@dataclass
class TracedLoop(PythonLoop):
    """``torch._higher_order_ops.scan``: traced once, whatever the number of steps.

    It wants a state, and gives no tensor that it was given.
    """

    function: str

    def begin(self) -> list[Row]:
        """The function's head; its body is the loop's."""
        head = Row(f"def {self.function}(states, {self.step}):")
        if not self.states:
            return [head]
        return [head, Row(f"[{', '.join(self.states)}] = states", inside=True)]

    def end(self, given: str, after: Sequence[str]) -> list[Row]:
        """The function's result, and its call for every step."""
        states = [f"{state}.clone()" for state in after] or ["states[0].clone()"]
        initial = self.initial or [f"{self.sequence}.new_zeros(1)"]
        targets = f"[{', '.join(self.states or ['_'])}], {self.results}"
        call = f"torch._higher_order_ops.scan({self.function}, [{', '.join(initial)}], "
        return [
            Row(f"return [{', '.join(states)}], {given}.clone()", inside=True),
            Row(f"{targets} = {call}{self.sequence}, dim=1)"),
        ]

    def stacked(self) -> str:
        """What torch's scan gives is stacked already."""
        return self.results
