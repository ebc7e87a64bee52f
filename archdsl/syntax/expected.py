"""Says in the user's words what the parser expected where it stopped.

The parser tells which tokens it could have taken; the lexer, which came last and
which brackets are open. Mistakes that people make often have a function of their
own (:mod:`archdsl.syntax.mistakes`, tried in order); all others are told from the
tables of phrases (:mod:`archdsl.syntax.stop`).
"""

from __future__ import annotations

from archdsl.diagnostics import Diagnostic, Source
from archdsl.syntax.lines import LexerState
from archdsl.syntax.mistakes import MISTAKES
from archdsl.syntax.stop import Stop


def explain(source: Source, at: int, accepted: set[str], state: LexerState) -> Diagnostic:
    """The message for a parse that stopped at an offset, where ``accepted`` could have stood."""
    stop = Stop(source, at, accepted, state)
    for mistake in MISTAKES:
        diagnostic = mistake(stop)
        if diagnostic is not None:
            return diagnostic
    return stop.error(f"expected {stop.expected}{stop.after}, found {stop.found}")
