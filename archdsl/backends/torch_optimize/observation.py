"""What flows through a traced graph: the sizes and the kind of numbers at every node."""

from __future__ import annotations

from typing import Any

from torch import Size, Tensor, fx


class _Observer(fx.Interpreter):
    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        if isinstance(value, Tensor):
            n.meta["tensor"] = (value.shape, value.is_floating_point())
        return value


def observe(module: fx.GraphModule, arguments: tuple[object, ...]) -> None:
    """Run the graph once, and note at its nodes what :func:`shape` and :func:`is_floating` tell."""
    _Observer(module).run(*arguments)


def shape(node: object) -> Size | None:
    """The sizes of a node's tensor; None of what is no tensor."""
    return node.meta["tensor"][0] if isinstance(node, fx.Node) and "tensor" in node.meta else None


def rank(node: object) -> int | None:
    """How many axes a node's tensor has; None of what is no tensor."""
    sizes = shape(node)
    return None if sizes is None else len(sizes)


def is_floating(node: object) -> bool:
    """Whether a node gives a tensor of floating-point numbers."""
    return isinstance(node, fx.Node) and bool(node.meta.get("tensor", (0, False))[1])
