"""Sizes: the normal form says what plain integers say, and shows itself well."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from operator import add, floordiv, mod, mul, sub
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.dims import (
    Dim,
    DimError,
    Size,
    as_python,
    ceil_div,
    evaluate,
    exact_quotient,
    maximum,
    minimum,
    minimum_value,
    show,
    show_shape,
    substitute,
    symbol,
    symbols,
)

H, W = symbol("H"), symbol("W")

# A random expression is a pair: the size, and the same computed from plain integers.
Value = Callable[[dict[str, int]], int]
Pair = tuple[Size, Value]


def of_symbol(name: str) -> Pair:
    return symbol(name), lambda sizes: sizes[name]


def of_number(number: int) -> Pair:
    return number, lambda _: number


def combined(
    size: Callable[[Size, Size], Size], value: Callable[[int, int], int], a: Pair, b: Pair
) -> Pair:
    return size(a[0], b[0]), lambda sizes: value(a[1](sizes), b[1](sizes))


leaves = st.sampled_from(["H", "W"]).map(of_symbol) | st.integers(-20, 20).map(of_number)
operations: list[Any] = [add, sub, mul, floordiv, floordiv, floordiv, mod, max]
divisors = st.integers(1, 9).map(of_number)


@st.composite
def expressions(draw: st.DrawFn) -> Pair:
    pair = draw(leaves)
    for _ in range(draw(st.integers(0, 4))):
        form = draw(st.sampled_from(operations))
        if form in (floordiv, mod):
            pair = combined(form, form, pair, draw(divisors))
        elif form is max:
            pair = combined(maximum, max, pair, draw(leaves))
        elif draw(st.booleans()):
            pair = combined(form, form, pair, draw(leaves))
        else:
            pair = combined(form, form, draw(leaves), pair)
    return pair


free_sizes = st.fixed_dictionaries({"H": st.integers(1, 500), "W": st.integers(1, 500)})


@given(expressions(), free_sizes)
def test_normal_form_has_the_value_of_the_expression(pair: Pair, sizes: dict[str, int]) -> None:
    size, value = pair
    assert evaluate(size, sizes) == value(sizes)


@given(expressions(), free_sizes)
def test_python_text_has_the_value_of_the_expression(pair: Pair, sizes: dict[str, int]) -> None:
    size, value = pair
    source = as_python(size, {"H": "sizes['H']", "W": "sizes['W']"})
    for text in (source, show(size)):
        assert eval(text, {"sizes": sizes, "max": max, **sizes}) == value(sizes)


@given(expressions(), expressions(), expressions(), free_sizes)
def test_substitution_is_composition(a: Pair, h: Pair, w: Pair, sizes: dict[str, int]) -> None:
    put_in = substitute(a[0], {"H": h[0] * h[0] + 1, "W": w[0] * w[0] + 1})
    values = {"H": h[1](sizes) ** 2 + 1, "W": w[1](sizes) ** 2 + 1}
    assert evaluate(put_in, sizes) == a[1](values)


@given(expressions(), free_sizes)
def test_no_size_is_below_its_bound(pair: Pair, sizes: dict[str, int]) -> None:
    bound = minimum_value(pair[0])
    assert bound is None or bound <= pair[1](sizes)


@given(expressions(), st.integers(0, 3), free_sizes)
def test_a_power_has_the_value_of_the_power(
    pair: Pair, exponent: int, sizes: dict[str, int]
) -> None:
    assert evaluate(pair[0] ** exponent, sizes) == pair[1](sizes) ** exponent


@given(expressions(), expressions())
def test_exact_quotient_undoes_a_product(a: Pair, b: Pair) -> None:
    if isinstance(b[0], Dim):
        assert exact_quotient(a[0] * b[0], b[0]) == a[0]


@given(st.integers(-5, 9), st.integers(1, 12), st.integers(1, 12), st.integers(-9, 9))
def test_nested_floor_divisions_are_one(factor: int, a: int, b: int, shift: int) -> None:
    size = H * factor + shift
    assert (size // a + shift) // b == (size + a * shift) // (a * b)


@given(expressions())
def test_equal_sizes_have_equal_hashes_and_survive_copies(pair: Pair) -> None:
    size, _ = pair
    again = size * 6 // 3 // 2
    assert again == size
    assert hash(again) == hash(size)
    assert pickle.loads(pickle.dumps(size)) == size
    assert copy.deepcopy(size) == size


def test_chains_of_strides_are_one_division() -> None:
    assert 2 * (2 * H // 2) // 2 == H
    assert ((H - 1) // 2 + 1 - 1) // 2 + 1 == (H - 1) // 4 + 1
    assert (2 * (H // 2)) // 2 == H // 2
    assert (6 * H + 4) // 4 == H + (H + 2) // 2
    assert ceil_div(H, 2) == (H + 1) // 2 == -(-H // 2)


def test_constant_results_are_plain_integers() -> None:
    assert isinstance(H - H, int)
    assert (2 * H + 1) % 2 == 1
    assert H - H == 0
    assert H * 0 == 0
    assert 0 // H == 0
    assert symbols(H - H + 3) == frozenset()


def test_division_by_a_size_where_it_is_exact() -> None:
    assert (64 * H * W) // (H * W) == 64
    assert (H * W) // H == W
    assert (H * W) % H == 0
    assert (64 * (H + 1) * (W // 2)) // ((H + 1) * (W // 2)) == 64
    assert (H * H - W * W) // (H - W) == H + W


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: H // W, "H cannot be divided by W"),
        (lambda: (H * W + 1) // H, r"H\*W \+ 1 cannot be divided by H"),
        (lambda: H // 0, "H cannot be divided by 0"),
        (lambda: H % -2, "H cannot be divided by -2"),
        (lambda: 64 // H, "64 cannot be divided by H, a free size"),
        (lambda: bool(H), "whether H is zero is not known"),
        (lambda: H**-1, "not a whole number"),
        (lambda: evaluate(H * W, {"H": 1}), "the free size W has no value"),
    ],
)
def test_what_has_no_meaning_is_said(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(DimError, match=message):
        wrong()


def test_sizes_have_no_order() -> None:
    with pytest.raises(TypeError):
        H < W  # type: ignore[operator]  # noqa: B015 (the comparison itself is under test)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (7, "7"),
        (H // 2, "H // 2"),
        (2 * (H // 2) + 1, "2*(H // 2) + 1"),
        (H * W, "H*W"),
        ((H - 1) // 4 + 1, "(H + 3) // 4"),
        (2 - H, "2 - H"),
        (-H, "-H"),
        (-(H // 2), "-(H // 2)"),
        (H - 2 * (H // 2), "H - 2*(H // 2)"),
        (H + (-H) % 7, "7*((H + 6) // 7)"),
        ((H // 2) * (W // 2) * 64 + 1, "64*(H // 2)*(W // 2) + 1"),
        (maximum(H, W), "max(H, W)"),
    ],
)
def test_shown_as_maths(size: Size, text: str) -> None:
    assert show(size) == text


def test_shown_shapes_and_python() -> None:
    assert show_shape([64, H // 2, W // 2]) == "[64, H // 2, W // 2]"
    names = {"H": "x.shape[2]", "W": "x.shape[3]"}
    assert as_python(2 * ((H + 1) // 2), names) == "2 * ((x.shape[2] + 1) // 2)"
    assert as_python(H * W, names) == "x.shape[2] * x.shape[3]"
    assert as_python(H // 2, names) == "x.shape[2] // 2"


def test_bounds_that_are_seen() -> None:
    assert minimum_value(H + W) == 2
    assert minimum_value(H // 2) == 0
    assert minimum_value((H + 3) // 4) == 1
    assert minimum_value(H * W - H) == 0
    assert minimum_value(H - 2 * (H // 2)) == 0
    assert minimum_value(3 - H) is None
    assert maximum(H, H // 2) == H
    assert minimum(H + 1, H) == H
