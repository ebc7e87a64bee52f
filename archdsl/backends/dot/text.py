"""DOT text: names, attributes and HTML-like labels; all from a specification is escaped."""

from __future__ import annotations

import html
import re

_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def quote(text: str) -> str:
    """A string of DOT: in double quotes, with nothing in it that DOT reads as more than text.

    That is a backslash, a quote, and the ampersand of an entity.
    """
    rows = (_UNPRINTABLE.sub(" ", row) for row in text.split("\n"))
    clean = (row.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for row in rows)
    return '"' + "\\n".join(clean) + '"'


def escape(text: str) -> str:
    """Text inside an HTML-like label."""
    return html.escape(_UNPRINTABLE.sub(" ", text), quote=True)


def attributes(**values: object) -> str:
    """An attribute list; what is None is left out, an HTML-like label starts with «<»."""
    shown = [
        f"{key.rstrip('_')}={_value(value)}" for key, value in values.items() if value is not None
    ]
    return f"[{', '.join(shown)}]" if shown else ""


class Markup(str):
    """An HTML-like label, with its tags."""

    __slots__ = ()


def _value(value: object) -> str:
    if isinstance(value, Markup):
        return f"<{value}>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:g}"
    return quote(str(value))


def font(text: str, *, size: float | None = None, color: str = "", bold: bool = False) -> str:
    """Escaped text in a font."""
    inner = f"<B>{escape(text)}</B>" if bold else escape(text)
    size_text = f' POINT-SIZE="{size:g}"' if size else ""
    color_text = f' COLOR="{color}"' if color else ""
    return f"<FONT{size_text}{color_text}>{inner}</FONT>" if size_text or color_text else inner


def cell(inner: str, **values: object) -> str:
    """A cell of an HTML-like table."""
    shown = "".join(
        f' {key.upper()}="{escape(str(value))}"'
        for key, value in values.items()
        if value is not None
    )
    return f"<TD{shown}>{inner}</TD>"


def table(rows: list[str], **values: object) -> Markup:
    """An HTML-like table of rows, each its cells."""
    shown = "".join(f' {key.upper()}="{value}"' for key, value in values.items())
    return Markup(f"<TABLE{shown}>{''.join(f'<TR>{row}</TR>' for row in rows)}</TABLE>")
