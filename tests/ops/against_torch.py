"""A layer beside torch: its code built and called by hand, its shapes and weights compared.

What the source backend does with care is done here in the plainest way, so that a test of a
layer depends on nothing but the layer.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  # as torch's own documentation has it
from torch import nn

import archdsl.ops  # noqa: F401  # fills the registry
from archdsl.backends import torch_probe
from archdsl.dims import Size, evaluate, symbol
from archdsl.ops import foreign
from archdsl.ops.arguments import Choice
from archdsl.ops.op import Need, Op, Tensor, build, find, signature
from archdsl.ops.torch_text import Code, Construct, Verbatim

BATCH = 3

foreign.set_probe(torch_probe.probe)  # nn.… layers ask torch


def make(name: str, /, **arguments: Any) -> Op:
    """A layer by its name, with its arguments checked."""
    cls = find(name)
    assert cls is not None, name
    return build(cls, arguments)


def infer(op: Op, *inputs: Tensor) -> tuple[tuple[Tensor, ...], Need]:
    need = Need()
    return op.infer(inputs, need), need


def read_shape(text: str) -> Tensor:
    """``[16, H]`` or ``int[T]``, as an ``input`` statement writes it."""
    dtype, _, inside = text.rstrip("]").partition("[")
    words = [word.strip() for word in inside.split(",") if word.strip()]
    dims: list[Size] = [int(word) if word.isdigit() else symbol(word) for word in words]
    return Tensor(tuple(dims), dtype or "float")  # type: ignore[arg-type]  # as written


def read_call(text: str, it: Tensor) -> tuple[Op, list[Tensor]]:
    """The layer that a call such as ``concat(it, it, axis = 2)`` means, and its inputs."""
    tree = ast.parse(text, mode="eval").body
    name, given, named = tree, [], []
    if isinstance(tree, ast.Call):
        name, given, named = tree.func, tree.args, tree.keywords
    values = [_value(node) for node in given]
    if isinstance(name, ast.Attribute):  # nn.Hardswish(): the module is the first argument
        values.insert(0, name.attr)
        name = name.value
    assert isinstance(name, ast.Name)
    cls = find(name.id)
    assert cls is not None, name.id
    tensors = [it for value in values if value == Choice("it")]
    plain = [value for value in values if value != Choice("it")]
    arguments: dict[str, Any] = {}
    for index, parameter in enumerate(signature(cls)):
        if parameter.name == cls.rest and index < len(plain):
            arguments[parameter.name] = tuple(plain[index:])
        elif cls.rest not in arguments and index < len(plain):
            arguments[parameter.name] = plain[index]
    for keyword in named:
        assert keyword.arg is not None
        if keyword.arg in cls.inputs:
            tensors.append(it)
        else:
            arguments[keyword.arg] = _value(keyword.value)
    missing = len(cls.inputs) - cls.optional_inputs - len(tensors)
    if not cls.source and not cls.variadic and missing == 1:
        tensors.insert(0, it)  # what the pipeline gives
    return build(cls, arguments), tensors


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Name):
        return {"true": True, "false": False, "none": None}.get(node.id, Choice(node.id))
    if isinstance(node, ast.Tuple):
        return tuple(_value(item) for item in node.elts)
    if isinstance(node, ast.List):
        return [_value(item) for item in node.elts]
    return ast.literal_eval(node)


def write(value: Any) -> str:
    """A value of a constructor as Python text."""
    if isinstance(value, Verbatim):
        return value.text
    if isinstance(value, Construct):
        given = [
            f"{a.keyword}={write(a.value)}" if a.keyword else write(a.value)
            for a in value.arguments
            if not a.omitted
        ]
        return f"{value.callee}({', '.join(given)})"
    return repr(value)


class Written:
    """The code of a layer, made to run."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.names: dict[str, Any] = {"torch": torch, "nn": nn, "F": F}
        for line in (*code.imports, *code.helpers.values()):
            exec(line, self.names)
        self.module: Any = None
        if code.module is not None:
            self.module = eval(write(code.module), self.names)
        self.names["module"] = self.module

    def parameters(self) -> dict[str, tuple[int, ...]]:
        if isinstance(self.module, nn.Parameter):
            return {"": tuple(self.module.shape)}
        if self.module is None:
            return {}
        return {name: tuple(p.shape) for name, p in self.module.named_parameters()}

    def train(self, mode: bool) -> None:
        if isinstance(self.module, nn.Module):
            self.module.train(mode)

    def run(self, inputs: Sequence[torch.Tensor], *, count: int) -> list[torch.Tensor]:
        return self._run(self.code.call, inputs, count)

    def run_function(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return self._run(self.code.function, inputs, 1)[0]

    def _run(self, text: str, inputs: Sequence[torch.Tensor], count: int) -> list[torch.Tensor]:
        places = [f"x{i}" for i in range(len(inputs))]
        constants = {name: write(value) for name, value in self.code.constants.items()}
        call = text.format(*places, self="module", **constants)
        results = [f"y{i}" for i in range(count)]
        names = {**self.names, **dict(zip(places, inputs, strict=True))}
        exec(f"{self.code.targets.format(*results)} = {call}", names)
        for index, after in self.code.after.items():
            names[f"y{index}"] = eval(after.format(f"y{index}"), names)
        return [names[name] for name in results]


def full_shape(tensor: Tensor, batch: int = BATCH) -> tuple[Size, ...]:
    first: dict[str, tuple[int, ...]] = {"free": (batch,), "one": (1,), "none": ()}
    return (*first[tensor.batch], *tensor.dims)


def random_tensor(tensor: Tensor, batch: int = BATCH) -> torch.Tensor:
    extents = full_shape(tensor, batch)
    assert all(isinstance(extent, int) for extent in extents)
    if tensor.dtype == "float":
        return torch.randn(extents, requires_grad=True)  # type: ignore[arg-type]  # checked
    return torch.randint(0, 2, extents)  # type: ignore[arg-type]  # checked


def concrete(tensor: Tensor, sizes: Mapping[str, int]) -> Tensor:
    """The type where the free sizes have these values."""
    return replace(tensor, dims=tuple(evaluate(size, sizes) for size in tensor.dims))


@dataclass
class Run:
    """What came of a forward and a backward pass."""

    written: Written
    outputs: list[torch.Tensor]


def run_torch(
    op: Op,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    *,
    batch: int = BATCH,
    sizes: Mapping[str, int] | None = None,
    count: int | None = None,
) -> Run:
    """The layer's code built, and run forwards and backwards, and in evaluation.

    Without gradients torch may take another way through a layer, with checks of its own.
    """
    written = Written(op.code(inputs, outputs))
    given = [random_tensor(concrete(x, sizes or {}), batch) for x in inputs]
    count = len(outputs) if count is None else count
    results = written.run(given, count=count)
    loss = [y.float().sum() for y in results if y.requires_grad]
    if loss:
        torch.stack(loss).sum().backward()  # type: ignore[no-untyped-call]
    written.train(False)
    with torch.no_grad():
        evaluated = written.run(given, count=count)
    assert [y.shape for y in evaluated] == [y.shape for y in results]
    return Run(written, results)


def check(
    op: Op, *inputs: Tensor, sizes: Mapping[str, int] | None = None, batch: int | None = None
) -> list[torch.Tensor]:
    """Infer, run, and compare shapes, dtypes and weights; return what torch gave."""
    outputs, _ = infer(op, *inputs)
    batch = batch or max(BATCH, op.least_batch(inputs))
    run = run_torch(op, inputs, outputs, batch=batch, sizes=sizes)
    for told, got in zip(outputs, run.outputs, strict=True):
        wanted = full_shape(concrete(told, sizes or {}), batch)
        assert tuple(got.shape) == wanted, f"{op}: {inputs} gives {tuple(got.shape)}, not {told}"
        assert got.is_floating_point() == (told.dtype == "float")
    assert run.written.parameters() == op.weights(inputs)
    return run.outputs
