"""The module of a graph, initialized or with the weights it is given."""

from __future__ import annotations

import os
from collections.abc import Mapping

from torch import Tensor, nn

from archdsl.backends.torch_module.skeleton import build_with
from archdsl.backends.torch_module.weights import read_weights
from archdsl.backends.torch_module.written import written_network
from archdsl.collector import collection_paused
from archdsl.graph import Graph


def make_module(
    graph: Graph,
    *,
    weights: Mapping[str, Tensor] | str | os.PathLike[str] | None = None,
    checked: bool = True,
    inplace: bool = False,
    traced: bool = False,
) -> nn.Module:
    """The module of a graph, freshly initialized or with the given weights.

    ``weights`` is a state_dict, or a file of one (``.safetensors``, or saved by
    ``torch.save`` and read as weights alone, so that it never runs code). They must fit
    exactly, names and shapes; a parameter that two layers share may be given under one
    name or under each. Nothing is initialized then. The tensors are copied, not shared, and
    keep their dtype and device, so that half-precision weights make a half-precision module.

    With ``inplace``, activations write over what nobody else reads, as ``nn.ReLU(inplace=True)``;
    ``traced`` is for exporters, as in :func:`archdsl.backends.torch_source.generate`.

    The source of a graph is written once: the same graph again, until it is edited, gives a
    module of the same class. A graph that is not ``checked``, as one that was edited, is first.
    Raises ArchError for such a graph that is unsound, and for weights that do not fit.
    """
    with collection_paused():
        network = written_network(graph, checked=checked, inplace=inplace, traced=traced)
        if weights is None:
            module: nn.Module = network.cls()
            return module
        return build_with(network, read_weights(weights))
