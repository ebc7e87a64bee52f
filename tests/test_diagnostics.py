"""How a message is drawn: carets under the right characters, whatever the text holds."""

from __future__ import annotations

import json
from typing import Any

import pytest

from archdsl.diagnostics import (
    ArchError,
    Diagnostic,
    Label,
    Source,
    Span,
    listed,
    render,
    suggest,
)


def span(text: str, part: str, name: str = "net.arch", *, nth: int = 1) -> Span:
    """Where a part stands in a text."""
    start = -1
    for _ in range(nth):
        start = text.index(part, start + 1)
    return Span(Source(name, text), start, start + len(part))


def drawn(content: str, part: str, **more: Any) -> list[str]:
    return render(Diagnostic("code", "what is wrong", span(content, part), **more)).split("\n")


def test_an_error_without_a_place_is_one_line() -> None:
    assert str(Diagnostic("no-input", "the graph has no input")) == (
        "error[no-input]: the graph has no input"
    )


def test_everything_a_message_may_have() -> None:
    text = "one\ntwo three\nfour\n"
    found = Diagnostic(
        "code",
        "what is wrong",
        span(text, "three"),
        "here",
        labels=(Label(span(text, "one"), "and there"),),
        notes=("a note",),
        calls=("inner at a.b", "outer at a"),
        help="do this",
        severity="warning",
    )
    assert render(found) == "\n".join(
        [
            "warning[code]: what is wrong",
            "  --> net.arch:2:5",
            "   |",
            " 1 | one",
            "   | --- and there",
            " 2 | two three",
            "   |     ^^^^^ here",
            "   = in: inner at a.b",
            "   = in: outer at a",
            "   = note: a note",
            "   = help: do this",
        ]
    )


def test_places_on_one_line_share_it() -> None:
    text = "add(left, right)\n"
    labels = (Label(span(text, "right"), "[3]"), Label(span(text, "left"), "[4]"))
    assert drawn(text, "add", labels=labels)[3:] == [
        " 1 | add(left, right)",
        "   | ^^^",
        "   |     ---- [4]",
        "   |           ----- [3]",
    ]


def test_places_in_several_files_are_drawn_file_by_file() -> None:
    one, two = "let a = b\n", "first\nlet b = 3\n"
    labels = (
        Label(span(two, "b", "two.arch"), "imported from here"),
        Label(span(one, "let"), "the statement"),
    )
    assert drawn(one, "b", labels=labels)[1:] == [
        "  --> net.arch:1:9",
        "   |",
        " 1 | let a = b",
        "   | --- the statement",
        "   |         ^",
        "  ::: two.arch:2:5",
        "   |",
        " 2 | let b = 3",
        "   |     - imported from here",
    ]


def test_line_numbers_of_different_lengths_are_aligned() -> None:
    text = "\n" * 8 + "nine\nten\n"
    labels = (Label(span(text, "nine"), "before"),)
    assert drawn(text, "ten", labels=labels)[1:] == [
        "   --> net.arch:10:1",
        "    |",
        "  9 | nine",
        "    | ---- before",
        " 10 | ten",
        "    | ^^^",
    ]


def test_a_place_over_several_lines_is_marked_on_its_first() -> None:
    assert drawn("repeat 3 {\n    relu\n}\n", "repeat 3 {\n    relu\n}")[3:] == [
        " 1 | repeat 3 {",
        "   | ^^^^^^^^^^",
    ]


@pytest.mark.parametrize(
    ("text", "line", "carets"),
    [
        ("\tconv(widht, 3)", "  conv(widht, 3)", "       ^^^^^"),
        ("\t\tif x\t{ widht }", "   if x { widht }", "          ^^^^^"),
        ('("日本", widht)', ' ("日本", widht)', "          ^^^^^"),
        ('("e\u0301", widht)', ' ("e\u0301", widht)', "       ^^^^^"),
        ('("\x07", widht)', ' ("\N{REPLACEMENT CHARACTER}", widht)', "       ^^^^^"),
        ('("\u202e", widht)', ' ("\N{REPLACEMENT CHARACTER}", widht)', "       ^^^^^"),
        ("widht\r\nrelu\r\n", " widht", " ^^^^^"),
        ("a\r\n  widht\r\n", "   widht", "   ^^^^^"),
    ],
)
def test_carets_stand_under_what_they_mean(text: str, line: str, carets: str) -> None:
    _, _, _, excerpt, marks = drawn(text, "widht")
    assert excerpt[3:] == "|" + line
    assert marks[3:] == "|" + carets


def test_a_wide_character_is_marked_over_both_its_columns() -> None:
    assert drawn('x("日本")', "日本")[4] == "   |    ^^^^"


@pytest.mark.parametrize(("before", "after"), [(500, 500), (0, 500), (500, 0), (100, 70)])
def test_a_long_line_is_cut_around_the_place(before: int, after: int) -> None:
    text = "a" * before + "wrong" + "b" * after
    _, _, _, excerpt, marks = drawn(text, "wrong", text="this one")
    assert len(excerpt) <= 170
    start = excerpt.index("wrong")
    assert marks[start:] == "^^^^^ this one"
    assert marks[:start].strip(" |") == ""
    assert excerpt.startswith(" 1 | …") == (before > 80)
    assert excerpt.endswith("…") == (after > 80)


def test_a_place_longer_than_what_is_shown_is_marked_as_far_as_it_is() -> None:
    text = "a" * 1000
    _, _, _, excerpt, marks = drawn(text, text)
    assert len(marks) <= len(excerpt)


@pytest.mark.parametrize("text", ["", "relu", "relu\n", "\n\n"])
def test_the_end_of_a_file_can_be_pointed_at(text: str) -> None:
    source = Source("net.arch", text)
    end = Span(source, len(text), len(text) + 1)
    assert render(Diagnostic("syntax", "expected more", end)).endswith("^")


def test_columns_and_lines_count_from_one() -> None:
    source = Source("net.arch", "ab\nc")
    assert [source.position(i) for i in range(5)] == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2)]


def test_plain_data_survives_json() -> None:
    text = "conv(widht, 3)"
    found = Diagnostic("unknown-name", "there is no name widht", span(text, "widht"), calls=("f",))
    data = found.as_dict()
    assert json.loads(json.dumps(data)) == data
    assert data["place"] == {
        "file": "net.arch",
        "line": 1,
        "column": 6,
        "end_line": 1,
        "end_column": 11,
    }


def test_an_error_without_a_place_is_plain_data_too() -> None:
    assert Diagnostic("no-input", "the graph has no input").as_dict()["place"] is None


def test_the_exception_holds_and_shows_every_message() -> None:
    error = ArchError([Diagnostic("a-code", "one"), Diagnostic("b-code", "two")])
    assert [d.code for d in error.diagnostics] == ["a-code", "b-code"]
    assert str(error) == "error[a-code]: one\n\nerror[b-code]: two"


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("widht", ["width", "depth"], "width"),
        ("Conv2d", ["conv", "conv_transpose"], "conv"),
        ("BatchNorm", ["batch_norm", "layer_norm"], "batch_norm"),
        ("RELU", ["relu", "gelu"], "relu"),
        ("zzz", ["width"], None),
        ("width", [], None),
    ],
)
def test_what_a_misspelt_word_meant(word: str, known: list[str], meant: str | None) -> None:
    assert suggest(word, known) == meant


@pytest.mark.parametrize(
    ("words", "sentence"),
    [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c"), ([], "")],
)
def test_words_as_a_sentence_names_them(words: list[str], sentence: str) -> None:
    assert listed(words) == sentence
