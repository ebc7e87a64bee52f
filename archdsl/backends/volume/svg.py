"""Writes the laid-out figure as an SVG document of its own, with its legend."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from xml.sax.saxutils import escape, quoteattr

from archdsl.backends.volume.layout import SIZES, Box, Layout, Line, Path
from archdsl.backends.volume.palette import Palette, Tint, group_of
from archdsl.backends.volume.slabs import Row, Slab
from archdsl.backends.volume.text import shorten, text_width
from archdsl.backends.volume.trunk import Trunk
from archdsl.graph import Graph

FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
_MARGIN = 16.0
_LEGEND_SIZE, _LEGEND_LINE, _SWATCH = 10.0, 18.0, 12.0
_LEAST_WIDTH = 320.0
_LONGEST_NOTE = 60
_DASHES = ' stroke-dasharray="4 2.5"'
_ROUND = 5.0  # the radius of a skip's corners


def write_svg(
    graph: Graph,
    row: Row,
    layout: Layout,
    sizes: Mapping[str, int],
    trunk: Trunk,
    palette: Palette,
) -> str:
    """The document: boxes, arrows, texts, and a legend of what was drawn."""
    left, top, right, bottom = layout.bounds()
    entries = list(_entries(graph, row, sizes, trunk))
    needed = max((_entry_width(text, swatch) for swatch, text in entries), default=0.0)
    width = max(right - left, needed, _LEAST_WIDTH)
    left -= (width - (right - left)) / 2
    placed = list(_flow(entries, left, bottom + 30, width))
    bottom = max([bottom, *(y + 6 for _, _, _, y in placed)])
    width, height = width + 2 * _MARGIN, bottom - top + 2 * _MARGIN
    corner = _number(left - _MARGIN), _number(top - _MARGIN)
    view = " ".join((*corner, _number(width), _number(height)))
    extent = f'width="{_number(width)}" height="{_number(height)}"'
    name = _escape(str(graph.graph.get("name") or "network"))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {extent} viewBox="{view}" font-family="{FONT}">',
        f"<title>{name}</title>",
        f'<rect x="{corner[0]}" y="{corner[1]}" {extent} fill="{palette.ground.paper}"/>',
        *(_box(box, palette) for box in layout.boxes),
        *(_dot(x, y, palette) for x, y in layout.dots),
        *(_path(path, palette) for path in layout.paths),
        *(_line(line, palette) for line in layout.lines),
        *(_entry(*place, palette) for place in placed),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _number(value: float) -> str:
    text = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _escape(text: str) -> str:
    return escape(_clean(text))


def _clean(text: str) -> str:
    """The text without what XML cannot hold: the names of a graph made by hand may be anything."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _points(*points: tuple[float, float]) -> str:
    return " ".join(f"{_number(x)},{_number(y)}" for x, y in points)


def _head(x: float, y: float, towards: tuple[float, float], colour: str) -> str:
    """The head of an arrow; no marker, whose name would be shared by all figures of a page."""
    (a, b), back = towards, 7.0
    corners = (
        (x, y),
        (x - back * a - 2.8 * b, y - back * b - 2.8 * a),
        (x - back * a + 2.8 * b, y - back * b + 2.8 * a),
    )
    return f'<polygon points="{_points(*corners)}" fill="{colour}"/>'


# Boxes and arrows ---------------------------------------------------------------------


def _box(box: Box, palette: Palette) -> str:
    tint = palette.tints[group_of(box.slab.family)]
    x1, x2, y1, y2 = box.x, box.x + box.width, box.y, box.y + box.height
    dx, dy = box.dx, box.dy
    faces = [
        (tint.top, _points((x1, y1), (x1 + dx, y1 - dy), (x2 + dx, y1 - dy), (x2, y1))),
        (tint.side, _points((x2, y1), (x2 + dx, y1 - dy), (x2 + dx, y2 - dy), (x2, y2))),
        (tint.front, _points((x1, y1), (x2, y1), (x2, y2), (x1, y2))),
    ]
    drawn = "".join(f'<polygon fill="{fill}" points="{points}"/>' for fill, points in faces)
    nodes = quoteattr(_clean(" ".join(box.slab.nodes)))
    return (
        f'<g class="volume" data-nodes={nodes} stroke="{tint.line}" stroke-width="0.8"'
        f' stroke-linejoin="round"><title>{_escape(_told(box.slab))}</title>{drawn}</g>'
    )


def _told(slab: Slab) -> str:
    """What a browser shows over a box: its shape, and the nodes that it stands for."""
    sizes = "×".join(map(str, (slab.shape.channels, *slab.shape.extents)))
    return f"{sizes}: {shorten(', '.join(slab.nodes), 200)}"


def _dot(x: float, y: float, palette: Palette) -> str:
    return f'<circle cx="{_number(x)}" cy="{_number(y)}" r="1.5" fill="{palette.quiet}"/>'


def _path(path: Path, palette: Palette) -> str:
    if path.arc is None:
        *points, (x, y) = path.points
        return (
            f'<polyline class="flow" points="{_points(*points, (x - 5, y))}" fill="none"'
            f' stroke="{palette.quiet}" stroke-width="1"/>{_head(x, y, (1, 0), palette.quiet)}'
        )
    (x1, y1), (_, y), _, (x2, y2) = path.points
    bend = min(_ROUND, (x2 - x1) / 2)
    way = (
        f"M{_points((x1, y1))} L{_points((x1, y + bend))} Q{_points((x1, y), (x1 + bend, y))}"
        f" L{_points((x2 - bend, y))} Q{_points((x2, y), (x2, y + bend))} L{_points((x2, y2 - 5))}"
    )
    dashes = _DASHES if path.arc.captions else ""
    nodes, colour = quoteattr(_clean(" ".join(path.arc.nodes))), palette.ground.skip
    return (
        f'<path class="skip" data-nodes={nodes} d="{way}" fill="none" stroke="{colour}"'
        f' stroke-width="1.2"{dashes}/>{_head(x2, y2, (0, 1), colour)}'
    )


def _line(line: Line, palette: Palette) -> str:
    colour = palette.quiet if line.kind == "caption" else palette.ground.ink
    place = f'x="{_number(line.x)}" y="{_number(line.y)}" text-anchor="middle"'
    weight = ' font-weight="bold"' if line.kind == "channels" else ""
    return (
        f'<text {place} font-size="{_number(SIZES[line.kind])}"{weight} fill="{colour}">'
        f"{_escape(line.text)}</text>"
    )


# The legend ---------------------------------------------------------------------------


def _entries(
    graph: Graph, row: Row, sizes: Mapping[str, int], trunk: Trunk
) -> Iterator[tuple[str, str]]:
    """Every entry: its swatch (a family's word, ``"skip"``, ``"dashed"`` or none) and its text."""
    used = dict.fromkeys(group_of(slab.family) for slab in row.slabs)
    yield from ((word, word) for word in used)
    if any(not arc.captions for arc in row.arcs):
        yield "skip", "skip connection"
    through = dict.fromkeys(line for arc in row.arcs for line in arc.captions)
    if through:
        yield "dashed", shorten(f"skip through {'; '.join(through)}", _LONGEST_NOTE)
    if sizes:
        at = ", ".join(f"{name} = {size}" for name, size in sizes.items())
        yield "", shorten(f"drawn at {at}", _LONGEST_NOTE)
    for nodes, why in (
        (trunk.left_out, "that lead to other outputs"),
        (trunk.in_training, "of training alone"),
    ):
        missing = sum(graph.nodes[node]["op"] != "output" for node in nodes)
        if missing:
            yield "", f"not drawn: {missing} layer{'s' * (missing > 1)} {why}"


def _entry_width(text: str, swatch: str) -> float:
    room = {"": 0.0, "skip": 30.0, "dashed": 30.0}.get(swatch, _SWATCH + 6)
    return room + text_width(text, _LEGEND_SIZE)


def _flow(
    entries: Iterable[tuple[str, str]], left: float, y: float, width: float
) -> Iterator[tuple[str, str, float, float]]:
    """Places the entries in lines."""
    x = left
    for swatch, text in entries:
        needed = _entry_width(text, swatch)
        if x > left and x + needed > left + width:
            x, y = left, y + _LEGEND_LINE
        yield swatch, text, x, y
        x += needed + 20


def _entry(swatch: str, text: str, x: float, y: float, palette: Palette) -> str:
    room = _entry_width("", swatch)
    sign = ""
    if swatch in {"skip", "dashed"}:
        dashes = _DASHES if swatch == "dashed" else ""
        sign = (
            f'<path d="M{_points((x, y - 3.5))} L{_points((x + 19, y - 3.5))}" fill="none"'
            f' stroke="{palette.ground.skip}" stroke-width="1.2"{dashes}/>'
            f"{_head(x + 24, y - 3.5, (1, 0), palette.ground.skip)}"
        )
    elif swatch:
        sign = _swatch(palette.tints[swatch], x, y)
    return (
        f'{sign}<text x="{_number(x + room)}" y="{_number(y)}" font-size="{_number(_LEGEND_SIZE)}"'
        f' fill="{palette.quiet}">{_escape(text)}</text>'
    )


def _swatch(tint: Tint, x: float, y: float) -> str:
    return (
        f'<rect x="{_number(x)}" y="{_number(y - 9)}" width="{_number(_SWATCH)}" height="10"'
        f' fill="{tint.front}" stroke="{tint.line}" stroke-width="0.8"/>'
    )
