"""A block that is added again is what it would be if it were expanded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import ANY

import pytest
from hypothesis import given, settings

import archdsl
from archdsl.elaborate import recording
from archdsl.elaborate.memory import Memory
from archdsl.elaborate.network import Elaborated, elaborate_network
from archdsl.graph import Graph, Wiring
from archdsl.specification import Specification
from tests.soundness.writing import specifications

SPECS = sorted(Path(__file__).parents[2].joinpath("specs").glob("*.arch"))


class Forgetful(Memory):
    """Keeps nothing, so that every call is expanded."""

    def keep(self, key: Any, recording: Any) -> None:
        pass

    def keep_value(self, key: Any, value: Any, kept: Any) -> None:
        pass

    def once(self, find: Any, expr: Any) -> Any:
        return find(expr)


def expanded(spec: Specification, network: str, memory: Memory) -> Elaborated:
    return elaborate_network(network, spec._declared[network], {}, memory)


def content(graph: Graph) -> list[object]:
    """All that a graph says, in its order."""
    facts = graph.graph
    return [
        list(graph.nodes(data=True)),
        list(graph.edges(keys=True, data=True)),
        list(facts["scopes"].items()),
        facts["conditions"],
        {k: v for k, v in facts.items() if k not in ("scopes", "conditions", "vary")},
    ]


def assert_nothing_is_lost(spec: Specification) -> None:
    """Fresh, with what others of the file left, and with what itself has left."""
    memory = Memory()
    for network in spec.networks:
        if spec.needs(network):
            continue
        plain = expanded(spec, network, Forgetful())
        for _ in range(2):
            again = expanded(spec, network, memory)
            assert again.diagnostics == plain.diagnostics
            for one, other in zip(content(again.graph), content(plain.graph), strict=True):
                assert one == other
            if not again.failed:
                assert again.wiring is not None
                assert again.wiring.outcomes == Wiring(again.graph).outcomes


@pytest.mark.parametrize("path", SPECS, ids=lambda p: p.stem)
def test_the_zoo_is_the_same(path: Path) -> None:
    assert_nothing_is_lost(archdsl.load(path))


@settings(max_examples=settings().max_examples // 2)
@given(specifications())
def test_random_networks_are_the_same(text: str) -> None:
    assert_nothing_is_lost(archdsl.loads(text))


CALLS = """
block unit(width, kernel = 3, act = relu, half = width // 2) {
    conv(width, kernel, padding = kernel // 2) -> act -> conv(half, 1) -> conv(width, 1)
}
block pair(first, second) { unit(first) -> unit(second) }
"""


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(3) { unit(8) }",
        "for i in range(4) { unit(4 * (i // 2 + 1)) }",
        "for i in range(4) { let w = 8 if i > 1 else 4; unit(w, kernel = 1 + 2 * (i % 2)) }",
        "for k in [1, 1.0, true] { unit(8, 1) -> dropout(k) }",
        "for a in [relu, tanh, relu, leaky_relu(0.1), leaky_relu(0.2)] { unit(8, act = a) }",
        "let w = 4; unit(w); unit(w); { let w = 8; unit(w) } -> unit(w)",
        "for w in [4, 8] { unit(it.channels) -> unit(w) }",
        "for w in [4, 8] { unit(max(w, 6)) -> unit(sum([w, 2])) }",
        "for w in [4, 8, 4] { pair(w, second = 2 * w) -> pair(second = w, first = 8) }",
        "for u in [unit, unit(half = 3), unit] { u(8) -> u(8, half = 2) }",
        "for i in range(2) { a{i}: unit(8) -> b{i}: unit(8) } -> a0",
        "for i in range(2) { unit(8, 3, relu, 4, 5) }",
        "for i in range(2) { unit(8, missing = 1) }",
        "for i in range(2) { unit() }",
        "for i in range(2) { unit(8, half = nothing) }",
    ],
)
def test_a_call_met_again_is_given_the_same(body: str) -> None:
    text = f"{CALLS}network n(c = 3) {{ input x: [c, 8, 8]; {body} }}\n"
    assert_nothing_is_lost(archdsl.loads(f"{text}network m = n(5)\n"))


def test_a_default_at_fault_is_told_of_every_network_of_a_file() -> None:
    block = "block b(width, half = width // 0) { conv(half, 1) }"
    spec = archdsl.loads(
        f"{block}\n{NETWORK.format(body='for i in [8, 8] { b(i) }')}network m = n\n"
    )
    assert_nothing_is_lost(spec)
    memory = Memory()
    for name in ("n", "m"):
        assert expanded(spec, name, memory).failed


@pytest.fixture
def added_again(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the calls that were not expanded."""
    paths: list[str] = []
    run = recording._Again.run

    def told(self: Any) -> Any:
        paths.append(self.path)
        return run(self)

    monkeypatch.setattr(recording._Again, "run", told)
    return paths


def again_in(text: str, added_again: list[str]) -> set[str]:
    """What is added again where the network is expanded for the first time."""
    spec = archdsl.loads(text)
    plain = expanded(spec, "n", Forgetful())
    added_again.clear()
    found = expanded(spec, "n", Memory())
    assert found.diagnostics == plain.diagnostics
    assert content(found.graph) == content(plain.graph)
    return set(added_again)


NETWORK = "network n {{\n    input x: [8, 16, 16]\n    {body}\n}}\n"


@pytest.mark.parametrize(
    ("block", "body", "paths"),
    [
        ("block b(c) { conv(c, 3, padding = 1) -> relu }", "b(8) -> b(8) -> b(8)", {"b2", "b3"}),
        ("block b(c) { conv(c, 3, padding = 1) -> relu }", "b(8) -> b(8) -> b(9)", {"b2"}),
        # whether an argument is given or left out shows in the source that is written
        ("block b(c = 8) { conv(c, 1) }", "b(8) -> b(8) -> b -> b", {"b2", "b4"}),
        ("block b(on) { if on == 1 { relu } else { tanh } }", "b(1) -> b(1.0)", set()),
        ("block b { residual { conv(8, 1) as y } }", "a: b -> c: b -> a", {"c"}),
        ("block b { it as same -> relu }", "b -> b -> b", set()),
        ("block b { l: conv(8, 1) -> relu -> l }", "b -> b", {"b2"}),
        ("block b { l: conv(8, 1) -> conv(8, 1, weight = l.weight) }", "b -> b", set()),
        ("block b { input p, q\n add(p, q) }", "relu as y\n b(y, y) -> b(y)", set()),
        ("block b { input p, q\n add(p, q) }", "relu as y\n b(y, x) as z\n b(z, x)", {"b2"}),
        ("block b { relu -> { conv(8, 1) -> { } } }", "b -> b", set()),
        (
            "block c(k) { conv(8, k, padding = same) }\nblock b { c(1) -> c(3) }",
            "b -> b",
            {"b2"},
        ),
        (
            "block b(act) { conv(8, 1) -> act }",
            "b(relu) -> b(relu) -> b(elu(alpha = 2)) -> b(elu(alpha = 2))",
            {"b2"},
        ),
        ("block b { conv(8, 1, penalty = l2(0.1)) }", "b -> b", {"b2"}),
    ],
)
def test_what_is_added_again(
    block: str, body: str, paths: set[str], added_again: list[str]
) -> None:
    assert again_in(f"{block}\n{NETWORK.format(body=body)}", added_again) == paths


def test_a_mistake_is_told_of_every_network_of_a_file(added_again: list[str]) -> None:
    body = "{ input x: [8, 9, 9]\n b }"
    spec = archdsl.loads(f"block b {{ conv(8, 99) }}\nnetwork n {body}\nnetwork m {body}\n")
    memory = Memory()
    first, second = (expanded(spec, name, memory) for name in ("n", "m"))
    assert first.failed
    assert [(d.code, d.span) for d in first.diagnostics] == [("kernel-too-large", ANY)]
    assert first.diagnostics[0].span == second.diagnostics[0].span
    assert not added_again


def test_a_mistake_met_again_is_told_of_every_network_of_a_file(added_again: list[str]) -> None:
    """It is one diagnostic of a network, and so the second call seemed to be without any."""
    block = "block b { concat: relu -> concat(it, it) -> relu }"
    body = "for i in range(3) { b }"
    spec = archdsl.loads(f"{block}\n{NETWORK.format(body=body)}network m = n\n")
    memory = Memory()
    first, second = (expanded(spec, name, memory) for name in ("n", "m"))
    assert first.failed
    assert first.diagnostics == second.diagnostics
    assert not added_again


def test_a_change_of_a_graph_changes_no_other() -> None:
    spec = archdsl.loads("block b { conv(8, 3) }\nnetwork n { input x: [8, 9, 9]\n b -> b }\n")
    graph = spec.graph("n")
    graph.nodes["b1.conv1"]["args"]["out_channels"] = 5
    assert spec.graph("n").nodes["b1.conv1"]["args"]["out_channels"] == 8


def test_a_network_stays_as_small_as_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is added again counts like what is expanded."""
    for module in ("context", "recording"):
        monkeypatch.setattr(f"archdsl.elaborate.{module}.MOST_NODES", 40)
    spec = archdsl.loads(
        "block b { relu -> tanh -> relu }\nnetwork n { input x: [8]\n repeat 20 { b } }\n"
    )
    found = spec.elaborate("n")
    assert [d.code for d in found.diagnostics] == ["too-large"]
    assert len(found.graph) <= 40
