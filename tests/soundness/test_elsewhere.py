"""The other process finds out a source that computes something else."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from tests.soundness.elsewhere import Elsewhere
from tests.soundness.running import accepted


def test_a_source_that_computes_something_else_is_found_out(tmp_path: Path) -> None:
    other = Elsewhere(tmp_path)
    for size in (4, 5):
        found = accepted(f"network n {{ input x: [{size}, 6, 6]; conv(3, 3) -> relu }}")
        assert found is not None
        other.add(found, archdsl.compile(found.graph))
    source = tmp_path / "case1.py"
    source.write_text(source.read_text("utf-8").replace("ReLU", "GELU"))
    with pytest.raises(AssertionError, match=r"case1.*\n(.*\n)*.*input x: \[5, 6, 6\]"):
        other.run()
