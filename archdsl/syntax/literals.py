"""Literals: from how a number or a string is written to its value."""

from __future__ import annotations

import math
import re

from archdsl.diagnostics import ArchError, Source, Span
from archdsl.syntax.limits import DIGIT_LIMIT, refusal
from archdsl.syntax.tokens import Token

CONSTANTS = {"true": True, "false": False, "none": None}

_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")


def integer_value(token: Token, span: Span) -> int:
    """The value of a whole number, in any base that Python writes."""
    _refuse_digits(token, span)
    if token[0] == "0" and token.strip("0_") and token[1].isdecimal():
        raise refusal(
            "syntax",
            f"`{token}` begins with 0",
            span,
            help=f"write `{token.lstrip('0_')}`, or `0o…` for a number in base 8",
        )
    try:
        return int(token, 0)
    except ValueError:
        raise _not_a_number(token, span) from None


def float_value(token: Token, span: Span) -> float:
    """The value of a number with a point or an exponent; it is finite."""
    _refuse_digits(token, span)
    try:
        value = float(token)
    except ValueError:
        raise _not_a_number(token, span) from None
    if math.isinf(value):
        raise refusal("syntax", "this number is too large for a float", span)
    return value


def _refuse_digits(token: Token, span: Span) -> None:
    if len(token) > DIGIT_LIMIT:
        raise refusal("syntax", f"this number has more than {DIGIT_LIMIT:,} digits", span)


def _not_a_number(token: Token, span: Span) -> ArchError:
    return refusal(
        "syntax",
        f"`{token}` is not a number",
        span,
        help="an underscore stands between two digits",
    )


def string_value(token: Token, source: Source) -> str:
    """What is between the quotes, with its escapes resolved."""
    inside = token[1:-1]
    if "\\" not in inside:
        return str(inside)
    start = (token.start_pos or 0) + 1

    def meant(found: re.Match[str]) -> str:
        letter = found.group(1)
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if len(letter) == 5 and not 0xD800 <= int(letter[1:], 16) <= 0xDFFF:
            return chr(int(letter[1:], 16))
        at = Span(source, start + found.start(), start + found.end())
        raise refusal(
            "syntax",
            f"`{at.text}` means nothing in a string",
            at,
            help=r"the escapes are \n, \t, \", \', \\ and \u with four hexadecimal digits; "
            r"for a backslash itself write \\",
        )

    return _ESCAPE.sub(meant, inside)
