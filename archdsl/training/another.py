"""Makes one more network of a kind that is there, newly initialized."""

from __future__ import annotations

import inspect
from copy import deepcopy

from torch import nn

from archdsl.diagnostics import ArchError, Diagnostic

_RESETS = ("reset_parameters", "_reset_parameters")  # the second is that of attention layers


def another(network: nn.Module) -> nn.Module:
    """A network like this one with weights of its own, drawn from torch's generator.

    Its class makes it where that takes nothing; else it is a copy of which every layer is reset.
    Raises ArchError for one that holds weights and cannot be reset.
    """
    if not inspect.signature(type(network)).parameters:
        made: nn.Module = type(network)()
        if _shapes(made) == _shapes(network):
            return made
    copy = deepcopy(network)
    for layer in reversed(list(copy.modules())):  # what holds others may reset them its own way
        reset = next((getattr(layer, name) for name in _RESETS if hasattr(layer, name)), None)
        if reset is not None:
            reset()
        elif any(True for _ in layer.parameters(recurse=False)):
            raise _not_reset(type(layer).__name__)
    return copy


def _shapes(network: nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in network.state_dict().items()}


def _not_reset(layer: str) -> ArchError:
    message = f"an ensemble and folds need more networks of the kind, and {layer} cannot be reset"
    help = f"give {layer} a method reset_parameters, or train each network by itself"
    return ArchError([Diagnostic("bad-setting", message, help=help)])
