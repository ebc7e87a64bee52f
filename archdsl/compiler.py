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
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph
from archdsl.ops import foreign
from archdsl.ops.op import Tensor
from archdsl.passes.cost import Cost, count_cost
from archdsl.passes.shapes import conditions_of, infer_shapes, input_types, output_types
from archdsl.specification import Specification, load, loads

if TYPE_CHECKING:
    from torch import Tensor as TorchTensor
    from torch import nn

Target: TypeAlias = "str | os.PathLike[str] | Graph | Specification"


@dataclass(frozen=True)
class Report:
    """What a check found: the messages, and of a sound network its sizes and what they must meet."""

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


def check(target: Target, **parameters: Any) -> Report:
    """Check a network, and say what is known of it before it runs.

    ``target`` is a graph, or ``"file.arch:network"``, or a specification with one network.
    Mistakes come as the report's diagnostics; ArchError is raised only where there is no
    network to look at (no such file, a syntax error).
    """
    name, graph, diagnostics = _elaborate(target, parameters)
    if any(d.severity == "error" for d in diagnostics):
        return Report(name, diagnostics)
    try:
        graph = _checked(target, graph)
    except ArchError as error:
        return Report(name, (*diagnostics, *error.diagnostics))
    return Report(
        name,
        diagnostics,
        input_types(graph),
        output_types(graph),
        conditions_of(graph),
        count_cost(graph),
        _least_batch(graph),
    )


def graph(target: Target, **parameters: Any) -> Graph:
    """The checked graph of a network: a ``networkx.MultiDiGraph`` to read and to edit."""
    _, found, diagnostics = _elaborate(target, parameters)
    if any(d.severity == "error" for d in diagnostics):
        raise ArchError(diagnostics)
    return _checked(target, found)


def source(target: Target, **parameters: Any) -> str:
    """The PyTorch source of a network, a file of its own that needs torch alone."""
    return generate(graph(target, **parameters)).text


def compile(
    target: Target,
    *,
    weights: Mapping[str, TorchTensor] | str | os.PathLike[str] | None = None,
    **parameters: Any,
) -> nn.Module:
    """The network as an ``nn.Module``, made by executing its source.

    ``weights`` (a state_dict, or a file of one) takes the place of initialization.
    """
    from archdsl.backends.torch_module import make_module

    return make_module(graph(target, **parameters), weights=weights)


def _elaborate(
    target: Target, parameters: Mapping[str, Any]
) -> tuple[str, Graph, tuple[Diagnostic, ...]]:
    if isinstance(target, nx.Graph):
        if not isinstance(target, nx.MultiDiGraph):
            raise ArchError([Diagnostic("bad-graph", "a network is a networkx.MultiDiGraph")])
        if parameters:
            raise ArchError([Diagnostic("unknown-argument", "a graph has its parameters already")])
        return str(target.graph.get("name") or "network"), target, ()
    if isinstance(target, Specification):
        specification, network = target, None
    else:
        path, network = split_target(os.fspath(target))
        specification = loads(sys.stdin.read(), "<stdin>") if path == "-" else load(path)
    found = specification.elaborate(network, **parameters)
    return str(found.graph.graph["name"]), found.graph, found.diagnostics


def _checked(target: Target, found: Graph) -> Graph:
    """A graph from a specification was checked as it grew; one by hand is checked now."""
    return infer_shapes(found) if isinstance(target, nx.Graph) else found


def split_target(text: str) -> tuple[str, str | None]:
    """``FILE:NETWORK`` as its two parts; a colon of a drive letter is none."""
    head, colon, tail = text.rpartition(":")
    if colon and tail.isidentifier() and not (len(head) == 1 and head.isalpha()):
        return head, tail
    return text, None


def _least_batch(found: Graph) -> int:
    from archdsl.graph import inputs_of, op_of, type_of

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

__all__ = ["Path", "Report", "check", "compile", "graph", "load", "loads", "source", "split_target"]
