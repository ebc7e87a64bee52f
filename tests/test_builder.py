"""The builder: the same graphs as from text, and every mistake at its Python line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import networkx as nx
import pytest
import torch

import archdsl
from archdsl import ops
from archdsl.builder import Builder, Flow, UnknownLayer, block
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph, inputs_of

ROOT = Path(__file__).resolve().parent.parent


def complaint(run: Callable[[], object]) -> Diagnostic:
    """The one diagnostic of what must fail, which points into this file."""
    with pytest.raises(ArchError) as caught:
        run()
    (found,) = caught.value.diagnostics
    assert found.span is not None
    assert Path(found.span.source.name).name == Path(__file__).name
    return found


def start(*sizes: int | str) -> tuple[Builder, Flow]:
    b = Builder("tiny")
    return b, b.input("x", *(sizes or (3, 8, 8)))


def essence(graph: Graph) -> list[tuple[Any, ...]]:
    """What two graphs of one network have in common: all but places and hints."""
    return [
        (
            node,
            data["op"],
            data["args"],
            data["shape"],
            data["path"],
            data["scope"],
            data["names"],
            [(s.node, s.output) for s in inputs_of(graph, node)],
        )
        for node, data in graph.nodes(data=True)
    ]


# The same as the text -----------------------------------------------------------------

TEXT = """
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


@block
def basic(x: Flow, width: int, stride: int = 1) -> Flow:
    y = x.conv(width, 3, stride, padding=1, bias=False).bn().relu()
    y = y.conv(width, 3, padding=1, bias=False).bn()
    if stride != 1 or x.channels != width:
        with x.builder.sequence("downsample"):
            x = x.conv(width, 1, stride, bias=False).bn()
    return (x + y).relu()


def small() -> Graph:
    b = Builder("small")
    x = b.input("image", 3, "H", "W")
    x = x.conv(8, 3, padding=1).bn().relu()
    with b.sequence("layer1"):
        for _ in range(2):
            x = basic(x, 8)
    with b.sequence("layer2"):
        for i in range(2):
            x = basic(x, 16, stride=2 if i == 0 else 1)
    x = x.global_avg_pool().flatten()
    x.linear(10, name="fc")
    return b.graph()


def test_a_network_is_as_short_as_its_text_and_the_same() -> None:
    written, built = archdsl.loads(TEXT).graph(), small()
    assert sorted(essence(built), key=str) == sorted(essence(written), key=str)
    assert isinstance(built, nx.MultiDiGraph)
    assert archdsl.check(built).ok
    assert archdsl.check(built).cost == archdsl.check(written).cost


def test_the_source_is_the_same(golden: Callable[..., None]) -> None:
    golden(archdsl.source(small()), suffix=".py")


def test_checking_what_was_built_changes_nothing() -> None:
    built = small()
    again = archdsl.graph(built)
    assert essence(again) == essence(built)
    assert again.graph["conditions"] == built.graph["conditions"]


def test_it_runs() -> None:
    assert archdsl.compile(small())(torch.randn(2, 3, 9, 11)).shape == (2, 10)


# Ends -----------------------------------------------------------------------------------


def test_several_inputs_and_named_outputs() -> None:
    b = Builder("wide_and_deep")
    wide, deep = b.input("wide", 5), b.input("deep", 6)
    hidden = deep.linear(30).relu().linear(30).relu().named("hidden")
    b.output(main=b.concat(wide, hidden).linear(1))
    b.output(hidden)
    b.output(aux=hidden.linear(1), training=True)
    model = archdsl.compile(b.graph())
    result = model(torch.randn(2, 5), torch.randn(2, 6))
    assert result._fields == ("main", "hidden", "aux")
    assert len(model.eval()(torch.randn(2, 5), torch.randn(2, 6))) == 2


def test_the_last_tensor_is_the_output() -> None:
    b, x = start()
    x.conv(4, 3)
    graph = b.graph()
    assert graph.nodes["output"]["shape"] == (4, 6, 6)
    x.conv(5, 3)
    assert graph.number_of_nodes() == 3, "what is built further changes no graph given before"
    assert b.graph().nodes["output"]["shape"] == (5, 6, 6)


def test_an_output_in_training_alone_stands_beside_the_last_tensor() -> None:
    b, x = start()
    y = x.conv(4, 3)
    b.output(aux=y.relu(), training=True)
    y.conv(2, 3)
    model = archdsl.compile(b.graph())
    assert set(model(torch.randn(1, 3, 8, 8))._fields) == {"output", "aux"}
    assert model.eval()(torch.randn(1, 3, 8, 8)).shape == (1, 2, 4, 4)


def test_free_sizes_and_indices() -> None:
    b = Builder("words")
    tokens = b.input("tokens", "T", dtype="int")
    assert str(tokens.type) == "int[T]"
    x = tokens.embedding(100, 16)
    assert x.features == 16
    assert archdsl.check(b.graph()).conditions is not None


# Tensors --------------------------------------------------------------------------------


def test_what_a_tensor_says_of_itself() -> None:
    _, x = start(3, 8, "W")
    assert (x.rank, x.channels, x.height) == (3, 3, 8)
    assert str(x.width) == "W"
    assert repr(x) == "<x: [3, 8, W]>"
    assert complaint(lambda: x.features).code == "free-size"
    assert complaint(lambda: x.depth).code == "wrong-rank"


def test_operators_merge() -> None:
    b, x = start(4)
    y = x.linear(4)
    assert [(x + y), (x - y), (x * y)][2].type == x.type
    assert [d["op"] for _, d in b.graph().nodes(data=True)][2:5] == ["add", "sub", "mul"]
    with pytest.raises(TypeError, match="unsupported operand"):
        x + 3  # type: ignore[operator]  # what is refused


def test_merges_in_order() -> None:
    b, x = start(2, 4)
    y = x.linear(4)
    b.concat(y, x, axis=2)
    y.concat(x)
    graph = b.graph()
    assert [s.node for s in inputs_of(graph, "concat1")] == ["linear1", "x"]
    assert [s.node for s in inputs_of(graph, "concat2")] == ["linear1", "x"]
    assert graph.nodes["concat1"]["shape"] == (2, 8)


def test_a_tensor_used_twice() -> None:
    b, x = start(4)
    x.add(x)
    graph = b.graph()
    value = torch.randn(2, 4)
    torch.testing.assert_close(archdsl.compile(graph)(value), 2 * value)


def test_layers_with_several_outputs_unpack() -> None:
    b, x = start("T", 8)
    sequence, hidden, cell = x.lstm(16)
    assert str(sequence.type) == "[T, 16]"
    left, right = sequence.split([4, 12], axis=2)
    assert (left.features, right.features) == (4, 12)
    assert len(hidden.outputs) == 3
    b.output(left=left, cell=cell)
    result = archdsl.compile(b.graph())(torch.randn(2, 5, 8))
    assert result.left.shape == (2, 5, 4)


def test_further_inputs_by_name() -> None:
    b, x = start("T", 8)
    memory = b.input("memory", "S", 8)
    x.cross_attention(2, memory=memory)
    graph = b.graph()
    assert [s.node for s in inputs_of(graph, "cross_attention1")] == ["x", "memory"]


def test_parameters_are_made_by_the_builder() -> None:
    b, x = start(16, 8)
    token = b.parameter([1, 1, 8], name="class_token")
    b.concat(token, x)
    assert "class_token" in archdsl.compile(b.graph()).state_dict()
    assert complaint(lambda: x.parameter([3])).help == "call it on the builder: b.parameter(…)"


def test_modules_of_torch() -> None:
    b, x = start()
    again = b.nn.Conv2d(3, 3, 3, name="again")
    x = again(again(x)).nn.Hardswish().nn.Conv2d(3, 6, 3, padding=1, name="foreign")
    model = archdsl.compile(b.graph())
    assert {"again.weight", "foreign.weight"} <= set(model.state_dict())
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, *x.shape)
    assert b.graph().nodes["hardswish1"]["op"] == "nn"


def test_whole_numbers_of_numpy() -> None:
    numpy = pytest.importorskip("numpy")
    _, x = start()
    assert x.conv(numpy.int64(6), (numpy.int32(3), 1)).shape == (6, 6, 8)


def test_a_layer_by_its_name() -> None:
    _, x = start()
    for name in ("relu", "silu", "bn"):
        x = x.layer(name)
    assert repr(x) == "<bn1: [3, 8, 8]>"


# Names ----------------------------------------------------------------------------------


def test_names_are_those_of_the_language() -> None:
    b, x = start()
    with b.block("stem"):
        x = x.conv(4, 3).batch_norm().bn()
    with b.sequence("features"):
        x = x.conv(4, 3).relu()
        with b.sequence():
            x = x.conv(4, 1, name="inner").relu()
    x.conv(4, 1)
    paths = [data["path"] for _, data in b.graph().nodes(data=True)][1:-1]
    assert paths == [
        "stem.conv1", "stem.batch_norm1", "stem.bn1",
        "features.0", "features.1", "features.2.inner", "features.2.1", "conv1",
    ]  # fmt: skip


def test_blocks_bear_their_function_or_their_label() -> None:
    b, x = start(8, 8, 8)
    x = basic(x, 8)
    x = basic.named("second")(x, 8)
    with b.block(of="head", classes=10):
        x.global_avg_pool().flatten().linear(10)
    names = {n.rpartition(".")[0] for n in archdsl.compile(b.graph()).state_dict()}
    assert {"basic1.conv1", "second.conv1", "head1.linear1"} <= names
    source = archdsl.source(b.graph())
    assert source.count("class Basic(") == 1
    assert "class Head(" in source


def test_a_name_is_given_once() -> None:
    b, x = start()
    x.conv(4, 3, name="stem")
    found = complaint(lambda: x.conv(4, 3, name="stem"))
    assert found.message == "the name stem is taken already"
    assert found.help.startswith("a module that runs twice is kept")
    assert found.labels[0].text == "first named here"
    for name in ("forward", "class"):
        assert complaint(lambda name=name: x.relu(name=name)).code == "reserved-name"  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    assert complaint(lambda: x.relu(name="a b")).code == "bad-value"
    assert complaint(lambda: b.input("x", 3)).code == "duplicate-name"
    assert complaint(lambda: Builder("two words")).code == "bad-value"


def test_what_failed_leaves_no_name_behind() -> None:
    b, x = start()
    complaint(lambda: x.conv(4, 30, name="fc"))
    complaint(lambda: x.conv(4, 30))
    x.conv(4, 3, name="fc")
    x.conv(4, 3)
    assert {"fc", "conv1"} <= set(b.graph())


# Sharing --------------------------------------------------------------------------------


def test_a_module_called_twice_has_one_set_of_weights() -> None:
    b = Builder("siamese")
    left, right = b.input("left", 3, 8, 8), b.input("right", 3, 8, 8)
    tower = b.conv(4, 3, name="tower")
    b.output((tower(left) - tower(right)).abs())
    model: Any = archdsl.compile(b.graph())
    assert set(model.state_dict()) == {"tower.weight", "tower.bias"}
    one, two = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(model(one, two), (model.tower(one) - model.tower(two)).abs())


def test_a_part_entered_twice_has_one_set_of_weights() -> None:
    b = Builder("siamese")
    left, right = b.input("left", 3, 8, 8), b.input("right", 3, 8, 8)
    tower = b.block("tower")
    found = []
    for side in (left, right):
        with tower:
            found.append(side.conv(4, 3).bn().relu().flatten().linear(6))
    b.output(found[0] * found[1])
    model: Any = archdsl.compile(b.graph())
    assert {n.split(".")[0] for n in model.state_dict()} == {"tower"}
    model.eval()
    one, two = torch.randn(2, 3, 8, 8), torch.randn(2, 3, 8, 8)
    torch.testing.assert_close(model(one, two), model.tower(one) * model.tower(two))


def test_a_module_runs_again_on_what_fits_alone() -> None:
    b, x = start(8)
    again = b.linear(4)
    y = again(x)
    found = complaint(lambda: again(y))
    assert found.code == "shared-mismatch"
    assert "weight is [4, 8], and [4, 4] is needed here" in found.text


def test_weights_are_tied_by_a_module() -> None:
    b = Builder("tied")
    tokens = b.input("tokens", "T", dtype="int")
    embed = b.embedding(11, 6, name="embed")
    assert "until it was called" in complaint(lambda: embed.weight).message
    embed(tokens).linear(11, bias=False, tie=embed.weight, name="head")
    model: Any = archdsl.compile(b.graph())
    assert model.head.weight is model.embed.weight
    assert complaint(lambda: embed.wieght).help == "did you mean weight?"


# Mistakes -------------------------------------------------------------------------------


def test_a_mistake_is_told_at_its_line() -> None:
    _, x = start()
    with pytest.raises(ArchError) as caught:
        x.conv(4, 3).conv(5, 40)
    (found,) = caught.value.diagnostics
    assert found.code == "kernel-too-large"
    assert found.span is not None
    line = inspect.getsourcelines(test_a_mistake_is_told_at_its_line)[1] + 3
    assert found.span.line == line
    if sys.version_info >= (3, 11):
        assert found.span.text == "conv(5, 40)"
    assert "x.conv(4, 3).conv(5, 40)" in str(found)


def test_a_mistake_in_a_chain_over_lines_is_told_at_its_own() -> None:
    _, x = start()
    first = inspect.getsourcelines(test_a_mistake_in_a_chain_over_lines_is_told_at_its_own)[1]
    found = complaint(
        lambda: (
            x.conv(4, 3)  # fine
            .conv(5, 40)
            .relu()
        )
    )
    assert found.span is not None
    if sys.version_info >= (3, 11):
        assert found.span.line == first + 6


def test_a_mistake_in_a_block_names_its_calls() -> None:
    _, x = start()
    found = complaint(lambda: basic(x, 8, stride=-1))
    assert found.message == "stride of conv must be positive, not -1"
    assert found.calls[0].startswith("basic(width = 8, stride = -1), called from ")
    assert found.calls[0].endswith(" at basic1")


def test_code_that_cannot_be_read_has_its_line_at_least() -> None:
    _, x = start()
    code = compile("\n\nx.conv(4, 30)", "<nowhere>", "exec")
    with pytest.raises(ArchError) as caught:
        exec(code, {"x": x})
    (found,) = caught.value.diagnostics
    assert str(found.span).startswith("<nowhere>:3:")
    assert "<nowhere>:3" in str(found)


def no_tensor(b: Builder, x: Flow) -> object:
    return basic(b, 8)  # type: ignore[arg-type]  # what is refused


def merge_of_other_builder(b: Builder, x: Flow) -> object:
    return x + start()[1]


@pytest.mark.parametrize(
    ("mistake", "code", "part"),
    [
        (lambda b, x: x.covn(4, 3), "unknown-layer", "did you mean conv?"),
        (lambda b, x: b.covn(4, 3), "unknown-layer", "did you mean conv?"),
        (lambda b, x: x.layer("covn", 4, 3), "unknown-layer", "did you mean conv?"),
        (lambda b, x: x.conv("wide", 3), "bad-argument", 'not the text "wide"'),
        (lambda b, x: x.conv(4, 3, 1, 0, 1, 1, True, "zeros", 9), "too-many-arguments", "conv"),
        (lambda b, x: x.conv(4, 3, strides=2), "unknown-argument", "did you mean stride?"),
        (lambda b, x: x.conv(4), "missing-argument", "kernel_size"),
        (lambda b, x: x.conv(x, 3), "bad-argument", "cannot be a tensor"),
        (lambda b, x: b.conv(x, 4, 3), "bad-argument", "x.conv(…), or b.conv(…)(x)"),
        (lambda b, x: b.conv(4, 3)(3), "bad-argument", "runs on tensors"),
        (lambda b, x: b.conv(4, 3)(), "no-tensor", "needs a tensor"),
        (lambda b, x: b.conv(4, 3)(x, x), "wrong-inputs", "conv takes one tensor, not 2"),
        (lambda b, x: b.concat(x), "wrong-inputs", "two or more"),
        (lambda b, x: x.add(x.conv(3, 3)), "shape-mismatch", "different shapes"),
        (lambda b, x: x.cross_attention(1), "wrong-inputs", "memory"),
        (merge_of_other_builder, "bad-argument", "belongs to another builder"),
        (lambda b, x: b.output(3), "bad-argument", "a tensor of the builder"),
        (lambda b, x: b.output(x, x), "duplicate-name", "b.output(main=x, aux=y)"),
        (lambda b, x: b.output(a=b.parameter([3])), "no-batch-axis", "does not depend"),
        (lambda b, x: b.input("y", 0), "bad-argument", "must be positive"),
        (lambda b, x: b.input("y", "h"), "bad-value", "a capital name"),
        (lambda b, x: b.graph(), "no-output", "computes nothing"),
        (lambda b, x: x.nn.Hardswich(), "unknown-layer", "did you mean nn.Hardswish?"),
        (no_tensor, "no-tensor", "the block basic needs a tensor"),
    ],
)  # fmt: skip
def test_mistakes(mistake: Callable[[Builder, Flow], object], code: str, part: str) -> None:
    found = complaint(lambda: mistake(*start()))
    assert found.code == code, str(found)
    assert part in str(found)


def test_an_unknown_layer_is_an_attribute_that_is_missing() -> None:
    b, x = start()
    assert not hasattr(x, "covn")
    assert not hasattr(b, "__wrapped__")
    assert getattr(x, "covn", None) is None
    assert issubclass(UnknownLayer, AttributeError)
    assert {"conv", "bn", "concat", "shape"} <= set(dir(x))
    assert {"conv", "parameter", "graph"} <= set(dir(b))
    assert "parameter" not in dir(x)
    assert "Convolution over one, two or three" in (x.conv.__doc__ or "")
    assert repr(x.relu) == "<layer relu>"


# Layers of one's own --------------------------------------------------------------------


def test_a_registered_layer_is_a_method(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.op, "_REGISTRY", dict(ops.op._REGISTRY))

    @archdsl.layer("times")
    class Times(ops.Op):
        """Multiply by a constant."""

        factor: float = ops.number(doc="what to multiply by")

        def infer(self, inputs: Sequence[ops.Tensor], need: ops.Need) -> tuple[ops.Tensor, ...]:
            return (inputs[0],)

        def code(self, inputs: Sequence[ops.Tensor], outputs: Sequence[ops.Tensor]) -> ops.Code:
            return ops.Code(call="{0} * {factor}", constants={"factor": self.factor})

    b, x = start(4)
    x.times(3.0)
    value = torch.randn(2, 4)
    torch.testing.assert_close(archdsl.compile(b.graph())(value), 3 * value)
    assert "times" in dir(x)


# Types ----------------------------------------------------------------------------------


def test_the_types_are_those_of_the_registry(request: pytest.FixtureRequest) -> None:
    pytest.importorskip("ruff", reason="it formats the file")
    sys.path.insert(0, str(ROOT / "tests" / "typing"))
    try:
        from layer_methods import STUB, stub_text  # type: ignore[import-not-found]  # a script beside the tests
    finally:
        sys.path.pop(0)
    text = stub_text()
    if request.config.getoption("--update-golden"):
        STUB.write_text(text, encoding="utf-8")
    assert STUB.read_text(encoding="utf-8") == text, "make golden writes it anew"
