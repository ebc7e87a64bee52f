"""Convolutions that keep their weights as oneDNN wants them give what ``torch.conv2d`` gives."""

from __future__ import annotations

import copy
import io
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.testing import assert_close

import archdsl
from archdsl.backends.torch_optimize.packing import PackedConvolution

SPECS = Path(__file__).parents[2] / "specs"
MKLDNN = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]  # untyped in torch

pytestmark = pytest.mark.skipif(not MKLDNN, reason="torch has no oneDNN here")


@pytest.fixture
def model() -> nn.Module:
    """Two convolutions that are large enough, the first without a norm or an activation behind."""
    layers = (nn.Conv2d(8, 64, 3, padding=1), nn.Conv2d(64, 32, 1), nn.BatchNorm2d(32), nn.ReLU())
    return nn.Sequential(*layers).eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(1, 8, 40, 40)


def packed_in(module: nn.Module) -> list[PackedConvolution]:
    return [m for m in module.modules() if isinstance(m, PackedConvolution)]


def in_use(module: nn.Module) -> list[torch.Size | None]:
    """The sizes for which weights are packed."""
    return [m._kept.shape for m in packed_in(module)]


def again_and_again(optimized: nn.Module, model: nn.Module, x: Tensor) -> None:
    """As met for the first time, as packed for, and packed."""
    with torch.no_grad():
        for _ in range(3):
            assert_close(optimized(x), model(x), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("target", "size"),
    [
        ("resnet.arch:resnet18", 96),
        ("mobilenet.arch:mobilenet_v2", 160),
        ("unet.arch:unet_same", 32),
    ],
)
def test_the_zoo_packs_and_gives_the_same(target: str, size: int) -> None:
    network = archdsl.compile(f"{SPECS}/{target}").eval()
    image = torch.randn(1, 1 if "unet" in target else 3, size, size)
    optimized = archdsl.optimize(network, image)
    assert len(packed_in(optimized)) > 5
    assert None not in in_use(optimized)
    again_and_again(optimized, network, image)


def test_a_small_convolution_stays_a_call() -> None:
    model = nn.Sequential(nn.Conv2d(8, 8, 3), nn.ReLU()).eval()
    assert packed_in(archdsl.optimize(model, torch.randn(1, 8, 12, 12))) == []


def test_sizes_that_come_again_are_packed_for(model: nn.Module, x: Tensor) -> None:
    optimized = archdsl.optimize(model, x)
    larger = torch.randn(2, 8, 48, 40)
    again_and_again(optimized, model, larger)
    assert in_use(optimized) == [(2, 8, 48, 40), (2, 64, 48, 40)]
    again_and_again(optimized, model, x)


def test_sizes_that_take_turns_leave_the_weights_where_they_are(
    model: nn.Module, x: Tensor
) -> None:
    optimized = archdsl.optimize(model, x)
    before = [m._kept for m in packed_in(optimized)]
    with torch.no_grad():
        for image in (torch.randn(1, 8, 48, 48), x) * 4:
            assert_close(optimized(image), model(image), rtol=1e-4, atol=1e-5)
    assert [m._kept for m in packed_in(optimized)] == before


def doubled(optimized: nn.Module) -> None:
    with torch.no_grad():
        for weight in optimized.parameters():
            weight.mul_(2)


def loaded(optimized: nn.Module) -> None:
    optimized.load_state_dict({k: 2 * v for k, v in optimized.state_dict().items()})


def swapped(optimized: nn.Module) -> None:
    for weight in optimized.parameters():
        weight.data = weight.data * 2


@pytest.mark.parametrize("change", [doubled, loaded, swapped])
def test_weights_that_change_are_heeded(
    change: Callable[[nn.Module], None], model: nn.Module, x: Tensor
) -> None:
    optimized = archdsl.optimize(model, x)
    plain = archdsl.optimize(model, x, channels_last=False)
    for one in (optimized, plain):
        change(one)
    again_and_again(optimized, plain, x)


def test_rounded_weights_stay_rounded(model: nn.Module, x: Tensor) -> None:
    optimized = archdsl.optimize(model, x).to(torch.bfloat16).to(torch.float32)
    plain = archdsl.optimize(model, x, channels_last=False).to(torch.bfloat16).to(torch.float32)
    again_and_again(optimized, plain, x)
    assert None not in in_use(optimized)


def test_copies_pack_anew(model: nn.Module, x: Tensor) -> None:
    optimized = archdsl.optimize(model, x)
    file = io.BytesIO()
    torch.save(optimized, file)
    file.seek(0)
    saved = torch.load(file, weights_only=False)
    for again in (copy.deepcopy(optimized), pickle.loads(pickle.dumps(optimized)), saved):
        assert in_use(again) == [None, None]
        again_and_again(again, model, x)
        assert None not in in_use(again)


def test_a_state_dict_holds_each_weight_once(model: nn.Module, x: Tensor) -> None:
    optimized = archdsl.optimize(model, x)
    assert list(optimized.state_dict()) == list(
        archdsl.optimize(model, x, channels_last=False).state_dict()
    )


def test_gradients_of_the_input_are_to_be_had(model: nn.Module, x: Tensor) -> None:
    optimized = archdsl.optimize(model, x)
    given = [x.clone().requires_grad_() for _ in range(2)]
    for one, image in zip((optimized, model), given, strict=True):
        one(image).square().sum().backward()
    assert_close(given[0].grad, given[1].grad, rtol=1e-4, atol=1e-5)


def test_autocast_is_heeded(model: nn.Module, x: Tensor) -> None:
    optimized = archdsl.optimize(model, x)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        assert optimized(x).dtype == torch.bfloat16


def test_what_is_exported_is_a_convolution(model: nn.Module, x: Tensor) -> None:
    program = torch.export.export(archdsl.optimize(model, x), (x,))
    assert "mkldnn" not in program.graph_module.code
    assert_close(program.module()(x), model(x), rtol=1e-4, atol=1e-5)


def test_it_is_made_in_inference_mode_too(model: nn.Module, x: Tensor) -> None:
    with torch.inference_mode():
        optimized = archdsl.optimize(model, torch.randn(1, 8, 40, 40))
    assert None not in in_use(optimized)
    with torch.inference_mode():
        again_and_again(optimized, model, x)
    again_and_again(optimized, model, x)


def test_without_onednn_it_is_torch(
    model: nn.Module, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    optimized = archdsl.optimize(model, x)
    assert packed_in(optimized) == []
    again_and_again(optimized, model, x)


def test_a_machine_without_the_layout_runs_as_usual(
    model: nn.Module, x: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Without:
        def __getattr__(self, name: str) -> object:
            raise AttributeError(name)

    monkeypatch.setattr(torch.ops, "mkldnn", Without())
    optimized = archdsl.optimize(model, x)
    assert in_use(optimized) == [None, None]
    again_and_again(optimized, model, x)


def test_it_says_what_it_is(model: nn.Module, x: Tensor) -> None:
    shown = str(packed_in(archdsl.optimize(model, x))[0])
    assert shown == ("PackedConvolution(stride=[1, 1], padding=[1, 1], dilation=[1, 1], groups=1)")
