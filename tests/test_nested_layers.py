"""A layer may stand where another takes a tensor: ``concat(crop(skip, like = it), it)``."""

from __future__ import annotations

import torch

import archdsl
from archdsl.specification import loads


def network(body: str) -> str:
    return f"network nested {{ input x: [8, 12, 12]; {body} }}"


def check(body: str) -> list[str]:
    return [d.code for d in loads(network(body)).elaborate().diagnostics]


def test_it_takes_what_arrives_or_the_tensors_that_it_names() -> None:
    body = "conv(4, 3) as y; concat(crop(x, like = it), mul(y, sigmoid), conv(2, 1)) -> conv(1, 3)"
    model = archdsl.compile(loads(network(body)).graph())
    assert set(model.state_dict()) == {
        f"conv{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")
    }
    assert model.conv2.weight.shape == (2, 4, 1, 1)
    x = torch.randn(2, 8, 12, 12)
    y = model.conv1(x)
    joined = torch.cat([x[:, :, 1:11, 1:11], y * y.sigmoid(), model.conv2(y)], dim=1)
    torch.testing.assert_close(model(x), model.conv3(joined))


def test_it_shares_its_weights_where_its_stage_does() -> None:
    repeated = archdsl.compile(
        loads(network("repeat 3 shared { add(it, conv(8, 3, padding = 1)) }; conv(2, 1)")).graph()
    )
    assert {name.split(".")[0] for name in repeated.state_dict()} == {"conv1", "conv2"}
    assert repeated.conv2.weight.shape == (2, 8, 1, 1)
    again = archdsl.compile(
        loads(network("conv(8, 1); step: add(it, conv(8, 3, padding = 1)); step")).graph()
    )
    assert {name.split(".")[0] for name in again.state_dict()} == {"conv1", "conv2"}
    x = torch.randn(2, 8, 12, 12)
    y = again.conv1(x)
    z = y + again.conv2(y)
    torch.testing.assert_close(again(x), z + again.conv2(z))


def test_its_mistakes_are_told() -> None:
    assert check("add(it, conv(8, 20))") == ["kernel-too-large"]
    assert check("add(it, conv(8, 3))") == ["shape-mismatch"]
    assert check("concat(it, conv)") == ["missing-argument"]
