from __future__ import annotations

from typing import Any

import pytest

from archdsl.dims import Size, evaluate, show, symbol
from archdsl.ops.arguments import Choice, OpError
from archdsl.ops.op import Tensor
from tests.ops.against_torch import check, infer, make

H, W = symbol("H"), symbol("W")


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "expected"),
    [
        ("max_pool", {"kernel_size": 2}, (8, 7, 7), (8, 3, 3)),
        ("max_pool", {"kernel_size": 2, "ceil_mode": True}, (8, 7, 7), (8, 4, 4)),
        ("max_pool", {"kernel_size": 3, "stride": 2, "padding": 1}, (8, 112, 112), (8, 56, 56)),
        ("max_pool", {"kernel_size": 3, "stride": 2, "ceil_mode": True}, (8, 2, 2), (8, 1, 1)),
        # the last window may not start in the padding after the end
        (
            "max_pool",
            {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
            (8, 4, 4),
            (8, 2, 2),
        ),
        ("max_pool", {"kernel_size": (1, 3), "stride": 1}, (8, 5, 5), (8, 5, 3)),
        (
            "max_pool",
            {"kernel_size": (1, 3), "stride": 1, "padding": Choice("same")},
            (8, 5, 5),
            (8, 5, 5),
        ),
        ("max_pool", {"kernel_size": 3, "padding": Choice("valid")}, (8, 9), (8, 3)),
        ("avg_pool", {"kernel_size": 2}, (8, 4, 4, 4), (8, 2, 2, 2)),
        ("avg_pool", {"kernel_size": 3, "padding": 1, "stride": 1}, (8, 5), (8, 5)),
        ("lp_pool", {"norm_type": 2, "kernel_size": (3,)}, (8, 9), (8, 3)),
        ("adaptive_avg_pool", {"output_size": (7, None)}, (8, 3, 5), (8, 7, 5)),
        ("adaptive_max_pool", {"output_size": 2}, (8, 3, 5, 9), (8, 2, 2, 2)),
        ("global_avg_pool", {}, (8, 5), (8, 1)),
        ("global_max_pool", {}, (8, 5, 5, 5), (8, 1, 1, 1)),
    ],
)
def test_shapes(
    name: str, arguments: dict[str, Any], dims: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    op = make(name, **arguments)
    assert infer(op, Tensor(dims))[0][0].dims == expected
    check(op, Tensor(dims))


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "code", "words"),
    [
        ("max_pool", {"kernel_size": 50}, (8, 14, 14), "kernel-too-large", "50 .*: 14"),
        ("max_pool", {"kernel_size": 3, "padding": 2}, (8, 9), "padding-too-large", r"\(=2\)"),
        (
            "max_pool",
            {"kernel_size": 2, "padding": 1, "dilation": 5, "stride": 1},
            (8, 4),
            "kernel-too-large",
            "step over",
        ),
        ("max_pool", {"kernel_size": 3, "padding": "same"}, (8, 9), "same-with-stride", "stride"),
        (
            "max_pool",
            {"kernel_size": 2, "stride": 1, "padding": "same"},
            (8, 9),
            "same-with-even-kernel",
            "odd kernel, not 2",
        ),
        ("max_pool", {"kernel_size": (2, 2)}, (8, 9), "wrong-axes", "2 numbers for 1 axis"),
        ("avg_pool", {"kernel_size": 2, "padding": 1}, (8, 1, 1, 1), "kernel-too-large", "three"),
        ("avg_pool", {"kernel_size": 2}, (8,), "wrong-rank", "sizes"),
        ("global_avg_pool", {}, (8, 2, 2, 2, 2), "wrong-rank", "one to three"),
        ("adaptive_avg_pool", {"output_size": (None,)}, (8, 5), "bad-argument", "none"),
    ],
)
def test_refused(
    name: str, arguments: dict[str, Any], dims: tuple[int, ...], code: str, words: str
) -> None:
    with pytest.raises(OpError, match=words) as refusal:
        infer(make(name, **arguments), Tensor(dims))
    assert refusal.value.code == code


def test_integers_are_not_pooled() -> None:
    with pytest.raises(OpError) as refusal:
        infer(make("max_pool", kernel_size=2), Tensor((8, 8), "int"))
    assert refusal.value.code == "wrong-dtype"


def test_free_sizes_are_halved() -> None:
    (out,), need = infer(make("max_pool", kernel_size=2), Tensor((8, H, W)))
    assert [show(size) for size in out.spatial] == ["H // 2", "W // 2"]
    assert [str(condition) for condition in need.conditions] == [
        "H must be at least 2",
        "W must be at least 2",
    ]


def test_global_pools_make_free_sizes_known() -> None:
    (out,), need = infer(make("global_avg_pool"), Tensor((8, H, W)))
    assert out.dims == (8, 1, 1)
    assert need.conditions == []


@pytest.mark.parametrize(
    ("kernel", "padding"),
    [(k, p) for k in range(1, 6) for p in range(3) if 2 * p <= k],  # as torch allows it
)
@pytest.mark.parametrize("stride", range(1, 5))
def test_ceil_mode_at_a_free_size_is_that_at_a_known_one(
    kernel: int, stride: int, padding: int
) -> None:
    op = make("max_pool", kernel_size=kernel, stride=stride, padding=padding, ceil_mode=True)
    (out,), _ = infer(op, Tensor((2, H)))
    for extent in range(max(kernel - stride - padding, 1), 12):
        try:
            got = check(op, Tensor((2, extent)))[0]
        except OpError:
            continue
        size: Size = out.dims[1]
        assert evaluate(size, {"H": extent}) == got.shape[2]
