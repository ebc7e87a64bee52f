"""Two networks as one graph, for the picture of what differs."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.graph import inputs_of, types_into
from archdsl.passes.merged import Merged, merge_networks

PLAIN = "network a { input x: [64]\n aux: { relu -> linear(10) } }"
MORE = "network a { input x: [64]\n aux: { relu -> dropout(0.3) -> linear(10) } }"
ZOO = [
    ("resnet.arch:resnet18", "resnet.arch:resnet34"),
    ("resnet.arch:resnet50", "resnet.arch:resnext50_32x4d"),
    ("unet.arch:unet", "unet.arch:unet_same"),
    ("vgg.arch:vgg11_bn", "vgg.arch:vgg11"),
    ("recurrent.arch:rnn_written_out", "recurrent.arch:lstm_written_out"),
    ("wide_and_deep.arch", "siamese.arch"),
]


def merged(before: str, after: str) -> Merged:
    a, b = archdsl.graph(archdsl.loads(before)), archdsl.graph(archdsl.loads(after))
    return merge_networks(a, b, archdsl.diff(a, b))


@pytest.mark.parametrize(("before", "after"), [(PLAIN, MORE), (MORE, PLAIN)])
def test_a_name_that_passed_to_another_layer_is_in_nobodys_way(before: str, after: str) -> None:
    # aux.1 is the dropout in the one, and the linear layer in the other.
    found = merged(before, after)
    gone = [node for node, status in found.status.items() if status == "removed"]
    assert len(gone) == (before == MORE)
    assert types_into(found.graph).keys() == set(found.graph)
    a, b = archdsl.loads(before), archdsl.loads(after)
    picture = archdsl.draw(b, before=a)
    assert "shared weights" not in picture.svg
    assert ("removed" in picture.svg) == (before == MORE)


@pytest.mark.parametrize(("before", "after"), ZOO + [(b, a) for a, b in ZOO])
def test_the_second_network_is_whole_and_the_first_is_there(before: str, after: str) -> None:
    a, b = archdsl.graph(f"specs/{before}"), archdsl.graph(f"specs/{after}")
    comparison = archdsl.diff(a, b)
    found = merge_networks(a, b, comparison)
    assert set(b) <= set(found.graph)
    assert len(found.graph) == len(b) + len(a) - len(comparison.pairs)
    for node in b:
        assert inputs_of(found.graph, node)[: len(inputs_of(b, node))] == inputs_of(b, node)
    assert found.status.keys() == set(found.graph)
    assert archdsl.draw(b, before=a).svg.startswith("<svg")


def test_what_takes_the_place_of_a_removed_layer_is_no_skip() -> None:
    before = "network n { input x: [8]\n linear(8) -> bn -> relu }"
    after = "network n { input x: [8]\n linear(8) -> relu }"
    picture = archdsl.draw(archdsl.loads(after), before=archdsl.loads(before))
    assert ">removed<" in picture.svg
    assert ">skip<" not in picture.svg
