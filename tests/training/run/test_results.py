"""What a run leaves in its folder."""

from __future__ import annotations

import csv
import io
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from archdsl.diagnostics import ArchError
from archdsl.training.curves import draw_curves, measured
from archdsl.training.results import (
    ResultsFolder,
    json_text,
    metrics_text,
    open_results,
    process_rank,
)


def read_back(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_a_fresh_folder(tmp_path: Path) -> None:
    folder = open_results(tmp_path / "a" / "b", "network n { }\n", {"lr": 0.1, "shape": (1, 8)})
    assert (folder.path / "specification.arch").read_text() == "network n { }\n"
    settings = json.loads((folder.path / "settings.json").read_text())
    assert settings == {"lr": 0.1, "shape": [1, 8]}
    names = sorted(place.name for place in folder.path.iterdir())
    assert names == ["checkpoints", "settings.json", "specification.arch"]
    assert list((folder.path / "checkpoints").iterdir()) == []


def test_another_run_is_refused_resumed_or_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    folder = open_results(tmp_path, "one", {"lr": 0.1, "epochs": 3})
    folder.write_metrics([{"epoch": 1, "train_loss": 0.5}])
    folder.last.write_bytes(b"a checkpoint")
    (folder.last.parent / ".last.ckpt.x1.tmp").write_bytes(b"half of one")

    with pytest.raises(ArchError, match=r"results-folder.* holds another run") as refused:
        open_results(tmp_path, "two", {"lr": 0.2})
    assert "--resume" in refused.value.diagnostics[0].help
    assert (tmp_path / "specification.arch").read_text() == "one"

    with pytest.raises(ArchError, match="other settings") as refused:
        open_results(tmp_path, "two", {"lr": 0.2, "epochs": 3}, resume=True)
    assert refused.value.diagnostics[0].notes == ("lr was 0.1, and is now 0.2",)

    open_results(tmp_path, "one", {"lr": 0.1, "epochs": 9}, resume=True)
    assert json.loads((tmp_path / "settings.json").read_text())["epochs"] == 9
    assert [place.name for place in folder.last.parent.iterdir()] == ["last.ckpt"]
    assert (tmp_path / "metrics.csv").exists()

    open_results(tmp_path, "two", {"lr": 0.2}, overwrite=True)
    assert (tmp_path / "specification.arch").read_text() == "two"
    assert not (tmp_path / "metrics.csv").exists()
    assert not folder.last.exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(ArchError, match="holds no run to resume"):
        open_results(tmp_path / "none", "", {}, resume=True)
    assert not (tmp_path / "none").exists()


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ArchError, match="unwritable-file"):
        open_results(tmp_path / "file" / "run", "", {})


def test_of_several_processes_the_first_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "SLURM_PROCID", "NODE_RANK", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert process_rank() == 0
    monkeypatch.setenv("LOCAL_RANK", "1")
    open_results(tmp_path / "run", "", {})
    assert not (tmp_path / "run").exists()
    monkeypatch.setenv("RANK", "0")
    assert process_rank() == 0


def test_metrics_keep_their_columns_and_every_bit() -> None:
    third = float(torch.tensor(1 / 3))
    rows = [
        {"epoch": 1, "train_loss": third, "val_loss": 1 / 3},
        {"epoch": 2, "val_loss": math.nan, "train_loss": 1e-12, "val_accuracy": 0.5},
    ]
    text = metrics_text(rows)
    assert text.splitlines()[0] == "epoch,train_loss,val_loss,val_accuracy"
    first, second = read_back(text)
    assert torch.tensor(float(first["train_loss"])) == torch.tensor(third)
    assert first["train_loss"] == "0.33333334"
    assert float(first["val_loss"]) == 1 / 3
    assert first["val_accuracy"] == ""
    assert (second["epoch"], second["val_loss"], second["val_accuracy"]) == ("2", "nan", "0.5")
    assert float(second["train_loss"]) == 1e-12


def test_json_is_json(tmp_path: Path) -> None:
    result = {"test": {"loss": torch.tensor(0.5), "f1": math.nan}, "epochs": 3, "at": tmp_path}
    found = json.loads(json_text(result), parse_constant=pytest.fail)
    assert found == {"test": {"loss": 0.5, "f1": None}, "epochs": 3, "at": str(tmp_path)}


def test_weights_with_what_belongs_to_them(tmp_path: Path) -> None:
    one, other = nn.Linear(2, 2), nn.Linear(2, 2)
    other.weight = one.weight  # tied
    network = nn.Sequential(one, other)
    folder = ResultsFolder(tmp_path)
    folder.write_weights(
        network.state_dict(), {"classes": ["cat", "dog"], "scale": {"mean": [0.5]}}
    )
    with safe_open(folder.weights, "pt") as file:
        stored = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        metadata = file.metadata()
    assert json.loads(metadata["archdsl"]) == {
        "classes": ["cat", "dog"],
        "scale": {"mean": [0.5]},
    }
    fresh = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    fresh.load_state_dict(stored)
    for name in ("0.weight", "1.weight"):
        assert torch.equal(fresh.state_dict()[name], one.weight)


# ---------------------------------------------------------------- curves

ROWS = [
    {
        "epoch": epoch,
        "train_loss": 1 / epoch,
        "train_cross_entropy": 1 / epoch,
        "val_loss": 2 / epoch,
        "val_cross_entropy": 2 / epoch,
        "val_accuracy": 1 - 1 / epoch,
        "lr": 0.1,
    }
    for epoch in range(1, 9)
]


def lines(svg: str) -> list[Any]:
    space = "{http://www.w3.org/2000/svg}"
    groups = ET.fromstring(svg).iter(f"{space}g")  # noqa: S314 - made here
    return [g for g in groups if g.get("id", "").startswith("line2d")]


def test_terms_of_the_loss_are_no_metrics() -> None:
    assert measured(ROWS) == ["accuracy"]


def test_curves_draw_what_was_measured() -> None:
    svg = draw_curves(ROWS)
    assert "<!-- loss -->" in svg
    assert "<!-- accuracy -->" in svg
    assert "cross" not in svg
    colours = [line.get("d") for group in lines(svg) for line in group if line.get("d")]
    assert len(colours) > 3
    one = draw_curves([{k: v for k, v in row.items() if k != "val_loss"} for row in ROWS], [])
    assert "<!-- training -->" in one
    assert "<!-- validation -->" not in one


def test_curves_follow_the_numbers() -> None:
    """The heights of a curve are its values, up to where the axis begins and how long it is."""
    svg = draw_curves([{"epoch": e, "train_loss": v} for e, v in enumerate((1.0, 4.0, 2.0), 1)])
    paths = [path.get("d") or "" for group in lines(svg) for path in group]
    points = [
        [float(word) for word in path.replace("M", " ").replace("L", " ").split()]
        for path in paths
        if path.count("L") == 2 and not set(path) & set("zCQ")
    ]
    # The legend's sample of the line is level.
    (curve,) = [found for found in points if len(set(found[1::2])) == 3]
    xs, ys = curve[0::2], curve[1::2]
    assert xs[1] - xs[0] == pytest.approx(xs[2] - xs[1], rel=1e-4)
    assert (ys[2] - ys[0]) / (ys[1] - ys[0]) == pytest.approx((2 - 1) / (4 - 1), rel=1e-4)
    assert ys[1] < ys[2] < ys[0]  # up is up


def test_the_same_run_draws_the_same_file(tmp_path: Path) -> None:
    folder = ResultsFolder(tmp_path)
    folder.write_curves(ROWS, ["accuracy"])
    assert (tmp_path / "curves.svg").read_text(encoding="utf-8") == draw_curves(ROWS)
    assert str(tmp_path) not in draw_curves(ROWS)


def test_curves_of_a_run_without_epochs() -> None:
    assert draw_curves([]).startswith("<?xml")


def test_curves_leave_out_what_is_not_finite() -> None:
    rows = [{"epoch": 1, "train_loss": 1.0, "val_f1": math.nan}, {"epoch": 2, "train_loss": 0.5}]
    assert "<!-- f1 -->" in draw_curves(rows)
