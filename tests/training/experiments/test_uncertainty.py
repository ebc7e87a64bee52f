"""Monte-Carlo dropout on digits that are turned."""

from __future__ import annotations

from pathlib import Path

from tests.training.experiments.trials import printed


def test_what_is_turned_is_less_certain(tmp_path: Path) -> None:
    picture = tmp_path / "curves.svg"
    lines = printed("uncertainty", "--seeds", "1", "--epochs", "4", "--picture", str(picture))
    start = lines.index(["angle", "accuracy", "entropy", "information"])
    rows = {int(row[0]): [float(cell) for cell in row[1:]] for row in lines[start + 1 :]}
    assert list(rows) == list(range(0, 181, 15))
    accuracy, entropy, information = rows[0]
    turned = rows[30]  # further round it may be sure of the wrong class
    assert accuracy > 0.8
    assert turned[0] < accuracy - 0.2
    assert turned[1] > entropy
    assert turned[2] > information
    assert picture.read_text(encoding="utf-8").startswith("<?xml")
