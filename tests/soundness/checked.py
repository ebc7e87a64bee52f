"""Random networks that are sound: the graphs of those random specifications that are accepted."""

from __future__ import annotations

from hypothesis import assume
from hypothesis import strategies as st

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.graph import Graph
from tests.soundness.arguments import Draw
from tests.soundness.writing import specifications


@st.composite
def checked_graphs(draw: Draw, *, free: bool = False) -> Graph:
    """The checked graph of a random specification; with free sizes, if asked for."""
    found = checked(draw(specifications(free=free)))
    assume(found is not None)
    assert found is not None
    return found


def checked(text: str) -> Graph | None:
    """The graph of a specification's one network, or None where it is rejected."""
    try:
        found = archdsl.loads(text).elaborate()
    except ArchError:
        return None
    return None if found.failed else found.graph
