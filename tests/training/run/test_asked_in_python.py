"""``archdsl.fit``: what is refused before it begins, and where the files of a recipe lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import archdsl
from archdsl.diagnostics import ArchError

NETWORK = """\
network table {{
    input x: [4]

    linear(8) -> relu
    linear(3)
}}

train for table {{
    {settings}
    epochs: 1
}}
"""


def written(folder: Path, settings: str) -> Path:
    folder.mkdir(exist_ok=True)
    place = folder / "table.arch"
    place.write_text(NETWORK.format(settings=settings), encoding="utf-8")
    return place


def table(place: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(place, x=draw.normal(size=(40, 4)), y=draw.integers(0, 3, size=40))


def test_what_is_wrong_with_a_block_is_said(tmp_path: Path) -> None:
    model = archdsl.compile(written(tmp_path, "loss: cross_entropi"))
    with pytest.raises(ArchError, match="cross_entropi") as refused:
        archdsl.fit(model, "iris")
    assert "no-recipe" not in str(refused.value)


def test_files_of_the_recipe_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = 'loss: cross_entropy\n    data: npz("table.npz")'
    place = written(tmp_path / "there", settings)
    table(tmp_path / "there" / "table.npz")
    monkeypatch.chdir(tmp_path)
    archdsl.fit(archdsl.compile(place), progress=False)
    with pytest.raises(ArchError, match=r"table\.npz"):  # what is given lies where Python stands
        archdsl.fit(archdsl.compile(place), 'npz("table.npz")', progress=False)


@pytest.mark.parametrize("asked", ["resume", "overwrite"])
def test_a_folder_is_needed_to_go_on_or_to_write_over(tmp_path: Path, asked: str) -> None:
    model = archdsl.compile(written(tmp_path, "loss: cross_entropy"))
    with pytest.raises(ArchError, match=f"{asked} needs the folder of a run"):
        archdsl.fit(model, "iris", progress=False, **{asked: True})  # type: ignore[arg-type]  # one of two flags


def test_a_run_is_not_resumed_and_written_over(tmp_path: Path) -> None:
    model = archdsl.compile(written(tmp_path, "loss: cross_entropy"))
    with pytest.raises(ArchError, match="not both"):
        archdsl.fit(model, "iris", folder=tmp_path / "run", resume=True, overwrite=True)
    assert not (tmp_path / "run").exists()
