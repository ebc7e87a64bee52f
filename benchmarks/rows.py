"""One line that a benchmark has measured, and how it is written: as text, and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

from archdsl.records import record

Unit = Literal["ms", "s", "MB", "layers/s"]
Side = Literal["archdsl", "the other", "neither"]

HEADING = ("What", "Against", "archdsl", "the other", "Ratio")
WORDS: dict[Unit, tuple[str, str]] = {  # how a ratio reads in favour of archdsl, and of the other
    "ms": ("times as fast", "times as long"),
    "s": ("times as fast", "times as long"),
    "MB": ("times less memory", "times as much memory"),
    "layers/s": ("times as fast", "times as long"),
}


@record(frozen=True)
class Row:
    """Two figures that were measured in turn, in one run.

    ``ratio`` is above 1 in favour of archdsl, whichever of the figures should be large. It is given
    where it is the median over single rounds, which stands firmer than that of the two figures;
    ``spread`` is how far these rounds lie apart. ``note`` is the reason, should archdsl be behind.
    """

    what: str
    against: str
    ours: float
    other: float
    unit: Unit
    ratio: float
    spread: tuple[float, float] | None = None
    note: str = ""

    @property
    def favours(self) -> Side:
        """In whose favour the ratio is, as far as it is written."""
        if self.shown_ratio.startswith("as "):
            return "neither"
        return "archdsl" if self.ratio > 1 else "the other"

    @property
    def shown_ratio(self) -> str:
        """The ratio as it is read: a number of at least 1, and in which direction."""
        times = number(max(self.ratio, 1 / self.ratio))
        if times == "1.00":
            return "as much memory" if self.unit == "MB" else "as fast"
        return f"{times} {WORDS[self.unit][self.ratio < 1]}"

    @property
    def figures(self) -> tuple[str, str]:
        """Both figures with their unit."""
        return f"{number(self.ours)} {self.unit}", f"{number(self.other)} {self.unit}"

    def text(self) -> str:
        """The line as a person reads it in a terminal."""
        ours, other = self.figures
        shown = f"{self.what:54} {ours:>15} {other:>15}   {self.shown_ratio}"
        if self.spread is None:
            return shown
        low, high = sorted(1 / one if self.ratio < 1 else one for one in self.spread)
        return f"{shown}   ({number(low)} to {number(high)})"

    def markdown(self) -> str:
        """The line as a row of a Markdown table with the columns of ``HEADING``."""
        return _cells((self.what, self.against, *self.figures, self.shown_ratio))


def number(value: float) -> str:
    """Three digits, more where it is large."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 99.95 else f"{value:.1f}" if size >= 9.995 else f"{value:.2f}"


def compare(
    what: str,
    against: str,
    ours: float,
    other: float,
    unit: Unit,
    note: str = "",
) -> Row:
    """A row whose ratio is that of the two figures. Of ``layers/s`` more is better."""
    ratio = ours / other if unit == "layers/s" else other / ours
    return Row(what, against, ours, other, unit, ratio, None, note)


def show(rows: Iterable[Row], write: Callable[[str], object] = print) -> list[Row]:
    """Write every row as soon as it is measured, under a heading for every thing compared with."""
    shown: list[Row] = []
    for row in rows:
        if not shown or shown[-1].against != row.against:
            write(f"{f'against {row.against}':54} {'archdsl':>15} {'the other':>15}")
        write(row.text())
        shown.append(row)
    return shown


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    return "\n".join([_cells(HEADING), "|---|---|--:|--:|---|", *(row.markdown() for row in rows)])


def _cells(texts: Iterable[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"
