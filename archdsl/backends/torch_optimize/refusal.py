"""What is said of a model that cannot be optimized."""

from __future__ import annotations

from archdsl.diagnostics import ArchError, Diagnostic


def refused(message: str, *, notes: tuple[str, ...] = (), help: str = "") -> ArchError:
    """The error to raise, with what would mend it."""
    return ArchError([Diagnostic("not-optimized", message, notes=notes, help=help)])


def first_line(problem: Exception) -> str:
    """What an exception says, less what torch adds on the lines below."""
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:300]
