from __future__ import annotations

from typing import Any

import pytest
import torch

from archdsl.dims import symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Tensor
from tests.ops.against_torch import check, infer, make, run_torch

H, W, C = symbol("H"), symbol("W"), symbol("C")


@pytest.mark.parametrize("dims", [(6,), (6, 5), (6, 5, 4), (6, 2, 3, 4)])
@pytest.mark.parametrize("momentum", [0.1, None])
def test_batch_norm_by_rank(dims: tuple[int, ...], momentum: float | None) -> None:
    check(make("bn", momentum=momentum), Tensor(dims))
    check(make("bn", affine=False, track_running_stats=False), Tensor(dims))


@pytest.mark.parametrize(
    ("dims", "least"),
    [((6,), 2), ((6, 1, 1), 2), ((6, 2, 1), 1), ((6, H, W), 2), ((6, H + 1, W), 1)],
)
def test_the_least_batch_of_batch_norm(dims: Any, least: int) -> None:
    assert make("bn").least_batch([Tensor(dims)]) == least


def test_a_batch_below_the_least_fails_in_torch() -> None:
    op, x = make("bn"), Tensor((6, 1, 1))
    check(op, x, batch=2)
    with pytest.raises(ValueError, match="more than 1 value"):
        check(op, x, batch=1)


def test_a_parameter_is_a_batch_of_one() -> None:
    with pytest.raises(OpError) as refusal:
        infer(make("bn"), Tensor((6,), batch="one"))
    assert refusal.value.code == "one-value"


@pytest.mark.parametrize(
    ("axis", "dims"),
    [
        (-1, (6,)),
        (1, (6,)),
        (1, (6, 5)),
        (1, (6, 5, 4)),
        (1, (6, 2, 3, 4)),
        (2, (6, 5, 4)),
        (-2, (6, 5, 4)),
        ((1, 2, 3), (6, 5, 4)),
        ((-1, 2), (6, 5, 4)),
        ((1,), (6, 5, 4)),
    ],
)
@pytest.mark.parametrize("name", ["layer_norm", "rms_norm"])
def test_axes(name: str, axis: Any, dims: tuple[int, ...]) -> None:
    (y,) = check(make(name, axis=axis), Tensor(dims))
    if name == "layer_norm":
        axes = (axis,) if isinstance(axis, int) else axis
        assert torch.allclose(y.mean(axes), torch.zeros(()), atol=1e-5)


def test_channels_first_is_a_module_that_a_sequence_may_hold() -> None:
    op, x = make("layer_norm", axis=1), Tensor((6, H, W))
    code = op.code([x], [x])
    assert code.call == "{self}({0})"
    assert [*code.helpers] == ["LayerNorm2d"]
    run_torch(op, [x], [x], sizes={"H": 3, "W": 4})


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "code"),
    [
        ("batch_norm", {}, (), "wrong-rank"),
        ("batch_norm", {}, (6, 2, 2, 2, 2), "wrong-rank"),
        ("batch_norm", {}, (C, 2), "free-size"),
        ("instance_norm", {}, (6,), "wrong-rank"),
        ("instance_norm", {}, (6, 1, 1), "one-value"),
        ("group_norm", {"num_groups": 4}, (6, 2), "not-divisible"),
        ("group_norm", {"num_groups": 6}, (6, 1), "one-value"),
        ("layer_norm", {}, (6, W), "free-size"),
        ("layer_norm", {"axis": 0}, (6, 5), "bad-axis"),
        ("layer_norm", {"axis": (1, 3)}, (6, 5, 4), "bad-axis"),
        ("layer_norm", {"axis": (1, 1)}, (6,), "bad-axis"),
        ("local_response_norm", {"size": 5}, (6,), "wrong-rank"),
    ],
)
def test_refused(name: str, arguments: dict[str, Any], dims: Any, code: str) -> None:
    with pytest.raises(OpError) as refusal:
        infer(make(name, **arguments), Tensor(dims))
    assert refusal.value.code == code


@pytest.mark.parametrize("arguments", [{"eps": 0}, {"eps": -1}, {"momentum": 2}, {"axis": 1}])
def test_arguments_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(OpError):
        make("batch_norm", **arguments)


def test_free_sizes_ask_for_more_than_one_value() -> None:
    _, need = infer(make("instance_norm"), Tensor((6, H, W)))
    assert [str(condition) for condition in need.conditions] == ["H*W must be at least 2"]
    _, need = infer(make("group_norm", num_groups=3), Tensor((6, H, W)))
    assert need.conditions == []
