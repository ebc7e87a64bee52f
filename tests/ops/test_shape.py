from __future__ import annotations

from typing import Any

import pytest
import torch

from archdsl.dims import show_shape, symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Tensor
from tests.ops.against_torch import check, infer, make

H, W, N = symbol("H"), symbol("W"), symbol("N")


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "expected"),
    [
        ("flatten", {}, (3, 4, 5), (60,)),
        ("flatten", {"start_axis": 2}, (3, 4, 5), (3, 20)),
        ("flatten", {"start_axis": -2}, (3, 4, 5), (3, 20)),
        ("flatten", {"start_axis": 1, "end_axis": 2}, (3, 4, 5), (12, 5)),
        ("unflatten", {"axis": 1, "sizes": (2, -1)}, (6, 5), (2, 3, 5)),
        ("reshape", {"sizes": (3, -1)}, (3, 4, 5), (3, 20)),
        ("reshape", {"sizes": ([3, 20],)}, (3, 4, 5), (3, 20)),
        ("reshape", {"sizes": (60,)}, (3, 4, 5), (60,)),
        ("transpose", {"axis0": 1, "axis1": -1}, (3, 4, 5), (5, 4, 3)),
        ("permute", {"order": (0, 2, 3, 1)}, (3, 4, 5), (4, 5, 3)),
        ("permute", {"order": ([0, -1, 1, 2],)}, (3, 4, 5), (5, 3, 4)),
        ("squeeze", {"axis": -1}, (3, 1), (3,)),
        ("unsqueeze", {"axis": -1}, (3,), (3, 1)),
        ("unsqueeze", {"axis": 1}, (), (1,)),
        ("zeros", {"sizes": (4, 2)}, (3,), (4, 2)),
        ("zeros", {"sizes": ()}, (3,), ()),
        ("channel_shuffle", {"groups": 3}, (6, 5), (6, 5)),
    ],
)
def test_shapes(
    name: str, arguments: dict[str, Any], dims: tuple[int, ...], expected: tuple[int, ...]
) -> None:
    op = make(name, **arguments)
    for x in (Tensor(dims), Tensor(dims, batch="one")):
        assert infer(op, x)[0][0].dims == expected
        check(op, x)
    check(op, Tensor(dims, "int"))


@pytest.mark.parametrize(
    ("sizes", "dims", "expected", "call"),
    [
        ((8, -1), (8, H, W), "[8, H*W]", "{0}.reshape({0}.shape[0], 8, -1)"),
        ((8, H * W), (8, H, W), "[8, H*W]", None),
        ((8, W, H), (8, H, W), "[8, W, H]", "{0}.reshape({0}.shape[0], 8, {0}.shape[3], {0}.sh"),
        ((-1, H), (8, H, W), "[8*W, H]", None),
        ((2, H * 4, W), (8, H, W), "[2, 4*H, W]", "4 * {0}.shape[2]"),
        ((H // 2, -1), (H // 2, 3), "[H // 2, 3]", "{0}.shape[1], -1"),
    ],
)
def test_reshape_at_free_sizes(sizes: Any, dims: Any, expected: str, call: str | None) -> None:
    op, x = make("reshape", sizes=sizes), Tensor(dims)
    (y,), need = infer(op, x)
    assert show_shape(y.dims) == expected
    assert need.conditions == []
    assert call is None or call in op.code([x], [y]).call
    check(op, x, sizes={"H": 4, "W": 6})


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "code"),
    [
        ("flatten", {"start_axis": 0}, (3, 4), "bad-axis"),
        ("flatten", {"start_axis": 2, "end_axis": 1}, (3, 4), "bad-axis"),
        ("flatten", {}, (), "bad-axis"),
        ("unflatten", {"axis": 1, "sizes": (4, -1)}, (6,), "not-divisible"),
        ("unflatten", {"axis": 1, "sizes": ()}, (6,), "bad-argument"),
        ("reshape", {"sizes": (-1, -1)}, (6,), "bad-argument"),
        ("reshape", {"sizes": (0, -1)}, (6,), "bad-argument"),
        ("reshape", {"sizes": (7,)}, (6,), "shape-mismatch"),
        ("reshape", {"sizes": (N, -1)}, (6, H), "free-size"),
        ("reshape", {"sizes": (H + W, -1)}, (H, W), "free-size"),
        ("permute", {"order": (2, 3, 1)}, (3, 4, 5), "bad-axis"),
        ("permute", {"order": (1, 0, 2)}, (3, 4), "bad-axis"),
        ("permute", {"order": (0, 1, 1)}, (3, 4), "bad-axis"),
        ("permute", {"order": ()}, (3, 4), "bad-axis"),
        ("transpose", {"axis0": 0, "axis1": 1}, (3, 4), "bad-axis"),
        ("squeeze", {"axis": 1}, (3, 4), "shape-mismatch"),
        ("channel_shuffle", {"groups": 4}, (6, 5), "not-divisible"),
        ("channel_shuffle", {"groups": 2}, (6,), "wrong-rank"),
    ],
)
def test_refused(name: str, arguments: dict[str, Any], dims: Any, code: str) -> None:
    with pytest.raises(OpError) as refusal:
        infer(make(name, **arguments), Tensor(dims))
    assert refusal.value.code == code


def test_help_for_an_order_without_the_batch() -> None:
    with pytest.raises(OpError) as refusal:
        infer(make("permute", order=(2, 3, 1)), Tensor((3, 4, 5)))
    assert refusal.value.help == "write permute(0, 2, 3, 1)"


def test_a_parameter_without_a_batch_has_no_axes_to_count() -> None:
    with pytest.raises(OpError) as refusal:
        infer(make("flatten"), Tensor((3, 4), batch="none"))
    assert refusal.value.code == "no-batch-axis"


def test_zeros_follow_the_dtype() -> None:
    (y,) = check(make("zeros", sizes=(2,)), Tensor((4,), "int"))
    assert y.dtype == torch.get_default_dtype()
