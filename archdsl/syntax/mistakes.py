"""Mistakes that people make often, each with a message of its own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

from archdsl.diagnostics import Diagnostic, Label, Span, suggest
from archdsl.syntax.stop import DECLARATION, STAGE, Stop, bracket
from archdsl.syntax.words import DECLARATION_WORDS, RESERVED, STATEMENT_WORDS

_CLOSER_OF = {"(": ")", "[": "]", "{": "}"}
_OPENER_OF = {closer: opener for opener, closer in _CLOSER_OF.items()}
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


def _unknown_character(stop: Stop) -> Diagnostic | None:
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


def _open_string(stop: Stop) -> Diagnostic | None:
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


def _open_bracket(stop: Stop) -> Diagnostic | None:
    """The end of the file, or the wrong closing bracket, where one is open."""
    if stop.kind != "end" and stop.word not in (")", "]", "}"):
        return None
    if stop.opener is None:
        if stop.kind == "end":
            return None
        return stop.error(f"`{stop.word}` closes nothing: no bracket is open here")
    opened = bracket(stop.opener)
    closer = _CLOSER_OF[opened]
    if stop.word == closer:
        return None
    place = stop.place(stop.opener)
    if stop.opener == "{" and stop.kind != "end":
        opener = _OPENER_OF[stop.word]
        return stop.error(f"`{stop.word}` closes nothing: no `{opener}` is open here")
    return Diagnostic(
        "syntax",
        f"expected `{closer}` to close the `{opened}` at {place.line}:{place.column},"
        f" found {stop.found}",
        stop.span,
        labels=(Label(place, "this is never closed" if stop.kind == "end" else "opened here"),),
    )


def _lone_shortcut(stop: Stop) -> Diagnostic | None:
    if stop.last is None or stop.last != "shortcut" or stop.word != "{":
        return None
    message = "`shortcut` stands here without a `residual` before it"
    return Diagnostic("syntax", message, stop.place(stop.last))


def _misplaced_arrow(stop: Stop) -> Diagnostic | None:
    """An arrow where a value should be."""
    if stop.word != "->" or "MINUS" not in stop.accepted:
        return None
    if stop.opener is not None and stop.opener != "{":
        message = "`->` leads from stage to stage and cannot stand inside brackets"
    elif stop.last is not None and stop.last.type == "ARROW":
        message = f"expected {STAGE} after `->`, found `->`"
    else:
        message = "there is nothing in front of this `->`"
    return Diagnostic("syntax", message, stop.span)


def _python_word(stop: Stop) -> Diagnostic | None:
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


def _misspelt_declaration(stop: Stop) -> Diagnostic | None:
    if "NETWORK" not in stop.accepted or stop.kind != "word":
        return None
    meant = suggest(stop.word, DECLARATION_WORDS)
    if meant is not None and meant != stop.word:
        return stop.error(f"there is no `{stop.word}`", help_=f"did you mean `{meant}`?")
    if stop.last is not None:
        return None
    if stop.word in STATEMENT_WORDS or stop.follows in "(-":
        return stop.error(
            f"expected {DECLARATION}, found `{stop.word}`",
            help_="stages stand inside a `network` or a `block`: `network name { … }`",
        )
    return None


def _misspelt_form(stop: Stop) -> Diagnostic | None:
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


def _misplaced_equals(stop: Stop) -> Diagnostic | None:
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


def _setting_without_colon(stop: Stop) -> Diagnostic | None:
    if stop.kind != "word" or not _is_settings(stop):
        return None
    if stop.follows == "=":
        return stop.error("a setting is written with a colon", help_=f"write `{stop.word}: …`")
    return stop.error(
        f"expected a colon after the setting `{stop.word}`", help_=f"write `{stop.word}: value`"
    )


def _comma_between_settings(stop: Stop) -> Diagnostic | None:
    """``{ a: 1, b: 2 }``, and ``a: 1, 2``."""
    if stop.word != "," or "THEN" not in stop.accepted:
        return None
    if _NEXT_SETTING.match(stop.text, stop.at):
        return stop.error(
            "settings are parted by `;` or by lines, not by `,`", help_="write `;` in its place"
        )
    return stop.error(
        "a setting has one value, and `,` begins another", help_="a list stands in brackets: [a, b]"
    )


_NEXT_SETTING = re.compile(r",\s*[A-Za-z_]\w*\s*:")


def _is_settings(stop: Stop) -> bool:
    return "LABEL" in stop.accepted and "LET" not in stop.accepted and "NAME" not in stop.accepted


def _misplaced_colon(stop: Stop) -> Diagnostic | None:
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


def _dense_call(stop: Stop) -> Diagnostic | None:
    if stop.last is None or stop.last.type != "DENSE" or stop.word != "(":
        return None
    return stop.error(
        "expected `{` after `dense`, found `(`",
        help_="`dense { … }` joins its input to its result; a fully connected layer is `linear`",
    )


def _foreign_sign(stop: Stop) -> Diagnostic | None:
    if stop.kind != "sign" or stop.word not in _INSTEAD:
        return None
    return stop.error(f"`{stop.word}` cannot stand here", help_=f"write {_INSTEAD[stop.word]}")


def _reserved_name(stop: Stop) -> Diagnostic | None:
    if stop.kind != "word" or stop.word not in RESERVED or "NAME" not in stop.accepted:
        return None
    return stop.error(f"expected {stop.expected}{stop.after}, found the word `{stop.word}`")


MISTAKES: tuple[Callable[[Stop], Diagnostic | None], ...] = (
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
    _comma_between_settings,
    _misplaced_colon,
    _dense_call,
    _foreign_sign,
    _reserved_name,
)
"""In the order in which they are tried."""
