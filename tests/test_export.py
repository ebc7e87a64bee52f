"""ONNX: what the exported file computes is what the module computes, at other sizes too."""

import errno
import importlib.util
import os
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import archdsl
from archdsl.cli import cli
from archdsl.dims import evaluate
from archdsl.passes.shapes import input_types

ROOT = Path(__file__).resolve().parent.parent

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")


def spec(target: str) -> str:
    return str(ROOT / "specs" / target)


def run_onnx(content: bytes, inputs: dict[str, torch.Tensor]) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == list(inputs)
    results: list[np.ndarray] = session.run(None, {k: v.numpy() for k, v in inputs.items()})
    return results


@pytest.mark.parametrize(
    ("target", "sizes"),
    [
        ("resnet.arch:resnet18", [{"image": (1, 3, 64, 64)}, {"image": (3, 3, 33, 97)}]),
        ("unet.arch:unet_same", [{"image": (1, 1, 16, 16)}, {"image": (2, 1, 48, 80)}]),
        ("recurrent.arch:gru_classifier", [{"sequence": (1, 5, 16)}, {"sequence": (4, 40, 16)}]),
        (
            "wide_and_deep.arch",
            [{"wide": (1, 5), "deep": (1, 6)}, {"wide": (7, 5), "deep": (7, 6)}],
        ),
        ("recurrent.arch:lstm_classifier", [{"sequence": (1, 5, 16)}, {"sequence": (4, 11, 16)}]),
    ],
)
def test_the_file_computes_what_the_module_computes(
    target: str, sizes: list[dict[str, tuple[int, ...]]]
) -> None:
    torch.manual_seed(0)
    module = archdsl.compile(spec(target)).eval()
    content = archdsl.onnx(spec(target), weights=module.state_dict())
    for shapes in sizes:
        inputs = {name: torch.randn(shape) for name, shape in shapes.items()}
        with torch.inference_mode():
            wanted = module(*inputs.values())
        wanted = [wanted] if isinstance(wanted, torch.Tensor) else list(wanted)
        found = run_onnx(content, inputs)
        assert len(found) == len(wanted)
        for ours, theirs in zip(found, wanted, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-3, atol=1e-4)


def test_inputs_outputs_and_free_sizes_bear_their_names() -> None:
    content = archdsl.onnx(spec("unet.arch:unet_same"), base=4, depth=2)
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (image,), (output,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.shape) == ("image", ["batch", 1, "H", "W"])
    assert (output.name, output.shape) == ("output", ["batch", 2, "H", "W"])


RECURRENT = {
    "rnn": "input x: [T, 6]; rnn(5)",
    "deep": "input x: [T, 6]; rnn(5, num_layers = 3, bidirectional = true, nonlinearity = relu)",
    "no bias": "input x: [T, 6]; rnn(5, num_layers = 2, bias = false)",
    "state": "input x: [T, 6]; input h: [1, 5]; x -> rnn(5, hidden = h) as (y, z);"
    " output y; output z",
    "steps": "input x: [7, 6]; rnn(5)",
    "scan": "input x: [T, 6]; scan h = zeros(5) { concat(it, h) -> linear(5) -> tanh as h }",
    "two states": "input x: [T, 6]; scan h = zeros(5), c = zeros(5) {"
    " lstm_cell(5, hidden = h, cell = c) as (h, c); mul(h, c) }",
    "unread state": "input x: [T, 6]; scan h = zeros(6) { tanh as h; linear(3) }",
    "unchanged": "input x: [T, 6]; input h0: [6]; x -> scan h = h0 {"
    " add(it, h) as y; h -> identity as h; y }",
    "again": "input x: [T, 6]; scan h = zeros(6) { add(it, h) -> tanh as h };"
    " scan h = zeros(6) { sub(it, h) as h }",
    "nested": "input x: [T, S, 6]; scan h = zeros(5) {"
    " scan g = zeros(4) { concat(it, g) -> linear(4) -> tanh as g };"
    " select(1, -1) -> concat(it, h) -> linear(5) as h }",
    "images": "input x: [T, 3, H, W]; input h0: [4, H, W]; x -> scan h = h0 {"
    " concat(it, h) -> conv(4, 3, padding = 1) -> bn -> relu as h }",
}


@pytest.mark.parametrize("body", RECURRENT.values(), ids=RECURRENT)
def test_any_number_of_steps(body: str) -> None:
    """A scan is ONNX's Scan, and ``rnn`` its RNN: neither is written out step by step."""
    graph = archdsl.graph(archdsl.loads(f"network n {{ {body} }}"))
    torch.manual_seed(0)
    module = archdsl.compile(graph).eval()
    content = archdsl.onnx(graph, weights=module.state_dict())
    assert {"Scan", "RNN"} & {node.op_type for node in onnx.load_from_string(content).graph.node}
    for batch, free in (
        (1, {"T": 1, "S": 2, "H": 3, "W": 4}),
        (3, {"T": 9, "S": 5, "H": 7, "W": 6}),
    ):
        inputs = {
            name: torch.randn(batch, *(evaluate(size, free) for size in kind.dims))
            for name, kind in input_types(graph).items()
        }
        if body == RECURRENT["steps"]:
            inputs = {"x": torch.randn(batch, 7, 6)}
        with torch.inference_mode():
            wanted = module(*inputs.values())
        wanted = [wanted] if isinstance(wanted, torch.Tensor) else list(wanted)
        for ours, theirs in zip(run_onnx(content, inputs), wanted, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)


@pytest.fixture
def with_little_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if an ONNX file held a hundred bytes of weights."""
    monkeypatch.setattr("archdsl.backends.torch_export.export.LARGEST", 100)


@pytest.mark.usefixtures("with_little_room")
def test_large_weights_lie_beside_the_file(tmp_path: Path) -> None:
    module = archdsl.compile(spec("mlp.arch:mlp")).eval()
    file = tmp_path / "network.onnx"
    file.write_bytes(b"what was there")
    archdsl.write_onnx(spec("mlp.arch:mlp"), file, weights=module.state_dict())
    assert sorted(f.name for f in tmp_path.iterdir()) == ["network.onnx", "network.onnx.data"]
    assert file.stat().st_size < file.with_name("network.onnx.data").stat().st_size / 10
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    x = torch.randn(2, 1, 28, 28)
    (found,) = session.run(None, {"image": x.numpy()})
    np.testing.assert_allclose(found, module(x).detach().numpy(), atol=1e-5)


@pytest.mark.usefixtures("with_little_room")
def test_large_weights_are_no_bytes_of_one_file(tmp_path: Path) -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.onnx(spec("mlp.arch:mlp"))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "too-large"
    assert "archdsl.write_onnx" in diagnostic.help
    call = ["compile", spec("mlp.arch:mlp"), "--format", "onnx", "-o", str(tmp_path / "a" / "b")]
    done = CliRunner().invoke(cli, call)
    assert done.exit_code != 0
    assert "there is no folder" in done.stderr


@pytest.mark.usefixtures("with_little_room")
def test_nothing_is_changed_where_large_weights_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "network.onnx"
    file.write_bytes(b"what was there")

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch.onnx.ONNXProgram, "save", full)
    with pytest.raises(archdsl.ArchError, match="no space left"):
        archdsl.write_onnx(spec("mlp.arch:mlp"), file)
    assert [f.name for f in tmp_path.iterdir()] == ["network.onnx"]
    assert file.read_bytes() == b"what was there"


def test_outputs_in_training_alone_are_left_out() -> None:
    text = """
    network aided {
        input x: [4]
        linear(8) -> relu as hidden
        linear(3) as main
        hidden -> linear(3) as aux
        output main
        output aux in training
    }
    """
    content = archdsl.onnx(archdsl.loads(text))
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert [output.name for output in session.get_outputs()] == ["main"]


def test_the_command_writes_a_file_with_the_given_weights(tmp_path: Path) -> None:
    target = spec("wide_and_deep.arch")
    module = archdsl.compile(target).eval()
    weights, file = tmp_path / "weights.pt", tmp_path / "network.onnx"
    torch.save(module.state_dict(), weights)
    call = ["compile", target, "--format", "onnx", "-o", str(file), "--weights", str(weights)]
    done = CliRunner().invoke(cli, call)
    assert (done.exit_code, done.output) == (0, "")
    inputs = {"wide": torch.randn(2, 5), "deep": torch.randn(2, 6)}
    main, _ = run_onnx(file.read_bytes(), inputs)
    np.testing.assert_allclose(main, module(**inputs).main.detach().numpy(), atol=1e-5)


def test_a_file_is_asked_for_before_any_work() -> None:
    done = CliRunner().invoke(cli, ["compile", spec("wide_and_deep.arch"), "--format", "onnx"])
    assert done.exit_code == 2
    assert "say where to: -o network.onnx" in done.stderr


def test_without_the_extra_the_error_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)  # what Python takes for «not there»
    file = tmp_path / "network.onnx"
    call = ["compile", spec("wide_and_deep.arch"), "--format", "onnx", "-o", str(file)]
    done = CliRunner().invoke(cli, call)
    assert done.exit_code == 2
    assert "error[no-onnx]" in done.stderr
    assert "pip install 'archdsl[onnx]'" in done.stderr
    assert not file.exists()
    assert importlib.util.find_spec("onnxscript") is not None
