"""The table as LaTeX, with the rules of the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archdsl.backends.summary.columns import Column, choose_columns
from archdsl.backends.summary.record import Row, Summary
from archdsl.backends.summary.remarks import remarks, title, totals

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\symbol{34}",
    "'": r"\symbol{39}",
    "`": r"\symbol{96}",
    "[": "{[}",  # behind the end of a line it would be taken for that one's argument
    "]": "{]}",
    "*": "{*}",  # as above
    "×": r"$\times$",
    "·": r"$\cdot$",
    "…": r"\ldots{}",
    "→": r"$\to$",
    "⌈": r"$\lceil$",
    "⌉": r"$\rceil$",
    "⌊": r"$\lfloor$",
    "⌋": r"$\rfloor$",
    "«": r"$\ll$",
    "»": r"$\gg$",
}
_MEANT = re.compile("|".join(map(re.escape, _ESCAPES)))
_LIGATURE = re.compile(r"([-,])(?=\1)")  # two are set as one sign


def to_latex(summary: Summary, columns: Sequence[str] | None = None) -> str:
    r"""The table as a ``tabular``, to stand in a ``table`` of yours.

    It needs ``\usepackage{booktabs}``. What the totals and the remarks say stands in comments
    above it, for a caption.
    """
    chosen = choose_columns(columns, summary.rows)
    said = [title(summary), *(f"{name}: {text}" for name, text in totals(summary))]
    said += remarks(summary, chosen)
    lines = [
        r"% \usepackage{booktabs}",
        *(f"% {_one_line(text)}" for text in said),
        rf"\begin{{tabular}}{{{''.join('r' if column.right else 'l' for column in chosen)}}}",
        r"\toprule",
        _row([_latex(column.heading) for column in chosen]),
        r"\midrule",
        *(_row([_cell(row, column) for column in chosen]) for row in summary.rows),
        r"\midrule",
        _row([_latex(column.total(summary)) for column in chosen]),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells).rstrip() + r" \\"


def _cell(row: Row, column: Column) -> str:
    indent = rf"\hspace*{{{row.level}em}}" if column.key == "layer" and row.level else ""
    return indent + _latex(column.cell(row))


def _latex(text: str) -> str:
    """A text in which nothing is a command."""
    escaped = _MEANT.sub(lambda found: _ESCAPES[found[0]], _one_line(text))
    return _LIGATURE.sub(r"\1{}", escaped)


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in " ".join(text.split()))
