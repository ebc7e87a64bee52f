"""ONNX: what the exported file computes is what the module computes, at other sizes too."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import archdsl
from archdsl.cli import cli

ROOT = Path(__file__).resolve().parent.parent

pytest.importorskip("onnx", reason="the extra onnx is not installed")
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


def test_a_scan_of_free_length_is_refused_at_once() -> None:
    with pytest.raises(archdsl.ArchError) as caught:
        archdsl.onnx(spec("recurrent.arch:rnn_written_out"))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "onnx-failed"
    assert diagnostic.message == "ONNX needs to know how many steps a scan has"
    assert diagnostic.span is not None
    assert diagnostic.span.text.startswith("scan")


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
