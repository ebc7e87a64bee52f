"""What ResNet-152's table and picture cost: against torchinfo and torchview, cold and warm.

    pip install 'archdsl[bench]'
    python benchmarks/draw_and_summary.py

Each gets what it works on: archdsl the specification, the others the module that archdsl wrote from
it as a file of its own, which needs torch alone. The picture is an SVG; torchview's needs
Graphviz's program dot, and without that both end at the DOT text. Prints ratios of things measured
in the same run, in turn, the best of a few rounds each.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from rows import Row, compare, show

import archdsl
from archdsl.records import record

ROUNDS = 5
COLUMNS = ("output_size", "num_params", "mult_adds")

TORCHINFO = f"""\
import torchinfo
from net import {{name}}

shown = torchinfo.summary({{name}}(), input_size={{shape}}, col_names={COLUMNS}, verbose=0)
print(shown)
"""

TORCHVIEW = """\
from net import {name}
from torchview import draw_graph

drawn = draw_graph({name}(), input_size={shape}, device="meta", expand_nested=True)
print(len({ending}))
"""


@record(frozen=True)
class Case:
    """A network, and how large its input is."""

    title: str
    name: str
    size: int

    @property
    def target(self) -> str:
        """Where the specification has it."""
        return f"{Path(__file__).resolve().parents[1] / 'specs' / 'resnet.arch'}:{self.name}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a batch of one."""
        return (1, 3, self.size, self.size)

    def written(self, place: str) -> str:
        """Write the module to net.py at a place: the name of its class, which is the last."""
        source = archdsl.source(self.target)
        Path(place, "net.py").write_text(source, encoding="utf-8")
        *_, last = re.finditer(r"^class (\w+)", source, re.MULTILINE)
        return last[1]


RESNET152 = Case("ResNet-152", "resnet152", 224)


def measured(
    what: str,
    against: str,
    ours: Callable[[], object],
    theirs: Callable[[], object],
    rounds: int,
) -> Row:
    """The best time of each, measured in turn, so that a busy moment meets them both."""
    best = [float("inf"), float("inf")]
    for _ in range(rounds):
        for side, action in enumerate((ours, theirs)):
            start = time.perf_counter()
            action()
            best[side] = min(best[side], 1000 * (time.perf_counter() - start))
    ours_best, other_best = best
    return compare(what, against, ours_best, other_best, "ms")


def process(*arguments: str, place: str) -> Callable[[], object]:
    """A whole process of this interpreter, at a place; its output is thrown away."""
    command = [sys.executable, *arguments]
    # Installed packages have their bytecode at hand; so has a checkout after its first run.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run(command, check=True, capture_output=True, cwd=place, env=kept)


def summary_rows(case: Case, rounds: int) -> Iterator[Row]:
    """The table, against torchinfo."""
    import torchinfo

    what = f"summary of {case.title}"
    with tempfile.TemporaryDirectory() as place:
        script = TORCHINFO.format(name=case.written(place), shape=case.shape)
        own = process("-m", "archdsl", "summary", case.target, place=place)
        other = process("-c", script, place=place)
        yield measured(f"{what}, a whole process", "torchinfo", own, other, rounds)
    module = archdsl.compile(case.target)

    def theirs() -> str:
        shown = torchinfo.summary(module, input_size=case.shape, col_names=COLUMNS, verbose=0)
        return str(shown)

    def from_file() -> str:
        return str(archdsl.summary(case.target))

    graph = archdsl.graph(case.target)

    def from_graph() -> str:
        return str(archdsl.summary(graph))

    against = "torchinfo, from the module"
    yield measured(f"{what}, warm, from the file", against, from_file, theirs, rounds)
    yield measured(f"{what}, warm, from the graph", against, from_graph, theirs, rounds)


def picture_rows(case: Case, rounds: int) -> Iterator[Row]:
    """The picture, against torchview."""
    import torchview

    form, ending = "svg", 'drawn.visual_graph.pipe("svg")'
    if shutil.which("dot") is None:
        form, ending = "dot", "drawn.visual_graph.source"
    what = f"{form.upper()} of {case.title}"
    with tempfile.TemporaryDirectory() as place:
        name = case.written(place)
        script = TORCHVIEW.format(name=name, shape=case.shape, ending=ending)
        own = process("-m", "archdsl", "draw", case.target, "-o", f"picture.{form}", place=place)
        other = process("-c", script, place=place)
        yield measured(f"{what}, a whole process", "torchview", own, other, rounds)
    module = archdsl.compile(case.target)

    def theirs() -> object:
        drawn = torchview.draw_graph(
            module, input_size=case.shape, device="meta", expand_nested=True
        )
        return drawn.visual_graph.pipe("svg") if form == "svg" else drawn.visual_graph.source

    def ours() -> object:
        return archdsl.draw(case.target).content(form)

    against = "torchview, from the module"
    yield measured(f"{what}, warm, from the file", against, ours, theirs, rounds)


def rows(case: Case = RESNET152, rounds: int = ROUNDS) -> Iterator[Row]:
    """The rows of the table and of the picture."""
    yield from summary_rows(case, rounds)
    yield from picture_rows(case, rounds)


def main() -> None:
    """Measure and print."""
    for name, measure in (("torchinfo", summary_rows), ("torchview", picture_rows)):
        if importlib.util.find_spec(name) is None:
            print(f"nothing to compare with: {name} is missing, pip install 'archdsl[bench]'")
        else:
            show(measure(RESNET152, ROUNDS))


if __name__ == "__main__":
    main()
