"""The picture, as DOT text for Graphviz, and as SVG once Graphviz has placed it."""

from archdsl.backends.dot.drawing import Drawing, Layout, draw
from archdsl.backends.dot.svg import finish

__all__ = ["Drawing", "Layout", "draw", "finish"]
