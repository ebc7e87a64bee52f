"""Turns the text of a file into its syntax tree, by the grammar in grammars/arch.lark.

Lark finds the structure and calls :mod:`archdsl.syntax.tree_builder` as it goes, so that no
parse tree stands between the text and the nodes of :mod:`archdsl.syntax.ast`. What goes
wrong is put into words by :mod:`archdsl.syntax.expected`.
"""

from __future__ import annotations

import hashlib
import os
import re
import threading
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import cast

from lark import Lark, Token
from lark.exceptions import UnexpectedInput, UnexpectedToken

from archdsl.collector import collection_paused
from archdsl.diagnostics import ArchError, Source
from archdsl.syntax import ast
from archdsl.syntax.lexer import Lexer
from archdsl.syntax.limits import (
    BRACKET_LIMIT,
    DEPTH_LIMIT,
    refuse_characters,
    refuse_depth,
)
from archdsl.syntax.lines import LexerState, Lines
from archdsl.syntax.tree_builder import TreeBuilder

__all__ = ["BRACKET_LIMIT", "DEPTH_LIMIT", "find_grammar", "parse"]


def parse(source: Source) -> ast.File:
    """The syntax tree of a file; raises :class:`ArchError` where it is not one."""
    refuse_characters(source)
    with _lock, collection_paused():
        lark, builder, lines = _parser()
        builder.source, lines.source = source, source
        run = lark.parse_interactive(source.text)
        try:
            for _ in run.iter_parse():
                pass
            file: ast.File = run.feed_eof()  # type: ignore[no-untyped-call]  # untyped in Lark
        except UnexpectedInput as error:
            at = _stopped_at(error, lines.state, source)
            accepted: set[str] = run.accepts()  # type: ignore[no-untyped-call]  # untyped in Lark
            from archdsl.syntax.expected import explain  # of use where something is wrong

            raise ArchError([explain(source, at, accepted, lines.state)]) from None
    refuse_depth(file)
    return _with_comments(file, lines.state.comments)


def _stopped_at(error: UnexpectedInput, state: LexerState, source: Source) -> int:
    """The offset that a person would point at: a missing piece is missed at its line's end."""
    if not isinstance(error, UnexpectedToken):
        return cast("int", error.pos_in_stream)
    token: Token = error.token
    if token.type == "$END":
        return len(source.text)
    if token.type != "_SEP" or str(token) == ";" or state.last is None:
        return token.start_pos or 0
    gap = _GAP.match(source.text, state.last.end_pos or 0)
    return gap.end() if gap else 0


_GAP = re.compile(r"[ \t\r]*")


def find_grammar() -> Path:
    """Where the grammar lies: in an installed package, or in the repository's grammars/."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "grammars" / "arch.lark"
    return installed if installed.is_file() else package.parent / "grammars" / "arch.lark"


# Building the parser --------------------------------------------------------------

_lock = threading.Lock()  # the builder and the lines belong to one parse at a time


@cache
def _parser() -> tuple[Lark, TreeBuilder, Lines]:
    builder, lines = TreeBuilder(), Lines()
    grammar = find_grammar().read_text(encoding="utf-8")

    def build(cache_file: Path | None) -> Lark:
        return Lark(
            grammar,
            parser="lalr",
            lexer="contextual",
            postlex=lines,
            transformer=builder,
            maybe_placeholders=True,
            cache=str(cache_file) if cache_file else False,
            _plugins={"ContextualLexer": Lexer},
        )

    kept = _cache_file(grammar)
    if kept is None:
        return build(None), builder, lines
    if kept.is_file():
        return build(kept), builder, lines
    unfinished = kept.with_suffix(f".{os.getpid()}")
    lark = build(unfinished)
    with suppress(OSError):  # another process may read it only when it is whole
        unfinished.replace(kept)
    return lark, builder, lines


def _cache_file(grammar: str) -> Path | None:
    """Where Lark may keep its tables: a pickle, so only in the user's own folder."""
    try:
        told = Path(os.environ.get("XDG_CACHE_HOME", ""))
        folder = (told if told.is_absolute() else Path.home() / ".cache") / "archdsl"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    if not os.access(folder, os.W_OK):
        return None
    digest = hashlib.sha256(grammar.encode()).hexdigest()[:16]
    return folder / f"grammar-{digest}.lark"


# Comments -------------------------------------------------------------------------


def _with_comments(file: ast.File, comments: list[ast.Comment]) -> ast.File:
    """The file with its comments, and those right above a declaration as its ``doc``."""
    if not comments:
        return file
    position = file.source.position
    by_line: dict[int, str] = {}
    for comment in comments:
        line, column = position(comment.span.start)
        before = file.source.text[comment.span.start - column + 1 : comment.span.start]
        if not before.strip(" \t\ufeff"):
            by_line[line] = comment.text[1:].removeprefix(" ")
    declarations: list[ast.Declaration] = []
    last_line = 0
    for declaration in file.declarations:
        line = position(declaration.span.start)[0]
        first = line
        while first - 1 in by_line and line != last_line:
            first -= 1
        if first < line and not isinstance(declaration, ast.Import):
            doc = "\n".join(by_line[n] for n in range(first, line))
            declarations.append(replace(declaration, doc=doc))
        else:
            declarations.append(declaration)
        last_line = position(declaration.span.end)[0]
    return replace(file, declarations=tuple(declarations), comments=tuple(comments))
