"""Reads a finished picture: where its texts, boxes, frames and edges stand on the page."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.render.truetype import Font

SVG = "{http://www.w3.org/2000/svg}"
FONTS = Path(__file__).resolve().parents[3] / "archdsl" / "render" / "fonts"
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Rectangle:
    """Where something stands, in points from the top left; ``what`` it is."""

    what: str
    left: float
    top: float
    right: float
    bottom: float

    @property
    def middle(self) -> tuple[float, float]:
        return (self.left + self.right) / 2, (self.top + self.bottom) / 2

    def meets(self, other: Rectangle, least: float = 0.5) -> bool:
        """Whether the two share more than a seam of ``least`` points."""
        return (
            min(self.right, other.right) - max(self.left, other.left) > least
            and min(self.bottom, other.bottom) - max(self.top, other.top) > least
        )

    def holds(self, other: Rectangle, room: float = 0.0) -> bool:
        return (
            self.left - room <= other.left
            and self.top - room <= other.top
            and other.right <= self.right + room
            and other.bottom <= self.bottom + room
        )


@dataclass
class Page:
    """What is on the page; ``cells`` are the layers within boxes, with the texts that they hold."""

    paper: Rectangle
    texts: list[Rectangle] = field(default_factory=list)
    labels: list[Rectangle] = field(default_factory=list)
    """Of the texts, those at edges."""
    boxes: dict[str, Rectangle] = field(default_factory=dict)
    frames: dict[str, Rectangle] = field(default_factory=dict)
    cells: dict[str, Rectangle] = field(default_factory=dict)
    held: list[tuple[Rectangle, Rectangle]] = field(default_factory=list)
    """Cells and boxes, each with a text that stands in it."""
    edges: list[str] = field(default_factory=list)
    """The ends of each edge, as ``"tail->head"``."""

    @property
    def words(self) -> list[str]:
        return [text.what for text in self.texts]


def read(svg: str) -> Page:
    """The page of an SVG that :func:`archdsl.backends.dot.finish` wrote."""
    root = ET.fromstring(svg)  # noqa: S314 - our own text
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    page = Page(Rectangle("paper", left, top, left + width, top + height))
    _enter(root, 0.0, 0.0, page, edge=False)
    return page


def _enter(element: ET.Element, dx: float, dy: float, page: Page, *, edge: bool) -> None:
    moved = re.search(r"translate\(([^)]*)\)", element.get("transform", ""))
    if moved:
        x, y = map(float, _NUMBER.findall(moved[1]))
        dx, dy = dx + x, dy + y
    kind, name = element.get("class"), element.get("id", "")
    if kind == "edge":
        page.edges.append(element.findtext(f"{SVG}title", ""))
    if kind == "node":
        page.boxes[name] = _around(name, element, dx, dy)
    if kind == "cluster":
        page.frames[name] = _around(name, element, dx, dy)
    shapes = [child for child in element if child.tag in (f"{SVG}rect", f"{SVG}ellipse")]
    if kind in ("cell", "node") and shapes:
        cell = _around(name, element, dx, dy)
        if kind == "cell":
            page.cells[name] = cell
        page.held += [(cell, _text(t, dx, dy)) for t in element.findall(f"{SVG}text")]
    for child in element:
        if child.tag == f"{SVG}text":
            text = _text(child, dx, dy)
            page.texts.append(text)
            if kind == "edge" or edge:
                page.labels.append(text)
        else:
            _enter(child, dx, dy, page, edge=edge or kind == "edge")


def _text(element: ET.Element, dx: float, dy: float) -> Rectangle:
    """From the tops of capitals to the feet of «g», without the spaces at its ends."""
    words = element.text or ""
    size, x, y = (float(element.attrib[k]) for k in ("font-size", "x", "y"))
    bold = element.get("font-weight") == "bold"
    said = words.strip()
    width, whole = (text_width(w, bold) * size for w in (said, words))
    before = text_width(words[: len(words) - len(words.lstrip())], bold) * size
    anchored = {"middle": whole / 2, "end": whole}.get(element.get("text-anchor", ""), 0.0)
    left, baseline = dx + x - anchored + before, dy + y
    return Rectangle(said, left, baseline - 0.73 * size, left + width, baseline + 0.21 * size)


def text_width(text: str, bold: bool) -> float:
    """In ems, by the tables of the fonts that a PNG is drawn with; wide where they lack it."""
    widths = _font("Bold" if bold else "Regular").widths
    return float(sum(widths.get(c, 1.0) for c in text))


@cache
def _font(style: str) -> Font:
    return Font(FONTS / f"ArchdslSans-{style}.ttf")


def _around(what: str, element: ET.Element, dx: float, dy: float) -> Rectangle:
    """The rectangle around the shapes of an element, without its texts."""
    xs: list[float] = []
    ys: list[float] = []
    for shape in element.iter():
        if shape.tag == f"{SVG}rect":
            x, y, w, h = (float(shape.attrib[k]) for k in ("x", "y", "width", "height"))
            xs += [x, x + w]
            ys += [y, y + h]
        elif shape.tag == f"{SVG}ellipse":
            x, y, w, h = (float(shape.attrib[k]) for k in ("cx", "cy", "rx", "ry"))
            xs += [x - w, x + w]
            ys += [y - h, y + h]
        elif shape.tag in (f"{SVG}path", f"{SVG}polygon") and "H" not in shape.get("d", ""):
            if re.search("[a-z]", shape.get("d", "")):
                continue  # the bracket of a «×N», drawn relatively
            numbers = [float(n) for n in _NUMBER.findall(shape.get("d", shape.get("points", "")))]
            xs += numbers[::2]
            ys += numbers[1::2]
        elif shape.tag == f"{SVG}text" and element.get("class") == "node" and not xs:
            text = _text(shape, 0, 0)  # a word by itself, for what stands outside
            xs += [text.left, text.right]
            ys += [text.top, text.bottom]
    return Rectangle(what, dx + min(xs), dy + min(ys), dx + max(xs), dy + max(ys))


def assert_legible(page: Page) -> None:
    """No text meets another, leaves what it stands in, or the page; no box meets another."""
    meeting = [(a.what, b.what) for a, b in combinations(page.texts, 2) if a.meets(b)]
    assert meeting == []
    outside = [text.what for text in page.texts if not page.paper.holds(text)]
    assert outside == []
    leaving = [(c.what, t.what) for c, t in page.held if not c.holds(t, 0.5)]
    assert leaving == []
    boxes = list(page.boxes.values())
    assert [(a.what, b.what) for a, b in combinations(boxes, 2) if a.meets(b)] == []
    struck = [(t.what, b.what) for t in page.labels for b in boxes if b.meets(t, 1.0)]
    assert struck == []
    assert all(page.paper.holds(box) for box in [*boxes, *page.frames.values()])
