"""The columns of the table: what each is called, and how it writes a row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction

from archdsl.backends.summary.quantities import exact, in_bytes, short
from archdsl.backends.summary.record import Row, Summary
from archdsl.diagnostics import ArchError, Diagnostic, suggest
from archdsl.dims import Size
from archdsl.ops.op import Tensor
from archdsl.passes.captions import tensor_text
from archdsl.passes.receptive_field import AxisField
from archdsl.records import record

EVERYTHING = "all"
"""What a receptive field is called that is a whole axis, and the word for all columns."""


@record(frozen=True)
class Column:
    """A column: ``cell`` writes a row, ``total`` the line below all rows.

    ``said`` is whether a column is shown though its cells are all empty.
    """

    key: str
    heading: str
    doc: str
    cell: Callable[[Row], str]
    total: Callable[[Summary], str] = lambda _: ""
    right: bool = False
    usual: bool = True


def name_of(row: Row) -> str:
    """A row's name, with how many it stands for: ``1 … 5 ×5``."""
    return f"{row.name} ×{row.times}" if row.times > 1 else row.name


def call_of(row: Row) -> str:
    """What a row is, and what is to be noted of it."""
    return " · ".join(part for part in (row.call, *row.notes) if part)


def connected_of(row: Row) -> str:
    """What feeds a row, where that is not just the row above."""
    return ", ".join(row.connected)


def shapes_of(row: Row) -> str:
    """The shapes of what it gives, equal ones counted."""
    return _counted(tensor_text(tensor) for tensor in row.outputs)


def parameters_of(row: Row) -> str:
    """Its parameters; that it has some, where they are counted elsewhere."""
    if row.shared:
        return f"{exact(row.parameters)} + shared" if row.parameters else "shared"
    return _unless_none(exact, row.parameters)


def field_of(row: Row) -> str:
    """The size of its receptive field: ``7``, ``1×7``, ``all``."""
    return _of_fields(row, lambda axis: axis.size)


def stride_of(row: Row) -> str:
    """How far its receptive field moves from a position to the next."""
    return _of_fields(row, lambda axis: axis.stride)


def offset_of(row: Row) -> str:
    """The middle of its first position's receptive field."""
    return _of_fields(row, lambda axis: axis.center)


COLUMNS = (
    Column("layer", "layer", "its name, as in state_dict", name_of, lambda _: "total"),
    Column(
        "call", "what", "the layer with its arguments in short, or the call of a block", call_of
    ),
    Column(
        "inputs",
        "connected to",
        "the rows that feed it, where not just the one above",
        connected_of,
    ),
    Column("shape", "output", "what it gives, without the batch", shapes_of),
    Column(
        "parameters",
        "parameters",
        "trainable numbers, shared ones at the first row that has them",
        parameters_of,
        lambda summary: exact(summary.totals.parameters),
        right=True,
    ),
    Column(
        "multiply-adds",
        "mult-adds",
        "multiply-adds for one sample, in evaluation",
        lambda row: _unless_none(short, row.multiply_adds),
        lambda summary: short(summary.totals.multiply_adds),
        right=True,
    ),
    Column(
        "memory",
        "memory",
        "bytes of its outputs in evaluation, in float32",
        lambda row: _unless_none(in_bytes, row.memory),
        lambda summary: in_bytes(summary.totals.memory),
        right=True,
    ),
    Column(
        "training-memory",
        "training",
        "bytes that it keeps for the backward pass, in float32",
        lambda row: _unless_none(in_bytes, row.training_memory),
        lambda summary: in_bytes(summary.totals.training_memory),
        right=True,
    ),
    Column("field", "field", "the size of its receptive field", field_of, right=True),
    Column(
        "stride", "stride", "the stride of its receptive field", stride_of, right=True, usual=False
    ),
    Column(
        "offset",
        "offset",
        "the middle of the first receptive field",
        offset_of,
        right=True,
        usual=False,
    ),
)

NAMES = tuple(column.key for column in COLUMNS)


def choose_columns(wanted: Sequence[str] | None, rows: Sequence[Row]) -> tuple[Column, ...]:
    """The columns of these names, in this order; the usual ones that say something, for None.

    ArchError, code ``bad-value``, for a name that no column has, or that stands there twice.
    """
    if wanted is None:
        usual = [column for column in COLUMNS if column.usual]
        return tuple(c for c in usual if c.key == "layer" or any(map(c.cell, rows)))
    names: list[str] = []
    for name in wanted:
        names.extend(NAMES if name == EVERYTHING else [name.replace("_", "-")])
    known = {column.key: column for column in COLUMNS}
    for place, name in enumerate(names):
        if name not in known:
            meant = suggest(name, NAMES)
            help = f"did you mean {meant}?" if meant else f"the columns are {', '.join(NAMES)}"
            raise _error(f"there is no column {name}", help)
        if name in names[:place]:
            raise _error(f"the column {name} is wanted twice", "")
    if not names:
        raise _error("no columns are wanted", f"the columns are {', '.join(NAMES)}")
    return tuple(known[name] for name in names)


def _error(message: str, help: str) -> ArchError:
    return ArchError([Diagnostic("bad-value", message, help=help)])


def _unless_none(write: Callable[[Size], str], size: Size) -> str:
    return "" if size == 0 else write(size)


def _counted(texts: Iterable[str]) -> str:
    counts: dict[str, int] = {}
    for text in texts:
        counts[text] = counts.get(text, 0) + 1
    return ", ".join(f"{n} of {text}" if n > 1 else text for text, n in counts.items())


def _of_fields(row: Row, figure: Callable[[AxisField], Fraction | int | None]) -> str:
    """A figure of the receptive field along every axis, of several inputs each other one."""
    told = {name: _along(axes, figure) for name, axes in row.fields.items() if axes}
    if len(set(told.values())) <= 1:
        return next(iter(told.values()), "")
    return ", ".join(f"{name} {text}" for name, text in told.items())


def _along(axes: Sequence[AxisField], figure: Callable[[AxisField], Fraction | int | None]) -> str:
    texts = [_number(figure(axis)) for axis in axes]
    return texts[0] if len(set(texts)) == 1 else "×".join(texts)


def _number(value: Fraction | int | None) -> str:
    """``7``, ``0.5``, ``2/3``; the whole axis for None."""
    if value is None:
        return EVERYTHING
    exact_value = Fraction(value)
    if exact_value.denominator == 1:
        return str(exact_value.numerator)
    decimal = f"{float(exact_value):.4f}".rstrip("0")
    return decimal if Fraction(decimal) == exact_value else str(exact_value)


def shape_text(tensors: Iterable[tuple[str, Tensor]], *, named: bool) -> str:
    """Inputs or outputs of a network: ``image 3×224×224``."""
    return ", ".join(
        f"{name} {tensor_text(tensor)}" if named else tensor_text(tensor)
        for name, tensor in tensors
    )
