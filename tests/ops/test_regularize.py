from __future__ import annotations

from typing import Any

import pytest
import torch

from archdsl.ops.arguments import OpError
from archdsl.ops.op import Tensor
from tests.ops.against_torch import Written, check, infer, make

CHANGING_NOTHING_IN_EVALUATION = [
    ("dropout", {}),
    ("spatial_dropout", {}),
    ("alpha_dropout", {}),
    ("feature_alpha_dropout", {}),
    ("drop_path", {"p": 0.5}),
    ("gaussian_noise", {"std": 1}),
]


@pytest.mark.parametrize(("name", "arguments"), CHANGING_NOTHING_IN_EVALUATION)
def test_evaluation_changes_nothing(name: str, arguments: dict[str, Any]) -> None:
    x = Tensor((5, 4, 3))
    written = Written(make(name, **arguments).code([x], [x]))
    written.train(False)
    given = torch.randn(2, 5, 4, 3)
    assert torch.equal(written.run([given], count=1)[0], given)
    written.train(True)
    assert not torch.equal(written.run([given.repeat(20, 1, 1, 1)], count=1)[0][:2], given)


def test_drop_path_drops_whole_samples_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    x = Tensor((5, 4))
    written = Written(make("drop_path", p=0.25).code([x], [x]))
    (y,) = written.run([torch.ones(20_000, 5, 4)], count=1)
    kept = y.flatten(1).amax(1)
    assert torch.equal(y, kept[:, None, None].expand_as(y))
    assert sorted({*kept.tolist()}) == [0.0, pytest.approx(4 / 3)]
    assert kept.mean() == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("p", [0, 1])
def test_drop_path_of_nothing_and_of_all(p: int) -> None:
    x = Tensor((5,))
    written = Written(make("drop_path", p=p).code([x], [x]))
    (y,) = written.run([torch.ones(3, 5)], count=1)
    assert torch.equal(y, torch.full((3, 5), 1.0 - p))


def test_drop_connect_is_a_linear_layer_in_evaluation() -> None:
    x, op = Tensor((5,)), make("drop_connect", out_features=4)
    check(op, x)
    written = Written(op.code([x], infer(op, x)[0]))
    written.train(False)
    given = torch.randn(3, 5)
    plain = torch.nn.functional.linear(given, written.module.weight, written.module.bias)
    assert torch.equal(written.run([given], count=1)[0], plain)
    written.train(True)
    assert not torch.equal(written.run([given], count=1)[0], plain)


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "code"),
    [
        ("spatial_dropout", {}, (5,), "wrong-rank"),
        ("feature_alpha_dropout", {}, (), "wrong-rank"),
        ("drop_connect", {"out_features": 4}, (), "wrong-rank"),
    ],
)
def test_refused(name: str, arguments: dict[str, Any], dims: Any, code: str) -> None:
    with pytest.raises(OpError) as refusal:
        infer(make(name, **arguments), Tensor(dims))
    assert refusal.value.code == code


@pytest.mark.parametrize("p", [-0.1, 1.1, "much", None])
def test_a_share_lies_between_0_and_1(p: Any) -> None:
    with pytest.raises(OpError) as refusal:
        make("dropout", p=p)
    assert refusal.value.code == "bad-argument"
