"""Receptive fields are those that gradients of the running network have."""

from __future__ import annotations

import itertools
from fractions import Fraction

import hypothesis
import networkx as nx
import pytest
import torch
from hypothesis import settings
from hypothesis import strategies as st
from torch import nn

import archdsl
from archdsl.graph import Graph, Source, connect, inputs
from archdsl.ops.reach import LONGEST_PERIOD, Window, interpolated, parts, transposed
from archdsl.passes.receptive_field import AxisField, receptive_fields
from tests.passes.zoo_networks import SPECS, Network

SAMPLES = 24
"""Pools pass a gradient to the largest value alone: the field is the union over so many inputs."""


def network(statements: str, shape: str = "[2, 64]") -> Graph:
    return archdsl.graph(archdsl.loads(f"network n {{ input x: {shape}\n{statements}\n}}"))


def field(graph: Graph, node: str, origin: str = "x") -> tuple[AxisField, ...]:
    return receptive_fields(graph)[node][0][origin]


def up_to(graph: Graph, node: str, sizes: tuple[int, ...] = ()) -> Graph:
    """The part of a graph that leads to a node, which becomes the output, at these sizes."""
    part: Graph = graph.subgraph({*nx.ancestors(graph, node), node}).copy()
    part.add_node("result", op="output", args={})
    connect(part, "result", [Source(node)])
    if sizes:
        part.nodes[inputs(part)[0]]["args"] = {"sizes": sizes}
    return archdsl.graph(part)


def averaging(graph: Graph) -> nn.Module:
    """The module with positive weights that average: nothing cancels, vanishes or explodes."""
    module = archdsl.compile(graph).double().eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.uniform_(0.5, 1.5)
            if weight.dim() > 1:
                weight.div_(weight[0].numel())
    return module


class Gradients:
    """Which positions of its only input a network's output depends on, as autograd finds it."""

    def __init__(self, graph: Graph, samples: int = SAMPLES) -> None:
        (origin,) = inputs(graph)
        sizes = graph.nodes[origin]["types"][0].dims
        torch.manual_seed(0)
        self.x = torch.rand(samples, *sizes, dtype=torch.float64) ** 4  # few large values
        self.x.requires_grad_()
        self.y = averaging(graph)(self.x)

    def seen(self, position: tuple[int, ...]) -> list[tuple[int, int] | None]:
        """The first and the last position along every axis but the channels'."""
        (slope,) = torch.autograd.grad(
            self.y[(slice(None), slice(None), *position)].sum(), self.x, retain_graph=True
        )
        found = slope.ne(0).any(0).any(0)
        spans: list[tuple[int, int] | None] = []
        for axis in range(found.dim()):
            others = [i for i in range(found.dim()) if i != axis]
            places = (found.any(dim=others) if others else found).nonzero().flatten()
            spans.append((int(places[0]), int(places[-1])) if len(places) else None)
        return spans


def clipped(window: Window | None, position: int, extent: int) -> tuple[int, int] | None:
    """What the inferred window leaves of the input."""
    if window is None:
        return 0, extent - 1
    span = window.at(position)
    if span is None or span[1] < 0 or span[0] >= extent:
        return None
    return max(span[0], 0), min(span[1], extent - 1)


def agree(graph: Graph, positions: list[tuple[int, ...]], samples: int = SAMPLES) -> None:
    """Inferred fields, cut off at the input's borders, are where the gradients are."""
    (origin,) = inputs(graph)
    fields = receptive_fields(graph)["result" if "result" in graph else "output"][0][origin]
    gradients = Gradients(graph, samples)
    extents = gradients.x.shape[2:]
    for position in positions:
        wanted = [
            clipped(f.window, position[f.window.along - 1] if f.window else 0, extent)
            for f, extent in zip(fields, extents, strict=True)
        ]
        assert gradients.seen(position) == wanted, position


# The zoo --------------------------------------------------------------------------

ZOO = [
    # A node, an image in whose height its field fits, and positions in the middle and at borders.
    ("resnet", "resnet18", "layer2.1.relu2", (3, 128, 104), [(7, 6), (0, 0), (15, 12)], 24),
    ("resnet", "resnet18", "layer4.1.relu2", (3, 480, 32), [(7, 0), (0, 0)], 4),
    ("googlenet", "googlenet", "inception4a.concat1", (3, 192, 32), [(5, 0), (11, 1)], 24),
    ("densenet", "densenet121", "features.denseblock2.concat4", (3, 192, 32), [(12, 2), (0, 0)], 4),
    ("mobilenet", "mobilenet_v1", "features.6.1.2", (3, 192, 32), [(6, 0)], 4),
    ("fcn", "fcn_resnet50", "backbone.layer3.1.relu3", (3, 160, 32), [(10, 2), (19, 3)], 4),
]


@pytest.mark.parametrize(("file", "name", "node", "sizes", "positions", "samples"), ZOO)
def test_fields_in_the_zoo_are_those_of_its_gradients(
    file: str,
    name: str,
    node: str,
    sizes: tuple[int, ...],
    positions: list[tuple[int, ...]],
    samples: int,
) -> None:
    agree(up_to(Network(file, name).graph(), node, sizes), positions, samples)


@pytest.mark.parametrize(
    ("name", "extent", "tops"),
    [("unet", 236, (20, 27, 36)), ("unet_same", 240, (105, 112, 119, 0))],
)
def test_the_field_of_a_unet_goes_down_to_its_bottom_and_up_again(
    name: str, extent: int, tops: tuple[int, ...]
) -> None:
    thin = archdsl.graph(SPECS / f"unet.arch:{name}", base=2)
    graph = up_to(thin, "conv1", (1, extent, 204 if name == "unet" else 16))
    agree(graph, [(top, 0) for top in tops], samples=64)


def test_the_published_fields_of_resnet_and_googlenet() -> None:
    # Of resnet18 the 435 of torch's own tools; strides and paddings as the papers have them.
    found = field(Network("resnet", "resnet18").graph(), "layer4.1.relu2", "image")
    assert [(f.size, f.stride, f.start, f.center) for f in found] == [
        (435, Fraction(32), -217, Fraction(0))
    ] * 2
    found = field(Network("alexnet", "alexnet").graph(), "features.12", "image")
    assert [(f.size, f.stride) for f in found] == [
        (195, Fraction(32))
    ] * 2  # Araujo et al., table 1


# Layer by layer -------------------------------------------------------------------

LAYERS = [
    ("conv(3, (1, 7), padding = (0, 3))", "[2, 9, 32]"),
    ("conv(3, (5, 3), stride = (2, 1), dilation = (1, 3))", "[2, 20, 24]"),
    pytest.param(
        "conv(3, 4, padding = same)",
        "[2, 40]",
        marks=pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel"),
    ),
    ("conv(3, 3, dilation = 2) -> conv(3, 3, dilation = 4) -> conv(3, 3, dilation = 8)", "[2, 60]"),
    ("max_pool(3, stride = 2, ceil_mode = true)", "[2, 30]"),
    ("max_pool(3, stride = 2, padding = 1) -> conv(2, 2)", "[2, 32]"),
    ("avg_pool(4, stride = 3, padding = 2, ceil_mode = true)", "[2, 31]"),
    ("conv(3, 3, padding = 1) -> conv_transpose(3, 4, stride = 2, padding = 1)", "[2, 20]"),
    ("conv_transpose(3, 2, stride = 3) -> conv(3, 2)", "[2, 12]"),
    ("conv_transpose(3, 2, stride = 2, dilation = 3)", "[2, 12]"),
    ("conv_transpose(3, 3, stride = 2, padding = 1, output_padding = 1)", "[2, 12]"),
    ("conv(3, 3) -> upsample(scale_factor = 2)", "[2, 20]"),
    ("conv(3, 3, stride = 2) -> upsample(scale_factor = 4, mode = linear)", "[2, 21]"),
    ("upsample(scale_factor = 3, mode = bicubic) -> conv(3, 3)", "[2, 9, 8]"),
    ("upsample(scale_factor = 1.5)", "[2, 24]"),
    ("upsample(size = 20, mode = linear, align_corners = true)", "[2, 12]"),
    ("resize(9, mode = area)", "[2, 24]"),
    ("resize(15, mode = nearest_exact)", "[2, 24]"),
    ("adaptive_avg_pool(7)", "[2, 24]"),
    ("adaptive_max_pool((5, none))", "[2, 12, 9]"),
    ("conv(8, 3) -> pixel_shuffle(2) -> conv(2, 3)", "[2, 12, 11]"),
    ("pixel_unshuffle(2) -> conv(2, 2)", "[2, 12, 8]"),
    ("pad((2, 0, 1, 3)) -> conv(2, 3)", "[2, 12, 8]"),
    ("crop(12) -> conv(2, 3)", "[2, 21]"),
    ("slice(2, 3, 20, 2) -> conv(2, 3)", "[2, 24]"),
    ("transpose(2, 3) -> conv(2, (3, 1), stride = (2, 1))", "[2, 9, 8]"),
    ("conv(4, 3) -> batch_norm -> relu -> glu(axis = 1) -> dropout", "[2, 16]"),
    ("conv(4, 3) -> layer_norm(axis = 1) -> channel_shuffle(2) -> lrn(3)", "[2, 9, 9]"),
    ("conv(4, 3) -> instance_norm", "[2, 9, 9]"),
    ("conv(4, 3) -> group_norm(2)", "[2, 9]"),
    ("conv(4, 3) -> global_avg_pool", "[2, 9, 9]"),
    ("conv(4, 3) as a; x -> conv(4, 5, padding = 1) as b; add(a, b) -> avg_pool(2)", "[2, 24]"),
    ("conv(4, 3, stride = 2) -> flatten(2)", "[2, 9, 12]"),
    (
        "conv(4, 2, stride = 2) -> flatten(2) -> transpose(1, 2) -> linear(3) -> transpose(1, 2)",
        "[2, 6, 8]",
    ),
    (
        "conv(4, 3) as a; x -> conv(4, 1) -> crop(like = a) as b; add(a, b) -> reshape(4, -1)",
        "[2, 9, 8]",
    ),
    ("conv(4, 1) as a; x -> conv(4, 9, padding = 4) as b; concat(a, b)", "[2, 24]"),
    ("conv(4, 3, padding = 1) as a; a -> global_avg_pool -> sigmoid -> mul(it, a)", "[2, 9]"),
]


@pytest.mark.parametrize(("statements", "shape"), LAYERS)
def test_a_layers_field_is_that_of_its_gradients_at_every_position(
    statements: str, shape: str
) -> None:
    graph = network(f"x -> {statements}", shape)
    extents = graph.nodes["output"]["types"][0].spatial
    steps = [range(0, extent, 2) if len(extents) > 1 else range(extent) for extent in extents]
    agree(graph, list(itertools.product(*steps)), samples=64)


def test_a_field_that_would_be_told_wrongly_is_found_out() -> None:
    graph = network("conv(2, 3)", "[2, 12]")
    graph.nodes["conv1"]["args"] = {"out_channels": 2, "kernel_size": 3, "dilation": 2}
    (found,) = field(graph, "conv1")
    with pytest.raises(AssertionError):
        assert Gradients(network("conv(2, 3)", "[2, 12]")).seen((4,)) == [found.window.at(4)]  # type: ignore[union-attr]  # a window


# At random ------------------------------------------------------------------------

KERNELS = st.sampled_from([1, 2, 3, 5])


@st.composite
def stages(draw: st.DrawFn, depth: int = 2) -> str:
    """A few layers after one another, each keeping or changing the length."""
    kinds = ["conv", "pool", "up", "deconv"] + ["branch"] * (depth > 0)
    return "\n".join(draw(stage(kind, depth)) for kind in draw(_some(kinds)))


def _some(kinds: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(kinds), min_size=1, max_size=3)


@st.composite
def stage(draw: st.DrawFn, kind: str, depth: int) -> str:
    kernel, stride = draw(KERNELS), draw(st.integers(1, 3))
    if kind == "conv":
        padding, dilation = draw(st.integers(0, 2)), draw(st.integers(1, 2))
        return f"conv(2, {kernel}, {stride}, padding = {padding}, dilation = {dilation})"
    if kind == "pool":
        ceil = draw(st.sampled_from(["true", "false"]))
        pool = draw(st.sampled_from(["avg_pool", "max_pool"]))
        return f"{pool}({kernel}, stride = {stride}, ceil_mode = {ceil})"
    if kind == "up":
        mode = draw(st.sampled_from(["nearest", "linear"]))
        return f"upsample(scale_factor = {stride}, mode = {mode})"
    if kind == "deconv":
        return f"conv_transpose(2, {kernel + stride - 1}, stride = {stride})"
    odd = kernel | 1
    return (
        f"residual {{ conv(2, {odd}, padding = {odd // 2})\n"
        f"avg_pool({stride | 1}, stride = 1, padding = {(stride | 1) // 2}) }}"
    )


@settings(max_examples=max(settings.default.max_examples // 4, 1))  # type: ignore[union-attr]  # the profile
@hypothesis.given(stages())
def test_a_random_chains_field_is_that_of_its_gradients(statements: str) -> None:
    extent = 150
    graph = network(statements, f"[2, {extent}]")
    ((found,),) = (field(graph, "output"),)
    gradients = Gradients(graph, samples=32)
    window = found.window
    assert window is not None
    margin = window.size + 2  # what padding puts between layers looks like values, near borders
    count = gradients.y.shape[-1]
    compared = 0
    for position in range(0, count, max(count // 24, 1)):
        (seen,) = gradients.seen((position,))
        span = window.at(position)
        if seen is not None:
            assert span is not None
            assert span[0] <= seen[0]
            assert seen[1] <= span[1]
        if span is None or (span[0] >= margin and span[1] < extent - margin):
            assert seen == span
            compared += 1
    assert compared or window.size > extent // 3


# What has no window ---------------------------------------------------------------


@pytest.mark.parametrize(
    "statements",
    [
        "conv(2, 3) -> flatten -> linear(4)",
        "conv(2, 3) -> flatten(2) -> transpose(1, 2) -> attention(2)",
        "conv(2, 3) -> flatten(2) -> transpose(1, 2) -> gru(4)",
        "mean((2, 3))",
        "softmax(axis = 2) -> softmax(axis = 3)",
        "concat(x, x, axis = 2) -> concat(it, it, axis = 3)",
        "conv(2, 1, stride = 2) as b; x -> resize(63) -> resize(17) -> crop(16) as c; add(b, c)",
    ],
)
def test_mixed_axes_and_paths_that_move_differently_see_everything(statements: str) -> None:
    for found in field(network(statements, "[2, 32, 32]"), "output"):
        assert found.whole
        assert found.covers
        assert (found.size, found.stride, found.start, found.center) == (None,) * 4


def test_every_step_of_a_scan_may_see_all_steps_and_what_its_body_reads_from_outside() -> None:
    graph = network(
        """
        input other: [9, 8]
        other -> linear(4) -> select(1, 0) as outside
        x -> scan h = zeros(4) {
            linear(4) as now
            add(now, h, outside) -> tanh as h
        }
        """,
        "[7, 3]",
    )
    fields = receptive_fields(graph)["output"][0]
    assert {origin: [f.whole for f in axes] for origin, axes in fields.items()} == {
        "x": [True],
        "other": [True],
    }


def test_an_unknown_module_of_torch_sees_everything_and_an_elementwise_one_a_point() -> None:
    graph = network("a: nn.Hardswish() -> b: nn.Conv2d(2, 2, 3)", "[2, 9, 9]")
    assert [f.size for f in field(graph, "a")] == [1, 1]
    assert [f.whole for f in field(graph, "b")] == [True, True]


def test_a_tensor_that_only_lends_its_size_is_not_seen() -> None:
    graph = network("input other: [2, 32]; x -> resize(like = other, mode = area) as small")
    assert set(receptive_fields(graph)["output"][0]) == {"x"}
    assert field(graph, "output")[0].size == 2


# Which axes, and what covers ------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "statements", "axes"),
    [
        ("[3, 16, 16]", "conv(2, 3)", [2, 3]),
        ("[3, 8, 8, 8]", "conv(2, 3)", [2, 3, 4]),
        ("[3, 16]", "relu -> conv(2, 3)", [2]),
        ("[16, 3]", "relu -> linear(2)", [1]),
        ("[16, 4]", "attention(2)", [1]),
        ("int[16]", "embedding(9, 4)", [1]),
        ("[16]", "linear(4)", []),
    ],
)
def test_fields_are_along_the_axes_of_positions(
    shape: str, statements: str, axes: list[int]
) -> None:
    assert [f.axis for f in field(network(statements, shape), "output")] == axes


def test_it_says_whether_a_position_sees_the_whole_axis() -> None:
    graph = network("conv(2, 3, padding = 1) -> conv(2, (3, 9), padding = (1, 4))", "[2, 6, H]")
    assert [f.covers for f in field(graph, "conv2")] == [False, None]
    at = receptive_fields(graph, {"H": 9})["conv2"][0]["x"]
    assert [(f.size, f.covers) for f in at] == [(5, False), (11, True)]


def test_a_field_covers_where_some_position_sees_both_ends() -> None:
    covering = 0
    for kernel, stride, padding, extent in itertools.product(
        (1, 2, 3, 5), (1, 2), (0, 1, 3), (3, 4, 5)
    ):
        if extent + 2 * padding < kernel:
            continue
        graph = network(
            f"conv(2, {kernel}, stride = {stride}, padding = {padding})", f"[2, {extent}]"
        )
        (found,) = field(graph, "conv1")
        gradients = Gradients(graph, samples=2)
        whole = [(0, extent - 1)]
        seen = any(gradients.seen((p,)) == whole for p in range(gradients.y.shape[-1]))
        assert found.covers == seen
        covering += seen
    assert covering > 10
    holes = network("conv_transpose(3, 1, stride = 3)", "[2, 1]")
    assert field(holes, "output")[0].covers
    hole = network("conv_transpose(3, 1, stride = 3, padding = 1, output_padding = 2)", "[2, 1]")
    assert Gradients(hole).seen((0,)) == [None]
    assert field(hole, "output")[0].covers is False


def test_whether_a_free_size_is_covered_is_not_told() -> None:
    for statements, shape in [
        ("conv(2, 1, stride = 2) -> slice(2, 0, 12)", "[2, H]"),
        ("flatten(2)", "[2, H, 6]"),
        ("flatten(2)", "[2, 6, W]"),
        ("conv(2, 3)", "[2, H]"),
    ]:
        found = field(network(statements, shape), "output")
        assert [f.axis for f in found] == list(range(2, 2 + len(found)))
        assert {f.covers for f in found} == {None}


def test_position_0_is_what_a_field_is_told_by() -> None:
    """Where it sees nothing, it would see what the next one does, so much before it."""
    for spans, step, start, center in [
        (((-2, 4),), 3, -2, Fraction(1)),
        (((0, 3),), 1, 0, Fraction(3, 2)),
        ((None, (0, 1)), 1, 0, Fraction(1, 2)),
        ((None, (3, 5)), 4, 1, Fraction(2)),
        ((None, None, (5, 6)), 3, 3, Fraction(7, 2)),
        ((None, None, (5, 6)), 2, 4, Fraction(9, 2)),
    ]:
        found = AxisField(1, Window(0, spans, step), None)
        assert (found.start, found.center) == (start, center)
    nothing = AxisField(1, Window(0, (None,)), None)
    assert (nothing.start, nothing.center) == (None, None)


def test_the_first_layer_that_treats_two_axes_differently_tells_which_holds_positions() -> None:
    for statements, axes in [
        ("softmax(axis = 1)", [2]),
        ("softmax(axis = 2)", [1]),
        ("relu -> softmax(axis = 1) -> linear(4)", [2]),
        ("relu", [1]),
        ("conv(4, 3) -> softmax(axis = 2)", [2]),
    ]:
        assert [f.axis for f in field(network(statements, "[3, 16]"), "output")] == axes


def test_a_window_and_the_whole_axis_are_the_whole_axis() -> None:
    for statements in (
        "conv(2, 3, padding = 1) as a; a -> global_avg_pool -> sigmoid as g; mul(a, g)",
        "conv(2, 3, padding = 1) as a; a -> global_avg_pool -> sigmoid as g; mul(g, a)",
    ):
        (found,) = field(network(statements, "[2, 9]"), "output")
        assert found.whole


def test_what_a_body_reads_from_outside_comes_back_in_the_state() -> None:
    """In whatever order the nodes were added."""
    graph = network(
        """
        input other: [9, 8]
        other -> linear(4) -> outside: select(1, 0) as outside
        x -> scan h = zeros(4) {
            flatten -> linear(4) as now
            h -> back: linear(4) as b
            add(now, b, outside) -> tanh as h
        }
        """,
        "[7, 3]",
    )
    outside = {*nx.ancestors(graph, "outside"), "outside"}
    late = [*(n for n in graph if n not in outside), *(n for n in graph if n in outside)]
    for order in (list(graph), list(reversed(list(graph))), late):
        each: Graph = nx.MultiDiGraph(**graph.graph)
        each.add_nodes_from((node, graph.nodes[node]) for node in order)
        for one, other, key, data in graph.edges(keys=True, data=True):
            each.add_edge(one, other, key, **data)
        fields = receptive_fields(each)["back"][0]
        assert {origin: [f.whole for f in axes] for origin, axes in fields.items()} == {
            "x": [True],
            "other": [True],
        }


def test_two_inputs_have_fields_of_their_own() -> None:
    graph = network("input y: [2, 64]; x -> conv(2, 3, padding = 1) as a; add(a, y)")
    fields = receptive_fields(graph)["output"][0]
    assert {origin: [f.size for f in axes] for origin, axes in fields.items()} == {
        "x": [3],
        "y": [1],
    }


# Windows --------------------------------------------------------------------------


def test_a_window_that_enlarges_moves_by_a_fraction() -> None:
    twice = transposed(0, kernel=4, stride=2, before=1, dilation=1)
    assert twice.stride == Fraction(1, 2)
    assert [twice.at(p) for p in range(-1, 4)] == [(-1, 0), (-1, 0), (0, 1), (0, 1), (1, 2)]


def test_patterns_are_kept_in_their_shortest_form() -> None:
    down, up = Window(0, ((0, 1),), 2), Window(0, ((0, 0), (0, 0)), 1)
    assert down.after(up) == Window(0)
    assert Window(0).joined(Window(0, ((0, 0), (1, 1)), 2)) == Window(0)


def test_patterns_that_hardly_repeat_count_as_seeing_everything() -> None:
    odd = parts(0, 4093, 4091)
    assert odd is not None
    assert odd.after(Window(0, tuple((i, i) for i in range(2)), 3)) is None
    assert parts(0, 3, LONGEST_PERIOD + 1) is None
    assert interpolated(0, Fraction(1, LONGEST_PERIOD + 1), "nearest") is None
