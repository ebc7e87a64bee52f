"""What a command says of a specification: diagnostics, as text in colour or as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import click

from archdsl.diagnostics import ArchError, Diagnostic, render

CLEAN, SPECIFICATION_AT_FAULT, CALL_AT_FAULT = 0, 1, 2

_SEVERITY = {"error": "red", "warning": "yellow", "note": "cyan"}
_CALL_CODES = {
    "bad-weights",
    "no-graphviz",
    "no-onnx",
    "too-large-to-draw",
    "unknown-network",
    "unreadable-file",
    "unwritable-file",
}


Command = TypeVar("Command", bound=Callable[..., Any])


class CallError(ArchError):
    """The call is at fault: a file that is not there, a value that does not fit."""


def call_error(message: str, *, help: str = "", notes: tuple[str, ...] = ()) -> CallError:
    """The error of a call, where no more is to be said than a sentence."""
    return CallError([Diagnostic("bad-call", message, notes=notes, help=help)])


def exit_code_of(error: ArchError) -> int:
    """Whose fault an error is: the call's if it could not begin, else the specification's."""
    if isinstance(error, CallError):
        return CALL_AT_FAULT
    begun = any(d.span is not None or d.code not in _CALL_CODES for d in error.diagnostics)
    return SPECIFICATION_AT_FAULT if begun else CALL_AT_FAULT


class Messages:
    """The diagnostics of one command, each mistake once."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self._seen: set[object] = set()

    def add(self, diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
        """Take diagnostics in, and give those that are new.

        Networks that share a block share its mistakes: one place is shown once.
        """
        fresh = []
        for diagnostic in diagnostics:
            span = diagnostic.span
            place = (span.source.name, span.start, span.end) if span else str(diagnostic)
            if (diagnostic.code, place) not in self._seen:
                self._seen.add((diagnostic.code, place))
                fresh.append(diagnostic)
        self.diagnostics.extend(fresh)
        return fresh

    @property
    def counts(self) -> dict[str, int]:
        """How many errors and how many warnings there are."""
        return {
            f"{kind}s": sum(d.severity == kind for d in self.diagnostics)
            for kind in ("error", "warning")
        }

    @property
    def failed(self) -> bool:
        return bool(self.counts["errors"])

    def summary(self) -> str:
        """«2 errors, 1 warning», or nothing."""
        words = [f"{n} {kind[:-1] if n == 1 else kind}" for kind, n in self.counts.items() if n]
        return ", ".join(words)

    def as_dict(self) -> dict[str, Any]:
        return {"diagnostics": [d.as_dict() for d in self.diagnostics], **self.counts}


def json_option(command: Command) -> Command:
    """The option ``--json`` of a command whose product is no report."""

    def keep(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
        if wanted:
            ctx.meta[_KEPT] = Messages()

    return click.option(
        "--json",
        is_flag=True,
        expose_value=False,
        callback=keep,
        help="Print errors and warnings as JSON, to standard error.",
    )(command)


_KEPT = "archdsl.messages"


def tell(diagnostics: Iterable[Diagnostic]) -> None:
    """Say to standard error what there is to say, or keep it for the end if it is to be JSON."""
    kept = click.get_current_context().meta.get(_KEPT)
    if kept is None:
        show(diagnostics, err=True)
    else:
        kept.add(diagnostics)


def tell_kept(ctx: click.Context) -> None:
    """Print what was kept for the end."""
    kept = ctx.meta.get(_KEPT)
    if kept is not None:
        echo_json(kept.as_dict(), err=True)


def show(diagnostics: Iterable[Diagnostic], *, err: bool) -> None:
    """Print diagnostics, each with an empty line after it."""
    for diagnostic in diagnostics:
        click.echo("\n".join(_coloured(diagnostic)) + "\n", err=err)


def echo_json(data: object, *, err: bool = False) -> None:
    """Print plain data as JSON."""
    import json

    click.echo(json.dumps(data, indent=2, allow_nan=False, default=str), err=err)


def _coloured(diagnostic: Diagnostic) -> Iterator[str]:
    """The lines of a diagnostic; click takes the colours away where nobody sees them."""
    colour = _SEVERITY[diagnostic.severity]
    for number, line in enumerate(render(diagnostic).split("\n")):
        # What a file holds never steers a terminal.
        text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        if number == 0:
            start, colon, message = text.partition(":")
            yield click.style(start, fg=colour, bold=True) + click.style(colon + message, bold=True)
        elif marked := re.fullmatch(r"( *\| *)(\^+|-+)( .*)?", text):
            kind = colour if marked[2].startswith("^") else "blue"
            yield click.style(marked[1], fg="blue") + click.style(
                marked[2] + (marked[3] or ""), fg=kind
            )
        elif margin := re.match(r" *(?:\d+ \||\||-->|:::|= (?:in|note|help):)", text):
            yield click.style(margin[0], fg="blue") + text[margin.end() :]
        else:
            yield text
