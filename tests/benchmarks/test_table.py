"""Every benchmark runs, and docs/speed.md and the README show rows of one measurement."""

import os
import platform
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import construction
import draw_and_summary
import inference
import live_memory
import pytest
import scale
import speed_page
import startup
import table as command
import torch
import training
from rows import Row, compare
from torch import Tensor

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGE = ROOT / "docs" / "speed.md"


# Each at its smallest, so that none rots -------------------------------------------


def smallest_drawing() -> Iterator[Row]:
    for name in ("torchinfo", "torchview"):
        pytest.importorskip(name, reason="the extra bench brings it")
    return draw_and_summary.rows(draw_and_summary.Case("ResNet-20", "resnet20", 8), 1)


def smallest_training() -> Iterator[Row]:
    case = replace(training.CASES["digits"], samples=128)
    return training.rows([case], 1, starts=1)


def smallest_inference() -> Iterator[Row]:
    # Frozen it is compiled by a C++ compiler; what of it is archdsl's is tested with optimize.
    return inference.rows([inference.CASES["resnet20"]], 1, frozen=())


SMALLEST: dict[str, tuple[Callable[[], Iterator[Row]], int]] = {
    "startup": (lambda: startup.rows(["archdsl check resnet.arch:resnet152"], 1), 1),
    "draw_and_summary": (smallest_drawing, 5),
    "scale": (lambda: scale.rows((70, 140)), 2),
    "construction": (lambda: construction.rows(construction.CASES["resnet20"], 1), 5),
    "inference": (smallest_inference, 7),
    "training": (smallest_training, 2),
}


def test_every_benchmark_of_the_table_is_tried_here() -> None:
    assert list(SMALLEST) == list(command.BENCHMARKS)
    scripts = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    parts = {"rows", "table", "speed_page", "live_memory", "handwritten", "handwritten_loop"}
    assert scripts - parts - {"gpu"} == set(SMALLEST)  # which most machines cannot run


@pytest.mark.parametrize("name", SMALLEST)
def test_a_benchmark_measures_its_rows(name: str) -> None:
    smallest, count = SMALLEST[name]
    measured = list(smallest())
    assert len({row.what for row in measured}) == len(measured) == count
    for row in measured:
        assert row.ours > 0
        assert row.other > 0
        better, worse = (row.ours, row.other) if row.unit == "layers/s" else (row.other, row.ours)
        # A ratio is the median over rounds, so it may lie beside that of the medians, not far off.
        assert row.ratio == pytest.approx(better / worse, rel=0.9)


def test_what_tensors_hold_is_counted_to_the_byte() -> None:
    x = torch.ones(1000)  # held before: not what the action adds

    def two_at_once() -> Tensor:
        y = x + 1
        return (y + 1).sum()

    def three_at_once() -> Tensor:
        y = x + 1
        z = y + 1
        return (z * y).sum()

    assert live_memory.peak_bytes(two_at_once) == 2 * 4000 + 4  # the sum too
    assert live_memory.peak_bytes(three_at_once) == 3 * 4000 + 4


def test_the_compiled_network_holds_what_by_hand_is_held() -> None:
    """In training to the byte; forward may hold one tensor more, where by hand ReLUs overwrite."""
    case = inference.CASES["resnet20"]
    forward, step = inference.memory_rows(case, *inference.models(case))
    assert step.ours == step.other
    assert forward.other <= forward.ours <= 1.5 * forward.other


# What is written -------------------------------------------------------------------

ROWS = [
    *(compare(what, "by hand", 10, 20, "ms") for what in speed_page.TELLING),
    compare("another", "by hand", 20, 10, "ms", "It does more."),
]
GIVEN = f"# archdsl\n\n{speed_page.START}old\n{speed_page.END}\nthe end\n"


def test_the_readme_gets_the_telling_rows_and_keeps_the_rest() -> None:
    written = speed_page.with_table(GIVEN, ROWS, "Measured.")
    assert written.startswith("# archdsl\n\n")
    assert written.endswith("\nthe end\n")
    assert "old" not in written
    assert rows_in(written) == [row.markdown() for row in ROWS[:-1]]
    assert speed_page.with_table(written, ROWS, "Measured.") == written


def test_a_row_that_the_readme_needs_and_nobody_measured_is_noticed() -> None:
    with pytest.raises(KeyError):
        speed_page.with_table(GIVEN, ROWS[1:], "Measured.")


def test_the_page_says_what_is_behind_and_why() -> None:
    _, _, behind = speed_page.page(ROWS, "Measured.").partition("## Where archdsl is behind")
    assert "- It does more.\n  - another: 2.00 times as long as by hand" in behind
    assert speed_page.TELLING[0] not in behind


def test_the_page_says_what_its_maker_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page.startswith(speed_page.INTRODUCTION)
    assert speed_page.READING in page


def test_where_nothing_is_behind_the_page_says_so() -> None:
    assert speed_page.page(ROWS[:-1], "Measured.").endswith("Nothing, in this run.\n")


def test_what_it_was_measured_on_is_said_without_a_name_or_a_path() -> None:
    said = speed_page.measured_on(2, "2.13.0", quick=False)
    assert re.fullmatch(r"Measured on \d+ processor cores?, Python [\d.]+\S*, torch .* 2 .*", said)
    assert platform.node() not in said
    assert "/" not in said
    assert "quick" in speed_page.measured_on(2, "2.13.0", quick=True)


def rows_in(text: str) -> list[str]:
    """The rows of its table, without the head."""
    return [line for line in text.splitlines() if line.startswith("| ")][1:]


def test_the_readme_shows_rows_of_the_page() -> None:
    before, after = speed_page.around_table(README.read_text(encoding="utf-8"))
    shown = README.read_text(encoding="utf-8").removeprefix(before).removesuffix(after)
    page = PAGE.read_text(encoding="utf-8")
    assert [row.split(" | ")[0].removeprefix("| ") for row in rows_in(shown)] == [
        *speed_page.TELLING
    ]
    assert set(rows_in(shown)) <= set(rows_in(page))
    (measured,) = (line for line in shown.splitlines() if line.startswith("Measured on "))
    assert measured in page.splitlines()


# The command -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--readme", "nowhere.md"], "nowhere.md"),
        (["--readme", "plain.md"], "there is no <!-- speed"),
        (["-o", "nowhere/speed.md"], "there is no folder nowhere"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_measured(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    (tmp_path / "plain.md").write_text("no table\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "table.py"), *arguments],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
