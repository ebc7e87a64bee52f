"""The page in Chromium: what it lays out, and what it does under the pointer and the keyboard."""

import random
import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import archdsl
from archdsl.backends.dot.boxes import Brush, shared_calls
from archdsl.backends.dot.drawing import draw_view
from archdsl.backends.dot.page.colors import MARKED
from archdsl.graph import Graph
from archdsl.passes.outline import Part, outline
from archdsl.passes.stacks import stack
from archdsl.passes.view import Item, view, view_of
from tests.browser.conftest import Opened

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

SPECS = Path(__file__).resolve().parent.parent.parent / "specs"
RESNET = f"{SPECS}/resnet.arch:resnet18"
SIZES = {"H": 224, "W": 224}


# What is laid out -----------------------------------------------------------------


def items_of(
    parts: Iterable[Part], number: dict[str, int], opened: set[int], unfolded: set[int]
) -> tuple[Item, ...]:
    """The items of a state, as a view in Python has them."""
    found: list[Item] = []
    for part in parts:
        within = (part.parts, number, opened, unfolded)
        if part.kind == "run" and number[part.id] in unfolded:
            rounds = [one.parts if one.kind == "round" else (one,) for one in part.parts]
            found += items_of((p for one in rounds for p in one), *within[1:])
        elif part.kind == "run":
            (first,) = items_of(part.parts[:1], *within[1:])
            found.append(replace(first, rounds=part.parts))
        elif part.kind in ("layer", "stack"):
            found.append(Item(part, "layer"))
        elif part.kind == "module" and number[part.id] not in opened:
            found.append(Item(part, "closed"))
        else:
            found.append(Item(part, "open", items_of(*within)))
    return tuple(found)


@pytest.mark.parametrize(
    "target",
    [
        "resnet.arch:resnet18",
        "densenet.arch:densenet121",
        "googlenet.arch:googlenet",
        "gpt.arch:gpt_tiny",
        "recurrent.arch:lstm_written_out",
        "siamese.arch:siamese",
        "translation.arch:generator",
        "unet.arch:unet",
        "unet.arch:unet_same",
        "wide_and_deep.arch:wide_and_deep",
    ],
)
def test_the_page_lays_out_in_every_state_what_python_does(target: str, opened: Opened) -> None:
    graph = archdsl.graph(f"{SPECS}/{target}")
    tree = stack(outline(graph), graph)
    parts = list(tree.walk())
    number = {part.id: i for i, part in enumerate(parts)}
    brush = Brush(graph, MARKED, SIZES, shared_calls(graph), {})
    page = opened(graph, sizes=SIZES)

    dice = random.Random(7)  # noqa: S311 - not for secrets
    seen = set()
    for depth in (1, 2, 3, 9):
        for unfold in (False, True):
            expected = draw_view(brush, view(graph, tree, depth=depth, unfold=unfold), "auto")
            script = "([depth, unfold]) => archdsl.dot(archdsl.stateAt(depth, unfold))"
            assert page.evaluate(script, [depth, unfold]) == expected.skeleton
            seen.add(expected.skeleton)
    for likely in (0.3, 0.6, 0.9) * 3:
        chosen = {
            kind: {i for i, p in enumerate(parts) if p.kind == kind and dice.random() < likely}
            for kind in ("module", "run")
        }
        root = Item(tree, "open", items_of(tree.parts, number, chosen["module"], chosen["run"]))
        expected = draw_view(brush, view_of(graph, root), "auto")
        script = "([open, unfolded]) => archdsl.dot({ open, unfolded })"
        state = [list(chosen["module"]), list(chosen["run"])]
        assert page.evaluate(script, state) == expected.skeleton
        seen.add(expected.skeleton)
    assert len(seen) > 1 or not any(p.kind in ("module", "run") for p in parts[1:])


def test_a_page_of_one_part_lays_out_what_python_does(opened: Opened) -> None:
    graph = archdsl.graph(RESNET)
    tree = stack(outline(graph), graph)
    brush = Brush(graph, MARKED, {}, shared_calls(graph), {})
    expected = draw_view(brush, view(graph, tree, depth=2, only="layer3.0"), "flow").skeleton
    page = opened(graph, only="layer3.0", layout="flow")
    assert "layer2" in expected
    assert page.evaluate("archdsl.dot(archdsl.stateAt(9, false))") == expected


# Opening and closing --------------------------------------------------------------


def until(page: "Page", condition: str) -> None:
    """Wait for a condition of the page (wait_for_function needs what its policy forbids)."""
    end = time.monotonic() + 10
    while not page.evaluate(condition):
        assert time.monotonic() < end, f"not in time: {condition}"
        page.wait_for_timeout(20)


def count(selector: str) -> str:
    return f"document.querySelectorAll('main {selector}').length"


def box(page: "Page", name: str) -> "Locator":
    """What a person can point at that is called so."""
    return page.get_by_role("button", name=re.compile(rf"^{re.escape(name)}:"))


def layers(page: "Page") -> list[str]:
    """The names of the layers that are shown, sorted."""
    labels = page.locator('main [role="img"]').evaluate_all(
        "all => all.map(one => one.getAttribute('aria-label').split(':')[0])"
    )
    return sorted(labels)


def test_a_block_opens_and_closes_by_click_and_stays_where_it_is(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), depth=1)
    outside = layers(page)
    assert "conv1" in outside
    assert not any(name.startswith("layer") for name in outside)
    block = box(page, "layer2")
    assert block.get_attribute("aria-expanded") == "false"
    before = block.bounding_box()
    block.click()
    box(page, "layer2.0").wait_for()
    assert block.get_attribute("aria-expanded") == "true"
    after = block.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["y"] - before["y"]) < 30
    box(page, "layer2.0").click()
    box(page, "layer2.0.downsample").wait_for()
    assert {"layer2.0.conv1", "layer2.0.conv2"} < set(layers(page))
    block.click()
    until(page, count("[aria-expanded=true]") + " === 0")
    assert layers(page) == outside


@pytest.mark.parametrize(
    ("target", "depth", "first", "last"),
    [
        ("resnet.arch:resnet18", 2, "layer1.0", "layer1.1"),  # closed boxes
        ("resnet.arch:resnet18", 3, "layer1.0", "layer1.1"),  # frames
        (
            "vit.arch:vit_b_16",
            9,
            "encoder.layers.encoder_layer_0",
            "encoder.layers.encoder_layer_11",
        ),
    ],
)
def test_rounds_unfold_and_fold_again(
    target: str, depth: int, first: str, last: str, opened: Opened
) -> None:
    page = opened(archdsl.graph(f"{SPECS}/{target}"), depth=depth)
    assert box(page, last).count() == 0
    badge = page.get_by_role("button", name=re.compile("repeats .* times: show each")).first
    shown = badge.text_content()
    assert shown is not None
    assert re.fullmatch(r"×\d+", shown)
    badge.click()
    box(page, last).wait_for()
    assert box(page, first).count() == 1
    page.get_by_role("button", name=f"show these {shown[1:]} as one").click()
    box(page, last).wait_for(state="detached")


def test_no_click_is_lost_while_another_is_laid_out(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), depth=1)
    page.evaluate(
        "for (const name of ['layer1', 'layer2', 'layer3'])"
        " document.querySelector(`[aria-label^='${name}:']`)"
        ".dispatchEvent(new MouseEvent('click', { bubbles: true }))"
    )
    until(page, count("[aria-expanded=true]") + " === 3")
    until(page, "!document.body.classList.contains('busy')")


def test_levels_open_and_close_together(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), depth=1)
    assert page.locator("#level").inner_text() == "level 1 of 4"
    assert page.locator("#shallower").is_disabled()
    page.click("#deeper")
    box(page, "layer1.0").wait_for()
    assert page.locator("#level").inner_text() == "level 2 of 4"
    page.click("#open-all")
    until(page, count("[aria-expanded=false]") + " === 0")
    page.check("#unfold")
    graph = archdsl.graph(RESNET)
    until(page, count("[role=img]") + f" === {len(graph)}")
    named = {str(data["path"] or n) for n, data in graph.nodes(data=True)}
    assert set(layers(page)) == named
    page.click("#close-all")
    until(page, count("[aria-expanded=true]") + " === 0")


# Cards and search -----------------------------------------------------------------


def test_a_card_tells_shape_costs_and_source(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), sizes=SIZES)
    page.get_by_role("img", name=re.compile("^conv1:")).hover()
    card = page.locator("#card")
    shown = card.inner_text()
    assert "64×112×112" in shown
    assert re.search(r"parameters\s+9,408\b", shown)  # 64 · 3 · 7 · 7
    assert re.search(r"multiply-adds\s+118,013,952\b", shown)  # and 112 · 112 positions
    line = "conv(64, 7, stride = 2, padding = 3, bias = false) -> bn -> relu"
    assert line in shown
    texts = (SPECS / "resnet.arch").read_text(encoding="utf-8").splitlines()
    number = next(i for i, text in enumerate(texts, 1) if line in text)
    assert f"resnet.arch:{number}" in shown
    page.mouse.move(5, 400)
    assert not card.is_visible()


def test_search_opens_the_blocks_around_what_it_finds(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), depth=1, sizes=SIZES)
    page.keyboard.press("/")
    page.keyboard.type("layer3.0.downsample.0")
    assert page.locator("#hits").inner_text() == "1 found"
    page.keyboard.press("Enter")
    page.locator(".current").wait_for()
    assert page.locator("#hits").inner_text() == "1 of 1"
    assert page.locator("#card h2").inner_text() == "layer3.0.downsample.0"
    found, room = page.locator(".current").bounding_box(), page.locator("main").bounding_box()
    assert found is not None
    assert room is not None
    middle = (found["x"] + found["width"] / 2, found["y"] + found["height"] / 2)
    assert middle == pytest.approx(
        (room["x"] + room["width"] / 2, room["y"] + room["height"] / 2), abs=3
    )
    page.keyboard.press("Escape")
    label = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert label.startswith("layer3.0.downsample.0:")


def test_search_finds_layers_and_shapes_and_goes_round(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), depth=9, sizes=SIZES)
    page.fill("#search", "max_pool")
    assert page.locator("#hits").inner_text() == "1 found"
    page.fill("#search", "64x112x112")  # conv1, bn1, relu
    assert page.locator("#hits").inner_text() == "3 found"
    names = []
    for _ in range(4):
        page.press("#search", "Enter")
        names.append(page.locator("#card h2").inner_text())
    assert names[0] == "conv1"
    assert names[3] == names[0]
    assert len(set(names)) == 3
    page.press("#search", "Shift+Enter")
    assert page.locator("#card h2").inner_text() == names[2]
    page.fill("#search", "no such thing")
    assert page.locator("#hits").inner_text() == "0 found"


def test_what_is_folded_is_found_where_it_is_shown(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), depth=2)
    page.fill("#search", "layer1.1.conv2")
    page.press("#search", "Enter")
    page.locator(".current").wait_for()
    shown = page.locator("#card").inner_text()
    assert "layer1.0.conv2" in shown
    assert "in place of layer1.1.conv2" in shown


# The keyboard ---------------------------------------------------------------------


def focused(page: "Page") -> str:
    label: str = page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")
    return label.partition(":")[0]


def test_all_can_be_done_by_keyboard(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), depth=1, sizes=SIZES)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "skip"
    page.keyboard.press("Enter")
    assert focused(page) == "image"
    seen = []
    for _ in range(6):
        page.keyboard.press("ArrowDown")
        seen.append(focused(page))
    assert seen == ["conv1", "bn1", "relu1", "max_pool1", "layer1", "layer2"]
    assert page.locator("#card h2").inner_text() == "layer2"
    page.keyboard.press("Enter")
    box(page, "layer2.0").wait_for()
    assert focused(page) == "layer2"  # what was opened keeps the focus
    page.keyboard.press("ArrowDown")
    assert focused(page) == "layer2.0"
    page.keyboard.press("ArrowUp")
    page.keyboard.press(" ")
    box(page, "layer2.0").wait_for(state="detached")
    page.keyboard.press("End")
    page.keyboard.press("Home")
    assert focused(page) == "image"
    page.keyboard.press("]")
    box(page, "layer1.0").wait_for()
    page.keyboard.press("?")
    assert page.locator("#help").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("#help").is_visible()


def test_the_focus_is_seen(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET))
    conv = page.get_by_role("img", name=re.compile("^conv1:")).locator("rect")
    width = "one => getComputedStyle(one).strokeWidth"
    before = conv.evaluate(width)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert focused(page) == "conv1"
    assert float(conv.evaluate(width).removesuffix("px")) > float(before.removesuffix("px"))


# Looks ----------------------------------------------------------------------------


def scale(page: "Page") -> Sequence[float]:
    """How the picture stands: scale, x and y."""
    script = (
        "(m => [m.a, m.e, m.f])(new DOMMatrix(document.querySelector('main svg').style.transform))"
    )
    found: list[float] = page.evaluate(script)
    return found


def test_the_picture_pans_and_zooms(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET))
    start = scale(page)
    target = page.get_by_role("img", name=re.compile("^conv1:"))
    spot = target.bounding_box()
    assert spot is not None
    page.mouse.move(spot["x"], spot["y"])
    page.mouse.wheel(0, -400)
    page.wait_for_timeout(100)
    assert scale(page)[0] > start[0] * 1.3
    still = target.bounding_box()
    assert still is not None
    assert (still["x"], still["y"]) == pytest.approx((spot["x"], spot["y"]), abs=1)
    before = scale(page)
    page.mouse.move(100, 400)
    page.mouse.down()
    page.mouse.move(160, 430, steps=4)
    page.mouse.up()
    after = scale(page)
    assert (after[1] - before[1], after[2] - before[2]) == pytest.approx((60, 30), abs=5)
    page.keyboard.press("0")
    assert scale(page)[0] < 1.5
    page.keyboard.press("+")
    assert scale(page)[0] > 0


def test_two_fingers_zoom(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), context={"has_touch": True})
    before = scale(page)[0]
    fingers = page.context.new_cdp_session(page)

    def touch(kind: str, *places: tuple[int, int]) -> None:
        points = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(places)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", (500, 400))
    touch("touchStart", (500, 400), (600, 400))
    touch("touchMove", (450, 400), (650, 400))
    touch("touchEnd")
    assert scale(page)[0] == pytest.approx(2 * before, rel=0.05)


@pytest.mark.parametrize(("scheme", "paper"), [("light", 255), ("dark", 40)])
def test_the_colours_follow_the_reader_and_the_button(
    scheme: str, paper: int, opened: Opened
) -> None:
    page = opened(archdsl.graph(RESNET), context={"color_scheme": scheme})
    ground = "parseInt(getComputedStyle(document.body).backgroundColor.match(/[0-9]+/)[0])"
    was = page.evaluate(ground)
    assert abs(was - paper) < 30
    page.keyboard.press("t")
    assert abs(page.evaluate(ground) - was) > 150
    page.keyboard.press("t")
    assert page.evaluate(ground) == was


def test_the_picture_is_there_without_scripts(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), context={"java_script_enabled": False})
    assert page.get_by_text("conv 7×7, 64").is_visible()
    assert page.locator("noscript").count() == 1  # shown where the reader's settings forbid them
    assert not page.locator("#open-all").is_visible()


def test_paper_bears_the_picture_alone(opened: Opened) -> None:
    page = opened(archdsl.graph(RESNET), context={"color_scheme": "dark"})
    page.keyboard.press("+")
    page.emulate_media(media="print")
    assert not page.locator("#open-all").is_visible()
    svg = page.locator("main svg")
    assert svg.evaluate("one => getComputedStyle(one).transform") == "none"
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    spot = svg.bounding_box()
    assert spot is not None
    assert spot["width"] <= 1280


# What a specification cannot do ---------------------------------------------------


HOSTILE = [
    "</script><script>document.title = 'run'</script>",
    "<img src=x onerror=\"document.title = 'run'\">",
    "]]> --> &lt;b&gt; &amp; &foo; \\N \" ' ${1} `x`",
    "\u2028\u202eline\tand\x00more",
]


def rename(graph: Graph, hostile: Sequence[str]) -> Graph:
    """The graph with layers called as nobody should call them."""
    import networkx as nx

    nodes = [n for n, data in graph.nodes(data=True) if data["op"] not in ("input", "output")]
    renamed: Graph = nx.relabel_nodes(graph, dict(zip(nodes, hostile, strict=False)))
    return renamed


def test_names_and_comments_run_nothing(opened: Opened) -> None:
    evil = HOSTILE[0]
    text = (
        f"# {evil}\nblock unit(width) {{\n    linear(width) -> relu\n}}\n"
        f"network tiny {{\n    input x: [3]\n    linear(4) -> relu\n    unit(4)  # {evil}\n"
        "    linear(5)\n}\n"
    )
    graph = archdsl.graph(archdsl.loads(text, name=evil))
    graph = archdsl.graph(rename(graph, HOSTILE))
    graph.graph["name"] = HOSTILE[1]
    for node, data in graph.nodes(data=True):
        data["path"] = node
    page = opened(graph, depth=2)
    assert page.title() == HOSTILE[1]
    labels = page.locator('main [role="img"]').evaluate_all(
        "all => all.map(one => one.getAttribute('aria-label'))"
    )
    assert any(label.startswith(evil) for label in labels)
    for target in page.locator("main .target").all():
        target.hover()
        page.locator("#card").wait_for()
    page.fill("#search", "</script>")
    page.press("#search", "Enter")
    assert page.locator(".current").count() == 1
    assert page.locator("script").count() == 3
    assert page.locator("img").count() == 0
    assert page.title() == HOSTILE[1]


def test_a_layer_may_be_called_as_a_part_of_the_page(opened: Opened) -> None:
    names = ("network", "graphviz", "canvas", "card", "search", "status", "level")
    layers = "".join(f"    {name}: linear({3 + i})\n" for i, name in enumerate(names))
    page = opened(archdsl.graph(archdsl.loads(f"network n {{\n    input x: [4]\n{layers}}}\n")))
    page.get_by_role("img", name="card: linear").hover()
    assert page.locator("#card h2").inner_text() == "card"


def test_what_is_too_large_is_said_and_leaves_the_picture(opened: Opened) -> None:
    text = (
        "network long {\n    input x: [4]\n    for i in range(800) {\n        linear(4)\n    }\n}\n"
    )
    page = opened(archdsl.graph(archdsl.loads(text)))
    page.evaluate("archdsl.limits.seconds = 0.05")
    page.click("#unfold")
    page.get_by_text("too large to be laid out").wait_for()
    assert not page.is_checked("#unfold")
    assert page.get_by_role("button", name="repeats 800 times").is_visible()
    page.evaluate("archdsl.limits.seconds = 10")
    page.keyboard.press("t")
    page.click("#open-all")  # and the next layout works again
    until(page, "document.getElementById('status').textContent === ''")
