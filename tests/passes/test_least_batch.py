"""The least batch, against what torch's batch norm takes in training."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import archdsl
from archdsl.passes.least_batch import layers_of_several, least_batch

NETWORK = """
network n {{
    input x: {input}

    {first} -> norm: batch_norm -> relu -> {last}
}}
"""

CASES = [
    ("[4]", "linear(8)", "linear(3)", True),
    ("[3, 8, 8]", "conv(4, 3)", "flatten -> linear(3)", False),
    ("[3, 3, 3]", "conv(4, 3)", "flatten -> linear(3)", True),  # one place is left
    ("[3, 3, 4]", "conv(4, 3)", "flatten -> linear(3)", False),
]


def _network(input: str, first: str, last: str) -> str:
    return NETWORK.format(input=input, first=first, last=last)


@pytest.mark.parametrize(("input", "first", "last", "several"), CASES)
def test_torch_refuses_one_sample_where_two_are_needed(
    input: str, first: str, last: str, several: bool
) -> None:
    text = archdsl.loads(_network(input, first, last))
    graph = text.graph("n")
    assert least_batch(graph) == (2 if several else 1)
    assert layers_of_several(graph) == ({"norm": 2} if several else {})
    shape = eval(input)
    network = archdsl.compile(graph).train()
    network(torch.randn(2, *shape))
    if several:
        with pytest.raises(ValueError, match="more than 1 value"):
            network(torch.randn(1, *shape))
    else:
        network(torch.randn(1, *shape))


def test_of_free_sizes_nothing_is_known() -> None:
    graph = archdsl.loads(_network("[3, H, W]", "conv(4, 3)", "conv(2, 1)")).graph("n")
    assert least_batch(graph) == 2  # where H and W are 3
    assert layers_of_several(graph) == {}


BLOCK = """
train for n {{
    loss: cross_entropy
    {settings}
}}
"""


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ("batch_size: 1", True),
        ("batch_size: 2", False),
        ("batch_size: 1\n    freeze: norm", False),
        ("batch_size: 1\n    freeze: norm then none at epoch 3", True),
    ],
)
def test_check_refuses_a_smaller_batch(settings: str, refused: bool) -> None:
    text = _network("[4]", "linear(8)", "linear(3)") + BLOCK.format(settings=settings)
    found: Any = archdsl.check(archdsl.loads(text)).diagnostics
    assert [d.code for d in found] == (["bad-setting"] if refused else [])
    if refused:
        assert found[0].message == "norm needs 2 samples to be trained on, and a batch has 1"
        assert found[0].help == "write batch_size: 2, or more"
        assert found[0].span.text == "batch_size: 1"
