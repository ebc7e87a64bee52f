"""What a shape rule may demand: of numbers at once, of free sizes as conditions."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from archdsl.conditions import holds
from archdsl.diagnostics import Source, Span
from archdsl.dims import Size, evaluate, symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import (
    LARGEST_SIZE,
    Need,
    Tensor,
    call_form,
    find,
    known,
    need_batch,
    need_float,
    outcome,
    product,
    resolve_axis,
    short_form,
    show_value,
)
from tests.ops.against_torch import make

H, W = symbol("H"), symbol("W")
ERROR = OpError("code", "what is wrong")
SIZES: list[Size] = [*range(-1, 5), H, H + 1, 2 * H, H // 2, W, 4 - H, H - H + 2]


@pytest.mark.parametrize("demand", ["at_least", "equal", "divisible"])
def test_a_demand_raises_records_or_says_nothing_as_the_sizes_have_it(demand: str) -> None:
    """At every small size: the error where none does, a condition where some do."""
    judges: dict[str, Callable[[int, int], bool]] = {
        "at_least": lambda left, right: left >= right,
        "equal": lambda left, right: left == right,
        "divisible": lambda left, right: left % right == 0,
    }
    judge = judges[demand]
    at = [{"H": h, "W": w} for h, w in itertools.product(range(1, 13), range(1, 13))]
    rights = [1, 2, 3, 4] if demand == "divisible" else SIZES
    for left, right in itertools.product(SIZES, rights):
        truth = [judge(evaluate(left, sizes), evaluate(right, sizes)) for sizes in at]
        need = Need()
        try:
            getattr(need, demand)(left, right, ERROR)
        except OpError:
            assert not any(truth), (left, right)
            continue
        if not need.conditions:
            assert all(truth), (left, right)
            continue
        assert not (isinstance(left, int) and isinstance(right, int))
        (condition,) = need.conditions
        assert [holds(condition, sizes) for sizes in at] == truth
        assert condition.reason == "what is wrong"


def test_a_condition_has_the_place_and_the_reason_that_it_is_given() -> None:
    span = Span(Source("n.arch", "network"), 0, 3)
    need = Need(span)
    need.at_least(H, 3, ERROR, "a")
    need.equal(H, W, ERROR, "b")
    need.divisible(H, 3, ERROR, "c")
    need.at_least(H, 4, ERROR)
    assert [c.reason for c in need.conditions] == ["a", "b", "c", "what is wrong"]
    assert {c.span for c in need.conditions} == {span}
    assert Need().conditions is not Need().conditions


def test_a_size_that_must_be_known() -> None:
    need = Need()
    assert need.fixed(3, "x") == known(3) == 3
    for size, words in (
        (H, "H is"),
        (H * W, "H and W are"),
        (H * W + symbol("T"), "H, T and W are"),
    ):
        with pytest.raises(OpError, match="the width must be known") as refusal:
            need.fixed(size, "the width", help="do")
        assert refusal.value.text.startswith(f"a weight has a fixed size, and {words} known only")
        assert (refusal.value.help, refusal.value.input) == ("do", 0)
    with pytest.raises(OpError) as refusal:
        need.fixed(H, "it")
    assert refusal.value.help == "write it as a number in the input"
    with pytest.raises(TypeError, match="H was to be checked"):
        known(H)


def test_an_axis_is_counted_as_in_torch() -> None:
    op = make("softmax", axis=1)
    for rank, axis in itertools.product(range(4), range(-6, 7)):
        x = Tensor((3,) * rank)
        inside = -rank - 1 <= axis <= rank
        index = axis % (rank + 1) - 1  # of all axes, the batch first
        if inside and index >= 0:
            assert resolve_axis(op, axis, x) == index
            continue
        with pytest.raises(OpError) as refusal:
            resolve_axis(op, axis, x, argument="where")
        assert (refusal.value.code, refusal.value.argument, refusal.value.input) == (
            "bad-axis",
            "where",
            0,
        )
        assert ("it is the batch" in refusal.value.message) == inside
        assert (f"not one of its {rank + 1} axes" in refusal.value.message) == (not inside)


def test_layers_of_real_numbers_and_of_axes_say_what_they_need() -> None:
    op = make("relu")
    need_float(op, Tensor((3,)))
    need_batch(op, Tensor((3,), batch="one"))
    need_batch(op, Tensor((3,)))
    for dtype in ("int", "bool"):
        with pytest.raises(OpError) as refusal:
            need_float(op, Tensor((3,), dtype))
        assert (refusal.value.code, refusal.value.input) == ("wrong-dtype", 0)
    with pytest.raises(OpError) as refusal:
        need_batch(op, Tensor((3,), batch="none"))
    assert (refusal.value.code, refusal.value.input) == ("no-batch-axis", 0)


def test_sizes_of_a_tensor() -> None:
    x = Tensor((3, H, 7), "int", "one")
    assert (x.rank, x.channels, x.features, x.spatial) == (3, 3, 7, (H, 7))
    assert x.elements == 21 * H
    assert Tensor(()).elements == product(()) == 1
    assert product((2, H, 3)) == 6 * H
    assert x.with_dims(4) == Tensor((4,), "int", "one")
    assert str(x) == "int[3, H, 7]"
    assert str(Tensor((3,))) == "[3]"


@pytest.mark.parametrize("sign", [1, -1])
def test_no_size_is_beyond_all_machines(sign: int) -> None:
    def flattened(*dims: Size) -> tuple[Size, ...]:
        return outcome(make("flatten"), (Tensor(dims),)).outputs[0].dims

    assert flattened(LARGEST_SIZE // 2, 2) == (LARGEST_SIZE,)
    assert flattened(LARGEST_SIZE // 2, 2 * H) == (LARGEST_SIZE * H,)
    large: list[tuple[Size, ...]] = [(LARGEST_SIZE, 2), (LARGEST_SIZE // 2 + 1, 2)]
    large += [(LARGEST_SIZE, 2 * H), (LARGEST_SIZE // 2 + 1, 2 * H + sign)]
    for dims in large:
        with pytest.raises(OpError) as refusal:
            flattened(*dims)
        assert refusal.value.code == "too-large"


@pytest.mark.parametrize(
    ("name", "form", "short"),
    [
        ("relu", "relu", "relu()"),
        ("linear", "linear(out_features, bias = true, tie = none)", "linear(out_features, …)"),
        ("split", "split(lengths, axis = 1)", "split(lengths, …)"),
        ("select", "select(axis, index)", "select(axis, index)"),
    ],
)
def test_forms_of_a_call(name: str, form: str, short: str) -> None:
    cls = find(name)
    assert cls is not None
    assert (call_form(cls), short_form(cls)) == (form, short)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "none"),
        (True, "true"),
        (False, "false"),
        ((), "()"),
        ((1,), "(1,)"),
        ((1, None), "(1, none)"),
        ([], "[]"),
        ([1, (2, True)], "[1, (2, true)]"),
        (H // 2, "H // 2"),
    ],
)
def test_values_as_the_language_writes_them(value: Any, text: str) -> None:
    assert show_value(value) == text
