"""The outline: what repeats is gathered, what only looks alike is not."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings

import archdsl
from archdsl.graph import Graph
from archdsl.passes.outline import Part, begin_of, entering, outline, scope_of
from archdsl.passes.stacks import MOST_LAYERS, stack
from tests.passes.folding import assert_outlined, assert_repeats
from tests.soundness.checked import checked_graphs

SPECS = Path(__file__).resolve().parents[2] / "specs"
EVERY = [
    f"{path.stem}:{name}"
    for path in sorted(SPECS.glob("*.arch"))
    for specification in [archdsl.load(path)]
    for name in specification.networks
    if not specification.needs(name)
]
FEWER = max(settings().max_examples // 3, 1)


@cache
def graph_of(name: str) -> Graph:
    file, _, network = name.partition(":")
    return archdsl.graph(f"{SPECS / file}.arch:{network}")


def written(body: str, before: str = "") -> Graph:
    return archdsl.graph(archdsl.loads(f"{before}\nnetwork n {{\n{body}\n}}"))


def runs(tree: Part) -> dict[str, int]:
    """How often what begins with each part repeats."""
    found = [part for part in tree.walk() if part.kind == "run"]
    return {run.parts[0].id.removesuffix(" …"): len(run.parts) for run in found}


# What holds of every network ----------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_every_layer_stands_in_the_outline_once_and_runs_repeat(name: str) -> None:
    graph = graph_of(name)
    tree = outline(graph)
    assert_outlined(graph, tree)
    assert_outlined(graph, stack(tree, graph))


@settings(max_examples=FEWER)
@given(checked_graphs())
def test_so_it_is_of_any_network(graph: Graph) -> None:
    tree = outline(graph)
    assert_outlined(graph, tree)
    assert_outlined(graph, stack(tree, graph))


def test_a_stretch_that_does_not_repeat_is_found_out() -> None:
    """The check itself can fail: rounds of other arguments, and of other wiring."""
    graph = graph_of("resnet:resnet18")
    blocks = {p.id: p.nodes for p in outline(graph).walk() if p.kind == "module"}
    assert_repeats(graph, [blocks["layer1.0"], blocks["layer1.1"]])
    for one, two in (("layer1.1", "layer2.0"), ("layer1.0", "layer2.1")):
        with pytest.raises(AssertionError):
            assert_repeats(graph, [blocks[one], blocks[two]])


# Known counts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Of each stage, the blocks after the first, which halves the map or widens it.
        ("resnet:resnet18", {"layer1.0": 2}),
        ("resnet:resnet50", {"layer1.1": 2, "layer2.1": 3, "layer3.1": 5, "layer4.1": 2}),
        ("resnet:resnet152", {"layer1.1": 2, "layer2.1": 7, "layer3.1": 35, "layer4.1": 2}),
        ("vit:vit_b_16", {"encoder.layers.encoder_layer_0": 12}),
        ("vgg:vgg16", {"features.10": 3, "features.17": 3, "features.24": 3}),
        (
            "densenet:densenet121",
            {
                f"features.denseblock{block}.denselayer1": layers
                for block, layers in enumerate((6, 12, 24, 16), 1)
            },
        ),
        ("transformer:transformer", {"encoder.0": 6, "decoder.0": 6}),
        ("gpt:gpt2", {"decoder1": 12}),
        ("lenet:lenet5", {}),
        ("googlenet:googlenet", {}),
    ],
)
def test_the_zoo_folds_as_its_papers_count(name: str, expected: dict[str, int]) -> None:
    assert runs(outline(graph_of(name))) == expected


def test_runs_may_stand_in_runs() -> None:
    block = "block b { conv(8, 3, padding = 1) -> repeat 4 { linear(6) -> relu } }"
    graph = written("input x: [8, 6, 6]\nrepeat 5 { b }", block)
    tree = outline(graph)
    assert_outlined(graph, tree)
    outer, *inner = [part for part in tree.walk() if part.kind == "run"]
    assert len(outer.parts) == 5
    assert [len(part.parts) for part in inner] == [4] * 5


def test_a_round_may_be_several_parts() -> None:
    graph = written("input x: [8]\nrepeat 7 { linear(8) -> relu -> linear(8) -> tanh }")
    (run,) = [part for part in outline(graph).walk() if part.kind == "run"]
    assert len(run.parts) == 7
    assert [p.kind for p in run.parts[0].parts] == ["layer"] * 4


def test_two_rounds_of_bare_layers_are_no_run_but_three_are() -> None:
    assert runs(outline(written("input x: [8]\nrepeat 2 { linear(8) -> relu }"))) == {}
    assert list(
        runs(outline(written("input x: [8]\nrepeat 3 { linear(8) -> relu }"))).values()
    ) == [3]


def test_what_all_rounds_take_from_outside_does_not_part_them() -> None:
    graph = written(
        "input x: [8]\ninput memory: [8]\nx -> repeat 4 { linear(8) -> add(it, memory) }"
    )
    tree = outline(graph)
    assert list(runs(tree).values()) == [4]
    assert_outlined(graph, tree)


# Near misses --------------------------------------------------------------------------

UNIT = "block unit { residual { linear(8) -> relu -> linear(8) } }"
NEAR_MISSES = {
    "alike": (UNIT, "repeat 4 { unit }", [4]),
    "a result used elsewhere": (
        UNIT,
        "repeat 2 { unit } as seen\nrepeat 2 { unit } -> add(it, seen)",
        [2, 2],
    ),
    "a layer inside used elsewhere": (
        "",
        "linear(8) -> relu\nlinear(8) as seen\nrelu\nlinear(8) -> relu\nadd(it, seen)",
        [],
    ),
    "different arguments": (
        "block unit(p) { linear(8) -> dropout(p) }",
        "unit(0.1) -> unit(0.2) -> unit(0.3)",
        [],
    ),
    "shared next to unshared weights": (UNIT, "one: unit\none\ntwo: unit", [2]),
    "unshared next to shared weights": (UNIT, "one: unit\ntwo: unit\ntwo", [2]),
    "weights that come back": (UNIT, "one: unit\ntwo: unit\none\ntwo", [2, 2]),
    "weights shared with another part": (
        UNIT,
        "x -> tower: { repeat 3 { unit } } as one\nlinear(8) -> tower -> add(it, one)",
        [3, 3],
    ),
    "different wiring": (
        "block plain { linear(8) -> relu }\nblock skip { residual { linear(8) -> relu } }",
        "plain -> skip -> skip -> plain",
        [2],
    ),
    "operands the other way round": (
        "",
        "x -> linear(8) -> sub(it, x) -> linear(8) -> sub(x, it) -> linear(8) -> sub(it, x)",
        [],
    ),
    "two equal branches": (
        "",
        "branch concat { { linear(8) -> relu }; { linear(8) -> relu }; { linear(8) -> relu } }",
        [],
    ),
    "equal blocks side by side": (UNIT, "branch add { unit; unit; unit }", []),
    "names of modules": (
        "block one { linear(8) }\nblock two { linear(8) }",
        "one -> two -> one -> two",
        [2],
    ),
    "one level deeper": (
        "block leaf { linear(8) }\nblock twig { leaf }",
        "leaf -> twig -> leaf",
        [],
    ),
}


@pytest.mark.parametrize("title", NEAR_MISSES)
def test_near_misses_do_not_fold(title: str) -> None:
    before, body, expected = NEAR_MISSES[title]
    graph = written(f"input x: [8]\n{body}", before)
    tree = outline(graph)
    assert_outlined(graph, tree)
    assert list(runs(tree).values()) == expected


def test_marks_keep_layers_apart() -> None:
    graph = written("input x: [8]\nrepeat 6 { linear(8) -> relu }")
    nodes = [n for n in outline(graph).nodes if n.startswith("linear")]
    assert list(runs(outline(graph)).values()) == [6]
    assert list(runs(outline(graph, {nodes[3]: "changed"})).values()) == [3]
    marked = outline(graph, dict.fromkeys(nodes, "changed"))
    assert list(runs(marked).values()) == [6]


# The tree itself ----------------------------------------------------------------------


def test_a_block_is_a_module_and_a_scan_a_loop() -> None:
    body = """
    input x: [5, 8]
    cell: { scan h = zeros(8) { concat(it, h) -> linear(8) -> tanh as h } }
    select(1, -1)
    """
    graph = written(body)
    tree = outline(graph)
    assert_outlined(graph, tree)
    (cell,) = [part for part in tree.parts if part.kind == "module"]
    (loop,) = [part for part in cell.walk() if part.kind == "loop"]
    assert graph.nodes[begin_of(loop)]["op"] == "scan"
    assert [graph.nodes[node]["op"] for node in loop.nodes] == [
        "scan",
        "concat",
        "linear",
        "tanh",
        "scan end",
    ]
    scope = scope_of(graph, cell)
    assert scope is not None
    assert scope.path == "cell"
    assert scope_of(graph, loop) is None


def test_what_enters_a_part_is_named_once_and_in_order() -> None:
    graph = written("input x: [8]\ninput y: [8]\npart: { add(x, y) -> mul(it, x) -> linear(8) }")
    (part,) = [p for p in outline(graph).parts if p.kind == "module"]
    assert [source.node for source in entering(graph, part)] == ["x", "y"]


# Stacks -------------------------------------------------------------------------------


def stacked(body: str) -> list[tuple[str, ...]]:
    graph = written(body)
    tree = stack(outline(graph), graph)
    assert_outlined(graph, tree)
    ops = {node: graph.nodes[node]["op"] for node in graph}
    return [tuple(ops[n] for n in p.nodes) for p in tree.walk() if p.kind == "stack"]


def test_a_convolution_stands_with_its_normalization_and_activation() -> None:
    assert stacked("input x: [3, 9, 9]\nconv(8, 3) -> bn -> relu -> conv(8, 3) -> bn -> relu") == [
        ("conv", "batch_norm", "relu"),
        ("conv", "batch_norm", "relu"),
    ]


def test_layers_before_the_heavy_one_go_with_it() -> None:
    assert stacked("input x: [3, 9, 9]\nbn -> relu -> conv(8, 3)") == [
        ("batch_norm", "relu", "conv")
    ]


def test_a_stack_ends_where_a_tensor_is_used_twice() -> None:
    assert stacked("input x: [3, 9, 9]\nconv(8, 3) -> bn as seen\nrelu -> add(it, seen)") == [
        ("conv", "batch_norm")
    ]


def test_a_stack_has_an_end() -> None:
    body = "input x: [8]\n" + "\n".join(f"dropout(0.{i})" for i in range(1, 10))
    assert [len(ops) for ops in stacked(body)] == [MOST_LAYERS, 9 - MOST_LAYERS]
