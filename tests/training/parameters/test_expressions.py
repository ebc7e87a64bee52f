"""The rules by which the source finds parameters: each is just the parameters that are meant."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.backends.torch_training.parameters import PARAMETERS_OF, Parameters
from tests.training.harness import module_of, recipe_of

NETWORKS = {
    "cnn": """
        input image: [3, 12, 12]
        features: { conv(4, 3) -> bn -> relu; conv(6, 3, bias = false) -> bn -> relu }
        global_avg_pool -> flatten -> fc: linear(5) -> relu -> head: linear(2)
    """,
    "residual": """
        input x: [4, 8, 8]
        layer1: repeat 3 { residual { conv(4, 3, padding = 1) -> bn } -> relu }
        layer2: repeat 3 { residual { conv(4, 3, padding = 1) -> bn } -> relu }
        global_avg_pool -> flatten -> linear(2)
    """,
    "transformer": """
        input tokens: int[T]
        embed: embedding(11, 8)
        blocks: repeat 2 {
            residual { layer_norm -> attention(2, causal = true) }
            residual { layer_norm -> linear(16) -> gelu -> linear(8) }
        }
        layer_norm -> head: linear(11, bias = false, tie = embed.weight)
    """,
    "tokens": """
        input x: [4, 8]
        class_token: parameter([1, 1, 8]) as token
        concat(token, x, axis = 1) -> lstm(6, num_layers = 2) as (h, state)
        h -> group_norm(2, axis = 2) -> linear(3)
    """,
    "helpers": "input x: [9]\nfirst: drop_connect(4) -> bn -> second: linear(4) -> last: linear(2)",
    "up": """
        input x: [4, 3, 3]
        up: conv_transpose(4, 2) -> instance_norm(affine = true) -> conv(2, 1)
    """,
}
NETWORKS["tokens"] = NETWORKS["tokens"].replace("group_norm(2, axis = 2)", "layer_norm")

SELECTIONS = [
    "all",
    "weights",
    "biases",
    "norms",
    "biases, norms",
    "weights, norms",
    "conv",
    "linear",
    "conv, linear",
    "embedding",
    "attention",
    "lstm",
    "features",
    "layer1, layer2",
    "fc, head",
    "head",
    "first",
    "second, last",
    "class_token",
    "up",
    "blocks",
    '"*.weight"',
    '"*.bias"',
    '"layer[12].*.weight"',
    '"*.0.*"',
    '"*1*"',
]


def _chosen(network: str, selection: str) -> tuple[Parameters, tuple[str, ...], nn.Module] | None:
    text = f"network net {{ {NETWORKS[network]} }}\ntrain {{ loss: l }}"
    specification = archdsl.loads(
        text.replace("loss: l", f"loss: {_loss(network)} + l1({selection})")
    )
    graph = specification.graph()
    recipe, found = specification.recipe(graph)
    if recipe is None:
        assert {d.code for d in found} == {"bad-selection"}
        return None  # the network has none of these
    names = recipe.loss[1].technique.of.names  # type: ignore[union-attr]  # a penalty
    return Parameters(recipe), names, archdsl.compile(graph)


def _loss(network: str) -> str:
    return "cross_entropy" if network == "transformer" else "mse"


@pytest.mark.parametrize("selection", SELECTIONS)
@pytest.mark.parametrize("network", NETWORKS)
def test_an_expression_is_what_was_chosen(network: str, selection: str) -> None:
    chosen = _chosen(network, selection)
    assert chosen or selection not in {"all", "weights", "biases"}
    if chosen is None:
        return
    parameters, names, model = chosen
    namespace: dict[str, Any] = {"self": SimpleNamespace(network=model), "nn": nn}
    exec("from collections.abc import Iterator\n" + PARAMETERS_OF, namespace)
    wanted = [id(model.get_parameter(name)) for name in names]
    listed = eval(parameters.listed(names), namespace)
    assert sorted(map(id, listed)) == sorted(wanted)
    exec("found = []\n" + "\n".join(parameters.loop(names, "found.append({0})")), namespace)
    assert sorted(map(id, namespace["found"])) == sorted(wanted)


@pytest.mark.parametrize(
    ("network", "selection", "text"),
    [
        ("cnn", "all", "self.network.parameters()"),
        ("cnn", "weights", "[p for p in self.network.parameters() if p.ndim > 1]"),
        ("cnn", "biases, norms", "[p for p in self.network.parameters() if p.ndim < 2]"),
        ("cnn", "features", "self.network.features.parameters()"),
        ("cnn", "fc, head", "[*self.network.fc.parameters(), *self.network.head.parameters()]"),
        ("residual", "conv", "parameters_of(self.network, nn.Conv2d)"),
        ("tokens", "class_token", "[self.network.class_token]"),
    ],
)
def test_the_plainest_rule_is_chosen(network: str, selection: str, text: str) -> None:
    chosen = _chosen(network, selection)
    assert chosen is not None
    parameters, names, _ = chosen
    assert parameters.some(names) == text


def test_names_of_any_length_stay_short() -> None:
    text = "network net { input x: [4]; repeat 30 { linear(4) -> bn }; linear(1) }\n"
    module, recipe = module_of(
        text + "train { loss: mse; initialize: he(linear) -> zeros(biases); freeze: norms }"
    )
    recipe_of(text + "train { loss: mse }")
    source = archdsl_source(module)
    assert "linear7" not in source
    assert recipe.freeze


def archdsl_source(module: Any) -> str:
    import linecache

    name = type(module).__init__.__code__.co_filename
    return re.sub(r"\s+", " ", "".join(linecache.getlines(name)))


def test_every_example_reads() -> None:
    from archdsl.techniques import technique

    body = "conv(4, 3) -> bn -> relu -> flatten -> fc: linear(5) -> relu -> head: linear(2)"
    keys = {
        "optimizer": "optimizer: {}",
        "schedule": "epochs: 100; schedule: {}",
        "clipping": "clip: {}",
        "constraint": "constraint: {}",
        "initialization": "initialize: {}",
        "reparametrization": "reparametrize: {}",
        "penalty": "",
    }
    for kind, key in keys.items():
        for cls in technique.registered(kind):
            example = cls.example.replace("lstm", "linear").replace("embedding", "linear")
            loss = f"mse + {example}" if kind == "penalty" else "mse"
            settings = f"loss: {loss}; {key.format(example)}"
            text = f"network net {{ input x: [1, 8, 8]\n{body}\n}}\ntrain {{ {settings} }}"
            if cls.name != "lamb":
                torch.manual_seed(0)
                module_of(text)
            recipe_of(text)
