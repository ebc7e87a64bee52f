"""The lectures' part of the zoo: sizes as in the papers, and what each network is there to show."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.conditions import solve
from archdsl.graph import Graph, inputs, outputs
from archdsl.specification import load

SPECS = Path(__file__).resolve().parents[2] / "specs"


@cache
def graph(name: str) -> Graph:
    """The graph of ``file:network``, which has nothing to say against it."""
    file, network = name.split(":")
    found = load(SPECS / f"{file}.arch").elaborate(network)
    assert [str(d) for d in found.diagnostics] == []
    return found.graph


def compiled(name: str, **parameters: Any) -> nn.Module:
    file, network = name.split(":")
    torch.manual_seed(0)
    return archdsl.compile(f"{SPECS / file}.arch:{network}", **parameters)


def count(model: nn.Module) -> int:
    return sum(p.numel() for p in model.parameters())


def shape(name: str, node: str) -> str:
    """What a module gives, by its path; the input or output of a name."""
    return str(graph(name).nodes[node]["types"][0])


# The papers' facts ------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What comes in, what goes out, how many weights, and what free sizes must meet."""

    takes: str
    gives: str
    parameters: int
    sizes: tuple[str, ...] = ()


FACTS = {
    "perceptron:perceptron": Facts("[2]", "[1]", 3),
    "perceptron:xor": Facts("[2]", "[1]", 9),
    "mlp:mlp": Facts("[1, 28, 28]", "[10]", 266_610),
    "mlp:mlp_batch_norm": Facts("[1, 28, 28]", "[10]", 267_410),
    "mlp:mlp_dropout": Facts("[1, 28, 28]", "[10]", 1_276_810),
    "mlp:mlp_selu": Facts("[1, 28, 28]", "[10]", 271_410),
    "lenet:lenet5": Facts("[1, 32, 32]", "[10]", 61_706),
    "unet:unet": Facts("[1, 572, 572]", "[2, 388, 388]", 31_030_658),
    "unet:unet_same": Facts(
        "[1, H, W]", "[2, H, W]", 31_036_546, ("H and W must be multiples of 16",)
    ),
    "autoencoder:autoencoder": Facts("[1, 28, 28]", "[1, 28, 28], [30]", 2_837_314),
    "autoencoder:convolutional_autoencoder": Facts("[1, 28, 28]", "[1, 28, 28], [16, 7, 7]", 9_617),
    "autoencoder:variational_autoencoder": Facts("[1, 28, 28]", "[1, 28, 28], [20], [20]", 815_824),
    "translation:generator": Facts("[3, 256, 256]", "[3, 256, 256]", 54_413_955),
    "translation:discriminator": Facts("[3, 256, 256], [3, 256, 256]", "[1, 30, 30]", 2_768_705),
    "transformer:transformer": Facts("int[S], int[T]", "[T, 37000]", 63_082_496),
    "transformer:transformer_big": Facts("int[S], int[T]", "[T, 37000]", 214_245_376),
    "recurrent:rnn_classifier": Facts("[T, 16]", "[10]", 5_898),
    "recurrent:lstm_classifier": Facts("[T, 16]", "[10]", 54_922),
    "recurrent:gru_classifier": Facts("[T, 16]", "[10]", 16_394),
    "recurrent:rnn_written_out": Facts("[T, 16]", "[10]", 5_834),
    "recurrent:lstm_written_out": Facts("[T, 16]", "[10]", 21_386),
    "wide_and_deep:wide_and_deep": Facts("[5], [6]", "[1], [1]", 1_207),
    "siamese:siamese": Facts("[1, 105, 105], [1, 105, 105]", "[1]", 38_951_745),
    "gpt:gpt_tiny": Facts("int[T]", "[T, 96]", 822_016, ("T must be at most 128",)),
    "gpt:gpt2": Facts("int[T]", "[T, 50257]", 124_439_808, ("T must be at most 1024",)),
    "gpt:gpt2_medium": Facts("int[T]", "[T, 50257]", 354_823_168, ("T must be at most 1024",)),
    "gpt:gpt2_large": Facts("int[T]", "[T, 50257]", 774_030_080, ("T must be at most 1024",)),
    "gpt:gpt2_xl": Facts("int[T]", "[T, 50257]", 1_557_611_200, ("T must be at most 1024",)),
    "neural_ode:ode_net": Facts("[1, 28, 28]", "[10]", 207_114),
}


@pytest.mark.parametrize("name", FACTS)
def test_sizes(name: str) -> None:
    facts, network = FACTS[name], graph(name)
    assert ", ".join(shape(name, node) for node in inputs(network)) == facts.takes
    assert ", ".join(shape(name, node) for node in outputs(network)) == facts.gives
    assert tuple(solve(network.graph["conditions"]).sentences()) == facts.sizes


@pytest.mark.parametrize("name", FACTS)
def test_number_of_weights(name: str) -> None:
    with torch.device("meta"):
        model = compiled(name)
    assert count(model) == FACTS[name].parameters


def test_lenet_has_the_layers_of_the_paper() -> None:
    wanted = {
        "c1": "[6, 28, 28]",
        "s2": "[6, 14, 14]",
        "c3": "[16, 10, 10]",
        "s4": "[16, 5, 5]",
        "c5": "[120, 1, 1]",
        "f6": "[84]",
    }
    assert {name: shape("lenet:lenet5", name) for name in wanted} == wanted


def test_unet_has_23_convolutions_and_64_to_1024_features() -> None:
    nodes = graph("unet:unet").nodes.values()
    convolutions = [n for n in nodes if n["op"] in ("conv", "conv_transpose")]
    assert len(convolutions) == 23
    assert max(n["shape"][0] for n in convolutions) == 1024
    assert convolutions[0]["shape"] == (64, 570, 570)
    assert sum(n["op"] == "crop" for n in nodes) == 4


# What is accepted runs ------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Sizes to run at, and parameters that keep it small."""

    takes: tuple[tuple[int, ...], ...]
    gives: tuple[tuple[int, ...], ...]
    parameters: dict[str, Any]
    indices: int = 0


def run(*takes: tuple[int, ...], to: Any, indices: int = 0, **parameters: Any) -> Run:
    gives = to if isinstance(to, list) else [to]
    return Run(takes, tuple(gives), parameters, indices)


DIGIT = (1, 28, 28)
SMALL = {"layers": 2, "width": 32, "heads": 4, "hidden": 64, "vocabulary": 50}
RUNS = [
    ("perceptron:perceptron", run((2,), to=(1,))),
    ("perceptron:perceptron", run((7,), to=(1,), inputs=7)),
    ("perceptron:xor", run((2,), to=(1,))),
    *((f"mlp:{n}", run(DIGIT, to=(10,))) for n in ("mlp", "mlp_batch_norm", "mlp_dropout")),
    ("mlp:mlp_selu", run(DIGIT, to=(10,))),
    ("lenet:lenet5", run((1, 32, 32), to=(10,))),
    ("unet:unet", run((1, 572, 572), to=(2, 388, 388), base=2)),
    ("unet:unet_same", run((1, 16, 48), to=(2, 16, 48), base=4)),
    ("unet:unet_same", run((3, 12, 8), to=(5, 12, 8), base=2, depth=2, channels=3, classes=5)),
    ("autoencoder:autoencoder", run(DIGIT, to=[DIGIT, (30,)])),
    ("autoencoder:convolutional_autoencoder", run(DIGIT, to=[DIGIT, (16, 7, 7)])),
    ("autoencoder:variational_autoencoder", run(DIGIT, to=[DIGIT, (20,), (20,)])),
    ("translation:generator", run((3, 256, 256), to=(3, 256, 256), widths=[8] * 7)),
    ("translation:discriminator", run((3, 256, 256), (3, 256, 256), to=(1, 30, 30), base=4)),
    (
        "transformer:transformer",
        run(
            *((7,), (5,)),
            to=(5, 50),
            indices=50,
            **SMALL,
        ),
    ),
    *(
        (f"recurrent:{n}", run((steps, 16), to=(10,)))
        for n in ("rnn_classifier", "lstm_classifier", "gru_classifier")
        for steps in (1, 9)
    ),
    *(
        (f"recurrent:{n}", run((steps, 16), to=(10,)))
        for n in ("rnn_written_out", "lstm_written_out")
        for steps in (1, 9)
    ),
    ("wide_and_deep:wide_and_deep", run((5,), (6,), to=[(1,), (1,)])),
    ("siamese:siamese", run((1, 105, 105), (1, 105, 105), to=(1,))),
    *(("gpt:gpt_tiny", run((t,), to=(t, 96), indices=96)) for t in (1, 20, 128)),
    ("neural_ode:ode_net", run(DIGIT, to=(10,))),
]


def tensors(wanted: Run, batch: int = 2) -> list[torch.Tensor]:
    torch.manual_seed(1)
    if wanted.indices:
        return [torch.randint(wanted.indices, (batch, *sizes)) for sizes in wanted.takes]
    return [torch.randn(batch, *sizes) for sizes in wanted.takes]


@pytest.mark.parametrize(("name", "wanted"), RUNS, ids=[name for name, _ in RUNS])
def test_it_runs_forward_and_backward(name: str, wanted: Run) -> None:
    model = compiled(name, **wanted.parameters)
    result = model(*tensors(wanted))
    results = result if isinstance(result, tuple) else (result,)
    assert [tuple(r.shape[1:]) for r in results] == list(wanted.gives)
    torch.stack([r.square().sum() for r in results]).sum().backward()
    assert [n for n, p in model.named_parameters() if p.grad is None] == []


def test_every_network_of_the_lectures_is_looked_at() -> None:
    files = {name.split(":")[0] for name in FACTS}
    specifications = {file: load(SPECS / f"{file}.arch") for file in files}
    usable = {
        f"{file}:{network}"
        for file, specification in specifications.items()
        for network in specification.networks
        if not specification.needs(network)
    }
    assert usable == FACTS.keys() | {"gpt:gpt"}


# What each is there to show ---------------------------------------------------------


def test_xor_is_learned_with_a_hidden_layer_alone() -> None:
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = torch.tensor([[0.0], [1.0], [1.0], [0.0]])

    def error(name: str, **parameters: Any) -> float:
        model = compiled(name, **parameters)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        for _ in range(400):
            optimizer.zero_grad()
            loss = nn.functional.binary_cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        return loss.item()

    assert error("perceptron:xor", hidden=4) < 0.05
    assert error("perceptron:perceptron") > 0.6


@pytest.mark.parametrize("size", [(8, 16), (24, 16), (16, 40)])
def test_unet_same_needs_its_multiples_of_16(size: tuple[int, int]) -> None:
    model = compiled("unet:unet_same", base=2).eval()
    with pytest.raises(RuntimeError):
        model(torch.randn(1, 1, *size))


def test_the_paths_of_a_siamese_network_share_their_weights() -> None:
    model = compiled("siamese:siamese").eval()
    assert {name.split(".")[0] for name in model.state_dict()} == {"tower", "linear1"}
    left, right = torch.randn(2, 2, 1, 105, 105)
    with torch.no_grad():
        torch.testing.assert_close(model(left, right), model(right, left))


def test_the_rnn_written_out_is_the_rnn() -> None:
    written, layer = compiled("recurrent:rnn_written_out"), nn.RNN(16, 64, batch_first=True)
    with torch.no_grad():
        written.cell.weight.copy_(torch.cat([layer.weight_ih_l0, layer.weight_hh_l0], dim=1))
        written.cell.bias.copy_(layer.bias_ih_l0 + layer.bias_hh_l0)
    x = torch.randn(3, 11, 16)
    torch.testing.assert_close(written(x), written.fc(layer(x)[0][:, -1]))


def test_the_lstm_written_out_is_the_lstm() -> None:
    written, layer = compiled("recurrent:lstm_written_out"), nn.LSTM(16, 64, batch_first=True)
    weights = torch.cat([layer.weight_ih_l0, layer.weight_hh_l0], dim=1).chunk(4)
    biases = (layer.bias_ih_l0 + layer.bias_hh_l0).chunk(4)
    gates = ("input_gate", "forget_gate", "candidate", "output_gate")  # in torch's order
    with torch.no_grad():
        for gate, weight, bias in zip(gates, weights, biases, strict=True):
            getattr(written, gate).weight.copy_(weight)
            getattr(written, gate).bias.copy_(bias)
    x = torch.randn(3, 11, 16)
    torch.testing.assert_close(written(x), written.fc(layer(x)[0][:, -1]))


def test_the_outputs_of_wide_and_deep_are_named() -> None:
    model = compiled("wide_and_deep:wide_and_deep")
    wide, deep = torch.randn(4, 5), torch.randn(4, 6)
    result = model(wide, deep)
    assert result._fields == ("main", "aux")
    torch.testing.assert_close(model(wide + 1, deep).aux, result.aux)
    assert not torch.equal(model(wide + 1, deep).main, result.main)


def test_a_variational_autoencoder_samples_in_training_alone() -> None:
    model, x = compiled("autoencoder:variational_autoencoder"), torch.rand(2, 1, 28, 28)
    first, second = model(x), model(x)
    assert torch.equal(first.mu, second.mu)
    assert not torch.equal(first.reconstruction, second.reconstruction)
    model.eval()
    assert torch.equal(model(x).reconstruction, model(x).reconstruction)


def test_gpt_does_not_look_ahead() -> None:
    model = compiled("gpt:gpt_tiny").eval()
    tokens = torch.randint(96, (1, 20))
    changed = tokens.clone()
    changed[0, 12] = (changed[0, 12] + 1) % 96
    with torch.no_grad():
        before, after = model(tokens), model(changed)
    torch.testing.assert_close(before[:, :12], after[:, :12])
    assert (before[:, 12:] - after[:, 12:]).abs().amax(dim=-1).min() > 1e-6


def test_the_target_of_a_transformer_does_not_look_ahead() -> None:
    model = compiled("transformer:transformer", **SMALL).eval()
    source, target = torch.randint(50, (1, 7)), torch.randint(50, (1, 9))
    changed = target.clone()
    changed[0, 5] = (changed[0, 5] + 1) % 50
    with torch.no_grad():
        before, after = model(source, target), model(source, changed)
        elsewhere = model(source.flip(1), target)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])
    assert not torch.allclose(before[:, 0], elsewhere[:, 0])


@pytest.mark.parametrize("name", ["gpt:gpt_tiny", "transformer:transformer"])
def test_the_scores_use_the_matrix_of_the_embedding(name: str) -> None:
    with torch.device("meta"):
        model = compiled(name)
    (embedding,) = (m for m in model.children() if isinstance(m, nn.Embedding) and m is model.embed)
    (scores,) = (m for m in model.children() if isinstance(m, nn.Linear))
    assert scores.weight is embedding.weight


def test_more_steps_of_the_ode_are_no_more_weights() -> None:
    steps = (1, 4, 16, 32)
    models = {n: compiled("neural_ode:ode_net", steps=n).eval() for n in steps}
    weights = models[1].state_dict()
    for model in models.values():
        model.load_state_dict(weights)
    x = torch.randn(2, 1, 28, 28)
    with torch.no_grad():
        flow = {n: model(x) for n, model in models.items()}
    # Euler's method nears the flow as its steps grow smaller.
    far, near, nearer = ((flow[n] - flow[32]).norm() for n in steps[:3])
    assert nearer < near < far
