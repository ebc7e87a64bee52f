"""The generated source: golden files to read, and what holds of every network of the zoo."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import archdsl
from archdsl.backends.torch_source.names import part, times
from archdsl.specification import std_sources
from archdsl.syntax import ast as syntax
from archdsl.syntax.parser import parse

ROOT = Path(__file__).resolve().parents[2]
SPECS = ROOT / "specs"
READ = [
    ("resnet", "resnet18"),
    ("resnet", "resnet50"),
    ("densenet", "densenet121"),
    ("googlenet", "googlenet"),
    ("unet", "unet"),
    ("unet", "unet_same"),
    ("vit", "vit_b_16"),
    ("mobilenet", "mobilenet_v2"),
    ("gpt", "gpt"),
    ("recurrent", "lstm_written_out"),
    ("wide_and_deep", "wide_and_deep"),
    ("neural_ode", "ode_net"),
]
EVERY = [
    (path.stem, network)
    for path in sorted(SPECS.glob("*.arch"))
    for spec in [archdsl.load(path)]
    for network in spec.networks
    if not spec.needs(network)
]


@pytest.mark.parametrize(("family", "network"), READ)
def test_the_source_reads_as_before(family: str, network: str, golden: Callable[..., None]) -> None:
    golden(_of_the_zoo(family, network), suffix=".py")


@functools.cache
def _of_the_zoo(family: str, network: str) -> str:
    return archdsl.source(f"{SPECS / family}.arch:{network}")


def test_every_source_is_formatter_clean(tmp_path: Path) -> None:
    for family, network in EVERY:
        text = _of_the_zoo(family, network)
        (tmp_path / f"{family}_{network}.py").write_text(text, encoding="utf-8")
    for command in (["format", "--check"], ["check", "--select", "E9,F,I,UP,B"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--isolated", str(tmp_path)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_source_imports_torch_alone() -> None:
    for family, network in EVERY:
        tree = ast.parse(_of_the_zoo(family, network))
        roots = {
            name.split(".")[0]
            for node in ast.walk(tree)
            for name in (
                [a.name for a in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        assert roots <= {"torch", "collections", "typing", "math"}, (family, network, roots)


def _source(text: str, **parameters: Any) -> str:
    return archdsl.source(archdsl.loads(text), **parameters)


def test_instances_that_differ_in_constants_share_a_class() -> None:
    source = _source(
        """
        block unit(width, stride = 1) { conv(width, 3, stride, padding = 1) -> bn -> relu }
        network n { input x: [3, 32, 32]; unit(8) -> unit(16, stride = 2) -> unit(32) }
        """
    )
    assert source.count("class Unit") == 1
    assert "self.unit1 = Unit(3, 8)" in source
    assert "self.unit2 = Unit(8, 16, stride=2)" in source


def test_a_constant_of_a_call_follows_its_parameter() -> None:
    source = _source(
        """
        block shrink(steps) { scale(1 / steps) }
        network n { input x: [3]; shrink(4) -> shrink(8) }
        """
    )
    assert source.count("class Shrink") == 1
    assert "self.factor = 1 / steps" in source
    assert "x * self.factor" in source


def test_what_a_repeat_shares_is_a_loop() -> None:
    source = _source(
        "network n { input x: [4]; repeat 5 shared { residual { linear(4) -> tanh } } }"
    )
    assert "for _ in range(5):" in source
    assert source.count("nn.Linear") == 1


def test_members_that_count_on_are_a_loop() -> None:
    source = _source(
        """
        block part(growth) { dense { conv(growth, 3, padding = 1) } }
        network n {
            input x: [4, 8, 8]
            for i in range(5) { part{i}: part(2) }
        }
        """
    )
    assert 'self.add_module(f"part{i}", Part(4 + 2 * i, 2))' in source
    assert 'x = getattr(self, f"part{i}")(x)' in source


def test_a_residual_without_its_shortcut_is_the_same_class() -> None:
    source = _source(
        """
        block unit(width) {
            residual { conv(width, 3, padding = 1) } shortcut {
                if it.channels != width { match: conv(width, 1) }
            }
        }
        network n { input x: [3, 8, 8]; unit(8) -> unit(8) }
        """
    )
    assert source.count("class Unit") == 1
    assert "Unit(3, 8, match=True)" in source
    assert "if self.match is not None:" in source


@pytest.mark.parametrize(("family", "network"), READ)
def test_the_network_takes_its_parameters_as_the_specification_does(
    family: str, network: str
) -> None:
    target = f"{SPECS / family}.arch:{network}"
    with torch.device("meta"):
        model = archdsl.compile(target)
        signature = inspect.signature(type(model).__init__)
        numbers = {n: p.default for n, p in list(signature.parameters.items())[1:]}
        for name, value in numbers.items():
            other = value + 3 if name in ("classes", "vocabulary", "context") else 2 * value
            changed = type(model)(**{name: other})
            wanted = archdsl.compile(target, **{name: other})
            assert _shapes(changed) == _shapes(wanted), name


def _shapes(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


def test_a_number_that_the_structure_follows_is_no_parameter() -> None:
    source = _source(
        """
        network n(depth = 3, width = 8, classes = 2) {
            input x: [4]
            repeat depth { linear(width) -> relu }
            linear(classes)
        }
        """
    )
    assert "def __init__(self, width: int = 8, classes: int = 2) -> None:" in source


TIED = "linear(3) -> first: linear(2) -> linear(3) -> linear(2, tie = first.weight)"


@pytest.mark.parametrize(
    "text",
    [
        f"sequence part {{ {TIED} }}\nnetwork n {{ input x: [2]; part }}",
        f"sequence part {{ residual {{ {TIED} }} }}\nnetwork n {{ input x: [2]; part }}",
        f"network n {{ input x: [2]; part1: {{ {TIED} }} }}",
        f"network n {{ input x: [2]; part1: residual {{ {TIED} }} }}",
    ],
)
def test_tied_weights_are_one_inside_a_sequence(text: str) -> None:
    part = archdsl.compile(archdsl.loads(text)).get_submodule("part1")
    assert part.get_parameter("3.weight") is part.get_parameter("first.weight")


def test_a_default_that_follows_from_another_parameter_is_none_of_its_own() -> None:
    source = _source(
        """
        block unit(width, kernel = 3, padding = kernel // 2) { conv(width, kernel, 1, padding) }
        network n { input x: [3, 32, 32]; unit(8) -> unit(16, kernel = 5) }
        """
    )
    assert "def __init__(self, in_channels: int, width: int, kernel: int = 3) -> None:" in source
    assert "padding=kernel // 2" in source


def test_where_one_call_gives_it_the_parameter_stays() -> None:
    source = _source(
        """
        block unit(width, kernel = 3, padding = kernel // 2) { conv(width, kernel, 1, padding) }
        network n { input x: [3, 32, 32]; unit(8) -> unit(16, kernel = 5, padding = 0) }
        """
    )
    assert source.count("class Unit") == 1
    assert "padding=padding" in source


def test_tensors_that_lead_a_call_are_no_parameters_of_the_class() -> None:
    source = _source(
        """
        block gate(width, drop = 0.0) {
            input main, other
            concat(main, other) -> linear(width) -> dropout(drop)
        }
        network n {
            input x: [4]
            input y: [5]
            gate(x, y, 8, drop = 0.5) as one
            gate(x, one, 16)
        }
        """
    )
    assert source.count("class Gate") == 1
    assert "self.gate1 = Gate(4, 5, 8, drop=0.5)" in source
    assert "self.gate2 = Gate(4, 8, 16)" in source


WITH_A_HELPER = """
    network n {
        input x: [3, 8, 8]
        conv(4, 3) -> relu as low
        conv(8, 3) -> global_avg_pool -> flatten -> linear(2) as scores
        low -> global_avg_pool -> flatten -> linear(2) as helper
        HERE
        output scores
        output helper in training
    }
"""


def test_what_only_training_gives_is_one_block_that_ends_with_its_return() -> None:
    forward = _source(WITH_A_HELPER.replace("HERE", "")).partition("def forward")[2]
    _, opening, block = forward.partition("        if self.training:\n")
    assert opening
    assert "self.training" not in block
    assert "del " not in forward
    assert block == (
        "            x = torch.flatten(self.global_avg_pool2(low), 1)  # [4]\n"
        "            helper = self.linear2(x)  # [2]\n"
        "            return NOutput(scores, helper)\n"
        "        return scores\n"
    )


def test_what_stands_behind_a_helper_is_computed_before_it() -> None:
    text = WITH_A_HELPER.replace("linear(2) as scores", "linear(2) as raw")
    source = _source(text.replace("HERE", "raw -> softmax as scores"))
    assert source.count("if self.training:") == 1
    assert source.index("scores = ") < source.index("if self.training:") < source.index("helper = ")
    model = archdsl.compile(archdsl.loads(text.replace("HERE", "raw -> softmax as scores")))
    images = torch.randn(2, 3, 8, 8)
    assert model(images)._fields == ("scores", "helper")
    assert torch.equal(model(images).scores, model.eval()(images))


@pytest.mark.parametrize(
    ("body", "written"),
    [
        pytest.param(
            "input x: [T, 8]\n lstm(width, bidirectional = true) -> linear(classes)",
            "nn.Linear(2 * width, classes)",
            id="both directions",
        ),
        pytest.param(
            "input x: [T, 8]\ngru(2 * width, bidirectional = true) -> mean(1) -> linear(classes)",
            "nn.Linear(4 * width, classes)",
            id="a multiple of a multiple",
        ),
        pytest.param(
            "input x: [1, 28, 28]\n conv(width, 5) -> max_pool(2) -> flatten -> linear(classes)",
            "nn.Linear(width * 12 * 12, classes)",
            id="a map, flattened",
        ),
        pytest.param(
            "input x: [8]\n linear(6 * width) -> glu -> linear(classes)",
            "nn.Linear(3 * width, classes)",
            id="a half",
        ),
        pytest.param(
            "input x: [4, 9, 9]\n conv(width, 3)\n"
            "conv(classes * it.channels, 3, groups = it.channels) -> bn -> conv(2, 1)",
            "nn.BatchNorm2d(classes * width)",
            id="a product of two parameters",
        ),
    ],
)
def test_a_size_in_proportion_to_a_parameter_is_written_with_it(body: str, written: str) -> None:
    text = f"network n(width = 6, classes = 3) {{ {body} }}"
    source = _source(text)
    assert "def __init__(self, width: int = 6, classes: int = 3)" in source
    assert written in source
    _builds_alike(text, width=10, classes=5)


def test_a_block_says_its_sizes_by_its_own_parameters() -> None:
    source = _source(
        """
        block both(width) {
            lstm(width, bidirectional = true) as (states, last)
            states -> layer_norm
        }
        network n { input x: [T, 4]; both(8) -> both(16) -> linear(2) }
        """
    )
    assert "def __init__(self, in_features: int, width: int)" in source
    assert "nn.LayerNorm(2 * width)" in source


def test_a_third_value_tells_what_is_rounded_from_what_is_in_proportion() -> None:
    """Twice the width alone, `2 * (width // 2)` doubles as `width` does: the block is no class
    of both.
    """
    source = _source(
        """
        block halves(width) { branch concat(axis = -1) { linear(width // 2); linear(width // 2) } }
        network n(width = 8, classes = 3) {
            input x: [T, 4]
            lstm(width, bidirectional = true) -> halves(width) -> linear(classes)
        }
        """
    )
    assert "def __init__(self, classes: int = 3) -> None:" in source


def _builds_alike(text: str, **parameters: Any) -> None:
    """At other parameters the class has the weights that the specification has there."""
    specification = archdsl.loads(text)
    with torch.device("meta"):
        own = type(archdsl.compile(specification))(**parameters)
        other = archdsl.compile(specification, **parameters)
    shapes, wanted = ({n: w.shape for n, w in m.state_dict().items()} for m in (own, other))
    assert shapes == wanted


def test_the_factors_of_a_size_are_one() -> None:
    source = _source(
        """
        network n(base = 8) {
            input x: [3, 8, 8]
            conv(base * 4, 1) as low
            conv(base * 4, 3, padding = 1) as high
            concat(low, high) -> conv(2, 1)
        }
        """
    )
    assert "nn.Conv2d(base * 8, 2, kernel_size=1)" in source


def test_docstrings_of_std_speak_of_no_argument_that_a_class_may_lack() -> None:
    """An argument that is the same in every call is none of the class that the call becomes."""
    for source in std_sources():
        for block in parse(source).declarations:
            if isinstance(block, syntax.Definition):
                named = set(re.findall(r"`(\w+)`", block.doc))
                assert not named & {p.name for p in block.parameters}, (block.name, named)


@pytest.mark.parametrize(
    ("count", "text", "written"),
    [
        (2, "width", "2 * width"),
        (2, "base * 4", "base * 8"),
        (3, "2 * width", "6 * width"),
        (2, "ratio * 2**level", "2 * ratio * 2**level"),
        (2, "width // 2", "2 * (width // 2)"),
        (2, "width + 4", "2 * (width + 4)"),
        (2, "width * 7 * 7", "2 * width * 7 * 7"),
    ],
)
def test_an_expression_so_many_times(count: int, text: str, written: str) -> None:
    assert times(count, text) == written


@pytest.mark.parametrize(
    ("count", "text", "written"),
    [
        (2, "width", "width // 2"),
        (2, "base * 4", "base * 2"),
        (4, "4 * width", "width"),
        (2, "3 * width", "3 * width // 2"),
        (2, "width // 2", "(width // 2) // 2"),
    ],
)
def test_a_part_of_an_expression(count: int, text: str, written: str) -> None:
    assert part(text, count) == written
