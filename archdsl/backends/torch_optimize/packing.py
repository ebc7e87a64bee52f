"""Convolutions whose weights lie as oneDNN wants them, instead of being laid out at every call.

A convolution on a CPU is oneDNN's, which has its own layouts for weights, by the sizes of the
input. ``torch.conv2d`` brings the weights into it at each call; for a small image and many
channels that takes longer than the convolution. torch keeps such weights for its compiler
(``torch.ops.mkldnn``), and so they are kept here, beside those that a state_dict holds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

from archdsl.backends.torch_optimize.observation import observe, shape

LEAST = 2_000_000
"""Multiply-adds below which the call itself costs more than what it saves: 20 µs."""
LEAST_CHANNELS = 5  # those of an image have a kernel of their own


class _Kept:
    """Weights in oneDNN's layout: of which weight, for which sizes; and those last met besides."""

    __slots__ = ("met", "packed", "pointer", "shape", "version", "weight")

    def __init__(self) -> None:
        self.packed: Tensor | None = None
        self.shape: torch.Size | None = None
        self.met: torch.Size | None = None
        self.weight: Tensor | None = None
        self.version = self.pointer = -1

    def is_of(self, weight: Tensor) -> bool:
        """Whether what is packed is this weight, as it is now."""
        if weight is not self.weight:
            return False
        return weight._version == self.version and weight.data_ptr() == self.pointer


class PackedConvolution(nn.Module):
    """``torch.conv2d`` with weights laid out for the sizes of input that come again.

    The first input of other sizes runs as usual; when its sizes come again at once, the weights are
    laid out for them. Where anything else is asked than numbers on a CPU (gradients, autocast,
    another device, compiling), and where weights have changed meanwhile, it is ``torch.conv2d``.
    The weight and the bias are given at every call, so that they stay where they are.
    """

    def __init__(
        self, stride: list[int], padding: list[int], dilation: list[int], groups: int
    ) -> None:
        super().__init__()
        self.stride = stride
        self.padding = padding
        self.dilation = dilation
        self.groups = groups
        self._kept = _Kept()

    def extra_repr(self) -> str:
        """What ``print`` shows of it."""
        return (
            f"stride={self.stride}, padding={self.padding}, dilation={self.dilation},"
            f" groups={self.groups}"
        )

    def forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        """The convolution of [N, C, H, W] images."""
        if torch.compiler.is_compiling() or type(x) is not Tensor:
            return self._plain(x, weight, bias)
        kept = self._kept
        if x.shape == kept.shape and kept.is_of(weight) and _asks_for_numbers(x):
            kept.met = None
            result: Tensor = torch.ops.mkldnn._convolution_pointwise(
                *(x, kept.packed, bias, self.padding, self.stride, self.dilation, self.groups),
                *("none", [], ""),
            )
            return result
        if x.shape == kept.met and _asks_for_numbers(x):
            self.pack(weight, x.shape)
        else:
            kept.met = x.shape
        return self._plain(x, weight, bias)

    def _plain(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return torch.conv2d(x, weight, bias, self.stride, self.padding, self.dilation, self.groups)

    def pack(self, weight: Tensor, sizes: torch.Size) -> None:
        """Lay the weights out for inputs of these sizes, where that can be done."""
        kept = self._kept = _Kept()
        if weight.dtype is not torch.float32 or weight.requires_grad or weight.is_inference():
            return
        try:
            kept.packed = torch.ops.mkldnn._reorder_convolution_weight(
                *(weight.detach(), self.padding, self.stride, self.dilation, self.groups),
                list(sizes),
            )
        except (RuntimeError, AttributeError):  # this torch, or this machine, knows no such layout
            return
        kept.shape, kept.weight = sizes, weight
        kept.version, kept.pointer = weight._version, weight.data_ptr()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> PackedConvolution:
        """What ``to`` does with every module: its weights go elsewhere, or become other numbers."""
        self._kept = _Kept()
        moved: PackedConvolution = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # untyped in torch
        return moved

    def __getstate__(self) -> dict[str, Any]:
        """All but the packed weights, which can be neither copied nor saved."""
        return {**self.__dict__, "_kept": _Kept()}


def _asks_for_numbers(x: Tensor) -> bool:
    """Whether numbers alone are wanted, of the kind that weights are packed for."""
    if x.dtype is not torch.float32 or x.device.type != "cpu":
        return False
    if torch.is_grad_enabled() and x.requires_grad:
        return False
    return not (torch.is_autocast_enabled("cpu") or torch._C._get_tracing_state())


def pack_convolutions(lowered: fx.GraphModule, arguments: tuple[object, ...]) -> bool:
    """Have the larger convolutions keep packed weights, for the sizes of the example first.

    Whether there were any. The graph is lowered and laid out already, channels-last.
    """
    if not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # untyped in torch
        return False
    observe(lowered, arguments)
    found = [node for node in lowered.graph.nodes if _is_large(lowered, node)]
    for index, node in enumerate(found):
        x, weight, bias, stride, padding, dilation, groups = node.args
        module = PackedConvolution(_two(stride), _two(padding), _two(dilation), groups)
        sizes = shape(x)
        assert sizes is not None
        module.pack(_weight(lowered, weight), sizes)
        name = f"packed{index}"
        while hasattr(lowered, name):
            name += "_"
        lowered.add_submodule(name, module)
        with lowered.graph.inserting_before(node):
            call = lowered.graph.call_module(name, (x, weight, bias))
        call.meta.update(node.meta)
        node.replace_all_uses_with(call)
        lowered.graph.erase_node(node)
    lowered.recompile()
    return bool(found)


def _is_large(lowered: fx.GraphModule, node: fx.Node) -> bool:
    """Whether it is a convolution of parameters that is worth it."""
    if node.op != "call_function" or node.target is not torch.conv2d or len(node.args) != 7:
        return False
    x, weight = node.args[0], node.args[1]
    sizes, made = shape(x), shape(node)
    if not isinstance(weight, fx.Node) or weight.op != "get_attr" or node.kwargs:
        return False
    if sizes is None or made is None or len(sizes) != 4 or isinstance(node.args[4], str):
        return False
    kernel = _weight(lowered, weight)
    if kernel.dtype is not torch.float32 or sizes[1] < LEAST_CHANNELS:
        return False
    return math.prod(made) * math.prod(kernel.shape[1:]) >= LEAST


def _weight(lowered: fx.GraphModule, node: fx.Node) -> Tensor:
    weight = getattr(lowered, str(node.target))
    assert isinstance(weight, Tensor), "a graph's attributes are tensors"
    return weight


def _two(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)
