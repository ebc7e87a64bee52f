"""Where the parser could not go on, what it found there, and what it expected, in words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archdsl.diagnostics import Diagnostic, Label, Source, Span
from archdsl.syntax.tokens import Token

if TYPE_CHECKING:
    from archdsl.syntax.lines import LexerState

_PIECE = re.compile(
    r"""(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>\.?[0-9][A-Za-z0-9_.]*)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
    | (?P<sign>->|\*\*|//|[=!<>:]=|=>|&&|\|\||\+\+|--|\.\.\.?|[!-/:-@\[-`{-~])
    | (?P<line>\r?\n)""",
    re.VERBOSE,
)
_NEXT = re.compile(r"[ \t\r]*")
_LONGEST_QUOTE = 30


class Stop:
    """A place where the parser could not go on, and what is known there."""

    def __init__(self, source: Source, at: int, accepted: set[str], state: LexerState) -> None:
        self.source = source
        self.text = source.text
        self.accepted = accepted
        self.last = state.last if state.last is not None and state.last.type != "_SEP" else None
        self.before = state.before
        self.opener = state.open[-1] if state.open else None
        self.at = at
        piece = _PIECE.match(self.text, at)
        self.kind = (piece.lastgroup or "") if piece else ("end" if self.is_end else "other")
        self.word = piece.group() if piece else self.text[at : at + 1]

    @property
    def is_end(self) -> bool:
        return self.at >= len(self.text)

    @property
    def span(self) -> Span:
        return Span(self.source, self.at, self.at + max(1, len(self.word.rstrip("\r\n"))))

    @property
    def found(self) -> str:
        if self.kind == "end":
            return "the end of the file"
        if self.kind == "line" or self.word == "#":
            return "the end of the line"
        if self.kind == "string":
            return "a string"
        return f"`{_shortened(self.word)}`"

    @property
    def after(self) -> str:
        return f" after `{_shortened(str(self.last))}`" if self.last is not None else ""

    @property
    def expected(self) -> str:
        return _join(_phrases(self))

    @property
    def follows(self) -> str:
        """The first character behind what was found, on its line."""
        found = _NEXT.match(self.text, self.at + len(self.word))
        end = found.end() if found else self.at
        return self.text[end : end + 1]

    def place(self, token: Token) -> Span:
        return Span(self.source, token.start_pos, token.start_pos + len(token))

    def starts_statement(self, token: Token | None) -> bool:
        """Whether a token is the first of its line or body."""
        if token is None:
            return False
        before = self.text[: token.start_pos].rstrip(" \t")
        return not before or before[-1] in "\n;{" or before.endswith("->")

    def error(self, message: str, text: str = "", help_: str = "") -> Diagnostic:
        labels: tuple[Label, ...] = ()
        if self.opener is not None and self.opener != "{":
            place = self.place(self.opener)
            if place.line != self.span.line:
                labels = (Label(place, f"this `{bracket(self.opener)}` is still open"),)
        return Diagnostic("syntax", message, self.span, text, labels=labels, help=help_)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def bracket(opener: Token) -> str:
    return opener[-1]


def _join(phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases) or "nothing more"
    return f"{', '.join(phrases[:-1])} or {phrases[-1]}"


# Phrases for what could have stood there ------------------------------------------

STAGE = "a stage (a layer, a block, a tensor's name, or a form such as `repeat`)"
_STATEMENT = "a statement (a pipeline such as `conv(64, 3) -> relu`, `let`, `input` or `output`)"
DECLARATION = "a declaration (`network`, `block`, `sequence`, `train`, `let` or `from`)"

_NAMED_AFTER = {
    "NETWORK": "the name of the network",
    "BLOCK": "the name of the block",
    "SEQUENCE": "the name of the sequence",
    "LET": "the name of the constant",
    "OUTPUT": "the name of a tensor",
    "AS": "a name for the tensor",
    "IMPORT": "the name of what to import",
    "UNET": "a name for the level",
    "SCAN": "the name of what is carried",
    "FOR": "a name for the loop",
    "DOT": "a name",
}
_SIGNS = {
    "COMMA": "`,`",
    "RPAR": "`)`",
    "RSQB": "`]`",
    "LPAR": "`(`",
    "LSQB": "`[`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "EQUAL": "`=`",
    "COLON": "`:`",
    "IN": "`in`",
    "FOR": "`for`",
    "ELSE": "`else`",
    "IMPORT": "`import`",
    "AT": "`at epoch`",
    "EPOCH": "`epoch`",
    "TRAINING": "`training`",
    "PART": "a part of the unet (`encode`, `down`, `bottom`, `up`, `join` or `decode`)",
    "LABEL_END": "`}` and a colon",
    "ARROW": "`->`",
    "_SEP": "the end of the line",
}
_AFTER_VALUE = frozenset(("LPAR", "LSQB", "IN", "FOR", "DOT"))  # said only where nothing else fits


def _phrases(stop: Stop) -> list[str]:
    accepted = stop.accepted
    last = stop.last.type if stop.last is not None else ""
    if "NETWORK" in accepted:
        return [DECLARATION]
    if "LET" in accepted:
        return [_STATEMENT] + (["`}`"] if stop.opener is not None else [])
    if "REPEAT" in accepted:
        return [STAGE]
    if "INT" in accepted:
        return _value_phrases(accepted, last)
    if "LABEL" in accepted:
        return ["the name of an input"] if last == "INPUT" else ["a setting (`key: value`)", "`}`"]
    if "STD" in accepted:
        return ["the path of a file in quotes", "`std`"]
    if last == "COLON" and "LSQB" in accepted:
        return ["the sizes of the input, such as `[3, H, W]` or `int[T]`"]
    if last == "FOR" and stop.before is not None and stop.before.type == "TRAIN":
        return ["the name of the network"]
    is_value_done = "PLUS" in accepted or "DOT" in accepted
    signs = {k: v for k, v in _SIGNS.items() if k in accepted}
    if is_value_done and len(signs.keys() - _AFTER_VALUE) > 0:
        signs = {k: v for k, v in signs.items() if k not in _AFTER_VALUE}
    if "ARROW" in signs and "_SEP" in signs:
        signs.pop("RBRACE", None)
        signs.pop("LBRACE", None)
        signs.pop("ELSE", None)
    if "RPAR" in signs:
        signs.pop("EQUAL", None)
    names = [_NAMED_AFTER.get(last, "a name")] if "NAME" in accepted else []
    return names + list(signs.values())


def _value_phrases(accepted: set[str], last: str) -> list[str]:
    closers = [_SIGNS[k] for k in ("RPAR", "RSQB") if k in accepted]
    if last == "RESIDUAL":
        return ["`{`"]
    if last == "BRANCH":
        return ["a merge such as `concat`", "`{`"]
    if "LBRACE" in accepted:
        return ["a value", "`{`"]
    return ["an argument" if closers == ["`)`"] else "a value", *closers]
