"""The generated training: golden files to read, and that they are formatter-clean scripts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import archdsl
from archdsl.backends.torch_source import generate
from archdsl.backends.torch_training.script import generate_script
from archdsl.specification import loads

ROOT = Path(__file__).resolve().parents[2]

MLP = """
network mlp {
    input x: [4]

    linear(8) -> relu
    features: { linear(8) -> relu }
    linear(3)
}
"""

WRITTEN = {
    "least": "loss: cross_entropy",
    "everything": """
    loss: cross_entropy(label_smoothing = 0.1) + 1e-4 * l2(weights) + 1e-5 * l1(features)
    optimizer: adamw(lr = 1e-2, weight_decay = 0.1, no_decay = (biases, norms))
    layer_lr: { features: 0.1 }
    schedule: cosine(warmup = 2) then constant(1e-4) at epoch 8
    epochs: 10
    batch_size: 16
    clip: norm(1.0)
    constraint: max_norm(3)
    initialize: he(linear) -> zeros(biases)
    freeze: features then none at epoch 2
    early_stopping: 3
    metrics: [accuracy, f1]
    """,
    "one_cycle": "loss: focal\noptimizer: sgd(lr = 0.1)\nschedule: one_cycle\nepochs: 3",
    "plateau": "loss: cross_entropy\noptimizer: adam\nschedule: plateau(patience = 2)",
}

NETWORKS = {
    "wide_and_deep": "specs/wide_and_deep.arch:wide_and_deep",
    "variational_autoencoder": "specs/autoencoder.arch:variational_autoencoder",
    "digits": "examples/digits.arch:digits",
    "unet": "specs/unet.arch:unet",
}


def script_of(name: str) -> str:
    """The script of an example above, or of a network that comes with the package."""
    if name in NETWORKS:
        file, _, network = NETWORKS[name].partition(":")
        specification = archdsl.load(ROOT / file)
    else:
        network = "mlp"
        specification = loads(f"{MLP}\ntrain for mlp {{\n{WRITTEN[name]}\n}}\n")
    graph = specification.graph(network)
    recipe, found = specification.recipe(graph)
    assert recipe is not None, "\n".join(map(str, found))
    return generate_script(recipe, generate(graph))


EVERY = [*WRITTEN, *NETWORKS]


@pytest.mark.parametrize("name", EVERY)
def test_the_script_reads_as_before(name: str, golden: Callable[..., None]) -> None:
    golden(script_of(name), suffix=".py")


def test_every_script_is_formatter_clean(tmp_path: Path) -> None:
    for name in EVERY:
        (tmp_path / f"{name}.py").write_text(script_of(name), encoding="utf-8")
    for command in (["format", "--check"], ["check", "--select", "E9,F,I,UP,B"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_script_trains_as_a_run_in_process_does(tmp_path: Path) -> None:
    """One whole batch an epoch, so that no order of samples stands between the two."""
    block = "loss: cross_entropy + 1e-3 * l2(weights)\noptimizer: sgd(lr = 0.5)\nepochs: 5"
    text = f"{MLP}\ntrain for mlp {{\n{block}\nbatch_size: 64\nschedule: step(2)\n}}\n"
    specification = loads(text)
    graph = specification.graph()
    recipe, _ = specification.recipe(graph)
    assert recipe is not None
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 4, generator=generator)
    y = x[:, :3].argmax(1)
    np.savez(tmp_path / "data.npz", x_train=x.numpy(), target_train=y.numpy())
    script = tmp_path / "train_mlp.py"
    script.write_text(generate_script(recipe, generate(graph)), encoding="utf-8")
    subprocess.run([sys.executable, script, "data.npz"], cwd=tmp_path, check=True)
    trained = torch.load(tmp_path / "weights.pt", weights_only=True)

    torch.manual_seed(0)
    model = archdsl.compile(specification)
    both = torch.utils.data.TensorDataset(x, y)
    archdsl.fit(model, (both, both), recipe=recipe, progress=False)
    for name, value in model.state_dict().items():
        torch.testing.assert_close(trained[name], value, rtol=1e-4, atol=1e-5)
        assert not torch.equal(value, torch.zeros_like(value))


def script_for(block: str) -> str:
    specification = loads(f"{MLP}\ntrain for mlp {{\n{block}\n}}\n")
    graph = specification.graph()
    recipe, found = specification.recipe(graph)
    assert recipe is not None, "\n".join(map(str, found))
    return generate_script(recipe, generate(graph))


OVERFITS = """
loss: cross_entropy
optimizer: adam(0.1)
epochs: 40
batch_size: 64
reparametrize: product(features)
"""


@pytest.mark.parametrize(
    "best",
    [
        "early_stopping: patience(4, min_delta = 0.01)",
        "monitor: val_loss",
        "early_stopping: patience(6, monitor = val_accuracy)",
    ],
)
def test_the_script_gives_the_weights_of_its_best_epoch(tmp_path: Path, best: str) -> None:
    """As a run in process does, which stops at the same epoch."""
    block = f"{OVERFITS}{best}"
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, 4, generator=generator)
    y = torch.randint(3, (32,), generator=generator)
    seen, other = slice(16), slice(16, 32)
    np.savez(
        tmp_path / "data.npz",
        x_train=x[seen].numpy(),
        target_train=y[seen].numpy(),
        x_val=x[other].numpy(),
        target_val=y[other].numpy(),
    )
    script = tmp_path / "train_mlp.py"
    script.write_text(script_for(block), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, "data.npz"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    trained = torch.load(tmp_path / "weights.pt", weights_only=True)

    torch.manual_seed(0)
    specification = loads(f"{MLP}\ntrain for mlp {{\n{block}\n}}\n")
    model = archdsl.compile(specification)
    parts = [torch.utils.data.TensorDataset(x[p], y[p]) for p in (seen, other)]
    outcome = archdsl.fit(model, (parts[0], parts[1]), progress=False)
    name = "val_accuracy" if "accuracy" in best else "val_loss"
    values = [row[name] for row in outcome.rows]
    best_value = max(values) if "accuracy" in best else min(values)
    assert values.index(best_value) < len(values) - 1, "the last epoch is not the best"
    for key, value in model.state_dict().items():
        torch.testing.assert_close(trained[key], value, rtol=1e-3, atol=1e-4)


def test_the_script_says_what_is_left_out_of_it() -> None:
    plain = script_for("loss: cross_entropy")
    assert "Not in this script" not in plain
    assert "BestWeights" not in plain
    text = script_for(
        "loss: cross_entropy\nsplit: (0.5, 0.25, 0.25)\nnormalize: standard\n"
        'data: csv("table.csv", target = "kind")\nfolds: 5'
    )
    comment = " ".join(line[2:] for line in text.split("\n") if line.startswith("# "))
    for words in ("split: (0.5, 0.25, 0.25)", "data: csv(", "normalize: ", "folds: 5"):
        assert words in comment
    text = script_for(
        "loss: cross_entropy\nmetrics: f1\nmonitor: val_f1\nearly_stopping: patience(3, 0.5)"
    )
    assert 'EarlyStopping("val_f1", patience=3, min_delta=0.5, mode="max")' in text
    assert 'BestWeights(monitor="val_f1", mode="max", save_on_train_epoch_end=True)' in text
