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

from archdsl.backends.torch_module import make_module
from archdsl.conditions import Solution
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.dims import evaluate, show, symbols
from archdsl.graph import Graph, inputs_of, type_of
from archdsl.ops.op import Tensor as TensorType
from archdsl.passes.shapes import conditions_of, input_types, output_types

LARGEST = 2**31 - 2**24  # what a protobuf holds, with room for the graph beside the weights
_TRACED_BATCH = 2  # torch.export takes a size of 1 for one that never changes


def export_onnx(
    graph: Graph, *, weights: Mapping[str, Tensor] | str | os.PathLike[str] | None = None
) -> bytes:
    """The network in evaluation mode as the bytes of an ONNX file.

    Inputs and outputs bear the names of the specification; the batch is called ``batch``,
    a free size by its own name.
    """
    _need_packages()
    _need_steps(graph)
    module = make_module(graph, weights=weights).eval()
    _need_room(module)
    types = input_types(graph)
    sizes = _example_sizes(conditions_of(graph), types.values())
    examples = tuple(_example(kind, sizes) for kind in types.values())
    names = [n for n in output_types(graph) if not _in_training(graph, n)]
    try:
        with _quiet():
            program: Any = torch.onnx.export(
                module,
                examples,
                dynamo=True,
                verbose=False,
                input_names=list(types),
                output_names=names,
                dynamic_shapes=tuple(_open_sizes(kind) for kind in types.values()),
            )
            data: bytes = program.model_proto.SerializeToString()
    except Exception as problem:  # whatever the exporter's passes raise
        raise _failed(graph, problem) from problem
    return data


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


def _need_steps(graph: Graph) -> None:
    """A scan is a loop in Python: traced, it has as many steps as it had then."""
    for node, data in graph.nodes(data=True):
        if data.get("loop") is None:
            continue
        steps = type_of(graph, inputs_of(graph, data["loop"])[0]).dims[0]
        if symbols(steps):
            span = graph.nodes[data["loop"]].get("span")
            raise ArchError(
                [
                    Diagnostic(
                        "onnx-failed",
                        "ONNX needs to know how many steps a scan has",
                        span=span,
                        text=f"it has {show(steps)} steps",
                        notes=() if span else (f"at node {node}",),
                        help="give the size a number in the input, or use a recurrent layer",
                    )
                ]
            )


def _need_room(module: nn.Module) -> None:
    size = sum(t.nbytes for t in [*module.parameters(), *module.buffers()])
    if size > LARGEST:
        message = f"the weights take {size / 2**30:.1f} GB, and an ONNX file holds 2 GB at most"
        raise ArchError([Diagnostic("too-large", message)])


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
    name = graph.graph.get("name") or "the network"
    return ArchError(
        [
            Diagnostic(
                "onnx-failed",
                f"torch cannot write {name} as ONNX",
                notes=tuple(f"torch says: {line}" for line in said),
                help="if this is of a free size, give it a number in the input",
            )
        ]
    )
