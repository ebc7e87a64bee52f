"""The zoo against torchvision: the same names and shapes; with the same weights, the same output.

No torchvision is needed: what it gives was measured once (reference/README.md), with
weights that are remade here from their names and shapes.
"""

from __future__ import annotations

import json
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import archdsl

SPECS = Path(__file__).resolve().parents[2] / "specs"
REFERENCE: dict[str, Any] = json.loads(
    (Path(__file__).parent / "reference" / "torchvision.json").read_text(encoding="utf-8")
)
FILES = {
    "alexnet": ["alexnet"],
    "convnext": ["convnext_tiny"],
    "densenet": ["densenet121", "densenet169", "densenet201"],
    "efficientnet": ["efficientnet_b0"],
    "fcn": ["fcn_resnet50"],
    "googlenet": ["googlenet"],
    "mobilenet": ["mobilenet_v2", "mobilenet_v3_large"],
    "resnet": [
        *("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
        *("resnext50_32x4d", "wide_resnet50_2"),
    ],
    "squeezenet": ["squeezenet1_1"],
    "vgg": ["vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg16_bn"],
    "vit": ["vit_b_16"],
}
MODELS = {name: f"{SPECS / file}.arch:{name}" for file, names in FILES.items() for name in names}


def remake(name: str, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """The values of a weight or a buffer, from its name and shape alone."""
    generator = np.random.RandomState(zlib.crc32(name.encode()))  # its stream is frozen
    x = np.asarray(generator.standard_normal(shape))
    if name.endswith("running_var"):
        return 1 + 0.1 * np.abs(x)
    if len(shape) >= 2:
        x /= math.sqrt(math.prod(shape[1:]))
        return x
    return 1 + 0.1 * x if name.endswith("weight") else 0.1 * x


def remade(model: nn.Module) -> dict[str, torch.Tensor]:
    """A state_dict of remade values; integers are left as a new model has them."""
    return {
        name: torch.from_numpy(remake(name, tuple(tensor.shape)))
        if tensor.is_floating_point()
        else torch.zeros_like(tensor, device="cpu")
        for name, tensor in model.state_dict().items()
    }


def test_every_model_of_the_reference_is_compared() -> None:
    assert MODELS.keys() == REFERENCE.keys()
    assert len(MODELS) == 25


@pytest.mark.parametrize("name", REFERENCE)
def test_parity(name: str) -> None:
    reference = REFERENCE[name]
    with torch.device("meta"):  # the weights are replaced before anything runs
        model = archdsl.compile(MODELS[name])
    assert sum(p.numel() for p in model.parameters()) == reference["parameters"]
    found = [(key, list(tensor.shape)) for key, tensor in model.state_dict().items()]
    assert found == list(reference["state_dict"].items())

    model.load_state_dict(remade(model), strict=True, assign=True)
    model.eval()
    image = torch.from_numpy(np.random.RandomState(0).standard_normal(reference["input"]))
    with torch.inference_mode():
        rows = model(image).flatten(1)

    expected = reference["output"]
    assert rows.dtype == torch.float64
    assert rows[:, :5].numpy() == pytest.approx(np.array(expected["first"]), abs=1e-8)
    assert rows.mean().item() == pytest.approx(expected["mean"], abs=1e-8)
    assert rows.std().item() == pytest.approx(expected["std"], abs=1e-8)
    assert rows.argmax(dim=1).tolist() == expected["argmax"]
