"""Two runs in one folder: the second is refused, and what a killed one left is taken over."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.training.locking import LOCK, alone_in

ROOT = Path(__file__).resolve().parents[3]

HOLD = """
import sys
from pathlib import Path
from archdsl.training.locking import alone_in
with alone_in(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def holding(folder: Path) -> subprocess.Popen[str]:
    """A process that trains into a folder, until its standard input ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def left_by(folder: Path, **changes: object) -> None:
    folder.mkdir(exist_ok=True)
    holder = {"pid": os.getpid(), "begun": "1", "machine": platform.node(), **changes}
    (folder / LOCK).write_text(json.dumps(holder), encoding="utf-8")


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = holding(folder)
    for resume in (False, True):
        with (
            pytest.raises(ArchError, match=f"is at work .*: process {first.pid}") as refused,
            alone_in(folder, resume=resume),
        ):
            pass
        assert refused.value.diagnostics[0].code == "results-folder"
    assert (folder / LOCK).exists()  # it is the first one's still
    first.communicate("")
    assert not folder.exists()
    with alone_in(folder):
        assert json.loads((folder / LOCK).read_text())["pid"] == os.getpid()
    assert not folder.exists()


@pytest.mark.parametrize("resume", [False, True])
def test_what_a_killed_one_left_is_taken_over(tmp_path: Path, resume: bool) -> None:
    folder = tmp_path / "run"
    first = holding(folder)
    first.send_signal(signal.SIGKILL)
    # It is not waited for, so that it is a zombie, which is no more at work than one that is gone.
    os.waitid(os.P_PID, first.pid, os.WEXITED | os.WNOWAIT)
    with alone_in(folder, resume=resume):
        assert json.loads((folder / LOCK).read_text())["pid"] == os.getpid()
    first.communicate()
    assert not (folder / LOCK).exists()


@pytest.mark.parametrize(
    "changes", [{}, {"pid": os.getppid()}, {"pid": 2**22 + 1}, {"pid": 10**30}]
)
def test_a_number_that_another_process_has_now_is_not_taken_for_it(
    tmp_path: Path, changes: dict[str, int]
) -> None:
    left_by(tmp_path / "run", **changes)
    with alone_in(tmp_path / "run"):
        pass


@pytest.mark.parametrize("text", ["", "no json", "[]", '{"pid": "x"}'])
def test_what_is_broken_is_taken_over(tmp_path: Path, text: str) -> None:
    (tmp_path / LOCK).write_text(text, encoding="utf-8")
    with alone_in(tmp_path):
        assert json.loads((tmp_path / LOCK).read_text())["pid"] == os.getpid()
    assert tmp_path.is_dir()  # it was there before


def test_of_another_machine_nothing_is_known(tmp_path: Path) -> None:
    left_by(tmp_path, machine="elsewhere")
    with (
        pytest.raises(ArchError, match=r"process \d+ of the machine elsewhere"),
        alone_in(tmp_path),
    ):
        pass
    with alone_in(tmp_path, resume=True):
        pass


def test_of_many_at_the_same_moment_one_is_first(tmp_path: Path) -> None:
    left_by(tmp_path, pid=2**22 + 1)  # what all of them would take over
    many = 8
    together, ended = Barrier(many), Barrier(many)

    def begin(_: int) -> bool:
        together.wait()
        try:
            with alone_in(tmp_path):
                ended.wait()
                return True
        except ArchError:
            ended.wait()
            return False

    with ThreadPoolExecutor(many) as pool:
        assert sum(pool.map(begin, range(many))) == 1


def test_a_run_in_a_folder_in_use_writes_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    first = holding(folder)
    spec = archdsl.loads(
        "network n {\n input x: [4]\n linear(3)\n}\n"
        "train {\n loss: cross_entropy\n data: iris\n epochs: 1\n}"
    )
    with pytest.raises(ArchError, match="is at work"):
        archdsl.fit(spec, folder=folder, progress=False)
    assert [p.name for p in folder.iterdir()] == [LOCK]
    first.communicate("")
    archdsl.fit(spec, folder=folder, progress=False)
    assert LOCK not in {p.name for p in folder.iterdir()}
