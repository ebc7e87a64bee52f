"""Every benchmark, one after the other, as one Markdown table.

    python benchmarks/table.py [--quick] [-o docs/speed.md] [--readme README.md]

Each runs in a process of its own, so that none has the memory, the threads or the warm caches of
another. Rows are shown on the error stream as they are measured; the table goes to the standard
output, or with ``-o`` into a page, and with ``--readme`` its most telling rows into the README too.
Both files are written at the end, whole. ``--quick`` measures a round of each.
"""

from __future__ import annotations

import argparse
import importlib.util
import multiprocessing
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import rows
import speed_page

from archdsl.diagnostics import ArchError
from archdsl.output import write_file

NEEDED = {"torchinfo": "bench", "torchview": "bench", "lightning": "train"}  # module: its extra


def startup(*, quick: bool) -> Iterator[rows.Row]:
    """``archdsl check``, of one network and of the whole file."""
    import startup as benchmark

    checks = [name for name in benchmark.COMMANDS if name.startswith("archdsl check")]
    return benchmark.rows(checks, 1 if quick else benchmark.ROUNDS)


def draw_and_summary(*, quick: bool) -> Iterator[rows.Row]:
    """Tables and pictures."""
    import draw_and_summary as benchmark

    return benchmark.rows(rounds=1 if quick else benchmark.ROUNDS)


def scale(*, quick: bool) -> Iterator[rows.Row]:
    """Many layers."""
    import scale as benchmark

    return benchmark.rows(benchmark.SIZES[:2] if quick else benchmark.TELLING)


def construction(*, quick: bool) -> Iterator[rows.Row]:
    """Building modules."""
    import construction as benchmark

    return benchmark.rows(rounds=1 if quick else benchmark.ROUNDS)


def inference(*, quick: bool) -> Iterator[rows.Row]:
    """Running them; quick freezes the smallest alone, for the others take minutes."""
    import inference as benchmark

    frozen = ["resnet20"] if quick else list(benchmark.CASES)
    return benchmark.rows(rounds=1 if quick else None, frozen=frozen)


def training(*, quick: bool) -> Iterator[rows.Row]:
    """Training them."""
    import training as benchmark

    if quick:
        return benchmark.rows(epochs=1, starts=1)
    return benchmark.rows()


BENCHMARKS: dict[str, Callable[..., Iterator[rows.Row]]] = {
    one.__name__: one
    for one in (startup, draw_and_summary, scale, construction, inference, training)
}


def measured(name: str, *, quick: bool) -> list[rows.Row]:
    """The rows of a benchmark, in this process, each shown as it is measured."""
    return rows.show(BENCHMARKS[name](quick=quick), _tell)


def in_process(name: str, *, quick: bool) -> list[rows.Row]:
    """The rows of a benchmark, in a process of its own."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=fresh) as alone:
        return alone.submit(measured, name, quick=quick).result()


def missing() -> list[str]:
    """What would have to be installed first."""
    extras = {NEEDED[name] for name in NEEDED if importlib.util.find_spec(name) is None}
    wanted = [f"pip install 'archdsl[{','.join(sorted(extras))}]'"] if extras else []
    if shutil.which("dot") is None:
        wanted.append("Graphviz's program dot, which torchview draws with")
    if not any(map(shutil.which, (os.environ.get("CXX", "c++"), "g++", "clang++"))):
        wanted.append("a C++ compiler, which torch.compile freezes with")
    return wanted


def arguments() -> argparse.Namespace:
    """What is asked for; what cannot come to a good end is refused before minutes have passed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a round of each")
    parser.add_argument("-o", dest="output", type=Path, metavar="PAGE", help="write the page")
    parser.add_argument("--readme", type=Path, help="write its most telling rows into this file")
    given = parser.parse_args()
    if given.output and not given.output.parent.is_dir():
        parser.error(f"there is no folder {given.output.parent}")
    if given.readme:
        try:
            speed_page.around_table(given.readme.read_text(encoding="utf-8"))
        except (OSError, ValueError) as problem:
            parser.error(f"{given.readme}: {getattr(problem, 'strerror', None) or problem}")
    if wanted := missing():
        parser.error(f"to be installed first: {'; '.join(wanted)}")
    return given


def main() -> None:
    """Measure, and write what is asked for."""
    given = arguments()
    made = [row for name in BENCHMARKS for row in in_process(name, quick=given.quick)]
    import torch

    line = speed_page.measured_on(torch.get_num_threads(), torch.__version__, quick=given.quick)
    print(f"{line}\n\n{rows.table(made)}")
    try:
        if given.output:
            write_file(given.output, speed_page.page(made, line))
        if given.readme:
            readme = given.readme.read_text(encoding="utf-8")
            write_file(given.readme, speed_page.with_table(readme, made, line))
    except ArchError as error:
        sys.exit(str(error))


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
