"""Any module of ``torch.nn`` as a layer: ``nn.Hardswish()``, ``nn.Conv2d(3, 64, 7)``.

What such a module does to a shape is asked of torch itself. This package does not import
torch, so the question goes through :data:`PROBE`, which the compiler sets.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from keyword import iskeyword
from typing import Any, ClassVar, TypeAlias

from archdsl.dims import Size
from archdsl.ops.arguments import LARGEST, Choice, Kind, OpError, describe
from archdsl.ops.caption import Caption
from archdsl.ops.op import Need, Op, Tensor, layer, need_batch, show_value
from archdsl.ops.reach import Reach, pointwise
from archdsl.ops.torch_text import Code, keyword, module, positional
from archdsl.records import record

Value: TypeAlias = Any  # numbers, truth values, text, None, and tuples of them
LONGEST_TEXT = 100
DEEPEST_TUPLE = 4
MOST_ITEMS = 1_000  # of a tuple, those of the tuples in it counted too


@record(frozen=True)
class Answer:
    """What torch says of a module on an input."""

    output: Tensor
    weights: Mapping[str, tuple[int, ...]]
    names: tuple[str, ...]
    """What its constructor calls the arguments that were given by position."""
    multiply_adds: int = 0
    least_batch: int = 1
    buffers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)


Probe: TypeAlias = Callable[
    [str, tuple[Value, ...], tuple[tuple[str, Value], ...], "Tensor | None"], Answer
]
"""Name, positional and named arguments, and the input with fixed sizes; without an input,
only whether there is such a module. Raises OpError with what torch says."""

PROBE: Probe | None = None


def set_probe(probe: Probe | None) -> None:
    """Say who answers for ``torch.nn``."""
    global PROBE  # noqa: PLW0603 - the one thing that this floor is told from above
    PROBE = probe


# Elementwise whatever the sizes are, so that free ones may pass.
SHAPE_PRESERVING = frozenset(
    "AlphaDropout CELU Dropout Dropout1d Dropout2d Dropout3d ELU FeatureAlphaDropout GELU"
    " Hardshrink Hardsigmoid Hardswish Hardtanh Identity LeakyReLU LogSigmoid LogSoftmax Mish"
    " RReLU ReLU ReLU6 SELU SiLU Sigmoid Softmax Softmax2d Softmin Softplus Softshrink"
    " Softsign Tanh Tanhshrink Threshold".split()
)


_POINTWISE = SHAPE_PRESERVING - {"LogSoftmax", "Softmax", "Softmax2d", "Softmin"}


def plain(value: Any, depth: int = 0) -> Value:
    """An argument as plain data; raises ValueError for what no module of torch should get."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        if abs(value) > LARGEST:
            raise ValueError("must not hold a number beyond 2**31")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("must hold finite numbers")
        return value
    if isinstance(value, Choice):
        return value.word
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise ValueError("must not hold a long text")
        return value
    if isinstance(value, (tuple, list)) and depth < DEEPEST_TUPLE:
        if not depth:
            _refuse_many_items(value)
        return tuple(plain(item, depth + 1) for item in value)
    raise ValueError(
        f"must be numbers, true, false, text, none or tuples of them, not {describe(value)}"
    )


def _refuse_many_items(value: Sequence[Any]) -> None:
    """Asked before anything is copied: a list of one list a thousand times is small till then."""
    count, waiting = 0, [value]
    while waiting:
        items = waiting.pop()
        count += len(items)
        if count > MOST_ITEMS:
            raise ValueError(f"must not hold more than {MOST_ITEMS:,} items")
        waiting.extend(item for item in items if isinstance(item, (tuple, list)))


def _plain_name(value: Any) -> str:
    if isinstance(value, str) and value.isidentifier():
        return value
    raise ValueError(f"must be the name of a module of torch.nn, not {describe(value)}")


def _plain_tuple(value: Any) -> tuple[Value, ...]:
    return tuple(plain(item) for item in value)


def _plain_pairs(value: Any) -> tuple[tuple[str, Value], ...]:
    pairs = value.items() if isinstance(value, Mapping) else value
    for key, _ in pairs:
        if iskeyword(str(key)):
            raise ValueError(f"cannot have the name {key}, which is a word of Python")
    return tuple((str(key), plain(item)) for key, item in pairs)


def _field(kind: Kind, doc: str, **more: Any) -> Any:
    return dataclasses.field(metadata={"kind": kind, "doc": doc}, **more)


@layer("nn", family="foreign")
class Foreign(Op):
    """Any module of ``torch.nn`` that takes one tensor and gives one: ``nn.Hardswish()``.

    Its arguments are torch's own, so that sizes are written: ``nn.Conv2d(3, 64, 7)``. The
    shape of what comes out is asked of torch, at the sizes of the input; a free size passes
    only through modules that work element by element, such as ``nn.Hardswish()``.

    Where the language has the layer itself, as ``conv``, prefer that: it infers its sizes,
    works with free ones, and explains what is wrong.

    PyTorch: ``nn.…``, as written.
    """

    example = "nn.Hardswish()"
    rest: ClassVar[str | None] = "positional"
    options: ClassVar[str | None] = "keywords"

    module: str = _field(Kind("the name of a module of torch.nn", _plain_name), "such as Hardswish")
    positional: tuple[Value, ...] = _field(
        Kind("the module's arguments", _plain_tuple), "its arguments by position", default=()
    )
    keywords: tuple[tuple[str, Value], ...] = _field(
        Kind("the module's arguments by name", _plain_pairs), "its arguments by name", default=()
    )

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        answer = self._ask(x)
        if answer.output.dims == _fixed(x).dims:
            return (dataclasses.replace(answer.output, dims=x.dims, batch=x.batch),)
        return (dataclasses.replace(answer.output, batch=x.batch),)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return dict(self._ask(inputs[0]).weights)

    def buffers(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return dict(self._ask(inputs[0]).buffers)

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return self._ask(inputs[0]).multiply_adds

    def least_batch(self, inputs: Sequence[Tensor]) -> int:
        return self._ask(inputs[0]).least_batch

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        x = inputs[0]
        return pointwise(x.rank) if self.module in _POINTWISE else (None,) * x.rank

    def caption(self, inputs: Sequence[Tensor]) -> Caption:
        given = ", ".join(map(show_value, self.positional))
        named = [f"{key.replace('_', ' ')} {show_value(value)}" for key, value in self.keywords]
        return Caption(f"nn.{self.module}", (*([given] if given else []), *named))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        names = self._ask(inputs[0]).names
        return module(
            f"nn.{self.module}",
            *(positional(n, v) for n, v in zip(names, self.positional, strict=True)),
            *(keyword(key, value) for key, value in self.keywords),
        )

    def _ask(self, x: Tensor) -> Answer:
        if PROBE is None:
            raise OpError(
                "no-torch",
                f"nn.{self.module} cannot be looked up: nobody asks torch here",
                help="archdsl.ops.foreign.set_probe says who does",
            )
        fixed = _fixed(x)
        if fixed == x or self.module in SHAPE_PRESERVING:
            return PROBE(self.module, self.positional, self.keywords, fixed)
        PROBE(self.module, self.positional, self.keywords, None)
        raise OpError(
            "free-size",
            f"nn.{self.module} needs fixed sizes, and its input is {x}",
            text=f"what torch makes of {x} is known only when the network runs",
            help="use the layer of this language in its place, or fix the input's size",
            input=0,
        )


def _fixed(x: Tensor) -> Tensor:
    """The input with a stand-in for free sizes: any does where they all pass unchanged."""
    return x.with_dims(*(d if isinstance(d, int) else 3 for d in x.dims))
