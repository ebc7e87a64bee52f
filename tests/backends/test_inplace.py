"""``inplace``: activations that write over their input, in a source that else stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import archdsl
from tests.soundness.running import followed
from tests.test_cli import run

SPECS = Path(__file__).parents[2] / "specs"


@pytest.mark.parametrize(
    ("target", "size"),
    [
        ("resnet.arch:resnet20", 32),
        ("resnet.arch:resnet18", 32),
        ("densenet.arch:densenet121", 32),
        ("mobilenet.arch:mobilenet_v2", 32),
        ("googlenet.arch:googlenet", 32),
        ("unet.arch:unet_same", 16),
    ],
)
def test_outputs_and_gradients_stay_as_they_were(target: str, size: int) -> None:
    plain = archdsl.compile(f"{SPECS}/{target}")
    over = archdsl.compile(f"{SPECS}/{target}", weights=plain.state_dict(), inplace=True)
    channels = archdsl.check(f"{SPECS}/{target}").inputs["image"].dims[0]
    image = torch.randn(2, int(str(channels)), size, size)
    for training in (False, True):
        ours, theirs = (followed(m.train(training), [image]) for m in (over, plain))
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
    assert any(getattr(m, "inplace", False) for m in over.modules())
    assert not any(getattr(m, "inplace", False) for m in plain.modules())


def test_the_source_differs_in_two_words_alone() -> None:
    target = f"{SPECS}/resnet.arch:resnet50"
    plain, over = archdsl.source(target), archdsl.source(target, inplace=True)
    words = (("nn.ReLU(inplace=True)", "nn.ReLU()"), ("out += x", "out = x + out"))
    for there, here in words:
        assert (there in over, here in over) == (True, False)
        over = over.replace(there, here)
    assert over == plain


def test_a_class_kept_for_one_way_is_not_given_for_the_other() -> None:
    graph = archdsl.graph(archdsl.loads("network n { input x: [4]; linear(4) -> relu }"))
    made = [archdsl.compile(graph, inplace=way) for way in (False, True, False)]
    assert [next(m for m in n.modules() if isinstance(m, nn.ReLU)).inplace for n in made] == [
        False,
        True,
        False,
    ]


def test_arguments_come_first() -> None:
    text = "network n(slope = 0.2) { input x: [4]; linear(4) -> leaky_relu(slope) }"
    source = archdsl.source(archdsl.loads(text), inplace=True)
    assert "nn.LeakyReLU(slope, inplace=True)" in source.replace("negative_slope=", "")


def test_the_command_has_it_too(tmp_path: Path) -> None:
    done = run("compile", f"{SPECS}/resnet.arch:resnet18", "--inplace")
    assert done.exit_code == 0
    assert "nn.ReLU(inplace=True)" in done.stdout


def test_onnx_has_it_not(tmp_path: Path) -> None:
    path = tmp_path / "n.onnx"
    target = f"{SPECS}/resnet.arch:resnet18"
    done = run("compile", target, "--inplace", "--format", "onnx", "-o", str(path))
    assert done.exit_code == 2
    assert "an ONNX file knows no memory" in done.stderr
    assert not path.exists()


def summed(body: str, blocks: str = "") -> str:
    text = f"{blocks}\nnetwork n {{\n input x: [4, 8, 8]\n {body}\n}}\n"
    return archdsl.source(archdsl.loads(text), inplace=True)


BLOCK = """
block b {
    conv(4, 1) as y -> bn as z
    add(y, z) -> conv(4, 1)
    output it, z
}
"""


def test_a_sum_goes_into_what_nobody_reads_again() -> None:
    assert "r += s\n" in summed("b as (p, q); b as (r, s); add(r, s) -> relu", BLOCK)
    assert "+=" not in summed("b as (p, q); b as (r, s); add(p, q) as t; add(t, p, q)", BLOCK)


@pytest.mark.parametrize(
    "body",
    [
        "b as (p, q); b as (r, s); add(r, s); b",
        "b as (p, q); b as (r, s); add(r, q) as t; b as (u, v); add(u, v)",
        "b as (p, q); add(p, q) -> c -> residual { c } -> c",
        "conv(4, 1) as y; repeat 3 { c } as z; add(y, z)",
    ],
)
def test_instances_of_a_class_agree(body: str) -> None:
    blocks = f"{BLOCK}block c {{ residual {{ conv(4, 1) -> bn -> relu; conv(4, 1) }} -> relu }}"
    text = f"{blocks}\nnetwork n {{ input x: [4, 8, 8]; {body} }}\n"
    plain = archdsl.compile(archdsl.loads(text))
    over = archdsl.compile(archdsl.loads(text), weights=plain.state_dict(), inplace=True)
    ours, theirs = (followed(m.train(), [IMAGE]) for m in (over, plain))
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


IMAGE = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))


def test_a_sum_that_is_named_keeps_its_name() -> None:
    source = summed("conv(4, 1) as y; conv(4, 1) as z; add(y, z) as total; relu -> conv(4, 1)")
    assert "+=" not in source
