"""``check`` tells of train blocks too, once each; a network compiles all the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import archdsl
from archdsl.cli import cli

TWO = """
network small {
    input x: [4]

    linear(3)
}

network large {
    input x: [4]

    linear(8) -> relu -> linear(3)
}
"""


def run(tmp_path: Path, text: str) -> tuple[int, str]:
    path = tmp_path / "two.arch"
    path.write_text(TWO + text, encoding="utf-8")
    result = CliRunner().invoke(cli, ["check", str(path)])
    return result.exit_code, result.output


def test_a_mistake_of_a_block_for_every_network_is_told_once(tmp_path: Path) -> None:
    code, said = run(tmp_path, "train { loss: cross_entropy\nepochs: 0 }")
    assert code == 1
    assert said.count("error[bad-setting]") == 1
    assert "as the training of small" in said


def test_blocks_of_their_own_are_each_told_of(tmp_path: Path) -> None:
    text = "train for small { loss: bce(one_hot = 1) }\ntrain for large { loss: hing }"
    code, said = run(tmp_path, text)
    assert code == 1
    assert "must be true or false" in said
    assert "did you mean hinge?" in said
    assert "as the training of" not in said


def test_every_block_of_a_network_is_read(tmp_path: Path) -> None:
    text = "train for small { loss: mse }\ntrain short for small { loss: mse; epochs: none }"
    code, said = run(tmp_path, text)
    assert code == 1
    assert "at least 1 is needed, not none" in said


def test_sound_blocks_say_nothing(tmp_path: Path) -> None:
    code, said = run(tmp_path, "train { loss: cross_entropy }")
    assert code == 0
    assert "2 networks, no errors" in said


ONE = "network small(classes = 1) {\ninput x: [4]\nlinear(classes)\n}\n"


def test_the_report_holds_it_and_the_network_compiles_all_the_same() -> None:
    specification = archdsl.loads(f"{ONE}train {{ loss: softmax }}")
    report = archdsl.check(specification)
    assert [d.code for d in report.diagnostics] == ["unknown-technique"]
    assert not report.ok
    assert archdsl.compile(specification).recipe is None


def test_a_block_is_read_at_the_networks_parameters() -> None:
    specification = archdsl.loads(f"{ONE}train {{ loss: cross_entropy }}")
    wrong = archdsl.check(specification)
    assert [d.code for d in wrong.diagnostics] == ["loss-mismatch"]
    assert archdsl.check(specification, classes=3).ok


@pytest.mark.parametrize("name", ["val_accuracy", "lr", "train_loss"])
def test_what_is_logged_can_be_watched(name: str) -> None:
    text = f"{ONE}train {{ loss: cross_entropy\nmonitor: {name} }}"
    assert archdsl.check(archdsl.loads(text), classes=3).ok
