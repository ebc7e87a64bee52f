"""Places in Python: where a program calls what has a mistake to tell it."""

from __future__ import annotations

import functools
import linecache
import sys
from itertools import islice
from pathlib import Path
from types import FrameType

from archdsl.diagnostics import Source, Span


def call_place(file: str, word: str) -> Span:
    """The place in the program that called into ``file``, at ``word`` where that stands there.

    ``file`` is that of the module which asks, its ``__file__``.
    """
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename == file:
        frame = frame.f_back
    if frame is None:
        return Span(Source("<python>", ""), 0, 0)
    source = _source(frame)
    line, start, end_line, end = _positions(frame)
    first = _offset(source.text, line)
    if start is None:
        text = source.text[first:].partition("\n")[0]
        whole = Span(source, first + len(text) - len(text.lstrip()), first + len(text.rstrip()))
    else:
        last = _offset(source.text, end_line)
        whole = Span(
            source,
            first + _characters(source.text, first, start),
            last + _characters(source.text, last, end or 0),
        )
    found = max(whole.text.rfind(f".{word}(") + 1, 0)
    return Span(source, whole.start + found, max(whole.end, whole.start + found))


def _source(frame: FrameType) -> Source:
    """The text of the caller's file; only line ends where it cannot be read."""
    filename = frame.f_code.co_filename
    lines = tuple(linecache.getlines(filename, frame.f_globals))
    if len(lines) < frame.f_lineno:
        lines = ("\n",) * frame.f_lineno
    return _kept_source(filename, lines)


@functools.lru_cache(maxsize=64)
def _kept_source(filename: str, lines: tuple[str, ...]) -> Source:
    path = Path(filename)
    if path.is_absolute() and path.is_relative_to(Path.cwd()):
        filename = path.relative_to(Path.cwd()).as_posix()
    return Source(filename, "".join(lines))


def _positions(frame: FrameType) -> tuple[int, int | None, int, int | None]:
    """The line and column where the call starts and ends; no columns before Python 3.11."""
    line = frame.f_lineno
    positions = getattr(frame.f_code, "co_positions", None)
    if positions is not None:
        found = next(islice(positions(), frame.f_lasti // 2, None), None)
        if found is not None and None not in found:
            first, last, start, end = found
            return first, start, last, end
    return line, None, line, None


def _offset(text: str, line: int) -> int:
    """Where a line begins, counted from 1."""
    offset = 0
    for _ in range(line - 1):
        offset = text.find("\n", offset) + 1
    return offset


def _characters(text: str, start: int, column: int) -> int:
    """A column in bytes, as Python counts it, in characters."""
    line = text[start:].partition("\n")[0]
    return len(line.encode()[:column].decode(errors="ignore"))
