"""Activations and sums that overwrite what no one else will read."""

from __future__ import annotations

import inspect
import operator
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, fx, nn
from torch.overrides import handle_torch_function, has_torch_function

from archdsl.backends.torch_optimize.observation import is_floating, observe
from archdsl.backends.torch_optimize.packing import PackedConvolution
from archdsl.backends.torch_optimize.tracing import has_hooks

# What gives a tensor of its own whatever it is given: never its input, nor a view of it.
_FRESH: set[Any] = {
    *(torch.conv1d, torch.conv2d, torch.conv3d),
    *(F.linear, F.layer_norm, F.group_norm, torch.cat, torch.relu),
    *(operator.add, operator.sub, operator.mul, operator.matmul, torch.add, torch.matmul),
}
_SUMS = (operator.add, torch.add)
_FRESH_LAYERS = {
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d),
    PackedConvolution,
}
_OVERWRITING: dict[Any, Any] = {
    torch.relu: torch.relu_,
    torch.sigmoid: torch.sigmoid_,
    torch.tanh: torch.tanh_,
}
_METHODS = {"relu": "relu_", "sigmoid": "sigmoid_", "tanh": "tanh_"}
_TAKE_INPLACE = {F.relu6, F.leaky_relu, F.elu, F.selu, F.silu, F.mish, F.hardtanh, F.hardswish}


def add_into(total: Tensor, other: Tensor) -> Tensor:
    """The sum, in the memory of ``total`` where it has room for it."""
    if has_torch_function((total, other)):  # traced again, as when unpickled: it stays one call
        result: Tensor = handle_torch_function(add_into, (total, other), total, other)
        return result
    if total.shape == other.shape and total.dtype == other.dtype:
        return total.add_(other)
    return total + other


def overwrite_unread(lowered: fx.GraphModule, arguments: tuple[object, ...]) -> None:
    """Let operations write into their operand, where that is a tensor that nothing else reads.

    The operand must have been made in this graph by an operation that returns no input and no view
    of one; so neither what the caller gave nor a weight is ever written to.
    """
    observe(lowered, arguments)
    own: set[fx.Node] = set()  # the nodes whose memory is theirs, or that of what they overwrote
    for node in lowered.graph.nodes:
        if node.op == "output" or not is_floating(node):
            continue
        if _overwrite(node, own) or _add_into_operand(node, own) or _is_fresh(lowered, node):
            own.add(node)
    lowered.recompile()


def _overwrite(node: fx.Node, own: set[fx.Node]) -> bool:
    """Have an activation write in place if it may; whether it does."""
    if not node.args or not _is_spare(node.args[0], own):
        return False
    if node.op == "call_method" and node.target in _METHODS:
        node.target = _METHODS[str(node.target)]
    elif node.op == "call_function" and node.target in _OVERWRITING:
        node.target = _OVERWRITING[node.target]
    elif node.op == "call_function" and node.target in _TAKE_INPLACE:
        assert callable(node.target)
        bound = inspect.signature(node.target).bind(*node.args, **node.kwargs)
        bound.arguments["inplace"] = True
        node.args, node.kwargs = bound.args, bound.kwargs
    else:
        return False
    return True


def _add_into_operand(node: fx.Node, own: set[fx.Node]) -> bool:
    """Have a sum of two tensors write into one of them if it may; whether it does."""
    if node.target not in _SUMS or len(node.args) != 2 or node.kwargs:
        return False
    if not all(is_floating(operand) for operand in node.args):
        return False
    first, second = node.args
    if not _is_spare(second, own):
        first, second = second, first
    if not _is_spare(second, own):
        return False
    node.target, node.args = add_into, (second, first)
    return True


def _is_spare(operand: object, own: set[fx.Node]) -> bool:
    return isinstance(operand, fx.Node) and operand in own and len(operand.users) == 1


def _is_fresh(lowered: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        layer = lowered.get_submodule(str(node.target))
        return type(layer) in _FRESH_LAYERS and not has_hooks(layer)
    return node.op == "call_function" and node.target in _FRESH
