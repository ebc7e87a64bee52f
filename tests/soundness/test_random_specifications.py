"""What check accepts, runs: tried on random specifications over every construct and layer."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.backends.torch_source import generate
from archdsl.diagnostics import ArchError
from tests.soundness.elsewhere import Elsewhere
from tests.soundness.running import accepted, allowed, explained, hold, refused
from tests.soundness.writing import specifications

pytestmark = [
    pytest.mark.soundness,
    # torch's notices, once a process, that something costs a copy or takes another way.
    pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths"),
    pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN"),
]

EXAMPLES = settings().max_examples


def test_what_is_accepted_runs(tmp_path: Path) -> None:
    """And what is rejected gets a diagnostic; nothing raises anything else."""
    verdicts: Counter[bool] = Counter()
    sources: dict[str, str] = {}
    elsewhere = Elsewhere(tmp_path)

    @settings(max_examples=3 * EXAMPLES // 2)
    @given(specifications())
    def each(text: str) -> None:
        found = accepted(text)
        verdicts[found is not None] += 1
        if found is not None:
            module = hold(found)
            sources[text] = found.generated.text
            if module is not None:
                elsewhere.add(found, module)

    each()
    elsewhere.run()
    share = verdicts[True] / sum(verdicts.values())
    assert 0.3 < share < 0.8, f"{share:.0%} are accepted: the writer has lost its balance"
    assert_well_written(tmp_path, sources)


def assert_well_written(folder: Path, sources: dict[str, str]) -> None:
    """As a careful person leaves it: formatted, no name unused or undefined."""
    texts = list(sources)
    for number, text in enumerate(texts):
        (folder / f"n{number}.py").write_text(sources[text], encoding="utf-8")
    for command in (
        ("format", "--check", "--isolated", "--line-length=88"),
        ("check", "--isolated", "--select=F,E9", "--output-format=concise"),
    ):
        told = subprocess.run(
            [sys.executable, "-m", "ruff", *command, folder],
            capture_output=True,
            text=True,
            check=False,
        )
        named = re.findall(r"n(\d+)\.py", told.stdout)
        worst = min((texts[int(n)] for n in named), key=len, default="")
        found = "\n".join(told.stdout.splitlines()[:10])
        assert told.returncode == 0, f"{told.stderr}{found}\n{worst}\n{sources.get(worst, '')}"


@settings(max_examples=EXAMPLES)
@given(specifications(free=True))
def test_conditions_are_enough_and_needed(text: str) -> None:
    """Sizes that meet them run; sizes next to those, that do not, fail in torch."""
    found = accepted(text)
    if found is None or not found.report.conditions or not found.report.conditions.names:
        return
    hold(found)
    module = archdsl.compile(found.graph)
    for sizes in found.report.conditions.near_misses(6):
        if not allowed(found, sizes) and not refused(found, module, sizes):
            failing = [c for c in found.report.conditions.conditions if not holds_at(c, sizes)]
            raise AssertionError(f"torch runs it at {sizes}, though {failing[0].reason}")


def holds_at(condition: archdsl.conditions.Condition, sizes: dict[str, int]) -> bool:
    return archdsl.conditions.holds(condition, sizes)


TOKEN = re.compile(r"\w+|[^\w\s]|\n")
WORDS = (
    "it relu conv 0 -1 1.5 none true x as in for if else repeat residual shortcut branch scan unet"
    " concat let input output block network { } ( ) [ ] -> , : = == ** \n 99999999999 H"
).split(" ")


@settings(max_examples=EXAMPLES)
@given(specifications(), st.data())
def test_a_mangled_text_gets_a_diagnostic_or_runs(text: str, data: st.DataObject) -> None:
    tokens = list(TOKEN.finditer(text))
    for _ in range(data.draw(st.integers(1, 2), label="changes")):
        token = data.draw(st.sampled_from(tokens), label="token")
        word = data.draw(st.sampled_from(WORDS) | st.just(""), label="word")
        if text[token.start() : token.end()] == token[0]:
            text = f"{text[: token.start()]}{word}{text[token.end() :]}"
    try:
        specification = archdsl.loads(text)
        names = [n for n in specification.networks if not specification.needs(n)]
        found = [specification.elaborate(name) for name in names]
    except ArchError as error:
        explained(error.diagnostics)
        return
    for one in found:
        if not one.failed:
            compile(generate(one.graph).text, "mangled.py", "exec")
