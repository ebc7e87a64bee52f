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
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import archdsl

TARGET = f"{Path(__file__).resolve().parents[1] / 'specs' / 'resnet.arch'}:resnet152"
ROUNDS = 5

TORCHINFO = """\
import torchinfo
from net import Resnet152

columns = ("output_size", "num_params", "mult_adds")
size = (1, 3, 224, 224)
print(torchinfo.summary(Resnet152(), input_size=size, col_names=columns, verbose=0))
"""

TORCHVIEW = """\
from net import Resnet152
from torchview import draw_graph

drawn = draw_graph(Resnet152(), input_size=(1, 3, 224, 224), device="meta", expand_nested=True)
print(len({ending}))
"""


def best_in_turn(actions: Mapping[str, Callable[[], object]]) -> dict[str, float]:
    """The best time of each in seconds, measured in turn, so that a busy moment meets them all."""
    best = dict.fromkeys(actions, float("inf"))
    for _ in range(ROUNDS):
        for name, action in actions.items():
            start = time.perf_counter()
            action()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def process(*arguments: str, place: str) -> Callable[[], object]:
    """A whole process of this interpreter, at a place; its output is thrown away."""
    command = [sys.executable, *arguments]
    # Installed packages have their bytecode at hand; so has a checkout after its first run.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return lambda: subprocess.run(command, check=True, capture_output=True, cwd=place, env=kept)


def show(what: str, best: Mapping[str, float]) -> None:
    """The times, and how much faster the first is than the second."""
    (ours, own), (theirs, other) = best.items()
    times = f"{ours} {own * 1000:,.0f} ms, {theirs} {other * 1000:,.0f} ms"
    print(f"{what}: {times}; {other / own:.1f} times as fast")


def compare_summaries() -> None:
    """The table, against torchinfo."""
    import torchinfo

    with tempfile.TemporaryDirectory() as place:
        Path(place, "net.py").write_text(archdsl.source(TARGET), encoding="utf-8")
        whole = {
            "archdsl": process("-m", "archdsl", "summary", TARGET, place=place),
            "torchinfo": process("-c", TORCHINFO, place=place),
        }
        show("summary of ResNet-152, a whole process", best_in_turn(whole))
    module, columns = archdsl.compile(TARGET), ("output_size", "num_params", "mult_adds")
    size = (1, 3, 224, 224)

    def theirs() -> str:
        return str(torchinfo.summary(module, input_size=size, col_names=columns, verbose=0))

    from_file = {"archdsl": lambda: str(archdsl.summary(TARGET)), "torchinfo": theirs}
    show("summary of ResNet-152, warm, from the file and from the module", best_in_turn(from_file))
    graph = archdsl.graph(TARGET)
    from_graph = {"archdsl": lambda: str(archdsl.summary(graph)), "torchinfo": theirs}
    show(
        "summary of ResNet-152, warm, from the graph and from the module", best_in_turn(from_graph)
    )


def compare_pictures() -> None:
    """The picture, against torchview."""
    import torchview

    form, ending = "svg", 'drawn.visual_graph.pipe("svg")'
    if shutil.which("dot") is None:
        form, ending = "dot", "drawn.visual_graph.source"
    with tempfile.TemporaryDirectory() as place:
        Path(place, "net.py").write_text(archdsl.source(TARGET), encoding="utf-8")
        ours = ["-m", "archdsl", "draw", TARGET, "-o", f"picture.{form}"]
        whole = {
            "archdsl": process(*ours, place=place),
            "torchview": process("-c", TORCHVIEW.replace("{ending}", ending), place=place),
        }
        show(f"{form.upper()} of ResNet-152, a whole process", best_in_turn(whole))
    module = archdsl.compile(TARGET)

    def theirs() -> object:
        drawn = torchview.draw_graph(
            module, input_size=(1, 3, 224, 224), device="meta", expand_nested=True
        )
        return drawn.visual_graph.pipe("svg") if form == "svg" else drawn.visual_graph.source

    warm = {"archdsl": lambda: archdsl.draw(TARGET).content(form), "torchview": theirs}
    show(
        f"{form.upper()} of ResNet-152, warm, from the file and from the module", best_in_turn(warm)
    )


def main() -> None:
    """Measure and print."""
    for name, compare in (("torchinfo", compare_summaries), ("torchview", compare_pictures)):
        if importlib.util.find_spec(name) is None:
            print(f"nothing to compare with: {name} is missing, pip install 'archdsl[bench]'")
        else:
            compare()


if __name__ == "__main__":
    main()
