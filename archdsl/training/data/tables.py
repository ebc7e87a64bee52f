"""The columns of a CSV file as numbers, and as classes where a target has names."""

from __future__ import annotations

import math
from array import array
from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from archdsl.diagnostics import Diagnostic, suggest
from archdsl.techniques.data import Csv
from archdsl.techniques.losses import Wanted
from archdsl.training.data.csv_file import Table, is_number, read_table
from archdsl.training.data.request import Request, bad_data, listed, mismatch
from archdsl.training.data.samples import InMemory, Samples
from archdsl.training.data.values import is_whole


def open_csv(source: Csv, request: Request) -> Samples:
    """The inputs are all columns of which nothing else is said.

    A network that is trained already knows its columns by their names, wherever they stand.
    """
    request.one_input(source.shown)
    table = read_table(source, request)
    targets = _targets(source, table, request)
    used = {table.names[c] for own in targets for c in own}
    apart = used | set(source.target) | set(source.without)
    kept = _known_columns(table, request) if request.columns else _others(source, table, apart)
    extra = [n for c, n in enumerate(table.names) if n not in apart and c not in kept]
    inputs = torch.stack([_input(table, c) for c in kept], 1)
    columns, classes = [], []
    for (name, wanted), own in zip(request.targets.items(), targets, strict=True):
        column, names = _target(table, own, wanted, request.classes.get(name, ()))
        columns.append(column)
        classes.append(names)
    store = InMemory((inputs,), tuple(columns))
    return Samples(
        source.shown,
        store,
        tuple(classes),
        strata=_strata(request, columns, classes),
        columns=tuple(table.names[c] for c in kept),
        warnings=(_ignored(table, extra),) if extra else (),
    )


def _strata(
    request: Request, columns: Sequence[Tensor], classes: Sequence[tuple[str, ...]]
) -> Tensor | None:
    """The classes that every part shall have: those of the first target that has classes."""
    for wanted, column, names in zip(request.targets.values(), columns, classes, strict=True):
        if names or (wanted.type.dtype == "int" and is_whole(column)):
            return column.long().reshape(-1)
    return None


# Which columns ----------------------------------------------------------------------------


def _others(source: Csv, table: Table, apart: Collection[str]) -> list[int]:
    """The columns of which nothing is said."""
    for name in source.without:
        _find(table, name, "leave out")
    kept = [c for c, name in enumerate(table.names) if name not in apart]
    if not kept:
        raise mismatch(f"{source.shown} has no column left that could be an input")
    return kept


def _known_columns(table: Table, request: Request) -> list[int]:
    """The columns that the network was trained on, in the order of then."""
    missing = [name for name in request.columns if name not in table.names]
    if missing:
        near = suggest(missing[0], [n for n in table.names if n not in request.columns])
        raise mismatch(
            f"the network was trained on the columns {listed(request.columns)}, and {table.file}"
            f" has no {listed(missing)}",
            notes=[f"its columns are {listed(table.names)}"],
            help=f"is {near} the column {missing[0]}? Then call it so" if near else "",
        )
    return [table.names.index(name) for name in request.columns]


def _ignored(table: Table, extra: Sequence[str]) -> Diagnostic:
    columns, are = ("column", "is") if len(extra) == 1 else ("columns", "are")
    message = (
        f"the {columns} {listed(extra)} of {table.file} {are} left out: the network was not"
        " trained on such"
    )
    return Diagnostic("ignored-columns", message, severity="warning")


def _targets(source: Csv, table: Table, request: Request) -> list[list[int]]:
    """The columns of every target of the loss."""
    if not request.targets:
        if source.target and not request.prediction:
            raise mismatch(
                f"the loss needs no target, and {source.shown} names {listed(source.target)}",
                help="leave the target out; to keep a column from the inputs: without ="
                f' "{source.target[0]}"',
            )
        return []
    if len(request.targets) == 1:
        (name,) = request.targets
        named = source.target or ((name,) if name in table.names else ())
        if not named:
            raise mismatch(
                f"the loss has a target, and {source.shown} does not say which column it is",
                notes=[f"its columns are {listed(table.names)}"],
                help=f'csv("{source.file}", target = "{table.names[-1]}")',
            )
        return [[_find(table, column, "predict") for column in named]]
    for extra in source.target:
        if extra not in request.targets:
            near = suggest(extra, request.targets)
            raise mismatch(
                f"the loss has the targets {listed(request.targets)}, and none is called {extra}",
                help=f"did you mean {near}?" if near else "",
            )
    return [[_find(table, name, "predict")] for name in request.targets]


def _find(table: Table, name: str, what: str) -> int:
    if name in table.names:
        return table.names.index(name)
    near = suggest(name, table.names)
    raise mismatch(
        f"{table.file} has no column {name} to {what}",
        notes=[f"its columns are {listed(table.names)}"],
        help=f"did you mean {near}?" if near else "",
    )


# What they hold ---------------------------------------------------------------------------


def _input(table: Table, column: int) -> Tensor:
    cells = table.column(column)
    if not any(map(is_number, cells)):
        name = table.names[column]
        raise mismatch(
            f"the column {name} of {table.file} holds texts such as {_shown(cells[0])}, and an"
            " input holds numbers",
            span=table.place(0, column),
            help=f'leave it out: without = "{name}"; or write a column of 0 and 1 for each text',
        )
    return _numbers(table, column)


def _numbers(table: Table, column: int) -> Tensor:
    values = array("d")
    for row, cell in enumerate(table.column(column)):
        value = float(cell) if is_number(cell) else math.nan
        if not math.isfinite(value):
            what = f"{_shown(cell)} is no number" if cell else "a number is missing"
            raise bad_data(
                f"{what}: line {table.lines[row]} of {table.file}, column {table.names[column]}",
                span=table.place(row, column),
                help="fill the gap, or leave the row out",
            )
        values.append(value)
    return torch.tensor(values, dtype=torch.float64)


def _shown(cell: str) -> str:
    return f'"{cell[:40]}…"' if len(cell) > 40 else f'"{cell}"'


def _target(
    table: Table, own: Sequence[int], wanted: Wanted, known: tuple[str, ...]
) -> tuple[Tensor, tuple[str, ...]]:
    """A column, or several as one vector, and the names of its classes if it has any."""
    if len(own) > 1:
        if wanted.type.dtype == "int":
            raise mismatch(
                f"the loss has one target, a class, and {table.file} is to give {len(own)}:"
                f" {listed(table.names[c] for c in own)}"
            )
        return torch.stack([_numbers(table, c) for c in own], 1), ()
    (column,) = own
    cells = table.column(column)
    texts = wanted.type.dtype == "int" and not all(map(is_number, cells))
    if known or texts or not any(map(is_number, cells)):
        return _labels(table, column, known)
    values = _numbers(table, column)
    if wanted.type.dtype == "int" and is_whole(values):
        return values.long(), ()
    return values.unsqueeze(1), ()


def _labels(table: Table, column: int, known: tuple[str, ...]) -> tuple[Tensor, tuple[str, ...]]:
    """Texts as classes, in the order of the alphabet or in the one that is known already."""
    cells = table.column(column)
    names = known or tuple(sorted(set(cells)))
    index = {name: i for i, name in enumerate(names)}
    for row, cell in enumerate(cells):
        if not cell or cell not in index:
            what = f"{_shown(cell)} is none of the classes {listed(names)}"
            raise bad_data(
                f"{what if cell else 'a class is missing'}: line {table.lines[row]} of"
                f" {table.file}, column {table.names[column]}",
                span=table.place(row, column),
            )
    return torch.tensor([index[cell] for cell in cells]), names
