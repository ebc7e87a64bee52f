"""Values for free sizes: those given, usual ones, and what cannot be."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.graph import Graph
from archdsl.passes.free_sizes import choose_sizes


def network(inputs: str, body: str) -> Graph:
    return archdsl.graph(archdsl.loads(f"network n {{\n input x: {inputs}\n {body}\n}}"))


def test_images_are_of_224_where_that_is_good() -> None:
    assert choose_sizes(network("[3, H, W]", "conv(4, 3)")) == {"H": 224, "W": 224}


def test_what_is_usual_gives_way_to_what_must_be() -> None:
    only_64 = network("[3, H, W]", "conv(4, 1) -> flatten -> reshape([4, 64, 64])")
    assert choose_sizes(only_64) == {"H": 64, "W": 64}
    odd = network("[3, L]", "reshape([3, 5])")
    assert choose_sizes(odd) == {"L": 5}


def test_what_is_given_stays_and_the_rest_is_usual() -> None:
    assert choose_sizes(network("[3, H, W]", "conv(4, 3)"), {"W": 50}) == {"H": 224, "W": 50}


def test_fixed_sizes_need_none() -> None:
    assert choose_sizes(network("[3, 8, 8]", "conv(4, 3)")) == {}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"D": 3}, "no free size D"),
        ({"H": 0}, "a size is a positive integer, and H is 0"),
        ({"H": True}, "a size is a positive integer, and H is True"),
        ({"H": 2.0}, "a size is a positive integer, and H is 2.0"),
        ({"H": 2}, "the network cannot have H = 2"),
    ],
)
def test_what_cannot_be_is_told_of(given: dict[str, int], message: str) -> None:
    with pytest.raises(archdsl.ArchError, match=message) as caught:
        choose_sizes(network("[3, H, W]", "conv(4, 3)"), given)
    assert [d.code for d in caught.value.diagnostics] == ["bad-value"]
