"""What a layer accepts runs with the shape that it tells; what it refuses, torch refuses too."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from itertools import islice, product
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from archdsl.conditions import holds
from archdsl.dims import Size, symbol, symbols
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Batch, Need, Op, Tensor
from tests.ops.against_torch import check, concrete, infer, make, run_torch
from tests.ops.strategies import CASES, Case

each_case = pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in CASES])
BATCHES: list[Batch] = ["free", "free", "free", "one", "none"]
# Half of what a test of a whole network gets: there are two tests a layer.
unhurried = settings(
    max_examples=settings().max_examples // 2,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def drawn(case: Case, data: st.DataObject) -> tuple[Op, int]:
    rank = data.draw(st.sampled_from(case.ranks), label="rank")
    arguments = data.draw(case.arguments(rank), label="arguments")
    try:
        return make(case.name, **arguments), rank
    except OpError:
        assume(False)
        raise


@each_case
@unhurried
@given(data=st.data())
def test_at_known_sizes(case: Case, data: st.DataObject) -> None:
    op, rank = drawn(case, data)
    dims = data.draw(st.lists(st.integers(1, 8), min_size=rank, max_size=rank), label="dims")
    batch: Batch = data.draw(st.sampled_from(BATCHES), label="batch")
    x = Tensor(tuple(dims), batch=batch)
    try:
        outputs, need = infer(op, x)
    except OpError as refusal:
        assert_torch_refuses(case, op, x, refusal)
        return
    assert need.conditions == []
    assert all(isinstance(d, int) and d >= 1 for y in outputs for d in y.dims)
    run_quietly(op, x, batch=data.draw(st.sampled_from([op.least_batch([x]), 3]), label="samples"))


def assert_torch_refuses(case: Case, op: Op, x: Tensor, refusal: OpError) -> None:
    if {refusal.code, f"{refusal.code}:{refusal.argument}"} & {*case.stricter, "no-batch-axis"}:
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run_torch(op, [x], (), count=1)
    except Exception:  # noqa: BLE001  # whatever torch, or what writes its code, says
        return
    raise AssertionError(f"torch runs {op} on {x}, which was refused: {refusal.message}")


def run_quietly(
    op: Op, *inputs: Tensor, sizes: Mapping[str, int] | None = None, batch: int | None = None
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(op, *inputs, sizes=sizes, batch=batch)


SIZES = (1, 2, 3, 4, 5, 6, 7, 9, 12)


@each_case
@unhurried
@given(data=st.data())
def test_at_free_sizes(case: Case, data: st.DataObject) -> None:
    """The conditions hold where, and only where, the layer accepts the sizes themselves."""
    op, rank = drawn(case, data)
    names = data.draw(
        st.lists(st.none() | st.sampled_from("HWL"), min_size=rank, max_size=rank), label="names"
    )
    dims: list[Size] = [
        symbol(name) if name else data.draw(st.integers(1, 8), label="size") for name in names
    ]
    free = sorted({name for name in names if name})
    assume(free)
    x = Tensor(tuple(dims))
    try:
        outputs, need = infer(op, x)
    except OpError as refusal:
        if refusal.code != "free-size":
            for sizes in some_sizes(free, data):
                with pytest.raises(OpError):
                    infer(op, concrete(x, sizes))
        return
    assert symbols_of(outputs) <= {*free}
    for sizes in some_sizes(free, data):
        if all(holds(condition, sizes) for condition in need.conditions):
            run_quietly(op, x, sizes=sizes)
        elif case.name != "chunk":  # which makes unequal parts of a size that is known
            with pytest.raises(OpError):
                infer(op, concrete(x, sizes))


def symbols_of(tensors: tuple[Tensor, ...]) -> set[str]:
    return {name for tensor in tensors for size in tensor.dims for name in symbols(size)}


def some_sizes(names: list[str], data: st.DataObject) -> list[dict[str, int]]:
    found = [dict(zip(names, s, strict=True)) for s in product(SIZES, repeat=len(names))]
    start = data.draw(st.integers(0, len(found) - 1), label="start")
    return list(islice(found[start:] + found[:start], 0, None, max(len(found) // 6, 1)))


def test_a_layer_that_accepts_too_much_is_found_out() -> None:
    op = make("max_pool", kernel_size=5)

    class Careless(type(op)):  # type: ignore[misc]  # made here to be wrong
        def infer(self, inputs: Any, need: Need) -> tuple[Tensor, ...]:
            return (replace(inputs[0], dims=(inputs[0].channels, 1, 1)),)

    with pytest.raises(RuntimeError):
        run_quietly(Careless(kernel_size=5), Tensor((2, 3, 3)))
