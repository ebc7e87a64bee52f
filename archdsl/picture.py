"""A picture of a network, in any of the forms that it can be had in."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph
from archdsl.output import write_file
from archdsl.passes.free_sizes import choose_sizes
from archdsl.records import record

if TYPE_CHECKING:
    from archdsl.backends.dot import Drawing, Layout
    from archdsl.passes.differences import Status

Style = Literal["graph", "volume"]
FORMATS = ("svg", "png", "pdf", "dot", "html")
STYLES, THEMES, LAYOUTS = ("graph", "volume"), ("auto", "light", "dark"), ("auto", "flow", "u")


@record(frozen=True)
class Picture:
    """A picture of a checked graph; in a notebook it shows itself.

    Made by :func:`archdsl.draw`, which describes the options.
    """

    graph: Graph = field(repr=False)
    style: Style = "graph"
    depth: int | None = None
    unfold: bool = False
    only: str | None = None
    theme: str = "auto"
    layout: Layout = "auto"
    sizes: Mapping[str, int] = field(default_factory=dict)
    status: Mapping[str, Status] = field(default_factory=dict, repr=False)
    """Where the graph is two that were compared: what became of every layer."""

    def __post_init__(self) -> None:
        """ArchError ``bad-value`` for an option that is none."""
        for what, value, known in (
            ("style", self.style, STYLES),
            ("theme", self.theme, THEMES),
            ("layout", self.layout, LAYOUTS),
        ):
            if value not in known:
                message, help = (
                    f"there is no {what} {value!r}",
                    f"the {what}s are {', '.join(known)}",
                )
                raise ArchError([Diagnostic("bad-value", message, help=help)])
        if self.depth is not None and (type(self.depth) is not int or self.depth < 1):
            message = f"depth is how many levels to open, at least 1, and not {self.depth!r}"
            raise ArchError([Diagnostic("bad-value", message)])
        if self.sizes and not self.status:
            choose_sizes(self.graph, self.sizes)

    @cached_property
    def svg(self) -> str:
        """The picture as SVG, a document of its own."""
        if self.style == "volume":
            from archdsl.backends.volume import draw_volume

            theme: Literal["light", "dark"] = "dark" if self.theme == "dark" else "light"
            return draw_volume(self.graph, theme=theme, sizes=self.sizes or None)
        from archdsl.backends.dot import finish
        from archdsl.render import svg

        return finish(svg(self._drawing.skeleton), self._drawing)

    @property
    def dot(self) -> str:
        """The picture as DOT, for Graphviz."""
        return self._drawing.dot

    def png(self, scale: float = 2.0) -> bytes:
        """The picture as PNG, ``scale`` pixels for each unit (a point) of the SVG."""
        from archdsl.render import png

        return png(self.svg, scale)

    def pdf(self) -> bytes:
        """The picture as PDF. ArchError ``no-graphviz`` where the program ``dot`` is not there."""
        from archdsl.render import pdf

        return pdf(self.dot)

    def html(self) -> str:
        """One page to explore: blocks open and close, and layers say what they are."""
        from archdsl.backends.dot.page import write_page

        self._refuse_volume("a page")
        return write_page(
            self.graph,
            depth=self.depth,
            unfold=self.unfold,
            only=self.only,
            theme=self.theme,
            layout=self.layout,
            sizes=self.sizes,
        )

    def save(self, path: str | os.PathLike[str], form: str | None = None) -> None:
        """Write the picture, whole or not at all, in the format of the ending or in ``form``.

        ArchError ``bad-call`` for an ending that is none of ``.svg .png .pdf .dot .html``.
        """
        write_file(path, self.content(form or form_of(path)))

    def content(self, form: str) -> str | bytes:
        """The picture in one of the formats."""
        ways: dict[str, Callable[[], str | bytes]] = {
            "svg": lambda: self.svg,
            "png": self.png,
            "pdf": self.pdf,
            "dot": lambda: self.dot,
            "html": self.html,
        }
        return ways[form]()

    def _repr_svg_(self) -> str:
        return self.svg

    @cached_property
    def _drawing(self) -> Drawing:
        from archdsl.backends.dot import draw

        self._refuse_volume("DOT")
        return draw(
            self.graph,
            depth=self.depth,
            unfold=self.unfold,
            only=self.only,
            theme="dark" if self.theme == "dark" else "light",
            layout=self.layout,
            sizes=self.sizes,
            status=self.status,
        )

    def _refuse_volume(self, what: str) -> None:
        if self.style == "volume":
            message = f"a figure of volumes is not to be had as {what}"
            help = "write it as SVG or PNG: -o FILE.svg"
            raise ArchError([Diagnostic("bad-call", message, help=help)])


def form_of(path: str | os.PathLike[str]) -> str:
    """The format that a file's name asks for; ArchError ``bad-call`` where it is none."""
    ending = Path(path).suffix.lower().removeprefix(".")
    form = {"gv": "dot", "htm": "html"}.get(ending, ending)
    if form not in FORMATS:
        known = ", ".join(f".{name}" for name in FORMATS)
        message = f"{os.fspath(path)} does not say in which format to draw"
        raise ArchError([Diagnostic("bad-call", message, help=f"end its name in one of {known}")])
    return form
