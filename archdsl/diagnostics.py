"""Places in a source text, and the messages that point at them.

A :class:`Source` is a text with a name, a :class:`Span` a stretch of it, and a
:class:`Diagnostic` a message with a permanent code, a primary place, further
places, notes, and what would mend it. :func:`render` draws it with carets.
Nothing here knows the language: every floor above reports through this one.
"""

from __future__ import annotations

import bisect
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, Literal

from archdsl.records import record, replace

Severity = Literal["error", "warning", "note"]


@record(frozen=True)
class Source:
    """A text with the name that a person knows it by (a path, ``<stdin>``)."""

    name: str
    text: str = field(repr=False)

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        while found := self.text.find("\n", starts[-1]) + 1:
            starts.append(found)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """The line and the column of an offset, both counted from 1."""
        line = bisect.bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of a line (counted from 1), without its line end."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")


@record(frozen=True)
class Span:
    """Characters ``start`` up to ``end`` of a source."""

    source: Source = field(repr=False)
    start: int
    end: int

    @property
    def line(self) -> int:
        return self.source.position(self.start)[0]

    @property
    def column(self) -> int:
        return self.source.position(self.start)[1]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    def to(self, other: Span) -> Span:
        """From the start of this span to the end of the other."""
        return Span(self.source, self.start, max(self.end, other.end))

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@record(frozen=True)
class Label:
    """A further place that belongs to a message, with what to say of it."""

    span: Span
    text: str


@record(frozen=True)
class Diagnostic:
    """One message to the person who wrote the specification.

    ``code`` is permanent (docs/diagnostics.md lists them all); ``text`` stands
    under the carets at ``span``; ``calls`` is the chain of block calls that led
    there, innermost first; ``help`` says what would mend it.
    """

    code: str
    message: str
    span: Span | None = None
    text: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    help: str = ""
    severity: Severity = "error"

    def with_calls(self, calls: tuple[str, ...]) -> Diagnostic:
        return replace(self, calls=calls)

    def as_dict(self) -> dict[str, Any]:
        """The message as plain data, for ``--json`` and for editors."""
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "place": _place(self.span),
            "text": self.text,
            "labels": [{"place": _place(x.span), "text": x.text} for x in self.labels],
            "notes": list(self.notes),
            "calls": list(self.calls),
            "help": self.help,
        }

    def __str__(self) -> str:
        return render(self)


class ArchError(Exception):
    """What is wrong with a specification: ``diagnostics`` holds every message."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(render(d) for d in self.diagnostics))

    def __reduce__(self) -> tuple[type[ArchError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


def suggest(word: str, known: Iterable[str], *, closeness: float = 0.6) -> str | None:
    """The known name that a misspelt word most likely meant."""
    names = sorted(set(known))
    folded = {name.lower().replace("_", ""): name for name in names}
    exact = folded.get(word.lower().replace("_", ""))
    if exact is not None:
        return exact
    import difflib  # most programs misspell nothing

    lower = {name.lower(): name for name in reversed(names)}
    close = difflib.get_close_matches(word.lower(), sorted(lower), n=1, cutoff=closeness)
    return lower[close[0]] if close else None


def listed(words: Sequence[str]) -> str:
    """Words as a sentence names them: «a, b and c»."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def render(diagnostic: Diagnostic) -> str:
    """The message as text, with the source lines and carets under them."""
    lines = [f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"]
    places = [Label(diagnostic.span, diagnostic.text)] if diagnostic.span else []
    places.extend(diagnostic.labels)
    width = max((len(str(p.span.line)) for p in places), default=1)
    if places:
        lines.extend(_excerpts(places, width))
    margin = " " * (width + 1)
    notes = [*(f"in: {call}" for call in diagnostic.calls)]
    notes.extend(f"note: {note}" for note in diagnostic.notes)
    if diagnostic.help:
        notes.append(f"help: {diagnostic.help}")
    lines.extend(f"{margin} = {note}" for note in notes)
    return "\n".join(lines)


def _excerpts(places: Sequence[Label], width: int) -> Iterator[str]:
    """The lines that are pointed at, file by file, the one of the primary place first."""
    margin = " " * (width + 1)
    for source in dict.fromkeys(p.span.source for p in places):
        inside = [p for p in places if p.span.source == source]
        arrow = "-->" if source == places[0].span.source else ":::"
        yield f"{margin}{arrow} {inside[0].span}"
        yield f"{margin} |"
        shown = ""
        for place in sorted(inside, key=lambda p: (p.span.line, p.span.column)):
            line, carets = _excerpt(place, "^" if place is places[0] else "-", width)
            if line != shown:
                yield line
            yield carets
            shown = line


_WIDEST_EXCERPT = 160  # a longer line is cut around the place that is meant


def _excerpt(place: Label, mark: str, width: int) -> tuple[str, str]:
    """A source line, and the carets under the place in it."""
    number, column = place.span.source.position(place.span.start)
    text = _printable(place.span.source.line(number))
    start = column - 1
    end = max(start + 1, min(start + place.span.end - place.span.start, len(text)))
    if len(text) > _WIDEST_EXCERPT:
        cut = max(0, min(start - _WIDEST_EXCERPT // 2, len(text) - _WIDEST_EXCERPT))
        kept = text[cut : cut + _WIDEST_EXCERPT]
        before = "…" if cut else ""
        after = "…" if cut + _WIDEST_EXCERPT < len(text) else ""
        text = f"{before}{kept}{after}"
        start, end = (min(x - cut + len(before), len(text)) for x in (start, end))
    indent = " " * _cells(text[:start])
    carets = mark * max(1, _cells(text[start:end]))
    line = f" {number:>{width}} | {text}".rstrip()
    return line, f"{' ' * (width + 1)} | {indent}{carets} {place.text}".rstrip()


def _printable(line: str) -> str:
    """The line with tabs as spaces, and what cannot be seen made visible."""
    return "".join(
        c if c.isprintable() else (" " if c == "\t" else "\N{REPLACEMENT CHARACTER}") for c in line
    )


def _cells(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese characters take two, accents none."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def _place(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    line, column = span.source.position(span.start)
    end_line, end_column = span.source.position(span.end)
    return {
        "file": span.source.name,
        "line": line,
        "column": column,
        "end_line": end_line,
        "end_column": end_column,
    }
