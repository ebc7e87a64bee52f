"""What runs again has the names, and so the weights, that it had."""

from __future__ import annotations

import pytest

import archdsl

BLOCKS = """
block merged(act) { repeat 2 { add(it, it, act) -> relu } }
block labelled { conv2: conv(8, 1) -> conv(8, 1) -> conv(8, 1) }
block conv1 { linear(8) }
"""


@pytest.mark.parametrize(
    "body",
    [
        "merged(relu)",
        "repeat 2 { add(it, it, relu) -> relu }",
        "labelled -> { conv2: conv(8, 1) -> conv(8, 1) -> conv(8, 1) }",
        "conv2: conv(8, 1) -> conv(8, 1) -> conv(8, 1)",
        "add(conv(8, 1), it) -> conv2: conv(8, 1) -> add(conv(8, 1), it)",
        "repeat 11 { conv(8, 1) } -> conv1 -> conv1 -> conv(8, 1)",
        "residual { conv(8, 1) } shortcut { conv(8, 1) } -> conv(8, 1)",
        "repeat 2 shared { conv2: conv(8, 1) -> conv(8, 1) } -> conv(8, 1) -> conv(8, 1)",
    ],
)
def test_every_round_runs_the_same_modules(body: str) -> None:
    text = f"{BLOCKS}network n {{ input x: [8, 8, 8]; repeat 3 shared {{ {body} }} }}"
    graph = archdsl.loads(text).graph()
    nodes = [data for _, data in graph.nodes(data=True) if data["op"] not in ("input", "output")]
    third = len(nodes) // 3
    rounds = [[(d["op"], d["path"]) for d in nodes[i * third :][:third]] for i in range(3)]
    assert rounds[0] == rounds[1] == rounds[2]
    assert len(list(archdsl.compile(graph).parameters())) > 0 or "conv" not in body
