"""Every file of the zoo and of std: canonically formatted, and without a mistake."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.conditions import solve
from archdsl.diagnostics import Source
from archdsl.specification import load, loads, std_sources
from archdsl.syntax import ast
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import format_source

SPECS = Path(__file__).resolve().parents[2] / "specs"
FILES = [pytest.param(path, id=path.stem) for path in sorted(SPECS.glob("*.arch"))]
STD = [pytest.param(source, id=source.name) for source in std_sources()]


def networks() -> list[Any]:
    """Every network of the zoo that has a value for each of its parameters."""
    return [
        pytest.param(path, name, id=f"{path.stem}-{name}")
        for path in sorted(SPECS.glob("*.arch"))
        for specification in [load(path)]
        for name in specification.networks
        if not specification.needs(name)
    ]


@pytest.mark.parametrize("path", FILES)
def test_the_formatter_changes_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_source(parse(Source(path.name, text))) == text


@pytest.mark.parametrize("path", FILES)
def test_it_opens_with_its_paper_and_says_what_its_blocks_are(path: Path) -> None:
    file = parse(Source(path.name, path.read_text(encoding="utf-8")))
    assert file.source.text.startswith("# ")
    blocks = [d for d in file.declarations if isinstance(d, ast.Definition) and d.kind != "network"]
    assert [block.name for block in blocks if not block.doc] == []


@pytest.mark.parametrize(("path", "name"), networks())
def test_a_network_checks_without_error_or_warning(path: Path, name: str) -> None:
    found = load(path).elaborate(name)
    assert [str(d) for d in found.diagnostics] == []
    assert solve(found.graph.graph["conditions"]).possible


# std ------------------------------------------------------------------------------

IMAGE, SEQUENCE = "[12, 16, 16]", "[T, 32]"
USES = {
    "conv_bn(8)": (IMAGE, "[8, 16, 16]"),
    "conv_bn(8, 5, stride = 2, act = none)": (IMAGE, "[8, 8, 8]"),
    "conv_bn(8, (1, 7), padding = same, groups = 2)": (IMAGE, "[8, 16, 16]"),
    "double_conv(8)": (IMAGE, "[8, 16, 16]"),
    "separable_conv(8, stride = 2)": (IMAGE, "[8, 8, 8]"),
    "residual_unit(12)": (IMAGE, "[12, 16, 16]"),
    "residual_unit(24, stride = 2, act = gelu)": (IMAGE, "[24, 8, 8]"),
    "bottleneck_unit(12)": (IMAGE, "[12, 16, 16]"),
    "bottleneck_unit(24, stride = 2)": (IMAGE, "[24, 8, 8]"),
    "inverted_residual(12)": (IMAGE, "[12, 16, 16]"),
    "inverted_residual(24, 5, stride = 2, expand = 1)": (IMAGE, "[24, 8, 8]"),
    "squeeze_excite(3, gate = hardsigmoid)": (IMAGE, "[12, 16, 16]"),
    "repeat 2 { dense { dense_layer(4) } }": (IMAGE, "[20, 16, 16]"),
    "feed_forward(64)": (SEQUENCE, "[T, 32]"),
    "encoder_layer(4, 64)": (SEQUENCE, "[T, 32]"),
    "encoder_layer(4, 64, norm_first = true, causal = true)": (SEQUENCE, "[T, 32]"),
    "linear(32) as memory; decoder_layer(4, 64, memory = memory)": (SEQUENCE, "[T, 32]"),
}


def std_blocks() -> set[str]:
    return {
        declaration.name
        for source in std_sources()
        for declaration in parse(source).declarations
        if isinstance(declaration, ast.Definition)
    }


def use(statement: str, shape: str) -> archdsl.Specification:
    names = ", ".join(sorted(std_blocks()))
    text = f"from std import {names}\nnetwork use {{ input x: {shape}; {statement} }}\n"
    return loads(text)


@pytest.mark.parametrize("source", STD)
def test_std_is_formatted_and_documented(source: Source) -> None:
    file = parse(source)
    assert format_source(file) == source.text
    blocks = [d for d in file.declarations if isinstance(d, ast.Definition)]
    assert blocks
    assert [block.name for block in blocks if not block.doc] == []


def test_every_block_of_std_is_used_here() -> None:
    written = " ".join(USES)
    assert [name for name in std_blocks() if f"{name}(" not in written] == []


@pytest.mark.parametrize(("statement", "sizes"), USES.items(), ids=list(USES))
def test_a_block_of_std_runs_forward_and_backward(statement: str, sizes: tuple[str, str]) -> None:
    given, wanted = sizes
    found = use(statement, given).elaborate()
    assert [str(d) for d in found.diagnostics] == []
    assert str(found.graph.nodes["output"]["types"][0]) == wanted
    model = archdsl.compile(found.graph)
    x = torch.randn(2, *read(given), requires_grad=True)
    result = model(x)
    assert list(result.shape) == [2, *read(wanted)]
    result.sum().backward()
    assert all(p.grad is not None for p in (x, *model.parameters()))


def read(shape: str, steps: int = 5) -> list[int]:
    """The sizes of a shape as written, with ``T`` steps."""
    return [steps if size == "T" else int(size) for size in shape.strip("[]").split(", ")]


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_encoder_layer_is_that_of_torch(norm_first: bool) -> None:
    layer = f"encoder_layer(4, 64, norm_first = {str(norm_first).lower()})"
    ours = archdsl.compile(use(layer, "[T, 32]").graph()).eval()
    theirs = nn.TransformerEncoderLayer(32, 4, 64, norm_first=norm_first, batch_first=True).eval()
    ours.encoder_layer1.load_state_dict(renamed(theirs))
    x = torch.randn(2, 5, 32)
    torch.testing.assert_close(ours(x), theirs(x))


@pytest.mark.parametrize("norm_first", [False, True])
def test_the_decoder_layer_is_that_of_torch(norm_first: bool) -> None:
    layer = f"decoder_layer(4, 64, norm_first = {str(norm_first).lower()}, memory = memory)"
    statement = f"input memory: [S, 32]; x -> {layer}"
    ours = archdsl.compile(use(statement, "[T, 32]").graph()).eval()
    theirs = nn.TransformerDecoderLayer(32, 4, 64, norm_first=norm_first, batch_first=True).eval()
    ours.decoder_layer1.load_state_dict(renamed(theirs))
    x, memory = torch.randn(2, 5, 32), torch.randn(2, 7, 32)
    mask = nn.Transformer.generate_square_subsequent_mask(5)
    torch.testing.assert_close(ours(x, memory), theirs(x, memory, tgt_mask=mask))


def renamed(layer: nn.Module) -> dict[str, torch.Tensor]:
    """torch's weights under std's names: its two linear layers are a block of their own here."""
    return {
        name.replace("linear", "feed_forward1.linear"): tensor
        for name, tensor in layer.state_dict().items()
    }
