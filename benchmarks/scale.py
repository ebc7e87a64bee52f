"""How the time from text to source grows with the layers of a network.

    python benchmarks/scale.py [LAYERS …]

Two networks: one with every layer written out, one whose block is repeated. Every size is a process
of its own, so that none finds what another has worked out already.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import archdsl
from archdsl.backends.torch_source import generate

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1_000, 10_000, 100_000)

BLOCK = """\
block unit(width) {
    residual {
        conv(width, 3, padding = 1, bias = false) -> bn -> relu
        conv(width, 3, padding = 1, bias = false) -> bn
    }
    relu
}
"""


def written_out(layers: int) -> str:
    """A network with a line for every three layers."""
    lines = ["    conv(16, 3, padding = 1, bias = false) -> bn -> relu"] * (layers // 3)
    return "\n".join(["network deep {", "    input image: [16, 32, 32]", *lines, "}"]) + "\n"


def repeated(layers: int) -> str:
    """A network of one block, which has seven layers."""
    body = f"    input image: [16, 32, 32]\n    repeat {layers // 7} {{ unit(16) }}\n"
    return f"{BLOCK}\nnetwork deep {{\n{body}}}\n"


NETWORKS: dict[str, Callable[[int], str]] = {"written out": written_out, "repeated": repeated}


def measure(kind: str, layers: int) -> None:
    """Print the seconds from text to specification, graph and source, and the layers."""
    text = NETWORKS[kind](layers)
    times = [time.perf_counter()]
    specification = archdsl.loads(text)
    times.append(time.perf_counter())
    graph = specification.graph()
    times.append(time.perf_counter())
    generate(graph)
    times.append(time.perf_counter())
    print(*(after - before for before, after in itertools.pairwise(times)), len(graph))


def main(sizes: tuple[int, ...]) -> None:
    """Measure every network at every size, and print the table."""
    print(f"{'':12} {'layers':>8} {'parse':>8} {'graph':>8} {'source':>8} {'layers/s':>9}")
    for kind in NETWORKS:
        totals: dict[int, float] = {}
        for size in sizes:
            command = [sys.executable, __file__, kind, str(size)]
            path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
            made = subprocess.run(
                command,
                check=True,
                capture_output=True,
                text=True,
                env={**os.environ, "PYTHONPATH": path},
            )
            *steps, layers = map(float, made.stdout.split())
            totals[size] = sum(steps)
            shown = "".join(f"{step:7.2f} s" for step in steps)
            print(f"{kind:12} {layers:8,.0f}{shown} {layers / totals[size]:9,.0f}")
        for small, large in itertools.pairwise(sizes):
            ratio = totals[large] / totals[small]
            print(f"{kind:12} {large:,} layers take {ratio:.1f} times as long as {small:,}")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in NETWORKS:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        main(tuple(map(int, sys.argv[1:])) or SIZES)
