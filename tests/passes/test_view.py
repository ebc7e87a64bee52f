"""The view: everything is shown or folded into what is, and what is asked for is opened."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.diagnostics import ArchError
from archdsl.graph import Graph, inputs_of
from archdsl.passes.outline import Part, outline
from archdsl.passes.stacks import stack
from archdsl.passes.view import ENOUGH, Item, View, find_part, view
from tests.passes.folding import assert_accounted, counted
from tests.passes.test_outline import EVERY, FEWER, graph_of, written
from tests.soundness.checked import checked_graphs


@cache
def tree_of(name: str) -> Part:
    graph = graph_of(name)
    return stack(outline(graph), graph)


def shown(name: str, **options: object) -> View:
    return view(graph_of(name), tree_of(name), **options)  # type: ignore[arg-type]  # by name


def captions(found: View) -> dict[str, int]:
    """The items that are no frames, with how often each stands for itself."""
    return {item.id: times for item, times in counted(found.root.items)}


def open_levels(item: Item) -> int:
    """How many modules stand open in one another."""
    inside = max((open_levels(i) for i in item.items), default=0)
    return inside + (item.part.kind == "module" and item.state == "open" and bool(item.part.id))


# What holds of every network ----------------------------------------------------------


@pytest.mark.parametrize("name", EVERY)
def test_every_layer_and_every_edge_is_shown_or_folded(name: str) -> None:
    for options in ({}, {"depth": 1}, {"depth": 2}, {"depth": 9}, {"depth": 9, "unfold": True}):
        assert_accounted(graph_of(name), shown(name, **options))


@settings(max_examples=FEWER)
@given(checked_graphs(), st.none() | st.integers(1, 4), st.booleans(), st.booleans())
def test_so_it_is_of_any_network(
    graph: Graph, depth: int | None, unfold: bool, stacked: bool
) -> None:
    tree = outline(graph)
    tree = stack(tree, graph) if stacked else tree
    assert_accounted(graph, view(graph, tree, depth=depth, unfold=unfold))


@settings(max_examples=FEWER)
@given(checked_graphs(), st.data())
def test_a_part_is_shown_with_all_that_enters_and_leaves(graph: Graph, data: st.DataObject) -> None:
    modules = sorted(
        {s.path for s in graph.graph["scopes"].values() if s.path and _holds(graph, s.path)}
    )
    if not modules:
        return
    path = data.draw(st.sampled_from(modules))
    tree = outline(graph)
    assert_whole_part(graph, view(graph, tree, only=path), find_part(graph, tree, path))


def _holds(graph: Graph, path: str) -> bool:
    """Whether there are layers in a module: one may be called and do nothing."""
    try:
        find_part(graph, outline(graph), path)
    except ArchError:
        return False
    return True


def assert_whole_part(graph: Graph, found: View, part: Part) -> None:
    """All edges of the part are there, and those over its border lead to what stands outside."""
    inside = set(part.nodes)
    assert set(found.shown) == inside
    edges = [(a, b, d["input"]) for a, b, d in graph.edges(data=True)]
    touching = sorted(e for e in edges if e[0] in inside or e[1] in inside)
    drawn = [edge for link in found.links for edge in link.edges]
    assert sorted([*drawn, *found.folded]) == touching
    entering = {s for n in inside for s in inputs_of(graph, n) if s.node not in inside}
    assert set(found.entering.values()) == entering
    outside = set(graph) - inside
    leaving = {s for n in outside for s in inputs_of(graph, n) if s.node in inside}
    assert set(found.leaving.values()) == leaving
    for link in found.links:
        assert (link.tail in found.entering) == (link.source.node not in inside)
        assert (link.head in found.leaving) == (link.edges[0][1] not in inside)


# Folds --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet:resnet50", {"layer1.1": 2, "layer2.1": 3, "layer3.1": 5, "layer4.1": 2}),
        ("resnet:resnet152", {"layer1.1": 2, "layer2.1": 7, "layer3.1": 35, "layer4.1": 2}),
        ("vit:vit_b_16", {"encoder.layers.encoder_layer_0": 12}),
    ],
)
def test_a_repeated_block_is_shown_once_and_counted(name: str, expected: dict[str, int]) -> None:
    found = captions(shown(name, depth=3 if name.startswith("vit") else 2))
    assert {item: times for item, times in found.items() if times > 1} == expected


def test_nested_folds_multiply() -> None:
    block = "block b { conv(8, 3, padding = 1) -> repeat 4 { linear(6) -> relu } }"
    graph = written("input x: [8, 6, 6]\nrepeat 5 { b }", block)
    found = view(graph, depth=9)
    assert_accounted(graph, found)
    assert sorted(set(captions(found).values())) == [1, 5, 20]


@pytest.mark.parametrize("name", ["resnet:resnet50", "densenet:densenet121", "gpt:gpt2"])
def test_unfolded_everything_is_there_by_itself(name: str) -> None:
    found = shown(name, depth=9, unfold=True)
    assert all(times == 1 for times in captions(found).values())
    assert all(item.times == 1 for item in found.root.walk())
    assert {n for i in found.root.walk() if i.state != "open" for n in i.part.nodes} == set(
        graph_of(name)
    )


def test_the_fold_names_the_edges_between_its_rounds() -> None:
    graph = written("input x: [8]\nrepeat 4 { linear(8) -> relu }")
    found = view(graph, outline(graph))
    assert {(a, b) for a, b, _ in found.folded} == {
        ("relu1", "linear2"),
        ("relu2", "linear3"),
        ("relu3", "linear4"),
    }
    (into,) = [link for link in found.links if link.tail == "x"]
    (out,) = [link for link in found.links if link.head == "output"]
    assert (into.target, out.source.node) == ("linear1", "relu4")


# Levels -------------------------------------------------------------------------------

NESTED = """
    input x: [8]
    a: { b: { c: { linear(8) -> relu } -> linear(8) } -> linear(8) }
    linear(8)
"""


@pytest.mark.parametrize(("depth", "levels"), [(1, 0), (2, 1), (3, 2), (4, 3), (9, 3)])
def test_depth_opens_so_many_levels(depth: int, levels: int) -> None:
    found = view(written(NESTED), depth=depth)
    assert open_levels(found.root) == levels
    closed = [item.id for item in found.root.walk() if item.state == "closed"]
    assert closed == ([] if levels == 3 else [["a"], ["a.b"], ["a.b.c"]][levels])


def test_depth_counts_from_the_part_that_is_shown() -> None:
    found = view(written(NESTED), only="a.b", depth=1)
    assert [item.id for item in found.root.walk() if item.state == "closed"] == ["a.b.c"]
    assert found.root.id == "a.b"


@pytest.mark.parametrize("name", EVERY)
def test_by_itself_a_picture_is_as_deep_as_it_stays_readable(name: str) -> None:
    found, one, more = shown(name), shown(name, depth=1), None
    depth = next(d for d in range(1, 9) if shown(name, depth=d).shown == found.shown)
    more = shown(name, depth=depth + 1)
    size = len(captions(found))
    assert size <= ENOUGH or found.shown == one.shown
    assert more.shown == found.shown or boxes(more) > ENOUGH


def boxes(found: View) -> float:
    """A frame is half a box; the root is none."""
    return sum(0.5 if item.state == "open" else 1 for item in found.root.walk()) - 0.5


# One part -----------------------------------------------------------------------------


def test_one_part_is_found_by_its_path_also_in_a_fold() -> None:
    for path in ("layer3", "layer3.0", "layer3.4"):
        graph = graph_of("resnet:resnet50")
        part = find_part(graph, tree_of("resnet:resnet50"), path)
        assert {n for n in graph if n.startswith(f"{path}.")} == set(part.nodes)
        assert_whole_part(graph, shown("resnet:resnet50", only=path), part)


def test_several_tensors_may_enter_and_leave_a_part() -> None:
    block = """block two {
        input x: [8]
        input y: [8]
        add(x, y) as sum -> linear(8) as out
        output sum, out
    }"""
    body = """
    input x: [8]
    input y: [8]
    part: two(x, y) as (sum, out)
    add(out, sum) -> add(it, y)
    """
    graph = written(body, block)
    found = view(graph, only="part")
    assert_whole_part(graph, found, find_part(graph, outline(graph), "part"))
    assert len(found.entering) == len(found.leaving) == 2


@pytest.mark.parametrize(
    ("path", "help"),
    [
        ("layer33", "layer3"),
        ("layer3.9", "layer3"),
        ("", "the modules are layer1"),
        ("nothing of the kind", "the modules are layer1"),
    ],
)
def test_a_part_that_is_not_there_is_told_of(path: str, help: str) -> None:
    with pytest.raises(ArchError) as caught:
        shown("resnet:resnet50", only=path)
    (said,) = caught.value.diagnostics
    assert said.code == "unknown-name"
    assert said.help.startswith(("did you mean", "the modules are"))
    assert help in said.help


@pytest.mark.parametrize(
    ("path", "help"),
    [("layer3.2.conv1", "draw the module that it stands in: layer3.2"), ("conv1", "")],
)
def test_a_layer_is_no_part(path: str, help: str) -> None:
    with pytest.raises(ArchError, match="is a layer, and no module") as caught:
        shown("resnet:resnet50", only=path)
    assert caught.value.diagnostics[0].help == help
