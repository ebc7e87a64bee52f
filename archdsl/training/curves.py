"""Draws loss and metrics by epoch, as they would stand in a paper."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito (2008): told apart by people who see colours differently, and in grey.
_TRAINING = "#0072B2"
_VALIDATION = "#D55E00"
_STYLE: dict[str, Any] = {
    "svg.hashsalt": "archdsl",  # the same run gives the same file
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.titlesize": 10,
    "legend.frameon": False,
}
_MARKED = 25  # of fewer epochs each has its dot


def draw_curves(rows: Sequence[Mapping[str, float]], metrics: Sequence[str] | None = None) -> str:
    """The curves as SVG: a panel for the loss, and one for each metric of the validation data.

    ``rows`` are those of metrics.csv, with ``epoch``; without ``metrics``, what validation has
    beyond the loss and the terms of the training loss.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    panels = ["loss", *(measured(rows) if metrics is None else metrics)]
    with mpl.rc_context(_STYLE):  # type: ignore[arg-type,unused-ignore]  # names of newer stubs
        width = 3.4 * len(panels) + 0.2
        figure = Figure(figsize=(width, 2.7), layout="constrained")
        axes = figure.subplots(1, len(panels), squeeze=False)[0]
        for panel, ax in zip(panels, axes, strict=True):
            _draw_panel(ax, rows, panel)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return text.getvalue()


def measured(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """The metrics of the validation data, in the order of the columns."""
    names = dict.fromkeys(name for row in rows for name in row)
    found = [name.removeprefix("val_") for name in names if name.startswith("val_")]
    both = {name for name in found if f"train_{name}" in names}
    return [name for name in found if name != "loss" and name not in both]


def _draw_panel(ax: Axes, rows: Sequence[Mapping[str, float]], panel: str) -> None:
    from matplotlib.ticker import MaxNLocator

    drawn: list[float] = []
    for stage, label, colour, dash in (
        ("train", "training", _TRAINING, "-"),
        ("val", "validation", _VALIDATION, "--"),
    ):
        points = [
            (row["epoch"], row[f"{stage}_{panel}"])
            for row in rows
            if math.isfinite(row.get(f"{stage}_{panel}", math.nan))
        ]
        if points:
            marker = "o" if len(points) <= _MARKED else ""
            xs, ys = zip(*points, strict=True)
            ax.plot(xs, ys, dash, marker=marker, ms=3, lw=1.4, color=colour, label=label)
            drawn.extend(ys)
    ax.set_title(panel.replace("_", " "))
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    if drawn and min(drawn) > 0 and max(drawn) > 50 * min(drawn):
        ax.set_yscale("log")
    ax.grid(axis="y", color="#dddddd", lw=0.6)
    ax.set_axisbelow(True)
    if drawn:
        ax.legend()
