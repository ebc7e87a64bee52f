"""What each kind of argument takes, in which form it is kept, and what it refuses."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import pytest

from archdsl.dims import symbol
from archdsl.ops import arguments
from archdsl.ops.arguments import LARGEST, MISSING, Choice, Kind, OpError, WeightRef, describe

H = symbol("H")
ANY_VALUES: list[Any] = [
    *(-LARGEST - 1, -LARGEST, -3, -1, 0, 1, 2, 3, LARGEST, LARGEST + 1, 10**30, 10**300, 10**301),
    *(-0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 1e300, math.inf, -math.inf, math.nan),
    *(True, False, None, "same", "none", "x", Choice("same"), Choice("other"), H, 2 * H + 1),
    *((), (1,), (2, 3), (0, 1), (1, None), (1, 2.0), ("same",), ((1, 2),), ((1, 2), 3), [3], [[4]]),
    *((H, 2), [H], (0.5, 2), (1, -1), (True,), {}, WeightRef("embed", "weight", (3, 4))),
]


def kind_of(field: Any) -> Kind:
    kind: Kind = field.metadata["kind"]
    return kind


def taken(field: Any) -> dict[str, Any]:
    """Of all the values those that the argument takes, and what it makes of them."""
    found: dict[str, Any] = {}
    for value in ANY_VALUES:
        with contextlib.suppress(ValueError):
            found[repr(value)] = kind_of(field).convert(value)
    return found


def whole(*, least: int = -LARGEST) -> dict[str, int]:
    numbers = [v for v in ANY_VALUES if type(v) is int and least <= v <= LARGEST]
    return {repr(v): v for v in numbers if abs(v) <= LARGEST}


def real(good: Any) -> dict[str, Any]:
    numbers = [v for v in ANY_VALUES if type(v) in (int, float) and math.isfinite(float_of(v))]
    return {repr(v): v for v in numbers if good(v)}


def float_of(value: Any) -> float:
    return math.inf if isinstance(value, int) and abs(value) > 10**300 else float(value)


ONE = {"(1,)": (1,), "(2, 3)": (2, 3), "[3]": (3,)}
FLAT = {"((1, 2),)": (1, 2), "[[4]]": (4,)}
CHOSEN = {repr("same"): "same", repr(Choice("same")): "same"}


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (arguments.size, whole(least=1)),
        (lambda: arguments.size(minimum=0), whole(least=0)),
        (lambda: arguments.size(minimum=3), whole(least=3)),
        (arguments.integer, whole()),
        (arguments.sizes, whole(least=1) | ONE),
        (lambda: arguments.sizes(minimum=0), whole(least=0) | ONE | {"(0, 1)": (0, 1)}),
        (lambda: arguments.sizes(none=True), whole(least=1) | ONE | {"(1, None)": (1, None)}),
        (lambda: arguments.sizes(words=("same", "valid")), whole(least=1) | ONE | CHOSEN),
        (
            arguments.whole_list,
            {k: (v,) for k, v in whole(least=1).items()} | ONE | FLAT | {"()": ()},
        ),
        (
            lambda: arguments.whole_list(minimum=None),
            {k: (v,) for k, v in whole().items()}
            | ONE
            | FLAT
            | {"()": (), "(0, 1)": (0, 1), "(1, -1)": (1, -1)},
        ),
        (arguments.axes, whole() | ONE | {"(0, 1)": (0, 1), "(1, -1)": (1, -1)}),
        (
            arguments.shape,
            {k: (v,) for k, v in whole(least=1).items()}
            | ONE
            | FLAT
            | {"()": (), repr(H): (H,), repr(2 * H + 1): (2 * H + 1,), repr((H, 2)): (H, 2)}
            | {repr([H]): (H,)},
        ),
        (arguments.extent, whole(least=1) | {repr(H): H, repr(2 * H + 1): 2 * H + 1}),
        (
            lambda: arguments.extent(minimum=-1),
            whole(least=-1) | {repr(v): v for v in (H, 2 * H + 1)},
        ),
        (arguments.number, real(lambda v: True)),
        (lambda: arguments.number(minimum=1), real(lambda v: v >= 1)),
        (lambda: arguments.number(maximum=1), real(lambda v: v <= 1)),
        (lambda: arguments.number(minimum=0, maximum=1.5), real(lambda v: 0 <= v <= 1.5)),
        (lambda: arguments.number(above=0.5), real(lambda v: v > 0.5)),
        (arguments.probability, real(lambda v: 0 <= v <= 1)),
        (
            arguments.factors,
            real(lambda v: v > 0) | ONE | {"()": (), "(1, 2.0)": (1, 2.0), "(0.5, 2)": (0.5, 2)},
        ),
        (arguments.flag, {"True": True, "False": False}),
        (lambda: arguments.choice("same", "other"), CHOSEN | {repr(Choice("other")): "other"}),
        (lambda: arguments.choice("none", "tanh"), {"None": "none", "'none'": "none"}),
        (arguments.text, {repr(v): v for v in ANY_VALUES if isinstance(v, str)}),
        (lambda: arguments.optional(arguments.size()), whole(least=1) | {"None": None}),
        (
            arguments.weight,
            {"None": None, repr(ANY_VALUES[-1]): ANY_VALUES[-1]},
        ),
    ],
)
def test_what_an_argument_takes(make: Callable[[], Any], expected: dict[str, Any]) -> None:
    """Made in the test, for a mutant of what makes it would come too late for the layers."""
    found = taken(make())
    assert found == expected
    assert {k: repr(v) for k, v in found.items()} == {k: repr(v) for k, v in expected.items()}


@pytest.mark.parametrize(
    ("make", "value", "message"),
    [
        (arguments.size, 2.0, "must be a whole number, not 2.0: write 2"),
        (arguments.size, -2.0, "must be a whole number, not -2.0"),
        (lambda: arguments.size(minimum=0), 0.0, "must be a whole number, not 0.0: write 0"),
        (arguments.integer, -2.0, "must be a whole number, not -2.0: write -2"),
        (arguments.integer, 2.5, "must be a whole number, not 2.5"),
        (arguments.integer, float(2**31), "must be a whole number, not 2147483648.0"),
        (
            arguments.integer,
            float(LARGEST),
            "must be a whole number, not 2147483647.0: write 2147483647",
        ),
        (arguments.size, 0, "must be positive, not 0"),
        (lambda: arguments.size(minimum=2), 1, "must be at least 2, not 1"),
        (lambda: arguments.size(minimum=0), -1, "must be at least 0, not -1"),
        (arguments.size, 2**31, "is too large: 2,147,483,648"),
        (arguments.size, 10**30, "is too large"),
        (arguments.size, 10**30 - 1, f"is too large: {10**30 - 1:,}"),
        (arguments.size, True, "must be a whole number, not true"),
        (
            arguments.size,
            H,
            "must be a number, not the free size H, which is known only when the network runs",
        ),
        (arguments.sizes, (), "must have a number for every axis, and is empty"),
        (arguments.axes, (), "must name an axis, and is empty"),
        (
            lambda: arguments.sizes(words=("same", "valid")),
            "sane",
            'must be a whole number, one an axis, or same or valid, not the text "sane"',
        ),
        (
            lambda: arguments.number(minimum=0, maximum=1),
            1.5,
            "must be a number from 0 to 1, not 1.5",
        ),
        (lambda: arguments.number(minimum=0), -1, "must be a number of at least 0, not -1"),
        (lambda: arguments.number(above=0), 0, "must be a number above 0, not 0"),
        (arguments.number, math.inf, "must be finite"),
        (arguments.number, 10**300 + 1, "must be finite"),
        (arguments.number, "1", 'must be a number, not the text "1"'),
        (arguments.factors, (1, 0), "must be above 0, not 0"),
        (arguments.flag, 1, "must be true or false, not 1"),
        (lambda: arguments.choice("a", "b"), Choice("c"), "must be a or b, not the name c"),
        (arguments.text, 3, "must be a text, not 3"),
    ],
)
def test_what_is_refused_is_said(make: Callable[[], Any], value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=r"must|is too large") as refusal:
        kind_of(make()).convert(value)
    assert str(refusal.value) == message


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "none"),
        (True, "true"),
        (False, "false"),
        ("x", 'the text "x"'),
        ("x" * 40, f'the text "{"x" * 40}"'),
        ("x" * 41, f'the text "{"x" * 40}…"'),
        (Choice("same"), "the name same"),
        (H // 2, "the free size H // 2"),
        ((1, 2.5), "(1, 2.5)"),
        ([], "[]"),
        ([1, (True, None)], "[1, (true, none)]"),
        (tuple(range(6)), "(0, 1, 2, 3, 4, 5)"),
        (tuple(range(7)), "(0, 1, 2, 3, 4, 5, …)"),
        ([[[1]]], "[[[1]]]"),
        ([[[[1]]]], "[[[[…]]]]"),
        ([[[(1,)]]], "[[[(…)]]]"),
        (1e-9, "1e-09"),
        (Kind, str(Kind)),
    ],
)
def test_values_are_called_as_they_were_written(value: object, words: str) -> None:
    assert describe(value) == words


def test_fields_say_what_they_take() -> None:
    for field, words, choices in [
        (arguments.size(), "a positive whole number", ()),
        (arguments.size(minimum=0), "a whole number of at least 0", ()),
        (arguments.sizes(), "a whole number, or one an axis such as (3, 5)", ()),
        (
            arguments.sizes(none=True, words=("same", "valid")),
            "a whole number, or one an axis such as (7, none), or same or valid",
            ("same", "valid"),
        ),
        (arguments.number(), "a number", ()),
        (arguments.number(minimum=0), "a number of at least 0", ()),
        (arguments.number(minimum=0, maximum=0.5), "a number from 0 to 0.5", ()),
        (arguments.number(above=1), "a number above 1", ()),
        (arguments.flag(), "true or false", ("true", "false")),
        (arguments.choice("a", "b"), "a or b", ("a", "b")),
        (arguments.optional(arguments.choice("a", "b")), "a or b, or none", ("a", "b")),
    ]:
        kind = kind_of(field)
        assert (kind.words, kind.choices) == (words, choices)


def test_defaults_and_what_is_said_of_an_argument() -> None:
    assert arguments.size().default is MISSING
    assert arguments.size(default=3, doc="d").default == 3
    assert arguments.size(default=3, doc="d").metadata["doc"] == "d"
    inner = arguments.size(default=3, doc="inner")
    assert arguments.optional(inner).default is None
    assert arguments.optional(inner, default=4).default == 4
    assert arguments.optional(inner).metadata["doc"] == "inner"
    assert arguments.optional(inner, doc="outer").metadata["doc"] == "outer"
    assert arguments.weight().default is None


def test_an_error_keeps_what_it_is_told() -> None:
    bare = OpError("code", "message")
    assert (bare.text, bare.help, bare.argument, bare.input) == ("", "", None, None)
    told = OpError("code", "message", text="t", help="h", argument="a", input=1)
    assert (told.code, told.message, str(told)) == ("code", "message", "message")
    assert (told.text, told.help, told.argument, told.input) == ("t", "h", "a", 1)
