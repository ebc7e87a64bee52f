"""A contextual lexer for Lark, with one regular expression for all places.

A word may be a name in one place and a keyword in another, so a lexer must know what the parser
can take where it stands. Lark's own compiles an expression for every such set of terminals, thirty
for a file of middling length, which was half of the time to parse it. Here one expression finds
words, numbers and signs, and a table tells the keywords; then the place decides.
The terminals are those of the grammar, and Lark's order of them holds: priority, then length.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import Any

from lark import Token, UnexpectedCharacters, UnexpectedToken
from lark.common import LexerConf
from lark.lexer import Lexer as LarkLexer
from lark.lexer import LexerState

_unexpected_character: Any = UnexpectedCharacters  # untyped in Lark, and so is the next
_unexpected_token: Any = UnexpectedToken

_KEYWORD = re.compile(r"(?:\(\?:)?([a-z|]+)\)?\\b")
_LABELS = {"LABEL": "", "LABEL_START": "", "LABEL_MIDDLE": "RBRACE", "LABEL_END": "RBRACE"}
"""What may be part of a label, and what it is where no label may stand: a word, or a brace."""


class Lexer(LarkLexer):
    """Takes the place of Lark's ``ContextualLexer``."""

    def __init__(
        self,
        conf: LexerConf,
        states: dict[int, Collection[str]],
        always_accept: Collection[str] = (),
    ) -> None:
        self._states = states
        self._always = frozenset(always_accept)
        self._ignored = frozenset(conf.ignore)
        self._accepted: dict[int, frozenset[str]] = {}
        self._keywords: dict[str, str] = {}
        self._alone: dict[str, re.Pattern[str]] = {}
        others = []
        for terminal in conf.terminals:
            found = _KEYWORD.fullmatch(terminal.pattern.value)
            if found:
                self._keywords.update(dict.fromkeys(found[1].split("|"), terminal.name))
            else:
                others.append(terminal)
        others.sort(key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value)))
        self._patterns = {t.name: t.pattern.to_regexp() for t in others}
        not_in = self._patterns.pop("NOT_IN")  # two words, of which the first is one by itself
        self._match = re.compile(
            "|".join(f"(?P<{name}>{pattern})" for name, pattern in self._patterns.items())
        ).match
        self._patterns["NOT_IN"] = not_in

    def lex(self, lexer_state: LexerState, parser_state: Any) -> Iterator[Token]:
        """The tokens of a text, each as the parser can take it; Lark's errors where it cannot."""
        whole: Any = lexer_state.text
        text: str = whole if isinstance(whole, str) else whole.text
        at = 0
        while at < len(text):
            found = self._match(text, at)
            if found is None:
                raise _unexpected_character(text, at, 1, 1, state=parser_state)
            kind: str = found.lastgroup  # type: ignore[assignment]  # every alternative is named
            if kind in self._ignored:
                at = found.end()
                continue
            position = parser_state.position
            accepted = self._accepted.get(position)
            if accepted is None:
                accepted = self._always.union(self._states[position])
                self._accepted[position] = accepted
            value = found.group()
            if kind == "NAME":
                kind, value = self._word(value, text, at, accepted)
            elif kind not in accepted:
                kind, value = self._otherwise(kind, value, text, at, accepted)
            end = at + len(value)
            token = Token(kind, value, at, end_pos=end)
            if kind not in accepted:
                raise _unexpected_token(token, set(accepted), state=parser_state)
            lexer_state.last_token = token
            at = end
            yield token

    def _word(self, word: str, text: str, at: int, accepted: frozenset[str]) -> tuple[str, str]:
        """A keyword where it may stand, and else a name."""
        keyword = self._keywords.get(word)
        if keyword == "NOT" and "NOT_IN" in accepted:
            both = self._found("NOT_IN", text, at)
            if both:
                return "NOT_IN", both
        if keyword is not None and (keyword in accepted or "NAME" not in accepted):
            return keyword, word
        return "NAME", word

    def _otherwise(
        self, kind: str, value: str, text: str, at: int, accepted: frozenset[str]
    ) -> tuple[str, str]:
        """What stands here where that cannot: the first piece of it, if the parser can take that.

        ``}_x: `` ends a label, or is a brace; ``.5`` is a number, or a dot and a number.
        """
        if kind == "FLOAT":
            for other in ("DOT", "INT"):
                piece = self._found(other, text, at)
                if piece and other in accepted:
                    return other, piece
        elif kind in _LABELS:
            other = _LABELS[kind]
            if other:
                return other, value[:1]
            return self._word(self._found("NAME", text, at), text, at, accepted)
        return kind, value

    def _found(self, kind: str, text: str, at: int) -> str:
        """What a terminal by itself matches at an offset, or nothing."""
        pattern = self._alone.get(kind)
        if pattern is None:
            pattern = self._alone[kind] = re.compile(self._patterns[kind])
        found = pattern.match(text, at)
        return found.group() if found else ""
