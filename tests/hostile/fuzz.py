"""A fuzzer guided by coverage: ``make fuzz SECONDS=600`` walks damaged files from bytes to source.

A text that reaches a line of the package for the first time joins those that are damaged further.
What fails is written to tests/hostile/corpus, which every run of the tests walks again.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import sys
import time
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tests.hostile.journey import CORPUS, ROOT, walk_bytes
from tests.hostile.mutation import damaged

PACKAGE = str(ROOT / "archdsl")
LONGEST = 20  # seconds for one text
LARGEST = 20_000  # bytes of a text that is damaged further


class Lines:
    """The lines of the package that were ever run."""

    def __init__(self) -> None:
        self.seen: set[tuple[types.CodeType, int]] = set()

    def watched(self, act: Callable[[], object]) -> int:
        """How many lines were run for the first time."""
        before = len(self.seen)
        monitoring = getattr(sys, "monitoring", None)
        if monitoring is None:  # Python before 3.12: several times slower
            sys.settrace(self._trace)
            try:
                act()
            finally:
                sys.settrace(None)
            return len(self.seen) - before
        tool = monitoring.COVERAGE_ID
        monitoring.use_tool_id(tool, "archdsl-fuzz")
        monitoring.register_callback(tool, monitoring.events.LINE, self._line)
        monitoring.set_events(tool, monitoring.events.LINE)
        try:
            act()
        finally:
            monitoring.set_events(tool, 0)
            monitoring.free_tool_id(tool)
        return len(self.seen) - before

    def _line(self, code: types.CodeType, line: int) -> object:
        if code.co_filename.startswith(PACKAGE):
            self.seen.add((code, line))
        return sys.monitoring.DISABLE  # type: ignore[attr-defined,unused-ignore]  # not before 3.12

    def _trace(self, frame: types.FrameType, event: str, value: object) -> Any:
        if not frame.f_code.co_filename.startswith(PACKAGE):
            return None
        seen, code = self.seen, frame.f_code

        def local(inner: types.FrameType, what: str, given: object) -> Any:
            if what == "line":
                seen.add((code, inner.f_lineno))
            return local

        return local


class TooSlow(BaseException):
    """A text took longer than any may; no handler of the package's can take it for its own."""


def zoo() -> list[bytes]:
    """The files of the zoo, the tests' mistakes, and what failed before."""
    folders = (ROOT / "specs", ROOT / "tests" / "errors" / "corpus", CORPUS)
    return [
        p.read_bytes() for f in folders for p in sorted(f.rglob("*.arch")) if p.stem != "safety"
    ]


def pieces(files: Iterable[bytes]) -> list[bytes]:
    """Texts to begin with: the files, and each declaration of theirs on its own."""
    found = []
    for data in files:
        found.append(data)
        found += [part + b"\n" for part in data.split(b"\n\n") if b"{" in part]
    return [data for data in found if len(data) < LARGEST]


def fuzz(seconds: float, seed: int) -> int:
    """Walk damaged texts for so long; how many failed."""

    def too_slow(number: int, frame: types.FrameType | None) -> None:
        raise TooSlow

    signal.signal(signal.SIGALRM, too_slow)
    chance, lines = random.Random(seed), Lines()  # noqa: S311  # chance, not secrecy
    texts = pieces(zoo())
    failures: dict[str, Path] = {}
    end, walked, kept = time.monotonic() + seconds, 0, 0
    for first in list(texts):  # what sound texts reach is no discovery
        if time.monotonic() < end - seconds / 2:
            lines.watched(lambda first=first: walk_bytes(first))  # type: ignore[misc]
    while time.monotonic() < end:
        # A recent discovery is damaged more often than what was there from the start.
        source = chance.choice(texts[-64:] if chance.random() < 0.5 else texts)
        data = damaged(source, chance, texts)
        signal.alarm(LONGEST)
        try:
            new = lines.watched(lambda data=data: walk_bytes(data))  # type: ignore[misc]
            signal.alarm(0)
        except (Exception, TooSlow) as problem:  # noqa: BLE001  # whatever it is, it is the find
            signal.alarm(0)
            _keep(data, problem, failures)
            new = 0
        walked += 1
        if new and len(data) < LARGEST:
            texts.append(data)
            kept += 1
    print(f"{walked} texts, {kept} of them reached new lines ({len(lines.seen)} in all)")
    print(f"{len(failures)} kinds of failure")
    return len(failures)


def _keep(data: bytes, problem: BaseException, failures: dict[str, Path]) -> None:
    """Write a text that failed, one for each place of failure."""
    last = problem.__traceback__
    while last and last.tb_next:
        last = last.tb_next
    line = (
        last.tb_frame.f_code.co_qualname
        if last and hasattr(last.tb_frame.f_code, "co_qualname")
        else ""
    )
    place = (
        type(problem).__name__
        if isinstance(problem, TooSlow)
        else f"{type(problem).__name__}-{line}"
    )
    if place in failures:
        return
    path = CORPUS / f"{hashlib.sha256(data).hexdigest()[:12]}.arch"
    path.write_bytes(data)
    failures[place] = path
    print(f"{place}: {str(problem)[:200]!r}: {path.relative_to(ROOT)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    sys.exit(1 if fuzz(given.seconds, given.seed) else 0)
