"""The figure of volumes: every layer is in it, boxes have their sizes, no text meets another."""

import os
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.backends.volume import draw_volume
from archdsl.backends.volume.text import text_width
from archdsl.diagnostics import ArchError
from archdsl.graph import Graph, live_nodes

ROOT = Path(__file__).resolve().parent.parent.parent
FONTS = ROOT / "archdsl" / "render" / "fonts"
SVG = "{http://www.w3.org/2000/svg}"

DRAWN = """
    alexnet:alexnet alexnet:alexnet_tabled autoencoder:convolutional_autoencoder
    convnext:convnext_tiny densenet:densenet121 densenet:densenet201 efficientnet:efficientnet_b0
    fcn:fcn_resnet50 googlenet:googlenet lenet:lenet5 mobilenet:mobilenet_v1 mobilenet:mobilenet_v2
    mobilenet:mobilenet_v3_small neural_ode:ode_net resnet:resnet18 resnet:resnet50
    resnet:resnet152 resnet:plain34 resnet:resnet110 squeezenet:squeezenet1_0 translation:generator
    unet:unet unet:unet_same vgg:vgg11 vgg:vgg16 vgg:vgg19_bn vgg:vgg_c
    vit:vit_b_16
""".split()
OTHERS = {
    "one dimension": """
        input wave: [1, 8000]
        conv(32, 80, stride = 4) -> bn -> relu -> max_pool(4)
        residual { conv(32, 3, padding = 1) -> relu -> conv(32, 3, padding = 1) }
        global_avg_pool -> flatten -> linear(5)
    """,
    "three dimensions": """
        input video: [3, 16, 112, 112]
        conv(64, 3, padding = 1) -> relu -> max_pool((1, 2, 2))
        conv(128, 3, padding = 1) -> relu -> max_pool(2)
        flatten -> linear(487)
    """,
    "long names": """
        input x: [1, 8, 8]
        a_module_with_a_very_long_name_indeed_that_goes_on_and_on: conv(4, 3) -> relu
        another_module_of_which_the_name_is_not_any_shorter: conv(4, 3)
        and_one_with_WWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWWW: conv(9, 3)
    """,
    "a low and wide map": """
        input spectrum: [1, 40, 500]
        conv(16, (3, 9), padding = (1, 4)) -> relu -> max_pool((1, 5))
        conv(32, 3, padding = 1) -> relu -> flatten -> linear(12)
    """,
}


@cache
def graph_of(name: str) -> Graph:
    if name in OTHERS:
        return archdsl.graph(archdsl.loads(f"network example {{\n{OTHERS[name]}\n}}"))
    file, _, network = name.partition(":")
    return archdsl.graph(f"{ROOT}/specs/{file}.arch:{network}")


def draw(graph: Graph, **options: Any) -> ET.Element:
    return ET.fromstring(draw_volume(graph, **options))  # noqa: S314 - our own text


def figure(name: str, **options: Any) -> ET.Element:
    return draw(graph_of(name), **options)


# The widths of the real font, by its own tables ---------------------------------------


@dataclass(frozen=True)
class Font:
    """Advance widths of a TrueType font, as parts of its size."""

    glyphs: dict[int, int]
    advances: list[int]
    units: int

    def width(self, text: str, size: float) -> float:
        return sum(self.advances[self.glyphs[ord(c)]] for c in text) * size / self.units


@cache
def font(style: str) -> Font:
    data = (FONTS / f"ArchdslSans-{style}.ttf").read_bytes()
    (count,) = struct.unpack_from(">H", data, 4)
    tables = {}
    for i in range(count):
        tag, _, offset, _ = struct.unpack_from(">4sLLL", data, 12 + 16 * i)
        tables[tag.decode()] = offset
    (units,) = struct.unpack_from(">H", data, tables["head"] + 18)
    (long_ones,) = struct.unpack_from(">H", data, tables["hhea"] + 34)
    (glyphs,) = struct.unpack_from(">H", data, tables["maxp"] + 4)
    advances = [
        struct.unpack_from(">H", data, tables["hmtx"] + 4 * min(i, long_ones - 1))[0]
        for i in range(glyphs)
    ]
    return Font(dict(characters(data, tables["cmap"])), advances, units)


def characters(data: bytes, cmap: int) -> Iterator[tuple[int, int]]:
    """The glyph of every character, from a subtable of format 4."""
    (count,) = struct.unpack_from(">H", data, cmap + 2)
    subtables = [struct.unpack_from(">HHL", data, cmap + 4 + 8 * i)[2] for i in range(count)]
    start = next(cmap + s for s in subtables if struct.unpack_from(">H", data, cmap + s)[0] == 4)
    segments = struct.unpack_from(">H", data, start + 6)[0] // 2
    at = start + 14
    ends, firsts, deltas, ranges = (
        struct.unpack_from(f">{segments}H", data, at + gap + 2 * segments * i)
        for i, gap in enumerate((0, 2, 2, 2))
    )
    base = at + 2 + 6 * segments
    for i in range(segments):
        for code in range(firsts[i], min(ends[i], 0xFFFE) + 1):
            glyph = code
            if ranges[i]:
                place = base + 2 * i + ranges[i] + 2 * (code - firsts[i])
                (glyph,) = struct.unpack_from(">H", data, place)
            yield code, (glyph + deltas[i]) % 65536


@dataclass(frozen=True)
class Rectangle:
    """Where something stands; ``what`` for the message."""

    what: str
    left: float
    top: float
    right: float
    bottom: float

    def meets(self, other: "Rectangle") -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


def texts_of(root: ET.Element) -> list[Rectangle]:
    """The rectangles of all texts: from the ascenders to the descenders."""
    found = []
    for text in root.iter(f"{SVG}text"):
        words, size = text.text or "", float(text.attrib["font-size"])
        style = "Bold" if text.get("font-weight") == "bold" else "Regular"
        width = font(style).width(words, size)
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        left = x - width / 2 if text.get("text-anchor") == "middle" else x
        found.append(Rectangle(words, left, y - 0.76 * size, left + width, y + 0.22 * size))
    return found


def points_of(polygon: ET.Element) -> list[tuple[float, float]]:
    pairs = (pair.split(",") for pair in polygon.attrib["points"].split())
    return [(float(x), float(y)) for x, y in pairs]


def around(what: str, points: list[tuple[float, float]]) -> Rectangle:
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return Rectangle(what, min(xs), min(ys), max(xs), max(ys))


def volumes(root: ET.Element) -> list[ET.Element]:
    return [g for g in root.iter(f"{SVG}g") if g.get("class") == "volume"]


def fronts(root: ET.Element) -> list[Rectangle]:
    """The front of every box: its thickness and its height."""
    return [around(g.attrib["data-nodes"], points_of(g[-1])) for g in volumes(root)]


def skips(root: ET.Element) -> list[ET.Element]:
    return [p for p in root.iter(f"{SVG}path") if p.get("class") == "skip"]


def words(root: ET.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def assert_legible(root: ET.Element) -> None:
    texts = texts_of(root)
    assert [(a.what, b.what) for a, b in combinations(texts, 2) if a.meets(b)] == []
    boxes = [
        around("box", [p for face in g if face.get("points") for p in points_of(face)])
        for g in volumes(root)
    ]
    assert [t.what for t in texts for box in boxes if t.meets(box)] == []
    left, top, width, height = (float(v) for v in root.attrib["viewBox"].split())
    assert float(root.attrib["width"]) == width
    assert float(root.attrib["height"]) == height
    points = [p for shape in root.iter(f"{SVG}polygon") for p in points_of(shape)]
    for thing in (*texts, *boxes, around("arrows", points)):
        assert left <= thing.left <= thing.right <= left + width, thing
        assert top <= thing.top <= thing.bottom <= top + height, thing
    for lines in root.iter(f"{SVG}polyline"):
        for (x1, y1), (x2, y2) in pairwise(points_of(lines)):
            way = around("arrow", [(x1, y1), (x2, y2)])
            assert [t.what for t in texts if t.meets(way)] == []


def assert_complete(root: ET.Element, graph: Graph) -> None:
    shown = [n for g in (*volumes(root), *skips(root)) for n in g.attrib["data-nodes"].split()]
    assert sorted(shown) == sorted(live_nodes(graph, training=False))


@pytest.mark.parametrize(
    "text",
    [
        *("224×224", "0123456789", "3×3 conv ×2", "image", "2×2 max pool", "s2: 2×2 avg pool"),
        *("encoder_layer ×12", "output code", "drawn at H = 224, W = 224", "WWWW mmmm iiii llll"),
        *("".join(map(chr, range(32, 127))), "größe", "Größe – ½ … Σ"),
    ],
)
def test_a_text_is_never_wider_than_the_room_that_it_is_given(text: str) -> None:
    width, room = font("Regular").width(text, 10), text_width(text, 10)
    assert width <= room * 1.0005  # the tables are rounded
    if text.isascii():
        assert width == pytest.approx(room, rel=0.01)
    if text.isdigit():
        assert font("Bold").width(text, 10) <= room * 1.0005


# What is drawn ------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*DRAWN, *OTHERS])
def test_no_text_meets_another_or_is_clipped(name: str) -> None:
    assert_legible(figure(name))


@pytest.mark.parametrize("name", [*DRAWN, *OTHERS])
def test_every_layer_is_in_one_box_or_on_one_skip(name: str) -> None:
    graph = graph_of(name)
    if name == "autoencoder:convolutional_autoencoder":
        graph = graph.copy()
        graph.remove_node("code")  # the end of another output, which its box mentions
    assert_complete(figure(name), graph)


def test_the_figure_of_lenet_reads_as_in_the_paper() -> None:
    root = figure("lenet:lenet5")
    legend = words(root).index("input")
    assert words(root)[:legend] == [
        *("1", "32×32", "image"),
        *("6", "28×28", "c1: 5×5 conv"),
        *("6", "14×14", "s2: 2×2 avg pool"),
        *("16", "10×10", "c3: 5×5 conv"),
        *("16", "5×5", "s4: 2×2 avg pool"),
        *("120", "c5: 5×5 conv"),
        *("84", "f6: linear"),
        *("10", "fc: linear"),
    ]
    assert words(root)[legend:] == ["input", "convolution", "pooling", "linear"]


def test_sizes_scale_the_boxes() -> None:
    maps = fronts(figure("lenet:lenet5"))[:5]
    heights = [m.bottom - m.top for m in maps]
    assert heights == sorted(heights, reverse=True)
    assert len(set(heights)) == 5
    assert heights[2] / heights[1] == pytest.approx(0.5**0.6, abs=0.01)
    thick = [m.right - m.left for m in maps]
    assert thick[0] < thick[1] < thick[3]
    assert thick[1] == pytest.approx(thick[2], abs=0.02)
    assert thick[3] == pytest.approx(thick[4], abs=0.02)


def test_the_smallest_map_of_a_deep_network_is_seen() -> None:
    boxes = fronts(figure("vgg:vgg16"))
    last = next(b for b in boxes if "features.30" in b.what)
    assert last.bottom - last.top > 15
    first = next(b for b in boxes if b.what == "image")
    assert first.bottom - first.top == pytest.approx(150)


def test_the_boxes_stand_side_by_side_in_the_order_of_the_network() -> None:
    for one, two in pairwise(fronts(figure("vgg:vgg16"))):
        assert one.right < two.left


def test_equal_maps_stand_close_together_and_are_counted() -> None:
    root = figure("vgg:vgg16")
    counted = [text for text in words(root) if "3×3 conv" in text]
    assert counted == ["3×3 conv ×2", "3×3 conv ×2", "3×3 conv ×3", "3×3 conv ×3", "3×3 conv ×3"]
    boxes = {b.what.split()[0]: b for b in fronts(root)}
    inside = boxes["features.2"].left - boxes["features.0"].right
    between = boxes["features.5"].left - boxes["features.2"].right
    assert inside < 5
    assert between > 20


@pytest.mark.parametrize(
    ("name", "depths"), [("resnet50", [3, 4, 6, 3]), ("resnet152", [3, 8, 36, 3])]
)
def test_blocks_are_folded_and_counted(name: str, depths: list[int]) -> None:
    root = figure(f"resnet:{name}")
    counted = [text for text in words(root) if text.startswith("bottleneck")]
    assert counted == [f"bottleneck ×{depth}" for depth in depths]
    drawn = [b.what for b in fronts(root)]
    for level, depth in enumerate(depths, 1):
        assert sum(f"layer{level}." in box for box in drawn) == (depth if depth <= 4 else 3)
    dots = sum(1 for _ in root.iter(f"{SVG}circle"))
    assert dots == 3 * sum(depth > 4 for depth in depths)


def test_residual_units_are_skips_and_projections_are_dashed() -> None:
    found = skips(figure("resnet:resnet18"))
    assert len(found) == 8
    projected = [path for path in found if path.get("stroke-dasharray")]
    assert [path.attrib["data-nodes"] for path in projected] == [
        f"layer{level}.0.downsample.0 layer{level}.0.downsample.1" for level in (2, 3, 4)
    ]
    assert skips(figure("resnet:plain34")) == []


def test_the_skips_pass_above_the_boxes_between_their_ends() -> None:
    for name in ("resnet:resnet18", "resnet:resnet152", "unet:unet", "translation:generator"):
        root = figure(name)
        for path in skips(root):
            numbers = [float(n) for n in re.findall(r"-?[\d.]+", path.attrib["d"])]
            xs, ys = numbers[::2], numbers[1::2]
            under = [b for b in fronts(root) if xs[0] <= b.left and b.right <= xs[-1]]
            assert all(min(ys) < b.top for b in under)


@pytest.mark.parametrize("name", ["unet:unet", "unet:unet_same"])
def test_a_unet_is_a_u(name: str) -> None:
    root = figure(name)
    middles = [(b.top + b.bottom) / 2 for b in fronts(root)]
    steps = [0 if abs(b - a) < 35 else (1 if b > a else -1) for a, b in pairwise(middles)]
    assert [s for s in steps if s] == [1, 1, 1, 1, -1, -1, -1, -1]
    assert len(skips(root)) == 4


def test_the_branches_of_an_inception_module_are_one_box_that_says_so() -> None:
    texts = words(figure("googlenet:googlenet"))
    assert "inception ×3" in texts
    assert "4 paths, concat" in texts


def test_squeeze_and_excitation_leaves_the_map_where_it_is() -> None:
    root = figure("mobilenet:mobilenet_v3_small")
    heights = [b.bottom - b.top for b in fronts(root)[:-3]]
    assert heights == sorted(heights, reverse=True)


def test_tokens_are_sheets() -> None:
    texts = words(figure("vit:vit_b_16"))
    assert "197 tokens" in texts
    assert "encoder_layer ×12" in texts


def test_a_second_output_is_named_at_its_box() -> None:
    assert "output code" in words(figure("autoencoder:convolutional_autoencoder"))


def test_what_leads_to_other_outputs_alone_is_said_to_be_missing() -> None:
    text = """network two_heads {
        input x: [3, 32, 32]
        conv(8, 3) -> relu as trunk
        conv(16, 3) -> conv(16, 3) as main
        trunk -> conv(4, 1) -> relu as side
        output main, side
    }"""
    root = draw(archdsl.graph(archdsl.loads(text)))
    assert "not drawn: 2 layers that lead to other outputs" in words(root)
    assert_legible(root)


def test_what_runs_in_training_alone_is_said_to_be_missing() -> None:
    text = """network helped {
        input x: [3, 32, 32]
        conv(8, 3) -> relu as low
        conv(16, 3) as main
        low -> conv(4, 1) -> relu as helper
        output main
        output helper in training
    }"""
    root = draw(archdsl.graph(archdsl.loads(text)))
    assert "not drawn: 2 layers of training alone" in words(root)
    assert_legible(root)


def test_free_sizes_are_drawn_at_usual_ones_or_at_those_given() -> None:
    assert "drawn at H = 224, W = 224" in words(figure("resnet:resnet18"))
    small = words(figure("resnet:resnet18", sizes={"H": 64, "W": 96}))
    assert "drawn at H = 64, W = 96" in small
    assert "32×48" in small


# Random networks ----------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        "conv(8, 3, padding = 1) -> relu",
        "conv(16, (1, 7), padding = (0, 3)) -> bn",
        "conv(24, 3, stride = 2, padding = 1)",
        "max_pool(2)",
        "residual { conv(it.channels, 3, padding = 1) -> relu -> conv(it.channels, 1) }",
        "residual { bn -> relu }",
        "residual { conv(12, 3, padding = 1) -> conv(12, 1) } shortcut { conv(12, 1) }",
        "dense { conv(4, 3, padding = 1) }",
        "branch concat { conv(4, 1); conv(4, 3, padding = 1); identity }",
        "part{i}: { conv(8, 1) -> relu -> residual { conv(8, 1) -> conv(8, 1) } }",
        "residual { residual { conv(it.channels, 1) -> conv(it.channels, 1) } -> bn }",
        "part{i}: { conv(8, 1) -> residual { conv(9, 1) -> conv(9, 1) } shortcut { conv(9, 1) } }",
    ]
)


@settings(max_examples=max(settings.default.max_examples // 8, 1))  # type: ignore[union-attr]  # the profile
@given(st.lists(PIECES, min_size=1, max_size=14), st.booleans())
def test_any_row_of_layers_is_legible_and_complete(pieces: list[str], head: bool) -> None:
    body = [piece.replace("{i}", str(i)) for i, piece in enumerate(pieces)]
    ends = ["conv(3, 1)", *(["global_avg_pool -> flatten -> linear(5)"] * head)]
    lines = "\n".join(["input x: [3, 70000, 66000]", *body, *ends])
    graph = archdsl.graph(archdsl.loads(f"network random {{\n{lines}\n}}"))
    root = draw(graph)
    assert_legible(root)
    assert_complete(root, graph)


def test_a_skip_inside_a_folded_block_belongs_to_its_box() -> None:
    body = """
    input x: [3, 64, 64]
    for i in range(30) {
        part{i}: { conv(8, 1) -> residual { conv(9 + i, 1) -> conv(9 + i, 1) } shortcut {
            projection: conv(9 + i, 1) } }
    }"""
    graph = archdsl.graph(archdsl.loads(f"network folded {{{body}\n}}"))
    root = draw(graph)
    assert len(fronts(root)) == 31
    assert_complete(root, graph)


# What cannot be drawn -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("mlp:mlp", "no feature maps"),
        ("gpt:gpt2", "no feature maps"),
        ("autoencoder:autoencoder", "no feature maps"),
        ("recurrent:lstm_written_out", "no feature maps"),
        ("siamese:siamese", "2 inputs"),
        ("translation:discriminator", "2 inputs"),
        ("nasnet:nasnet_a_mobile", "wired in a way"),
    ],
)
def test_a_network_without_a_row_of_maps_is_refused(name: str, reason: str) -> None:
    with pytest.raises(ArchError) as caught:
        figure(name)
    (said,) = caught.value.diagnostics
    assert said.code == "no-volume"
    assert reason in said.message
    assert said.help == "draw it plainly, without --style volume"


def test_too_many_maps_are_refused_with_their_number() -> None:
    body = "input x: [3, 64, 64]; for i in range(60) { conv(8 + i, 3, padding = 1) }"
    text = f"network deep {{ {body} }}"
    with pytest.raises(ArchError, match="61 feature maps in a row, and 36 can be read"):
        draw_volume(archdsl.graph(archdsl.loads(text)))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"D": 3}, "the network has no free size D"),
        ({"H": 0}, "a size is a positive integer, and H is 0"),
        ({"H": True}, "a size is a positive integer, and H is True"),
        ({"H": 17, "W": 32}, "the network cannot have H = 17, W = 32"),
    ],
)
def test_wrong_sizes_are_refused(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ArchError) as caught:
        figure("unet:unet_same", sizes=sizes)
    (said,) = caught.value.diagnostics
    assert (said.code, said.message) == ("bad-value", message)


def test_an_unknown_theme_is_refused() -> None:
    with pytest.raises(ArchError, match="the themes are light, dark"):
        figure("lenet:lenet5", theme="sepia")


# The document -------------------------------------------------------------------------


def test_names_are_escaped() -> None:
    graph = graph_of("lenet:lenet5")
    names = {"c1": "a < b & \"c\" 'd'\x00]]>"}
    renamed = nx.relabel_nodes(graph, names)
    renamed.nodes[names["c1"]].update(path=names["c1"])
    root = draw(renamed)
    assert any("a < b & \"c\" 'd'\N{REPLACEMENT CHARACTER}]]>" in w for w in root.itertext())


def test_figures_on_one_page_share_no_names() -> None:
    assert not [e for e in figure("resnet:resnet18").iter() if "id" in e.attrib]


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, two: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    low, high = sorted((luminance(one), luminance(two)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_and_edges_stand_out_from_the_paper(theme: str) -> None:
    root = figure("vit:vit_b_16", theme=theme)
    paper = next(root.iter(f"{SVG}rect")).attrib["fill"]
    assert all(contrast(t.attrib["fill"], paper) >= 4.5 for t in root.iter(f"{SVG}text"))
    assert all(contrast(g.attrib["stroke"], paper) >= 3 for g in volumes(root))
    assert all(contrast(p.attrib["stroke"], paper) >= 3 for p in skips(root))


def test_the_figure_is_the_same_in_every_process_and_needs_no_torch() -> None:
    program = (
        "import sys, archdsl; from archdsl.backends.volume import draw_volume;"
        f"print(draw_volume(archdsl.graph({str(ROOT / 'specs/unet.arch:unet')!r})));"
        "assert 'torch' not in sys.modules"
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
    assert texts[0].decode("utf-8").rstrip() == draw_volume(graph_of("unet:unet")).rstrip()
