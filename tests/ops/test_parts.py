from __future__ import annotations

from typing import Any

import pytest
import torch

from archdsl.dims import show, symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Tensor
from tests.ops.against_torch import check, infer, make, random_tensor, run_torch

H = symbol("H")


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "expected"),
    [
        ("split", {"lengths": 2}, (5, 3), [(2, 3), (2, 3), (1, 3)]),
        ("split", {"lengths": (1, 4)}, (5, 3), [(1, 3), (4, 3)]),
        ("split", {"lengths": 9}, (5, 3), [(5, 3)]),
        ("split", {"lengths": 1, "axis": -1}, (5, 2), [(5, 1), (5, 1)]),
        ("chunk", {"chunks": 3}, (7,), [(3,), (3,), (1,)]),
        ("slice", {"axis": 1, "start": 1, "stop": -1}, (5, 3), [(3, 3)]),
        ("slice", {"axis": -1, "start": -2, "step": 2}, (5, 3), [(5, 1)]),
        ("slice", {"axis": 2, "stop": 2}, (5, 3), [(5, 2)]),
        ("select", {"axis": 1, "index": 0}, (5, 3), [(3,)]),
        ("select", {"axis": -1, "index": -3}, (5, 3), [(5,)]),
        ("mean", {"axis": (2, 3)}, (5, 3, 2), [(5,)]),
        ("mean", {"axis": -1, "keep": True}, (5, 3), [(5, 1)]),
        ("sum", {"axis": 1}, (5,), [()]),
        ("amax", {"axis": (1, -1)}, (5, 3), [()]),
    ],
)
def test_shapes(
    name: str, arguments: dict[str, Any], dims: tuple[int, ...], expected: list[tuple[int, ...]]
) -> None:
    op = make(name, **arguments)
    assert [y.dims for y in infer(op, Tensor(dims))[0]] == expected
    check(op, Tensor(dims))
    if name != "mean":
        check(op, Tensor(dims, "int"))


def test_split_gives_the_parts_in_order() -> None:
    op, x = make("split", lengths=(1, 4)), Tensor((5,))
    written = run_torch(op, [x], infer(op, x)[0]).written
    given = random_tensor(x)
    assert torch.equal(torch.cat(written.run([given], count=2), 1), given)


@pytest.mark.parametrize(
    ("name", "arguments", "expected", "conditions"),
    [
        ("chunk", {"chunks": 2, "axis": 2}, "H // 2", ["H must be a multiple of 2"]),
        ("slice", {"axis": 2, "start": 1}, "H - 1", ["H must be at least 2"]),
        ("slice", {"axis": 2, "stop": 3}, "3", ["H must be at least 3"]),
        ("slice", {"axis": 2, "step": 2}, "(H + 1) // 2", []),
    ],
)
def test_free_sizes(
    name: str, arguments: dict[str, Any], expected: str, conditions: list[str]
) -> None:
    op = make(name, **arguments)
    (y, *_), need = infer(op, Tensor((5, H)))
    assert show(y.dims[1]) == expected
    assert {*conditions} <= {str(condition) for condition in need.conditions}
    check(op, Tensor((5, H)), sizes={"H": 6})


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "code"),
    [
        ("split", {"lengths": 2, "axis": 2}, (5, H), "free-size"),
        ("split", {"lengths": (1, 3)}, (5,), "shape-mismatch"),
        ("split", {"lengths": 1}, (5000,), "too-many-parts"),
        ("chunk", {"chunks": 4}, (6,), "not-divisible"),
        ("slice", {"axis": 1, "start": 3, "stop": 3}, (5,), "empty-size"),
        ("slice", {"axis": 1, "stop": 6}, (5,), "out-of-range"),
        ("slice", {"axis": 1, "start": -6}, (5,), "out-of-range"),
        ("select", {"axis": 1, "index": 5}, (5,), "out-of-range"),
        ("select", {"axis": 1, "index": -6}, (5,), "out-of-range"),
        ("mean", {"axis": 0}, (5,), "bad-axis"),
        ("sum", {"axis": (1, -1)}, (5,), "bad-axis"),
    ],
)
def test_refused(name: str, arguments: dict[str, Any], dims: Any, code: str) -> None:
    with pytest.raises(OpError) as refusal:
        infer(make(name, **arguments), Tensor(dims))
    assert refusal.value.code == code


def test_indices_have_no_mean() -> None:
    with pytest.raises(OpError) as refusal:
        infer(make("mean", axis=1), Tensor((5,), "int"))
    assert refusal.value.code == "wrong-dtype"
