"""What stands above and below a table, in words: the network, its totals, how to read the rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archdsl.backends.summary.columns import EVERYTHING, Column, shape_text
from archdsl.backends.summary.quantities import exact, in_bytes, short
from archdsl.backends.summary.record import Summary
from archdsl.dims import symbols

_BYTES_OF_FLOAT = 4


def title(summary: Summary) -> str:
    """The network in a line: ``resnet50: image 3×224×224 → 1000``."""
    inputs = shape_text(summary.inputs.items(), named=True)
    several = len(summary.outputs) > 1
    outputs = shape_text(summary.outputs.items(), named=several)
    name = f"{summary.part} of {summary.network}" if summary.part else summary.network
    return f"{name}: {inputs} → {outputs}"


def totals(summary: Summary) -> Iterator[tuple[str, str]]:
    """The figures of the whole, each with its name."""
    found = summary.totals
    weights = in_bytes(found.parameters * _BYTES_OF_FLOAT)
    buffers = f"; {exact(found.buffers)} numbers in buffers" if found.buffers else ""
    yield "parameters", f"{exact(found.parameters)}, {weights} in float32{buffers}"
    flops = short(2 * found.multiply_adds)
    twice = f"; FLOPs are about twice that, {flops}" if _known(summary) else ""
    yield "multiply-adds", f"{short(found.multiply_adds)}{_at(summary)}{twice}"
    peak = f", at most {in_bytes(found.peak_memory)} held at once" if found.peak_memory else ""
    yield "activations", f"{in_bytes(found.memory)} computed in evaluation{peak}"
    yield "for training", f"{in_bytes(found.training_memory)} kept for the backward pass"


def _known(summary: Summary) -> bool:
    return not symbols(summary.totals.multiply_adds)


def _at(summary: Summary) -> str:
    """`` at H = W = 224``."""
    groups: dict[int, list[str]] = {}
    for name, size in summary.sizes.items():
        groups.setdefault(size, []).append(name)
    said = ", ".join(" = ".join([*names, str(size)]) for size, names in groups.items())
    return f" at {said}" if said else ""


def remarks(summary: Summary, columns: Sequence[Column]) -> Iterator[str]:
    """How to read what is in these columns of this table."""
    shown = {column.key for column in columns}
    rows = summary.rows
    if shown & {"multiply-adds", "memory", "training-memory"}:
        yield "Figures are for one sample, memory in float32."
    if shown & {"field", "stride", "offset"} and any(row.fields for row in rows):
        yield f"field: the receptive field in the input; «{EVERYTHING}» is the whole axis."
    if "inputs" in shown and any(row.connected for row in rows):
        yield "connected to: the row above, where nothing is said."
    if any(row.times > 1 for row in rows):
        yield "×N: figures are of all N; shape and receptive field are the last one's."
    if any(row.kind == "open" for row in rows):
        yield "The figures of an open module are the sums of the rows inside it."
    if "parameters" in shown and any(row.shared for row in rows):
        yield "shared: weights that are counted where they are first used."
    if any("training only" in row.notes for row in rows):
        yield "training only: runs in training alone, and has no multiply-adds in evaluation."
    if any(row.call.startswith("loop of") for row in rows):
        yield "Inside a loop figures are of all its steps."
