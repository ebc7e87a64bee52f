"""Lays DOT text out by Graphviz: as WebAssembly in this process, else by the system's ``dot``."""

from __future__ import annotations

import re

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.render import system_dot, wasm_dot
from archdsl.render.outcome import LayoutFailed, NotInstalled, TooLarge

LONGEST_LAYOUT = (
    30.0  # seconds; the layout of a graph takes far more than twice as long for twice as much
)

# What an SVG calls the font that DOT calls Helvetica: on any system, one of these widths.
FAMILIES = "Helvetica, Arial, 'Liberation Sans', sans-serif"

_FOLD = "fold it: --depth 1, or draw a part: --only NAME"
_INSTALL = (
    "Debian and Ubuntu: sudo apt install graphviz",
    "macOS: brew install graphviz",
    "Windows: winget install Graphviz.Graphviz",
)


def svg(dot: str, *, longest: float = LONGEST_LAYOUT) -> str:
    """The drawing of a graph as a standalone SVG document.

    The text's font is ``fontname="Helvetica"``, that name alone: its widths are known, while a
    list of names or a bold face is measured as if it were Times. Labels are plain text: this
    Graphviz knows no HTML-like ones.

    Graphviz runs as WebAssembly, so no program need be installed. A graph that is too deep for it
    is given to the system's ``dot`` where there is one. ``longest`` bounds each of the two, in
    seconds. Size and ``viewBox`` are in points; no version and no comment is in the text.

    ArchError: ``too-large-to-draw`` where neither can lay the graph out in time,
    ``no-graphviz`` where neither is there. ValueError where the text is not DOT.
    """
    _refuse_nul(dot)
    try:
        return tidy(wasm_dot.render(dot, longest=longest))
    except NotInstalled:
        missing = True
    except TooLarge as problem:
        if problem.out_of_time:  # the system's dot is hardly quicker
            raise _too_large(problem, help=_FOLD) from None
        missing = False
    except LayoutFailed as problem:
        raise _no_dot(problem) from None
    try:
        return tidy(system_dot.render(dot, "svg", longest=longest).decode("utf-8"))
    except NotInstalled:
        if missing:
            raise _no_graphviz("drawing needs Graphviz, which is not installed") from None
        short = TooLarge("Graphviz as WebAssembly runs out of stack or memory")
        raise _too_large(short, help=f"{_FOLD}; or install Graphviz", notes=_INSTALL) from None
    except TooLarge as problem:
        raise _too_large(problem, help=_FOLD) from None
    except LayoutFailed as problem:
        raise _no_dot(problem) from None


def pdf(dot: str, *, longest: float = LONGEST_LAYOUT) -> bytes:
    """The drawing of a graph as a PDF document of one page, by the system's ``dot``.

    ArchError: ``no-graphviz`` where it is not on the PATH or writes no PDF, ``too-large-to-draw``
    where it takes longer than ``longest`` seconds. ValueError where the text is not DOT.
    """
    _refuse_nul(dot)
    try:
        return system_dot.render(dot, "pdf", longest=longest)
    except NotInstalled:
        message = "a PDF is written by Graphviz's program dot, which is not on the PATH"
        raise _no_graphviz(message, help="install Graphviz, or write SVG: -o FILE.svg") from None
    except TooLarge as problem:
        raise _too_large(problem, help=_FOLD) from None
    except LayoutFailed as problem:
        if "not recognized" in str(problem):  # a dot that was built without cairo
            message = "the program dot on the PATH writes no PDF"
            help = "install the whole of Graphviz, or write SVG: -o FILE.svg"
            raise _no_graphviz(message, help=help) from None
        raise _no_dot(problem) from None


def tidy(text: str) -> str:
    """The ``svg`` element alone, without what tells which Graphviz wrote it, and when."""
    start, end = text.find("<svg"), text.rfind("</svg>")
    if start < 0 or end < 0:
        raise ValueError("Graphviz gave no SVG")
    drawing = re.sub(r"<!--.*?-->\r?\n?", "", text[start : end + len("</svg>")], flags=re.DOTALL)
    drawing = re.sub(r'font-family="Helvetica[^"]*"', f'font-family="{FAMILIES}"', drawing)
    return drawing.replace("\r\n", "\n") + "\n"


def _refuse_nul(dot: str) -> None:
    if "\0" in dot:
        raise ValueError("DOT text holds the character NUL, which ends a text in C")


def _too_large(problem: TooLarge, *, help: str, notes: tuple[str, ...] = ()) -> ArchError:
    message = f"the graph is too large to be drawn: {problem}"
    return ArchError([Diagnostic("too-large-to-draw", message, notes=notes, help=help)])


def _no_graphviz(message: str, *, help: str = "install Graphviz") -> ArchError:
    return ArchError([Diagnostic("no-graphviz", message, notes=_INSTALL, help=help)])


def _no_dot(problem: LayoutFailed) -> ValueError:
    return ValueError(f"Graphviz does not draw this: {problem}")
