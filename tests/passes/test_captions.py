"""Captions: what is written on a layer, a module and a tensor."""

from __future__ import annotations

import math
import re
from fractions import Fraction

import pytest

import archdsl
from archdsl.dims import as_formula, evaluate, show, symbols
from archdsl.graph import Source, scopes, type_of
from archdsl.ops.caption import Caption
from archdsl.passes.captions import (
    call_text,
    caption,
    multiples_of,
    own_name,
    size_text,
    tensor_text,
)
from tests.passes.test_outline import EVERY, graph_of, written


def layer(text: str, shape: str = "[8, 32, 32]") -> Caption:
    graph = written(f"input x: {shape}\n{text}")
    (node,) = [n for n, d in graph.nodes(data=True) if d["op"] not in ("input", "output")]
    return caption(graph, node)


@pytest.mark.parametrize(
    ("text", "title", "details"),
    [
        ("conv(64, 7, stride = 2, padding = 3)", "conv 7×7, 64", ("stride 2", "pad 3")),
        ("conv(64, 3)", "conv 3×3, 64", ()),
        ("conv(64, (1, 7), padding = (0, 3))", "conv 1×7, 64", ("pad 0×3",)),
        ("conv(64, 3, padding = 1, bias = false)", "conv 3×3, 64", ("pad 1",)),
        ("conv(8, 3, groups = 8)", "conv 3×3, 8", ("groups 8",)),
        ("conv(8, 3, padding = same)", "conv 3×3, 8", ("pad same",)),
        ("conv(8, 3, dilation = 2)", "conv 3×3, 8", ("dilation 2",)),
        ("max_pool(2)", "max pool 2×2", ()),
        ("max_pool(3, stride = 2, ceil_mode = true)", "max pool 3×3", ("stride 2", "ceil mode")),
        ("bn", "batch norm", ()),
        ("relu", "relu", ()),
        ("dropout(0.25)", "dropout 0.25", ()),
        ("leaky_relu(0.2)", "leaky relu", ("negative slope 0.2",)),
        ("global_avg_pool", "global avg pool", ()),
    ],
)
def test_a_layer_says_what_matters_of_it(text: str, title: str, details: tuple[str, ...]) -> None:
    assert layer(text) == Caption(title, details)


@pytest.mark.parametrize(
    ("text", "shape", "title"),
    [
        ("conv(4, 3)", "[8, 32]", "conv 3, 4"),
        ("conv(4, 3)", "[8, 9, 32, 32]", "conv 3×3×3, 4"),
        ("linear(10)", "[8]", "linear 10"),
        ("lstm(5)", "[7, 8]", "lstm 5"),
    ],
)
def test_a_kernel_has_a_factor_for_each_axis(text: str, shape: str, title: str) -> None:
    assert layer(text, shape).title == title


@pytest.mark.parametrize("name", EVERY)
def test_captions_are_short_and_of_one_line(name: str) -> None:
    graph = graph_of(name)
    for node in graph:
        found = caption(graph, node)
        assert 1 <= len(found.title) <= 44, found
        assert all(0 < len(detail) <= 44 for detail in found.details), found
        assert not re.search(r"[\n\t]|Dim\(|<|None", f"{found}".removeprefix("Caption"))


def test_a_module_call_is_written_as_it_was_called() -> None:
    graph = graph_of("resnet:resnet50")
    found = {s.path: call_text(s) for s in scopes(graph).values()}
    assert found["layer1.1"] == "bottleneck(64)"
    assert "stride = 2" in found["layer2.0"]
    assert found["layer3"] == "layer3" or found["layer3"].startswith("stage")


def test_an_argument_at_its_default_is_left_out() -> None:
    block = "block b(width, kernel = 3, act = relu) { linear(width) -> act }"
    graph = written("input x: [8]\nb(4) -> b(5, act = tanh) -> b(6, 5) -> b(7, 3, gelu)", block)
    texts = [call_text(s) for s in scopes(graph).values() if s.kind == "block"]
    assert texts == ["b(4)", "b(5, act = tanh)", "b(6, kernel = 5)", "b(7, act = gelu)"]


def test_only_a_name_that_was_given_is_a_name() -> None:
    graph = written("input x: [8]\nfc: linear(8)\nlinear(8)")
    assert {n: own_name(graph, n) for n in ("fc", "linear1")} == {"fc": "fc", "linear1": ""}


# Sizes --------------------------------------------------------------------------------


def test_tensors_are_written_as_figures_write_them() -> None:
    graph = written("input x: [3, H, W]\nconv(64, 7, stride = 2, padding = 3)")
    tensor = type_of(graph, Source("conv1"))
    assert tensor_text(tensor) == "64×⌈H/2⌉×⌈W/2⌉"
    assert tensor_text(tensor, {"H": 224, "W": 99}) == "64×112×50"
    assert tensor_text(tensor, {"H": 224}) == "64×112×⌈W/2⌉"
    words = written("input x: int[T]\nembedding(10, 4)")
    assert tensor_text(type_of(words, Source("x"))) == "int T"
    assert tensor_text(type_of(words, Source("embedding1"))) == "T×4"


def test_a_sum_is_a_factor_in_parentheses() -> None:
    graph = written("input x: [3, H, W]\nconv(8, 3)")
    assert tensor_text(type_of(graph, Source("conv1"))) == "8×(H - 2)×(W - 2)"
    halved = written("input x: [3, H, W]\nconv(8, 3, stride = 2)")
    assert tensor_text(type_of(halved, Source("conv1"))) == "8×(⌈H/2⌉ - 1)×(⌈W/2⌉ - 1)"


def test_what_must_be_a_multiple_is_not_rounded() -> None:
    graph = archdsl.graph("specs/unet.arch:unet_same")
    multiples = multiples_of(graph)
    assert multiples == {"H": 16, "W": 16}
    for node, text in (("max_pool1", "64×H/2×W/2"), ("max_pool4", "512×H/16×W/16")):
        assert tensor_text(type_of(graph, Source(node)), None, multiples) == text
    last = type_of(graph, Source("output"))
    assert tensor_text(last, None, multiples) == "2×H×W"


@pytest.mark.parametrize("name", EVERY)
def test_a_formula_has_the_value_of_its_size(name: str) -> None:
    """Read again as mathematics, at some sizes."""
    graph = graph_of(name)
    found = {d for n in graph for t in graph.nodes[n]["types"] for d in t.dims}
    for size in sorted((s for s in found if not isinstance(s, int)), key=show):
        for value in (64, 97, 225):
            at = {name: value + i for i, name in enumerate(sorted(symbols(size)))}
            assert read(as_formula(size), at) == evaluate(size, at), show(size)
            assert read(f"3·{size_text(size)}", at) == 3 * evaluate(size, at), show(size)


def read(text: str, at: dict[str, int]) -> int:
    """The value of a formula, by Python, which rounds as ⌈ ⌉ and ⌊ ⌋ do."""
    source = text.replace("⌈", "ceil(").replace("⌉", ")").replace("⌊", "floor(")
    source = source.replace("⌋", ")").replace("·", "*").replace("/", " / ")
    exact = re.sub(r"\b(\d+)\b", r"Fraction(\1)", source)
    names = {name: Fraction(value) for name, value in at.items()}
    tools = {"ceil": math.ceil, "floor": math.floor, "max": max, "Fraction": Fraction}
    return int(eval(exact, {"__builtins__": {}}, {**tools, **names}))
