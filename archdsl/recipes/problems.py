"""What is wrong with a setting, as its check says it, and the error that it becomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from archdsl.diagnostics import Diagnostic, Span

Problem = tuple[str, str, str]
"""The setting, what is wrong with it, and what would mend it."""


def told(problems: Iterable[Problem], spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """Each as an error at its setting."""
    for key, message, help in problems:
        yield Diagnostic("bad-setting", message, span=spans.get(key), help=help)
