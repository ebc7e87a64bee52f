"""What PyTorch does to modules, it can do to ours: compile, export, trace, copy, hooks."""

from __future__ import annotations

import copy
import inspect
import pickle
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archdsl

SPECS = Path(__file__).resolve().parents[1] / "specs"


@dataclass(frozen=True)
class Case:
    """A network of the zoo, with parameters and inputs that keep it small."""

    target: str
    sizes: tuple[tuple[int, ...], ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    indices: int = 0

    def module(self) -> nn.Module:
        torch.manual_seed(0)
        file, _, name = self.target.partition(":")
        return archdsl.compile(f"{SPECS / file}.arch:{name}", **self.parameters).eval()

    def inputs(self, batch: int = 2) -> tuple[Tensor, ...]:
        torch.manual_seed(1)
        if self.indices:
            return tuple(torch.randint(0, self.indices, (batch, *size)) for size in self.sizes)
        return tuple(torch.randn(batch, *size) for size in self.sizes)


CASES = {
    "resnet18": Case("resnet:resnet18", ((3, 32, 32),)),
    "densenet": Case("densenet:densenet", ((3, 32, 32),), {"depths": [2, 3, 2, 2], "growth": 8}),
    "googlenet": Case("googlenet:googlenet", ((3, 32, 32),)),
    "unet": Case("unet:unet_same", ((1, 32, 32),), {"base": 8, "depth": 3}),
    "vit": Case(
        "vit:vit",
        ((3, 32, 32),),
        {"patch": 8, "width": 16, "depth": 2, "heads": 2, "size": 32, "classes": 5},
    ),
    "lstm": Case("recurrent:lstm_classifier", ((7, 16),)),
    "scan": Case("recurrent:lstm_written_out", ((5, 16),), {"width": 8}),
    "wide_and_deep": Case("wide_and_deep:wide_and_deep", ((5,), (6,))),
    "gpt": Case("gpt:gpt", ((9,),), {"layers": 2, "heads": 2, "width": 16, "vocabulary": 50}, 50),
}
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def tensors(given: Any) -> list[Tensor]:
    return list(given) if isinstance(given, tuple) else [given]


def assert_same(one: Any, other: Any) -> None:
    for left, right in zip(tensors(one), tensors(other), strict=True):
        torch.testing.assert_close(left, right)


@contextmanager
def recurrent_layers() -> Iterator[None]:
    """torch asks to be told before it compiles its own LSTM and GRU."""
    config: Any = torch._dynamo.config
    with config.patch(**{"allow_rnn": True} if hasattr(config, "allow_rnn") else {}):
        yield


@each_case
@torch.no_grad()
def test_compiled_without_a_break(case: Case) -> None:
    module, given = case.module(), case.inputs()
    torch._dynamo.reset()
    with recurrent_layers():
        compiled = torch.compile(module, fullgraph=True, backend="eager")
        assert_same(compiled(*given), module(*given))


@pytest.mark.parametrize("name", ["densenet", "unet", "gpt", "vit"])
def test_compiled_for_training(name: str) -> None:
    """With the backward pass traced ahead of time, as a training run has it."""
    case = CASES[name]
    module, given = case.module().train(), case.inputs()
    torch._dynamo.reset()
    results = tensors(torch.compile(module, fullgraph=True, backend="aot_eager")(*given))
    torch.stack([y.sum() for y in results]).sum().backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None for p in module.parameters())


@each_case
def test_exported_for_any_batch(case: Case) -> None:
    module, given = case.module(), case.inputs()
    batch = torch.export.Dim("batch", min=2, max=64)
    exported = torch.export.export(module, given, dynamic_shapes=tuple({0: batch} for _ in given))
    for count in (2, 5):
        again = case.inputs(count)
        assert_same(exported.module()(*again), module(*again))


@each_case
def test_traced(case: Case) -> None:
    module, given = case.module(), case.inputs()
    with torch.no_grad():
        traced = torch.jit.trace(module, given)  # type: ignore[no-untyped-call]
        again = tuple(x.clone() for x in given) if case.indices else case.inputs()
        assert_same(traced(*again), module(*again))


@each_case
def test_copied_pickled_and_restored(case: Case) -> None:
    module, given = case.module(), case.inputs()
    twin = copy.deepcopy(module)
    for parameter in twin.parameters():
        parameter.data.add_(1)
    assert not any(
        torch.equal(p, q) for p, q in zip(module.parameters(), twin.parameters(), strict=True)
    )
    twin.load_state_dict(module.state_dict(), strict=True)
    unpacked = pickle.loads(pickle.dumps(module))
    anew = archdsl_again(case, module)
    with torch.no_grad():
        for other in (twin, unpacked, anew):
            assert_same(other(*given), module(*given))
            assert sum(p.numel() for p in other.parameters()) == sum(
                p.numel() for p in module.parameters()
            )


def archdsl_again(case: Case, module: nn.Module) -> nn.Module:
    """The same network compiled with the weights of a first one."""
    file, _, name = case.target.partition(":")
    target = f"{SPECS / file}.arch:{name}"
    made = archdsl.compile(target, weights=module.state_dict(), **case.parameters)
    return made.eval()


@each_case
def test_its_source_is_at_hand(case: Case) -> None:
    module = case.module()
    for kind in {
        type(m) for m in module.modules() if type(m).__module__ == type(module).__module__
    }:
        assert inspect.getsource(kind).startswith(f"class {kind.__name__}(")
    assert inspect.getsource(type(module)) in inspect.getsource(inspect.getmodule(module) or object)


def test_a_traceback_shows_the_line_at_fault() -> None:
    module = CASES["resnet18"].module()
    with pytest.raises(RuntimeError) as caught:
        module(torch.randn(2, 4, 32, 32))
    frames = traceback.extract_tb(caught.value.__traceback__)
    ours = [f for f in frames if f.filename.startswith("<archdsl ")]
    assert "self.conv1(" in (ours[-1].line or "")


def test_hooks_see_every_module() -> None:
    module, given = CASES["unet"].module(), CASES["unet"].inputs()
    seen: list[str] = []

    def noting(name: str) -> Callable[..., None]:
        return lambda *_: seen.append(name)

    for name, part in module.named_modules():
        part.register_forward_hook(noting(name))
    module(*given)
    assert sorted(seen) == sorted(name for name, _ in module.named_modules())


def test_it_moves_and_casts_as_a_whole() -> None:
    for name in ("gpt", "vit", "scan", "lstm"):
        case = CASES[name]
        module = case.module().double()
        given = tuple(x if case.indices else x.double() for x in case.inputs())
        assert all(y.dtype == torch.float64 for y in tensors(module(*given)))
        assert all(p.is_meta for p in module.to("meta").parameters())
