"""What random specifications have found, kept: each file opens with what was wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from tests.soundness.running import accepted, allowed, hold, refused
from tests.soundness.test_random_specifications import assert_well_written

FILES = sorted(Path(__file__).with_name("regressions").glob("*.arch"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_stays_mended(path: Path) -> None:
    """``# rejected: code`` in a file says that it must be, by that diagnostic."""
    text = path.read_text(encoding="utf-8")
    wanted = [line.split(":")[1].strip() for line in text.splitlines() if "# rejected:" in line]
    found = accepted(text)
    if wanted:
        diagnostics = archdsl.check(archdsl.loads(text)).diagnostics
        codes = [d.code for d in diagnostics if d.severity == "error"]
        assert found is None
        assert codes == wanted
        return
    assert found is not None, archdsl.check(archdsl.loads(text)).diagnostics
    hold(found)
    solution = found.report.conditions
    assert solution is not None
    module = archdsl.compile(found.graph)
    for sizes in solution.near_misses(6) if solution.names else ():
        assert allowed(found, sizes) or refused(found, module, sizes)


def test_their_sources_are_well_written(tmp_path: Path) -> None:
    found = [accepted(path.read_text(encoding="utf-8")) for path in FILES]
    assert_well_written(tmp_path, {f.text: f.generated.text for f in found if f is not None})
