"""What no file may hold: some characters, and more than its readers can take of anything."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from archdsl.diagnostics import ArchError, Diagnostic, Label, Source, Span
from archdsl.syntax import ast

BRACKET_LIMIT = 64
"""How deep brackets may be nested."""

DEPTH_LIMIT = 200
"""How deep the tree may be: whoever walks it by recursion can rely on both."""

DIGIT_LIMIT = 1_000
"""How many digits a number may have."""

NAME_LIMIT = 1_000
"""How many characters a name may have: every message that is about it repeats it."""

_UNWELCOME = re.compile(r"\0|\r(?!\n)")


def refuse_characters(source: Source) -> None:
    """Refuse a text with characters that stand in no text file."""
    found = _UNWELCOME.search(source.text)
    if found is None:
        return
    span = Span(source, found.start(), found.end())
    if found.group() == "\0":
        raise refusal("syntax", "there is a NUL character here: is this a text file?", span)
    raise refusal(
        "syntax",
        "there is a carriage return here that ends no line",
        span,
        help="end lines with a line feed (LF), or with both (CRLF)",
    )


def refuse_depth(file: ast.File) -> None:
    """Refuse a tree deeper than DEPTH_LIMIT.

    A node of n characters is at most n deep, give or take the nodes that add no
    character of their own, so that short nodes need no look.
    """
    waiting: list[tuple[Any, int]] = [(d, 1) for d in file.declarations]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, tuple):
            waiting.extend((part, depth) for part in item if isinstance(part, (ast.Node, tuple)))
            continue
        if depth > DEPTH_LIMIT:
            raise refusal(
                "too-deep",
                f"this is nested more than {DEPTH_LIMIT} deep",
                item.span,
                help="give a part of it a name of its own",
            )
        if depth + 4 * (item.span.end - item.span.start) <= DEPTH_LIMIT:
            continue
        for name in _child_fields(type(item).__name__):
            child = getattr(item, name)
            if isinstance(child, (ast.Node, tuple)):
                waiting.append((child, depth + 1))


@cache
def _child_fields(kind: str) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(ast, kind).__match_args__
    return tuple(n for n in names if not n.endswith(("span", "spans")) and n != "keyword")


def refusal(
    code: str,
    message: str,
    span: Span,
    labels: tuple[Label, ...] = (),
    help: str = "",
) -> ArchError:
    """What is raised of text that is no specification, at its place."""
    return ArchError([Diagnostic(code, message, span, labels=labels, help=help)])
