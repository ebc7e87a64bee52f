from __future__ import annotations

from typing import Any

import pytest

from archdsl.dims import show_shape, symbol
from archdsl.ops.arguments import Choice, OpError
from archdsl.ops.op import Tensor
from tests.ops.against_torch import check, infer, make

H, W = symbol("H"), symbol("W")


@pytest.mark.parametrize(
    ("arguments", "dims", "expected"),
    [
        ({"padding": 1}, (3, 4), (3, 6)),
        ({"padding": 1}, (3, 4, 5), (3, 6, 7)),
        ({"padding": (1, 2)}, (3, 4, 5), (3, 4, 8)),
        ({"padding": (1, 2, 0, 1)}, (3, 4, 5), (3, 5, 8)),
        ({"padding": (0, 0, 0, 0, 1, 1)}, (3, 4, 5), (5, 4, 5)),
        ({"padding": (-1, 2)}, (3, 4, 5), (3, 4, 6)),
        ({"padding": 1, "value": 2}, (3, 4, 5), (3, 6, 7)),
        ({"padding": (1, 2), "mode": "reflect"}, (3, 4, 5), (3, 4, 8)),
        ({"padding": 3, "mode": "replicate"}, (3, 2, 2, 2), (3, 8, 8, 8)),
        ({"padding": 2, "mode": Choice("circular")}, (3, 2), (3, 6)),
        ({"padding": (1, 1)}, (3,), (5,)),
        ({"padding": 1}, (2, 1, 1, 1, 1), (2, 3, 3, 3, 3)),
    ],
)
def test_pad(arguments: dict[str, Any], dims: tuple[int, ...], expected: tuple[int, ...]) -> None:
    op = make("pad", **arguments)
    assert infer(op, Tensor(dims))[0][0].dims == expected
    check(op, Tensor(dims))


def test_indices_are_padded_with_indices() -> None:
    check(make("pad", padding=(1, 1), value=2), Tensor((4,), "int"))
    with pytest.raises(OpError):
        infer(make("pad", padding=(1, 1), value=0.5), Tensor((4,), "int"))


def test_crop_to_another_tensor() -> None:
    op, skip, up = make("crop"), Tensor((8, 64, 64)), Tensor((4, 56, 57))
    assert infer(op, skip, up)[0][0].dims == (8, 56, 57)
    check(op, skip, up)
    check(op, Tensor((8, H)), Tensor((4, W)), sizes={"H": 7, "W": 4})
    _, need = infer(op, Tensor((8, H)), Tensor((4, W)))
    assert [str(condition) for condition in need.conditions] == ["H must be at least W"]


def test_resize_to_another_tensor() -> None:
    op = make("resize", mode=Choice("bilinear"))
    scores, image = Tensor((21, H // 8 + 1, W)), Tensor((3, H, W))
    assert show_shape(infer(op, scores, image)[0][0].dims) == "[21, H, W]"
    check(op, scores, image, sizes={"H": 32, "W": 5})


@pytest.mark.parametrize(
    ("arguments", "dims", "expected"),
    [
        ({"scale_factor": 2}, (3, H, W), "[3, 2*H, 2*W]"),
        ({"scale_factor": (2, 0.5), "mode": "bilinear"}, (3, H, W), "[3, 2*H, W // 2]"),
        ({"scale_factor": 1.5, "mode": "linear"}, (3, H), "[3, H + H // 2]"),
        ({"size": 7, "mode": "trilinear"}, (3, H, W, 2), "[3, 7, 7, 7]"),
        ({"scale_factor": 2.5, "mode": "nearest_exact"}, (3, 5), "[3, 12]"),
        ({"scale_factor": 0.3}, (3, 10), "[3, 3]"),
        ({"size": (5, 4), "mode": "bicubic", "align_corners": True}, (3, 2, 2), "[3, 5, 4]"),
        ({"scale_factor": 2, "mode": "area"}, (3, 2, H), "[3, 4, 2*H]"),
    ],
)
def test_upsample(arguments: dict[str, Any], dims: Any, expected: str) -> None:
    op, x = make("upsample", **arguments), Tensor(dims)
    assert show_shape(infer(op, x)[0][0].dims) == expected
    check(op, x, sizes={"H": 5, "W": 6})


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "code"),
    [
        ("pad", {"padding": 1}, (3,), "wrong-axes"),
        ("pad", {"padding": (1, 1, 1)}, (3, 4, 4), "wrong-axes"),
        ("pad", {"padding": 4, "mode": "reflect"}, (3, 4), "padding-too-large"),
        ("pad", {"padding": 5, "mode": "circular"}, (3, 4), "padding-too-large"),
        ("pad", {"padding": -2}, (3, 4), "padding-too-large"),
        ("pad", {"padding": (-5, 3)}, (3, 4), "padding-too-large"),
        ("pad", {"padding": -1, "mode": "reflect"}, (3, 4), "bad-argument"),
        ("crop", {"size": 5}, (3, 4, 9), "crop-too-large"),
        ("crop", {}, (3, 4, 9), "missing-argument"),
        ("upsample", {}, (3, 4), "missing-argument"),
        ("upsample", {"size": 2, "scale_factor": 2}, (3, 4), "bad-argument"),
        ("upsample", {"scale_factor": 2, "mode": "bilinear"}, (3, 4), "wrong-axes"),
        ("upsample", {"scale_factor": 2, "align_corners": True}, (3, 4), "bad-argument"),
        ("upsample", {"scale_factor": 0.1}, (3, 4), "empty-size"),
        ("upsample", {"scale_factor": 0.1}, (3, H), "free-size"),
        ("upsample", {"scale_factor": 1e300}, (3, 4), "bad-argument"),
        ("resize", {}, (3, 4), "missing-argument"),
        ("pixel_shuffle", {"upscale_factor": 2}, (6, 4, 4), "not-divisible"),
        ("pixel_unshuffle", {"downscale_factor": 2}, (6, 4, 3), "not-divisible"),
        ("pixel_shuffle", {"upscale_factor": 2}, (4, 4), "wrong-rank"),
    ],
)
def test_refused(name: str, arguments: dict[str, Any], dims: Any, code: str) -> None:
    with pytest.raises(OpError) as refusal:
        infer(make(name, **arguments), Tensor(dims))
    assert refusal.value.code == code


def test_pixel_unshuffle_asks_for_multiples() -> None:
    _, need = infer(make("pixel_unshuffle", downscale_factor=4), Tensor((3, H, W)))
    assert [str(condition) for condition in need.conditions] == [
        "H must be a multiple of 4",
        "W must be a multiple of 4",
    ]
