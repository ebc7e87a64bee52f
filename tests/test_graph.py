"""Graphs edited with plain networkx: checked again, compiled again, or refused with a reason."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import networkx as nx
import pytest
import torch

import archdsl
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.dims import symbol
from archdsl.graph import Graph, Source, connect
from archdsl.ops.arguments import WeightRef
from archdsl.passes.shapes import conditions_of, infer_shapes, input_types, output_types

SPECS = Path(__file__).resolve().parent.parent / "specs"

RESNET = """
block basic(width, stride = 1) {
    residual {
        conv(width, 3, stride, padding = 1, bias = false) -> bn -> relu
        conv(width, 3, padding = 1, bias = false) -> bn
    } shortcut {
        if stride != 1 or it.channels != width {
            downsample: { conv(width, 1, stride, bias = false) -> bn }
        }
    }
    relu
}

network small {
    input image: [3, H, W]
    conv(8, 3, padding = 1) -> bn -> relu
    layer1: for i in range(2) { basic(8) }
    layer2: for i in range(2) { basic(16, stride = 2 if i == 0 else 1) }
    global_avg_pool -> flatten
    fc: linear(10)
}
"""


@pytest.fixture
def graph() -> Graph:
    return archdsl.loads(RESNET, "small.arch").graph()


def run(graph: Graph, *sizes: int) -> torch.Tensor:
    model = archdsl.compile(graph).eval()
    with torch.no_grad():
        result: torch.Tensor = model(torch.randn(2, *(sizes or (3, 16, 16))))
    return result


def insert(graph: Graph, before: str, after: str, node: str, op: str, **arguments: object) -> None:
    """Put a node on the edge between two, as a user of networkx would."""
    (key,) = graph[before][after]
    graph.remove_edge(before, after, key)
    graph.add_node(node, op=op, args=arguments)
    graph.add_edge(before, node)
    graph.add_edge(node, after)


# What is unedited stays as it is ----------------------------------------------------


def networks() -> list[str]:
    found = []
    for path in sorted(SPECS.glob("*.arch")):
        specification = archdsl.load(path)
        found += [f"{path.name}:{n}" for n in specification.networks if not specification.needs(n)]
    return found


@pytest.mark.parametrize("name", networks())
def test_checking_an_unedited_graph_changes_nothing(name: str) -> None:
    graph = archdsl.graph(f"{SPECS}/{name}")
    again = infer_shapes(graph)
    assert list(again.nodes(data=True)) == list(graph.nodes(data=True))
    assert list(again.edges(keys=True, data=True)) == list(graph.edges(keys=True, data=True))
    assert again.graph == {k: v for k, v in graph.graph.items() if k != "vary"}


def test_a_check_leaves_the_graph_itself_alone(graph: Graph) -> None:
    graph.nodes["conv1"]["args"] = {"out_channels": 8, "kernel_size": 5, "padding": 2}
    before = {n: dict(data) for n, data in graph.nodes(data=True)}
    assert archdsl.check(graph).ok
    assert {n: dict(data) for n, data in graph.nodes(data=True)} == before


# Edits ------------------------------------------------------------------------------


def test_one_activation_in_place_of_another(graph: Graph) -> None:
    for node in graph:
        if graph.nodes[node]["op"] == "relu":
            graph.nodes[node]["op"] = "gelu"
            graph.nodes[node]["args"] = {}
    source = archdsl.source(graph)
    assert "ReLU" not in source
    assert source.count("nn.GELU()") == 3
    assert run(graph).shape == (2, 10)


def test_an_alias_is_the_layer(graph: Graph) -> None:
    graph.nodes["relu1"].update(op="swish", args={})
    assert archdsl.graph(graph).nodes["relu1"]["op"] == "silu"


def test_a_width_flows_on(graph: Graph) -> None:
    for node, data in graph.nodes(data=True):
        if data["op"] == "conv" and (node == "conv1" or node.startswith("layer1.")):
            data["args"] = {**data["args"], "out_channels": 12}
    checked = archdsl.graph(graph)
    assert checked.nodes["layer1.1.relu2"]["shape"][0] == 12
    model = archdsl.compile(graph)
    assert model.layer2[0].conv1.weight.shape == (16, 12, 3, 3)  # type: ignore[index,union-attr]  # a Sequential
    assert run(graph).shape == (2, 10)


def test_a_width_that_does_not_fit_is_refused_at_its_node(graph: Graph) -> None:
    graph.nodes["conv1"]["args"] = {**graph.nodes["conv1"]["args"], "out_channels": 12}
    (found,) = archdsl.check(graph).diagnostics
    assert found.code == "shape-mismatch"
    assert "at node layer1.0.add1" in found.notes
    assert "basic(8)" in found.calls[0]
    assert found.span is not None
    assert found.span.source.name == "small.arch"


def test_a_node_between_two_others(graph: Graph) -> None:
    insert(graph, "relu1", "layer1.0.conv1", "extra", "dropout", p=0.3)
    checked = archdsl.graph(graph)
    assert checked.nodes["extra"]["path"] == "extra"
    assert checked.nodes["extra"]["scope"] == ""
    # the shortcut of the block still takes what comes before it
    assert set(checked.predecessors("layer1.0.add1")) == {"relu1", "layer1.0.bn2"}


def test_a_node_inside_a_block_stands_in_that_block(graph: Graph) -> None:
    insert(graph, "layer1.0.relu1", "layer1.0.conv2", "drop", "dropout", p=0.3)
    checked = archdsl.graph(graph)
    assert checked.nodes["drop"]["path"] == "layer1.0.drop"
    assert checked.nodes["drop"]["scope"] == "layer1.0"
    model = archdsl.compile(graph)
    assert dict(model.named_modules())["layer1.0.drop"].p == 0.3
    assert run(graph).shape == (2, 10)


def test_a_path_given_decides_where_a_node_stands(graph: Graph) -> None:
    insert(graph, "flatten1", "fc", "norm", "layer_norm")
    graph.nodes["norm"]["path"] = "head.norm"
    model = archdsl.compile(graph)
    assert {"head.norm.weight", "head.norm.bias"} <= set(model.state_dict())


def test_a_node_taken_out(graph: Graph) -> None:
    graph.remove_node("layer1.0.relu1")
    graph.add_edge("layer1.0.bn1", "layer1.0.conv2")
    assert run(graph).shape == (2, 10)


def test_a_block_taken_out(graph: Graph) -> None:
    inside = [n for n, data in graph.nodes(data=True) if data["scope"] == "layer1.1"]
    followers = [
        (v, d) for u in inside for _, v, d in graph.out_edges(u, data=True) if v not in inside
    ]
    graph.remove_nodes_from(inside)
    for follower, data in followers:
        graph.add_edge("layer1.0.relu2", follower, **data)
    model = archdsl.compile(graph)
    assert [name for name in model.state_dict() if name.startswith("layer1.1")] == []
    assert run(graph).shape == (2, 10)


def test_a_second_output(graph: Graph) -> None:
    graph.add_node("features", op="output")
    graph.add_edge("flatten1", "features")
    model = archdsl.compile(graph)
    result = model(torch.randn(2, 3, 16, 16))
    assert result._fields == ("output", "features")
    assert result.features.shape == (2, 16)


def test_a_backbone_cut_out(graph: Graph) -> None:
    last = "layer1.1.relu2"
    backbone = graph.subgraph({*nx.ancestors(graph, last), last}).copy()
    backbone.add_node("features", op="output")
    backbone.add_edge(last, "features")
    assert run(backbone).shape == (2, 8, 16, 16)
    assert run(graph).shape == (2, 10)


def test_modules_renamed(graph: Graph) -> None:
    graph.nodes["conv1"]["path"] = "stem"
    graph.nodes["fc"]["path"] = "classifier.head"
    names = set(archdsl.compile(graph).state_dict())
    assert {"stem.weight", "classifier.head.weight"} <= names
    assert not {"conv1.weight", "fc.weight"} & names
    assert run(graph).shape == (2, 10)


def test_nodes_relabelled_keep_their_paths(graph: Graph) -> None:
    renamed = nx.relabel_nodes(graph, {"fc": "last", "image": "picture"})
    model = archdsl.compile(renamed)
    assert "fc.weight" in model.state_dict()
    assert model(picture=torch.randn(2, 3, 16, 16)).shape == (2, 10)


def test_weights_shared_by_two_nodes_with_one_path() -> None:
    graph: Graph = nx.MultiDiGraph(name="twice")
    graph.add_node("x", op="input", args={"sizes": [8]})
    for node in ("first", "second"):
        graph.add_node(node, op="linear", args={"out_features": 8}, path="fc")
    graph.add_node("y", op="output")
    nx.add_path(graph, ["x", "first", "second", "y"])
    model = archdsl.compile(graph)
    assert set(model.state_dict()) == {"fc.weight", "fc.bias"}
    x = torch.randn(2, 8)
    torch.testing.assert_close(model(x), model.fc(model.fc(x)))  # type: ignore[operator]  # a module


def test_a_tensor_used_twice_by_one_node() -> None:
    graph: Graph = nx.MultiDiGraph(name="double")
    graph.add_node("x", op="input", args={"sizes": [3]})
    graph.add_node("sum", op="add")
    graph.add_node("y", op="output")
    graph.add_edges_from([("x", "sum"), ("x", "sum"), ("sum", "y")])
    x = torch.randn(2, 3)
    torch.testing.assert_close(archdsl.compile(graph)(x), 2 * x)


def test_the_order_of_inputs_is_what_the_edges_say() -> None:
    graph: Graph = nx.MultiDiGraph(name="difference")
    graph.add_node("a", op="input", args={"sizes": [3]})
    graph.add_node("b", op="input", args={"sizes": [3]})
    graph.add_node("d", op="sub")
    graph.add_node("y", op="output")
    graph.add_edge("a", "d", input=1)
    graph.add_edge("b", "d", input=0)
    graph.add_edge("d", "y")
    a, b = torch.randn(2, 3), torch.randn(2, 3)
    torch.testing.assert_close(archdsl.compile(graph)(a, b), b - a)


def test_a_merge_closes_ranks_when_one_input_goes() -> None:
    spec = archdsl.loads(
        "network n {\n input x: [4, 8, 8]\n"
        " branch concat {\n conv(2, 1)\n conv(3, 1)\n conv(5, 1)\n }\n}"
    )
    graph = spec.graph()
    graph.remove_node("conv2")
    assert archdsl.check(graph).outputs["output"].dims == (7, 8, 8)
    assert run(graph, 4, 8, 8).shape == (2, 7, 8, 8)


def test_a_node_put_into_a_scan_runs_every_step() -> None:
    spec = archdsl.loads(
        "network n {\n input x: [T, 4]\n"
        " scan h = zeros(6) {\n concat(it, h) -> cell: linear(6) -> tanh as h\n }\n}"
    )
    graph = spec.graph()
    insert(graph, "cell", "tanh1", "norm", "layer_norm")
    checked = archdsl.graph(graph)
    assert checked.nodes["norm"]["loop"] == checked.nodes["cell"]["loop"]
    assert run(graph, 5, 4).shape == (2, 5, 6)


def test_what_a_scan_computes_leaves_through_its_end() -> None:
    spec = archdsl.loads(
        "network n {\n input x: [T, 4]\n"
        " scan h = zeros(6) {\n concat(it, h) -> cell: linear(6) -> tanh as h\n }\n}"
    )
    graph = spec.graph()
    graph.add_node("inner", op="output")
    graph.add_edge("cell", "inner")
    (found,) = archdsl.check(graph).diagnostics
    assert found.message == "inner takes what cell computes inside a scan, and stands outside"


def test_a_tied_weight_follows_its_owner() -> None:
    spec = archdsl.loads(
        "network n {\n input t: int[T]\n embed: embedding(100, 8)\n"
        " head: linear(100, bias = false, tie = embed.weight)\n}"
    )
    graph = spec.graph()
    graph.nodes["embed"]["args"] = {"num_embeddings": 50, "embedding_dim": 8}
    graph.nodes["head"]["args"] = {**graph.nodes["head"]["args"], "out_features": 50}
    model = archdsl.compile(graph)
    assert model.head.weight is model.embed.weight  # type: ignore[union-attr]  # modules
    graph.nodes["embed"].update(path="tokens", args={"num_embeddings": 100, "embedding_dim": 8})
    (found,) = archdsl.check(graph).diagnostics
    assert found.message == "the weight embed.weight that head uses is not there"
    assert found.help == "did you mean tokens.weight?"


def test_a_weight_of_what_is_dropped_is_no_weight() -> None:
    graph = archdsl.graph(
        archdsl.loads(
            "network n {\n input x: [8]\n a: linear(8) as y\n"
            " x -> b: linear(8, tie = a.weight)\n add(y, it)\n}"
        )
    )
    graph.remove_node("add1")
    connect(graph, "output", [Source("b")])
    (found,) = [d for d in archdsl.check(graph).diagnostics if d.severity == "error"]
    assert found.code == "dead-tie"
    assert found.notes == ("at node b",)


def test_free_sizes_are_solved_again(graph: Graph) -> None:
    insert(graph, "relu1", "layer1.0.conv1", "pool", "max_pool", kernel_size=2)
    (found,) = archdsl.check(graph).diagnostics  # the shortcut was not pooled
    assert found.code in ("shape-mismatch", "no-size-fits")
    unet = archdsl.graph(f"{SPECS}/unet.arch:unet_same")
    assert [c.reason for c in archdsl.graph(unet).graph["conditions"]] == [
        c.reason for c in unet.graph["conditions"]
    ]


def test_leftovers_are_warned_of(graph: Graph) -> None:
    graph.add_node("idle", op="input", args={"sizes": [3]})
    graph.add_node("dead", op="gelu")
    graph.add_edge("fc", "dead")
    report = archdsl.check(graph)
    assert report.ok
    assert [(d.code, d.severity, d.notes) for d in report.diagnostics] == [
        ("unused-input", "warning", ("at node idle",)),
        ("dead-path", "warning", ("at node dead",)),
    ]


# Wrong edits ------------------------------------------------------------------------


def cycle(graph: Graph) -> None:
    graph.add_edge("layer2.0.relu2", "layer1.0.conv1")


def self_loop(graph: Graph) -> None:
    graph.add_edge("relu1", "relu1")


def no_op(graph: Graph) -> None:
    graph.add_edge("relu1", "surprise")


def unknown_op(graph: Graph) -> None:
    graph.nodes["relu1"]["op"] = "rellu"


def bad_argument(graph: Graph) -> None:
    graph.nodes["conv1"]["args"] = {"out_channels": -8, "kernel_size": 3}


def unknown_argument(graph: Graph) -> None:
    graph.nodes["relu1"]["args"] = {"slope": 3}


def arguments_in_a_list(graph: Graph) -> None:
    graph.nodes["conv1"]["args"] = [8, 3]


def no_input(graph: Graph) -> None:
    graph.remove_edge("bn1", "relu1")


def two_inputs(graph: Graph) -> None:
    graph.add_edge("image", "relu1")


def a_merge_of_nothing(graph: Graph) -> None:
    graph.add_node("sum", op="add")


def an_input_that_takes(graph: Graph) -> None:
    graph.add_edge("image", "image2")
    graph.nodes["image2"].update(op="input", args={"sizes": [3]})


def two_edges_at_one_place(graph: Graph) -> None:
    graph.add_edge("image", "layer1.0.add1", input=0)


def an_output_that_is_not_there(graph: Graph) -> None:
    (key,) = graph["bn1"]["relu1"]
    graph["bn1"]["relu1"][key]["output"] = 1


def a_place_that_is_no_number(graph: Graph) -> None:
    (key,) = graph["bn1"]["relu1"]
    graph["bn1"]["relu1"][key]["input"] = "first"


def a_path_of_two_layers(graph: Graph) -> None:
    graph.nodes["fc"]["path"] = "conv1"


def a_path_of_two_functions(graph: Graph) -> None:
    graph.nodes["relu1"]["path"] = "act"
    graph.nodes["layer1.0.relu1"].update(path="act", op="gelu")


def a_scope_that_is_not_there(graph: Graph) -> None:
    graph.nodes["layer2.0.conv1"]["scope"] = "layer2.0.downsampel"


def a_path_that_is_none(graph: Graph) -> None:
    graph.nodes["fc"]["path"] = 'fc = __import__("os")'


def a_reserved_path(graph: Graph) -> None:
    graph.nodes["fc"]["path"] = "forward"


def no_output_node(graph: Graph) -> None:
    graph.remove_node("output")


def no_input_node(graph: Graph) -> None:
    graph.remove_node("image")


def an_output_twice(graph: Graph) -> None:
    graph.add_node("again", op="output", names=("output",))
    graph.add_edge("flatten1", "again")


def an_output_with_no_name(graph: Graph) -> None:
    graph.add_node("my output", op="output")
    graph.add_edge("flatten1", "my output")


def a_loop_that_is_none(graph: Graph) -> None:
    graph.nodes["relu1"]["loop"] = "bn1"


def a_module_that_is_left_and_entered_again(graph: Graph) -> None:
    graph.nodes["layer1.0.relu1"]["path"] = "elsewhere"


def a_tensor_with_no_name(graph: Graph) -> None:
    graph.nodes["fc"]["names"] = ("x = 3",)


@pytest.mark.parametrize(
    ("edit", "code", "node", "message"),
    [
        (cycle, "bad-graph", "layer1.0.conv1", "the graph has a cycle: "),
        (self_loop, "bad-graph", "relu1", "the graph has a cycle: relu1 -> relu1"),
        (no_op, "bad-graph", "surprise", "the node surprise has no op"),
        (unknown_op, "unknown-layer", "relu1", "there is no layer rellu"),
        (bad_argument, "bad-argument", "conv1", "out_channels of conv must be positive, not -8"),
        (unknown_argument, "unknown-argument", "relu1", "relu has no argument slope"),
        (arguments_in_a_list, "bad-graph", "conv1", "the args of a node are a dict by name"),
        (no_input, "wrong-inputs", "relu1", "relu takes one input, and no edge comes in"),
        (two_inputs, "wrong-inputs", "relu1", "relu takes one input, and 2 edges come in"),
        (a_merge_of_nothing, "wrong-inputs", "sum", "add merges what comes in, and no edge comes"),
        (an_input_that_takes, "wrong-inputs", "image2", "input takes no input, and one edge comes"),
        (two_edges_at_one_place, "bad-graph", "layer1.0.add1", "two edges claim input 0"),
        (an_output_that_is_not_there, "bad-graph", "relu1", "bn1 has 1 output, and no output 1"),
        (a_place_that_is_no_number, "bad-graph", "relu1", "the input of the edge from bn1 is 'f"),
        (a_path_of_two_layers, "shared-mismatch", "fc", "the nodes that share the module conv1"),
        (a_path_of_two_functions, "shared-mismatch", "layer1.0.relu1", "the nodes that share"),
        (a_scope_that_is_not_there, "bad-graph", "layer2.0.conv1", "the node stands in a scope"),
        (a_path_that_is_none, "bad-graph", "fc", "'fc = __import__(\"os\")' is no module path"),
        (a_reserved_path, "reserved-name", "fc", "a module cannot be called forward"),
        (no_output_node, "no-output", "", "the graph has no output node"),
        (no_input_node, "no-input", "", "the graph has no input node"),
        (an_output_twice, "duplicate-name", "again", "the output output is there twice"),
        (an_output_with_no_name, "bad-graph", "my output", "an output cannot be called"),
        (
            a_module_that_is_left_and_entered_again,
            "bad-graph",
            "layer1.0.relu1",
            "the module layer1 c",
        ),
        (a_tensor_with_no_name, "bad-graph", "fc", "a tensor cannot be called 'x = 3'"),
        (a_loop_that_is_none, "bad-graph", "relu1", "the node stands in the loop of bn1"),
    ],
)
def test_a_wrong_edit_is_told(
    graph: Graph, edit: Callable[[Graph], None], code: str, node: str, message: str
) -> None:
    edit(graph)
    report = archdsl.check(graph)
    assert not report.ok
    told = [d for d in report.diagnostics if d.code == code and d.message.startswith(message)]
    assert told, [str(d) for d in report.diagnostics]
    assert not node or f"at node {node}" in told[0].notes
    with pytest.raises(ArchError) as caught:
        archdsl.compile(graph)
    assert caught.value.diagnostics == report.diagnostics


@pytest.mark.parametrize(
    ("edit", "help"),
    [
        (unknown_op, "did you mean relu?"),
        (a_scope_that_is_not_there, "did you mean layer2.0.downsample?"),
    ],
)
def test_what_was_meant(graph: Graph, edit: Callable[[Graph], None], help: str) -> None:
    edit(graph)
    assert archdsl.check(graph).diagnostics[0].help == help


def test_several_mistakes_are_told_at_once(graph: Graph) -> None:
    unknown_op(graph)
    bad_argument(graph)
    a_reserved_path(graph)
    codes = {d.code for d in archdsl.check(graph).diagnostics}
    assert codes == {"unknown-layer", "bad-argument", "reserved-name"}


def test_a_place_in_the_middle_is_missed() -> None:
    spec = archdsl.loads(
        "network n {\n input x: [4]\n input h: [6]\n input c: [6]\n"
        " x -> lstm_cell(6, hidden = h, cell = c)\n}"
    )
    graph = spec.graph()
    graph.remove_edge("h", "lstm_cell1")
    (found, *_) = archdsl.check(graph).diagnostics
    assert found.message == "lstm_cell lacks its input 1 (hidden), and has a later one"


@pytest.mark.parametrize("kind", [nx.DiGraph, nx.Graph, nx.MultiGraph])
def test_another_kind_of_graph_is_refused(kind: type) -> None:
    with pytest.raises(ArchError, match=r"networkx\.MultiDiGraph"):
        archdsl.check(kind())


def test_nodes_that_are_no_names_are_refused() -> None:
    graph: Graph = nx.MultiDiGraph()
    graph.add_node(3, op="relu")  # type: ignore[arg-type]  # what is refused
    (found,) = archdsl.check(graph).diagnostics
    assert isinstance(found, Diagnostic)
    assert found.message == "a node is called by a text, and 3 is none"


def test_a_graph_without_a_name_is_a_network() -> None:
    graph: Graph = nx.MultiDiGraph()
    graph.add_node("x", op="input", args={"sizes": [3]})
    graph.add_node("y", op="output")
    graph.add_edge("x", "y")
    assert type(archdsl.compile(graph)).__name__ == "Network"
    graph.graph["name"] = "2nd try!"
    assert type(archdsl.compile(graph)).__name__.isidentifier()


# References and ends ----------------------------------------------------------------

TIED = """network n {
    input x: int[T]
    embed: embedding(9, 4)
    other: linear(4)
    head: linear(9, bias = true, tie = embed.weight)
}"""
SCAN = """network n {
    input x: [6, 3]
    loop: scan h = zeros(4) { flatten -> linear(4) -> add(it, h) as h }
}"""


def refused(text: str, edit: Callable[[Graph], None]) -> Diagnostic:
    """The one thing that is wrong with a network after an edit."""
    graph = archdsl.loads(text).graph()
    edit(graph)
    with pytest.raises(ArchError) as caught:
        infer_shapes(graph)
    (told,) = caught.value.diagnostics
    return told


def tie_to(path: str, name: str, *shape: int) -> Callable[[Graph], None]:
    def edit(graph: Graph) -> None:
        args = graph.nodes["head"]["args"]
        graph.nodes["head"]["args"] = {**args, "tie": WeightRef(path, name, shape)}

    return edit


def tied_before_its_owner(graph: Graph) -> None:
    """The owner comes later, with a weight of another shape."""
    graph.nodes["head"]["args"] = {"out_features": 9, "tie": WeightRef("late", "weight", (9, 4))}
    graph.add_node("late", op="linear", args={"out_features": 5})
    graph.add_node("late_result", op="output")
    graph.add_edge("head", "late")
    graph.add_edge("late", "late_result")


@pytest.mark.parametrize(
    ("edit", "code", "message", "help"),
    [
        (
            tie_to("embedd", "weight", 9, 4),
            "unknown-name",
            "the weight embedd.weight that head uses is not there",
            "did you mean embed.weight?",
        ),
        (
            tie_to("zzz", "weight", 9, 4),
            "unknown-name",
            "the weight zzz.weight that head uses is not there",
            "did you mean embed.weight?",  # the only one of this shape
        ),
        (
            tie_to("zzz", "weight", 7, 4),
            "unknown-name",
            "the weight zzz.weight that head uses is not there",
            "leave tie out of its args",
        ),
        (
            tie_to("embed", "bias", 9, 4),
            "unknown-name",
            "the weight embed.bias that head uses is not there",
            "leave tie out of its args",
        ),
        (
            tied_before_its_owner,
            "tied-shape",
            "the tied weight late.weight is [5, 9], not [9, 4]",
            "",
        ),
    ],
)
def test_a_tie_to_what_is_not_there(
    edit: Callable[[Graph], None], code: str, message: str, help: str
) -> None:
    told = refused(TIED, edit)
    assert (told.code, told.message, told.help) == (code, message, help)
    assert "at node head" in told.notes


def test_of_several_weights_of_one_shape_none_is_meant() -> None:
    def edit(graph: Graph) -> None:
        tie_to("zzz", "weight", 4, 4)(graph)
        graph.nodes["other"]["path"] = "abc"
        graph.add_node("more", op="linear", args={"out_features": 4})
        (key,) = graph["other"]["head"]
        graph.remove_edge("other", "head", key)
        graph.add_edge("other", "more")
        graph.add_edge("more", "head")

    assert refused(TIED, edit).help == "leave tie out of its args"


@pytest.mark.parametrize("begin", ["gone", "linear1"])
def test_a_scan_ends_what_has_begun(begin: str) -> None:
    def edit(graph: Graph) -> None:
        (end,) = [n for n, data in graph.nodes(data=True) if data["op"] == "scan end"]
        graph.nodes[end]["args"] = {**graph.nodes[end]["args"], "begin": begin}

    graph = archdsl.loads(SCAN).graph()
    assert infer_shapes(graph).nodes["output"]["shape"] == (6, 4)
    edit(graph)
    with pytest.raises(ArchError) as caught:
        infer_shapes(graph)
    messages = [told.message for told in caught.value.diagnostics]
    assert f"the scan {begin} that ends here is not there" in messages


@pytest.mark.parametrize("name", ["my input", "_x", "größe", "1st"])
def test_inputs_and_outputs_are_called_by_names_of_python(name: str) -> None:
    def renamed(graph: Graph) -> Graph:
        graph.add_node(name, op="input", args={"sizes": (4,)})
        graph.add_node("sum", op="add")
        for source in ("x", name):
            graph.add_edge(source, "sum")
        graph.add_node("more", op="output")
        graph.add_edge("sum", "more")
        return graph

    plain = archdsl.loads("network n { input x: [4]\n relu }")
    with pytest.raises(ArchError) as caught:
        infer_shapes(renamed(plain.graph()))
    messages = [told.message for told in caught.value.diagnostics]
    assert f"an input cannot be called {name!r}" in messages

    named = plain.graph()
    named.nodes["output"]["names"] = (name,)
    with pytest.raises(ArchError) as caught:
        infer_shapes(named)
    messages = [told.message for told in caught.value.diagnostics]
    assert f"an output cannot be called {name!r}" in messages


@pytest.mark.parametrize("name", [3, "größe", "two words"])
def test_tensors_are_called_by_names_of_python(name: object) -> None:
    def edit(graph: Graph) -> None:
        graph.nodes["relu1"]["names"] = (name,)

    told = refused("network n { input x: [4]\n relu }", edit)
    assert told.message == f"a tensor cannot be called {name!r}"


def test_an_output_depends_on_an_input() -> None:
    def edit(graph: Graph) -> None:
        graph.add_node("alone", op="parameter", args={"shape": (1, 4)})
        graph.add_node("result", op="output")
        graph.add_edge("alone", "result")

    told = refused("network n { input x: [4]\n relu }", edit)
    assert (told.code, told.message) == (
        "no-batch-axis",
        "the output result does not depend on any input",
    )


def test_modules_with_one_path_have_weights_alike() -> None:
    def edit(graph: Graph) -> None:
        graph.nodes["linear2"]["path"] = "linear1"

    told = refused("network n { input x: [4]\n linear(6) -> linear(6) }", edit)
    assert told.message == (
        "the nodes that share the module linear1 differ: its weight is [6, 4] for linear1, and"
        " [6, 6] is needed here"
    )
    told = refused("network n { input x: [4]\n linear(6) -> relu -> linear(7) }", edit)
    assert told.message == (
        "the nodes that share the module linear1 differ: linear1 is linear(out_features = 6),"
        " linear2 is linear(out_features = 7)"
    )


def test_the_weight_that_differs_is_the_one_that_is_told() -> None:
    def edit(graph: Graph) -> None:
        graph.nodes["two"]["path"] = "one"

    text = """network n {
        input x: [5, 8]
        input a: [3, 4]
        input b: [3, 6]
        x -> one: cross_attention(2, memory = a) -> two: cross_attention(2, memory = b)
    }"""
    assert refused(text, edit).message == (
        "the nodes that share the module one differ: its k_proj_weight is [8, 4] for one, and"
        " [8, 6] is needed here"
    )


def test_conditions_of_nodes_without_a_place_name_their_node() -> None:
    graph = archdsl.loads("network n { input x: [4, H]\n conv(2, 3) }").graph()
    assert [c.reason for c in infer_shapes(graph).graph["conditions"] if "at " in c.reason] == []
    graph.add_node("mine", op="conv", args={"out_channels": 2, "kernel_size": 7})
    graph.add_edge("conv1", "mine")
    graph.add_node("result", op="output")
    graph.add_edge("mine", "result")
    checked = infer_shapes(graph)
    reasons = [c.reason for c in checked.graph["conditions"]]
    assert [reason.endswith(" (at mine)") for reason in reasons] == [False, True]
    assert conditions_of(checked).sentences() == ["H must be at least 9"]
    assert {n: t.dims for n, t in output_types(checked).items()} == {
        "output": (2, symbol("H") - 2),
        "result": (2, symbol("H") - 8),
    }
    assert {n: t.dims for n, t in input_types(checked).items()} == {"x": (4, symbol("H"))}


def test_outputs_are_called_by_their_tensors() -> None:
    graph = archdsl.loads(
        "network n { input x: [4]\n relu as a; a -> linear(2) as b\noutput a, b }"
    )
    found = graph.graph()
    assert list(output_types(found)) == ["a", "b"]
    found.nodes["a"]["names"] = ("first",)
    found.nodes["b"].pop("names", None)
    assert list(output_types(infer_shapes(found))) == ["first", "b"]


def test_sizes_that_cannot_be_are_told_with_the_condition() -> None:
    graph = archdsl.loads("network n { input x: [4, H]\n conv(2, 3) }").graph()
    for node, length in (("one", 2), ("two", 3)):
        graph.add_node(node, op="reshape", args={"sizes": (2, length)})
        graph.add_edge("conv1", node)
        graph.add_node(f"{node}_result", op="output")
        graph.add_edge(node, f"{node}_result")
    with pytest.raises(ArchError) as caught:
        infer_shapes(graph)
    (told,) = caught.value.diagnostics
    assert told.code == "no-size-fits"
    assert told.text.endswith("(at two)")
