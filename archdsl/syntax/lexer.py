"""A contextual lexer with one regular expression for all places.

A word may be a name in one place and a keyword in another, so a lexer must know what the parser
can take where it stands. Lark's own compiles an expression for every such set of terminals, thirty
for a file of middling length, which was half of the time to parse it. Here one expression finds
words, numbers and signs, and a table tells the keywords; then the place decides.
The terminals are those of the grammar, and Lark's order of them holds: priority, then length.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from archdsl.syntax.machine import NotAcceptedError
from archdsl.syntax.tables import Tables
from archdsl.syntax.tokens import Token

_KEYWORD = re.compile(r"(?:\(\?:)?([a-z|]+)\)?\\b")
_LABELS = {"LABEL": "", "LABEL_START": "", "LABEL_MIDDLE": "RBRACE", "LABEL_END": "RBRACE"}
"""What may be part of a label, and what it is where no label may stand: a word, or a brace."""


class Lexer:
    """Cuts texts into the tokens of a grammar, some of which are ``always`` welcome."""

    def __init__(self, tables: Tables, always: Collection[str]) -> None:
        self._states = tables.states
        self._always = frozenset(always)
        self._ignored = frozenset(tables.ignored)
        self._accepted: dict[int, frozenset[str]] = {}
        self._keywords: dict[str, str] = {}
        self._alone: dict[str, re.Pattern[str]] = {}
        self._patterns: dict[str, str] = {}
        for name, pattern in tables.terminals:
            found = _KEYWORD.fullmatch(pattern)
            if found:
                self._keywords.update(dict.fromkeys(found[1].split("|"), name))
            else:
                self._patterns[name] = pattern
        not_in = self._patterns.pop("NOT_IN")  # two words, of which the first is one by itself
        self._match = re.compile(
            "|".join(f"(?P<{name}>{pattern})" for name, pattern in self._patterns.items())
        ).match
        self._patterns["NOT_IN"] = not_in

    def lex(self, text: str, reached: Sequence[int]) -> Iterator[Token]:
        """The tokens of a text, each as the parser can take it in the last state that it reached.

        Raises NotAcceptedError where it can take none.
        """
        at = 0
        while at < len(text):
            found = self._match(text, at)
            if found is None:
                raise NotAcceptedError(Token("", text[at], at, at + 1))
            kind: str = found.lastgroup  # type: ignore[assignment]  # every alternative is named
            if kind in self._ignored:
                at = found.end()
                continue
            position = reached[-1]
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
            token = Token(kind, value, at, end)
            if kind not in accepted:
                raise NotAcceptedError(token)
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
