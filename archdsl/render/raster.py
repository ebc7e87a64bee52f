"""Draws an SVG document as a PNG image, with fonts of its own: the same on every machine.

The fonts have the widths of Helvetica and Arial, by which Graphviz measures text; what they hold
is told in ``fonts/README.md``. A text in another script is drawn in the system's fonts.
"""

from __future__ import annotations

import re
from pathlib import Path

from archdsl.diagnostics import ArchError, Diagnostic

FONTS = Path(__file__).parent / "fonts"
FAMILY = "Archdsl Sans"

# What the fonts hold. A document with anything else is given the system's fonts too.
_OURS = re.compile(
    "["
    "\t\n\r -~\u00a0-\u024f"  # Latin
    "\u0384-\u038a\u038c\u038e-\u03a1\u03a3-\u03ce\u03d0-\u03ff"  # Greek
    "\u0400-\u045f"  # Cyrillic
    "\u2010-\u2044"  # punctuation
    "\u2070\u2071\u2074-\u208e\u2090-\u209c"  # superscripts and subscripts
    "\u2190-\u22ff"  # arrows and mathematics
    "\u2308-\u230b"  # ceilings and floors, as in ⌈H/2⌉
    "\u2500-\u25ff"  # boxes and geometrical shapes
    "\u27e6-\u27eb\u27f0-\u27ff"  # angle brackets and long arrows
    "]*"
)

_MOST_PIXELS = 2**27  # half a gigabyte; out of memory, the rasterizer ends the whole process

_PIXELS = {"": 1.0, "px": 1.0, "pt": 96 / 72, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4}


def png(svg: str, scale: float = 2) -> bytes:
    """The image of an SVG document, ``scale`` times its size at 96 dots an inch.

    Every ``font-family`` has to end with a generic one, such as ``sans-serif``: a text whose
    families are all unknown is not drawn.

    ArchError, code ``too-large-to-draw``, where it would have more than 2²⁷ pixels. ValueError
    where the text is no SVG document with a width and a height.
    """
    import resvg_py

    width, height = (round(length * scale) for length in _size(svg))
    if width * height > _MOST_PIXELS:
        message = f"the image is too large to be drawn: {width} × {height} pixels"
        help = "fold it: --depth 1, draw a part: --only NAME, or write SVG: -o FILE.svg"
        raise ArchError([Diagnostic("too-large-to-draw", message, help=help)])
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=scale,
        dpi=96,
        font_files=[str(path) for path in sorted(FONTS.glob("*.ttf"))],
        font_family=FAMILY,
        sans_serif_family=FAMILY,
        serif_family=FAMILY,
        monospace_family=FAMILY,
        skip_system_fonts=_OURS.fullmatch(svg) is not None,
    )


def _size(svg: str) -> tuple[float, float]:
    """The width and the height that a document gives itself, in pixels at 96 dots an inch."""
    root = re.search(r"<svg\b[^>]*>", svg)
    if root is None:
        raise ValueError("the text is no SVG document")
    lengths = []
    for name in ("width", "height"):
        length = re.search(rf"""\s{name}=["']([0-9.]+(?:e[0-9]+)?)([a-z]*)["']""", root[0])
        if length is None or length[2] not in _PIXELS:
            raise ValueError(f"the SVG document does not say its {name}")
        lengths.append(float(length[1]) * _PIXELS[length[2]])
    return lengths[0], lengths[1]
