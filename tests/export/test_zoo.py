"""The zoo as ONNX: small networks here, all of them by ``make onnx``, which writes the page."""

from __future__ import annotations

import re
from typing import cast

import numpy as np
import pytest
import torch

pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

import archdsl
from archdsl.passes.cost import count_cost
from tests.export.zoo import PAGE, ROUNDINGS, TOLERANCE, Result, compare, distance, page, run_onnx
from tests.passes.zoo_networks import Network, networks, small_sizes

NODES, PARAMETERS, MULTIPLY_ADDS = 60, 20_000_000, 1_000_000_000


def small() -> list[Network]:
    """The smallest network of every file, where its export takes a few seconds at most."""
    best: dict[str, tuple[int, Network]] = {}
    for network in networks():
        graph = network.graph()
        if len(graph) > NODES or count_cost(graph, small_sizes(graph)).parameters > PARAMETERS:
            continue
        if cast("int", count_cost(graph, small_sizes(graph)).multiply_adds) > MULTIPLY_ADDS:
            continue
        best[network.file] = min(
            best.get(network.file, (NODES + 1, network)), (len(graph), network), key=lambda b: b[0]
        )
    return [network for _, network in best.values()]


@pytest.mark.parametrize("network", small(), ids=str)
def test_onnxruntime_gives_what_torch_gives(network: Network) -> None:
    result = compare(network)
    assert result.alike, result


def test_the_page_has_every_network_and_none_that_differs() -> None:
    rows = re.findall(r"^\| (\S+\.arch):(\S+) \| (.*) \|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [(f"{n.file}.arch", n.name) for n in networks()] == [(f, n) for f, n, _ in rows]
    for _, name, rest in rows:
        if "not exported" in rest:
            raise AssertionError(f"{name} is not exported: {rest}")
        difference, rounding = map(float, rest.split(" | ")[-2:])
        assert difference <= 1.5 * max(TOLERANCE, ROUNDINGS * rounding), name  # of one digit each


def test_a_network_that_differs_is_found_out() -> None:
    result = Result(networks()[0], "x [2]", 20, difference=2e-4, rounding=1e-5)
    assert not result.alike
    assert "| 2e-04 | 1e-05 |" in page([result])
    assert distance([np.array([1.0, 2.0])], [np.array([1.0, 4.0])]) == 0.5


SIZED = """
network sized {
    input x: [4, H, W]
    x -> adaptive_avg_pool(6) as a
    x -> adaptive_avg_pool((3, none)) as b
    x -> adaptive_max_pool(5) as c
    x -> adaptive_max_pool((none, 2)) as d
    x -> max_pool(3, stride = 2) -> adaptive_avg_pool(4) as e
    x -> global_max_pool -> flatten as f
    x -> upsample(scale_factor = 2, mode = bilinear) as g
    x -> pad(2, mode = reflect) as h
    x -> mean(axis = (2, 3)) as i
    x -> flatten(2) -> adaptive_max_pool(3) as j
    output a; output b; output c; output d; output e
    output f; output g; output h; output i; output j
}
"""


@pytest.mark.parametrize("size", [(7, 9), (16, 5), (33, 64), (6, 6)])
def test_layers_whose_work_depends_on_a_free_size_work_at_any(
    size: tuple[int, int], exported: bytes
) -> None:
    """The export is made at one size, and torch would write its adaptive pools for that alone."""
    x = torch.randn(3, 4, *size)
    wanted = archdsl.compile(archdsl.loads(SIZED)).eval()(x)
    for ours, theirs in zip(run_onnx(exported, {"x": x}), wanted, strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)


@pytest.fixture(scope="module")
def exported() -> bytes:
    return archdsl.onnx(archdsl.loads(SIZED))


@pytest.mark.parametrize(
    ("text", "layer", "said"),
    [
        (
            "network n { input x: [3, H, W]\n conv(4, 3) -> bn\n rrelu }",
            "rrelu",
            "not the layer rrelu, of [4, H - 2, W - 2]",
        ),
    ],
)
def test_a_network_that_cannot_be_exported_names_the_layer(
    text: str, layer: str, said: str
) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.onnx(archdsl.loads(text))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "onnx-failed"
    assert said in diagnostic.message
    assert diagnostic.span is not None
    assert diagnostic.span.text == layer
