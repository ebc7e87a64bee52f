"""Activations that may write into their input: where nobody else has to do with its memory."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.passes.in_place import overwriting


def places(body: str, blocks: str = "") -> dict[str, tuple[int, ...]]:
    text = f"{blocks}\nnetwork n {{\n input x: [4, 8, 8]\n {body}\n}}\n"
    return dict(overwriting(archdsl.graph(archdsl.loads(text))))


def found(body: str, blocks: str = "") -> set[str]:
    """The activations among them."""
    return {node for node in places(body, blocks) if not node.startswith(("add", "residual"))}


@pytest.mark.parametrize(
    "body",
    [
        "conv(4, 3) -> bn -> a: relu",
        "conv(4, 3) -> a: relu6",
        "conv(4, 1) -> a: leaky_relu(0.2)",
        "conv(4, 1) -> a: elu",
        "conv(4, 1) as y; concat(x, y) -> a: relu",
        "residual { conv(4, 3, padding = 1) } -> a: relu",
        "inner -> a: relu",
    ],
)
def test_a_tensor_of_its_own_is_written_over(body: str) -> None:
    assert found(body, "block inner { conv(4, 1) -> bn }") == {"a"}


@pytest.mark.parametrize(
    "body",
    [
        "a: relu",  # the caller's tensor
        "conv(4, 3) as y -> a: relu as z; add(y, z)",  # read again
        "conv(4, 3) as y -> a: relu as z; output y, z",  # given out
        "flatten -> a: relu",  # a view
        "conv(4, 3) -> flatten -> a: relu",  # of a tensor that would be spare
        "conv(4, 3) -> dropout -> a: relu",  # in evaluation the very tensor
        "conv(4, 3) -> sigmoid -> a: relu",  # whose gradient needs its output
        "conv(4, 3) -> a: leaky_relu(-0.5)",  # the sign would be lost
        "conv(4, 3) -> a: elu(-1.0)",
        "conv(4, 3) -> relu6 -> a: leaky_relu",  # in place, relu6 needs its output
        "conv(4, 3) -> elu -> a: relu",
        "conv(4, 3) -> a: gelu",  # torch has it not, or keeps a copy
        "conv(4, 3) -> a: silu",
        "parameter([4, 8, 8]) -> a: relu as y; add(x, y)",
    ],
)
def test_any_other_is_left_alone(body: str) -> None:
    assert "a" not in found(body)


def test_what_comes_into_a_block_is_not_its_own() -> None:
    assert found("conv(4, 3) -> outer", "block outer { relu -> conv(4, 1) -> relu }") == {
        "outer1.relu2"
    }


def test_a_module_that_runs_twice_may_both_times_or_never() -> None:
    assert found("conv(4, 1) -> a: relu -> conv(4, 1) -> a") == {"a", "a#2"}
    assert found("conv(4, 1) -> a: relu -> conv(4, 1) as y -> a as z; add(y, z)") == set()


def test_steps_of_a_loop_are_left_alone() -> None:
    text = (
        "network n {\n input x: [T, 4]\n scan h = zeros(4) {\n"
        "  linear(4) -> relu as y; add(h, y) as h\n }\n}\n"
    )
    assert overwriting(archdsl.graph(archdsl.loads(text))) == {}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("conv(4, 1) as y; conv(4, 1) as z; add(y, z)", {"add1": (1,)}),  # the conv reads y
        ("conv(4, 1) as y; add(x, y)", {"add1": (1,)}),
        ("conv(4, 1) as y; add(y, x)", {"add1": (0,)}),
        ("conv(4, 1) -> sigmoid as y; add(x, y)", {}),
        ("conv(4, 1) as y; add(y, y)", {}),
        ("conv(1, 1) as y; add(x, y)", {}),  # stretched: it has not the memory
        ("residual { conv(4, 1) }", {"add1": (1,)}),
    ],
)
def test_sums_have_their_operands(body: str, expected: dict[str, tuple[int, ...]]) -> None:
    assert places(body) == expected
