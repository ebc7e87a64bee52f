"""What an ``.arch`` file of the corpus expects of itself: the errors that stand on their lines.

An expectation is a comment on the line that must fail::

    conv(widht, 3)  # error[unknown-name] at `widht`: there is no name widht (help: did you mean width?)

It names the code; what the carets stand under, as far as the line goes (a `…` leaves out the
rest; `2nd` and so on where the text stands on the line more than once); and the whole
message. In parentheses may follow the help, or its beginning. A line may hold several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import archdsl
from archdsl.diagnostics import ArchError, Diagnostic

_EXPECTATION = re.compile(
    r"""\#\s*(?P<severity>error|warning)\[(?P<code>[a-z-]+)\]
    \ at\ (?:(?P<count>\d)(?:st|nd|rd|th)\ )?`(?P<text>[^`]*)`:
    \ (?P<message>.*?)(?:\ \(help:\ (?P<help>.*)\))?\s*$""",
    re.VERBOSE,
)


@dataclass(frozen=True, order=True)
class Found:
    """An error as the harness compares it: where its carets start, and what it says."""

    line: int
    column: int
    severity: str
    code: str
    text: str
    message: str


@dataclass(frozen=True)
class Expectation:
    found: Found
    help: str


def expectations(text: str) -> Iterator[Expectation]:
    """What the comments of a file expect, in the order of its lines."""
    for number, line in enumerate(text.splitlines(), start=1):
        code, *comments = re.split(r"(?=\#\s*(?:error|warning)\b)", line)
        for comment in comments:
            match = _EXPECTATION.match(comment.rstrip())
            assert match, f"line {number}: {comment!r} is no expectation"
            wanted = match["text"].removesuffix("…")
            places = [m.start() + 1 for m in re.finditer(re.escape(wanted), code)]
            which = int(match["count"] or 1)
            assert len(places) >= which, f"line {number}: {wanted!r} does not stand on it"
            found = Found(
                number, places[which - 1], match["severity"], match["code"], match["text"],
                match["message"],
            )
            yield Expectation(found, match["help"] or "")


def diagnose(path: Path) -> list[Diagnostic]:
    """Everything that is said of a file and of all its networks, each thing once."""
    try:
        specification = archdsl.load(path)
    except ArchError as error:
        return list(error.diagnostics)
    said = list(specification.diagnostics)
    for network in specification.networks:
        if not specification.needs(network):
            of_network = specification.elaborate(network).diagnostics
            said.extend(d for d in of_network if d not in said)
    return said


def found(diagnostic: Diagnostic, text: str) -> Found:
    """A diagnostic as the comments of a file would expect it."""
    span = diagnostic.span
    assert span is not None, f"{diagnostic.message}: no place"
    marked = span.text.split("\n")[0].split("#")[0].rstrip()
    if "{" in marked and not marked.endswith("}"):
        marked = marked[: marked.index("{")].rstrip() + "…"
    return Found(
        span.line, span.column, diagnostic.severity, diagnostic.code, marked, diagnostic.message
    )


def matches(wanted: Found, got: Found) -> bool:
    """Whether a diagnostic is the expected one; a `…` stands for any end of the marked text."""
    if wanted.text.endswith("…"):
        start = wanted.text.removesuffix("…")
        if not got.text.startswith(start):
            return False
    elif wanted.text != got.text:
        return False
    return (wanted.line, wanted.column, wanted.severity, wanted.code, wanted.message) == (
        got.line, got.column, got.severity, got.code, got.message
    )


def show(items: Iterable[Found]) -> str:
    return "".join(
        f"\n  {f.line}:{f.column} {f.severity}[{f.code}] at `{f.text}`: {f.message}" for f in items
    )
