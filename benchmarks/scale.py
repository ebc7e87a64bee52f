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
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from rows import Row, compare, show

import archdsl
from archdsl.backends.torch_source import generate
from archdsl.records import record

ROOT = Path(__file__).resolve().parents[1]
SIZES = (1_000, 10_000, 100_000)
TELLING = SIZES[1:]
NOTE = "Time grows a little faster than the layers."

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


@record(frozen=True)
class Growth:
    """A network of so many layers, and the seconds to its specification, graph and source."""

    kind: str
    layers: int
    steps: tuple[float, ...]

    @property
    def speed(self) -> float:
        """Layers a second."""
        return self.layers / sum(self.steps)

    def text(self) -> str:
        """The line of it."""
        shown = "".join(f"{step:7.2f} s" for step in self.steps)
        return f"{self.kind:12} {self.layers:8,}{shown} {self.speed:9,.0f}"


def grown(kind: str, size: int) -> Growth:
    """A network of about this many layers, in a process of its own."""
    command = [sys.executable, __file__, kind, str(size)]
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path}
    made = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    *steps, layers = made.stdout.split()
    return Growth(kind, int(layers), tuple(map(float, steps)))


def rows(sizes: Sequence[int] = TELLING, tell: Callable[[str], object] = str) -> Iterator[Row]:
    """Layers a second of every size against the next smaller one: as fast, where growth is linear.

    ``tell`` is given a line on every single network as it is measured.
    """
    for kind in NETWORKS:
        before: Growth | None = None
        for size in sizes:
            measured = grown(kind, size)
            tell(measured.text())
            if before is not None:
                what = f"text to source, {size:,} layers, {kind}"
                against = f"the same with {sizes[sizes.index(size) - 1]:,} layers"
                yield compare(what, against, measured.speed, before.speed, "layers/s", NOTE)
            before = measured


def main(sizes: tuple[int, ...]) -> None:
    """Measure every network at every size, and print the steps, and how the sizes compare."""
    print(f"{'':12} {'layers':>8} {'parse':>8} {'graph':>8} {'source':>8} {'layers/s':>9}")
    show(list(rows(sizes, print)))


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] in NETWORKS:
        measure(sys.argv[1], int(sys.argv[2]))
    else:
        main(tuple(map(int, sys.argv[1:])) or SIZES)
