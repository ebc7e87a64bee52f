"""Mutation testing of the shape rules: every mutant that the tests do not notice is told.

    python -m tests.mutation.run [FILE | FILE:FUNCTION …] [--share 1/20] [--budget SECONDS]
    python -m tests.mutation.run --sample        # those of sample.txt, each by the test named there

One process imports torch and collects the tests. It first runs each test in a fork of its own, and
notes which lines of the rules it reaches; then it forks for every mutant, changes the function in
memory, and runs the tests that reach that line, short ones first, until one fails. The working tree
is never touched. A survivor that tests/mutation/equivalent.txt does not know, or a mutant there
that is killed or no longer made, gives the exit code 1.

A mutant that loops is killed by the parent, once a test takes much longer than without it: the fork
tells after each test that it is alive. ``--limit`` bounds the tests of one mutant, ``--budget`` the
whole run; what it leaves untried is told, and is neither killed nor survived.

What was made while the tests were collected is made by the rules as they stand: a layer's fields,
an argument of ``parametrize``, a size at the top of a test's file. A test that shall notice a
mutant there makes its own.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import hashlib
import importlib
import math
import os
import pickle
import resource
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.mutants import Mutant, mutants, put_in_place

ROOT = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.txt")
SAMPLE = Path(__file__).with_name("sample.txt")
ROOM = 8 * 2**30  # bytes of address space beyond those there at the start
GRACE = 5.0  # seconds that a test may take, beside twice what it takes under the tracer

OPS = ("tests/ops", "tests/soundness/test_regressions.py")
SIZES = (
    "tests/test_dims.py",
    "tests/test_conditions.py",
    "tests/test_admissible_sizes.py",
    "tests/test_size_sets.py",
    "tests/passes/test_free_sizes.py",
)
RECEPTIVE_FIELD = ("tests/passes/test_receptive_field.py",)
MEMORY = ("tests/passes/test_memory.py", "tests/soundness/test_memory.py")
COST = ("tests/passes/test_cost.py", "tests/passes/test_merged.py")
LAYERS = (*OPS, *RECEPTIVE_FIELD, *MEMORY, *COST, "tests/errors/test_corpus.py")
SHAPES = ("tests/test_graph.py", "tests/errors/test_corpus.py", *COST, *SIZES)

TESTS: dict[str, tuple[str, ...]] = {
    "archdsl/conditions": SIZES,
    "archdsl/dims.py": SIZES,
    "archdsl/ops/op.py": (*LAYERS, "tests/test_api.py"),
    "archdsl/ops": LAYERS,
    "archdsl/passes/cost.py": COST,
    "archdsl/passes/memory.py": MEMORY,
    "archdsl/passes/receptive_field.py": RECEPTIVE_FIELD,
    "archdsl/passes/shapes.py": SHAPES,
}
"""The tests that must notice a mutant, by the file or the folder that it is in."""
PASSED_OVER = (
    "compiled_and_exported",  # torch.compile of what other tests run as it is
    "_zoo",  # whole networks: long, and what they hold is held by small ones
    "test_the_function_is_the_module",  # these four are of code, not of rules
    "test_the_page_of_the_reference",
    "test_positional_arguments",
    "test_helpers_are_formatted",
)
NO_RULES = frozenset({"__init__.py", "caption.py", "torch_text.py"})


def rule_files() -> list[str]:
    """The files that hold shape rules, as they are called from the root."""
    found: dict[Path, None] = {}
    for name in TESTS:
        path = ROOT / name
        found.update(dict.fromkeys([path] if path.is_file() else sorted(path.glob("*.py"))))
    return [p.relative_to(ROOT).as_posix() for p in found if p.name not in NO_RULES]


def suite_of(file: str) -> tuple[str, ...]:
    return next(tests for name, tests in TESTS.items() if file.startswith(name))


@dataclass(frozen=True)
class Reached:
    """What a test reaches of the rules, and how long it takes."""

    lines: frozenset[tuple[str, int]]
    seconds: float


@dataclass(frozen=True)
class Fate:
    """What became of a mutant."""

    mutant: Mutant
    killed_by: str
    """A test, or «time»; nothing for a survivor."""


# Which tests reach which lines ----------------------------------------------------


class Tracer:
    """Lines of the rules that are run."""

    def __init__(self, files: Iterable[str]) -> None:
        self.names = {str(ROOT / file): file for file in files}
        self.lines: set[tuple[str, int]] = set()

    def __call__(self, frame: types.FrameType, event: str, value: object) -> Any:
        name = self.names.get(frame.f_code.co_filename)
        if name is None:
            return None
        lines = self.lines
        lines.add((name, frame.f_lineno))

        def local(inner: types.FrameType, what: str, given: object) -> Any:
            lines.add((name, inner.f_lineno))
            return local

        return local


def in_fork(act: Callable[[], Iterator[object]], limits: Sequence[float], most: float) -> Any:
    """The last that an act yields, in a process of its own; None where that dies or is too slow.

    For what comes first it has the first of the limits, in seconds, and so on; ``most`` for all.
    """
    reading, writing = Pipe(duplex=False)
    child = os.fork()
    if child == 0:
        _become_child(reading, writing, act, most)
    writing.close()
    with contextlib.suppress(OSError):  # the child has done so, or has ended
        os.setpgid(child, child)
    try:
        return _last_received(reading, limits, time.monotonic() + most)
    finally:
        reading.close()
        _end(child)


def _become_child(
    reading: Connection, writing: Connection, act: Callable[[], Iterator[object]], most: float
) -> None:
    """Never returns: what the parent has registered to do at its exit is the parent's."""
    try:
        with contextlib.suppress(OSError):  # the parent has done so
            os.setpgid(0, 0)  # with the processes that a test starts
        reading.close()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)  # pytest's dots
        os.dup2(nowhere, 2)
        taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (taken + ROOM,) * 2)
        # Should the parent be killed, nobody else would end a loop.
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(2 * most) + 10,) * 2)
        for result in act():
            writing.send((False, result))
        writing.send((True, None))
    finally:
        os._exit(0)


def _last_received(reading: Connection, limits: Sequence[float], end: float) -> Any:
    last: Any = None
    for limit in [*limits, 1.0]:
        left = min(limit, end - time.monotonic())
        try:
            if left <= 0 or not reading.poll(left):
                return None
            done, result = reading.recv()
        except (EOFError, OSError):
            return None
        if done:
            return last
        last = result
    return None


def _end(child: int) -> None:
    """The process that we started, and those that it did."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it has ended
            kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


# The tests, run inside pytest -----------------------------------------------------


class Mutation:
    """A plugin that runs mutants in the place of the tests that pytest has collected."""

    def __init__(self, chosen: Sequence[Mutant], limit: float, budget: float) -> None:
        self.chosen, self.limit, self.budget = chosen, limit, budget
        self.killers: Mapping[str, str] = {}
        """The one test to run for a mutant, by its name; without any, all that reach it."""
        self.fates: list[Fate] = []
        self.seconds = 0.0
        self.end = time.monotonic() + budget
        self.failing: list[str] = []

    def pytest_sessionstart(self) -> None:
        """Failures are wanted, not understood: nothing is shrunk or kept."""
        from hypothesis import HealthCheck, Phase, settings  # after pytest, whose plugin it is

        settings.register_profile(
            "mutation",
            max_examples=100,
            derandomize=True,
            deadline=None,
            database=None,
            phases=(Phase.explicit, Phase.generate),
            suppress_health_check=list(HealthCheck),
        )
        settings.load_profile("mutation")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            FAILED.append(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        start = time.monotonic()
        self.end = start + self.budget
        modules = {m.file: importlib.import_module(module_name(m.file)) for m in self.chosen}
        _load_what_torch_puts_off()
        _forget_what_is_known()
        gc.collect()
        gc.freeze()  # else each fork copies every page that the collector visits
        items = [i for i in session.items if not any(name in i.name for name in PASSED_OVER)]
        if self.killers:
            self._try_killers(modules, {item.nodeid: item for item in items})
            self.seconds = time.monotonic() - start
            return True
        reached = self._reach(items)
        print(f"{len(reached)} tests reach the rules: {time.monotonic() - start:.0f} s", flush=True)
        for mutant in self.chosen:
            fate = self._try(mutant, modules[mutant.file], items, reached)
            if time.monotonic() > self.end:
                break  # and its time was cut short
            self.fates.append(fate)
            if not fate.killed_by:
                print(f"survived  {mutant.name}   (line {mutant.line})", flush=True)
        self.seconds = time.monotonic() - start
        return True

    @property
    def untried(self) -> int:
        """Mutants that the budget had no time for."""
        return 0 if self.killers else len(self.chosen) - len(self.fates)

    def _try_killers(
        self, modules: Mapping[str, types.ModuleType], items: Mapping[str, pytest.Item]
    ) -> None:
        for mutant in self.chosen:
            item = items.get(self.killers[mutant.name])
            if item is None:
                continue  # renamed
            act = functools.partial(_first_failure, mutant, modules[mutant.file], [item])
            done = in_fork(act, [30], 30)
            self.fates.append(Fate(mutant, "time" if done is None else done))

    def _reach(self, items: Sequence[pytest.Item]) -> dict[str, Reached]:
        """Measured anew for the files of tests that have changed since, or whose rules have."""
        found: dict[str, Reached] = {}
        by_file: dict[Path, list[pytest.Item]] = {}
        for item in items:
            by_file.setdefault(item.path, []).append(item)
        for path, its in by_file.items():
            kept = ROOT / "build" / "mutation" / _key(path, its)
            if kept.is_file():
                found |= pickle.loads(kept.read_bytes())
                continue
            measured = self._measured(its)
            if measured is None:
                break
            found |= measured
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_bytes(pickle.dumps(measured))
        return found

    def _measured(self, items: Sequence[pytest.Item]) -> dict[str, Reached] | None:
        """What each test reaches; None where the time of the run is over."""
        found: dict[str, Reached] = {}
        for item in items:
            reached = in_fork(functools.partial(_reached_by, item), [30], 30)
            if time.monotonic() > self.end:
                return None
            if reached is None:
                self.failing.append(item.nodeid)
            elif reached.lines:
                found[item.nodeid] = reached
        return found

    def _try(
        self,
        mutant: Mutant,
        module: types.ModuleType,
        items: Sequence[pytest.Item],
        reached: Mapping[str, Reached],
    ) -> Fate:
        suited = suite_of(mutant.file)
        place = (mutant.file, mutant.line)
        asked = [
            item
            for item in items
            if item.nodeid in reached
            and item.nodeid.startswith(suited)
            and place in reached[item.nodeid].lines
        ]
        asked.sort(key=lambda item: reached[item.nodeid].seconds)
        seconds = 0.0
        for count, item in enumerate(asked):
            if seconds + reached[item.nodeid].seconds > self.limit:
                asked = asked[:count]
                break
            seconds += reached[item.nodeid].seconds
        if not asked:
            return Fate(mutant, "")
        limits = [GRACE + 2 * reached[item.nodeid].seconds for item in asked]
        most = min(2 * GRACE + 2 * seconds, self.end - time.monotonic())
        done = in_fork(functools.partial(_first_failure, mutant, module, asked), limits, most)
        return Fate(mutant, "time" if done is None else done)


def _key(path: Path, items: Sequence[pytest.Item]) -> str:
    """A name for what a file's tests reach, as long as neither it nor a rule changes."""
    digest = hashlib.sha256("\n".join(item.nodeid for item in items).encode())
    for each in (path, *(ROOT / file for file in rule_files())):
        digest.update(each.read_bytes())
    return digest.hexdigest()[:16]


def _reached_by(item: pytest.Item) -> Iterator[Reached | None]:
    tracer = Tracer(rule_files())
    start = time.perf_counter()
    sys.settrace(tracer)
    try:
        failed = _fails(item)
    finally:
        sys.settrace(None)
    seconds = time.perf_counter() - start  # longer than without the tracer
    yield None if failed else Reached(frozenset(tracer.lines), seconds)


def _first_failure(
    mutant: Mutant, module: types.ModuleType, items: Iterable[pytest.Item]
) -> Iterator[str]:
    """Nothing for each test that passes, then the one that does not."""
    put_in_place(mutant, module)
    for item in items:
        failed = _fails(item)
        yield item.nodeid if failed else ""
        if failed:
            return


FAILED: list[str] = []
"""Tests that have failed in this process: a fork runs one mutant, or one test."""


def _fails(item: pytest.Item) -> bool:
    """Run it as pytest does, the filters of warnings that its marks ask for included."""
    FAILED.clear()
    item.ihook.pytest_runtest_protocol(item=item, nextitem=None)
    return bool(FAILED)


def _load_what_torch_puts_off() -> None:
    """Modules that torch imports when they are first used: here, not in every fork anew.

    Without gradients: autograd's threads would not outlive a fork.
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    from archdsl.backends.torch_probe import probe
    from archdsl.ops.op import Tensor

    with torch.no_grad(), FlopCounterMode(display=False):
        torch.ones(1).exp()
    probe("Hardswish", (), (), Tensor((4,)))


def _forget_what_is_known() -> None:
    """Caches that collecting the tests has filled would hide a mutant."""
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] in {"archdsl", "tests"}:
            for value in list(vars(module).values()):
                if callable(getattr(value, "cache_clear", None)) and hasattr(value, "__wrapped__"):
                    value.cache_clear()


def module_name(file: str) -> str:
    return file.removesuffix(".py").replace("/", ".")


# Choosing and telling -------------------------------------------------------------


def choose(wanted: Sequence[str], share: str) -> list[Mutant]:
    """The mutants of these files and functions; of each ``1/N`` by the hash of its name."""
    part, of = map(int, share.split("/"))
    found = [m for file in rule_files() for m in mutants(ROOT / file, file)]
    return [
        m
        for m in found
        if _is_wanted(m, wanted)
        and int(hashlib.sha256(m.name.encode()).hexdigest(), 16) % of == part - 1
    ]


def _is_wanted(mutant: Mutant, wanted: Sequence[str]) -> bool:
    if not wanted:
        return True
    for each in wanted:
        file, _, function = each.partition(":")
        parts = mutant.function.split(".")
        if mutant.file.startswith(file) and (not function or function in {*parts, mutant.function}):
            return True
    return False


def equivalent() -> dict[str, str]:
    """The mutants that no test can kill, with the reason why each is none."""
    found: dict[str, str] = {}
    reason = ""
    for line in EQUIVALENT.read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            reason = line.removeprefix("# ")
        elif line.strip():
            found[line.strip()] = reason
    return found


def sample() -> dict[str, str]:
    """Mutants, and the test that kills each: what a quick run tries."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    return dict(line.split("  <=  ") for line in lines if line and not line.startswith("#"))


def write_sample(fates: Iterable[Fate], count: int = 48) -> None:
    """Some of the killed, spread by their hash, that a single test of the layers notices."""
    killed = [f for f in fates if f.killed_by.startswith("tests/ops/")]
    killed.sort(key=lambda f: hashlib.sha256(f.mutant.name.encode()).hexdigest())
    lines = sorted(f"{f.mutant.name}  <=  {f.killed_by}" for f in killed[:count])
    SAMPLE.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


def run(
    chosen: Sequence[Mutant],
    limit: float = 60,
    budget: float = math.inf,
    killers: Mapping[str, str] | None = None,
) -> Mutation:
    """The fate of every mutant."""
    files = sorted({m.file for m in chosen})
    tests = sorted({t for file in files for t in suite_of(file) if (ROOT / t).exists()})
    plugin = Mutation(chosen, limit, budget)
    if killers:
        plugin.killers = killers
        tests = sorted({killers[m.name].split("::")[0] for m in chosen})
        tests = [test for test in tests if (ROOT / test).exists()]
    flags = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header", "--no-summary"]
    pytest.main([*flags, "--rootdir", str(ROOT), *tests], plugins=[plugin])
    return plugin


def tell(done: Mutation) -> int:
    """Print the table; the exit code."""
    known = equivalent()
    survivors = {fate.mutant.name for fate in done.fates if not fate.killed_by}
    unknown = sorted(survivors - known.keys())
    killed = [fate.mutant.name for fate in done.fates if fate.killed_by]
    stale = sorted(known.keys() & set(killed))
    print(f"\n{'file':40} {'mutants':>8} {'killed':>8} {'equivalent':>11} {'survived':>9}")
    rows = [*dict.fromkeys(fate.mutant.file for fate in done.fates), ""]
    for file in rows:
        mine = [f for f in done.fates if not file or f.mutant.file == file]
        left = [f.mutant.name for f in mine if not f.killed_by]
        same = sum(name in known for name in left)
        row = (len(mine), len(mine) - len(left), same, len(left) - same)
        print(f"{file or 'all':40} {row[0]:8} {row[1]:8} {row[2]:11} {row[3]:9}")
    print(f"{done.seconds:.0f} s")
    if done.untried:
        print(f"not tried, for the time was over: {done.untried} of {len(done.chosen)}")
    for title, names in (
        ("fail without a mutant", done.failing),
        ("survived", unknown),
        ("said to be equivalent, and killed", stale),
    ):
        for name in names:
            print(f"{title}: {name}")
    return 1 if unknown or stale or not done.fates else 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("wanted", nargs="*", metavar="FILE[:FUNCTION]")
    parser.add_argument("--share", default="1/1", help="only some of them, such as 1/20")
    parser.add_argument("--limit", type=float, default=60.0, help="seconds of tests for a mutant")
    parser.add_argument("--budget", type=float, default=math.inf, help="seconds for the whole run")
    parser.add_argument("--sample", action="store_true", help="those of sample.txt alone")
    parser.add_argument("--write-sample", action="store_true", help="write sample.txt anew")
    given = parser.parse_args(arguments)
    os.chdir(ROOT)
    if given.sample:
        killers = sample()
        chosen = [m for m in choose(given.wanted, given.share) if m.name in killers]
        return tell(run(chosen, killers=killers))
    done = run(choose(given.wanted, given.share), given.limit, given.budget)
    if given.write_sample:
        write_sample(done.fates)
    return tell(done)


if __name__ == "__main__":
    sys.exit(main())
