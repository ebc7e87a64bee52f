"""What is promised of a specification that is accepted, tried on the module itself."""

from __future__ import annotations

import re
import types
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import networkx as nx
import torch
from torch import nn

import archdsl
from archdsl.backends.torch_source import Generated, generate
from archdsl.compiler import Report
from archdsl.conditions import holds
from archdsl.diagnostics import ArchError, Diagnostic, Source
from archdsl.dims import evaluate
from archdsl.graph import Graph, inputs_of, live_nodes, op_of, outputs, type_of
from archdsl.ops.op import Tensor
from archdsl.passes.cost import count_cost
from archdsl.passes.in_place import overwriting
from archdsl.passes.shapes import infer_shapes
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import format_source

BATCH = 3
DTYPES = {"float": torch.float32, "int": torch.int64, "bool": torch.bool}
# Layers that hand indices on as they are: whatever comes out of them can be embedded again.
HAND_ON = frozenset(
    "input output identity flatten reshape transpose permute squeeze unsqueeze embedding one_hot"
    " unflatten select slice split chunk concat stack crop max amax amin channel_shuffle".split()
)


@dataclass
class Accepted:
    """A specification that compiled: its graph, its report and what was generated."""

    text: str
    graph: Graph
    report: Report
    generated: Generated


def accepted(text: str) -> Accepted | None:
    """The compiled specification, or None where it is rejected, with a diagnostic."""
    try:
        specification = archdsl.loads(text)
        found = specification.elaborate()
        report = archdsl.check(specification)
    except ArchError as error:
        explained(error.diagnostics)
        return None
    assert report.ok is not found.failed
    if not report.ok:
        explained(report.diagnostics)
        return None
    return Accepted(text, found.graph, report, generate(found.graph))


def explained(diagnostics: Sequence[Diagnostic]) -> None:
    """What is rejected says why."""
    assert any(d.severity == "error" for d in diagnostics)
    for diagnostic in diagnostics:
        assert diagnostic.message
        assert diagnostic.message in str(diagnostic)


def hold(found: Accepted) -> nn.Module | None:
    """Everything that is promised, at the declared sizes or some that meet the conditions.

    The module that was tried; None where no input may hold what would run.
    """
    module = archdsl.compile(found.graph)
    counted(found, module)
    named(found, module)
    reread(found)
    inferred_again(found)
    shared_once(found)
    if pads_indices(found):
        return None
    solution = found.report.conditions
    assert solution is not None
    standalone(found, module)
    examples = solution.examples(3) if solution.names else [{}]
    for sizes in examples:
        run(found, module, sizes)
    for sizes in examples[:1]:
        written_over(found, module, sizes)
        in_double(found, module, sizes)
        traced(found, module, sizes)
    return module


# Running --------------------------------------------------------------------------


def run(found: Accepted, module: nn.Module, sizes: Mapping[str, int]) -> None:
    """Forward and backward while training, forward in evaluation, with the inferred shapes."""
    for batch in dict.fromkeys((found.report.least_batch, BATCH)):
        forward_and_backward(found, module, sizes, batch)
    least = found.report.least_batch if judged_by_their_batch(found) else 1
    for batch in dict.fromkeys((least, BATCH)):
        module.eval()
        with torch.no_grad():
            compare(found, module(*samples(found, sizes, batch)), sizes, batch, training=False)


def written_over(found: Accepted, module: nn.Module, sizes: Mapping[str, int]) -> None:
    """Activations that write in place change no output and no gradient.

    In float64: gradients are added in another order, and a batch norm of what is almost constant
    magnifies what is rounded.
    """
    if not overwriting(found.graph):
        return
    with double_precision():
        modules = [archdsl.compile(found.graph, inplace=i) for i in (False, True)]
        given = samples(found, sizes, max(found.report.least_batch, BATCH))
        for training in (True, False):
            for m in modules:
                m.load_state_dict(module.state_dict())
            plain, over = (followed(m.train(training), given) for m in modules)
            torch.testing.assert_close(over, plain, rtol=1e-6, atol=1e-7, equal_nan=True)


def in_double(found: Accepted, module: nn.Module, sizes: Mapping[str, int]) -> None:
    """Where torch computes in float64, all of it does: nothing in the source is of float32."""
    with double_precision():
        other = archdsl.compile(found.graph)
        other.load_state_dict(module.state_dict())
        given = samples(found, sizes, max(found.report.least_batch, BATCH))
        assert all(x.dtype == torch.float64 for x in given if x.is_floating_point())
        results = tensors(other.train()(*given))
        assert all(y.dtype == torch.float64 for y in results if y.is_floating_point())
        losses = [y.sum() for y in results if y.requires_grad]
        if losses:
            torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    plain = tensors(module.train()(*(x.float() if x.is_floating_point() else x for x in given)))
    assert [y.shape for y in results] == [y.shape for y in plain]


@contextmanager
def double_precision() -> Iterator[None]:
    """Torch makes float64 where it is not told of what."""
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


def traced(found: Accepted, module: nn.Module, sizes: Mapping[str, int]) -> None:
    """What exporters are given for a scan, a function of its states, computes the same."""
    source = generate(found.graph, traced=True)
    if source.text == found.generated.text:
        return
    text = source.text.replace("torch._higher_order_ops.scan(", "scan(")
    space = types.ModuleType("traced")
    space.__dict__["scan"] = scan_by_hand
    exec(compile(text, "traced.py", "exec"), space.__dict__)
    other: nn.Module = getattr(space, source.class_name)()
    other.load_state_dict(module.state_dict(), strict=True)
    given = samples(found, sizes, BATCH)
    with torch.no_grad():
        one, two = (tensors(m.eval()(*given)) for m in (module, other))
    torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)


def scan_by_hand(
    each_step: Any, states: list[torch.Tensor], sequence: torch.Tensor, *, dim: int
) -> tuple[list[torch.Tensor], torch.Tensor]:
    """What ``torch._higher_order_ops.scan`` computes; it takes seconds to trace anything."""
    assert states, "torch's wants a state"
    results = []
    for step in sequence.unbind(dim):
        before = states
        states, result = each_step(before, step)
        assert [s.shape for s in states] == [s.shape for s in before]
        assert all(s is not b for s, b in zip(states, before, strict=True))
        results.append(result)
    return states, torch.stack(results, dim)


def followed(module: nn.Module, given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The outputs, and the gradients of the inputs and of all weights."""
    torch.manual_seed(0)
    module.zero_grad()
    leaves = [x.detach().clone().requires_grad_(x.is_floating_point()) for x in given]
    results = module(*leaves)
    results = [results] if isinstance(results, torch.Tensor) else list(results)
    losses = [(y * y).sum() for y in results if y.requires_grad]
    if losses:
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]
    gradients = [x.grad for x in (*leaves, *module.parameters()) if x.grad is not None]
    return [y.detach() for y in results] + gradients


def pads_indices(found: Accepted) -> bool:
    """Whether whole numbers are put in that no input can hold down: sums of them are no indices."""
    return any(
        data["op"] == "pad" and data["args"].get("value") and data["types"][0].dtype == "int"
        for _, data in found.graph.nodes(data=True)
    )


def judged_by_their_batch(found: Accepted) -> bool:
    """Whether some layer normalizes by the batch in evaluation too."""
    return any(
        d["args"].get("track_running_stats", True) is False or d["op"] == "nn"
        for _, d in found.graph.nodes(data=True)
    )


def forward_and_backward(
    found: Accepted, module: nn.Module, sizes: Mapping[str, int], batch: int
) -> None:
    module.train()
    module.zero_grad()
    given = samples(found, sizes, batch)
    results = compare(found, module(*given), sizes, batch, training=True)
    losses = [y.float().sum() for y in results if y.requires_grad]
    if losses:
        torch.stack(losses).sum().backward()  # type: ignore[no-untyped-call]


def compare(
    found: Accepted, given: Any, sizes: Mapping[str, int], batch: int, *, training: bool
) -> list[torch.Tensor]:
    """The results, after a look at their names, their shapes and what they hold."""
    wanted = expected(found, training=training)
    several = len(wanted) > 1
    if several:
        assert isinstance(given, tuple)
        assert list(given._asdict())[: len(wanted)] == list(wanted)  # type: ignore[attr-defined]
    results = [y for y in given if y is not None] if several else [given]
    assert len(results) == len(wanted)
    for (name, told), got in zip(wanted.items(), results, strict=True):
        shape = [batch, *(evaluate(d, sizes) for d in told.dims)]
        assert list(got.shape) == shape, f"{name} is {list(got.shape)}, not {shape}, at {sizes}"
        assert got.dtype == DTYPES[told.dtype], f"{name} holds {got.dtype}, not {told.dtype}"
    return results


def expected(found: Accepted, *, training: bool) -> dict[str, Tensor]:
    return {
        name: type_
        for node, (name, type_) in zip(
            outputs(found.graph), found.report.outputs.items(), strict=True
        )
        if training or not found.graph.nodes[node]["args"].get("training")
    }


def samples(found: Accepted, sizes: Mapping[str, int], batch: int) -> list[torch.Tensor]:
    """Random inputs at these sizes."""
    computed = any(
        data["types"][0].dtype == "int" and data["op"] not in HAND_ON
        for _, data in found.graph.nodes(data=True)
    )
    result = []
    for given in found.report.inputs.values():
        shape = [batch, *(evaluate(d, sizes) for d in given.dims)]
        if given.dtype == "float":
            result.append(torch.randn(shape, requires_grad=True))
        else:
            result.append(torch.randint(0, 1 if computed else 2, shape))
    return result


STRICTER = {
    "a dead path": "what reaches no output is checked too: it was meant to reach one",
    "an empty tensor": "a size of 0 is refused everywhere; torch computes on nothing, mostly",
    "a stretched axis": "a merge is of equal shapes; torch would repeat an axis of 1",
    "nothing but padding": "a pad must leave something of its input; torch would give zeros",
    "unequal parts": "chunk of a free size is equal parts, so that their sizes can be told",
    "an axis that stays": "squeeze takes its axis away; torch would leave one that is not 1",
    "a group of one value": "its group_norm is 0; torch refuses it of a single sample alone",
    "the end of a slice": "it lies within the axis, where torch would stop at the last full step",
    "a carried state": "a scan keeps the shape of its state, though its body may not look at it",
}
"""Why sizes may be refused that torch would run: rules that are meant."""


def allowed(found: Accepted, sizes: Mapping[str, int]) -> str | None:
    """Which of those rules refuses these sizes, if one does."""
    graph, solution = found.graph, found.report.conditions
    assert solution is not None
    if any(d.code == "dead-path" for d in found.report.diagnostics):
        return "a dead path"
    types = {n: [at(t, sizes) for t in d["types"]] for n, d in graph.nodes(data=True)}
    if any(d < 1 for told in types.values() for t in told for d in t):
        return "an empty tensor"
    for node in graph:
        given = [types[s.node][s.output] for s in inputs_of(graph, node)]
        if op_of(graph, node).variadic and any(1 in t for t in given) and len(given) > 1:
            return "a stretched axis"
    failing = [c for c in solution.conditions if not holds(c, sizes)]
    for rule, reason in REASONS.items():
        if any(c.reason.startswith(reason) for c in failing):
            return rule  # whatever else fails there may follow from it
    return None


REASONS = {
    "a stretched axis": "mu and log_var of gaussian_sample",
    "a group of one value": "group_norm over more than one value",
    "the end of a slice": "the slice lies within the axis",
    "a carried state": "a carried state",
    "nothing but padding": "constant padding",
    "unequal parts": "chunk makes",
    "an axis that stays": "squeeze drops",
}
"""What the conditions of some of those rules give as their reason."""


def at(told: Tensor, sizes: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(evaluate(size, sizes) for size in told.dims)


def refused(found: Accepted, module: nn.Module, sizes: Mapping[str, int]) -> bool:
    """Whether torch will not run the module at these sizes, or gives what was not inferred."""
    try:
        run(found, module, sizes)
    except Exception:  # noqa: BLE001 - torch raises of every kind
        return True
    return False


# What is said without running -----------------------------------------------------


def counted(found: Accepted, module: nn.Module) -> None:
    """The parameters, counted three ways."""
    assert found.report.cost is not None
    cost = count_cost(found.graph).parameters
    assert cost == found.report.cost.parameters
    assert cost == sum(p.numel() for p in module.parameters())
    assert all(p.requires_grad for p in module.parameters())


def named(found: Accepted, module: nn.Module) -> None:
    """The state_dict has the names of the graph, shapes too."""
    graph = found.graph
    wanted: dict[str, tuple[int, ...]] = {}
    for node in graph:
        if node not in live_nodes(graph):
            continue
        inputs = [type_of(graph, s) for s in inputs_of(graph, node)]
        for name, shape in op_of(graph, node).weights(inputs).items():
            wanted[".".join(part for part in (graph.nodes[node]["path"], name) if part)] = shape
    state = module.state_dict()
    buffers = {name for name, _ in module.named_buffers()}
    got = {name: tuple(t.shape) for name, t in state.items() if name not in buffers}
    assert got == wanted
    modules = {d["path"] for _, d in graph.nodes(data=True)}
    assert all(name.rpartition(".")[0] in modules for name in buffers)


def standalone(found: Accepted, module: nn.Module) -> None:
    """The source, executed where there is torch alone, gives the same module."""
    text = found.generated.text
    assert "archdsl" not in text.replace("written by archdsl", "")
    space = types.ModuleType("standalone")
    with nothing_of_ours():
        exec(compile(text, "standalone.py", "exec"), space.__dict__)
    other: nn.Module = getattr(space, found.generated.class_name)()
    other.load_state_dict(module.state_dict(), strict=True)
    assert [n for n, _ in other.named_modules()] == [n for n, _ in module.named_modules()]
    sizes = some_sizes(found)
    if sizes is None:
        return
    given = samples(found, sizes, BATCH)
    with torch.no_grad():
        for one, two in zip(
            tensors(module.eval()(*given)), tensors(other.eval()(*given)), strict=True
        ):
            torch.testing.assert_close(one, two, rtol=0, atol=0, equal_nan=True)


def some_sizes(found: Accepted) -> Mapping[str, int] | None:
    """Values of the free sizes that meet the conditions; None where none was found."""
    solution = found.report.conditions
    assert solution is not None
    return next(iter(solution.examples(1)), None) if solution.names else {}


@contextmanager
def nothing_of_ours() -> Iterator[None]:
    """What is executed here cannot import archdsl."""
    import builtins

    real = builtins.__import__

    def guarded(name: str, *rest: Any, **named: Any) -> Any:
        assert not name.startswith("archdsl"), f"the source imports {name}"
        return real(name, *rest, **named)

    builtins.__import__ = guarded
    try:
        yield
    finally:
        builtins.__import__ = real


def tensors(given: Any) -> list[torch.Tensor]:
    return [y for y in given if y is not None] if isinstance(given, tuple) else [given]


def reread(found: Accepted) -> None:
    """The canonical text says the same, and is its own canonical text."""
    text = format_source(parse(Source("text.arch", found.text)))
    assert format_source(parse(Source("text.arch", text))) == text
    again = archdsl.loads(text).elaborate()
    assert said(again.graph) == said(found.graph)


SHARED = re.compile(r"repeat ([1-9]) shared")


def shared_once(found: Accepted) -> None:
    """What is repeated with shared weights has the modules that it has where it runs once."""
    text, changed = SHARED.subn("repeat 1 shared", found.text)
    if not changed:
        return
    once = archdsl.loads(text).elaborate()
    if not once.failed:  # a condition may look at how large it has become
        assert paths(once.graph) == paths(found.graph)


def paths(graph: Graph) -> set[str]:
    return {data["path"] for _, data in graph.nodes(data=True)}


def said(graph: Graph) -> list[Any]:
    """What a graph says, without the places in its text."""
    nodes = [
        (n, d["op"], d["args"], d["types"], d["path"], d["scope"], d["names"], d["loop"])
        for n, d in graph.nodes(data=True)
    ]
    return [nodes, sorted(graph.edges(data="output"), key=str)]


def inferred_again(found: Accepted) -> None:
    """The pass over a finished graph finds the same types and conditions, and changes nothing."""
    again = infer_shapes(found.graph)
    assert said(again) == said(found.graph)
    one, two = (g.graph["conditions"] for g in (found.graph, again))
    assert {(c.kind, str(c.left), str(c.right)) for c in one} == {
        (c.kind, str(c.left), str(c.right)) for c in two
    }
    assert nx.utils.graphs_equal(nx.MultiDiGraph(again.edges), nx.MultiDiGraph(found.graph.edges))
