"""The digits that the README trains, and LeNet-5 on the same, for a few epochs."""

from __future__ import annotations

import re

from tests.training.experiments.trials import ROOT, trained


def test_a_few_epochs_learn_digits() -> None:
    outcome = trained("examples/digits.arch", epochs=6)
    assert outcome.test["accuracy"] >= 0.97
    losses = [row["train_loss"] for row in outcome.rows]
    assert losses[-1] < losses[0] / 4


def test_lenet5_learns_digits_of_32_by_32() -> None:
    outcome = trained("specs/lenet.arch:lenet5", epochs=8)
    assert outcome.test["accuracy"] >= 0.9


def test_the_guide_shows_the_example_as_it_is() -> None:
    guide = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    shown = re.search(r"^# digits\.arch\n(.*?)^```$", guide, flags=re.MULTILINE | re.DOTALL)
    assert shown is not None
    example = (ROOT / "examples" / "digits.arch").read_text(encoding="utf-8")
    _, _, body = example.partition("\n\n")
    assert shown[1] == body
