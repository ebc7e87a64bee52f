"""``archdsl train``, ``evaluate`` and ``predict``, as a person calls them."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from archdsl.cli import cli

SPECIFICATION = """\
network iris {
    input x: [4]

    linear(16) -> relu -> dropout(0.2)
    linear(3)
}

train for iris {
    data: iris
    normalize: standard
    loss: cross_entropy
    optimizer: adam(lr = 0.01)
    epochs: 8
}

train quick for iris {
    data: iris
    loss: cross_entropy
    epochs: 1
}
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a specification, where a person stands."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ARCHDSL_RUN_FOLDER", raising=False)
    Path("iris.arch").write_text(SPECIFICATION, encoding="utf-8")
    return tmp_path


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    def run(*arguments: str, code: int = 0) -> Result:
        monkeypatch.delenv("ARCHDSL_RUN_FOLDER", raising=False)
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == code, done.output
        return done

    return run


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_run_leaves_its_folder(room: Path, call: Callable[..., Result]) -> None:
    done = call("train", "iris.arch", "-o", "run")
    run = room / "run"
    assert {p.name for p in run.iterdir()} == {
        "checkpoints",
        "curves.svg",
        "metrics.csv",
        "result.json",
        "settings.json",
        "specification.arch",
        "weights.safetensors",
    }
    assert (run / "specification.arch").read_text(encoding="utf-8") == SPECIFICATION
    result = json.loads((run / "result.json").read_text(encoding="utf-8"))
    assert result["test"]["accuracy"] >= 0.7
    assert result["epochs"] == 8
    assert [row["epoch"] for row in rows(run / "metrics.csv")] == [str(n + 1) for n in range(8)]
    settings = json.loads((run / "settings.json").read_text(encoding="utf-8"))
    assert settings["optimizer"] == "adam(lr = 0.01)"
    assert settings["split"] == [0.8, 0.1, 0.1]
    assert "test" in done.output
    assert "results in run" in done.output


def test_without_a_folder_the_next_free_one_is_taken(
    room: Path, call: Callable[..., Result]
) -> None:
    for _ in range(2):
        call("train", "iris.arch", "--set", "epochs=1", "--quiet")
    assert {p.name for p in (room / "runs").iterdir()} == {"iris", "iris-2"}


def test_a_folder_with_a_run_is_not_lost(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "-o", "run", "--set", "epochs=1")
    before = (room / "run" / "metrics.csv").read_bytes()
    done = call("train", "iris.arch", "-o", "run", code=1)
    assert "holds another run" in done.output
    assert (room / "run" / "metrics.csv").read_bytes() == before
    call("train", "iris.arch", "-o", "run", "--overwrite", "--set", "epochs=2")
    assert len(rows(room / "run" / "metrics.csv")) == 2


def test_a_longer_run_goes_on_as_if_it_had_been_longer_at_once(
    room: Path, call: Callable[..., Result]
) -> None:
    call("train", "iris.arch", "-o", "whole", "--set", "epochs=5")
    call("train", "iris.arch", "-o", "parts", "--set", "epochs=2")
    call("train", "iris.arch", "-o", "parts", "--set", "epochs=5", "--resume")
    whole, parts = ((room / run / "metrics.csv").read_bytes() for run in ("whole", "parts"))
    assert whole == parts
    weights = [_weights(room / run) for run in ("whole", "parts")]
    assert all(np.array_equal(weights[0][k], weights[1][k]) for k in weights[0])


def _weights(run: Path) -> dict[str, Any]:
    from safetensors.numpy import load_file

    return load_file(run / "weights.safetensors")


def test_two_runs_agree_to_the_bit_and_two_seeds_do_not(
    room: Path, call: Callable[..., Result]
) -> None:
    for run, seed in (("a", 1), ("b", 1), ("c", 2)):
        call("train", "iris.arch", "-o", run, "--set", "epochs=2", "--set", f"seed={seed}")
    a, b, c = ((room / run / "metrics.csv").read_text(encoding="utf-8") for run in "abc")
    assert a == b
    assert a != c
    for name in ("weights.safetensors", "result.json", "settings.json", "curves.svg"):
        assert (room / "a" / name).read_bytes() == (room / "b" / name).read_bytes()


def test_a_named_recipe_is_chosen(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "--recipe", "quick", "-o", "run")
    assert len(rows(room / "run" / "metrics.csv")) == 1
    done = call("train", "iris.arch", "--recipe", "quik", code=1)
    assert "did you mean quick?" in done.output


def test_a_setting_and_a_parameter_are_told_apart(room: Path, call: Callable[..., Result]) -> None:
    done = call("train", "iris.arch", "--set", "epoch=3", code=2)
    assert "epochs" in done.output
    done = call("train", "iris.arch", "--set", "epochs=zero", code=1)
    assert "unknown-name" in done.output
    done = call("train", "iris.arch", "--set", "optimizer=sdg(lr = 1)", code=1)
    assert "did you mean sgd?" in done.output


def test_a_mistake_is_told_before_anything_is_written(
    room: Path, call: Callable[..., Result]
) -> None:
    wrong = {
        ("--data", "digits"): 1,
        ("--data", "nothing.npz"): 2,
        ("--data", "noting"): 1,
        ("--set", "loss=mse(out)"): 1,
        ("--set", "batch_size=0"): 1,
    }
    for arguments, code in wrong.items():
        done = call("train", "iris.arch", "-o", "run", *arguments, code=code)
        assert "error[" in done.output
        assert "Traceback" not in done.output
        assert not (room / "run").exists()


def test_a_trained_network_is_measured_again(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "-o", "run")
    result = json.loads((room / "run" / "result.json").read_text(encoding="utf-8"))
    done = call("evaluate", "run")
    assert f"{result['test']['accuracy']:.4f}" in done.output
    assert f"{result['test']['loss']:.4f}" in done.output
    assert "all" in call("evaluate", "run", "--data", "iris").output


def test_a_trained_network_predicts(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "-o", "run", "--set", "epochs=20")
    call("predict", "run", "iris", "-o", "iris.csv")
    found = rows(room / "iris.csv")
    assert len(found) == 150
    from sklearn.datasets import load_iris

    data = load_iris()
    named = [data.target_names[i] for i in data.target]
    assert np.mean([row["class"] == name for row, name in zip(found, named, strict=True)]) > 0.8
    assert all(0 <= float(row["probability"]) <= 1 for row in found)
    printed = call("predict", "run", "iris", "--monte-carlo", "5").output
    assert "spread" in printed.splitlines()[0]


def test_a_folder_without_a_run_is_refused(room: Path, call: Callable[..., Result]) -> None:
    for command in (["evaluate", "nowhere"], ["predict", "nowhere", "iris"]):
        done = call(*command, code=2)
        assert "error[no-run]" in done.output
    (room / "run").mkdir()
    (room / "run" / "weights.safetensors").write_bytes(b"no weights")
    assert "Traceback" not in call("evaluate", "run", code=2).output


def test_imports_come_along(room: Path, call: Callable[..., Result]) -> None:
    Path("parts").mkdir()
    Path("parts/blocks.arch").write_text("block body(w) { linear(w) -> relu }\n", encoding="utf-8")
    text = SPECIFICATION.replace("linear(16) -> relu", "body(16)")
    Path("iris.arch").write_text(
        f'from "parts/blocks.arch" import body\n\n{text}', encoding="utf-8"
    )
    call("train", "iris.arch", "-o", "run", "--set", "epochs=1")
    Path("parts/blocks.arch").unlink()
    Path("iris.arch").unlink()
    call("evaluate", "run")


def python(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command: Sequence[str] = [sys.executable, "-m", "archdsl", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload,no-any-return]  # options of any kind


def test_two_processes_learn_what_one_does(room: Path) -> None:
    text = SPECIFICATION.replace(" -> dropout(0.2)", "")
    Path("iris.arch").write_text(text, encoding="utf-8")
    common = ["--set", "epochs=3", "--set", "batch_size=40", "--accelerator", "cpu"]
    one = python("train", "iris.arch", "-o", "one", *common)
    two = python("train", "iris.arch", "-o", "two", *common, "--devices", "2", "--strategy", "ddp")
    assert one.returncode == 0, one.stderr
    assert two.returncode == 0, two.stderr
    curves = [
        [
            [float(row[k]) for k in ("train_loss", "val_loss")]
            for row in rows(room / run / "metrics.csv")
        ]
        for run in ("one", "two")
    ]
    np.testing.assert_allclose(curves[0], curves[1], rtol=1e-4)
    assert not (room / "two-2").exists()


def test_a_log_file_is_plain_lines(room: Path) -> None:
    done = python("train", "iris.arch", "-o", "run", "--set", "epochs=2")
    assert done.returncode == 0
    lines = done.stderr.splitlines()
    assert [line.split()[:2] for line in lines] == [["epoch", "1/2"], ["epoch", "2/2"]]
    assert "\x1b" not in done.stdout + done.stderr
    assert "Warning" not in done.stdout + done.stderr


def test_what_is_missing_is_said(
    room: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = SPECIFICATION.replace("    data: iris\n", "")
    Path("bare.arch").write_text(bare, encoding="utf-8")
    assert "error[no-data]" in call("train", "bare.arch", code=1).output
    Path("none.arch").write_text(bare.partition("train")[0], encoding="utf-8")
    assert "error[no-recipe]" in call("train", "none.arch", "--data", "iris", code=2).output
    done = call("train", "none.arch", "--data", "iris", "--set", "loss=cross_entropy", "--quiet")
    assert "results in runs/iris" in done.output
    monkeypatch.setattr("archdsl.training.extras.find_spec", lambda name: None)
    done = call("train", "iris.arch", code=1)
    assert "error[no-lightning]" in done.output
    assert "pip install 'archdsl[train]'" in done.output


def test_another_network_is_not_resumed(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "-o", "run", "--set", "epochs=1")
    kept = (room / "run" / "specification.arch").read_text(encoding="utf-8")
    Path("iris.arch").write_text(SPECIFICATION.replace("relu", "tanh"), encoding="utf-8")
    done = call("train", "iris.arch", "-o", "run", "--set", "epochs=2", "--resume", code=1)
    assert "holds a run of another network" in done.output
    assert (room / "run" / "specification.arch").read_text(encoding="utf-8") == kept
    Path("iris.arch").write_text(f"# a word\n{SPECIFICATION}", encoding="utf-8")
    call("train", "iris.arch", "-o", "run", "--set", "epochs=2", "--resume")


def test_a_parameter_of_the_network_is_not_changed_in_resuming(
    room: Path, call: Callable[..., Result]
) -> None:
    text = SPECIFICATION.replace("network iris", "network iris(rate = 0.2)", 1)
    Path("iris.arch").write_text(text.replace("dropout(0.2)", "dropout(rate)"), encoding="utf-8")
    call("train", "iris.arch", "-o", "run", "--set", "epochs=1", "--set", "rate=0.5")
    again = ["train", "iris.arch", "-o", "run", "--set", "epochs=2", "--resume"]
    assert "other settings" in call(*again, code=1).output
    call(*again, "--set", "rate=0.5")


def test_weights_lie_beside_their_file_whatever_the_data(
    room: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    call("train", "iris.arch", "-o", "base", "--set", "epochs=1")
    (room / "elsewhere").mkdir()
    (room / "base" / "weights.safetensors").rename(room / "base.safetensors")
    text = SPECIFICATION.replace("epochs: 8", 'epochs: 1\n    weights: "base.safetensors"')
    Path("iris.arch").write_text(text, encoding="utf-8")
    monkeypatch.chdir(room / "elsewhere")
    done = call("train", "../iris.arch", "-o", "run", "--data", "iris")
    assert "4 of 4 tensors" in done.output
    (room / "base.safetensors").unlink()
    longer = ["--data", "iris", "--set", "epochs=2", "--resume"]
    call("train", "../iris.arch", "-o", "run", *longer)  # the checkpoint has them


def test_a_run_that_cannot_be_leaves_no_folder(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "-o", "run", "--devices", "0", code=1)
    half = ["--set", 'precision="16-mixed"', "--accelerator", "cpu"]
    done = call("train", "iris.arch", "-o", "run", *half, code=1)
    assert "error[cannot-run]" in done.output
    assert "on a CPU" in done.output
    assert not (room / "run").exists()
    (room / "run" / "checkpoints").mkdir(parents=True)  # as one that was killed before an epoch
    (room / "run" / "settings.json").write_text("{}", encoding="utf-8")
    call("train", "iris.arch", "-o", "run", "--set", "epochs=1")


def test_batch_norm_gets_no_lone_sample(room: Path, call: Callable[..., Result]) -> None:
    text = SPECIFICATION.replace("relu ->", "batch_norm -> relu ->", 1)
    Path("iris.arch").write_text(text, encoding="utf-8")
    short = ["--set", "epochs=1"]
    done = call("train", "iris.arch", "-o", "run", "--set", "batch_size=119", *short)
    assert "leaves out its last batch, of 1" in done.output
    done = call("train", "iris.arch", "-o", "one", "--set", "batch_size=1", *short, code=1)
    assert "error[bad-setting]" in done.output
    assert "needs 2 samples to be trained on, and a batch has 1" in done.output
    assert not (room / "one").exists()
    asked = ["--set", "batch_size=119", "--set", "drop_last=true"]
    assert "leaves out" not in call("train", "iris.arch", "-o", "two", *asked, *short).output


@pytest.mark.parametrize("missing", ["rich", "sklearn", "PIL", "matplotlib", "safetensors"])
@pytest.mark.parametrize("command", [["train", "iris.arch"], ["evaluate", "run"]])
def test_each_package_that_is_missing_is_said(
    missing: str,
    command: list[str],
    room: Path,
    call: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("archdsl.training.extras.find_spec", lambda name: name != missing or None)
    done = call(*command, code=1)
    assert "error[no-lightning]" in done.output
    assert {"sklearn": "scikit-learn", "PIL": "pillow"}.get(missing, missing) in done.output


def test_the_folder_is_told_to_processes_of_the_run_alone(
    room: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOCAL_RANK", "RANK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("ARCHDSL_RUN_FOLDER", "of-another")
    short = ["train", "iris.arch", "--recipe", "quick", "--quiet", "-o"]
    assert CliRunner().invoke(cli, [*short, "one"]).exit_code == 0
    assert (room / "one").exists()
    assert not (room / "of-another").exists()
    assert "ARCHDSL_RUN_FOLDER" not in os.environ


def test_what_is_asked_of_a_folder_is_one_thing(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "--recipe", "quick", "-o", "run")
    both = ["--resume", "--overwrite"]
    assert "choose one" in call("train", "iris.arch", "-o", "run", *both, code=2).output


def test_a_run_without_a_test_part_says_so(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "-o", "run", "--set", "epochs=1", "--set", "split=(0.8, 0.2, 0)")
    assert "there is no test part" in call("evaluate", "run").output


@pytest.mark.parametrize("name", ["a(1).npz", 'a "b".npz'])
def test_a_path_may_have_any_name(
    name: str, room: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    np.savez(room / name, x=draw.normal(size=(40, 4)), y=draw.integers(0, 3, size=40))
    call("train", "iris.arch", "--data", name, "--set", "epochs=1", "-o", "run")
    call("predict", "run", name, "-o", "found.csv")
    assert len(rows(room / "found.csv")) == 40


def test_a_project_may_move(
    room: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = np.random.default_rng(0)
    (room / "here").mkdir()
    monkeypatch.chdir(room / "here")
    np.savez("table.npz", x=draw.normal(size=(40, 4)), y=draw.integers(0, 3, size=40))
    text = SPECIFICATION.replace("data: iris", 'data: npz("table.npz")', 1)
    Path("iris.arch").write_text(text, encoding="utf-8")
    call("train", "iris.arch", "-o", "runs/iris", "--set", "epochs=1")
    before = call("evaluate", "runs/iris").output
    monkeypatch.chdir(room)
    (room / "here").rename(room / "there")
    assert call("evaluate", "there/runs/iris").output == before
    assert str(room).encode() not in (room / "there/runs/iris/weights.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("asked", "message", "help"),
    [
        (["--devices", "0"], "devices counts processes on a machine", "--devices 1"),
        (["--nodes", "0"], "nodes counts machines", "--nodes 1"),
        (["--accelerator", "gpu"], "accelerator gpu needs a GPU", "--accelerator cpu"),
        (["--accelerator", "mps"], "accelerator mps is the GPU of an", "--accelerator cpu"),
        (["--strategy", "fsdp"], "strategy fsdp parts a network among GPUs", "--strategy ddp"),
        (["--set", "optimizer.lr=3"], "optimizer.lr is a part", "'optimizer=sgd(lr = 3)'"),
        (["--set", "lr=3"], "there is no setting lr", "--set 'optimizer=sgd(lr = 3)'"),
        (["--set", "epoch=3"], "there is no setting epoch", "did you mean epochs?"),
        (["--weights", "."], "is a folder, and holds no finished run", "name a file of weights"),
    ],
)
def test_what_cannot_be_is_said_in_our_own_words(
    asked: list[str],
    message: str,
    help: str,
    room: Path,
    call: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    done = CliRunner().invoke(cli, ["train", "iris.arch", "-o", "run", *asked])
    assert done.exit_code in (1, 2)
    assert message in done.output
    assert help in done.output.partition("= help:")[2]
    assert "Trainer" not in done.output
    assert not (room / "run").exists()


def test_more_gpus_than_there_are_is_said(
    room: Path, call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    done = call("train", "iris.arch", "-o", "run", "--devices", "4", code=1)
    assert "this machine has 1 GPU, and devices asks for 4" in done.output


def test_weights_may_be_the_folder_of_a_run(room: Path, call: Callable[..., Result]) -> None:
    call("train", "iris.arch", "-o", "base", "--set", "epochs=1")
    done = call("train", "iris.arch", "-o", "run", "--set", "epochs=1", "--weights", "base")
    assert f"4 of 4 tensors taken from {room / 'base'}" in done.output


TEXTS = """\
network texts {
    input tokens: int[T]

    embedding(9, 4) -> position_embedding(6) -> mean(1) -> linear(3)
}

train for texts { loss: cross_entropy; epochs: 1 }
"""


def test_data_that_the_network_does_not_run_on_is_told_and_leaves_no_folder(
    room: Path, call: Callable[..., Result]
) -> None:
    Path("texts.arch").write_text(TEXTS, encoding="utf-8")
    tokens, kinds = np.arange(240).reshape(40, 6) % 9, np.arange(40) % 3
    np.savez("sound.npz", x=tokens, y=kinds)
    np.savez("long.npz", x=np.hstack([tokens, tokens]), y=kinds)
    np.savez("unknown.npz", x=tokens + 1, y=kinds)
    call("train", "texts.arch", "--data", "sound.npz", "-o", "sound", "--quiet")
    for name, message in (
        ("long.npz", 'for the network T must be at most 6, and npz("long.npz") gives T = 12'),
        ("unknown.npz", 'takes indices from 0 to 8, and npz("unknown.npz") gives 9'),
    ):
        for arguments in (
            ("train", "texts.arch", "--data", name, "-o", "run"),
            ("predict", "sound", name),
            ("evaluate", "sound", "--data", name),
        ):
            done = call(*arguments, code=1)
            assert "error[data-mismatch]" in done.output
            assert message in done.output
        assert not Path("run").exists()
