"""Reads a CSV file into cells, and knows where in the file each cell stands."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from archdsl.diagnostics import Source, Span
from archdsl.techniques.data import Csv
from archdsl.training.data.places import read_text
from archdsl.training.data.request import Request, bad_data


@dataclass(frozen=True)
class Table:
    """The cells of a file, row by row, and the line that each row begins on."""

    file: str
    source: Source
    names: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, index: int) -> list[str]:
        return [row[index] for row in self.rows]

    def place(self, row: int, column: int) -> Span:
        """The cell in the text, for an error to point at; the whole row, where it is quoted."""
        start, end = _line(self.source.text, self.lines[row])
        at = start
        for index, cell in enumerate(self.rows[row][: column + 1]):
            found = self.source.text.find(cell, at, end)
            if found < 0:
                break
            if index == column:
                return Span(self.source, found, min(found + max(len(cell), 1), max(end, found + 1)))
            at = found + len(cell) + 1
        return Span(self.source, start, max(end, start + 1))


def read_table(source: Csv, request: Request) -> Table:
    """The whole table. ArchError, code ``bad-data``, for what is none."""
    text = Source(source.file, read_text(request, source.file))
    rows: list[list[str]] = []
    lines: list[int] = []
    reader = csv.reader(io.StringIO(text.text, newline=""), delimiter=source.delimiter, strict=True)
    begin = 1
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                rows.append([cell.strip() for cell in row])
                lines.append(begin)
            begin = reader.line_num + 1
    except csv.Error as problem:
        raise bad_data(f"line {begin} of {source.file} is no row of a table: {problem}") from None
    if not rows:
        raise bad_data(f"{source.file} is empty")
    table = Table(source.file, text, rows[0], rows[1:], lines[1:])
    _check_names(table, source.delimiter)
    _check_lengths(table)
    return table


def _check_names(table: Table, delimiter: str) -> None:
    names = table.names
    if all(is_number(name) for name in names):
        raise bad_data(
            f"the first row of {table.file} holds numbers, and should name the columns",
            help="write a first row such as: length,width,price",
        )
    for other in (";", "\t", ",") if len(names) == 1 else ():
        if other != delimiter and other in names[0]:
            shown = "\\t" if other == "\t" else other
            raise bad_data(
                f'{table.file} has a single column, if "{delimiter}" parts the cells',
                help=f'say what does: delimiter = "{shown}"',
            )
    for index, name in enumerate(names):
        if not name:
            raise bad_data(f"column {index + 1} of {table.file} has no name")
        if name in names[:index]:
            raise bad_data(f"{table.file} has two columns {name}")
    if not table.rows:
        raise bad_data(f"{table.file} has no rows below the names of its columns")


def _check_lengths(table: Table) -> None:
    count = len(table.names)
    for row, cells in enumerate(table.rows):
        if len(cells) != count:
            raise bad_data(
                f"line {table.lines[row]} of {table.file} has {_counted(cells)}, and the first row"
                f" names {count} columns",
                span=table.place(row, min(len(cells), count + 1) - 1),
                text="one too many" if len(cells) > count else "the row ends here",
            )


def _counted(cells: Sequence[str]) -> str:
    return "1 cell" if len(cells) == 1 else f"{len(cells)} cells"


def is_number(cell: str) -> bool:
    """Whether a cell is written as a number; NaN and infinity are, too."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _line(text: str, number: int) -> tuple[int, int]:
    """Where a line starts and ends, counted from 1."""
    start = 0
    for _ in range(number - 1):
        start = text.find("\n", start) + 1
    end = text.find("\n", start)
    return start, len(text) if end < 0 else end
