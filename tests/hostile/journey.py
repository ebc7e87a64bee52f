"""The whole path from bytes to source, and the bounds that a hostile text is sent along it with."""

from __future__ import annotations

import ast
import os
import resource
import subprocess
import sys
from pathlib import Path

import archdsl
from archdsl.codes import CODES
from archdsl.diagnostics import ArchError, Diagnostic, render

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = Path(__file__).parent / "corpus"
MOST_NETWORKS = 3  # of one text, in one walk
LONGEST_MESSAGE = 20_000  # characters


def walk(text: str) -> list[str]:
    """Load, check, format and write the source of a text; the codes of what was said.

    Any exception but ArchError goes through, and so does an AssertionError where what came out
    is no good: an unknown code, a message without end, source that is no Python, a formatted
    text that formats to another one.
    """
    said: list[Diagnostic] = []
    try:
        _format(text)
        specification = archdsl.loads(text)
        said += specification.diagnostics
        usable = [name for name in specification.networks if not specification.needs(name)]
        for name in usable[:MOST_NETWORKS]:
            found = specification.elaborate(name)
            said += found.diagnostics
            if not found.failed:
                source = archdsl.source(found.graph)
                compile(ast.parse(source), name, "exec")
    except ArchError as error:
        said += error.diagnostics
    for diagnostic in said:
        assert diagnostic.code in CODES, diagnostic.code
        assert len(render(diagnostic)) < LONGEST_MESSAGE, diagnostic.code
    return [diagnostic.code for diagnostic in said]


def _format(text: str) -> None:
    formatted = archdsl.fmt(text)
    assert archdsl.fmt(formatted) == formatted, "formatting twice is formatting once"


def walk_bytes(data: bytes) -> list[str]:
    """The same for bytes, which a file is read as."""
    try:
        return walk(data.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return ["unreadable-file"]


def run_bounded(
    code: str, *arguments: str, stdin: str = "", seconds: int = 60, megabytes: int = 2048
) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own that is killed beyond its bounds."""

    def bound() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_AS, (megabytes * 2**20, megabytes * 2**20))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        preexec_fn=bound,  # no threads here; the limits must not be the parent's
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        timeout=4 * seconds,
        check=False,
    )
