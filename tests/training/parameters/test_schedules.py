"""Schedules: the learning rate at every epoch, or step, against the closed form."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch

from archdsl.backends.torch_training.source import generate_training
from tests.training.harness import module_of, read, recipe_of
from tests.training.parameters.running import Watch, rate, regression, run, spec

LR = 0.3
EPOCHS = 12
STEPS = 3


def rates(schedule: str, *, at: str = "epoch", optimizer: str = "sgd(lr = 0.3)") -> list[float]:
    """The rate of a short run; a warning of torch or Lightning fails the test."""
    text = spec(f"optimizer: {optimizer}\nschedule: {schedule}\nepochs: {EPOCHS}")
    module, recipe = module_of(text)
    watch = Watch(rate, at)
    run(module, recipe, regression(STEPS), callbacks=[watch])
    found: list[float] = watch.notes
    return found


def half_wave(share: float) -> float:
    return 0.5 * (1 + math.cos(math.pi * share))


def _warm(epochs: int, rest: Callable[[int], float]) -> Callable[[int], float]:
    return lambda e: (e + 1) / (epochs + 1) if e < epochs else rest(e - epochs)


BY_EPOCH: dict[str, Callable[[int], float]] = {
    "constant": lambda e: 1.0,
    "constant(0.06)": lambda e: 0.2,
    "step(4, gamma = 0.5)": lambda e: 0.5 ** (e // 4),
    "step(4, gamma = 0.5, warmup = 2)": _warm(2, lambda e: 0.5 ** (e // 4)),
    "multi_step([3, 7, 8])": lambda e: 0.1 ** sum(e >= at for at in (3, 7, 8)),
    "multi_step([7], gamma = 0.2, warmup = 2)": lambda e: (e + 1) / 3 if e < 2 else 0.2 ** (e >= 7),
    "exponential(0.9)": lambda e: 0.9**e,
    "exponential(0.9, warmup = 3)": _warm(3, lambda e: 0.9**e),
    "linear": lambda e: 1 - e / 12,
    "linear(to = 0.1)": lambda e: 1 - 0.9 * e / 12,
    "linear(to = 0.1, warmup = 2)": _warm(2, lambda e: 1 - 0.9 * e / 10),
    "cosine": lambda e: half_wave(e / 12),
    "cosine(lowest = 0.03)": lambda e: 0.1 + 0.9 * half_wave(e / 12),
    "cosine(warmup = 2)": _warm(2, lambda e: half_wave(e / 10)),
    "cosine(warmup = 2, lowest = 0.03)": _warm(2, lambda e: 0.1 + 0.9 * half_wave(e / 10)),
    "cosine(cycles = 3)": lambda e: half_wave(e % 4 / 4),
    "cosine(cycles = 5, warmup = 2)": _warm(2, lambda e: half_wave(e % 2 / 2)),
    "cosine then constant(0.06) at epoch 8": lambda e: half_wave(e / 8) if e < 8 else 0.2,
    "constant then linear at epoch 4": lambda e: 1.0 if e < 4 else 1 - (e - 4) / 8,
    "constant(0.06) then exponential(0.5, warmup = 1) at epoch 3 then constant at epoch 6": (
        lambda e: 0.2 if e < 3 else 0.5 if e == 3 else 0.5 ** (e - 4) if e < 6 else 1.0
    ),
    "step(2) then multi_step([8]) at epoch 5": (
        lambda e: 0.1 ** (e // 2) if e < 5 else 0.1 ** (e >= 8)
    ),
}


@pytest.mark.parametrize("schedule", BY_EPOCH)
def test_rate_at_every_epoch(schedule: str) -> None:
    expected = [LR * BY_EPOCH[schedule](e) for e in range(EPOCHS)]
    assert rates(schedule) == pytest.approx(expected, abs=1e-12)


def one_cycle(
    t: int, total: int, rise: float = 0.3, start: float = 25.0, end: float = 1e4, *, line: bool
) -> float:
    top = rise * total - 1
    first, last, share = (
        (1 / start, 1.0, t / top)
        if t <= top
        else (1.0, 1 / start / end, (t - top) / (total - 1 - top))
    )
    return first + (last - first) * share if line else last + (first - last) * half_wave(share)


TOTAL = EPOCHS * STEPS
BY_STEP: dict[str, Callable[[int], float]] = {
    "one_cycle": lambda t: one_cycle(t, TOTAL, line=False),
    "one_cycle(0.4, linear, start = 10, end = 100)": lambda t: one_cycle(
        t, TOTAL, 0.4, 10.0, 100.0, line=True
    ),
    "constant(0.06) then one_cycle at epoch 4": lambda t: (
        0.2 if t < 12 else one_cycle(t - 12, 24, line=False)
    ),
    "one_cycle(shape = linear) then constant(0.003) at epoch 9": lambda t: (
        one_cycle(t, 27, line=True) if t < 27 else 0.01
    ),
    "cosine(warmup = 0.5)": lambda t: (
        (t + 1) / 3 if t < 2 else half_wave((t - 2) / 34)  # half an epoch is 1.5 steps: 2
    ),
    "step(2, warmup = 0.5) then exponential(0.5) at epoch 5 then multi_step([9]) at epoch 8": (
        lambda t: (
            (t + 1) / 3
            if t < 2
            else 0.1 ** ((t - 2) // 6)
            if t < 15
            else 0.5 ** ((t - 15) / 3)
            if t < 24
            else 0.1 ** (t >= 27)
        )
    ),
}


@pytest.mark.parametrize("schedule", BY_STEP)
def test_rate_at_every_step(schedule: str) -> None:
    expected = [LR * BY_STEP[schedule](t) for t in range(TOTAL)]
    assert rates(schedule, at="step") == pytest.approx(expected, abs=1e-12)


OVER_THE_RUN = [s for s in (*BY_EPOCH, *BY_STEP) if re.search("linear|cosine|one_cycle", s)]


def lengthened(schedule: str, epochs: int, made_for: int = 9) -> list[float]:
    """The rate at every step of a run of another length than the recipe's."""
    text = spec(f"optimizer: sgd(lr = {LR})\nschedule: {schedule}\nepochs: {made_for}")
    module, recipe = module_of(text)
    watch = Watch(rate, "step")
    run(module, recipe, regression(STEPS), callbacks=[watch], epochs=epochs)
    return watch.notes


@pytest.mark.parametrize("schedule", [s for s in OVER_THE_RUN if "epoch 9" not in s])
def test_the_length_is_that_of_the_run_and_not_the_recipes(schedule: str) -> None:
    assert lengthened(schedule, EPOCHS) == pytest.approx(rates(schedule, at="step"), abs=1e-12)


@pytest.mark.parametrize(
    "schedule",
    [
        "one_cycle",
        "cosine(warmup = 3)",
        "cosine(warmup = 0.5)",
        "linear(warmup = 2)",
        "cosine(cycles = 3, warmup = 2)",
        "constant then one_cycle at epoch 2",
    ],
)
@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_run_may_be_shorter_than_what_comes_first(schedule: str, epochs: int) -> None:
    assert len(lengthened(schedule, epochs)) == epochs * STEPS


@pytest.mark.parametrize("schedule", [*BY_EPOCH, *BY_STEP, "plateau"])
def test_who_asks_for_the_length_says_so(schedule: str) -> None:
    """What is resumed goes by it: a run that becomes longer would have had other rates."""
    recipe = recipe_of(spec(f"optimizer: sgd(lr = {LR})\nschedule: {schedule}\nepochs: {EPOCHS}"))
    asks = "epochs = self.trainer.max_epochs" in generate_training(recipe, "Net").body
    assert recipe.schedule[-1].value.over_the_run == asks


def test_one_cycle_moves_momentum_only_where_asked() -> None:
    def momentum(module: object) -> float:
        return float(module.trainer.optimizers[0].param_groups[0]["momentum"])  # type: ignore[attr-defined]  # a LightningModule

    found = []
    for asked in ("one_cycle", "one_cycle(cycle_momentum = true)"):
        text = spec(f"optimizer: sgd(momentum = 0.5)\nschedule: {asked}\nepochs: 4")
        module, recipe = module_of(text)
        watch = Watch(momentum, "step")
        run(module, recipe, regression(STEPS), callbacks=[watch])
        found.append(watch.notes)
    assert set(found[0]) == {0.5}
    assert found[1][0] == pytest.approx(0.95)
    assert min(found[1]) < 0.9


def test_parts_keep_their_factor() -> None:
    settings = "optimizer: sgd(lr = 0.3)\nlayer_lr: { fc: 0.1 }\nepochs: 4\nschedule: "
    for schedule in ("cosine(lowest = 0.03)", "one_cycle", "cosine then constant(0.2) at epoch 2"):
        module, recipe = module_of(spec(settings + schedule))
        watch = Watch(lambda m: [g["lr"] for g in m.trainer.optimizers[0].param_groups], at="step")
        run(module, recipe, regression(STEPS), callbacks=[watch])
        slow, fast = zip(*watch.notes, strict=True)
        assert len(set(fast)) > 1
        assert slow == pytest.approx([0.1 * rate for rate in fast])


def test_plateau_follows_what_is_watched() -> None:
    # A rate of almost nothing: the loss cannot better by a ten-thousandth, and every epoch counts.
    found = rates("plateau(patience = 1, gamma = 0.5)", optimizer="sgd(lr = 1e-6)")
    assert found == pytest.approx([1e-6 * 0.5 ** (max(e - 1, 0) // 2) for e in range(EPOCHS)])


def test_plateau_of_an_accuracy_waits_for_more() -> None:
    text = """
    network net { input x: [3]; linear(2) }
    train for net { loss: cross_entropy; schedule: plateau; monitor: val_accuracy }
    """
    module, _ = module_of(text)
    made: Any = module.configure_optimizers()
    assert made["lr_scheduler"]["scheduler"].mode == "max"
    assert made["lr_scheduler"]["monitor"] == "val_accuracy"


def test_plateau_may_watch_a_term_with_quotes_in_its_name() -> None:
    watched = r'monitor: "train_l2(\"*.bias\")"'
    module, _ = module_of(spec(f'loss: mse + 0.1 * l2("*.bias")\nschedule: plateau\n{watched}'))
    made: Any = module.configure_optimizers()
    assert made["lr_scheduler"]["monitor"] == 'train_l2("*.bias")'


def test_a_resumed_schedule_goes_on(tmp_path: object) -> None:
    text = spec(f"schedule: cosine(warmup = 2) then constant(1e-3) at epoch 8\nepochs: {EPOCHS}")
    whole, parts = Watch(rate), Watch(rate)
    module, recipe = module_of(text)
    run(module, recipe, regression(STEPS), callbacks=[whole])
    module, recipe = module_of(text)
    trainer = run(module, recipe, regression(STEPS), callbacks=[parts], epochs=5)
    place = f"{tmp_path}/last.ckpt"
    trainer.save_checkpoint(place)
    torch.load(place, weights_only=True)  # nothing that is no plain value
    module, recipe = module_of(text)
    run(module, recipe, regression(STEPS), callbacks=[parts], checkpoint=place)
    assert parts.notes == whole.notes


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("schedule: plateau then constant at epoch 3", "stands alone"),
        ("schedule: cosine(warmup = 10)\nepochs: 10", "warm-up"),
        ("schedule: cosine(warmup = 3) then constant at epoch 2", "warm-up"),
        ("schedule: constant then multi_step([3, 7]) at epoch 5", "lists epoch 3"),
        ("schedule: one_cycle(cycle_momentum = true)\noptimizer: adagrad", "no momentum"),
        ("schedule: one_cycle(cycle_momentum = true) then constant at epoch 2", "whole schedule"),
    ],
)
def test_schedules_that_cannot_be(settings: str, words: str) -> None:
    recipe, (found,) = read(spec(settings))
    assert recipe is None
    assert found.code == "bad-setting"
    assert words in found.message
    assert found.span is not None
    assert "schedule" in found.span.text
