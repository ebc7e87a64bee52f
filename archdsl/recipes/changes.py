"""Settings that are given apart from the file: ``epochs=5`` as the entry of a train block."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.diagnostics import ArchError, Diagnostic, Source
from archdsl.elaborate.values import Env, Stop
from archdsl.graph import new_graph
from archdsl.ops.op import show_value, signature
from archdsl.recipes.applying import Reading, read_technique
from archdsl.syntax import ast
from archdsl.syntax.parser import parse
from archdsl.techniques.data import DataSource


def read_changes(settings: Mapping[str, object], origin: str = "--set") -> tuple[ast.Entry, ...]:
    """The entries of settings, each a text as a block would have it, or a number.

    Raises ArchError for a text that is no setting.
    """
    return tuple(entry for key, value in settings.items() for entry in _entries(key, value, origin))


def _entries(key: str, value: object, origin: str) -> tuple[ast.Entry, ...]:
    text = value if isinstance(value, str) else show_value(value)
    source = Source(origin, f"train {{\n{key}: {text}\n}}")
    try:
        (block,) = parse(source).declarations
    except (ArchError, ValueError):
        block = None
    if not isinstance(block, ast.Train) or [e.key for e in block.entries] != [key]:
        message = f"{key}={text} is no setting"
        help = "NAME=VALUE, as a train block would have it: epochs=5, optimizer='sgd(lr = 0.1)'"
        raise ArchError([Diagnostic("bad-setting", message, help=help)])
    return block.entries


def read_data(text: str, like: DataSource | None = None) -> DataSource:
    """A data set by its text: ``digits``, ``csv("table.csv", target = "price")``.

    What it does not say is as it is of the one that it is to be ``like``: the size of pictures,
    the target of a table. Raises ArchError for what is none.
    """
    (entry,) = _entries("data", text, "data")
    try:
        source = read_technique(
            entry.value, ("data",), Reading(new_graph(""), Env(kind="file"), ())
        )
    except Stop as stop:
        raise ArchError([stop.diagnostic]) from None
    assert isinstance(source, DataSource)
    return source if like is None else source.like(like, _said(entry.value, source))


def _said(written: ast.Setting, source: DataSource) -> set[str]:
    """The arguments that a source was written with."""
    arguments = written.arguments if isinstance(written, ast.Call) else ()
    places = [parameter.name for parameter in signature(type(source))]
    by_place = sum(argument.name is None for argument in arguments)
    return {*places[:by_place], *(a.name for a in arguments if a.name is not None)}
