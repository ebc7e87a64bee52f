"""A module's computation as a graph of torch.fx, as deep as it can be followed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from torch import fx, nn

from archdsl.backends.torch_optimize.refusal import first_line

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Untraceable(Exception):
    """Why the outermost ``forward`` cannot be traced."""


def has_hooks(module: nn.Module) -> bool:
    """Whether something is to happen whenever the module is called; that holds it together."""
    return any(getattr(module, name, None) for name in _HOOKS)


def trace(module: nn.Module) -> fx.GraphModule:
    """The module as a graph; the layers of ``torch.nn`` are nodes, and so is what has hooks.

    A part whose ``forward`` asks for more than a graph can say (a loop over the time steps of its
    input, a choice by a value) stays one node, which runs as it did. Untraceable, where that is
    the whole module.
    """
    tracer = Tracer(autowrap_functions=_own_functions(module))
    try:
        graph = tracer.trace(module)
    except Exception as problem:
        raise Untraceable(first_line(problem)) from problem
    for node in graph.nodes:
        if isinstance(node.type, str):  # an annotation that is text: pickle would look for its name
            node.type = None
    return fx.GraphModule(tracer.root, graph, class_name=type(module).__name__)


class Tracer(fx.Tracer):
    """Follows a module as deep as it can; where it cannot, the part stays one node."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return has_hooks(m) or super().is_leaf_module(m, module_qualified_name)

    def call_module(
        self,
        m: nn.Module,
        forward: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        before = len(self.graph.nodes)
        try:
            return super().call_module(m, forward, args, kwargs)
        except Exception:  # noqa: BLE001 - whatever a forward makes of a stand-in for its input
            for node in reversed(list(self.graph.nodes)[before:]):
                self.graph.erase_node(node)
            return self.create_proxy("call_module", self.path_of_module(m), args, kwargs)


def _own_functions(module: nn.Module) -> tuple[Callable[..., Any], ...]:
    """The functions beside the classes of the parts: they see sizes, and stay calls as they are."""
    homes = {type(part).__module__ for part in module.modules()}
    homes = {name for name in homes if name.partition(".")[0] != "torch"}
    found = {
        id(value): value
        for name in sorted(homes)
        for value in vars(sys.modules[name]).values()
        if isinstance(value, FunctionType) and value.__module__ == name
    }
    return tuple(found.values())
