"""What commands that draw have in common: options, the picture's format, and its bytes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from archdsl.commands.messages import CallError
from archdsl.diagnostics import ArchError
from archdsl.picture import form_of

if TYPE_CHECKING:
    from archdsl.picture import Picture

Command = TypeVar("Command", bound=Callable[..., Any])


def output_option(help: str) -> Callable[[Command], Command]:
    """The option ``-o``, for the file whose ending says in which format to draw."""
    return click.option("output", "-o", "--output", type=click.Path(), metavar="FILE", help=help)


def depth_option(help: str) -> Callable[[Command], Command]:
    """The option ``--depth``, a number of levels."""
    return click.option("depth", "--depth", type=click.IntRange(min=1), help=help)


def theme_option(*themes: str, help: str) -> Callable[[Command], Command]:
    """The option ``--theme``; without it, the first of the themes."""
    return click.option(
        "theme",
        "--theme",
        type=click.Choice(themes),
        default=themes[0],
        show_default=True,
        help=help,
    )


def chosen_format(output: str | None, form: str | None) -> str:
    """The format that is asked for: by name, by the file's ending, or SVG."""
    if form is not None:
        return form
    if output is None or output == "-":
        return "svg"
    try:
        return form_of(output)
    except ArchError as error:
        raise CallError(error.diagnostics) from None


def content_of(picture: Picture, form: str) -> bytes:
    """The picture's bytes. What is wrong now is wrong with the call: the network is sound."""
    try:
        content = picture.content(form)
    except ArchError as error:
        raise CallError(error.diagnostics) from None
    return content.encode() if isinstance(content, str) else content
