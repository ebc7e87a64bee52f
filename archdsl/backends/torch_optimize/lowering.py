"""Layers as calls of functions, their weights on one level.

A layer's ``__call__`` and the way to it through the tree of modules cost microseconds each, which
in a small network is most of the time.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, fx, nn

from archdsl.backends.torch_optimize.tracing import Tracer, has_hooks

# Those whose forward is one call of a function in evaluation, whatever the size of the input.
_INLINED = {
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear, nn.Embedding),
    *(nn.LayerNorm, nn.GroupNorm),
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.SiLU, nn.GELU, nn.Mish, nn.Hardtanh),
    *(nn.Sigmoid, nn.Tanh, nn.Hardsigmoid, nn.Hardswish, nn.Softmax),
    *(nn.MaxPool1d, nn.MaxPool2d, nn.AvgPool1d, nn.AvgPool2d, nn.Flatten),
    *(nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d),
}


class _Lowering(Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        # Padding by anything but zeros is arithmetic in Python each time; it may stay where it is.
        padded = getattr(m, "padding_mode", "zeros") != "zeros"
        return has_hooks(m) or type(m) not in _INLINED or padded


def lower_modules(traced: fx.GraphModule) -> fx.GraphModule:
    """The same graph with functions for layers; its parameters are named as before, but with «_».

    ``layer1.0.conv1.weight`` is ``layer1_0_conv1_weight`` then. What is no simple layer stays a
    module under the name that it had.
    """
    tracer = _Lowering()
    graph = tracer.trace(traced)
    attributes: dict[str, Any] = {}
    flat: dict[str, str] = {}
    for node in graph.nodes:
        target = str(node.target)
        if node.op == "call_module":
            attributes[target] = traced.get_submodule(target)
    for node in graph.nodes:
        if node.op != "get_attr":
            continue
        target = str(node.target)
        if target not in flat:
            flat[target] = _unused(target.replace(".", "_"), attributes)
            attributes[flat[target]] = _attribute(traced, target)
        node.target = flat[target]
    _name_functions(graph)
    return fx.GraphModule(attributes, graph, class_name=f"Optimized{type(traced).__name__}")


def _name_functions(graph: fx.Graph) -> None:
    """torch.relu for F.relu: the same without a detour through Python."""
    for node in graph.nodes:
        if node.op == "call_function" and node.target is F.relu:
            overwrites = node.kwargs.get("inplace", False) or True in node.args
            node.target = torch.relu_ if overwrites else torch.relu
            node.args, node.kwargs = (node.all_input_nodes[0],), {}


def _unused(name: str, taken: dict[str, Any]) -> str:
    heads = {key.partition(".")[0] for key in taken}
    while name in heads or hasattr(nn.Module, name):
        name += "_"
    return name


def _attribute(traced: fx.GraphModule, target: str) -> Tensor:
    owner, _, name = target.rpartition(".")
    value = getattr(traced.get_submodule(owner), name)
    assert isinstance(value, Tensor), "a graph's attributes are tensors"
    return value
