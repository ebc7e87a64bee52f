"""What archdsl.optimize gives: the model's own outputs, from less work, and the model untouched."""

import copy
import os
import pickle
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - its name everywhere
from torch import Tensor, fx, nn
from torch._dynamo.utils import is_parameter_freezing
from torch.testing import assert_close

import archdsl
from archdsl import ArchError
from archdsl.backends import torch_optimize

ROOT = Path(__file__).resolve().parents[2]


def lived_in(model: nn.Module) -> nn.Module:
    """The model as after training: norms whose every number matters. In evaluation mode."""
    draw = torch.Generator().manual_seed(1)
    for part in model.modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.running_var is not None:
            assert part.running_mean is not None
            part.running_mean.normal_(0, 0.5, generator=draw)
            part.running_var.uniform_(0.2, 3, generator=draw)
            if part.affine:
                nn.init.uniform_(part.weight, 0.5, 1.5, generator=draw)
                nn.init.normal_(part.bias, generator=draw)
    return model.eval()


def compiled(name: str, **parameters: Any) -> nn.Module:
    return lived_in(archdsl.compile(f"{ROOT / 'specs'}/{name}", **parameters))


def same(model: nn.Module, optimized: nn.Module, *inputs: Tensor) -> None:
    """The same outputs in double precision, where only a mistake is as large as 1e-9."""
    double = [x.double() if x.is_floating_point() else x for x in inputs]
    with torch.no_grad():
        expected = copy.deepcopy(model).eval().double()(*double)
        found = copy.deepcopy(optimized).double()(*double)
    assert_close(found, expected, rtol=1e-6, atol=1e-9)


def both(model: nn.Module, *example: Tensor) -> fx.GraphModule:
    """Optimize, and hold the result to the model at the example."""
    optimized = archdsl.optimize(
        model.double(), tuple(x.double() if x.is_floating_point() else x for x in example)
    )
    same(model, optimized, *example)
    assert isinstance(optimized, fx.GraphModule)
    return optimized


def norms(optimized: nn.Module) -> int:
    return sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in optimized.modules())


# The networks of the zoo --------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "size", "left"),
    [
        ("resnet.arch:resnet18", 64, 0),
        ("resnet.arch:resnet20", 8, 0),
        ("resnet.arch:resnext50_32x4d", 64, 0),
        ("densenet.arch:densenet121", 64, 62),  # the norm before a convolution cannot be folded
        ("mobilenet.arch:mobilenet_v2", 64, 0),
        ("efficientnet.arch:efficientnet_b0", 64, 0),
    ],
)
def test_batch_norms_are_folded_and_the_outputs_stay(name: str, size: int, left: int) -> None:
    model = compiled(name)
    optimized = both(model, torch.randn(1, 3, size, size))
    assert norms(optimized) == left < norms(model)
    same(model, optimized, torch.randn(3, 3, size + 32, size))


@pytest.mark.parametrize(
    ("name", "example"),
    [
        ("siamese.arch:siamese", None),
        ("recurrent.arch:lstm_classifier", torch.randn(2, 7, 16)),
        ("gpt.arch:gpt_tiny", torch.randint(96, (2, 11))),
        ("unet.arch:unet", None),
    ],
)
def test_networks_with_parts_that_are_no_simple_layers(name: str, example: Tensor | None) -> None:
    model = compiled(name, **({"base": 8} if "unet" in name else {}))
    inputs: tuple[Tensor, ...] = () if example is None else (example,)
    if "siamese" in name:
        shapes = archdsl.check(f"{ROOT / 'specs'}/{name}").inputs
        assert len(shapes) == 2
        inputs = (torch.randn(1, 1, 105, 105), torch.randn(1, 1, 105, 105))
    elif "unet" in name:
        inputs = (torch.randn(1, 1, 188, 188),)
    optimized = archdsl.optimize(model, inputs)
    same(model, optimized, *inputs)


# What may be folded, and what not -----------------------------------------------------


def network(body: str) -> nn.Module:
    """A module whose forward is the body's last line; the lines before it make the layers."""
    *made, result = [line.strip() for line in body.strip().splitlines()]
    text = ["class Net(nn.Module):", "    def __init__(self):", "        super().__init__()"]
    text += [f"        self.{line}" for line in made]
    text += ["    def forward(self, x):", *[f"        {line}" for line in result.split("; ")]]
    names: dict[str, Any] = {"nn": nn, "F": F, "torch": torch}
    exec("\n".join(text), names)
    return lived_in(names["Net"]())


@pytest.mark.parametrize(
    ("shape", "layer", "norm"),
    [
        ((2, 4, 9), "Conv1d(4, 6, 3)", "BatchNorm1d(6)"),
        ((2, 4, 9, 8), "Conv2d(4, 6, 3, groups=2, bias=False)", "BatchNorm2d(6, affine=False)"),
        ((2, 4, 5, 6, 7), "Conv3d(4, 6, 3)", "BatchNorm3d(6)"),
        ((2, 4, 9), "ConvTranspose1d(4, 6, 3)", "BatchNorm1d(6)"),
        ((2, 4, 9, 8), "ConvTranspose2d(4, 6, 3, stride=2)", "BatchNorm2d(6)"),
        ((5, 4), "Linear(4, 6)", "BatchNorm1d(6)"),
    ],
)
def test_a_norm_is_folded_into_the_layer_before_it(
    shape: tuple[int, ...], layer: str, norm: str
) -> None:
    model = network(f"a = nn.{layer}\nb = nn.{norm}\nreturn torch.relu(self.b(self.a(x)))")
    assert norms(both(model, torch.randn(shape))) == 0


@pytest.mark.parametrize(
    ("shape", "body"),
    [
        # the norm's channels are the first axis, not the features
        ((5, 6, 4), "a = nn.Linear(4, 6)\nb = nn.BatchNorm1d(6)\nreturn self.b(self.a(x))"),
        # somebody else reads what the layer gives
        (
            (2, 3, 8, 8),
            "a = nn.Conv2d(3, 4, 3)\nb = nn.BatchNorm2d(4)\ny = self.a(x); return self.b(y) + y",
        ),
        # the statistics are those of the batch
        (
            (2, 3, 8, 8),
            """a = nn.Conv2d(3, 4, 3)
            b = nn.BatchNorm2d(4, track_running_stats=False)
            return self.b(self.a(x))""",
        ),
        # the weight has no axis of the output's channels
        (
            (2, 4, 8, 8),
            """a = nn.ConvTranspose2d(4, 6, 3, groups=2)
            b = nn.BatchNorm2d(6)
            return self.b(self.a(x))""",
        ),
        (
            (5, 4),
            "a = nn.Linear(4, 6)\nb = nn.BatchNorm1d(6, affine=False)\nreturn self.b(self.a(x))",
        ),
    ],
)
def test_a_norm_stays_where_folding_would_be_wrong(shape: tuple[int, ...], body: str) -> None:
    assert norms(both(network(body), torch.randn(shape))) == 1


def test_a_layer_that_is_called_twice_is_folded_for_each_call_alone() -> None:
    once = """
        a = nn.Conv2d(3, 3, 3)
        b = nn.BatchNorm2d(3)
        return self.a(self.b(self.a(x)))
    """
    assert norms(both(network(once), torch.randn(1, 3, 9, 9))) == 0
    twice = """
        a = nn.Conv2d(3, 3, 3)
        b = nn.BatchNorm2d(3)
        c = nn.BatchNorm2d(3)
        return self.c(self.a(self.b(self.a(self.b(self.a(x))))))
    """
    optimized = both(network(twice), torch.randn(1, 3, 9, 9))
    assert norms(optimized) == 0
    assert len(list(optimized.parameters())) == 4  # a with b, which both calls share; a with c


def test_weights_that_two_layers_share() -> None:
    model = network("""
        a = nn.Conv2d(3, 3, 3)
        c = nn.Conv2d(3, 3, 3)
        b = nn.BatchNorm2d(3)
        return self.c(self.b(self.a(x)))
    """)
    model.get_submodule("c").weight = model.get_parameter("a.weight")
    assert norms(both(model, torch.randn(1, 3, 9, 9))) == 0


@pytest.mark.parametrize("idle", ["Identity()", "Dropout(0.5)", "Dropout2d(0.9)", "AlphaDropout()"])
def test_what_is_idle_in_evaluation_is_left_out(idle: str) -> None:
    model = network(f"a = nn.Conv2d(3, 4, 3)\nd = nn.{idle}\nreturn self.d(self.a(x))")
    optimized = both(model, torch.randn(1, 3, 8, 8))
    assert not list(optimized.children())


# Memory ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "body",
    [
        "a = nn.ReLU()\nreturn self.a(x)",
        "a = nn.Identity()\nreturn torch.relu(self.a(x))",
        "a = nn.Flatten()\nreturn torch.relu(self.a(x))",
        "a = nn.Conv2d(3, 3, 1)\nreturn torch.relu(x) + self.a(x)",
        "a = nn.Conv2d(3, 3, 1)\nreturn x + x.view(-1, 3, 8, 8)",
    ],
)
def test_the_input_is_never_written_to(body: str) -> None:
    optimized = both(network(body), torch.randn(1, 3, 8, 8))
    x = torch.randn(1, 3, 8, 8).double()
    before = x.clone()
    optimized(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    "result",
    [
        "y = self.a(x); return torch.relu(y) + y",
        "y = self.a(x); z = y[:, :2]; return torch.relu(y)[:, 1:], z",
        "y = self.a(x); z = y.flatten(1); return torch.relu(z), y",
        "y = self.a(x); return y, torch.relu(y)",
        "y = self.a(x); z = torch.relu(y); return z + self.a(x) + z",
        "y = self.a(x); return F.silu(y) + F.leaky_relu(self.a(x), 0.2) + F.elu(self.a(y))",
        "y = self.a(x); return torch.sigmoid(y.tanh() + y.mean((2, 3), keepdim=True))",
        "y = torch.cat([self.a(x)], 1); return torch.relu(y) + y",
        "y = self.a(x); return torch.relu(self.a.bias).sum() + y",
        "y = self.a(x).mean((2, 3), keepdim=True) * 2; return y + self.a(x)",
        "y = self.a(x); z = F.relu(y, inplace=True); return y + z",
    ],
)
def test_what_is_read_again_is_not_overwritten(result: str) -> None:
    optimized = both(network(f"a = nn.Conv2d(3, 3, 1)\n{result}"), torch.randn(1, 3, 8, 8))
    weights = {name: t.clone() for name, t in optimized.state_dict().items()}
    optimized(torch.randn(1, 3, 8, 8).double())
    assert_close(dict(optimized.state_dict()), weights, rtol=0, atol=0)


def test_what_no_one_reads_is_overwritten() -> None:
    model = network("""
        a = nn.Conv2d(3, 3, 1)
        n = nn.BatchNorm2d(3)
        act = nn.LeakyReLU(0.1)
        return self.act(self.n(torch.relu(x))) + torch.relu(self.a(x))
    """)
    code = both(model, torch.randn(1, 3, 8, 8)).code
    assert "torch.relu_(conv2d" in code
    assert "leaky_relu(n, 0.1, True)" in code
    assert "add_into(" in code


def test_a_sum_that_is_larger_than_its_terms_at_another_size() -> None:
    model = network("""
        a = nn.Conv2d(3, 3, 1)
        p = nn.AdaptiveAvgPool2d(1)
        return self.a(self.p(x)) + self.a(x)
    """)
    optimized = both(model, torch.randn(1, 3, 1, 1))  # where both terms have one shape
    same(model, optimized, torch.randn(2, 3, 5, 4))


def test_two_dimensional_convolutions_run_channels_last_unless_in_groups() -> None:
    x = torch.randn(1, 4, 8, 8)

    def layout(groups: int, **choice: Any) -> tuple[bool, bool]:
        model = nn.Sequential(nn.Conv2d(4, 8, 3, groups=groups), nn.ReLU())
        optimized = archdsl.optimize(model, x, **choice)
        weight, result = next(optimized.parameters()), optimized(x)
        return tuple(  # type: ignore[return-value]
            t.is_contiguous(memory_format=torch.channels_last) for t in (weight, result)
        )

    assert layout(1) == (True, True)
    assert layout(2) == (False, False)
    assert layout(2, channels_last=True) == (True, True)
    assert layout(1, channels_last=False) == (False, False)


def test_a_layer_that_needs_its_input_in_order_gets_it_so() -> None:
    model = network("a = nn.Conv2d(3, 4, 3)\nreturn self.a(x).view(-1)")
    optimized = both(model, torch.randn(1, 3, 8, 8))
    assert next(optimized.parameters()).is_contiguous()


# The model ------------------------------------------------------------------------------


def test_the_model_stays_as_it_is() -> None:
    model = compiled("resnet.arch:resnet20").double().train()
    before = copy.deepcopy(model.state_dict())
    x = torch.randn(2, 3, 8, 8).double()
    optimized = archdsl.optimize(model, x)
    assert model.training
    assert all(p.requires_grad for p in model.parameters())
    assert_close(dict(model.state_dict()), dict(before), rtol=0, atol=0)
    same(model, optimized, x)
    own = {t.data_ptr() for t in model.state_dict().values()}
    assert own.isdisjoint(t.data_ptr() for t in optimized.state_dict().values())
    assert not optimized(x).requires_grad


def test_the_generator_of_random_numbers_stays_where_it_is() -> None:
    model = nn.Linear(3, 4)
    before = torch.random.get_rng_state()
    archdsl.optimize(model, torch.ones(1, 3))
    assert torch.equal(before, torch.random.get_rng_state())


class Pair(NamedTuple):
    sum: Tensor
    product: Tensor


class Two(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(3, 4), nn.Linear(2, 4)

    def forward(self, x: Tensor, y: Tensor) -> Pair:
        one, other = self.left(x), self.right(y)
        return Pair(one + other, one * other)


@pytest.mark.parametrize("form", [tuple, list, lambda pair: dict(zip("xy", pair, strict=True))])
def test_several_inputs_and_named_outputs(form: Callable[[Any], Any]) -> None:
    model, inputs = Two(), (torch.randn(5, 3), torch.randn(5, 2))
    optimized = archdsl.optimize(model, form(inputs))
    found = optimized(*inputs)
    assert type(found) is Pair
    assert_close(found, model(*inputs))
    same(model, optimized, torch.randn(7, 3), torch.randn(7, 2))


def test_it_is_copied_saved_and_moved_like_a_module() -> None:
    model, x = compiled("resnet.arch:resnet20"), torch.randn(1, 3, 8, 8)
    optimized = archdsl.optimize(model, x)
    for again in (pickle.loads(pickle.dumps(optimized)), copy.deepcopy(optimized)):
        assert torch.equal(again(x), optimized(x))
    assert_close(optimized.to(torch.bfloat16)(x.bfloat16()).float(), model(x), rtol=0.1, atol=0.1)


class Scanning(nn.Module):
    """Its steps are as many as the input has."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.Linear(4, 4)

    def forward(self, x: Tensor) -> Tensor:
        total = torch.zeros_like(x[:, 0])
        for step in x.unbind(1):
            total = torch.tanh(self.cell(step + total))
        return total


def test_a_part_that_cannot_be_traced_runs_as_it_did() -> None:
    model = lived_in(nn.Sequential(Scanning(), nn.Linear(4, 5), nn.BatchNorm1d(5)))
    optimized = both(model, torch.randn(3, 6, 4))
    assert norms(optimized) == 0
    same(model, optimized, torch.randn(3, 9, 4))


def test_a_model_that_cannot_be_traced_comes_back_with_a_warning() -> None:
    model = Scanning()
    with pytest.warns(UserWarning, match="cannot be traced"):
        optimized = archdsl.optimize(model, torch.randn(3, 6, 4))
    assert optimized is not model
    same(model, optimized, torch.randn(3, 9, 4))


def test_a_part_with_hooks_is_left_alone() -> None:
    seen: list[int] = []
    model = lived_in(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3)))
    model.get_submodule("0").register_forward_hook(lambda *_: seen.append(1))
    optimized = archdsl.optimize(model, torch.randn(1, 3, 8, 8))
    seen.clear()
    same(model, optimized, torch.randn(1, 3, 8, 8))
    assert len(seen) == 2  # the model's and the optimized one's
    assert norms(optimized) == 1


# What is refused ------------------------------------------------------------------------


def refusal(model: nn.Module, example: Any, **choices: Any) -> str:
    with pytest.raises(ArchError) as caught:
        archdsl.optimize(model, example, **choices)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "not-optimized"
    return str(diagnostic)


class Choosing(nn.Module):
    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        return x if mask is None else x * mask


def test_an_example_that_does_not_fit() -> None:
    assert "does not run on the example" in refusal(nn.Linear(3, 4), torch.ones(1, 5))
    assert "too many positional arguments" in refusal(nn.Linear(3, 4), (torch.ones(3),) * 2)
    assert "missing a required argument" in refusal(Two(), torch.ones(1, 3))
    assert "no tensor" in refusal(nn.Linear(3, 4), "image.png")
    assert "no value for mask" in refusal(Choosing(), torch.ones(3))


def test_hooks_on_the_model_itself() -> None:
    model = nn.Linear(3, 4)
    model.register_forward_hook(lambda *_: None)
    assert "register hooks after" in refusal(model, torch.ones(1, 3))


def test_a_wrong_result_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    def spoil(traced: fx.GraphModule, arguments: object) -> None:
        for weight in traced.parameters():
            weight.mul_(1.001)

    monkeypatch.setattr(torch_optimize, "fold_batch_norms", spoil)
    said = refusal(nn.Linear(3, 4), torch.ones(1, 3))
    assert "does not give the outputs of the model" in said
    assert "differs by" in said


# Compiled -------------------------------------------------------------------------------

FREEZE = """
import torch
import archdsl
model = archdsl.compile("specs/lenet.arch:lenet5")
x = torch.randn(2, 1, 32, 32)
try:
    frozen = archdsl.optimize(model, x, freeze=True)
except archdsl.ArchError as error:
    print(error)
else:
    torch.testing.assert_close(frozen(x), model.eval()(x).detach(), rtol=1e-4, atol=1e-5)
    print("same", frozen(x).requires_grad)
"""


def run_frozen(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FREEZE],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_frozen_model_gives_the_same(tmp_path: Path) -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        pytest.skip("there is no C++ compiler")
    assert run_frozen(TORCHINDUCTOR_CACHE_DIR=str(tmp_path)) == "same False\n"


def test_freezing_without_a_compiler_says_what_it_needs(tmp_path: Path) -> None:
    said = run_frozen(CXX=str(tmp_path / "none"), TORCHINDUCTOR_CACHE_DIR=str(tmp_path))
    assert "error[not-optimized]" in said
    assert "C++ compiler" in said
    assert "Traceback" not in said


def test_no_warning_on_the_way() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        archdsl.optimize(compiled("resnet.arch:resnet20"), torch.randn(1, 3, 8, 8))


def test_weights_are_constants_to_all_of_torch_compile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dynamo takes them for inputs unless it is told before, and half of the gain is lost."""
    asked: list[bool] = []

    def as_if_compiled(module: nn.Module) -> Any:
        def run(*args: Any) -> Any:
            asked.append(is_parameter_freezing())
            return module(*args)

        return run

    monkeypatch.setattr(torch, "compile", as_if_compiled)
    model = archdsl.compile(archdsl.loads("network n { input x: [4]\n linear(3) }"))
    archdsl.optimize(model, torch.randn(2, 4), freeze=True)
    assert asked == [True]
    assert not torch._inductor.config.freezing
