"""The table as Markdown, and as HTML for notebooks."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence

from archdsl.backends.summary.columns import Column, choose_columns
from archdsl.backends.summary.record import Row, Summary
from archdsl.backends.summary.remarks import remarks, title, totals

_MEANT = re.compile(r"([\\`*_\[\]|<>&~$])")
_NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def to_markdown(summary: Summary, columns: Sequence[str] | None = None) -> str:
    """The table as GitHub's Markdown; its rows are indented by spaces that do not break."""
    chosen = choose_columns(columns, summary.rows)
    lines = [
        f"**{_markdown(title(summary))}**",
        "",
        _markdown_row([column.heading for column in chosen]),
        _markdown_row(["---:" if column.right else "---" for column in chosen]),
        *(
            _markdown_row([_markdown_cell(row, column) for column in chosen])
            for row in summary.rows
        ),
        _markdown_row([_bold(column.total(summary)) for column in chosen]),
        "",
        *(f"- {name}: {_markdown(text)}" for name, text in totals(summary)),
        "",
        *(_markdown(text) for text in remarks(summary, chosen)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _markdown_row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(row: Row, column: Column) -> str:
    indent = _NO_BREAK_SPACE * (4 * row.level) if column.key == "layer" else ""
    return indent + _markdown(column.cell(row))


def _bold(text: str) -> str:
    return f"**{_markdown(text)}**" if text else ""


def _markdown(text: str) -> str:
    """A text in which nothing is Markdown, HTML, or the end of a cell."""
    return _MEANT.sub(r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    """A text without breaks of the line and without what steers a terminal."""
    return "".join(
        c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split())
    )


# HTML for notebooks ---------------------------------------------------------------

_LEFT, _RIGHT = "text-align:left", "text-align:right"


def to_html(summary: Summary, columns: Sequence[str] | None = None) -> str:
    """The table as an HTML fragment that takes the notebook's own style."""
    chosen = choose_columns(columns, summary.rows)
    head = "".join(f'<th style="{_side(c)}">{_html(c.heading)}</th>' for c in chosen)
    body = "".join(_html_row(row, chosen) for row in summary.rows)
    foot = "".join(f'<th style="{_side(c)}">{_html(c.total(summary))}</th>' for c in chosen)
    below = "<br>".join(f"{name}: {_html(text)}" for name, text in totals(summary))
    said = "<br>".join(map(_html, remarks(summary, chosen)))
    return (
        f"<div><p><b>{_html(title(summary))}</b></p>\n"
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n"
        f"<tfoot><tr>{foot}</tr></tfoot>\n</table>\n<p>{below}</p>\n<p><small>{said}</small></p></div>\n"
    )


def _html_row(row: Row, columns: Sequence[Column]) -> str:
    cells = []
    for column in columns:
        style = _side(column)
        if column.key == "layer":
            style += f";padding-left:{0.5 + 1.5 * row.level}em"
        text = _html(column.cell(row))
        cells.append(
            f'<td style="{style}">{f"<b>{text}</b>" if text and row.kind == "open" else text}</td>'
        )
    return f"<tr>{''.join(cells)}</tr>\n"


def _side(column: Column) -> str:
    return _RIGHT if column.right else _LEFT


def _html(text: str) -> str:
    return html.escape(_one_line(text))
