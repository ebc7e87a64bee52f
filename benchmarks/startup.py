"""What a command costs as a whole process, as ratios to ``python -c pass``.

    python benchmarks/startup.py

Every round runs every command once, so that a busy machine slows all of them alike; of the rounds
the medians count. Python keeps its bytecode and Lark its tables, as they do for who has installed
archdsl and called it before.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rows import Row, compare, show

RESNET = Path(__file__).resolve().parents[1] / "specs" / "resnet.arch"
ROUNDS = 15

NOTHING = "python -c pass"
COMMANDS = {
    NOTHING: ("-c", "pass"),
    "import lark, click": ("-c", "import lark, click"),
    "import networkx": ("-c", "import networkx"),
    "archdsl --version": ("-m", "archdsl", "--version"),
    "archdsl check resnet.arch:resnet152": ("-m", "archdsl", "check", f"{RESNET}:resnet152"),
    "archdsl check resnet.arch": ("-m", "archdsl", "check", str(RESNET)),
    "archdsl graph resnet.arch:resnet152": ("-m", "archdsl", "graph", f"{RESNET}:resnet152"),
    "archdsl fmt --check resnet.arch": ("-m", "archdsl", "fmt", "--check", str(RESNET)),
}


NOTE = "Python itself is the floor: a command adds its imports, and reading the specification."


def seconds(arguments: tuple[str, ...], environment: Mapping[str, str]) -> float:
    """What a process of Python takes, from its start to its end."""
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], check=True, capture_output=True, env=dict(environment)
    )
    return time.perf_counter() - start


def as_installed(caches: Path) -> dict[str, str]:
    """The environment, with places for what Python and Lark keep between two calls."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    root = str(RESNET.parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    return {
        **kept,
        "PYTHONPATH": path,
        "PYTHONPYCACHEPREFIX": str(caches / "bytecode"),
        "XDG_CACHE_HOME": str(caches),
    }


def rows(commands: Iterable[str] = COMMANDS, rounds: int = ROUNDS) -> Iterator[Row]:
    """A row for every one of these commands, against Python's own start."""
    chosen = [name for name in commands if name != NOTHING]
    with tempfile.TemporaryDirectory() as folder:
        environment = as_installed(Path(folder))
        measured = {name: COMMANDS[name] for name in (NOTHING, *chosen)}
        for arguments in measured.values():
            seconds(arguments, environment)
        taken = [
            {name: seconds(arguments, environment) for name, arguments in measured.items()}
            for _ in range(rounds)
        ]
    medians = {name: 1000 * statistics.median(one[name] for one in taken) for name in measured}
    for name in chosen:
        yield compare(name, NOTHING, medians[name], medians[NOTHING], "ms", NOTE)


def main() -> None:
    """Measure and print."""
    show(rows())


if __name__ == "__main__":
    main()
