"""The finished picture: all is in it, nothing covers anything, and it stands as it should."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import networkx as nx
import pytest
from hypothesis import given, settings

import archdsl
from archdsl.backends.dot import Drawing, draw, finish
from archdsl.backends.dot.wires import wires
from archdsl.graph import Graph
from archdsl.render import svg
from archdsl.render.metrics import text_width
from tests.backends.dot.reading import SVG, Page, assert_legible, read
from tests.passes.test_outline import FEWER, graph_of, written
from tests.soundness.checked import checked_graphs

ROOT = Path(__file__).resolve().parents[3]
GALLERY = """
    resnet:resnet18 resnet:resnet50 densenet:densenet121 googlenet:googlenet unet:unet
    unet:unet_same wide_and_deep:wide_and_deep siamese:siamese recurrent:lstm_written_out
    vit:vit_b_16 gpt:gpt transformer:transformer translation:generator lenet:lenet5 vgg:vgg16
    mobilenet:mobilenet_v2 mobilenet:mobilenet_v3_small squeezenet:squeezenet1_0
    efficientnet:efficientnet_b0 convnext:convnext_tiny autoencoder:variational_autoencoder
    nasnet:nasnet_a_mobile neural_ode:ode_net fcn:fcn_resnet50
""".split()

GROUND = ("x", "y", "width", "height")


def drawn(graph: Graph, **options: Any) -> tuple[Drawing, Page]:
    drawing = draw(graph, **options)
    return drawing, read(finish(svg(drawing.skeleton), drawing))


def assert_whole(graph: Graph, drawing: Drawing, page: Page) -> None:
    """Every box, frame, layer, wire and label of the drawing is on the page."""
    items = list(drawing.view.root.walk())[1:]
    ghosts = {*drawing.view.entering, *drawing.view.leaving}
    boxes = {i.id for i in items if i.state != "open"}
    assert boxes <= set(page.boxes)
    assert len(set(page.boxes) - boxes) == len(ghosts)  # these have no names of their own
    assert set(page.frames) == {f"frame {i.id}" for i in items if i.state == "open"}
    for item in items:
        if item.part.kind == "stack":
            assert set(item.part.nodes) <= set(page.cells)
            x, y = zip(*(page.cells[node].middle for node in item.part.nodes), strict=True)
            assert max(x) - min(x) < 0.1
            climbing = y[0] > y[-1]
            assert list(y) == sorted(y, reverse=climbing)
    found = wires(graph, drawing.view)
    assert len(page.edges) == len(found)
    assert len(page.labels) == sum(1 for wire in found if wire.shaped or wire.name)
    assert all(f"×{item.times}" in page.words for item in items if item.times > 1)
    for box in drawing.boxes.values():
        assert {line.text for cell in box.cells for line in cell.lines} <= set(page.words)
    for frame in drawing.frames.values():
        assert {line.text for line in frame} <= set(page.words)
    assert {line.text for chip in drawing.legend.chips for line in chip.lines} <= set(page.words)


@pytest.mark.parametrize("name", GALLERY)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_picture_is_whole_and_no_text_meets_another(name: str, theme: str) -> None:
    for options in ({}, {"depth": 1}, {"depth": 3}):
        drawing, page = drawn(graph_of(name), theme=theme, **options)
        assert_whole(graph_of(name), drawing, page)
        assert_legible(page)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("resnet:resnet18", {"unfold": True, "depth": 9}),
        ("resnet:resnet50", {"only": "layer3"}),
        ("googlenet:googlenet", {"only": "inception3a"}),
        ("unet:unet", {"layout": "flow", "depth": 9}),
        ("unet:unet_same", {"layout": "u", "depth": 9}),
        ("vit:vit_b_16", {"depth": 9, "sizes": {"H": 224, "W": 224}}),
    ],
)
def test_so_it_is_with_any_options(name: str, options: dict[str, Any]) -> None:
    drawing, page = drawn(graph_of(name), **options)
    assert_whole(graph_of(name), drawing, page)
    assert_legible(page)


@settings(max_examples=max(FEWER // 2, 1))
@given(checked_graphs(free=True))
def test_so_it_is_of_any_network(graph: Graph) -> None:
    for options in ({}, {"depth": 9}):
        drawing, page = drawn(graph, **options)
        assert_whole(graph, drawing, page)
        assert_legible(page)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('font-size="8.00"', 'font-size="40.00"'),  # labels that grow into boxes
        ('font-size="10.5"', 'font-size="21"'),  # titles that leave their boxes
        (
            'class="node" transform="translate(',
            'class="node" transform="translate(9',
        ),  # boxes off the page
    ],
)
def test_what_is_not_legible_is_found_out(old: str, new: str) -> None:
    drawing = draw(graph_of("siamese:siamese"))
    text = finish(svg(drawing.skeleton), drawing)
    assert_legible(read(text))
    assert old in text
    with pytest.raises(AssertionError):
        assert_legible(read(text.replace(old, new)))


def test_no_two_elements_have_one_name() -> None:
    for name in ("siamese:siamese", "unet:unet_same", "recurrent:lstm_written_out"):
        text = archdsl.draw(graph_of(name), depth=9).svg
        names = re.findall(r'\sid="([^"]*)"', text)
        assert len(set(names)) == len(names)


# Where things stand -------------------------------------------------------------------


def test_inputs_stand_at_the_top_and_outputs_at_the_bottom() -> None:
    for name in ("wide_and_deep:wide_and_deep", "siamese:siamese", "translation:discriminator"):
        graph = graph_of(name)
        _, page = drawn(graph)
        tops = {op: [] for op in ("input", "output")}  # type: dict[str, list[float]]
        for node, data in graph.nodes(data=True):
            if data["op"] in tops:
                tops[data["op"]].append(page.boxes[node].middle[1])
        others = [
            b.middle[1]
            for n, b in page.boxes.items()
            if graph.nodes.get(n, {}).get("op") not in tops
        ]
        assert max(tops["input"]) < min(others)
        assert max(others) < min(tops["output"])
        for one_rank in tops.values():
            assert max(one_rank) - min(one_rank) < 1


@pytest.mark.parametrize("name", ["unet:unet", "unet:unet_same"])
def test_a_unet_is_a_u(name: str) -> None:
    """Down the left side, up the right side, and skips level."""
    graph = graph_of(name)
    drawing, page = drawn(graph)
    at: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for node, data in graph.nodes(data=True):
        place = data.get("unet")
        if place is not None:
            box = page.boxes[drawing.view.shown[node]]
            at.setdefault((place.part, place.level), []).append(box.middle)
    levels = sorted(level for part, level in at if part == "encode")
    assert levels == [0, 1, 2, 3]
    for upper, lower in pairwise(levels):
        assert max(y for _, y in at["encode", upper]) < min(y for _, y in at["encode", lower])
        assert max(y for _, y in at["decode", upper]) < min(y for _, y in at["decode", lower])
    deepest = max(y for places in at.values() for _, y in places)
    assert deepest == max(y for _, y in at["bottom", 4])
    left = max(x for (part, _), places in at.items() if part == "encode" for x, _ in places)
    right = min(
        x for (part, _), places in at.items() if part in ("decode", "up") for x, _ in places
    )
    assert left < right
    part_of = {
        n: data["unet"].part if data.get("unet") else "" for n, data in graph.nodes(data=True)
    }
    crossing = [
        link
        for link in drawing.view.links
        if (part_of[link.source.node], part_of[link.target]) == ("encode", "join")
    ]
    assert len(crossing) == 4
    for link in crossing:
        one, two = page.boxes[link.tail].middle, page.boxes[link.head].middle
        assert one[1] == pytest.approx(two[1], abs=1)
        assert one[0] < two[0]


def test_what_a_u_crops_stands_between_its_sides() -> None:
    """Also where a sum takes what was cropped second."""
    body = """
    input x: [1, 32, 32]
    unet level in range(2) {
        encode { conv(4, 3) }
        down { max_pool(2) }
        bottom { conv(8, 3) }
        up { upsample(2) -> conv(4, 1) }
        join { add(it, crop(skip, like = it)) }
        decode { conv(4, 1) }
    }
    """
    graph = written(body)
    _, page = drawn(graph)
    crops = [n for n, data in graph.nodes(data=True) if data["op"] == "crop"]
    assert len(crops) == 2
    for crop in crops:
        (source, *_), (join, *_) = graph.predecessors(crop), graph.successors(crop)
        assert (
            page.boxes[source].middle[0] < page.boxes[crop].middle[0] < page.boxes[join].middle[0]
        )


def left_to_right(page: Page, names: list[str]) -> bool:
    xs = [page.boxes[name].middle[0] for name in names]
    return xs == sorted(xs)


def test_branches_stand_side_by_side_in_their_order() -> None:
    graph = graph_of("googlenet:googlenet")
    _, page = drawn(graph, only="inception3a", depth=9)
    branches = [f"inception3a.branch{i}" for i in (1, 2, 3, 4)]
    assert left_to_right(page, [next(b for b in page.boxes if b.startswith(x)) for x in branches])
    graph = graph_of("recurrent:lstm_written_out")
    drawing, page = drawn(graph)
    gates = ["forget_gate", "input_gate", "candidate", "output_gate"]
    assert left_to_right(page, [drawing.view.shown[gate] for gate in gates])


def test_branches_of_unlike_lengths_and_outputs_keep_their_order() -> None:
    body = """
    input x: [3, 32, 32]
    conv(8, 3, padding = 1)
    branch { tanh; conv(8, 1); identity } as (a, b, c)
    a -> repeat 2 shared { tied: conv(8, 3, padding = 1) -> relu } as d
    b -> inner: {
        branch concat { { conv(4, 1) -> relu }; max_pool(3, stride = 1, padding = 1); relu }
    } as e
    concat(d, e, c) -> flatten -> linear(3) as logits
    softmax as p
    output logits, p, d
    """
    graph = written(body)
    drawing, page = drawn(graph, depth=9)
    heads = list(graph.successors("conv1"))
    assert left_to_right(page, [drawing.view.shown[n] for n in heads])
    heads = list(graph.successors("conv2"))
    assert left_to_right(page, [drawing.view.shown[n] for n in heads])
    assert_legible(page)


# The document -------------------------------------------------------------------------

NASTY = {
    "quotes": "a\"b'c",
    "markup": "a<b>&c</text>",
    "the end of the document": "</g></svg><script>alert(1)</script>",
    "CDATA": "]]>",
    "a line end": "a\nb",
    "escapes of DOT": "\\N\\G\\l",
    "a backslash at the end": "a\\",
    "NUL": "a\0b",
    "control characters": "\x01\x1b\x7f\x85",
    "an entity": "&amp;&#34;",
    "an arrow": "a->b;{rank}",
    "dashes": "--x--",
    "an emoji": "\N{GRINNING FACE}",
    "right to left": "\N{RIGHT-TO-LEFT OVERRIDE}\u05e2\u05d1",
    "half a character": "\ud800",
    "line separators": "a\u2028b\u2029c",
}


@pytest.mark.parametrize("what", NASTY)
def test_names_of_edited_graphs_break_nothing(what: str) -> None:
    graph = written("input x: [8]\npart: { fc: linear(8) -> relu }\nlast: linear(3)")
    named = nx.relabel_nodes(
        graph, {n: f"{NASTY[what]}{n}" for n in graph if n not in ("x", "output")}
    )
    named.graph["name"] = NASTY[what]
    plain = read(archdsl.draw(graph, depth=9).svg)
    for options in ({}, {"depth": 9}, {"only": "part"}):
        picture = archdsl.draw(archdsl.graph(named), **options)
        assert not picture.svg.encode("utf-8").count(b"<script")
        page = read(picture.svg)
        assert_legible(page)
        if options.get("depth"):
            assert sorted(page.words) == sorted(plain.words)
            assert len(page.boxes) == len(plain.boxes)
        picture.dot.encode("utf-8")
        svg(picture.dot)  # Graphviz reads it


def test_texts_of_a_specification_are_texts() -> None:
    text = """block b(mode) { linear(8) }
    network n { input x: [8]; b("<b>&\\"]]>{}|") -> relu -> b("\N{GRINNING FACE} é 中") }"""
    words = read(archdsl.draw(archdsl.loads(text), depth=1).svg).words
    assert 'b(<b>&"]]>{}|)' in words
    assert "b(\N{GRINNING FACE} é 中)" in words


def test_arguments_that_differ_but_do_nothing_are_not_said_of_all() -> None:
    text = "block b(mode) { linear(8) }\nnetwork n { input x: [8]; b(1) -> b(2) -> b(3) }"
    assert "b(…)" in read(archdsl.draw(archdsl.loads(text), depth=1).svg).words
    assert "b(2)" in read(archdsl.draw(archdsl.loads(text), depth=1, unfold=True).svg).words


@pytest.mark.parametrize("name", ["resnet:resnet18", "siamese:siamese", "googlenet:googlenet"])
def test_an_edge_strikes_no_title_out(name: str) -> None:
    """It passes beside the words, or is hidden where it would pass through them."""
    for depth in (1, 9):
        crossed = list(crossed_titles(archdsl.draw(graph_of(name), depth=depth).svg))
        assert [words for words, hidden in crossed if not hidden] == []


def test_a_title_stands_beside_the_edge_that_comes_in_where_there_is_room() -> None:
    text = """block part(width, stride = 1) {
        residual {
            conv(width, 3, stride, padding = 1) -> bn -> relu
            conv(width, 3, padding = 1) -> bn
        } shortcut { conv(width, 1, stride) -> bn }
        relu
    }
    network n { input x: [3, 8, 8]; conv(3, 3) -> part(8, stride = 2) }"""
    picture = archdsl.draw(archdsl.loads(text), depth=1).svg
    assert "part(8, stride = 2)" in read(picture).words
    assert list(crossed_titles(picture)) == []


def test_a_title_that_there_is_no_room_for_hides_the_edge() -> None:
    crossed = list(crossed_titles(archdsl.draw(graph_of("siamese:siamese")).svg))
    assert crossed == [("shared weights", True)] * 2


def crossed_titles(text: str) -> Iterator[tuple[str, bool]]:
    """The words of titles that an edge going straight down meets, and whether they hide it."""
    root = ET.fromstring(text)  # noqa: S314 - our own text
    groups = [(g.get("class"), g) for g in root.iter(f"{SVG}g")]
    lines = []
    for curve in (p for kind, g in groups if kind == "edge" for p in g.findall(f"{SVG}path")):
        numbers = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", curve.attrib["d"])]
        if max(numbers[::2]) - min(numbers[::2]) < 0.5:
            lines.append((numbers[0], min(numbers[1::2]), max(numbers[1::2])))
    for title in (g for kind, g in groups if kind == "title"):
        grounds = [{k: float(r.attrib[k]) for k in GROUND} for r in title.findall(f"{SVG}rect")]
        for word in title.findall(f"{SVG}text"):
            x, y, size = (float(word.attrib[k]) for k in ("x", "y", "font-size"))
            width = text_width(word.text or "", size, bold="font-weight" in word.attrib)
            for line, top, bottom in lines:
                if x < line < x + width and top < y - size / 2 < bottom:
                    hidden = any(
                        r["x"] < line < r["x"] + r["width"]
                        and r["y"] < y - size / 2 < r["y"] + r["height"]
                        for r in grounds
                    )
                    yield word.text or "", hidden


def test_the_document_is_plain_svg() -> None:
    root = ET.fromstring(archdsl.draw(graph_of("unet:unet_same")).svg)  # noqa: S314 - our own text
    allowed = "svg g title rect path polygon ellipse circle text".split()
    assert {e.tag.rpartition("}")[2] for e in root.iter()} <= set(allowed)
    attributes = {name for e in root.iter() for name in e.attrib}
    assert not [name for name in attributes if name.startswith("on") or name.endswith("href")]


def test_the_picture_is_the_same_in_every_process() -> None:
    program = (
        "import archdsl;"
        f"p = archdsl.draw({str(ROOT / 'specs/unet.arch:unet')!r}); print(p.svg); print(p.dot)"
    )
    texts = [
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert texts[0] == texts[1]
    assert str(ROOT).encode() not in texts[0]
