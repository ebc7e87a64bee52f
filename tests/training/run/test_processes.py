"""Two processes do the same mathematics as one."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def curve(folder: Path) -> list[dict[str, float]]:
    with (folder / "metrics.csv").open() as file:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]


def test_two_processes_learn_as_one_and_stop_as_one(
    script: Callable[..., Any], server: Any, tmp_path: Path
) -> None:
    # Without what differs on purpose: dropout draws anew in each process, and batch norm sees its
    # own part of a batch.
    same = {"dropout": 0, "plain_norm": True}
    assert server.start(tmp_path / "one", **same).wait() == 0
    # In epoch 6, the second process alone meets a NaN.
    done = script(tmp_path / "two", **same, devices=2, strategy="ddp", poison=[5, 3, 1])
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert len(one) == 6
    assert len(two) == 5
    for row, other in zip(one[:5], two, strict=True):
        assert row == pytest.approx(other, rel=1e-4)
    assert done.returncode == 1
    told = "error[loss-not-finite]: the term cross_entropy of the loss is nan at epoch 6, step 4"
    lines = done.stderr.splitlines()
    assert told in lines
    assert "Traceback" not in done.stderr
    # One of them told of its epochs, and no library said a word.
    assert [line.split()[1] for line in lines if line.startswith("epoch")] == [
        f"{epoch}/6" for epoch in range(1, 6)
    ]
    ours = ("epoch ", "error[", "   = ")
    assert [line for line in lines if not line.startswith(ours)] == []
    assert done.stdout == ""
