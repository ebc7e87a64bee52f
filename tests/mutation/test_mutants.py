"""The mutation tester itself, and a quick share of what ``make mutants`` tries."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.mutation import run
from tests.mutation.mutants import live_functions, mutants, put_in_place
from tests.mutation.run import ROOT, equivalent, in_fork, rule_files, sample, suite_of

SOURCE = '''\
"""A rule."""

class Rule:
    def size(self, n):
        """Where 3 + 4 is no code."""
        if n < 1:
            raise ValueError(f"{n + 1} is too little")
        return (n - 1) // 2, n

    def code(self, n):
        return n + 1
'''


STUBBORN = """\
def reach(n):
    while n > 0:
        try:
            n = n - 1
        except BaseException:
            pass
"""


@pytest.fixture
def rule(tmp_path: Path) -> types.ModuleType:
    return written(SOURCE, tmp_path / "rule.py")


def written(source: str, path: Path) -> types.ModuleType:
    path.write_text(source, encoding="utf-8")
    module = types.ModuleType(path.stem)
    module.__file__ = str(path)
    exec(compile(source, str(path), "exec"), vars(module))
    return module


def test_every_decision_is_changed_once_and_no_text(rule: types.ModuleType) -> None:
    assert rule.__file__
    assert [f"{m.before} => {m.after}" for m in mutants(Path(rule.__file__), "rule.py")] == [
        "n < 1 => False",
        "n < 1 => n <= 1",
        "n < 1 => n < 2",
        "((n - 1) // 2, n) => (n,)",
        "((n - 1) // 2, n) => ((n - 1) // 2,)",
        "(n - 1) // 2 => (n - 1) * 2",
        "n - 1 => n + 1",
        "n - 1 => n - 2",
        "(n - 1) // 2 => (n - 1) // 3",
    ]


def test_a_mutant_lives_where_the_function_does(rule: types.ModuleType) -> None:
    assert rule.__file__
    held = rule.Rule().size  # as one that imported it holds it
    assert held(7) == (3, 7)
    wanted = {"n - 1 => n + 1": (4, 7), "(n - 1) // 2 => (n - 1) // 3": (2, 7)}
    for mutant in mutants(Path(rule.__file__), "rule.py"):
        change = f"{mutant.before} => {mutant.after}"
        if change in wanted:
            put_in_place(mutant, rule)
            assert held(7) == wanted[change]


def test_a_mutant_that_loops_is_killed_by_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though it catches all that a signal could raise; the next ones are tried as ever."""
    monkeypatch.setattr(run, "GRACE", 0.3)
    monkeypatch.setattr(run, "suite_of", lambda file: ("stubborn",))
    module = written(STUBBORN, tmp_path / "stubborn.py")

    def protocol(**_: object) -> None:
        module.reach(3)

    item = types.SimpleNamespace(nodeid="stubborn", ihook=types.SimpleNamespace())
    item.ihook.pytest_runtest_protocol = protocol
    fates = {}
    for mutant in mutants(tmp_path / "stubborn.py", "stubborn.py"):
        reached = {"stubborn": run.Reached(frozenset({("stubborn.py", mutant.line)}), 0.1)}
        plugin = run.Mutation([mutant], limit=60, budget=60)
        fate = plugin._try(mutant, module, [item], reached)  # type: ignore[list-item]  # a stand-in
        fates[f"{mutant.before} => {mutant.after}"] = fate.killed_by
    assert fates["n - 1 => n + 1"] == "time"
    assert fates["n - 1 => n - 2"] == fates["n > 0 => n > 1"] == ""


def test_a_fork_has_its_time_and_no_more() -> None:
    def steps(*seconds: float) -> Iterator[float]:
        for each in seconds:
            time.sleep(each)
            yield each

    def big_power() -> Iterator[int]:
        """In C, where no handler of Python's would come to run."""
        yield pow(7, 10**9) % 2

    start = time.monotonic()
    assert in_fork(lambda: steps(0.1, 0.1, 0.2), [5, 5, 5], 15) == 0.2
    assert in_fork(lambda: steps(0.1, 60), [5, 0.2], 15) is None
    assert in_fork(lambda: steps(0.1, 60), [60, 60], 0.3) is None
    assert in_fork(big_power, [0.3], 5) is None
    assert time.monotonic() - start < 5


def test_every_function_with_a_mutant_is_found_alive() -> None:
    import importlib

    for file in rule_files():
        module = importlib.import_module(file.removesuffix(".py").replace("/", "."))
        alive = live_functions(module)
        found = mutants(ROOT / file, file)
        assert {m.function for m in found if m.first_line not in alive} == set()
        assert len({m.name for m in found}) == len(found)


def test_every_equivalent_has_a_reason_and_is_still_made() -> None:
    made = {m.name for file in rule_files() for m in mutants(ROOT / file, file)}
    assert {name for name in equivalent() if name not in made} == set()
    assert all(len(reason) > 10 for reason in equivalent().values())


def test_the_tests_that_are_asked_are_there() -> None:
    assert [t for file in rule_files() for t in suite_of(file) if not (ROOT / t).exists()] == []


def test_what_the_time_of_a_run_leaves_out_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    chosen = mutants(ROOT / "archdsl/dims.py", "archdsl/dims.py")[:5]
    plugin = run.Mutation(chosen, limit=60, budget=0)
    plugin.fates = [run.Fate(chosen[0], "time"), run.Fate(chosen[1], "")]
    run.tell(plugin)
    assert "not tried, for the time was over: 3 of 5\n" in capsys.readouterr().out


def test_a_share_of_the_mutants_is_killed() -> None:
    """Each by the test that sample.txt names; ``make mutants ARGS=--write-sample`` names others."""
    command = [sys.executable, "-m", "tests.mutation.run", "--sample"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    row = re.search(r"^all +(\d+) +(\d+) +0 +0$", done.stdout, re.MULTILINE)
    assert row, done.stdout
    assert int(row[1]) == int(row[2]) >= 0.7 * len(sample())  # the rest were rewritten since
