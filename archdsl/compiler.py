"""The pipeline on one screen: text, specification, graph, checks, source, module."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx

from archdsl.backends.torch_source import generate
from archdsl.conditions import Solution
from archdsl.diagnostics import ArchError, Diagnostic, Source
from archdsl.elaborate.network import Elaborated
from archdsl.graph import Graph, inputs_of, op_of, type_of
from archdsl.ops import foreign
from archdsl.ops.op import Tensor
from archdsl.passes.cost import Cost, count_cost
from archdsl.passes.shapes import conditions_of, infer_shapes, input_types, output_types
from archdsl.passes.structure import find_leftovers
from archdsl.reference import describe_layer, list_layers
from archdsl.specification import LARGEST_FILE, Specification, load, loads, read
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import format_source
from archdsl.zoo import find_in_zoo, list_zoo

if TYPE_CHECKING:
    from torch import Tensor as TorchTensor
    from torch import nn

Target: TypeAlias = "str | os.PathLike[str] | Graph | Specification"


@dataclass(frozen=True)
class Report:
    """What a check found: the messages; of a sound network its sizes, and what they must meet."""

    name: str
    diagnostics: tuple[Diagnostic, ...] = ()
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    outputs: Mapping[str, Tensor] = field(default_factory=dict)
    conditions: Solution | None = None
    cost: Cost | None = None
    least_batch: int = 1

    @property
    def ok(self) -> bool:
        """Whether the network compiles: there may be warnings."""
        return not any(d.severity == "error" for d in self.diagnostics)

    def __bool__(self) -> bool:
        return self.ok


def check(target: Target, /, **parameters: Any) -> Report:
    """Check a network, and say what is known of it before it runs.

    ``target`` is a graph, or ``"file.arch:network"``, or a specification with one network.
    Mistakes come as the report's diagnostics; ArchError is raised only where there is no
    network to look at (no such file, a syntax error).
    """
    found = _elaborate(target, parameters)
    if isinstance(target, nx.Graph):
        try:
            checked = infer_shapes(found.graph)
            found = Elaborated(checked, tuple(find_leftovers(checked)))
        except ArchError as error:
            found = Elaborated(found.graph, error.diagnostics)
    return report(found)


def report(found: Elaborated) -> Report:
    """What is known of a network that was elaborated."""
    graph = found.graph
    name = str(graph.graph.get("name") or "network")
    if found.failed:
        return Report(name, found.diagnostics)
    return Report(
        name,
        found.diagnostics,
        input_types(graph),
        output_types(graph),
        conditions_of(graph),
        count_cost(graph),
        _least_batch(graph),
    )


def graph(target: Target, /, **parameters: Any) -> Graph:
    """The checked graph of a network: a ``networkx.MultiDiGraph`` to read and to edit."""
    found = _elaborate(target, parameters)
    if found.failed:
        raise ArchError(found.diagnostics)
    return infer_shapes(found.graph) if isinstance(target, nx.Graph) else found.graph


def source(target: Target, /, **parameters: Any) -> str:
    """The PyTorch source of a network, a file of its own that needs torch alone."""
    return generate(graph(target, **parameters)).text


def compile(
    target: Target,
    /,
    *,
    weights: Mapping[str, TorchTensor] | str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> nn.Module:
    """The network as an ``nn.Module``, made by executing its source.

    ``weights`` (a state_dict, or a file of one) takes the place of initialization.
    """
    from archdsl.backends.torch_module import make_module

    return make_module(graph(target, **parameters), weights=weights)


def onnx(
    target: Target,
    /,
    *,
    weights: Mapping[str, TorchTensor] | str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> bytes:
    """The network as the bytes of an ONNX file. Needs the extra: ``pip install archdsl[onnx]``."""
    from archdsl.backends.torch_export import export_onnx

    return export_onnx(graph(target, **parameters), weights=weights)


def fmt(text: str | os.PathLike[str], name: str = "<text>") -> str:
    """A specification as canonical text: what it says, and its comments, stay as they are.

    ``text`` is a specification, or the path of one: a ``Path``, or a name that ends in ``.arch``.
    """
    if not isinstance(text, str) or (text.endswith(".arch") and "\n" not in text):
        name, text = str(text), read(Path(text))
    file = parse(Source(name, text))
    formatted = format_source(file)
    if parse(Source(name, formatted)) != file:
        raise RuntimeError(f"formatting {name} would change what it says")
    return formatted


def layers(name: str | None = None) -> str:
    """The reference page of a layer; without a name, all layers with a line on each."""
    return list_layers() if name is None else describe_layer(name)


def new(name: str | None = None) -> str:
    """The text of a file of the zoo, by its name or a network's; without one, what there is."""
    return list_zoo() if name is None else find_in_zoo(name).text


def _elaborate(target: Target, parameters: Mapping[str, Any]) -> Elaborated:
    if isinstance(target, nx.Graph):
        if not isinstance(target, nx.MultiDiGraph):
            raise ArchError([Diagnostic("bad-graph", "a network is a networkx.MultiDiGraph")])
        if parameters:
            raise ArchError([Diagnostic("unknown-argument", "a graph has its parameters already")])
        return Elaborated(target, ())
    if isinstance(target, Specification):
        return target.elaborate(**parameters)
    path, network = split_target(os.fspath(target))
    return open_specification(path).elaborate(network, **parameters)


def open_specification(path: str) -> Specification:
    """The specification at a path; ``-`` is standard input."""
    return loads(read_input(), "<stdin>") if path == "-" else load(path)


def read_input() -> str:
    """The text on standard input; ArchError where it is none."""
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        return sys.stdin.read() if sys.stdin else ""
    data: bytes = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        raise ArchError([Diagnostic("too-large", "<stdin> is larger than 100 MB")])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        message = f"<stdin> is not UTF-8 text (byte {problem.start})"
        raise ArchError([Diagnostic("unreadable-file", message)]) from None


def split_target(text: str) -> tuple[str, str | None]:
    """``FILE:NETWORK`` as its two parts; a colon of a drive letter is none."""
    head, colon, tail = text.rpartition(":")
    if not colon or (len(head) == 1 and head.isalpha()):
        return text, None
    named = tail.isidentifier() or head.endswith(".arch")
    return (head, tail) if named else (text, None)


def _least_batch(found: Graph) -> int:
    least = 1
    for node in found:
        types = [type_of(found, s) for s in inputs_of(found, node)]
        least = max(least, op_of(found, node).least_batch(types))
    return least


def _ask_torch(*question: Any) -> Any:
    """What a module of torch.nn does to a shape; torch is imported when first asked."""
    from archdsl.backends import torch_probe

    return torch_probe.probe(*question)


foreign.set_probe(_ask_torch)

__all__ = [
    "Report",
    "check",
    "compile",
    "fmt",
    "graph",
    "layers",
    "load",
    "loads",
    "new",
    "onnx",
    "source",
]
