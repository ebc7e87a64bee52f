"""State: what is said of a ``state_dict`` is what torch's module has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import archdsl
from archdsl.graph import Graph
from archdsl.ops.op import Op, registered
from archdsl.passes.state import state_of
from archdsl.specification import load

SPECS = Path(__file__).resolve().parents[2] / "specs"


def torch_state(graph: Graph) -> dict[str, tuple[int, ...]]:
    with torch.device("meta"):
        module = archdsl.compile(graph)
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def shapes(graph: Graph) -> dict[str, tuple[int, ...]]:
    return {name: tensor.shape for name, tensor in state_of(graph).items()}


def one_of_every_file() -> list[Any]:
    """The first network of every file of the zoo that has what it needs."""
    found = []
    for path in sorted(SPECS.glob("*.arch")):
        spec = load(path)
        name = next(n for n in spec.networks if not spec.needs(n))
        found.append(pytest.param(spec, name, id=path.stem))
    return found


@pytest.mark.parametrize(("spec", "name"), one_of_every_file())
def test_a_network_has_the_state_that_torch_gives_it(
    spec: archdsl.Specification, name: str
) -> None:
    graph = spec.graph(name)
    assert shapes(graph) == torch_state(graph)
    trained = sum(tensor.numbers for tensor in state_of(graph).values() if tensor.trained)
    with torch.device("meta"):
        module = archdsl.compile(graph)
    assert trained == sum(p.numel() for p in module.parameters())


# What makes a tensor of nothing needs a merge: those are in the zoo (a class token).
LAYERS = [cls for cls in registered() if cls.example and not (cls.internal or cls.source)]


@pytest.mark.parametrize("cls", LAYERS, ids=lambda cls: cls.name)
def test_a_layer_has_the_state_that_torch_gives_it(cls: type[Op]) -> None:
    graph = archdsl.loads(f"network n {{ input x: {cls.example_input}; {cls.example} }}").graph()
    assert shapes(graph) == torch_state(graph)


@pytest.mark.parametrize(
    "layer",
    [
        "bn(affine = false)",
        "bn(track_running_stats = false)",
        "instance_norm(affine = true)",
        "instance_norm(track_running_stats = true)",
        "nn.BatchNorm2d(8)",
        "nn.BatchNorm2d(8, affine = false)",
        "nn.Conv2d(8, 4, 3)",
        "nn.PReLU()",
    ],
)
def test_buffers_are_state_and_no_parameters(layer: str) -> None:
    graph = archdsl.loads(f"network n {{ input x: [8, 6, 6]; it -> probe: {layer} }}").graph()
    assert shapes(graph) == torch_state(graph)
    with torch.device("meta"):
        module = archdsl.compile(graph)
    trained = {name for name, tensor in state_of(graph).items() if tensor.trained}
    assert trained == {name for name, _ in module.named_parameters()}


def test_a_tied_weight_stands_under_both_names_and_counts_once() -> None:
    graph = archdsl.loads(
        "network n { input x: int[5]; embed: embedding(7, 4)\n"
        " head: linear(7, bias = false, tie = embed.weight) }"
    ).graph()
    state = state_of(graph)
    assert shapes(graph) == torch_state(graph) == {"embed.weight": (7, 4), "head.weight": (7, 4)}
    assert [tensor.numbers for tensor in state.values()] == [28, 0]


def test_layers_that_share_weights_have_them_once() -> None:
    graph = archdsl.loads(
        "network n { input x: [4]; tower: { linear(4) -> tanh }; tower; tower }"
    ).graph()
    assert shapes(graph) == torch_state(graph)
    assert list(state_of(graph)) == ["tower.0.weight", "tower.0.bias"]
