"""``archdsl train --resume`` with another number of epochs, and two runs in one folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from safetensors.numpy import load_file

from archdsl.cli import cli

Call = Callable[..., Result]
ROOT = Path(__file__).resolve().parents[2]

SPECIFICATION = """\
network iris {
    input x: [4]

    linear(8) -> relu -> linear(3)
}

train for iris {
    data: iris
    loss: cross_entropy
    optimizer: adam(lr = 0.01)
    epochs: 4
}
"""


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)
    Path("iris.arch").write_text(SPECIFICATION, encoding="utf-8")

    def run(*arguments: str, code: int = 0) -> Result:
        monkeypatch.delenv("ARCHDSL_RUN_FOLDER", raising=False)
        done = CliRunner().invoke(cli, ["train", "iris.arch", "-o", "run", *arguments])
        assert done.exit_code == code, done.output
        return done

    return run


def epochs(count: int, *settings: str) -> list[str]:
    return [a for s in (f"epochs={count}", *settings) for a in ("--set", s)]


def test_fewer_epochs_than_are_done_are_refused_in_our_own_words(call: Call) -> None:
    call(*epochs(3))
    before = {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()}
    done = call("--resume", *epochs(2), code=1)
    assert "error[results-folder]: the run in run has done 3 epochs, and is to have 2" in (
        done.output
    )
    assert "--set epochs=3, or more" in done.output
    assert "ckpt" not in done.output
    assert {p: p.read_bytes() for p in Path("run").rglob("*") if p.is_file()} == before
    call("--resume", *epochs(3))  # as many are no mistake


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ("schedule=cosine", "cosine is drawn out over all epochs"),
        ("schedule=one_cycle", "one_cycle is drawn out over all epochs"),
        ("schedule=linear(to = 0.1)", "linear is drawn out over all epochs"),
        ("schedule=constant then cosine at epoch 1", "cosine is drawn out over all epochs"),
        ("average=swa(start = 0.5)", "when swa is taken hangs on how many epochs there are"),
    ],
)
def test_more_epochs_are_refused_where_the_epochs_that_are_done_would_have_been_others(
    call: Call, setting: str, why: str
) -> None:
    call(*epochs(2, setting))
    done = call("--resume", *epochs(4, setting), code=1)
    assert "a run of 4 epochs is another one than that of 2 in run" in done.output
    assert why in done.output
    assert "resume it with epochs=2" in done.output
    assert json.loads(Path("run/settings.json").read_text(encoding="utf-8"))["epochs"] == 2


@pytest.mark.parametrize(
    "setting",
    [
        "schedule=step(1, gamma = 0.5)",
        "schedule=exponential(0.9)",
        "schedule=plateau",
        "schedule=cosine then constant(1e-3) at epoch 1",
        "average=ema(0.9)",
    ],
)
def test_more_epochs_go_on_where_it_is_the_same_run(call: Call, setting: str) -> None:
    call(*epochs(4, setting))
    whole = (Path("run/metrics.csv").read_bytes(), load_file("run/weights.safetensors"))
    call("--overwrite", *epochs(2, setting))
    call("--resume", *epochs(4, setting))
    parts = (Path("run/metrics.csv").read_bytes(), load_file("run/weights.safetensors"))
    assert parts[0] == whole[0]
    assert all((parts[1][name] == whole[1][name]).all() for name in whole[1])


def test_a_run_that_is_killed_is_told_from_one_at_work(call: Call) -> None:
    command = [sys.executable, "-m", "archdsl", "train", "iris.arch", "-o", "run", *epochs(100000)]
    kept = {k: v for k, v in os.environ.items() if k != "ARCHDSL_RUN_FOLDER"}
    environment = {**kept, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as at_work:
        until = time.monotonic() + 240
        while not Path("run/checkpoints/last.ckpt").exists():
            assert at_work.poll() is None
            assert time.monotonic() < until
            time.sleep(0.05)
        done = call("--resume", *epochs(100000), code=1)
        assert f"another run is at work in the folder run: process {at_work.pid}" in done.output
        call("--overwrite", *epochs(1), code=1)
        at_work.kill()
    assert Path("run/.running").exists()
    rows = len(Path("run/metrics.csv").read_text(encoding="utf-8").splitlines())
    call("--resume", *epochs(rows + 2))
    assert not Path("run/.running").exists()
    assert len(Path("run/metrics.csv").read_text(encoding="utf-8").splitlines()) == rows + 3
