"""Memory is what torch holds: autograd's saved tensors, and the results that are alive at once."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import networkx as nx
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

import archdsl
from archdsl.dims import evaluate, symbol
from archdsl.graph import Graph
from archdsl.ops.op import Op, Tensor, registered
from archdsl.passes.memory import measure_memory
from tests.ops.against_torch import Written, infer, random_tensor, read_call, read_shape
from tests.passes.zoo_networks import Network, given, networks, small_sizes

# Said by torch wherever oneDNN is switched on or off.
pytestmark = pytest.mark.filterwarnings("ignore:TF32 acceleration on top of oneDNN:UserWarning")

BATCH = 3
WIDTHS = {"float": 4, "int": 8, "bool": 1}


def network(statements: str, shape: str = "[4, 8, 8]") -> Graph:
    return archdsl.graph(archdsl.loads(f"network n {{ input x: {shape}\n{statements}\n}}"))


class Saved:
    """The memory that autograd keeps, each storage once; parameters and buffers are left out."""

    def __init__(self, module: object) -> None:
        owned: list[torch.Tensor] = []
        if isinstance(module, nn.Parameter):
            owned = [module]
        elif isinstance(module, nn.Module):
            owned = [*module.parameters(), *module.buffers()]
        self.apart = {storage(tensor) for tensor in owned}
        self.tensors: dict[int, torch.Tensor] = {}

    def keep(self, tensor: torch.Tensor) -> torch.Tensor:
        if storage(tensor) not in self.apart:
            self.tensors[storage(tensor)] = tensor
        return tensor

    @contextmanager
    def watching(self) -> Iterator[None]:
        # oneDNN's LSTM keeps a workspace of its own size in place of tensors.
        with (
            torch.backends.mkldnn.flags(enabled=False),
            torch.autograd.graph.saved_tensors_hooks(self.keep, lambda tensor: tensor),
        ):
            yield

    def total(self) -> int:
        return sum(tensor.untyped_storage().nbytes() for tensor in self.tensors.values())


def storage(tensor: torch.Tensor) -> int:
    key: int = tensor.untyped_storage()._cdata
    return key


# The zoo --------------------------------------------------------------------------


# More of the same layers, or wider ones.
LARGER = set(
    "convnext_small convnext_base densenet169 densenet201 efficientnet efficientnet_b1 gpt"
    " gpt2_medium gpt2_large gpt2_xl resnet34 resnet101 resnet152 resnet101_v1 resnet152_v1"
    " resnext101_32x8d wide_resnet50_2 wide_resnet101_2 plain34 resnet32 resnet44 resnet56"
    " resnet110 plain32 plain44 plain56 transformer_big vgg_b vgg_d vgg_e vgg11 vgg13 vgg16 vgg19"
    " vgg11_bn vgg13_bn vgg19_bn vit_l_16 vit_l_32".split()
)


@pytest.mark.parametrize("found", [n for n in networks() if n.name not in LARGER], ids=str)
def test_training_of_the_zoo_keeps_what_autograd_saves(found: Network) -> None:
    graph = found.graph()
    with FakeTensorMode():  # shapes and kernels of the CPU, without data
        module = archdsl.compile(graph).train()
        saved = Saved(module)
        with saved.watching():
            module(*given(graph, batch=BATCH, device="cpu"))
        counted = saved.total()
    memory = measure_memory(graph, small_sizes(graph), batch=BATCH)
    assert memory.saved == counted
    assert memory.saved == sum(node.saved for node in memory.nodes.values())
    assert memory.forward == sum(node.forward for node in memory.nodes.values())


@pytest.mark.parametrize(
    "found",
    [n for n in networks() if n.name not in LARGER and n.name != "nasnet_a_mobile"],
    ids=str,
)
def test_expressions_over_free_sizes_are_right_where_these_have_values(found: Network) -> None:
    graph = found.graph()
    sizes = small_sizes(graph)
    free, fixed = measure_memory(graph, batch=BATCH), measure_memory(graph, sizes, batch=BATCH)
    for node, entry in free.nodes.items():
        here = fixed.nodes[node]
        assert (evaluate(entry.forward, sizes), evaluate(entry.saved, sizes)) == (
            here.forward,
            here.saved,
        )


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's is untyped
    """Counts the bytes of tensors that are alive between operations, and their peak."""

    def __init__(self, inputs: list[torch.Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is untyped
        self.held: dict[int, int] = {}
        for tensor in inputs:
            self._hold(tensor)
        self.peak = sum(self.held.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, torch.Tensor):
                self._hold(value)
        self.peak = max(self.peak, sum(self.held.values()))
        return result

    def _hold(self, tensor: torch.Tensor) -> None:
        key = storage(tensor)
        if key not in self.held:
            memory = tensor.untyped_storage()
            self.held[key] = memory.nbytes()
            weakref.finalize(memory, self.held.pop, key, None)


def peak_of(graph: Graph) -> int:
    module = archdsl.compile(graph).eval()
    inputs = given(graph, batch=BATCH, device="cpu")
    known = [storage(tensor) for tensor in (*module.parameters(), *module.buffers())]
    live = Live(inputs)
    live.held.update(dict.fromkeys(known, 0))
    with torch.no_grad(), live:
        module(*inputs)
    return live.peak


STATEMENTS = [
    # What stands in one forward lets go of a tensor as soon as it can.
    "conv(8, 3) -> relu -> conv(2, 3) -> flatten -> linear(3)",
    "conv(8, 3, padding = 1) as a; max_pool(2) -> upsample(scale_factor = 2); concat(a, it)",
    "conv(8, 1) -> chunk(2) as (a, b); a -> relu as a; mul(a, b) -> dropout -> neg",
    "conv(8, 1) -> residual { neg -> abs -> neg }",
]


@pytest.mark.parametrize("statements", STATEMENTS)
def test_the_peak_is_that_of_the_tensors_alive(statements: str) -> None:
    graph = network(statements)
    assert measure_memory(graph, batch=BATCH).peak == peak_of(graph)


# A loop holds beside what is told what torch.stack has just joined, and names of its body.
LOOPS = [
    ("scan h = zeros(4) { add(linear(4), h) -> tanh as h }", "[6, 3]", 1.0),
    ("scan h = zeros(64) { linear(64) as a; add(a, h) as h }", "[2, 3]", 1.0),
    ("scan h = zeros(8) { linear(8) as now; add(now, h) as h; h -> linear(5) }", "[6, 3]", 1.0),
    ("linear(40) -> scan h = zeros(4) { linear(4) as a; add(a, h) -> tanh as h }", "[6, 3]", 1.05),
    ("scan h = zeros(4) { linear(50) -> relu -> linear(4) as a; add(a, h) as h }", "[3, 3]", 1.08),
    (  # what the body reads from outside is held until the loop is done
        """linear(80) -> select(1, 0) as o
        x -> scan h = zeros(80) { linear(80) as now; add(now, h, o) -> tanh as h }""",
        "[6, 3]",
        1.06,
    ),
    (  # of the inner results those of one step of the outer loop
        """scan s = zeros(8) {
            scan h = zeros(8) { linear(8) as a; add(a, h) as h } -> select(1, 1) as r
            add(r, s) as s
        }""",
        "[4, 6, 3]",
        1.35,
    ),
]


@pytest.mark.parametrize(("statements", "shape", "held"), LOOPS)
def test_the_peak_of_a_loop_is_near_to_what_its_module_holds(
    statements: str, shape: str, held: float
) -> None:
    graph = network(statements, shape)
    told = measure_memory(graph, batch=BATCH).peak
    assert told is not None
    assert told <= peak_of(graph) <= held * told


def test_outputs_are_held_to_the_end() -> None:
    graph = network(
        "linear(16) -> relu as big; big -> linear(2) as small; small -> linear(64) -> neg as c"
        "\noutput big, small, c",
        "[5, 3]",
    )
    told = measure_memory(graph, batch=BATCH).peak
    assert told == peak_of(graph)
    early = [*(n for n in graph if n not in {"small", "c"}), "small", "c"]
    early.remove("big")
    early.insert(early.index("relu1") + 1, "big")  # as one that edits graphs may add it
    other: Graph = nx.MultiDiGraph(**graph.graph)
    other.add_nodes_from((node, graph.nodes[node]) for node in early)
    for one, two, key, data in graph.edges(keys=True, data=True):
        other.add_edge(one, two, key, **data)
    assert measure_memory(other, batch=BATCH).peak == told


def test_what_is_dropped_in_training_alone_is_a_view_in_evaluation() -> None:
    """And in training a tensor that is kept beside what it was made of."""
    graph = network("conv(4, 1) -> relu -> dropout(0.5) -> conv(2, 1) -> dropout(0.5) -> relu")
    memory = measure_memory(graph, batch=BATCH)
    module = archdsl.compile(graph).train()
    saved = Saved(module)
    with saved.watching():
        module(*given(graph, batch=BATCH, device="cpu"))
    assert memory.saved == saved.total()
    assert [memory.nodes[n].forward for n in ("dropout1", "dropout2")] == [0, 0]
    assert memory.peak == peak_of(graph)


def test_what_is_given_in_training_alone_takes_nothing_in_evaluation() -> None:
    graph = network(
        "a: conv(4, 1) as a; a -> helper: conv(2, 1) as h; a -> relu as r\n"
        "output r\noutput h in training"
    )
    memory = measure_memory(graph, batch=BATCH)
    assert (memory.nodes["a"].forward, memory.nodes["helper"].forward) == (BATCH * 1024, 0)
    assert memory.peak == BATCH * 3 * 1024


def test_what_has_a_name_in_the_module_is_held_by_it() -> None:
    graph = network("conv(8, 3, padding = 1) as a; x -> conv(8, 1) as b; add(a, b) -> relu")
    told = measure_memory(graph, batch=BATCH).peak
    assert told is not None
    assert peak_of(graph) == told + BATCH * 4 * 8 * 8 * 8


@pytest.mark.parametrize(
    ("file", "name", "held"),
    [
        ("lenet", "lenet5", 1.0),
        ("alexnet", "alexnet", 1.0),
        ("vgg", "vgg_a", 1.0),
        ("squeezenet", "squeezenet1_1", 1.0),
        ("resnet", "resnet18", 1.0),
        ("googlenet", "googlenet", 1.0),
        # What a block is given is held by its caller until the block is done, and what an
        # attention or a loop holds within itself is not counted.
        ("recurrent", "rnn_written_out", 1.02),
        ("mobilenet", "mobilenet_v2", 1.08),
        ("densenet", "densenet121", 1.14),
        ("unet", "unet_same", 1.25),
        ("vit", "vit_b_32", 1.32),
    ],
)
def test_the_peak_of_the_zoo_is_near_to_what_its_module_holds(
    file: str, name: str, held: float
) -> None:
    graph = Network(file, name).graph()
    told = measure_memory(graph, small_sizes(graph), batch=BATCH).peak
    assert told is not None
    assert told <= peak_of(graph) <= held * told


# Layer by layer -------------------------------------------------------------------

EXAMPLES = [
    (cls.example, [cls.example_input])
    for cls in registered()
    if not cls.internal and cls.family != "foreign"  # which tells an upper bound: see below
]
VARIANTS = [
    *[
        (f"{layer}(8{more})", ["[3, 6]"])
        for layer in ("rnn", "gru", "lstm")
        for more in (
            "",
            ", num_layers = 2",
            ", bidirectional = true",
            ", num_layers = 2, dropout = 0.5, bidirectional = true",
        )
    ],
    ("lstm(8, proj_size = 4)", ["[3, 6]"]),
    ("lstm(8, num_layers = 2, proj_size = 4)", ["[3, 6]"]),
    ("rnn(8)", ["[3, 6]", "[1, 8]"]),
    ("gru(8)", ["[3, 6]", "[1, 8]"]),
    ("gru(8, num_layers = 2)", ["[3, 6]", "[2, 8]"]),
    ("lstm(8)", ["[3, 6]", "[1, 8]", "[1, 8]"]),
    ("rnn_cell(8)", ["[6]", "[8]"]),
    ("gru_cell(8)", ["[6]", "[8]"]),
    ("lstm_cell(8)", ["[6]", "[8]", "[8]"]),
    ("attention(4, causal = true)", ["[6, 8]"]),
    ("attention(4, dropout = 0.1)", ["[6, 8]"]),
    ("cross_attention(4)", ["[6, 8]", "[5, 4]"]),
    ("cross_attention(4, dropout = 0.1)", ["[6, 8]", "[5, 4]"]),
    ("cross_attention(4, dropout = 0.1)", ["[6, 8]", "[5, 8]"]),
    ("dot_product_attention()", ["[2, 6, 8]", "[2, 5, 8]", "[2, 5, 8]"]),
    ("dot_product_attention()", ["[2, 6, 8]", "[2, 5, 8]", "[2, 5, 4]"]),
    ("conv(4, 3, padding = 1, padding_mode = circular)", ["[4, 9]"]),
    ("conv(4, 3, padding = 1, padding_mode = reflect)", ["[4, 9]"]),
    ("conv(4, 3, padding = 1, padding_mode = replicate)", ["[4, 9, 9]"]),
    *[(f"pad(1, mode = {mode})", ["[4, 9]"]) for mode in ("reflect", "replicate", "circular")],
    ("instance_norm(affine = true)", ["[4, 9]"]),
    ("instance_norm(affine = true, track_running_stats = true)", ["[4, 9]"]),
    ("batch_norm(affine = false)", ["[4, 9]"]),
    ("layer_norm(axis = (1, 2))", ["[4, 9]"]),
    ("rms_norm(elementwise_affine = false)", ["[4, 9]"]),
    ("adaptive_avg_pool(1)", ["[4, 9, 9]"]),
    ("global_avg_pool", ["[4, 9, 9, 9]"]),
    ("max_pool(2)", ["[4, 9]"]),
    ("mul(it, it, it)", ["[4]"]),
    ("max(it, it, it)", ["[4]"]),
    ("dropout(0)", ["[4]"]),
    ("spatial_dropout(0)", ["[4, 4]"]),
]


@pytest.mark.parametrize(("call", "shapes"), [*EXAMPLES, *VARIANTS])
def test_a_layer_keeps_what_it_says_and_shares_what_it_says(call: str, shapes: list[str]) -> None:
    op, types = read_call(call, read_shape(shapes[0]))
    if len(shapes) > 1:
        types = [read_shape(shape) for shape in shapes]
    told, seen = _compare(op, types)
    assert told == seen


def _compare(op: Op, types: list[Tensor]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """What a layer tells, and what torch does: inputs and outputs kept, other bytes, views."""
    outputs, _ = infer(op, *types)
    written = Written(op.code(types, outputs))
    inputs = [_positive(random_tensor(kind, BATCH)) for kind in types]
    saved = Saved(written.module)
    with saved.watching():
        results = written.run(inputs, count=len(outputs))
    given_by = {storage(tensor): i for i, tensor in enumerate(inputs)}
    made_by = {storage(t): i for i, t in reversed([*enumerate(results)])}
    kept = list(saved.tensors)
    others = [k for k in kept if k not in given_by and k not in made_by]
    seen = (
        sorted(given_by[k] for k in kept if k in given_by),
        sorted(made_by[k] for k in kept if k in made_by and k not in given_by),
        sum(saved.tensors[k].untyped_storage().nbytes() for k in others),
        tuple(given_by.get(storage(tensor)) for tensor in results),
    )
    told = op.saved(types, outputs, [kind.dtype == "float" for kind in types])
    shared = op.shares(types, outputs, training=True)
    return (sorted(told.inputs), sorted(told.outputs), sum(map(_bytes, told.made)), shared), seen


def _positive(tensor: torch.Tensor) -> torch.Tensor:
    """An input that something computed, which roots and logarithms take."""
    if not tensor.is_floating_point():
        return tensor
    return (tensor.detach().abs() + 0.1).requires_grad_() * 1.0


def _bytes(kind: Tensor) -> int:
    samples = BATCH if kind.batch == "free" else 1
    return evaluate(kind.elements, {}) * samples * WIDTHS[kind.dtype]


def test_a_layer_that_does_not_say_is_told_to_keep_all_that_comes_in_and_goes_out() -> None:
    graph = network("a: nn.Conv2d(4, 8, 3) -> b: nn.Tanh()")
    memory = measure_memory(graph, batch=BATCH)
    sizes = {node: BATCH * 4 * count for node, count in (("x", 256), ("a", 288), ("b", 288))}
    assert memory.nodes["a"].saved == sizes["x"] + sizes["a"]
    assert memory.nodes["b"].saved == sizes["b"]


# What adds up ---------------------------------------------------------------------


def test_a_tensor_that_several_layers_keep_counts_at_the_first() -> None:
    memory = measure_memory(network("conv(4, 1) -> relu as a; a -> conv(2, 1); a -> conv(2, 3)"))
    kept = {node: entry.saved for node, entry in memory.nodes.items() if entry.saved}
    assert kept == {"conv1": 1024, "relu1": 1024}


def test_views_add_nothing_and_are_what_they_show() -> None:
    memory = measure_memory(network("conv(4, 1) -> flatten -> slice(1, 0, 8) -> linear(2)"))
    assert [memory.nodes[n].forward for n in ("conv1", "flatten1", "slice1")] == [1024, 0, 0]
    assert [memory.nodes[n].saved for n in ("conv1", "linear1")] == [1024, 1024]


def test_nothing_is_kept_where_nothing_is_learned() -> None:
    memory = measure_memory(network("relu -> max_pool(2) -> softmax(axis = 1)"))
    assert memory.saved == 0
    assert memory.forward == 1024 * 1 + 1024 + 256 + 256


def test_what_statistics_take_does_not_grow_with_the_batch() -> None:
    graph = network("conv(4, 1) -> batch_norm")
    one, ten = (measure_memory(graph, batch=batch).saved for batch in (1, 10))
    assert (one, ten) == (2048 + 32, 20480 + 32)


def test_half_precision_takes_half_and_indices_what_they_take() -> None:
    graph = network("embedding(10, 3)", "int[5]")
    assert [
        (m.nodes["x"].forward, m.nodes["embedding1"].forward, m.saved)
        for m in (measure_memory(graph, bytes_per_value=width) for width in (4, 2))
    ] == [(40, 60, 40), (40, 30, 40)]


def test_free_sizes_give_expressions_and_no_peak() -> None:
    graph = network("conv(4, 1) -> relu", "[4, H]")
    memory = measure_memory(graph)
    assert memory.forward == 48 * symbol("H")
    assert memory.saved == 32 * symbol("H")
    assert memory.peak is None
    at = measure_memory(graph, {"H": 5})
    assert (at.forward, at.saved, at.peak) == (240, 160, 240)


SCANS = [
    "scan h = zeros(4), c = ones(4) { add(linear(4), h) -> tanh as h; mul(h, c) as c }",
    "scan h = zeros(4) { add(linear(4), h) -> dropout(0.5) -> tanh as h }",
    "scan h = zeros(4) { add(linear(4), h) -> tanh as h } as (all, last); last -> linear(2)",
    "scan h = zeros(4) { add(linear(4), h) -> tanh as h } as (all, z); z -> relu -> linear(2)",
    """scan s = zeros(4) { linear(4) as a; add(a, s) -> sigmoid as s } as (all, last)
    all -> linear(2) as one; last -> linear(2) as two
    output one, two""",
]


@pytest.mark.parametrize("steps", [1, 4])
@pytest.mark.parametrize("statements", SCANS)
def test_every_step_of_a_scan_keeps_its_own(steps: int, statements: str) -> None:
    graph = network(statements, f"[{steps}, 3]")
    module = archdsl.compile(graph)
    saved = Saved(module)
    with saved.watching():
        module(torch.randn(BATCH, steps, 3))
    assert measure_memory(graph, batch=BATCH).saved == saved.total()
    free = measure_memory(network(statements, "[T, 3]"), batch=BATCH)
    assert evaluate(free.saved, {"T": steps}) == saved.total()


def test_a_loop_that_runs_in_training_alone_holds_nothing_in_evaluation() -> None:
    graph = network(
        """linear(4) -> select(1, 0) as o
        x -> scan h = zeros(4) { linear(4) as now; add(now, h, o) -> tanh as h } as r
        o -> linear(2) as main
        output main
        output r in training""",
        "[6, 3]",
    )
    assert measure_memory(graph, batch=BATCH).peak == peak_of(graph)
