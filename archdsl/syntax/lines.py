"""Lines and brackets: newlines become separators where they matter, and nowhere else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from archdsl.diagnostics import Source, Span
from archdsl.syntax import ast
from archdsl.syntax.limits import BRACKET_LIMIT, NAME_LIMIT, refusal
from archdsl.syntax.tokens import Token

_CLOSERS = {"RPAR": "LPAR", "RSQB": "LSQB", "RBRACE": "LBRACE", "LABEL_END": "LABEL_START"}
_OPENERS = frozenset(_CLOSERS.values())
_COMMENT = re.compile(r"#[^\n]*")


@dataclass(eq=False, repr=False)
class LexerState:
    """How far the lexer came: the open brackets, the last tokens, the comments so far."""

    open: list[Token] = field(default_factory=list)
    last: Token | None = None
    before: Token | None = None
    comments: list[ast.Comment] = field(default_factory=list)


class Lines:
    """Turns newlines into separators where they matter, and watches the brackets."""

    always_accept = ("NEWLINE", "CONTINUATION", "COMMENT", "SEMICOLON")

    def __init__(self, source: Source) -> None:
        self.source = source
        self.state = LexerState()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        self.state = state = LexerState()
        separated = True  # whether a newline would say nothing here
        for token in stream:
            kind = token.type
            if kind in ("NEWLINE", "CONTINUATION", "COMMENT"):
                if "#" in token:
                    self._keep_comments(token)
                is_white = bool(state.open) and state.open[-1].type != "LBRACE"
                if separated or is_white or kind != "NEWLINE":
                    continue
                kind = token.type = "_SEP"
            elif kind == "SEMICOLON":
                kind = token.type = "_SEP"
            if kind in _OPENERS:
                state.open.append(token)
                if len(state.open) > BRACKET_LIMIT:
                    raise refusal(
                        "too-deep",
                        f"brackets are nested more than {BRACKET_LIMIT} deep",
                        self._span(token),
                    )
            if len(token) > NAME_LIMIT and kind in ("NAME", "LABEL"):
                raise refusal(
                    "syntax",
                    f"this name has more than {NAME_LIMIT:,} characters",
                    self._span(token),
                )
            yield token
            state.before = state.last
            state.last = token
            separated = kind in ("_SEP", "LBRACE", "ARROW")
            if kind in _CLOSERS and state.open and state.open[-1].type == _CLOSERS[kind]:
                state.open.pop()

    def _keep_comments(self, token: Token) -> None:
        start = token.start_pos
        for found in _COMMENT.finditer(token):
            text = found.group().rstrip()
            at = start + found.start()
            span = Span(self.source, at, at + len(text))
            self.state.comments.append(ast.Comment(span, text))

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start_pos, token.start_pos + len(token))
