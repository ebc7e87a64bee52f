"""The figure of the convolutional papers: feature maps as boxes, from the checked graph, as SVG."""

from __future__ import annotations

from collections.abc import Mapping

from archdsl.backends.volume.folding import gather
from archdsl.backends.volume.layout import arrange
from archdsl.backends.volume.palette import PALETTES
from archdsl.backends.volume.sizes import drawn_sizes
from archdsl.backends.volume.svg import write_svg
from archdsl.backends.volume.trunk import find_trunk
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph

__all__ = ["draw_volume"]


def draw_volume(
    graph: Graph, *, theme: str = "light", sizes: Mapping[str, int] | None = None
) -> str:
    """The feature maps of a checked graph from left to right, as the text of an SVG document.

    ``theme`` is ``"light"`` or ``"dark"``; ``sizes`` gives free sizes values, and usual ones are
    taken for the others. ArchError, code ``no-volume``, where the network has no feature maps,
    several inputs, or more of anything than one row can show; ``bad-value`` for sizes that the
    network does not have or allow.
    """
    if theme not in PALETTES:
        message = f"there is no theme {theme!r}"
        raise ArchError(
            [Diagnostic("bad-value", message, help=f"the themes are {', '.join(PALETTES)}")]
        )
    trunk = find_trunk(graph)
    values = drawn_sizes(graph, sizes or {})
    row = gather(graph, trunk, values)
    return write_svg(graph, row, arrange(row), values, trunk, PALETTES[theme])
