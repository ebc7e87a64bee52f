"""What an ``.arch`` file of the corpus expects of itself: the errors that stand on their lines.

An expectation is a comment on the line that must fail::

    conv(widht, 3)  # error[unknown-name] at `widht`: there is no name widht (help: did you …)

It names the code; what the carets stand under, as far as its line goes (`…` leaves out a
body's braces; `2nd` and so on, where the text stands on the line more than once); and the
whole message. The help may follow, or its beginning and `…`. A line may hold several.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import archdsl
from archdsl.diagnostics import ArchError, Diagnostic

CORPUS = Path(__file__).parent / "corpus"

_EXPECTATION = re.compile(
    r"""\#\ (?P<severity>error|warning)\[(?P<code>[a-z-]+)\]
    \ at\ (?:(?P<count>\d+)(?:st|nd|rd|th)\ )?`(?P<text>[^`]*)`:
    \ (?P<message>.*?)(?:\ \(help:\ (?P<help>.*)\))?$""",
    re.VERBOSE,
)
_COMMENT = re.compile(r"(?=# *(?:error|warning)\b)")


@dataclass(frozen=True, order=True)
class Mistake:
    """An error as the harness compares it: where its carets start, and what it says."""

    file: str
    line: int
    column: int
    severity: str
    code: str
    text: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}"
        return f"{where}: {self.severity}[{self.code}] at `{self.text}`: {self.message}"


def cases() -> list[Path]:
    """The files to check: those of the corpus, and of each folder the one that bears its name."""
    folders = [p / f"{p.name}.arch" for p in CORPUS.iterdir() if p.is_dir()]
    return sorted([*CORPUS.glob("*.arch"), *folders])


def files_of(case: Path) -> list[Path]:
    """The files in which the expectations of a case stand: its own, and what it imports."""
    return [case] if case.parent == CORPUS else sorted(case.parent.rglob("*.arch"))


def expectations(case: Path) -> Iterator[tuple[Mistake, str]]:
    """What a case expects, each with its help, in the order of the lines."""
    for path in files_of(case):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            code, *comments = _COMMENT.split(line)
            for comment in comments:
                yield _expectation(path, number, code, comment.rstrip())


def _expectation(path: Path, number: int, code: str, comment: str) -> tuple[Mistake, str]:
    match = _EXPECTATION.match(comment)
    assert match, f"{path.name}:{number}: {comment!r} is no expectation"
    wanted = match["text"].removesuffix("…")
    places = [m.start() + 1 for m in re.finditer(f"(?={re.escape(wanted)})", code)]
    which = int(match["count"] or 1)
    assert len(places) >= which, f"{path.name}:{number}: {wanted!r} does not stand there"
    mistake = Mistake(
        path.name,
        number,
        places[which - 1],
        match["severity"],
        match["code"],
        match["text"],
        match["message"],
    )
    return mistake, match["help"] or ""


def diagnose(case: Path) -> list[Diagnostic]:
    """Everything that is said of a file and of all its networks, each thing once."""
    try:
        specification = archdsl.load(case)
    except ArchError as error:
        return list(error.diagnostics)
    said = list(specification.diagnostics)
    for network in specification.networks:
        if not specification.needs(network):
            made = specification.elaborate(network)
            of_training = () if made.failed else specification.check_training(made.graph)
            of_network = (*made.diagnostics, *of_training)
            said.extend(d for d in of_network if d not in said)
    return said


def mistake(diagnostic: Diagnostic) -> Mistake:
    """A diagnostic as the comments of a file would expect it."""
    span = diagnostic.span
    assert span is not None, f"{diagnostic.message}: no place"
    marked = span.text.split("\n")[0].split("#")[0].rstrip()
    if marked.endswith("{") and len(marked) > 1:
        marked = marked.removesuffix("{").rstrip() + "…"
    return Mistake(
        Path(span.source.name).name,
        span.line,
        span.column,
        diagnostic.severity,
        diagnostic.code,
        marked,
        diagnostic.message,
    )


def agrees(help: str, wanted: str) -> bool:
    """Whether a help is the expected one; a `…` at the end stands for any more."""
    if wanted.endswith("…"):
        return help.startswith(wanted.removesuffix("…"))
    return not wanted or help == wanted


def listed(mistakes: Iterable[Mistake]) -> str:
    return "".join(f"\n  {m}" for m in mistakes)
