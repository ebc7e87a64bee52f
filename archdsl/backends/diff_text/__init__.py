"""The comparison of two networks as text, as Markdown, and as plain data."""

from archdsl.backends.diff_text.data import diff_data
from archdsl.backends.diff_text.rows import Row, change_rows
from archdsl.backends.diff_text.text import diff_lines, diff_markdown, diff_text, headline
from archdsl.backends.diff_text.weights import module_renames
from archdsl.backends.diff_text.wording import Line, Sign

__all__ = [
    "Line",
    "Row",
    "Sign",
    "change_rows",
    "diff_data",
    "diff_lines",
    "diff_markdown",
    "diff_text",
    "headline",
    "module_renames",
]
