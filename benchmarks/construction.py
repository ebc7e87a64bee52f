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
from collections.abc import Callable, Mapping
from pathlib import Path

import handwritten
import torch

import archdsl

ROOT = Path(__file__).resolve().parents[1]
TARGET = f"{ROOT / 'specs' / 'resnet.arch'}:resnet152"
ROUNDS = 15


def in_turn(actions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """The seconds of each action, measured in turn, so that a busy moment meets them all."""
    seconds: dict[str, list[float]] = {name: [] for name in actions}
    for _ in range(rounds):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def show(what: str, hand: list[float], ours: list[float]) -> None:
    """A row: both medians, their ratio, and how far the rounds' ratios lie apart."""
    one, other = statistics.median(hand), statistics.median(ours)
    ratios = sorted(a / b for a, b in zip(hand, ours, strict=True))
    spread = f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
    print(f"{what:30}{one * 1000:8.0f} ms{other * 1000:8.0f} ms{one / other:8.2f}   ({spread})")


def first_time(origin: str) -> float:
    """The seconds that a process takes for its first module with weights."""
    command = [sys.executable, __file__, "first", origin]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    made = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(made.stdout)


def measure_first(origin: str) -> None:
    """Print what :func:`first_time` gives."""
    state = handwritten.resnet152().state_dict() if origin == "hand" else _state()
    graph = archdsl.graph(TARGET) if origin == "graph" else None
    start = time.perf_counter()
    if origin == "hand":
        handwritten.resnet152().load_state_dict(state)
    else:
        archdsl.compile(TARGET if graph is None else graph, weights=state)
    print(time.perf_counter() - start)


def _state() -> dict[str, torch.Tensor]:
    """Weights from the hand-written module, whose names are those of the specification."""
    return dict(handwritten.resnet152().state_dict())


def main(rounds: int) -> None:
    """Measure and print."""
    graph, state = archdsl.graph(TARGET), _state()
    actions: dict[str, Callable[[], object]] = {
        "hand": handwritten.resnet152,
        "ours": lambda: archdsl.compile(graph),
        "hand, weights": lambda: handwritten.resnet152().load_state_dict(state),
        "ours, weights": lambda: archdsl.compile(graph, weights=state),
        "ours, weights, text": lambda: archdsl.compile(TARGET, weights=state),
    }
    in_turn(actions, 2)
    took = in_turn(actions, rounds)
    print(f"{'ResNet-152':30}{'by hand':>11}{'archdsl':>11}{'times as fast':>16}")
    show("initialized", took["hand"], took["ours"])
    show("weights follow", took["hand, weights"], took["ours, weights"])
    show("weights follow, from the text", took["hand, weights"], took["ours, weights, text"])
    first: dict[str, list[float]] = {"hand": [], "graph": [], "text": []}
    for _ in range(min(rounds, 5)):
        for origin, seconds in first.items():
            seconds.append(first_time(origin))
    show("the first time, from a graph", first["hand"], first["graph"])
    show("the first time, from the text", first["hand"], first["text"])


if __name__ == "__main__":
    if sys.argv[1:2] == ["first"]:
        measure_first(sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
