from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from archdsl.ops.arguments import Choice, OpError
from archdsl.ops.op import Tensor, find, registered
from tests.ops.against_torch import check, infer, make

# A module that takes two inputs more, and one that is softmax(axis = 1).
OTHERS = {"MultiheadAttention", "Softmax2d"}


def test_every_activation_of_torch_is_there() -> None:
    known = {getattr(cls, "torch_class", cls.__name__) for cls in registered()}
    assert {*nn.modules.activation.__all__} - known - OTHERS == set()


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("swish", "silu"),
        ("hard_swish", "hardswish"),
        ("hard_sigmoid", "hardsigmoid"),
        ("log_sigmoid", "logsigmoid"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    assert find(alias) is find(name)


def test_the_word_none_is_a_choice() -> None:
    assert make("gelu", approximate=None) == make("gelu") == make("gelu", approximate="none")
    assert make("gelu", approximate=Choice("tanh")).arguments == {"approximate": "tanh"}


def test_a_slope_per_channel() -> None:
    op = make("prelu", num_parameters=6)
    check(op, Tensor((6, 4)))
    with pytest.raises(OpError, match=r"\(=6\) must be 1 or the number of channels \(=5\)"):
        infer(op, Tensor((5, 4)))


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("rrelu", {"lower": 0.5, "upper": 0.1}),
        ("hardtanh", {"min_val": 1, "max_val": 1}),
        ("clamp", {}),
        ("clamp", {"min": 2, "max": 1}),
        ("glu", {"axis": 1}),
        ("softmax", {"axis": 0}),
        ("softmax", {"axis": 3}),
    ],
)
def test_refused(name: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(OpError):
        infer(make(name, **arguments), Tensor((5, 4)))


@pytest.mark.parametrize("name", ["relu", "softmax", "glu", "exp"])
def test_indices_have_no_activation(name: str) -> None:
    with pytest.raises(OpError) as refusal:
        infer(make(name), Tensor((4, 4), "int"))
    assert refusal.value.code == "wrong-dtype"


@pytest.mark.parametrize("bounds", [{"min": 0}, {"max": 1}, {"min": 0, "max": 1}])
def test_clamp(bounds: dict[str, float]) -> None:
    (y,) = check(make("clamp", **bounds), Tensor((5,)))
    assert torch.all(y >= bounds.get("min", y))
    assert torch.all(y <= bounds.get("max", y))
