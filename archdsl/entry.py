"""An entry of a reference: what a layer, or a technique of training, says of itself, as text."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from archdsl.ops.op import Parameter, show_value, signature

_WIDTH = 88


def heading(cls: type[Any]) -> str:
    """Its names."""
    return ", ".join((cls.name, *cls.aliases))


def summary_line(cls: type[Any]) -> str:
    """The first line of what it says."""
    return _doc(cls).partition("\n")[0]


def _doc(cls: type[Any]) -> str:
    return inspect.cleandoc(cls.__doc__ or "").replace("``", "`")


# For a terminal -------------------------------------------------------------------


def entry(cls: type[Any], form: str) -> Iterator[str]:
    """Its sections: the form that it is written in, what it does, its arguments."""
    yield _filled_form(cls, form)
    yield _doc(cls)
    if cls.aliases:
        yield f"Also called {' and '.join(cls.aliases)}."
    if signature(cls):
        yield "\n".join(["Arguments", *_arguments(cls)])


def _filled_form(cls: type[Any], form: str) -> str:
    return _fill(form, "", " " * (len(cls.name) + 1))


def _arguments(cls: type[Any]) -> Iterator[str]:
    rows = [(_name_and_default(p), f"{p.doc}: {p.kind.words}") for p in signature(cls)]
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        yield _fill(text, f"  {name:<{width}}  ", " " * (width + 4))


def _name_and_default(parameter: Parameter) -> str:
    if parameter.required:
        return parameter.name
    return f"{parameter.name} = {show_value(parameter.default) or 'none'}"


def _fill(text: str, first: str, further: str) -> str:
    """The text in lines, none of them begun or ended by an equals sign."""
    kept = text.replace(" = ", "\0=\0")
    lines = textwrap.fill(kept, _WIDTH, initial_indent=first, subsequent_indent=further)
    return lines.replace("\0", " ")


# For a page -----------------------------------------------------------------------


def page_entry(cls: type[Any], form: str) -> Iterator[str]:
    """The same sections under a heading, as Markdown."""
    yield f"### {cls.name}"
    yield f"```text\n{_filled_form(cls, form)}\n```"
    yield as_markdown(_doc(cls))
    if cls.aliases:
        yield f"Also called {' and '.join(f'`{alias}`' for alias in cls.aliases)}."
    if signature(cls):
        rows = ["| argument | | takes |", "|---|---|---|"]
        for parameter in signature(cls):
            meaning = as_markdown(f"{parameter.doc} | {parameter.kind.words}")
            rows.append(f"| `{_name_and_default(parameter)}` | {meaning} |")
        yield "\n".join(rows)


def as_markdown(text: str) -> str:
    """The text with what Markdown would take for its own signs escaped, but for `code`."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([*<])", r"\\\1", p) for p in parts)
