"""The table as a value: rows, totals, and what they were counted at. It prints itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Literal

from archdsl.dims import Size
from archdsl.ops.op import Tensor
from archdsl.passes.receptive_field import Fields
from archdsl.records import record

NOTHING = "–"
"""What a row is connected to that takes no tensor."""

Kind = Literal["layer", "closed", "open"]


@record(frozen=True)
class Row:
    """A layer, a closed module, or an open one, whose rows follow it one level deeper.

    A row may stand for ``times`` repetitions, one after the other: its figures are of all of
    them, its shape and receptive field of what the last one gives. The figures of an open
    module are the sums of the rows right inside it.
    """

    id: str
    label: str
    """Its name from the network on: ``layer3.1 … 5`` where it stands for several."""
    name: str
    """Its name inside the row that holds it."""
    kind: Kind
    level: int
    parent: str | None
    """The id of the open row that holds it."""
    call: str
    """What it is: ``conv 3×3, 64 · stride 2``, or ``bottleneck(64)``."""
    notes: tuple[str, ...]
    times: int
    nodes: tuple[str, ...]
    """The nodes of the graph that it stands for, those of all repetitions."""
    outputs: tuple[Tensor, ...]
    parameters: int
    multiply_adds: Size
    """For one sample, in evaluation."""
    memory: Size
    """Bytes of its outputs in evaluation, for a batch of 1."""
    training_memory: Size
    """Bytes that it keeps for the backward pass, for a batch of 1."""
    fields: Fields = field(default_factory=dict)
    inputs: tuple[str, ...] = ()
    """Labels of the rows that feed it; none for an open module, whose rows say it themselves."""
    connected: tuple[str, ...] = ()
    """Their names, as short as is clear where it stands; none where it is just the row above."""
    shared: bool = False
    """Whether it has weights that are counted at another row."""


@record(frozen=True)
class Totals:
    """What the rows of one level come to, and what is known of the network as a whole."""

    parameters: int
    buffers: int
    """Numbers that ``state_dict`` holds and that are not trained, such as running means."""
    multiply_adds: Size
    memory: Size
    """Bytes of all outputs."""
    peak_memory: int | None
    """The most bytes held at once in evaluation; None of a part, or where a free size decides."""
    training_memory: Size
    """Bytes kept for the backward pass."""


@record(frozen=True)
class Summary:
    """The table of a network, or of one part of it.

    ``str()`` is the table as text, and notebooks show it as one. Figures are for one sample,
    in float32, at ``sizes``; where free sizes have no value there, they are expressions.
    """

    network: str
    part: str | None
    inputs: Mapping[str, Tensor]
    outputs: Mapping[str, Tensor]
    sizes: Mapping[str, int]
    rows: tuple[Row, ...]
    totals: Totals

    def text(self, columns: Sequence[str] | None = None, *, width: int | None = None) -> str:
        """The table as aligned text; with a ``width``, long names are cut in their middle.

        ``columns`` are names of :data:`archdsl.backends.summary.columns.COLUMNS`, here and below.
        Raises ArchError, code ``bad-value``, for others.
        """
        from archdsl.backends.summary.text import to_text

        return to_text(self, columns, width=width)

    def markdown(self, columns: Sequence[str] | None = None) -> str:
        """The table as Markdown."""
        from archdsl.backends.summary.markup import to_markdown

        return to_markdown(self, columns)

    def latex(self, columns: Sequence[str] | None = None) -> str:
        """The table as a ``tabular`` of LaTeX, with the rules of the package booktabs."""
        from archdsl.backends.summary.latex import to_latex

        return to_latex(self, columns)

    def csv(self, columns: Sequence[str] | None = None) -> str:
        """The rows as comma-separated values, figures in full."""
        from archdsl.backends.summary.data import to_csv

        return to_csv(self, columns)

    def data(self) -> dict[str, Any]:
        """The rows and the totals as plain data, as JSON takes it."""
        from archdsl.backends.summary.data import to_data

        return to_data(self)

    def __str__(self) -> str:
        return self.text()

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def _repr_html_(self) -> str:
        from archdsl.backends.summary.markup import to_html

        return to_html(self)
