"""Turns the text of a file into its syntax tree, by the grammar in grammars/arch.lark.

Lark makes the tables of the grammar (:mod:`archdsl.syntax.tables`). The machine that reads by them
calls :mod:`archdsl.syntax.tree_builder` as it goes, so that no parse tree stands between the text
and the nodes of :mod:`archdsl.syntax.ast`. What goes wrong is put into words by
:mod:`archdsl.syntax.expected`.
"""

from __future__ import annotations

import re
import threading
from dataclasses import replace
from functools import cache

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
from archdsl.syntax.machine import END, Machine, NotAcceptedError
from archdsl.syntax.tables import Tables, load_tables
from archdsl.syntax.tokens import Token
from archdsl.syntax.tree_builder import TreeBuilder

__all__ = ["BRACKET_LIMIT", "DEPTH_LIMIT", "parse"]


def parse(source: Source) -> ast.File:
    """The syntax tree of a file; raises :class:`ArchError` where it is not one."""
    refuse_characters(source)
    lines = Lines(source)
    with collection_paused():
        tables, lexer = _grammar()
        machine = Machine(tables, TreeBuilder(source))
        try:
            file: ast.File = machine.read(lines.process(lexer.lex(source.text, machine.states)))
        except NotAcceptedError as stop:
            at = _stopped_at(stop.token, lines.state, source)
            from archdsl.syntax.expected import explain  # of use where something is wrong

            raise ArchError([explain(source, at, machine.accepts(), lines.state)]) from None
    refuse_depth(file)
    return _with_comments(file, lines.state.comments)


def _stopped_at(found: Token, state: LexerState, source: Source) -> int:
    """The offset that a person would point at: a missing piece is missed at its line's end."""
    if found.type == END:
        return len(source.text)
    if found.type != "_SEP" or found == ";" or state.last is None:
        return found.start_pos
    gap = _GAP.match(source.text, state.last.end_pos)
    return gap.end() if gap else 0


_GAP = re.compile(r"[ \t\r]*")
_lock = threading.Lock()


def _grammar() -> tuple[Tables, Lexer]:
    with _lock:  # two threads would make the tables twice
        return _loaded()


@cache
def _loaded() -> tuple[Tables, Lexer]:
    tables = load_tables()
    return tables, Lexer(tables, Lines.always_accept)


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
