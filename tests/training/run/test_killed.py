"""Killed at any moment, a run goes on from its last checkpoint as if nothing had happened."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch


def rows(folder: Path) -> int:
    place = folder / "metrics.csv"
    return len(place.read_text().splitlines()) - 1 if place.exists() else 0


def half_written(folder: Path) -> bool:
    unfinished = list((folder / "checkpoints").glob(".last.ckpt*.tmp"))
    return any(one.read_bytes().startswith(b"PK half") for one in unfinished)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other) and one.dtype == other.dtype
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def state(folder: Path, name: str = "last") -> Any:
    return torch.load(folder / "checkpoints" / f"{name}.ckpt", weights_only=True)


def assert_equal_runs(one: Path, other: Path) -> None:
    for name in ("last", "best"):
        first, second = state(one, name), state(other, name)
        for part in ("state_dict", "optimizer_states", "lr_schedulers", "callbacks", "epoch"):
            assert same(first[part], second[part]), (name, part)
    assert (one / "metrics.csv").read_bytes() == (other / "metrics.csv").read_bytes()
    left = [place.name for place in (other / "checkpoints").iterdir()]
    assert sorted(left) == ["best.ckpt", "last.ckpt"]


@pytest.fixture(scope="session", params=["plateau", "step"])
def uninterrupted(
    request: pytest.FixtureRequest, server: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("whole") / request.param
    child = server.start(folder, schedule=request.param)
    assert child.wait() == 0, child.log.read_text()
    return request.param, folder


def test_the_learning_rate_of_the_toy_changes(uninterrupted: tuple[str, Path]) -> None:
    # else the tests below could not tell whether a schedule was brought back
    lines = (uninterrupted[1] / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("lr")
    rates = [line.split(",")[column] for line in lines[1:]]
    assert len(set(rates[3:])) > 1, rates


def test_two_runs_are_the_same_to_the_bit(
    uninterrupted: tuple[str, Path], server: Any, tmp_path: Path
) -> None:
    schedule, whole = uninterrupted
    assert server.start(tmp_path / "again", schedule=schedule).wait() == 0
    assert_equal_runs(whole, tmp_path / "again")


@pytest.mark.parametrize(
    ("arguments", "ready"),
    [
        pytest.param(
            {"pace": 0.02},
            lambda f: (f / "settings.json").exists(),
            id="before the first checkpoint",
        ),
        pytest.param({"pace": 0.02}, lambda f: rows(f) == 2, id="during a step of epoch 3"),
        pytest.param({"pace": 0.02}, lambda f: rows(f) == 5, id="during a step of epoch 6"),
        pytest.param({"slow": 0.3}, half_written, id="the first checkpoint half written"),
        pytest.param(
            {"slow": 0.3}, lambda f: rows(f) == 3 and half_written(f), id="a later one half written"
        ),
        pytest.param({}, lambda f: rows(f) == 1, id="between epochs 1 and 2"),
        pytest.param({}, lambda f: rows(f) == 4, id="between epochs 4 and 5"),
    ],
)
def test_a_killed_run_is_resumed_to_the_bit(
    uninterrupted: tuple[str, Path],
    server: Any,
    tmp_path: Path,
    arguments: dict[str, float],
    ready: Callable[[Path], bool],
) -> None:
    schedule, whole = uninterrupted
    folder = tmp_path / "killed"
    child = server.start(folder, schedule=schedule, **arguments)
    assert child.kill_when(signal.SIGKILL, lambda: ready(folder)) == -signal.SIGKILL
    held = folder / "checkpoints" / "last.ckpt"
    assert not held.exists() or state(folder)["epoch"] < 6  # whole, and of an earlier epoch
    resumed = server.start(folder, schedule=schedule, resume=True)
    assert resumed.wait() == 0, resumed.log.read_text()
    assert_equal_runs(whole, folder)


def test_killed_again_and_again(
    uninterrupted: tuple[str, Path], server: Any, tmp_path: Path
) -> None:
    schedule, whole = uninterrupted
    folder = tmp_path / "killed"
    for epoch in (1, 2, 4):
        child = server.start(folder, schedule=schedule, resume=epoch > 1, pace=0.01)
        assert child.kill_when(signal.SIGKILL, lambda at=epoch: rows(folder) == at) < 0
    assert server.start(folder, schedule=schedule, resume=True).wait() == 0
    assert_equal_runs(whole, folder)


def test_a_run_that_had_stopped_early_does_not_go_on(server: Any, tmp_path: Path) -> None:
    stopped = tmp_path / "stopped"
    child = server.start(stopped, patience=1, epochs=40, schedule="none")
    assert child.wait() == 0, child.log.read_text()
    before = (stopped / "metrics.csv").read_bytes(), state(stopped)
    assert 1 < rows(stopped) < 40
    child = server.start(stopped, patience=1, epochs=40, schedule="none", resume=True)
    assert child.wait() == 0, child.log.read_text()
    assert (stopped / "metrics.csv").read_bytes() == before[0]
    assert same(state(stopped)["state_dict"], before[1]["state_dict"])
