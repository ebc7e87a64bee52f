"""What layers are called elsewhere leads to what they are called here."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.elaborate import other_names
from archdsl.elaborate.other_names import help_for
from archdsl.ops import find_public


@pytest.mark.parametrize("name", [*other_names._ELSEWHERE])
def test_it_names_a_layer_and_is_none_itself(name: str) -> None:
    assert find_public(name) is None
    said = help_for(name)
    assert said.startswith("write ")
    assert find_public(said.removeprefix("write ")) is not None


@pytest.mark.parametrize("name", [*other_names._IN_STD, "separable_conv", "EncoderLayer"])
def test_a_block_of_the_library_can_be_imported_as_said(name: str) -> None:
    line = help_for(name).partition(": ")[2]
    assert line.startswith("from std import ")
    assert archdsl.loads(f"{line}\n").diagnostics == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Conv2DTranspose", ""),
        ("dropout2d", "spatial_dropout"),
        ("Dropout3d", "spatial_dropout"),
        ("UpSampling2D", "write upsample"),
        ("ConcatenAte", "write concat"),
        ("qwertz", ""),
    ],
)
def test_however_it_is_spelled(name: str, expected: str) -> None:
    assert expected in help_for(name)
    assert bool(expected) == bool(help_for(name))


def test_a_block_of_the_file_that_is_nearly_called_so_comes_first() -> None:
    text = "block gaps(n) { linear(n) }\nnetwork net { input x: [4]; gap(3) }"
    (found,) = archdsl.check(archdsl.loads(text)).diagnostics
    assert found.help == "did you mean gaps?"


@pytest.mark.parametrize(
    ("stage", "help"),
    [
        ("max(1)", "along an axis of a tensor it is amax(1)"),
        ("linear(4, 3)", "what comes in is known: linear(3)"),
        ("linear(4, 3.0)", ""),
    ],
)
def test_calls_as_torch_has_them(stage: str, help: str) -> None:
    (found,) = archdsl.check(archdsl.loads(f"network n {{ input x: [4]; {stage} }}")).diagnostics
    assert found.help == help
