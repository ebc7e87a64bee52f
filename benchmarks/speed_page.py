"""docs/speed.md and the README's table of speed, made from the same measured rows."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence

from rows import Row, table

START, END = "<!-- speed: made by make bench -->\n", "<!-- end of speed -->\n"

TELLING = (  # the README's rows, in its order
    "archdsl check resnet.arch:resnet152",
    "summary of ResNet-152, a whole process",
    "SVG of ResNet-152, a whole process",
    "building ResNet-152, weights follow",
    "forward, optimized, ResNet-50",
    "a step of archdsl train, ResNet-20",
)

INTRODUCTION = """\
# Speed

What archdsl costs, against what a person would use instead. The two sides of every row are measured
in one run, most in turn, so that what else the machine does falls on both; the ratio is what to
look at, the figures are those of one machine. From a clone,

    make bench

measures everything anew, writes this page, and the README's table from the same rows. It takes ten
minutes or so, and wants a machine that does nothing else. torchview draws with Graphviz's `dot`,
and freezing needs a C++ compiler. `python benchmarks/table.py` only prints the table; with
`--quick` it measures one round of each, to see that it works. Every script in
[benchmarks/](../benchmarks) runs by itself too, and says at its top how; gpu.py is for a machine
with a GPU, of which there are no figures here yet.
"""

READING = """\
- A whole process is timed from its start to its end, with the imports. Warm is a call in a process
  that has made one before; torchinfo and torchview then have the module already, which archdsl does
  not need.
- By hand are the modules of [benchmarks/handwritten.py](../benchmarks/handwritten.py), with the
  same weights, and the loop of
  [benchmarks/handwritten_loop.py](../benchmarks/handwritten_loop.py).
- Text to source is reading, checking and elaborating the specification, and writing the PyTorch
  source. Where it grows in proportion to the layers, large is as fast as small.
- Forward is a batch of 1 under `torch.inference_mode`, a training step is forward and backward of a
  batch of 8, and a step of `archdsl train` is that of its Lightning run, on one thread. «Optimized»
  is `archdsl.optimize`, «frozen» that with `freeze=True`. «Channels-last» is PyTorch's own memory
  format, given to the compiled side alone.
- Memory is what the tensors of a batch of 8 hold at their peak, weights aside.
"""


def measured_on(threads: int, torch: str, *, quick: bool) -> str:
    """The line that says what the figures are worth: cores and versions, and no machine's name."""
    available = getattr(os, "sched_getaffinity", None)
    cores = len(available(0)) if available else os.cpu_count()
    processor = f"{cores} processor core{'' if cores == 1 else 's'}"
    line = f"Measured on {processor}, Python {platform.python_version()}, torch {torch}"
    line += f" on {threads} thread{'' if threads == 1 else 's'}."
    return f"{line} **A quick run, one round of each: not figures to rely on.**" if quick else line


def page(rows: Sequence[Row], measured: str) -> str:
    """The whole of docs/speed.md."""
    behind = "\n".join(_slower(rows)) or "Nothing, in this run."
    parts = (
        INTRODUCTION,
        f"{measured}\n",
        f"{table(rows)}\n",
        f"## How to read it\n\n{READING}",
        f"## Where archdsl is behind\n\n{behind}\n",
    )
    return "\n".join(parts)


def with_table(readme: str, rows: Sequence[Row], measured: str) -> str:
    """The README with its telling rows."""
    before, after = around_table(readme)
    return f"{before}{START}{measured}\n\n{table(telling(rows))}\n{END}{after}"


def around_table(readme: str) -> tuple[str, str]:
    """What stands before and behind the table. ValueError where there is no place for one."""
    before, start, rest = readme.partition(START)
    _, end, after = rest.partition(END)
    if not (start and end):
        raise ValueError(f"there is no {START.strip()} … {END.strip()} in it")
    return before, after


def telling(rows: Iterable[Row]) -> list[Row]:
    """The README's rows, each of which has to be there."""
    named = {row.what: row for row in rows}
    return [named[what] for what in TELLING]


def _slower(rows: Iterable[Row]) -> Iterable[str]:
    """A point for every reason to be behind, with the rows that it holds for."""
    reasons: dict[str, list[str]] = {}
    for row in rows:
        if row.favours == "the other":
            shown = f"{row.what}: {row.shown_ratio} as {row.against}"
            reasons.setdefault(row.note, []).append(shown.replace("as as", "as"))
    for note, points in reasons.items():
        yield f"- {note or 'Not explained yet.'}"
        yield from (f"  - {one}" for one in points)
