"""What a layer makes of its inputs is remembered, and nothing is mixed up by that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

import archdsl
from archdsl.ops import OpError, Tensor
from archdsl.ops.op import Need, Op, build, find, outcome


def layer_of(name: str, **arguments: Any) -> Op:
    cls = find(name)
    assert cls is not None
    return build(cls, arguments)


def test_what_is_equal_is_not_yet_the_same() -> None:
    """1 is equal to True, and no answer to whether there is a bias."""
    assert layer_of("linear", out_features=4, bias=True).arguments == {"out_features": 4}
    with pytest.raises(OpError, match="bias of linear"):
        layer_of("linear", out_features=4, bias=1)
    with pytest.raises(OpError, match="out_features of linear"):
        layer_of("linear", out_features=True)


def test_an_outcome_says_what_the_layer_says() -> None:
    conv = layer_of("conv", out_channels=8, kernel_size=3)
    inputs = (Tensor((3, 32, 32)),)
    found = outcome(conv, inputs)
    assert found.outputs == conv.infer(inputs, Need()) == (Tensor((8, 30, 30)),)
    assert found.weights == conv.weights(inputs)
    assert found.multiply_adds == 8 * 3 * 3 * 3 * 30 * 30
    assert outcome(conv, (Tensor((5, 32, 32)),)).weights["weight"] == (8, 5, 3, 3)


def test_an_argument_that_is_no_key_is_no_hindrance() -> None:
    @dataclass(frozen=True)
    class Listed(Op):
        factors: list[float]

        def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
            return (inputs[0],)

    inputs = (Tensor((4,)),)
    assert outcome(Listed([1.0]), inputs).outputs == inputs


def test_conditions_of_like_layers_have_a_place_each() -> None:
    graph = archdsl.loads(
        "network twice {\n"
        "    input x: [3, H, W]\n"
        "    branch add {\n"
        "        conv(8, 7)\n"
        "        conv(8, 7)\n"
        "    }\n"
        "}\n"
    ).graph()
    lines = {c.span.line for c in graph.graph["conditions"] if c.span}
    assert lines == {4, 5}


def test_arguments_of_one_node_can_be_changed_alone() -> None:
    graph = archdsl.loads("network n {\n    input x: [4]\n    linear(4) -> linear(4)\n}\n").graph()
    graph.nodes["linear1"]["args"]["bias"] = False
    assert "bias" not in graph.nodes["linear2"]["args"]
