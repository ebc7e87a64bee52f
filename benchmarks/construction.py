"""What building ResNet-152 costs, against the module that a person writes by hand.

    python benchmarks/construction.py [ROUNDS]

Two ways to build: with initialization, and with weights that follow, which make it needless. By
hand that is the constructor, and the constructor and `load_state_dict`. The sides take turns, and
the medians are compared, with the range of the single rounds' ratios.

Building from a graph is measured as it is the second time, when its source is written already.
The last rows tell what the first time costs, each in a process of its own, torch imported: from a
graph, and from the text.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import handwritten
import torch
from rows import Row, show
from torch import nn

import archdsl
from archdsl.records import record

ROOT = Path(__file__).resolve().parents[1]
ROUNDS = 15
FIRST_ROUNDS = 5
FIRST_NOTE = (
    "The first time, the source is written and Python compiles it; by hand it is there already."
)


@record(frozen=True)
class Case:
    """A network in both forms."""

    title: str
    name: str
    by_hand: Callable[[], nn.Module]

    @property
    def target(self) -> str:
        """Where the specification has it."""
        return f"{ROOT / 'specs' / 'resnet.arch'}:{self.name}"

    def state(self) -> dict[str, torch.Tensor]:
        """Weights from the hand-written module, whose names are those of the specification."""
        return dict(self.by_hand().state_dict())


CASES = {
    "resnet152": Case("ResNet-152", "resnet152", handwritten.resnet152),
    "resnet20": Case("ResNet-20", "resnet20", handwritten.resnet20),
}


def in_turn(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each action, measured in turn, so that a busy moment meets them all."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def row(what: str, hand: list[float], ours: list[float], note: str = "") -> Row:
    """Both medians, their ratio, and how far the rounds' ratios lie apart."""
    other, own = (1000 * statistics.median(seconds) for seconds in (hand, ours))
    ratios = sorted(a / b for a, b in zip(hand, ours, strict=True))
    spread = (ratios[0], ratios[-1])
    return Row(what, "PyTorch by hand", own, other, "ms", other / own, spread, note)


def first_time(case: Case, origin: str) -> float:
    """The seconds that a process takes for its first module with weights."""
    command = [sys.executable, __file__, "first", case.name, origin]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    made = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(made.stdout)


def measure_first(case: Case, origin: str) -> None:
    """Print what :func:`first_time` gives."""
    state = case.state()
    graph = archdsl.graph(case.target) if origin == "graph" else None
    start = time.perf_counter()
    if origin == "hand":
        case.by_hand().load_state_dict(state)
    else:
        archdsl.compile(case.target if graph is None else graph, weights=state)
    print(time.perf_counter() - start)


def rows(case: Case = CASES["resnet152"], rounds: int = ROUNDS) -> Iterator[Row]:
    """What building costs: initialized, with weights that follow, and the first time."""
    graph, state = archdsl.graph(case.target), case.state()
    actions: dict[str, Callable[[], object]] = {
        "hand": case.by_hand,
        "ours": lambda: archdsl.compile(graph),
        "hand, weights": lambda: case.by_hand().load_state_dict(state),
        "ours, weights": lambda: archdsl.compile(graph, weights=state),
        "ours, weights, text": lambda: archdsl.compile(case.target, weights=state),
    }
    in_turn(actions, 2)
    took = in_turn(actions, rounds)
    built = f"building {case.title}"
    yield row(f"{built}, initialized", took["hand"], took["ours"])
    hand = took["hand, weights"]
    yield row(f"{built}, weights follow", hand, took["ours, weights"])
    yield row(f"{built}, weights follow, from the text", hand, took["ours, weights, text"])
    first: dict[str, list[float]] = {"hand": [], "graph": [], "text": []}
    for _ in range(min(rounds, FIRST_ROUNDS)):
        for origin, seconds in first.items():
            seconds.append(first_time(case, origin))
    yield row(f"{built}, the first time, from a graph", first["hand"], first["graph"], FIRST_NOTE)
    yield row(f"{built}, the first time, from the text", first["hand"], first["text"], FIRST_NOTE)


if __name__ == "__main__":
    if sys.argv[1:2] == ["first"]:
        measure_first(CASES[sys.argv[2]], sys.argv[3])
    else:
        show(rows(rounds=int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS))
