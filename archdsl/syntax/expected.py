"""Says in the user's words what the parser expected where it stopped.

The parser tells which tokens it could have taken; the lexer, which came last and
which brackets are open. Mistakes that people make often have a function of their
own (``_mistakes``, tried in order); all others are told from the tables of phrases.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field

from lark import Token

from archdsl.diagnostics import Diagnostic, Label, Source, Span, suggest
from archdsl.syntax import ast

OPERATOR_WORDS = frozenset(
    ("and", "as", "else", "false", "for", "if", "in", "let", "none", "not", "or", "true")
)
"""What can be the name of nothing."""

FORM_WORDS = frozenset(("branch", "dense", "repeat", "residual", "scan", "unet"))

RESERVED = OPERATOR_WORDS | FORM_WORDS | {"input", "output"}
"""What can be the name of nothing that starts a pipeline; a network may be called `unet`."""

DECLARATION_WORDS = ("network", "block", "sequence", "train", "let", "from")
STATEMENT_WORDS = (*sorted(FORM_WORDS), "for", "if", "let", "input", "output")


@dataclass
class LexerState:
    """How far the lexer came: the open brackets, the last tokens, the comments so far."""

    open: list[Token] = field(default_factory=list)
    last: Token | None = None
    before: Token | None = None
    comments: list[ast.Comment] = field(default_factory=list)


def explain(source: Source, at: int, accepted: set[str], state: LexerState) -> Diagnostic:
    """The message for a parse that stopped at an offset, where ``accepted`` could have stood."""
    stop = _Stop(source, at, accepted, state)
    for mistake in _mistakes:
        diagnostic = mistake(stop)
        if diagnostic is not None:
            return diagnostic
    return stop.error(f"expected {stop.expected}{stop.after}, found {stop.found}")


# Where it stopped -----------------------------------------------------------------

_PIECE = re.compile(
    r"""(?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<number>\.?[0-9][A-Za-z0-9_.]*)
    | (?P<string>"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\\\n]|\\[^\n])*')
    | (?P<sign>->|\*\*|//|[=!<>:]=|=>|&&|\|\||\+\+|--|\.\.\.?|[!-/:-@\[-`{-~])
    | (?P<line>\r?\n)""",
    re.VERBOSE,
)
_NEXT = re.compile(r"[ \t\r]*")
_CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
_OPENER_OF = {closer: opener for opener, closer in _CLOSER_OF.items()}
_LONGEST_QUOTE = 30


class _Stop:
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
        start = token.start_pos or 0
        return Span(self.source, start, start + len(token))

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
                labels = (Label(place, f"this `{_bracket(self.opener)}` is still open"),)
        return Diagnostic("syntax", message, self.span, text, labels=labels, help=help_)


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + "…"


def _bracket(opener: Token) -> str:
    return opener[-1]


def _join(phrases: list[str]) -> str:
    if len(phrases) < 2:
        return "".join(phrases) or "nothing more"
    return f"{', '.join(phrases[:-1])} or {phrases[-1]}"


# Phrases for what could have stood there ------------------------------------------

_STAGE = "a stage (a layer, a block, a tensor's name, or a form such as `repeat`)"
_STATEMENT = "a statement (a pipeline such as `conv(64, 3) -> relu`, `let`, `input` or `output`)"
_DECLARATION = "a declaration (`network`, `block`, `sequence`, `train`, `let` or `from`)"

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


def _phrases(stop: _Stop) -> list[str]:
    accepted = stop.accepted
    last = stop.last.type if stop.last is not None else ""
    if "NETWORK" in accepted:
        return [_DECLARATION]
    if "LET" in accepted:
        return [_STATEMENT] + (["`}`"] if stop.opener is not None else [])
    if "REPEAT" in accepted:
        return [_STAGE]
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


# Mistakes that have a message of their own ----------------------------------------

_LOOKALIKES = {
    "\N{RIGHTWARDS ARROW}": "->",
    "\N{EN DASH}": "-",
    "\N{EM DASH}": "-",
    "\N{MINUS SIGN}": "-",
    "\N{MULTIPLICATION SIGN}": "*",
    "\N{LEFT DOUBLE QUOTATION MARK}": '"',
    "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
    "\N{LEFT SINGLE QUOTATION MARK}": "'",
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "\N{NO-BREAK SPACE}": " ",
    "\N{LESS-THAN OR EQUAL TO}": "<=",
    "\N{GREATER-THAN OR EQUAL TO}": ">=",
    "\N{NOT EQUAL TO}": "!=",
}
_UNUSED_SIGNS = frozenset("$@?~`&")
_INSTEAD = {
    "&&": "`and`",
    "||": "`or`",
    "!": "`not`",
    "^": "`**` for a power",
    ":=": "`let name = …` on a line of its own",
    "=>": "`->`",
    "|": "`->` between stages, `or` between conditions",
    "\\": "nothing here: a line goes on inside brackets, or where the next starts with `->`",
    "//": "`#` in front of a comment",
}
_FROM_PYTHON = {
    "elif": "`else if`",
    "while": "`repeat n { … }`: how often must be known",
    "def": "`block name(parameters) { … }`, outside of any other",
    "class": "`block name(parameters) { … }`, outside of any other",
    "return": "`output name`; what a body gives is its last tensor",
    "import": '`from "file.arch" import name`',
    "lambda": "a `block`",
    "const": "`let name = value`",
    "var": "`let name = value`",
    "model": "`network name { … }`",
}


def _unknown_character(stop: _Stop) -> Diagnostic | None:
    char = stop.word
    if stop.kind == "sign" and char in _UNUSED_SIGNS:
        return stop.error(f"`{char}` is not a sign of the language")
    if stop.kind != "other":
        return None
    name = unicodedata.name(char, f"U+{ord(char):04X}")
    if char in _LOOKALIKES:
        instead = _LOOKALIKES[char]
        meant = f"`{instead}`" if instead.strip() else "a plain space"
        return stop.error(f"{name} is not a sign of the language", help_=f"write {meant}")
    if char.isalnum() or unicodedata.combining(char):
        message = f"`{char}` ({name}) cannot stand in a name"
        help_ = "names are made of the letters a to z and A to Z, digits and `_`"
        return stop.error(message, help_=help_)
    shown = f"`{char}` ({name})" if char.isprintable() else name
    return stop.error(f"{shown} is not a sign of the language")


def _open_string(stop: _Stop) -> Diagnostic | None:
    if stop.word not in ('"', "'"):
        return None
    end = stop.text.find("\n", stop.at)
    span = Span(stop.source, stop.at, end if end >= 0 else len(stop.text))
    return Diagnostic(
        "syntax",
        "this string is not closed on its line",
        span,
        help=f"close it with `{stop.word}`; a line end in a string is written `\\n`",
    )


def _open_bracket(stop: _Stop) -> Diagnostic | None:
    """The end of the file, or the wrong closing bracket, where one is open."""
    if stop.kind != "end" and stop.word not in (")", "]", "}"):
        return None
    if stop.opener is None:
        if stop.kind == "end":
            return None
        return stop.error(f"`{stop.word}` closes nothing: no bracket is open here")
    bracket = _bracket(stop.opener)
    closer = _CLOSER_OF[bracket]
    if stop.word == closer:
        return None
    place = stop.place(stop.opener)
    if stop.opener == "{" and stop.kind != "end":
        opener = _OPENER_OF[stop.word]
        return stop.error(f"`{stop.word}` closes nothing: no `{opener}` is open here")
    return Diagnostic(
        "syntax",
        f"expected `{closer}` to close the `{bracket}` at {place.line}:{place.column},"
        f" found {stop.found}",
        stop.span,
        labels=(Label(place, "this is never closed" if stop.kind == "end" else "opened here"),),
    )


def _lone_shortcut(stop: _Stop) -> Diagnostic | None:
    if stop.last is None or stop.last != "shortcut" or stop.word != "{":
        return None
    message = "`shortcut` stands here without a `residual` before it"
    return Diagnostic("syntax", message, stop.place(stop.last))


def _misplaced_arrow(stop: _Stop) -> Diagnostic | None:
    """An arrow where a value should be."""
    if stop.word != "->" or "MINUS" not in stop.accepted:
        return None
    if stop.opener is not None and stop.opener != "{":
        message = "`->` leads from stage to stage and cannot stand inside brackets"
    elif stop.last is not None and stop.last.type == "ARROW":
        message = f"expected {_STAGE} after `->`, found `->`"
    else:
        message = "there is nothing in front of this `->`"
    return Diagnostic("syntax", message, stop.span)


def _python_word(stop: _Stop) -> Diagnostic | None:
    if stop.kind == "word" and stop.word in _FROM_PYTHON and "NAME" not in stop.accepted:
        return stop.error(
            f"`{stop.word}` is not a word of the language",
            help_=f"write {_FROM_PYTHON[stop.word]}",
        )
    last = stop.last
    if last is None or last.type != "NAME" or not stop.starts_statement(last):
        return None
    if stop.kind not in ("word", "number") and stop.word != "{":
        return None
    if last in ("block", "network", "sequence", "train", "from"):
        message = f"`{last}` stands at the top of a file, not inside a body"
        return Diagnostic("syntax", message, stop.place(last))
    if last in _FROM_PYTHON:
        message = f"`{last}` is not a word of the language"
        return Diagnostic(
            "syntax", message, stop.place(last), help=f"write {_FROM_PYTHON[str(last)]}"
        )
    return None


def _misspelt_declaration(stop: _Stop) -> Diagnostic | None:
    if "NETWORK" not in stop.accepted or stop.kind != "word":
        return None
    meant = suggest(stop.word, DECLARATION_WORDS)
    if meant is not None and meant != stop.word:
        return stop.error(f"there is no `{stop.word}`", help_=f"did you mean `{meant}`?")
    if stop.last is not None:
        return None
    if stop.word in STATEMENT_WORDS or stop.follows in "(-":
        return stop.error(
            f"expected {_DECLARATION}, found `{stop.word}`",
            help_="stages stand inside a `network` or a `block`: `network name { … }`",
        )
    return None


def _misspelt_form(stop: _Stop) -> Diagnostic | None:
    """``reapeat 3 {``, and ``layer{i} conv(3)`` without its colon."""
    last = stop.last
    if last is None or last.type != "NAME" or not stop.starts_statement(last):
        return None
    if "_SEP" not in stop.accepted or stop.kind not in ("word", "number", "sign"):
        return None
    if stop.word == "{" and stop.at == last.end_pos:
        return stop.error(
            "a label made of an expression ends with a colon on its line",
            help_=f"write `{last}{{…}}: …`, or a space in front of a body's `{{`",
        )
    if stop.kind == "sign" and stop.word != "{":
        return None
    meant = suggest(str(last), STATEMENT_WORDS) if len(last) > 3 else None
    if meant is not None:
        message = f"there is no form `{last}`"
        return Diagnostic("syntax", message, stop.place(last), help=f"did you mean `{meant}`?")
    if stop.word == "{":
        return Diagnostic(
            "syntax",
            f"`{last}` takes no body",
            stop.span,
            help=f"as a label it needs a colon: `{last}: {{ … }}`",
        )
    return None


def _misplaced_equals(stop: _Stop) -> Diagnostic | None:
    if stop.word != "=":
        return None
    last = stop.last
    is_named = last is not None and last.type == "NAME"
    if stop.opener is not None and stop.opener == "(":
        return stop.error(
            "`=` in an argument list names an argument, and a single word stands in front of it",
            help_="write `name = value`; to compare, write `==`",
        )
    if is_named and stop.starts_statement(last):
        if stop.opener is not None and _is_settings(stop):
            return stop.error("a setting is written with a colon", help_=f"write `{last}: …`")
        return stop.error(
            "`=` gives no name here",
            help_=f"write `let {last} = …` for a constant, `… as {last}` for a tensor",
        )
    if "PLUS" in stop.accepted:
        return stop.error(f"`=` cannot stand{stop.after}", help_="to compare, write `==`")
    return None


def _setting_without_colon(stop: _Stop) -> Diagnostic | None:
    if stop.kind != "word" or not _is_settings(stop):
        return None
    if stop.follows == "=":
        return stop.error("a setting is written with a colon", help_=f"write `{stop.word}: …`")
    return stop.error(
        f"expected a colon after the setting `{stop.word}`", help_=f"write `{stop.word}: value`"
    )


def _is_settings(stop: _Stop) -> bool:
    return "LABEL" in stop.accepted and "LET" not in stop.accepted and "NAME" not in stop.accepted


def _misplaced_colon(stop: _Stop) -> Diagnostic | None:
    if stop.word != ":":
        return None
    if "LBRACE" in stop.accepted and "PLUS" in stop.accepted:
        return stop.error("expected `{` and a body, found `:`", help_="a body stands in `{ … }`")
    if stop.opener is not None and stop.opener == "[":
        return stop.error(
            "there are no slices with `:` in the language",
            help_="cut a tensor with the layer `slice`, a list with a comprehension",
        )
    if stop.opener is not None and stop.opener == "(":
        return stop.error(
            "`:` cannot stand in an argument list", help_="name an argument with `name = value`"
        )
    last = stop.last
    if last is not None and last.type == "INT" and stop.starts_statement(last):
        return stop.error(
            "a label begins with a letter or `_`", help_="members of a group are numbered anyway"
        )
    return None


def _dense_call(stop: _Stop) -> Diagnostic | None:
    if stop.last is None or stop.last.type != "DENSE" or stop.word != "(":
        return None
    return stop.error(
        "expected `{` after `dense`, found `(`",
        help_="`dense { … }` joins its input to its result; a fully connected layer is `linear`",
    )


def _foreign_sign(stop: _Stop) -> Diagnostic | None:
    if stop.kind != "sign" or stop.word not in _INSTEAD:
        return None
    return stop.error(f"`{stop.word}` cannot stand here", help_=f"write {_INSTEAD[stop.word]}")


def _reserved_name(stop: _Stop) -> Diagnostic | None:
    if stop.kind != "word" or stop.word not in RESERVED or "NAME" not in stop.accepted:
        return None
    return stop.error(f"expected {stop.expected}{stop.after}, found the word `{stop.word}`")


_mistakes: tuple[Callable[[_Stop], Diagnostic | None], ...] = (
    _unknown_character,
    _open_string,
    _open_bracket,
    _lone_shortcut,
    _misplaced_arrow,
    _python_word,
    _misspelt_declaration,
    _misspelt_form,
    _misplaced_equals,
    _setting_without_colon,
    _misplaced_colon,
    _dense_call,
    _foreign_sign,
    _reserved_name,
)
