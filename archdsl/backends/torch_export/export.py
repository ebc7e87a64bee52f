"""A graph as an ONNX file: its module, exported with the batch and the free sizes left open."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends.torch_export.open_layers import open_layers
from archdsl.backends.torch_module import make_module
from archdsl.conditions import Solution
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.dims import Dim, Size, evaluate, show, symbol, symbols
from archdsl.graph import (
    Graph,
    Source,
    connect,
    in_order,
    inputs_of,
    new_graph,
    type_of,
    types_into,
)
from archdsl.ops.op import Tensor as TensorType
from archdsl.output import file_and_others, write_file
from archdsl.passes.shapes import conditions_of, infer_shapes, input_types, output_types

LARGEST = 2**31 - 2**24  # what a protobuf holds, with room for the graph beside the weights
_TRACED_BATCH = 2  # torch.export takes a size of 1 for one that never changes


def export_onnx(
    graph: Graph, *, weights: Mapping[str, Tensor] | str | os.PathLike[str] | None = None
) -> bytes:
    """The network in evaluation mode as the bytes of an ONNX file.

    Inputs and outputs bear the names of the specification; the batch is called ``batch``,
    a free size by its own name. ArchError for weights of more than 2 GB, for which it has no room,
    and for what torch cannot export.
    """
    module = _module(graph, weights)
    size = _size(module)
    if size > LARGEST:
        message = f"the weights take {size / 2**30:.1f} GB, and an ONNX file holds 2 GB at most"
        help = (
            "write it to a file, by archdsl.write_onnx or -o: they lie in a second file beside it"
        )
        raise ArchError([Diagnostic("too-large", message, help=help)])
    content: bytes = _program(graph, module).model_proto.SerializeToString()
    return content


def write_onnx(
    graph: Graph,
    path: str | os.PathLike[str],
    *,
    weights: Mapping[str, Tensor] | str | os.PathLike[str] | None = None,
) -> None:
    """Write what :func:`export_onnx` gives to a file.

    Where the weights take more than 2 GB they lie beside it, in a file of its name with ``.data``
    behind it: ONNX's external data. ArchError, ``unwritable-file``, where it cannot be written.
    """
    module = _module(graph, weights)
    program = _program(graph, module)
    if _size(module) <= LARGEST:
        write_file(path, program.model_proto.SerializeToString())
        return
    del module
    with file_and_others(path) as unfinished, _quiet():
        program.save(unfinished, external_data=True)


def _module(
    graph: Graph, weights: Mapping[str, Tensor] | str | os.PathLike[str] | None
) -> nn.Module:
    _need_packages()
    module = make_module(graph, weights=weights, traced=_has_open_scans(graph))
    return module.eval().requires_grad_(False)  # scans inside one another have no derivative yet


def _program(graph: Graph, module: nn.Module) -> Any:
    """What torch's exporter makes of the network's module."""
    names = [n for n in output_types(graph) if not _in_training(graph, n)]
    try:
        return _export(graph, module, names)
    except Exception as problem:  # whatever the exporter's passes raise
        raise _failed(graph, problem) from problem


def _export(graph: Graph, module: nn.Module, outputs: list[str]) -> Any:
    types = input_types(graph)
    sizes = _example_sizes(conditions_of(graph), types.values())
    open_layers(module, sizes=bool(sizes))
    with _quiet():
        return torch.onnx.export(
            module,
            tuple(_example(kind, sizes) for kind in types.values()),
            dynamo=True,
            verbose=False,
            input_names=list(types),
            output_names=outputs,
            dynamic_shapes=tuple(_open_sizes(kind) for kind in types.values()),
        )


def _need_packages() -> None:
    try:
        with _quiet():
            import onnx  # noqa: F401 - asked for, not used: torch imports it
            import onnxscript  # noqa: F401 - as above
    except ImportError as missing:
        raise ArchError(
            [
                Diagnostic(
                    "no-onnx",
                    f"writing ONNX needs the package {missing.name}, which is not installed",
                    help="pip install 'archdsl[onnx]'",
                )
            ]
        ) from None


def _has_open_scans(graph: Graph) -> bool:
    """Whether the number of some scan's steps is free.

    A loop in Python, traced, has as many steps as it had then.
    """
    loops = {data["loop"] for _, data in graph.nodes(data=True) if data.get("loop") is not None}
    steps = [type_of(graph, inputs_of(graph, loop)[0]).dims[0] for loop in loops]
    return any(symbols(size) for size in steps)


def _size(module: nn.Module) -> int:
    return sum(t.nbytes for t in [*module.parameters(), *module.buffers()])


def _example_sizes(solution: Solution, types: Iterable[TensorType]) -> dict[str, int]:
    """Free sizes to export at. The export is for all sizes, but is made at some.

    They differ, and are large, so that torch takes no two for one, and none on the way for a
    size of 1, which it would fix.
    """
    images = any(kind.rank > 2 for kind in types)
    for base in (224, 128, 64, 32) if images else (32, 64, 128):
        sizes = {name: base + 32 * i for i, name in enumerate(solution.names)}
        if solution.admits(sizes):
            return sizes
    return max(solution.examples(200), key=lambda sizes: sum(sizes.values()), default={})


def _example(kind: TensorType, sizes: Mapping[str, int]) -> Tensor:
    shape = [_TRACED_BATCH, *(int(evaluate(size, dict(sizes))) for size in kind.dims)]
    if kind.dtype == "float":
        return torch.rand(shape)
    return torch.zeros(shape, dtype=torch.int64)


def _open_sizes(kind: TensorType) -> dict[int, str]:
    """The axes whose size is left open, with its name."""
    free = {i: show(size) for i, size in enumerate(kind.dims, 1) if symbols(size)}
    return {0: "batch", **free}


def _in_training(graph: Graph, output: str) -> bool:
    """Whether an output is given while training alone."""
    return any(
        data["op"] == "output" and data["args"].get("training")
        for node, data in graph.nodes(data=True)
        if (data.get("names") or (node,))[0] == output
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without what torch's exporter says of itself: packages it can do without, its own past."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def _failed(graph: Graph, problem: Exception) -> ArchError:
    """What the exporter said at the root of its troubles, less its advice on how to call it."""
    cause: BaseException = problem
    while cause.__cause__ is not None:
        cause = cause.__cause__
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    said = tuple(line[:300] for line in lines[:3]) or (type(cause).__name__,)
    notes = tuple(f"torch says: {line}" for line in said)
    name = graph.graph.get("name") or "the network"
    help = "if this is of a free size, give it a number in the input"
    node = _culprit(graph)
    if node is None:
        message = f"torch cannot write {name} as ONNX"
        return ArchError([Diagnostic("onnx-failed", message, notes=notes, help=help)])
    data = graph.nodes[node]
    taken = ", ".join(str(kind) for kind in types_into(graph)[node])
    return ArchError(
        [
            Diagnostic(
                "onnx-failed",
                f"torch cannot write {name} as ONNX: not the layer {data['op']}, of {taken}",
                span=data.get("span"),
                notes=(f"at node {node}", *notes),
                calls=tuple(str(call) for call in reversed(data.get("calls") or ())),
                help=help,
            )
        ]
    )


def _culprit(graph: Graph) -> str | None:
    """The first layer that cannot be written alone either, each kind of layer tried once."""
    tried: set[tuple[str, str, tuple[TensorType, ...]]] = set()
    taken = types_into(graph)
    for node in in_order(graph):
        data = graph.nodes[node]
        key = (data["op"], repr(sorted(data["args"].items())), taken[node])
        if data["op"] in {"input", "output"} or data.get("loop") is not None or key in tried:
            continue
        if not taken[node] or any(kind.batch != "free" for kind in taken[node]):
            continue
        tried.add(key)
        try:
            alone = _alone(graph, node, taken[node])
        except ArchError:
            continue  # it needs its neighbours
        try:
            _export(alone, make_module(alone).eval(), list(output_types(alone)))
        except Exception:  # noqa: BLE001  # whatever the exporter's passes raise
            return node
    return None


def _alone(graph: Graph, node: str, taken: tuple[TensorType, ...]) -> Graph:
    """A network of this layer, with inputs of its own; each size that is free has a new name."""
    alone = new_graph("alone")
    fresh: dict[Size, Dim] = {}
    for i, kind in enumerate(taken):
        dims = tuple(
            size if isinstance(size, int) else fresh.setdefault(size, symbol(f"S{len(fresh)}"))
            for size in kind.dims
        )
        prefix = {} if kind.dtype == "float" else {"dtype": kind.dtype}
        alone.add_node(f"x{i}", op="input", args={"sizes": dims, **prefix})
    alone.add_node("layer", op=graph.nodes[node]["op"], args=graph.nodes[node]["args"])
    connect(alone, "layer", [Source(f"x{i}") for i in range(len(taken))])
    alone.add_node("output", op="output", args={})
    connect(alone, "output", [Source("layer")])
    return infer_shapes(alone)
