"""Channels-last: images as [N, H, W, C] in memory, as convolutions on most machines like them."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import fx, nn

from archdsl.backends.torch_optimize.observation import is_floating, observe, rank

_LOOK_AT_IMAGES = (torch.conv2d, F.conv_transpose2d, F.max_pool2d, F.avg_pool2d)


def suits_channels_last(model: nn.Module) -> bool:
    """Whether a model of these layers gains from it, as measured on CPUs with oneDNN.

    It has convolutions in 2-D, and none in groups but depthwise ones: between both ends, as in
    ResNeXt, the other layout is faster by a tenth.
    """
    convolutions = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    return bool(convolutions) and all(m.groups in (1, m.in_channels) for m in convolutions)


def lay_out(lowered: fx.GraphModule, arguments: tuple[object, ...], *, channels_last: bool) -> None:
    """Give the weights a layout, and the images that come in; what follows keeps to it.

    https://docs.pytorch.org/tutorials/intermediate/memory_format_tutorial.html
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    for weight in lowered.parameters():
        if weight.dim() == 4:
            weight.data = weight.data.contiguous(memory_format=layout)
    if not channels_last:
        return
    observe(lowered, arguments)
    for node in list(lowered.graph.nodes):
        if node.op != "placeholder" or rank(node) != 4 or not is_floating(node):
            continue
        readers = [user for user in node.users if _looks_at_images(lowered, user)]
        if readers:
            with lowered.graph.inserting_before(readers[0]):
                laid = lowered.graph.call_method("contiguous", (node,), {"memory_format": layout})
            for reader in readers:
                reader.replace_input_with(node, laid)
    lowered.recompile()


def _looks_at_images(lowered: fx.GraphModule, node: fx.Node) -> bool:
    if node.op == "call_module":
        return isinstance(
            lowered.get_submodule(str(node.target)), (nn.modules.conv._ConvNd, nn.BatchNorm2d)
        )
    return node.target in _LOOK_AT_IMAGES
