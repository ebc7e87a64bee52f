"""What building a network costs: with initialization, and with weights that make it needless.

    python benchmarks/construction.py

Prints ratios of things measured in the same run, the best of a few rounds each.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import archdsl

SPECS = Path(__file__).resolve().parents[1] / "specs"
ROUNDS = 5


def seconds(action: Callable[[], object]) -> float:
    """The best time of a few rounds."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Measure and print."""
    target = f"{SPECS / 'resnet.arch'}:resnet152"
    graph = archdsl.graph(target)
    state = archdsl.compile(graph).state_dict()
    fresh = seconds(lambda: archdsl.compile(graph))
    given = seconds(lambda: archdsl.compile(graph, weights=state))
    print(f"ResNet-152, initialized:   {fresh:6.2f} s")
    print(f"ResNet-152, weights given: {given:6.2f} s, {fresh / given:.1f} times as fast")

    def run(*command: str) -> Callable[[], object]:
        return lambda: subprocess.run(command, check=True, capture_output=True)

    nothing = seconds(run(sys.executable, "-c", "pass"))
    check = seconds(run(sys.executable, "-m", "archdsl", "check", str(SPECS / "resnet.arch")))
    times = check / nothing
    print(f"archdsl check resnet.arch: {check:6.2f} s, {times:.0f} times `python -c pass`")


if __name__ == "__main__":
    main()
