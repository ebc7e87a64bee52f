"""The DOT of a picture: goldens to read, and what must hold of every network's."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.backends.dot import Drawing, draw
from archdsl.backends.dot.guides import guides
from archdsl.backends.dot.text import quote
from archdsl.backends.dot.wires import wires
from archdsl.diagnostics import ArchError
from archdsl.graph import Graph
from archdsl.passes.view import view
from tests.passes.test_outline import EVERY, FEWER, graph_of, written
from tests.soundness.checked import checked_graphs


@pytest.mark.parametrize(
    ("name", "only"),
    [
        pytest.param("resnet:resnet18", None, id="resnet18"),
        pytest.param("unet:unet", None, id="unet"),
        pytest.param("recurrent:lstm_written_out", None, id="lstm_written_out"),
        pytest.param("wide_and_deep:wide_and_deep", None, id="wide_and_deep"),
        pytest.param("siamese:siamese", None, id="siamese"),
        pytest.param("googlenet:googlenet", "inception3a", id="inception3a"),
        pytest.param("densenet:densenet121", None, id="densenet121"),
    ],
)
def test_the_dot_reads_as_before(name: str, only: str | None, golden: Callable[..., None]) -> None:
    golden(draw(graph_of(name), only=only).dot, suffix=".dot")


# A reader of the DOT that is written --------------------------------------------------

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|->|--|[{}\[\];=,]|[\w.]+', re.DOTALL)


def tokens(text: str) -> Iterator[str]:
    """The tokens of DOT; an HTML-like label is one, from its «<» to the «>» that closes it."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        end = _html_end(text, at) if text[at] == "<" else None
        match = None if end else _TOKEN.match(text, at)
        assert end or match, f"not DOT: {text[at : at + 60]!r}"
        end = end or (match.end() if match else 0)
        yield text[at:end]
        at = end


def _html_end(text: str, at: int) -> int:
    depth = 0
    for i in range(at, len(text)):
        depth += {"<": 1, ">": -1}.get(text[i], 0)
        if not depth:
            return i + 1
    raise AssertionError("an HTML-like label is not closed")


def unquoted(token: str) -> str:
    return re.sub(r"\\(.)", r"\1", token[1:-1])


class Dot:
    """The nodes with their attributes and the edges of a DOT text."""

    def __init__(self, text: str) -> None:
        self.nodes: dict[str, dict[str, str]] = {}
        self.edges: list[tuple[str, str, dict[str, str]]] = []
        self.same: list[tuple[str, list[str]]] = []
        found = list(tokens(text))
        assert found.count("{") == found.count("}")
        assert found[0] == "digraph"
        self._statements(found[2:])

    def _statements(self, found: list[str]) -> None:
        at, names, rank = 0, list[str](), ""
        while at < len(found):
            word = found[at]
            if word == "[":
                end = found.index("]", at)
                self._add(names, dict(_pairs(found[at + 1 : end])))
                names, at = names if rank else [], end
            elif word == "rank":
                rank = found[at + 2]
                at += 2
            elif word == "}" and rank:
                self.same.append((rank, names))
                names, rank = [], ""
            elif word in ("{", "}", "subgraph", "graph", "node", "edge"):
                names = [word] if word in ("graph", "node", "edge") else []
                at += word == "subgraph"
            elif word[0] == '"':
                names.append(unquoted(word))
            at += 1

    def _add(self, names: list[str], values: dict[str, str]) -> None:
        if values.get("style") == "invis" or names[:1] in (["graph"], ["node"], ["edge"]):
            return
        if len(names) == 1:
            assert names[0] not in self.nodes, f"{names[0]} stands there twice"
            self.nodes[names[0]] = values
        else:
            assert len(names) == 2
            self.edges.append((names[0], names[1], values))


def _pairs(found: list[str]) -> Iterator[tuple[str, str]]:
    for at in range(0, len(found), 4):
        name, equals, value = found[at : at + 3]
        assert equals == "="
        yield name, unquoted(value) if value[0] == '"' else value


def assert_complete(graph: Graph, drawing: Drawing) -> None:
    """Every shown item and every wire is there, with the right ends, in both texts."""
    shown = drawing.view
    boxes = {item.id for item in shown.root.walk() if item.state != "open"}
    ghosts = {*shown.entering, *shown.leaving}
    wired = wires(graph, shown)
    expected = sorted(
        tuple(sorted((w.link.tail, w.link.head))) for w in wired if w.kind != "carried"
    )
    for text in (drawing.dot, drawing.skeleton):
        dot = Dot(text)
        assert set(dot.nodes) == boxes | ghosts
        plain = [e for e in dot.edges if not (e[2].get("dir") and e[2].get("style") == "dashed")]
        assert sorted(tuple(sorted(e[:2])) for e in plain) == expected
        assert len(dot.edges) == len(wired)
        for name in boxes:
            assert dot.nodes[name]["id"] == name
        labels = [e[2]["label"].split() for e in dot.edges if "label" in e[2]]
        assert len(labels) == sum(1 for w in wired if w.shaped or w.name)
        assert all(labels)
    # Whatever is left out of the wires is only how a loop's end knows its beginning.
    unwired = set(shown.links) - {w.link for w in wired}
    assert all(graph.nodes[link.target]["op"] == "scan end" for link in unwired)


@pytest.mark.parametrize("name", EVERY)
def test_every_box_and_every_wire_is_in_the_dot(name: str) -> None:
    for depth in (None, 9):
        assert_complete(graph_of(name), draw(graph_of(name), depth=depth))


@settings(max_examples=FEWER)
@given(checked_graphs(free=True), st.booleans(), st.sampled_from(["auto", "flow"]))
def test_so_they_are_of_any_network(graph: Graph, unfold: bool, layout: str) -> None:
    assert_complete(graph, draw(graph, depth=9, unfold=unfold, layout=layout))  # type: ignore[arg-type]  # one of two


def test_a_missing_edge_would_be_noticed() -> None:
    drawing = draw(graph_of("resnet:resnet18"))
    lines = drawing.dot.splitlines()
    edge = next(i for i, line in enumerate(lines) if " -> " in line)
    broken = "\n".join([*lines[:edge], *lines[edge + 1 :]])
    assert len(Dot(broken).edges) == len(Dot(drawing.dot).edges) - 1


@pytest.mark.parametrize("name", ["unet:unet", "unet:unet_same", "translation:generator"])
def test_a_u_lays_the_same_wires_out(name: str) -> None:
    assert_complete(graph_of(name), draw(graph_of(name), layout="u"))


def test_a_u_needs_a_unet() -> None:
    with pytest.raises(ArchError, match="cannot be drawn as a U") as caught:
        draw(graph_of("resnet:resnet18"), layout="u")
    assert "--layout" in caught.value.diagnostics[0].help


# Wires --------------------------------------------------------------------------------


def kinds(body: str) -> dict[tuple[str, str], str]:
    graph = written(body)
    return {(w.link.tail, w.link.head): w.kind for w in wires(graph, view(graph))}


def test_what_jumps_over_a_longer_path_is_a_skip() -> None:
    assert kinds("input x: [8]\nlinear(8) as a -> linear(8) -> add(it, a)") == {
        ("x", "linear1"): "flow",
        ("linear1", "linear2"): "flow",
        ("linear1", "add1"): "skip",
        ("linear2", "add1"): "flow",
        ("add1", "output"): "flow",
    }


def test_branches_are_no_skips() -> None:
    body = "input x: [8]\nbranch add { linear(8) -> relu; linear(8) }"
    assert set(kinds(body).values()) == {"flow"}


def test_of_a_tensor_whose_sizes_alone_are_read_the_wire_says_so() -> None:
    graph = graph_of("unet:unet")
    found = [w for w in wires(graph, view(graph)) if w.kind == "shape"]
    assert {graph.nodes[w.link.target]["op"] for w in found} == {"crop"}
    assert len(found) == 4


def test_the_carried_states_of_a_scan_are_drawn_back_to_its_beginning() -> None:
    graph = graph_of("recurrent:lstm_written_out")
    drawing = draw(graph)
    carried = [w for w in wires(graph, drawing.view) if w.kind == "carried"]
    assert sorted(w.name for w in carried) == ["c", "h"]
    backwards = [e for e in Dot(drawing.dot).edges if e[2].get("dir") == "back"]
    assert {graph.nodes[e[0]]["op"] for e in backwards} == {"scan"}
    assert {e[1] for e in backwards} == {w.link.tail for w in carried}


def test_inputs_are_ranked_first_and_outputs_last() -> None:
    dot = Dot(draw(graph_of("wide_and_deep:wide_and_deep")).dot)
    ranks = {rank: names for rank, names in dot.same if rank in ("min", "max")}
    assert ranks == {"min": ["wide", "deep"], "max": ["main", "aux"]}


def test_guides_hold_branches_and_leave_outputs_alone() -> None:
    graph = written(
        "input x: [8]\nbranch add { linear(8); relu; tanh } as all\nlinear(2) as small\n"
        "output small, all"
    )
    drawing = draw(graph)
    following: dict[str, list[object]] = {}
    for wire in wires(graph, drawing.view):
        following.setdefault(wire.link.tail, []).append(wire)
    (found,) = guides(graph, drawing.view, following)[""]  # type: ignore[arg-type]  # wires
    assert found.tail == "x"
    assert found.heads == ("linear1", "relu1", "tanh1")


# Names --------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", 'a"b', "a\\", "\\N \\G \\l \\r", "a\nb", 'x" [label="y'])
def test_a_quoted_text_is_one_token_and_has_no_escapes_left(text: str) -> None:
    (token,) = tokens(quote(text))
    assert token == quote(text)
    inner = token[1:-1].replace("\\\\", "").replace('\\"', "").replace("\\n", "")
    assert "\\" not in inner
    assert '"' not in inner
