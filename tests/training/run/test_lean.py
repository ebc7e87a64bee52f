"""A lean module is the same module, at less cost."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from archdsl.training.lean import lean
from archdsl.training.trainer import RunSettings, fit, make_trainer
from tests.training.run import toy


def searches(module: Any, monkeypatch: pytest.MonkeyPatch, size: int) -> int:
    """How often a run sets an attribute in torch's way."""
    found = []
    original = nn.Module.__setattr__

    def counting(self: nn.Module, name: str, value: Any) -> None:
        found.append(name)
        original(self, name, value)

    x, y = toy.data()
    with monkeypatch.context() as patched:
        patched.setattr(nn.Module, "__setattr__", counting)
        run = RunSettings(epochs=1, accelerator="cpu", progress=False)
        fit(make_trainer(run), module, toy.Batches(x, y, size))
    return len(found)


def test_a_step_sets_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    made = lean(toy.Toy)
    few, many = (searches(made(schedule="none"), monkeypatch, size) for size in (8, 2))
    assert many == few  # 48 steps, and 12
    few, many = (searches(toy.Toy(schedule="none"), monkeypatch, size) for size in (8, 2))
    assert many > few + 20 * (48 - 12)  # what it is for


def test_it_learns_the_same() -> None:
    x, y = toy.data()
    weights = []
    for made in (toy.Toy, lean(toy.Toy)):
        module = made(schedule="none")
        run = RunSettings(epochs=2, accelerator="cpu", progress=False)
        fit(make_trainer(run), module, toy.Batches(x, y, 16))
        weights.append(module.state_dict())
    one, other = weights
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_parameters_and_modules_are_set_as_ever() -> None:
    class Small(nn.Module):
        """A small one."""

        def __init__(self) -> None:
            super().__init__()
            self.weight: nn.Parameter | None = nn.Parameter(torch.zeros(2))
            self.part: nn.Module | None = nn.Linear(1, 1)
            self.register_buffer("seen", torch.zeros(1))
            self.note: Any = "a"

    small = lean(Small)()
    assert (type(small).__name__, type(small).__doc__) == ("Small", "A small one.")
    small.weight = small.part = None
    small.register_buffer("seen", None)
    assert list(small.state_dict()) == []
    assert "weight" in small._parameters
    assert "part" in small._modules
    small.note = "b"
    assert small.note == "b"
    small.note = nn.Linear(1, 1)
    assert list(small.state_dict()) == ["note.weight", "note.bias"]
    with pytest.raises(TypeError):
        small.note = "a module is there"
