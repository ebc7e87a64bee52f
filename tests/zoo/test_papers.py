"""What the papers say of their networks: parameters, multiply-adds, layers, sizes."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import archdsl
from archdsl.graph import Graph, op_of, scopes
from archdsl.passes.cost import Cost, count_cost

SPECS = Path(__file__).resolve().parents[2] / "specs"


@cache
def graph(name: str) -> Graph:
    """The graph of ``file:network``."""
    file, network = name.split(":")
    return archdsl.graph(f"{SPECS / file}.arch:{network}")


def cost(name: str, side: int = 224) -> Cost:
    return count_cost(graph(name), {"H": side, "W": side})


def shapes(name: str) -> dict[str, str]:
    """What every module gives, by its path."""
    return {path: str(data["types"][0]) for path, data in graph(name).nodes(data=True)}


def nodes(name: str, *ops: str) -> list[str]:
    return [node for node, data in graph(name).nodes(data=True) if data["op"] in ops]


def weight_layers(name: str) -> int:
    """Convolutions and linear layers, those of a shortcut left out, as the papers count."""
    return sum("downsample" not in node for node in nodes(name, "conv", "linear"))


# Parameters, in millions, as precisely as the paper gives them -------------------------

PARAMETERS = {
    "vgg:vgg_a": "133",
    "vgg:vgg_a_lrn": "133",
    "vgg:vgg_b": "133",
    "vgg:vgg_c": "134",
    "vgg:vgg_d": "138",
    "vgg:vgg_e": "144",
    "resnet:resnet20": "0.27",
    "resnet:resnet32": "0.46",
    "resnet:resnet44": "0.66",
    "resnet:resnet56": "0.85",
    "resnet:resnet110": "1.7",
    "resnet:plain20": "0.27",
    "resnet:plain56": "0.85",
    "mobilenet:mobilenet_v1": "4.2",
    "mobilenet:mobilenet_v2": "3.5",
    "mobilenet:mobilenet_v3_small": "2.5",
    "efficientnet:efficientnet_b0": "5.3",
    "efficientnet:efficientnet_b1": "7.8",
    "convnext:convnext_tiny": "28.6",
    "nasnet:nasnet_a_mobile": "5.3",
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    millions = PARAMETERS[name]
    digits = len(millions.partition(".")[2])
    assert f"{cost(name).parameters / 1e6:.{digits}f}" == millions


def test_alexnet_has_62_378_344_parameters() -> None:
    assert cost("alexnet:alexnet_tabled").parameters == 62_378_344


# Multiply-adds at 224 × 224. Some papers round down: two percent are allowed ---------------

MULTIPLY_ADDS = {
    "resnet:resnet18": 1.8e9,
    "resnet:resnet34": 3.6e9,
    "resnet:resnet50_v1": 3.8e9,
    "resnet:resnet101_v1": 7.6e9,
    "resnet:resnet152_v1": 11.3e9,
    "mobilenet:mobilenet_v1": 569e6,
    "mobilenet:mobilenet_v2": 300e6,
    "mobilenet:mobilenet_v3_large": 219e6,
    "mobilenet:mobilenet_v3_small": 56e6,
    "efficientnet:efficientnet_b0": 0.39e9,
    "convnext:convnext_tiny": 4.5e9,
    "nasnet:nasnet_a_mobile": 564e6,
}


@pytest.mark.parametrize("name", MULTIPLY_ADDS)
def test_multiply_adds(name: str) -> None:
    assert cost(name).multiply_adds == pytest.approx(MULTIPLY_ADDS[name], rel=0.02)


# Layers with weights ----------------------------------------------------------------------

WEIGHT_LAYERS = {
    "alexnet:alexnet": 8,
    "alexnet:alexnet_tabled": 8,
    "vgg:vgg_a": 11,
    "vgg:vgg_a_lrn": 11,
    "vgg:vgg_b": 13,
    "vgg:vgg_c": 16,
    "vgg:vgg_d": 16,
    "vgg:vgg_e": 19,
    "mobilenet:mobilenet_v1": 28,
    **{f"resnet:resnet{n}": n for n in (18, 34, 50, 101, 152, 20, 32, 44, 56, 110)},
    **{f"resnet:plain{n}": n for n in (18, 34, 20, 32, 44, 56)},
    **{f"densenet:densenet{n}": n for n in (121, 169, 201)},
}


@pytest.mark.parametrize("name", WEIGHT_LAYERS)
def test_weight_layers(name: str) -> None:
    assert weight_layers(name) == WEIGHT_LAYERS[name]


# Single networks --------------------------------------------------------------------------


def test_alexnet_has_the_sizes_that_are_tabled() -> None:
    tabled = {
        "c1": "[96, 55, 55]",
        "s2": "[96, 27, 27]",
        "c3": "[256, 27, 27]",
        "s4": "[256, 13, 13]",
        "c5": "[384, 13, 13]",
        "c6": "[384, 13, 13]",
        "c7": "[256, 13, 13]",
        "s8": "[256, 6, 6]",
        "f9": "[4096]",
        "f10": "[4096]",
        "out": "[1000]",
    }
    found = shapes("alexnet:alexnet_tabled")
    assert {name: found[name] for name in tabled} == tabled
    assert len(nodes("alexnet:alexnet_tabled", "local_response_norm")) == 2
    assert len(nodes("alexnet:alexnet_tabled", "dropout")) == 2


def test_vgg_c_has_1x1_convolutions_at_the_end_of_stages_3_to_5() -> None:
    convolutions = [
        op_of(graph("vgg:vgg_c"), node).arguments["kernel_size"]
        for node in nodes("vgg:vgg_c", "conv")
    ]
    assert convolutions == [3, 3, 3, 3, 3, 3, 1, 3, 3, 1, 3, 3, 1]


def test_vgg_a_lrn_normalizes_the_response_of_its_first_convolution() -> None:
    layers = [data["op"] for _, data in graph("vgg:vgg_a_lrn").nodes(data=True)]
    assert layers.count("local_response_norm") == 1
    assert layers[1:5] == ["conv", "relu", "local_response_norm", "max_pool"]


def test_googlenet_has_nine_inception_modules_and_two_auxiliary_heads() -> None:
    blocks = [scope.name for scope in scopes(graph("googlenet:googlenet")).values()]
    assert blocks.count("inception") == 9
    assert blocks.count("auxiliary") == 2


def test_googlenet_has_the_channels_of_table_1() -> None:
    found = [
        data["shape"][0]
        for _, data in graph("googlenet:googlenet").nodes(data=True)
        if data["op"] == "concat"
    ]
    assert found == [256, 480, 512, 512, 512, 528, 832, 832, 1024]


def test_the_auxiliary_heads_of_googlenet_answer_in_training_alone() -> None:
    model = archdsl.compile(f"{SPECS / 'googlenet'}.arch:googlenet", classes=10)
    image = torch.randn(2, 3, 64, 64)
    answers: Any = model(image)
    assert answers._fields == ("logits", "aux_logits2", "aux_logits1")
    assert [tuple(answer.shape) for answer in answers] == [(2, 10)] * 3
    sum(answer.sum() for answer in answers).backward()
    assert all(p.grad is not None for p in model.parameters())
    assert model.eval()(image).shape == (2, 10)


@pytest.mark.parametrize(
    ("name", "depths"), [("resnet50", [3, 4, 6, 3]), ("resnet152", [3, 8, 36, 3])]
)
def test_resnet_has_the_stages_of_table_1(name: str, depths: list[int]) -> None:
    calls = [s.path for s in scopes(graph(f"resnet:{name}")).values() if s.name == "bottleneck"]
    assert [sum(f"layer{i}." in path for path in calls) for i in (1, 2, 3, 4)] == depths


def test_the_shortcuts_of_resnets_for_cifar_have_no_parameters() -> None:
    for size in (20, 32, 44, 56):
        plain, residual = cost(f"resnet:plain{size}", 32), cost(f"resnet:resnet{size}", 32)
        assert plain == residual


@pytest.mark.parametrize(
    ("name", "channels"),
    [
        ("densenet121", [256, 512, 1024, 1024]),
        ("densenet169", [256, 512, 1280, 1664]),
        ("densenet201", [256, 512, 1792, 1920]),
    ],
)
def test_densenet_grows_by_32_and_halves_in_between(name: str, channels: list[int]) -> None:
    network = graph(f"densenet:{name}").nodes
    ends = [f"features.transition{i}.norm" for i in (1, 2, 3)] + ["features.norm5"]
    assert [network[end]["shape"][0] for end in ends] == channels
    halved = [network[f"features.transition{i}.conv"]["shape"][0] for i in (1, 2, 3)]
    assert halved == [c // 2 for c in channels[:3]]


def test_nasnet_has_twelve_normal_cells_and_1056_channels_at_the_end() -> None:
    network = graph("nasnet:nasnet_a_mobile")
    blocks = [scope.name for scope in scopes(network).values()]
    assert (blocks.count("normal_cell"), blocks.count("reduction_cell")) == (12, 4)
    assert network.nodes["global_avg_pool1"]["shape"] == (1056, 1, 1)


def test_fcn_gives_a_score_for_every_pixel() -> None:
    assert shapes("fcn:fcn_resnet50")["output"] == "[21, H, W]"


# What is accepted runs --------------------------------------------------------------------

FAMILIES = [
    *("alexnet", "convnext", "densenet", "efficientnet", "fcn", "googlenet", "mobilenet"),
    *("nasnet", "resnet", "squeezenet", "vgg", "vit"),
]
NETWORKS = [
    (family, network)
    for family in FAMILIES
    for specification in [archdsl.load(SPECS / f"{family}.arch")]
    for network in specification.networks
    if not specification.needs(network)
]


@pytest.mark.parametrize(("family", "network"), NETWORKS)
def test_it_runs(family: str, network: str) -> None:
    with torch.device("meta"):  # sizes alone, so that the large ones cost nothing
        model = archdsl.compile(f"{SPECS / family}.arch:{network}")
        found = graph(f"{family}:{network}")
        sizes = [s if isinstance(s, int) else 64 for s in found.nodes["image"]["shape"]]
        answer = model(torch.empty(2, *sizes))
    scores = answer.logits if family == "googlenet" else answer
    classes = {"fcn": (21, 64, 64)}.get(family, (10,) if sizes[1] == 32 else (1000,))
    assert tuple(scores.shape) == (2, *classes)
