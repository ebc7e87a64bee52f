"""The table of a network: its layers with shapes, costs and receptive fields."""

from archdsl.backends.summary.record import Row, Summary, Totals
from archdsl.backends.summary.rows import summarize

__all__ = ["Row", "Summary", "Totals", "summarize"]
