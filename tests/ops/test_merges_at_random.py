"""Merges of tensors of any shapes: what is accepted runs, with the shape that is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.conditions import holds
from archdsl.dims import symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Batch, Tensor
from tests.ops.against_torch import check, concrete, infer, make

BATCHES: list[Batch] = ["free", "free", "one", "none"]
NAMES = ["add", "mul", "sub", "max", "concat", "stack", "matmul", "bilinear", "crop", "resize"]
H, W = symbol("H"), symbol("W")


@st.composite
def alike(draw: st.DrawFn, extents: Any) -> list[Tensor]:
    """Two or three tensors that mostly agree."""
    dims = draw(st.lists(extents, min_size=0, max_size=3))
    tensors = []
    for _ in range(draw(st.integers(2, 3))):
        mine = list(dims)
        for index in range(len(mine)):
            mine[index] = draw(st.sampled_from([mine[index]] * 4 + [1, 2]))
        if draw(st.integers(0, 5)) == 0:
            mine = mine[1:]
        tensors.append(Tensor(tuple(mine), batch=draw(st.sampled_from(BATCHES))))
    return tensors


def arguments(name: str, data: st.DataObject) -> dict[str, Any]:
    if name in {"concat", "stack"}:
        return {"axis": data.draw(st.integers(-3, 4), label="axis")}
    if name == "matmul":
        return {"transpose_second": data.draw(st.booleans(), label="transposed")}
    return {"out_features": 3} if name == "bilinear" else {}


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
def test_at_known_sizes(name: str, data: st.DataObject) -> None:
    tensors = data.draw(alike(st.integers(1, 4)), label="inputs")
    if name in {"matmul", "bilinear", "crop", "resize"}:
        tensors = tensors[:2]
    op = make(name, **arguments(name, data))
    try:
        infer(op, *tensors)
    except OpError:
        return
    check(op, *tensors)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=settings().max_examples // 2)
def test_at_free_sizes(name: str, data: st.DataObject) -> None:
    tensors = data.draw(alike(st.sampled_from([1, 2, 3, H, W, 2 * H])), label="inputs")
    if name in {"matmul", "bilinear", "crop", "resize"}:
        tensors = tensors[:2]
    op = make(name, **arguments(name, data))
    try:
        _, need = infer(op, *tensors)
    except OpError:
        return
    for sizes in ({"H": 1, "W": 2}, {"H": 2, "W": 1}, {"H": 2, "W": 2}, {"H": 1, "W": 4}):
        if all(holds(condition, sizes) for condition in need.conditions):
            check(op, *tensors, sizes=sizes)
        elif name in {"concat", "stack", "matmul", "crop"}:  # the others stretch a size of 1
            with pytest.raises(OpError):
                infer(op, *(concrete(x, sizes) for x in tensors))


def test_a_parameter_that_falls_on_a_batch_of_one_is_refused() -> None:
    with pytest.raises(OpError, match="falls on the batch"):
        infer(make("add"), Tensor((2,), batch="one"), Tensor((5, 2), batch="none"))


def test_a_merge_of_nothing_is_refused() -> None:
    for name in ("add", "concat", "matmul"):
        with pytest.raises(OpError, match="has none"):
            infer(make(name))
