"""From DOT text to SVG and PDF, and from SVG to PNG: text in, text or bytes out.

Nothing here knows of graphs, layers or files, and nothing is imported before it is needed:
WebAssembly only to lay a graph out, the rasterizer only for a PNG.
"""

from archdsl.render.layout import pdf, svg
from archdsl.render.raster import png

__all__ = ["pdf", "png", "svg"]
