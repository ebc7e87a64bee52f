"""What a recipe itself says: what its fields may hold, what best is, what no loss reaches."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from archdsl.diagnostics import ArchError
from archdsl.recipes import Recipe
from archdsl.recipes.showing import settings_of
from archdsl.techniques.schedules import Cosine
from archdsl.training.fit import Machine, run_settings
from archdsl.training.stopping import BestWeights, stopping_callbacks
from archdsl.training.trainer import make_trainer
from tests.training.harness import read, recipe_of

CLASSES = "network n { input x: [4]; linear(3) }\n"


def recipe(settings: str = "") -> Recipe:
    return recipe_of(f"{CLASSES}train {{ loss: cross_entropy\n{settings}\n}}")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("schedule", 1),
        ("schedule", Cosine()),
        ("schedule", (Cosine(),)),
        ("ensemble", 3),
        ("clip", 1.0),
        ("early_stopping", 5),
        ("average", 0.9),
        ("loss", "mse"),
        ("metrics", ["accuracy"]),
        ("optimizer", None),
        ("layer_lr", {"fc": 0.1}),
        ("freeze", "fc"),
        ("dropout", False),
        ("augment", "noise"),
        ("precision", 16),
        ("precision", "8"),
        ("seed", -1),
        ("epochs", True),
        ("split", (0.5, 0.6, 0.2)),
        ("split", 0.8),
        ("normalize", None),
        ("folds", 1),
        ("workers", -2),
        ("strict", "no"),
        ("monitor", 3),
        ("weights", 3),
        ("data", "digits"),
    ],
)
def test_a_field_refuses_what_it_cannot_hold(field: str, value: Any) -> None:
    with pytest.raises(ArchError) as refused:
        recipe().replace(**{field: value})
    (found,) = refused.value.diagnostics
    assert found.code == "bad-setting"
    assert found.message.startswith(f"{field} of a recipe is ")


def test_a_field_takes_what_a_block_gave_it() -> None:
    whole = recipe(
        "schedule: cosine then constant at epoch 2\nclip: norm(1)\nearly_stopping: 3\nfolds: 2\n"
        "freeze: biases then none at epoch 1\nlayer_lr: { weights: 0.1 }\nmonitor: lr\n"
        "split: (1, 0, 0)\naverage: ema\ninitialize: he -> zeros(biases)\nconstraint: max_norm(1)"
    )
    for field in fields(Recipe):
        value = getattr(whole, field.name)
        assert getattr(recipe().replace(**{field.name: value}), field.name) == value


# What best is -----------------------------------------------------------------------------


def test_the_best_weights_come_back_where_a_block_names_the_usual_number() -> None:
    assert stopping_callbacks(recipe()) == []
    for name in ("val_loss", "val_accuracy", "train_loss"):
        (kept,) = stopping_callbacks(recipe(f"monitor: {name}"))
        assert isinstance(kept, BestWeights)
        assert kept.monitor == name
    assert settings_of(recipe())["monitor"] is None
    assert recipe("monitor: none").monitor is None


@pytest.mark.parametrize(
    ("settings", "watched", "judged", "better"),
    [
        ("", "val_loss", "val_loss", "min"),
        ("monitor: val_accuracy", "val_accuracy", "val_accuracy", "max"),
        ("early_stopping: patience(3, monitor = val_accuracy)", "val_loss", "val_accuracy", "max"),
        (
            "monitor: val_accuracy\nearly_stopping: patience(3, monitor = train_loss)",
            "val_accuracy",
            "train_loss",
            "min",
        ),
    ],
)
def test_patience_may_watch_something_of_its_own(
    settings: str, watched: str, judged: str, better: str
) -> None:
    found = recipe(settings)
    assert found.watched == watched
    assert found.judged_by == judged
    assert found.better(judged) == better


# Outputs without a loss -------------------------------------------------------------------

TWO = """
network n {
    input x: [4]
    linear(8) -> relu as h
    h -> linear(3) as kind
    h -> linear(2) as other
    output kind, other
}
"""


def strategy(found: Recipe, devices: int) -> str:
    trainer = make_trainer(run_settings(found, Machine(devices=devices, accelerator="cpu")))
    kind = type(trainer.strategy).__name__
    unused = getattr(trainer.strategy, "_ddp_kwargs", {}).get("find_unused_parameters", False)
    return f"{kind} {unused}"


def test_several_processes_wait_for_no_gradient_that_does_not_come() -> None:
    untaught, said = read(f"{TWO}train {{ loss: cross_entropy(kind) }}")
    assert [d.code for d in said] == ["output-without-loss"]
    assert untaught is not None
    assert untaught.untaught == ("other",)
    assert strategy(untaught, 2) == "DDPStrategy True"
    assert strategy(untaught, 1) == "SingleDeviceStrategy False"
    taught = recipe_of(f"{TWO}train {{ loss: cross_entropy(kind) + mse(other, wanted) }}")
    assert taught.untaught == ()
    assert strategy(taught, 2) == "DDPStrategy False"


def test_what_a_taught_output_is_made_from_is_taught() -> None:
    text = TWO.replace("output kind, other", "output kind, other, h")
    found = recipe_of(f"{text}train {{ loss: cross_entropy(kind) + mse(other, wanted) }}")
    assert found.untaught == ()
