"""The finish: boxes filled, frames titled and the legend added in what Graphviz has laid out."""

from __future__ import annotations

import html
import re

from archdsl.backends.dot.drawing import Drawing
from archdsl.backends.dot.text import escape
from archdsl.backends.dot.titles import Titles

_NODE = re.compile(r'<g id="([^"]*)" class="node">\s*<title>.*?</title>(.*?)</g>', re.DOTALL)
_FRAME = re.compile(
    r'(<g id="frame ([^"]*)" class="cluster">.*?<(?:path|polygon)[^>]*?/>)(?:\s*<text.*?</text>)+',
    re.DOTALL,
)
_FILL = re.compile(r'<(?:path|polygon) fill="(#\w+)"')
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
_SIZE = re.compile(r'<svg width="[\d.]+pt" height="[\d.]+pt"\s+viewBox="([^"]*)"')
_MARGIN = 10.0


def finish(svg: str, drawing: Drawing) -> str:
    """The picture, given its skeleton as Graphviz has drawn it."""
    boxes = {_plain(i): box for i, box in drawing.boxes.items()}
    frames = {_plain(i): words for i, words in drawing.frames.items()}

    def fill(match: re.Match[str]) -> str:
        box = boxes.get(_plain(match[1]))
        if box is None:
            return match[0]
        x, y = _middle(match[2])
        inner = box.svg()
        return f'<g id="{match[1]}" class="node" transform="translate({x:.2f} {y:.2f})">{inner}</g>'

    titles: list[str] = []
    writer = Titles(svg)

    def head(match: re.Match[str]) -> str:
        words = frames.get(_plain(match[2]))
        if words:
            left, top, right, _ = _extent(match[1][match[1].rindex("<") :])
            ground = _FILL.search(match[1])
            fill = ground[1] if ground else "none"
            titles.append(writer.svg(words, left, top, right, fill))
        return match[1]

    text = _FRAME.sub(head, _NODE.sub(fill, svg))
    # Upon the edges, for those titles that there is no room for beside them.
    closing = text.rindex("</g>")
    text = text[:closing] + "\n".join([*titles, ""]) + text[closing:]
    return _with_legend(text, drawing)


def _plain(name: str) -> str:
    """A name without what Graphviz writes in its own way: entities and line ends."""
    text = html.unescape(escape(name))
    while text != (plain := html.unescape(text)):
        text = plain
    return " ".join(text.replace("\\n", " ").split())


def _with_legend(text: str, drawing: Drawing) -> str:
    """The picture with its legend below: the paper is made longer."""
    found = _SIZE.search(text)
    if found is None or not (drawing.legend.chips or drawing.legend.strokes):
        return text
    left, top, width, height = map(float, _NUMBER.findall(found[1]))
    wide = max(width, drawing.legend.widest + 2 * _MARGIN)
    extra = drawing.legend.height(wide - 2 * _MARGIN) + _MARGIN
    legend = drawing.legend.svg(left + wide / 2, top + height, wide - 2 * _MARGIN)
    size = (
        f'<svg width="{wide:g}pt" height="{height + extra:g}pt"'
        f' viewBox="{left:g} {top:g} {wide:g} {height + extra:g}"'
    )
    paper = re.search(r'<polygon fill="(#\w+)" stroke="none" points="[^"]*"/>', text)
    ground = ""
    if paper:
        ground = (
            f'<rect x="{left:g}" y="{top:g}" width="{wide:g}" height="{height + extra:g}"'
            f' fill="{paper[1]}"/>'
        )
        text = text.replace(paper[0], "", 1)
    text = text.replace(found[0], size, 1)
    first = text.index("<g ")
    family = "font-family=\"Helvetica, Arial, 'Liberation Sans', sans-serif\""
    body = text[first:].rpartition("</svg>")[0].rstrip()
    return f"{text[:first]}{ground}\n<g {family}>\n{body}\n{legend}\n</g>\n</svg>\n"


def _middle(shape: str) -> tuple[float, float]:
    left, top, right, bottom = _extent(shape)
    return (left + right) / 2, (top + bottom) / 2


def _extent(shape: str) -> tuple[float, float, float, float]:
    """The rectangle around the points or the path of an element."""
    found = re.search(r'(?:points|\bd)="([^"]*)"', shape)
    numbers = [float(n) for n in _NUMBER.findall(found[1] if found else "")]
    xs, ys = numbers[::2], numbers[1::2]
    return min(xs), min(ys), max(xs), max(ys)
