"""The ends of a scan: what they take, give and refuse, at known sizes and at free ones."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from archdsl.dims import symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Tensor
from tests.ops.against_torch import infer, make

T, H = symbol("T"), symbol("H")
STATES = (Tensor((4,)), Tensor((2, H), "int"))


def test_a_scan_takes_a_step_off_and_puts_all_of_them_together() -> None:
    x = Tensor((T, 5, H), "int")
    begun, need = infer(make("scan", carried=2), x, *STATES)
    assert begun == (Tensor((5, H), "int"), *STATES)
    assert need.conditions == []  # a free size is 1 or more
    result = Tensor((7,))
    end = make("scan end", carried=2, begin="scan1")
    ended, need = infer(end, x, *STATES, result, *STATES)
    assert ended == (Tensor((T, 7)), *STATES)
    assert need.conditions == []
    (alone,), _ = infer(make("scan end", begin="scan1"), x, result)
    assert alone == Tensor((T, 7))
    assert make("scan", carried=2).shares([x, *STATES], begun, training=True) == (0, 1, 2)
    given = [x, *STATES, result, *STATES]
    assert end.shares(given, ended, training=True) == (None, 4, 5)


@pytest.mark.parametrize(
    ("x", "code"),
    [
        (Tensor(()), "wrong-rank"),
        (Tensor((3, 2), batch="one"), "no-batch-axis"),
        (Tensor((3, 2), batch="none"), "no-batch-axis"),
        (Tensor((0, 2)), "empty-size"),
    ],
)
def test_a_scan_needs_steps(x: Tensor, code: str) -> None:
    with pytest.raises(OpError) as refusal:
        infer(make("scan"), x)
    assert refusal.value.code == code
    assert refusal.value.input in (0, None)


def test_a_scan_over_what_may_be_nothing_asks_for_a_step() -> None:
    _, need = infer(make("scan"), Tensor((T // 2, H)))
    assert [str(condition) for condition in need.conditions] == ["T // 2 must be at least 1"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([Tensor((4,))], [Tensor((4, 1))]),
        ([Tensor((4,))], [Tensor(())]),
        ([Tensor((4,))], [Tensor((4,), "int")]),
        ([Tensor((4,))], [Tensor((4,), batch="one")]),
        ([Tensor((4,))], [Tensor((5,))]),
        ([Tensor((4, 3))], [Tensor((4, 2))]),
        ([Tensor((4,)), Tensor((3,))], [Tensor((4,)), Tensor((2,))]),
        ([Tensor((H,))], [Tensor((H + 1,))]),
    ],
)
def test_a_state_keeps_its_shape(before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
    end = make("scan end", carried=len(before), begin="scan1")
    with pytest.raises(OpError, match="a carried state changes its shape") as refusal:
        infer(end, Tensor((3, 4)), *before, Tensor((7,)), *after)
    assert refusal.value.code == "shape-mismatch"


def test_a_state_whose_size_is_free_must_come_back_with_that_size() -> None:
    end = make("scan end", carried=1, begin="scan1")
    _, need = infer(end, Tensor((3, 4)), Tensor((2 * H,)), Tensor((7,)), Tensor((T,)))
    (condition,) = need.conditions
    assert str(condition) == "2*H must equal T"
    assert condition.reason == "a carried state keeps its size: 2*H"


def test_what_a_scan_gives_depends_on_its_input() -> None:
    for batch in ("one", "none"):
        result = Tensor((7,), batch=batch)
        with pytest.raises(OpError) as refusal:
            infer(make("scan end", begin="scan1"), Tensor((3, 4)), result)
        assert refusal.value.code == "no-batch-axis"


def test_a_layer_along_an_axis_needs_to_know_the_batch() -> None:
    with pytest.raises(OpError) as refusal:
        infer(make("softmax", axis=1), Tensor((3, 4), batch="none"))
    assert refusal.value.code == "no-batch-axis"
