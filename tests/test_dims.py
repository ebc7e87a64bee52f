"""Sizes: the normal form says what plain integers say, and shows itself well."""

from __future__ import annotations

import copy
import pickle
import re
from collections.abc import Callable
from itertools import product
from operator import add, floordiv, mod, mul, sub
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.dims import (
    Dim,
    DimError,
    Size,
    as_formula,
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


ATOMS = [
    H,
    W,
    H // 2,
    W // 2,
    (H * W) // 3,
    (2 * (H // 3) + W) // 5,
    maximum(H, W),
    maximum(5 - H, W),
    maximum(W // 2, 7),
]


def test_the_order_in_which_a_size_is_made_is_not_seen() -> None:
    for a, b, c in product(ATOMS, repeat=3):
        assert a * b == b * a
        assert show(a * b) == show(b * a)
        assert (a * b) * c == a * (b * c)
        assert a * (b + c) == a * b + a * c
        assert show(a + b * c) == show(c * b + a)
        assert maximum(a, b) == maximum(b, a)


def test_formulas_have_the_value_of_the_expression() -> None:
    """Read as they stand: ⌈x/k⌉ and ⌊x/k⌋ from within, a dot for a product."""
    sums = [a - 3 * b for a, b in product(ATOMS, repeat=2)]
    more = [(a + 2) // 3 - 2 * a for a in ATOMS]
    for size in [*ATOMS, *sums, *more, -H, 2 - H, 2 * H // 3 * W, 7, -(H // 2) * 4, H**2 - W]:
        text = as_formula(size).replace("·", "*")
        while brackets := re.search(r"([⌈⌊])([^⌈⌉⌊⌋]*)/(\d+)[⌉⌋]", text):
            kind, inside, divisor = brackets.groups()
            turned = f"(-(-({inside})//{divisor}))" if kind == "⌈" else f"(({inside})//{divisor})"
            text = text[: brackets.start()] + turned + text[brackets.end() :]
        for h, w in product((1, 2, 3, 5, 8), repeat=2):
            value = eval(text, {"max": max, "H": h, "W": w})
            assert value == evaluate(size, {"H": h, "W": w}), (as_formula(size), size)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (7, "7"),
        (H, "H"),
        (-H, "-H"),
        (2 * H * W, "2·H·W"),
        ((H + 1) // 2, "⌈H/2⌉"),
        ((H + 3) // 4 - 1, "⌈H/4⌉ - 1"),
        (H // 3, "⌊H/3⌋"),
        ((2 * H + 1) // 5, "⌊(2·H + 1)/5⌋"),
        ((H + W + 1) // 2, "⌈(H + W)/2⌉"),
        (1 - H, "1 - H"),
        (maximum(H, W) - 1, "max(H, W) - 1"),
    ],
)
def test_shown_as_a_formula(size: Size, text: str) -> None:
    assert as_formula(size) == text


def test_exact_quotients_are_found_just_where_there_are_some() -> None:
    """By numbers, against every small size; by sizes, against multiplying back."""
    for slope, shift, divisor in product(range(-6, 7), range(-6, 7), range(-3, 7)):
        size = slope * H + shift
        quotient = exact_quotient(size, divisor)
        leaves_none = divisor > 0 and not any((slope * n + shift) % divisor for n in range(1, 8))
        assert (quotient is not None) == leaves_none, (size, divisor)
        if quotient is not None:
            assert quotient * divisor == size
    divisors = [a * b + c for a, b in product(ATOMS[:6], repeat=2) for c in (0, 1, W)]
    for divisor_size in divisors:
        for factor in (3, H, W + 1, -2 * H * W + H // 2):
            assert exact_quotient(divisor_size * factor, divisor_size) == factor
            assert exact_quotient(divisor_size * factor + 1, divisor_size) is None
        assert exact_quotient(0, divisor_size) == 0
        assert exact_quotient(5, divisor_size) is None
        assert exact_quotient(W * W * W * W + H, divisor_size) in (None, *ATOMS)
    assert exact_quotient(H * W + W, 2 * W) is None
    assert exact_quotient(2 * H * W + W, 2 * W) is None


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
    assert 0 % H == 0
    assert (H % 2) // 3 == 0
    assert 3 * ((H % 3) // 3) == 0
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
        (lambda: 5 % H, "5 cannot be divided by H, a free size"),
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
        (-3 * (H // 2), "-3*(H // 2)"),
        (-(H // 2) * W, "-W*(H // 2)"),
        (-H - 5, "-H - 5"),
        (-H * W - W - 5, "-H*W - W - 5"),
        (5 - H * W - W, "5 - H*W - W"),
        ((H // 2 + W // 2) // 3, "(H + 2*(W // 2)) // 6"),
        (H - 2 * (H // 2), "H - 2*(H // 2)"),
        (H + (-H) % 7, "7*((H + 6) // 7)"),
        ((H // 2) * (W // 2) * 64 + 1, "64*(H // 2)*(W // 2) + 1"),
        (maximum(H, W), "max(H, W)"),
    ],
)
def test_shown_as_maths(size: Size, text: str) -> None:
    assert show(size) == text


@pytest.mark.parametrize("form", [add, sub, mul, floordiv, mod, pow])
@pytest.mark.parametrize("other", [1.5, "2", None])
def test_other_numbers_are_no_sizes(form: Callable[[Any, Any], object], other: object) -> None:
    """They raise, in either order, as an unknown operand does."""
    with pytest.raises(TypeError):
        form(H, other)
    if not (form is mod and isinstance(other, str)):  # which formats
        with pytest.raises(TypeError):
            form(other, H)
    assert other != H


def test_products_are_shown_with_free_sizes_first_then_divisions_then_maxima() -> None:
    h, w = symbol("H"), symbol("W")  # anew: atoms keep their keys, and divisions are remembered
    assert show((symbol("A") // 2 + symbol("B") // 2) // 3) == "(A + 2*(B // 2)) // 6"
    assert show((h // 2) * w) == "W*(H // 2)"
    assert show(maximum(5 - h, w) * (w // 2) * w) == "W*(W // 2)*max(5 - H, W)"


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
    assert minimum_value(H * W - 5) == -4
    assert minimum_value(2 * (H // 2) - H) == -1
    assert minimum_value(3 * (H // 3) - H + 7) == 5
    assert minimum_value(maximum(H, 7) + 2) == 9
    assert minimum_value(maximum(2 * H - 40, H)) == 1
    assert minimum_value(maximum(H - 20, 2 * (H // 5) - 9)) == -9
    assert minimum_value(3 * maximum(H, 7) * maximum(W, 2)) == 42
    assert minimum_value(maximum(9 - H, 4 - W)) is None
    assert minimum_value(maximum(9 - H, 4 - W) // 2 + H) is None
    assert minimum_value(maximum(9 - H, W)) == 1
    assert maximum(H, H // 2) == H
    assert maximum(H, 1) == maximum(1, H) == H
    assert maximum(H + W, W + 1) == maximum(W + 1, H + W) == H + W
    assert maximum(3, 5) == maximum(5, 3) == 5
    assert minimum(3, 5) == minimum(5, 3) == 3
    assert minimum(H + 1, H) == H


def test_bounds_are_below_every_small_size() -> None:
    below = maximum(H - 20, 2 * (H // 5) - 9)
    sizes = [below, H * below, below * below, W * below + 3, below // 3, maximum(9 - H, W // 2)]
    sizes += [a - b for a, b in product([*ATOMS, maximum(W, 2), maximum(H, W + 3)], repeat=2)]
    sizes += [H * maximum(W, 2) - H * W, W // 2 - maximum(W, 3) // 2, maximum(W, 2) - 2 * W]
    for size in sizes:
        bound = minimum_value(size)
        least = min(evaluate(size, {"H": h, "W": w}) for h, w in product(range(1, 25), repeat=2))
        assert bound is None or bound <= least, size


def test_some_free_sizes_are_replaced_and_the_others_stay() -> None:
    assert substitute(H + 2 * W, {"H": 3}) == 2 * W + 3
    assert substitute(H * W, {"H": W, "T": H}) == W * W
    assert substitute((H + W) // 2, {"W": H + 2}) == H + 1
    assert substitute(maximum(H, W), {"H": 1}) == W
