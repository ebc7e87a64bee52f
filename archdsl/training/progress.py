"""Tells a person how far a run is: a bar on a terminal, a line an epoch in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import IO, TYPE_CHECKING, Protocol

from archdsl.training.curves import measured

if TYPE_CHECKING:
    from rich.console import Console

REDRAW_EVERY = 0.25  # seconds: often enough for an eye, too seldom to cost a step


class Reporter(Protocol):
    """What is told of a run, and when."""

    def begin(self, epochs: int, done: int, steps: int | None) -> None:
        """The run begins, ``done`` epochs of it being there already."""

    def step(self) -> None:
        """A step is done."""

    def loss(self, mean: float) -> None:
        """The mean loss of the last steps, where it is known anyway."""

    def epoch(self, number: int, row: Mapping[str, float]) -> None:
        """An epoch is done, counted from 1."""

    def end(self) -> None:
        """The run is over, or broken off."""


class Silence:
    """Tells nothing."""

    def begin(self, epochs: int, done: int, steps: int | None) -> None: ...

    def step(self) -> None: ...

    def loss(self, mean: float) -> None: ...

    def epoch(self, number: int, row: Mapping[str, float]) -> None: ...

    def end(self) -> None: ...


class Lines(Silence):
    """A plain line an epoch, for a log file."""

    def __init__(self, stream: IO[str], metrics: Sequence[str] | None = None) -> None:
        self.stream = stream
        self.metrics = metrics
        self.epochs = 0
        self.since = time.monotonic()

    def begin(self, epochs: int, done: int, steps: int | None) -> None:
        self.epochs = epochs
        self.since = time.monotonic()

    def epoch(self, number: int, row: Mapping[str, float]) -> None:
        now = time.monotonic()
        width = len(str(self.epochs))
        values = "  ".join(
            f"{name} {shown(value)}" for name, value in essential(row, self.metrics).items()
        )
        line = f"epoch {number:>{width}}/{self.epochs}  {values}  {now - self.since:.1f} s"
        self.since = now
        print(line, file=self.stream, flush=True)


class Bar:
    """One bar for the whole run, drawn anew a few times a second."""

    def __init__(self, console: Console, metrics: Sequence[str] | None = None) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.progress = Progress(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(bar_width=12),
            TextColumn("{task.fields[values]}"),
            TimeRemainingColumn(elapsed_when_finished=True),
            console=console,
            auto_refresh=False,  # a thread that redraws would take turns with the steps
        )
        self.metrics = metrics
        self.epochs = 0
        self.steps: int | None = None
        self.number = 0
        self.in_epoch = 0
        self.drawn = 0.0
        self.loss_now = ""
        self.values = ""

    def begin(self, epochs: int, done: int, steps: int | None) -> None:
        self.epochs, self.steps, self.number = epochs, steps, done
        total = epochs * steps if steps else epochs
        self.task = self.progress.add_task(
            "",
            total=total,
            completed=done * (steps or 1),
            epoch=min(done + 1, epochs),
            epochs=epochs,
            values="",
        )
        self.progress.start()
        self._draw()

    def step(self) -> None:
        self.in_epoch += 1
        if time.monotonic() - self.drawn >= REDRAW_EVERY:
            self._draw()

    def loss(self, mean: float) -> None:
        self.loss_now = f"loss {shown(mean)}"

    def epoch(self, number: int, row: Mapping[str, float]) -> None:
        self.number, self.in_epoch = number, 0
        followed = list(essential(row, self.metrics).items())
        # eighty columns hold a bar, the time and three numbers, if these are called in short
        called = (k.replace("train_", "").replace("_", " ") for k, _ in followed)
        shown_values = (f"{k} {shown(v)}" for k, (_, v) in zip(called, followed, strict=True))
        self.values = "  ".join([*shown_values][:3])
        self.loss_now = ""
        if time.monotonic() - self.drawn >= REDRAW_EVERY or number >= self.epochs:
            self._draw()

    def end(self) -> None:
        self._draw()
        self.progress.stop()

    def _draw(self) -> None:
        done = self.number * self.steps + self.in_epoch if self.steps else self.number
        self.progress.update(
            self.task,
            completed=done,
            epoch=min(self.number + 1, self.epochs),
            values=self.values or self.loss_now,
        )
        self.progress.refresh()
        self.drawn = time.monotonic()


def make_reporter(
    progress: bool | None, metrics: Sequence[str] | None = None, stream: IO[str] | None = None
) -> Reporter:
    """Who tells of a run: nobody where ``progress`` is False, else whom the stream suits."""
    if progress is False:
        return Silence()
    stream = sys.stderr if stream is None else stream
    if not stream.isatty():
        return Lines(stream, metrics)
    from rich.console import Console

    console = Console(file=stream)
    return Lines(stream, metrics) if console.is_dumb_terminal else Bar(console, metrics)


def essential(row: Mapping[str, float], metrics: Sequence[str] | None = None) -> dict[str, float]:
    """Of a row, what a person follows: the losses, and what validation measures."""
    measures = measured([row]) if metrics is None else metrics
    wanted = ["train_loss", "val_loss", *(f"val_{name}" for name in measures)]
    return {name: row[name] for name in wanted if name in row}


def shown(value: float) -> str:
    """A number as short as tells enough."""
    return f"{value:.4f}" if 1e-3 <= abs(value) < 1e4 else f"{value:.3g}"


def print_result(
    result: Mapping[str, Mapping[str, float]],
    *,
    notes: Sequence[str] = (),
    stream: IO[str] | None = None,
) -> None:
    """Print the table at the end: a row for training, validation and test each.

    ``result`` is such as ``{"training": {"loss": 0.01}, "test": {"loss": 0.05}}``. Where there is
    more to measure than there are parts, the rows are what is measured, and the parts columns.
    """
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    stream = sys.stdout if stream is None else stream
    console = Console(file=stream, highlight=False)
    measures = list(dict.fromkeys(name for row in result.values() for name in row))
    turned = len(measures) > len(result)
    columns, rows = ([*result], measures) if turned else (measures, [*result])
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("", overflow="fold")
    for name in columns:
        table.add_column(escape(_in_words(name)), justify="right", no_wrap=True)
    for name in rows:
        cells = [result[c].get(name) if turned else result[name].get(c) for c in columns]
        table.add_row(escape(_in_words(name)), *("" if v is None else shown(v) for v in cells))
    console.print(table)
    for note in notes:
        console.print(note, soft_wrap=True, markup=False)


def _in_words(name: str) -> str:
    """``mean_absolute_error(out_1)`` as ``mean absolute error(out_1)``."""
    measure, bracket, tensors = name.partition("(")
    return measure.replace("_", " ") + bracket + tensors
