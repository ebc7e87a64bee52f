"""Whatever the text, the parser gives a tree or a diagnostic, and soon."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.diagnostics import ArchError, Source
from archdsl.syntax.parser import BRACKET_LIMIT, DEPTH_LIMIT, parse
from archdsl.syntax.printer import format_source

MANY = 20_000


def code_of(text: str) -> str | None:
    try:
        file = parse(Source("x.arch", text))
    except ArchError as error:
        return error.diagnostics[0].code
    assert parse(Source("y.arch", format_source(file))) == file
    return None


@pytest.mark.parametrize(
    "text",
    [
        "let a = " + "(" * MANY,
        "let a = " + "[" * MANY + "]" * MANY,
        "network n {" + "{" * MANY,
        "train { " + "a: { " * MANY,
        "let a = " + "1 + " * MANY + "1",
        "let a = " + "- " * MANY + "x",
        "let a = " + "not " * MANY + "x",
        "let a = " + "2 ** " * MANY + "2",
        "let a = " + "1 if 2 else " * MANY + "1",
        "let a = f" + "()" * MANY,
        "let a = f" + ".a" * MANY,
        "network n { if a {}" + " else if a {}" * MANY + " }",
        "train { a: b" + " -> c" * MANY + " }",
        "train { a: b" + " then c at epoch 1" * MANY + " }",
    ],
    ids=lambda text: text[:25],
)
def test_what_is_too_deep_is_refused(text: str) -> None:
    assert code_of(text) == "too-deep"


@pytest.mark.parametrize(
    "text",
    [
        "network n { " + "a -> " * MANY + "a }",
        "network n { " + "a; " * MANY + "}",
        "let a = f(" + "1, " * MANY + ")",
        "let a = 1" + " < 1" * MANY,
        "# a\n" * MANY + "let a = 1",
        "\n" * MANY,
        " " * MANY,
        "network n { a\n" + "# c\n" * MANY + "-> b }",
    ],
    ids=lambda text: text[:15],
)
def test_what_is_only_long_is_read(text: str) -> None:
    assert code_of(text) is None


@pytest.mark.parametrize(
    "text",
    ["9" * 1_001, "0x" + "F" * 10_000, "0." + "1" * 5_000, "1e400", '"' + "\\n" * MANY],
    ids=lambda text: text[:5],
)
def test_numbers_and_strings_have_limits(text: str) -> None:
    assert code_of(f"let a = {text}") == "syntax"


def test_what_is_as_deep_as_allowed_can_be_printed() -> None:
    deep = BRACKET_LIMIT - 2
    assert code_of("let a = " + "f(" * deep + ")" * deep) is None
    assert code_of("let a = " + "[" * deep + "]" * deep) is None
    assert code_of("let a = " + "-" * (DEPTH_LIMIT - 3) + "x") is None
    assert code_of("network n { " + "{ " * 40 + "}" * 40 + " }") is None
    assert code_of("network n { if a {}" + " else if a {}" * 40 + " }") is None


def test_thousands_of_lines_take_seconds() -> None:
    line = "    conv(width, 3, padding = 1, bias = false) -> bn -> relu\n"
    started = time.perf_counter()
    parse(Source("x.arch", "network n {\n" + line * 10_000 + "}\n"))
    assert time.perf_counter() - started < 20  # about 2 s; a slow machine may take its time


PIECES = (
    "network n { } ( ) [ ] -> : = , . # \n ; if else for in repeat 3 let a b residual shortcut"
    ' dense branch unet up scan as train not and "s" a: { } layer{i}: * - é \0 \r \t " \\'
).split(" ")


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=30).map(" ".join))
def test_any_words_are_read_or_refused(text: str) -> None:
    assert code_of(text) in (None, "syntax")
    assert code_of(f"network n {{\n{text}\n}}") in (None, "syntax")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(found: bytes) -> None:
    for text in (found.decode("latin-1"), found.decode("utf-8", "surrogateescape")):
        assert code_of(text) in (None, "syntax")
