"""A process that has imported everything and forks a child for every run that is to be killed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("lightning")

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
PATIENCE = 240.0  # seconds, on a machine that has much else to do


@dataclass
class Child:
    """A run in a process of its own."""

    server: Server
    pid: int
    log: Path

    def wait(self) -> int:
        """Its exit code, once it has ended; the negative number of a signal that killed it."""
        return int(self.server.read())

    def kill_when(self, signal: int, ready: Callable[[], bool]) -> int:
        """Send it a signal as soon as something holds."""
        until = time.monotonic() + PATIENCE
        while not ready():
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.001)
        os.kill(self.pid, signal)
        return self.wait()


class Server:
    """See toy.py."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "toy.py"), "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def start(self, folder: Path, **arguments: Any) -> Child:
        """Begin a run that writes into a folder."""
        log = folder.with_suffix(".log")
        assert self.process.stdin is not None
        line = json.dumps({"folder": str(folder), "log": str(log), **arguments})
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return Child(self, int(self.read()), log)

    def read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def close(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(PATIENCE)
        self.process.stdout.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.close()


def run_script(folder: Path, **arguments: Any) -> subprocess.CompletedProcess[str]:
    """A run as a program of its own, which Lightning may start once more for a second process."""
    kept = {k: v for k, v in os.environ.items() if k not in {"LOCAL_RANK", "WORLD_SIZE"}}
    return subprocess.run(
        [sys.executable, str(HERE / "toy.py"), json.dumps({"folder": str(folder), **arguments})],
        capture_output=True,
        text=True,
        env={**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        timeout=PATIENCE,
        check=False,
    )


@pytest.fixture(scope="session")
def script() -> Callable[..., subprocess.CompletedProcess[str]]:
    return run_script
