"""The zoo as ONNX: every network exported, run by onnxruntime and compared with torch.

    python -m tests.export.zoo [FILE | NETWORK …]

Without names it takes them all and writes docs/onnx.md. The exit code is 1 where a network that
is exported gives other numbers.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import torch
from torch import nn

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.dims import evaluate
from archdsl.graph import Graph, inputs
from archdsl.passes.shapes import input_types
from tests.passes.zoo_networks import Network, networks, small_sizes
from tests.passes.zoo_networks import given as inputs_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "onnx.md"
TOLERANCE = 1e-4
"""How far an output may be from torch's, as a share of the largest number of that output."""
ROUNDINGS = 4
"""Or this often torch's own distance from float64, where that is more: deep networks with random
weights magnify what is rounded, for torch as for onnxruntime."""
BATCH = 3  # the export is made with another


@dataclass(frozen=True)
class Result:
    """What became of a network: how far its file is from torch, or why there is no file."""

    network: Network
    inputs: str
    opset: int = 0
    difference: float = 0.0
    """The largest difference of an output's numbers, as a share of its largest number."""
    rounding: float = 0.0
    """The same between torch in float32 and torch in float64."""
    refused: str = ""

    @property
    def alike(self) -> bool:
        return self.difference <= max(TOLERANCE, ROUNDINGS * self.rounding)


def compare(network: Network) -> Result:
    """Export a network with random weights, and run it at its small sizes.

    They are such that what comes out depends on what goes in: as torch draws them, the numbers of
    a deep network vanish, and biases are all that would be compared.
    """
    torch.manual_seed(0)
    graph = network.graph()
    shapes = _shapes(graph)
    given = inputs_of(graph, batch=BATCH, device="cpu")
    module = archdsl.compile(graph)
    _settle(module, given)
    with TemporaryDirectory() as folder:
        file = Path(folder, "network.onnx")
        try:
            archdsl.write_onnx(graph, file, weights=module.state_dict())
        except ArchError as refusal:
            return Result(network, shapes, refused=_reason(refusal))
        opset = _opset(file)
        found = run_onnx(file, dict(zip(input_types(graph), given, strict=True)))
    wanted = run_torch(module, given)
    exact = run_torch(module.double(), [x.double() if x.is_floating_point() else x for x in given])
    difference = distance(found, wanted)
    for output in wanted:
        _need_telling(output, difference)
    return Result(network, shapes, opset, difference, distance(exact, wanted))


def distance(found: Sequence[np.ndarray], wanted: Sequence[np.ndarray]) -> float:
    """The largest difference of an output, as a share of its largest number."""
    assert [y.shape for y in found] == [y.shape for y in wanted]
    assert all(np.isfinite(y).all() for y in wanted)
    return max(
        float(np.abs(ours - theirs).max() / np.abs(theirs).max())
        for ours, theirs in zip(found, wanted, strict=True)
    )


def _need_telling(output: np.ndarray, difference: float) -> None:
    """What is compared depends on the input by far more than it differs."""
    spread = float(np.ptp(output, axis=0).max() / np.abs(output).max())
    assert spread > 0
    assert spread >= 100 * difference, "the samples are all alike"


def run_torch(module: nn.Module, given: Sequence[torch.Tensor]) -> list[np.ndarray]:
    with torch.inference_mode():
        outputs = module(*given)
    return [y.numpy() for y in ([outputs] if isinstance(outputs, torch.Tensor) else outputs)]


def run_onnx(content: bytes | Path, given: dict[str, torch.Tensor]) -> list[np.ndarray]:
    """What onnxruntime makes of a file, on its CPU."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.disable_prepacking", "1")  # weights once in memory
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == list(given)
    results: list[np.ndarray] = session.run(None, {k: v.numpy() for k, v in given.items()})
    return results


def _settle(module: nn.Module, given: Sequence[torch.Tensor]) -> None:
    """Weights that keep a signal alive, and batch norms that have seen these inputs; evaluation."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
    norms = [m for m in module.modules() if isinstance(m, nn.modules.batchnorm._NormBase)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.momentum = None  # the mean of all batches seen, which is this one
    if norms:
        with torch.no_grad():
            module.train()(*given)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    module.eval()


def _shapes(graph: Graph) -> str:
    """The inputs as they are given: ``image [3, 64, 64]``."""
    sizes = small_sizes(graph)
    written = []
    for node in inputs(graph):
        kind = graph.nodes[node]["types"][0]
        dims = ", ".join(str(evaluate(d, sizes)) for d in kind.dims)
        prefix = "" if kind.dtype == "float" else kind.dtype
        written.append(f"{(graph.nodes[node].get('names') or (node,))[0]} {prefix}[{dims}]")
    return ", ".join(written)


def _opset(file: Path) -> int:
    model = onnx.load(file, load_external_data=False)
    return max(int(o.version) for o in model.opset_import if o.domain in {"", "ai.onnx"})


def _reason(refusal: ArchError) -> str:
    (diagnostic,) = refusal.diagnostics
    place = f": `{diagnostic.span.text}`" if diagnostic.span else ""
    return f"{diagnostic.code}: {diagnostic.message}{place}"


# The page -------------------------------------------------------------------------

HEAD = f"""# ONNX

`make onnx` exports the networks of the zoo, runs each file with onnxruntime at a batch of {BATCH}
and at the sizes below, free ones too (the export is made at others), and compares with torch: the
largest difference of an output, as a share of its largest number. Weights are He's, at random;
batch norms have seen one batch. «Rounding» is the same distance between torch in float32 and in
float64. A network passes with a difference of at most {TOLERANCE:g}, or {ROUNDINGS} times the
rounding where that is more: deep networks with random weights magnify what is rounded, whoever
runs them.

| network | opset | inputs | difference | rounding |
|---|---|---|---|---|
"""


def page(results: Sequence[Result]) -> str:
    """docs/onnx.md. Figures to one power of ten: the last digits are the machine's."""
    return HEAD + "".join(row(result) for result in results)


def row(result: Result) -> str:
    name = f"| {result.network.file}.arch:{result.network.name} "
    if result.refused:
        return f"{name}| – | {result.inputs} | not exported: {result.refused} | – |\n"
    figures = f"{_magnitude(result.difference)} | {_magnitude(result.rounding)}"
    return f"{name}| {result.opset} | {result.inputs} | {figures} |\n"


def _magnitude(share: float) -> str:
    return f"{share:.0e}" if share else "0"


def main(names: Sequence[str]) -> int:
    results = []
    for network in networks():
        if names and not {network.file, network.name} & {*names}:
            continue
        result = compare(network)
        results.append(result)
        print(("" if result.alike else "DIFFERS ") + row(result), end="", flush=True)
        gc.collect()
    if not names:
        PAGE.write_text(page(results), encoding="utf-8", newline="\n")
    return 0 if results and all(result.alike for result in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
