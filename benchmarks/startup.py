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
from collections.abc import Mapping
from pathlib import Path

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


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        environment = as_installed(Path(folder))
        for arguments in COMMANDS.values():
            seconds(arguments, environment)
        rounds = [
            {name: seconds(arguments, environment) for name, arguments in COMMANDS.items()}
            for _ in range(ROUNDS)
        ]
    medians = {name: statistics.median(r[name] for r in rounds) for name in COMMANDS}
    for name, median in medians.items():
        ratio = median / medians[NOTHING]
        print(f"{name:36} {median * 1000:6.0f} ms, {ratio:5.1f} times `{NOTHING}`")


if __name__ == "__main__":
    main()
