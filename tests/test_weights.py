"""Weights at compile time: nothing is initialized, everything fits, nothing runs code."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl import ops
from archdsl.diagnostics import ArchError, Diagnostic

SMALL = """
network small {
    input image: [3, 8, 8]
    conv(4, 3) -> bn -> relu
    flatten
    fc: linear(5)
}
"""
TIED = """
network tied {
    input tokens: int[T]
    embed: embedding(11, 6)
    head: linear(11, bias = false, tie = embed.weight)
}
"""


@pytest.fixture
def small() -> archdsl.Specification:
    return archdsl.loads(SMALL)


@pytest.fixture
def state(small: archdsl.Specification) -> dict[str, Tensor]:
    torch.manual_seed(3)
    model = archdsl.compile(small)
    model(torch.randn(4, 3, 8, 8))  # the running averages move
    return dict(model.state_dict())


def complaint(run: Callable[[], object]) -> Diagnostic:
    """The one diagnostic of what must fail."""
    with pytest.raises(ArchError) as caught:
        run()
    (found,) = caught.value.diagnostics
    assert found.code == "bad-weights"
    return found


def alike(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    own = model.state_dict()
    assert list(own) == list(state)
    for name, tensor in own.items():
        torch.testing.assert_close(tensor, state[name], rtol=0, atol=0)


# What they are given as -------------------------------------------------------------


def test_a_state_dict(small: archdsl.Specification, state: dict[str, Tensor]) -> None:
    model = archdsl.compile(small, weights=state)
    alike(model, state)
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    model(torch.randn(4, 3, 8, 8)).sum().backward()


@pytest.mark.parametrize("as_text", [False, True])
def test_a_file_of_torch(
    small: archdsl.Specification, state: dict[str, Tensor], tmp_path: Path, as_text: bool
) -> None:
    path = tmp_path / "small.pt"
    torch.save(state, path)
    alike(archdsl.compile(small, weights=str(path) if as_text else path), state)


def test_a_file_of_safetensors(
    small: archdsl.Specification, state: dict[str, Tensor], tmp_path: Path
) -> None:
    save = pytest.importorskip("safetensors.torch", reason="an extra").save_file
    path = tmp_path / "small.safetensors"
    save(state, path)
    alike(archdsl.compile(small, weights=path), state)


def test_a_mapped_file(
    small: archdsl.Specification, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "small.pt"
    torch.save(state, path)
    alike(archdsl.compile(small, weights=torch.load(path, mmap=True)), state)


def test_weights_of_an_edited_graph(small: archdsl.Specification, state: dict[str, Tensor]) -> None:
    graph = small.graph()
    graph.nodes["fc"]["path"] = "head"
    renamed = {k.replace("fc.", "head."): v for k, v in state.items()}
    alike(archdsl.compile(graph, weights=renamed), renamed)


# Nothing is initialized -------------------------------------------------------------


@pytest.fixture
def no_initialization(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every initializer of torch fails on a tensor that has storage, and draws no number."""

    def refusing(initialize: Callable[..., Any]) -> Callable[..., Any]:
        def run(tensor: Tensor, *arguments: Any, **more: Any) -> Any:
            assert tensor.is_meta, "this weight is initialized, and then thrown away"
            return initialize(tensor, *arguments, **more)

        return run

    for name in dir(nn.init):
        if name.endswith("_") and not name.startswith("_"):
            monkeypatch.setattr(nn.init, name, refusing(getattr(nn.init, name)))
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before)


def test_nothing_is_initialized(
    small: archdsl.Specification, state: dict[str, Tensor], request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("no_initialization")
    alike(archdsl.compile(small, weights=state), state)


def test_without_weights_it_is(
    small: archdsl.Specification, request: pytest.FixtureRequest
) -> None:
    request.getfixturevalue("no_initialization")
    with pytest.raises(AssertionError, match="thrown away"):
        archdsl.compile(small)


# Sharing ----------------------------------------------------------------------------


@pytest.mark.parametrize("left_out", [(), ("head.weight",), ("embed.weight",)])
def test_tied_weights_stay_tied(left_out: tuple[str, ...]) -> None:
    spec = archdsl.loads(TIED)
    first: Any = archdsl.compile(spec)
    state = {k: v for k, v in first.state_dict().items() if k not in left_out}
    model: Any = archdsl.compile(spec, weights=state)
    assert model.head.weight is model.embed.weight
    assert len(list(model.parameters())) == 1
    torch.testing.assert_close(model.head.weight, first.head.weight)
    tokens = torch.randint(11, (2, 7))
    model(tokens).sum().backward()
    with torch.no_grad():
        model.embed.weight.zero_()
    assert model(tokens).abs().sum() == 0


def test_tied_weights_that_differ_are_refused() -> None:
    spec = archdsl.loads(TIED)
    state = {"embed.weight": torch.zeros(11, 6), "head.weight": torch.ones(11, 6)}
    found = complaint(lambda: archdsl.compile(spec, weights=state))
    assert found.notes == ("embed.weight and head.weight are one parameter, and differ",)


def test_the_tensors_are_copied(small: archdsl.Specification, state: dict[str, Tensor]) -> None:
    before = {name: tensor.clone() for name, tensor in state.items()}
    model = archdsl.compile(small, weights=state)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    for name, tensor in state.items():
        torch.testing.assert_close(tensor, before[name])
    again = archdsl.compile(small, weights=state)
    assert all(
        one.data_ptr() != two.data_ptr()
        for one, two in zip(model.parameters(), again.parameters(), strict=True)
    )


def test_the_dtype_is_kept(small: archdsl.Specification, state: dict[str, Tensor]) -> None:
    half = {k: v.bfloat16() if v.is_floating_point() else v for k, v in state.items()}
    model = archdsl.compile(small, weights=half)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert model(torch.randn(4, 3, 8, 8).bfloat16()).dtype == torch.bfloat16


HELPER = '''
class Ramp(nn.Module):
    """Add a ramp, that no state_dict holds."""

    def __init__(self, length: int) -> None:
        super().__init__()
        self.register_buffer("ramp", torch.linspace(0, 1, length), persistent=False)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.gain * self.ramp
'''


def test_what_no_state_dict_holds_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ops.op, "_REGISTRY", dict(ops.op._REGISTRY))

    @archdsl.layer("ramp")
    class Ramp(ops.Op):
        """Add a ramp."""

        def infer(self, inputs: Any, need: Any) -> tuple[ops.Tensor, ...]:
            return (inputs[0],)

        def weights(self, inputs: Any) -> dict[str, tuple[int, ...]]:
            return {"gain": ()}

        def code(self, inputs: Any, outputs: Any) -> ops.Code:
            length = ops.positional("length", inputs[0].features)
            return ops.module("Ramp", length, helpers={"Ramp": HELPER})

    spec = archdsl.loads("network n {\n input x: [5]\n linear(5) -> ramp\n}")
    state = archdsl.compile(spec).state_dict()
    assert "ramp1.ramp" not in state
    state["ramp1.gain"] = torch.tensor(2.0)
    model: Any = archdsl.compile(spec, weights=state)
    x = torch.randn(2, 5)
    torch.testing.assert_close(model(x), model.linear1(x) + 2 * torch.linspace(0, 1, 5))


# What does not fit ------------------------------------------------------------------


def test_what_does_not_fit_is_listed(
    small: archdsl.Specification, state: dict[str, Tensor]
) -> None:
    del state["fc.bias"]
    state["extra.weight"] = torch.zeros(1)
    state["conv1.weight"] = torch.zeros(4, 3, 5, 5)
    state["bn1.bias"] = torch.zeros(4, dtype=torch.int64)
    found = complaint(lambda: archdsl.compile(small, weights=state))
    assert found.message == "the weights do not fit the network"
    assert found.notes == (
        "missing: fc.bias",
        "not in the network: extra.weight",
        "conv1.weight is [4, 3, 5, 5], and must be [4, 3, 3, 3]",
        "bn1.bias is of torch.int64, and must be as torch.float32",
    )


def test_a_prefix_is_seen(small: archdsl.Specification, state: dict[str, Tensor]) -> None:
    wrapped = {f"module.{k}": v for k, v in state.items()}
    found = complaint(lambda: archdsl.compile(small, weights=wrapped))
    assert (
        found.help == 'drop the prefix: {k.removeprefix("module."): v for k, v in weights.items()}'
    )


def test_long_lists_are_cut(small: archdsl.Specification) -> None:
    found = complaint(lambda: archdsl.compile(small, weights={}))
    assert found.notes[0].endswith("and 4 more")


@pytest.mark.parametrize(
    ("weights", "help"),
    [
        ({"epoch": 3, "state_dict": {}}, 'it may be what it holds under "state_dict"'),
        ({"fc.weight": [1.0]}, "a state_dict has a tensor under each parameter's name"),
        ({3: torch.zeros(1)}, "a state_dict has a tensor under each parameter's name"),
        ({"fc.weight": torch.zeros(1, device="meta")}, "a state_dict has a tensor under"),
    ],
)
def test_what_is_no_state_dict(small: archdsl.Specification, weights: Any, help: str) -> None:
    found = complaint(lambda: archdsl.compile(small, weights=weights))
    assert found.message == "the weights cannot be used: it is no state_dict"
    assert found.help.startswith(help)


def test_a_checkpoint_in_a_file(
    small: archdsl.Specification, state: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.pt"
    torch.save({"epoch": 3, "model": state}, path)
    found = complaint(lambda: archdsl.compile(small, weights=path))
    assert found.help == 'it may be what it holds under "model"'


# Bad and hostile files --------------------------------------------------------------


class Hostile:
    """What runs a command when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize(
    "save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))]
)
@pytest.mark.parametrize("suffix", [".pt", ".bin", ".safetensors"])
def test_a_hostile_file_runs_nothing(
    small: archdsl.Specification,
    tmp_path: Path,
    save: Callable[[object, Path], object],
    suffix: str,
) -> None:
    path, mark = tmp_path / f"weights{suffix}", tmp_path / "it_ran"
    save({"fc.weight": Hostile(mark)}, path)
    found = complaint(lambda: archdsl.compile(small, weights=path))
    assert found.message.startswith(f"{path} cannot be used: it ")
    assert "weights_only" not in str(found)
    assert not mark.exists()
    if suffix != ".safetensors":
        pickle.loads((tmp_path / f"weights{suffix}").read_bytes()) if save is not torch.save else (
            torch.load(path, weights_only=False)
        )
        assert mark.exists(), "this file would have run its code"


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("content", [b"", b"\0" * 100, b"PK\x03\x04 no more", b"{}", b"\xff" * 64])
def test_a_broken_file(
    small: archdsl.Specification, tmp_path: Path, suffix: str, content: bytes
) -> None:
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(content)
    found = complaint(lambda: archdsl.compile(small, weights=path))
    assert found.message.startswith(f"{path} cannot be used: ")
    assert "\n" not in found.message


@pytest.mark.parametrize("cut", [10, 500, -30])
def test_a_file_cut_short(
    small: archdsl.Specification, state: dict[str, Tensor], tmp_path: Path, cut: int
) -> None:
    path = tmp_path / "weights.pt"
    torch.save(state, path)
    path.write_bytes(path.read_bytes()[:cut])
    complaint(lambda: archdsl.compile(small, weights=path))


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_file_that_is_not_there(
    small: archdsl.Specification, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"none{suffix}"
    assert "No such file" in complaint(lambda: archdsl.compile(small, weights=path)).message
    complaint(lambda: archdsl.compile(small, weights=tmp_path))
