"""Which network of a file is meant where none is named."""

from __future__ import annotations

import pytest

import archdsl

TEMPLATE = "network family(c) { input x: [3, 8, 8]; conv(c, 3) }\n"
PLAIN = "network plain(d = 1) { input x: [3, 8, 8]; conv(d, 3) }\n"


def test_a_template_alone_is_meant_with_its_parameter() -> None:
    assert archdsl.graph(archdsl.loads(TEMPLATE), c=5).graph["name"] == "family"


def test_a_template_alone_without_its_parameter_says_what_it_needs() -> None:
    (found,) = archdsl.check(archdsl.loads(TEMPLATE)).diagnostics
    assert found.message == "the network family needs c"


def test_what_is_given_says_which_of_two() -> None:
    spec = archdsl.loads(TEMPLATE + PLAIN)
    assert archdsl.graph(spec).graph["name"] == "plain"
    assert archdsl.graph(spec, c=5).graph["name"] == "family"


def test_what_stays_open_is_asked() -> None:
    spec = archdsl.loads(PLAIN + PLAIN.replace("plain", "other"))
    with pytest.raises(archdsl.ArchError, match="several networks: say which"):
        archdsl.graph(spec)
