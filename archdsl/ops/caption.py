"""Captions: what a drawing writes on a layer, such as «conv 3×3, 64» over «stride 2 · pad 1»."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archdsl.dims import Dim, show
from archdsl.ops.arguments import WeightRef
from archdsl.records import record

_UNSAID = frozenset({"bias", "eps", "momentum", "affine", "track_running_stats", "inplace"})
"""Arguments that a figure leaves out: they change neither the shape nor the idea."""
_SHORT = {"padding": "pad", "output_padding": "out pad", "out_channels": "", "out_features": ""}
_LONGEST = 28


@record(frozen=True)
class Caption:
    """A layer in a few words: what it is, and what else is to be said of it."""

    title: str
    details: tuple[str, ...] = ()


def caption_of(
    name: str, arguments: Mapping[str, Any], required: frozenset[str], axes: int
) -> Caption:
    """The caption of a layer by its arguments, those at their defaults left out.

    ``axes`` is how many spatial axes its input has: a kernel of 3 is «3×3» over two.
    """
    title = name.replace("_", " ")
    kernel = arguments.get("kernel_size")
    if kernel is not None:
        title += f" {_extent(kernel, axes)}"
    said, details = [], []
    for key, value in arguments.items():
        if key in _UNSAID or key == "kernel_size" or value is None:
            continue
        if key in required or (key == "p" and name.endswith(("dropout", "drop_path"))):
            said.append(_value(value))
        else:
            details.append(_detail(key, value))
    if said:
        title += (", " if kernel is not None else " ") + ", ".join(said)
    return Caption(title, tuple(details))


def _detail(key: str, value: Any) -> str:
    if isinstance(value, WeightRef):
        return f"tied to {value.path}.{value.name}"
    word = _SHORT.get(key, key.replace("_", " "))
    if value is True:
        return word
    if value is False:
        return f"no {word}"
    return f"{word} {_value(value)}".strip()


def _extent(kernel: Any, axes: int) -> str:
    sizes = kernel if isinstance(kernel, tuple) else (kernel,) * max(1, axes)
    return "×".join(map(_value, sizes))


def _value(value: Any) -> str:
    if isinstance(value, Dim):
        return show(value)
    if isinstance(value, (tuple, list)):
        if len(value) > 1 and all(v == value[0] for v in value) and not isinstance(value[0], str):
            return _value(value[0])
        text = "×".join(map(_value, value))
    elif isinstance(value, float):
        text = f"{value:g}"
    else:
        text = str(getattr(value, "name", value))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
