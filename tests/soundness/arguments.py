"""Arguments of any registered layer at random, drawn by the kinds of its signature.

What a name or a kind suggests gives mostly plausible values; a mistake is asked for expressly.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

from hypothesis import strategies as st

from archdsl.ops.op import Op, Parameter, Tensor, show_value, signature

Draw = Callable[[st.SearchStrategy[Any]], Any]

WIDTHS = (4, 2, 8, 3, 6, 1)
MISTAKES = (0, -1, 2.5, "text", None, True, (2, 3), (1, 2, 3, 4), 1000, 10**12)
FOREIGN = (
    "nn.Hardswish()",
    "nn.Softmax2d()",
    "nn.LeakyReLU(0.2)",
    "nn.Conv2d(4, 8, 3, padding = 1)",
    "nn.Linear(4, 2)",
    "nn.MaxPool2d(2)",
    "nn.Flatten()",
    "nn.BatchNorm2d(4)",
    "nn.PReLU(4)",
    "nn.LayerNorm([4])",
    "nn.Identity()",
    "nn.ReLU()",
    "nn.Unknown()",
)


def pick(draw: Draw, *values: Any) -> Any:
    return draw(st.sampled_from(values))


def per_axis(draw: Draw, x: Tensor, *values: int) -> Any:
    axes = max(x.rank - 1, 1)
    if not pick(draw, *[False] * 3, True):
        return pick(draw, *values)
    return tuple(pick(draw, *values) for _ in range(axes))


def fixed(x: Tensor) -> list[int]:
    """The sizes, a free one as a small number."""
    return [d if isinstance(d, int) else 4 for d in x.dims]


def _axis(draw: Draw, x: Tensor) -> int:
    return int(pick(draw, *range(1, x.rank + 1), *range(-x.rank, 0), 1))


def _axes(draw: Draw, x: Tensor) -> Any:
    if x.rank > 1 and pick(draw, False, False, True):
        first = pick(draw, *range(1, x.rank))
        return tuple(range(first, x.rank + 1))
    return _axis(draw, x)


def _divisors(total: int) -> list[int]:
    return [d for d in range(1, min(total, 8) + 1) if total % d == 0] or [1]


def _factors(total: int) -> list[list[int]]:
    two = [[d, total // d] for d in range(1, min(total, 8) + 1) if total % d == 0]
    return [[total], [-1], *two, *([-1, b] for _, b in two)]


def _shape_of(draw: Draw, x: Tensor) -> list[int]:
    return list(pick(draw, *_factors(prod(fixed(x)))))


def _order(draw: Draw, x: Tensor) -> list[int]:
    return [0, *draw(st.permutations(range(1, x.rank + 1)))]


def _lengths(draw: Draw, x: Tensor) -> Any:
    total = fixed(x)[0] if x.rank else 1
    first = pick(draw, *range(1, max(total, 2)))
    return pick(draw, (first, max(total - first, 1)), 1, 2, (total,))


def _padding(draw: Draw, x: Tensor) -> Any:
    return pick(draw, 0, 1, 1, 2, "same", "valid", per_axis(draw, x, 0, 1))


def _parameter_shape(draw: Draw, x: Tensor) -> list[int]:
    return list(pick(draw, [1, *fixed(x)], [1, 1, *fixed(x)[1:]], fixed(x), [1]))


BY_NAME: dict[str, Callable[[Draw, Tensor], Any]] = {
    "axis": _axis,
    "axis0": _axis,
    "axis1": _axis,
    "start_axis": _axis,
    "end_axis": _axis,
    "order": _order,
    "lengths": _lengths,
    "shape": _parameter_shape,
    "padding": _padding,
    "output_padding": lambda draw, x: pick(draw, 0, 0, 1),
    "kernel_size": lambda draw, x: per_axis(draw, x, 3, 1, 2, 5),
    "stride": lambda draw, x: per_axis(draw, x, 1, 2, 3),
    "dilation": lambda draw, x: per_axis(draw, x, 1, 2),
    "output_size": lambda draw, x: per_axis(draw, x, 1, 2, 3),
    "size": lambda draw, x: per_axis(draw, x, 4, 2, 3),
    "scale_factor": lambda draw, x: pick(draw, 2, 1.5, 0.5, 3),
    "groups": lambda draw, x: pick(draw, 1, 2, 4),
    "num_groups": lambda draw, x: pick(draw, *_divisors(fixed(x)[0] if x.rank else 1)),
    "heads": lambda draw, x: pick(draw, *_divisors(fixed(x)[-1] if x.rank else 1)),
    "chunks": lambda draw, x: pick(draw, 2, 1, 3),
    "upscale_factor": lambda draw, x: pick(draw, 2, 1),
    "downscale_factor": lambda draw, x: pick(draw, 2, 1),
    "num_layers": lambda draw, x: pick(draw, 1, 2),
    "proj_size": lambda draw, x: pick(draw, 0, 1, 2),
    "num_embeddings": lambda draw, x: pick(draw, 8, 16),
    "classes": lambda draw, x: pick(draw, 8, 10),
    "index": lambda draw, x: pick(draw, 0, -1, 1),
    "start": lambda draw, x: pick(draw, 0, 1, -2),
    "stop": lambda draw, x: pick(draw, None, 2, -1, 4),
    "step": lambda draw, x: pick(draw, 1, 2),
    "num_parameters": lambda draw, x: pick(draw, 1, fixed(x)[0] if x.rank else 1),
    "factor": lambda draw, x: pick(draw, 0.5, 2, -1),
    "padding_idx": lambda draw, x: pick(draw, None, 0, 1),
    "tie": lambda draw, x: None,
}


def value(draw: Draw, cls: type[Op], parameter: Parameter, x: Tensor) -> Any:
    """A mostly plausible value for a parameter of a layer on ``x``."""
    name, kind = parameter.name, parameter.kind
    if cls.name == "pad" and name == "padding":
        axes = pick(draw, *range(1, max(x.rank, 1) + 1))
        return [pick(draw, 1, 0, 2, -1) for _ in range(2 * axes)]
    if cls.name == "unflatten" and name == "sizes":
        return pick(draw, *_factors(pick(draw, *fixed(x))) if x.rank else [[1]])
    if cls.name == "reshape":
        return _shape_of(draw, x)
    if name == "axis" and "several" in kind.words:
        return _axes(draw, x)
    if name in BY_NAME:
        return BY_NAME[name](draw, x)
    return by_kind(draw, kind.words, kind.choices)


def by_kind(draw: Draw, words: str, choices: tuple[str, ...]) -> Any:
    """A value that the words of a kind describe, for a parameter of no known name."""
    if words.startswith("true or false"):
        return pick(draw, True, False)
    if choices:
        return pick(draw, *choices)
    if words.startswith("a number from 0 to 1"):
        return pick(draw, 0.1, 0.5, 0.0, 1.0)
    if words.startswith("a number"):
        return pick(draw, 1.0, 0.5, 0.001, 2.0, 20)
    if "list" in words:
        return [pick(draw, 1, 2, 3) for _ in range(pick(draw, 1, 2, 3))]
    return pick(draw, *WIDTHS)


def chosen(draw: Draw, cls: type[Op], x: Tensor, *, mistake: bool = False) -> dict[str, Any]:
    """The arguments of a call: those required, and some of the others."""
    arguments = {
        p.name: value(draw, cls, p, x)
        for p in signature(cls)
        if p.required or pick(draw, False, False, False, True)
    }
    missing = {p.name for p in signature(cls)} & {"size", "scale_factor", "min", "max"}
    if missing and not missing & {*arguments} and pick(draw, True, True, False):
        name = pick(draw, *sorted(missing))  # one of them is needed
        arguments[name] = value(draw, cls, next(p for p in signature(cls) if p.name == name), x)
    if mistake and arguments:
        arguments[pick(draw, *arguments)] = pick(draw, *MISTAKES)
    return arguments


def bare(cls: type[Op], name: str, given: Any) -> str:
    """A value as a specification writes it: words bare where they are offered."""
    parameter = next((p for p in signature(cls) if p.name == name), None)
    if isinstance(given, str) and not (parameter and given in parameter.kind.choices):
        return f'"{given}"'
    return show_value(given)
