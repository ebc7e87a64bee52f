"""The table as data: comma-separated values, and what JSON takes."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from archdsl.backends.summary.columns import (
    EVERYTHING,
    call_of,
    choose_columns,
    field_of,
    offset_of,
    stride_of,
)
from archdsl.backends.summary.record import Row, Summary
from archdsl.dims import Size, show
from archdsl.ops.op import Tensor
from archdsl.passes.captions import tensor_text
from archdsl.passes.receptive_field import AxisField

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a cell begins with that a spreadsheet would run."""


def to_csv(summary: Summary, columns: Sequence[str] | None = None) -> str:
    """The rows as comma-separated values (RFC 4180), without the total, figures in full.

    After the columns, all unless some are chosen, come ``level``, how deep a row stands, and
    ``times``, how many it stands for. The rows of level 0 sum to the totals. A text that a
    spreadsheet would take for a formula begins with an apostrophe.
    """
    chosen = [column.key for column in choose_columns(columns or [EVERYTHING], ())]
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow([key.replace("-", "_") for key in chosen] + ["level", "times"])
    for row in summary.rows:
        cells = [_CELLS[key](row) for key in chosen]
        writer.writerow([*map(_harmless, cells), row.level, row.times])
    return stream.getvalue()


def _harmless(value: int | str) -> int | str:
    if isinstance(value, str) and value.startswith(_FORMULA_SIGNS):
        return f"'{value}"
    return value


def _size(size: Size) -> int | str:
    return size if isinstance(size, int) else show(size)


_CELLS: Mapping[str, Callable[[Row], int | str]] = {
    "layer": lambda row: row.label,
    "call": call_of,
    "inputs": lambda row: ", ".join(row.inputs),
    "shape": lambda row: ", ".join(map(tensor_text, row.outputs)),
    "parameters": lambda row: row.parameters,
    "multiply-adds": lambda row: _size(row.multiply_adds),
    "memory": lambda row: _size(row.memory),
    "training-memory": lambda row: _size(row.training_memory),
    "field": field_of,
    "stride": stride_of,
    "offset": offset_of,
}


def to_data(summary: Summary) -> dict[str, Any]:
    """The rows and the totals as plain data; sizes that are free are expressions."""
    totals = summary.totals
    return {
        "network": summary.network,
        "part": summary.part,
        "sizes": dict(summary.sizes),
        "inputs": {name: _tensor(tensor) for name, tensor in summary.inputs.items()},
        "outputs": {name: _tensor(tensor) for name, tensor in summary.outputs.items()},
        "rows": [_row(row) for row in summary.rows],
        "totals": {
            "parameters": totals.parameters,
            "buffers": totals.buffers,
            "multiply_adds": _size(totals.multiply_adds),
            "memory": _size(totals.memory),
            "peak_memory": totals.peak_memory,
            "training_memory": _size(totals.training_memory),
        },
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "label": row.label,
        "kind": row.kind,
        "level": row.level,
        "parent": row.parent,
        "call": row.call,
        "notes": list(row.notes),
        "times": row.times,
        "nodes": list(row.nodes),
        "inputs": list(row.inputs),
        "outputs": [_tensor(tensor) for tensor in row.outputs],
        "parameters": row.parameters,
        "shared": row.shared,
        "multiply_adds": _size(row.multiply_adds),
        "memory": _size(row.memory),
        "training_memory": _size(row.training_memory),
        "fields": {name: [_axis(axis) for axis in axes] for name, axes in row.fields.items()},
    }


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"shape": [_size(size) for size in tensor.dims], "dtype": tensor.dtype}


def _axis(axis: AxisField) -> dict[str, Any]:
    return {
        "axis": axis.axis,
        "whole": axis.whole,
        "size": axis.size,
        "stride": _number(axis.stride),
        "offset": _number(axis.center),
    }


def _number(value: Fraction | None) -> int | float | None:
    if value is None:
        return None
    return value.numerator if value.denominator == 1 else float(value)
