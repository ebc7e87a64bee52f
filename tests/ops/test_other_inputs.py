"""A layer that is given other inputs than its example's refuses them, or runs as it tells.

Every input of every example is changed in one thing: what it holds, its batch, its axes, one
size. torch is the judge of what is accepted.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import pytest
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archdsl.ops.arguments import OpError
from archdsl.ops.op import Op, Tensor, registered
from archdsl.records import replace
from tests.ops.against_torch import (
    BATCH,
    Written,
    check,
    infer,
    make,
    random_tensor,
    read_call,
    read_shape,
)

LAYERS = [pytest.param(cls, id=cls.name) for cls in registered() if not cls.internal]


def others(x: Tensor) -> Iterator[Tensor]:
    """Tensors that differ from this one in one thing."""
    yield from (replace(x, dtype=dtype) for dtype in ("float", "int", "bool"))
    yield from (replace(x, batch=batch) for batch in ("one", "none"))
    yield x.with_dims(2, *x.dims)
    yield x.with_dims(*x.dims, 1)
    for i, size in enumerate(x.dims):
        before, after = x.dims[:i], x.dims[i + 1 :]
        yield x.with_dims(*before, *after)
        yield from (x.with_dims(*before, s, *after) for s in (1, size + 1, 2 * size))


def variants(inputs: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """One input changed, and where there are several, all of them alike."""
    for i, x in enumerate(inputs):
        yield from ([*inputs[:i], other, *inputs[i + 1 :]] for other in others(x))
    if len(inputs) > 1 and len({*inputs}) == 1:
        yield from ([other] * len(inputs) for other in others(inputs[0]))


@pytest.mark.parametrize("cls", LAYERS)
def test_what_is_accepted_runs_as_told(cls: type[Op]) -> None:
    op, example = read_call(cls.example, read_shape(cls.example_input))
    accepted = 0
    for inputs in variants(example):
        try:
            infer(op, *inputs)
        except OpError:
            continue
        accepted += 1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch warns of sizes that it stretches
            check(op, *inputs)
            check_cost(op, inputs)
    assert accepted or cls.source


def check_cost(op: Op, inputs: Sequence[Tensor]) -> None:
    """Multiply-adds are those that torch counts, where it does."""
    outputs, _ = infer(op, *inputs)
    written = Written(op.code(inputs, outputs))
    batch = max(BATCH, op.least_batch(inputs))
    given = [random_tensor(x, batch) for x in inputs]
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        written.run(given, count=len(outputs))
    counted = counter.get_total_flops()
    if counted and all(x.batch == "free" for x in inputs):
        assert op.multiply_adds(inputs, outputs) == counted / 2 / batch


def test_multiply_adds_of_what_torch_does_not_count() -> None:
    op = make("bilinear", out_features=8)
    left, right = Tensor((3, 5)), Tensor((3, 7))
    outputs, _ = infer(op, left, right)
    assert op.multiply_adds([left, right], outputs) == 3 * 5 * 7 * 8
