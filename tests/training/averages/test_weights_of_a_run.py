"""Which weights a run begins with and gives, and what it leaves of a network when it fails."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset

import archdsl
from archdsl.compiler import recipe
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.another import another
from archdsl.training.curves import draw_curves
from archdsl.training.trainer import Interrupted

TEXT = """
network net {
    input x: [4]
    hidden: linear(8)
    last: linear(3)
    x -> hidden -> relu -> last
}
train {
    loss: cross_entropy
    metrics: accuracy
    optimizer: sgd(0.05)
    epochs: 3
    batch_size: 16
    data: iris
    SETTINGS
}
"""


def made(*settings: str) -> Any:
    return archdsl.compile(archdsl.loads(TEXT.replace("SETTINGS", "\n    ".join(settings))))


def fit(model: nn.Module, data: object = None, **more: Any) -> Any:
    return archdsl.fit(model, data, progress=False, accelerator="cpu", **more)


def state_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in network.state_dict().items()}


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[n], second[n]) for n in first)


# What it begins with ----------------------------------------------------------------------


def test_weights_that_are_given_are_not_initialized_over() -> None:
    model, other = made("initialize: zeros(weights)"), made()
    slow = recipe(archdsl.loads(TEXT.replace("SETTINGS", "").replace("0.05", "1e-30")))
    still = model.recipe.replace(epochs=1, optimizer=slow.optimizer)
    fit(model, recipe=still, weights=other)
    assert same(state_of(model), state_of(other))
    fit(model, recipe=still)
    assert not model.hidden.weight.any()


def test_an_ensemble_leaves_the_network_that_is_given(capsys: pytest.CaptureFixture[str]) -> None:
    model, other = made("ensemble: 2"), made()
    before = state_of(model)
    outcome = fit(model, weights=other)
    assert same(state_of(model), before)
    assert all(member is not model for member in outcome.network.members)
    assert capsys.readouterr().err.count("4 of 4") == 1


class Scaled(nn.Module):
    """A network whose constructor takes something."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.norm = nn.Linear(4, width), nn.BatchNorm1d(width)
        self.mixed = nn.MultiheadAttention(width, 2, batch_first=True)
        self.last = nn.Linear(width, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.norm(self.first(x))[:, None]
        scores: Tensor = self.last(self.mixed(hidden, hidden, hidden)[0][:, 0])
        return scores


def test_members_are_of_the_kind_of_what_is_given() -> None:
    wanted = made("ensemble: 2").recipe
    for model in (nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 3)), Scaled(4)):
        before = state_of(model)
        outcome = fit(model, recipe=wanted.replace(epochs=1))
        first, second = (state_of(member) for member in outcome.network.members)
        assert first.keys() == second.keys() == before.keys()
        assert not any(torch.equal(first[n], second[n]) for n in first if n.endswith("t.weight"))
        assert same(state_of(model), before)


def test_another_is_drawn_as_the_first_was() -> None:
    torch.manual_seed(5)
    model = Scaled(6)
    with torch.no_grad():
        model.get_buffer("norm.running_mean").fill_(3.0)
        for p in model.parameters():
            p.fill_(9.0)
    found = another(model)
    assert not found.get_parameter("first.weight").eq(9).any()
    assert found.get_parameter("first.weight").abs().max() <= 0.5  # 1 / sqrt(4)
    assert not found.get_buffer("norm.running_mean").any()
    assert not found.get_parameter("mixed.out_proj.bias").any()  # as attention has it
    assert model.first.weight.eq(9).all()


def test_what_cannot_be_reset_is_refused() -> None:
    class Own(nn.Module):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.own = nn.Parameter(torch.ones(size))

    with pytest.raises(ArchError, match="Own cannot be reset"):
        another(nn.Sequential(nn.Linear(3, 3), Own(3)))


# What it gives ----------------------------------------------------------------------------


@pytest.mark.parametrize("settings", [("early_stopping: 2",), ("monitor: val_accuracy",)])
def test_what_is_told_is_of_the_epoch_whose_weights_are_given(
    settings: tuple[str, ...], tmp_path: Path
) -> None:
    # so long a step that the loss does not fall from epoch to epoch
    text = TEXT.replace("SETTINGS", settings[0]).replace("0.05", "0.9").replace(": 3\n", ": 12\n")
    outcome = fit(archdsl.compile(archdsl.loads(text)), folder=tmp_path / "run")
    values = [row["val_loss"] for row in outcome.rows]
    if "accuracy" in settings[0]:
        values = [-row["val_accuracy"] for row in outcome.rows]
    best = values.index(min(values))
    assert best + 1 < len(values)  # else the last epoch's would do
    told = json.loads((tmp_path / "run" / "result.json").read_text())
    row = outcome.rows[best]
    assert told["best epoch"] == outcome.best_epoch == best + 1
    assert told["val"]["loss"] == pytest.approx(row["val_loss"])
    assert told["val"]["accuracy"] == pytest.approx(row["val_accuracy"])
    assert told["train"]["loss"] == pytest.approx(row["train_loss"])
    # the weights are those: measured here, they give what is told
    (x,), (y,) = outcome.data.samples("validation")
    with torch.no_grad():
        loss = nn.functional.cross_entropy(outcome.network(x), y)
    assert told["val"]["loss"] == pytest.approx(float(loss), rel=1e-4)


def test_a_resumed_run_tells_of_the_same_epoch(tmp_path: Path) -> None:
    text = TEXT.replace("SETTINGS", "monitor: val_loss").replace("0.05", "0.9")
    whole = text.replace(": 3\n", ": 8\n")
    runs = [(whole, "whole", False), (text, "run", False), (whole, "run", True)]
    for spec, name, resume in runs:
        torch.manual_seed(0)
        model = archdsl.compile(archdsl.loads(spec))
        outcome = fit(model, folder=tmp_path / name, resume=resume)
    results = [(tmp_path / name / "result.json").read_text() for name in ("whole", "run")]
    assert results[0] == results[1]
    assert outcome.best_epoch is not None


def test_the_curves_of_folds_have_the_metrics_of_the_recipe(tmp_path: Path) -> None:
    outcome = fit(made("folds: 2", "split: (1, 0, 0)"), folder=tmp_path / "run")
    drawn = (tmp_path / "run" / "curves.svg").read_text()
    assert drawn == draw_curves(outcome.rows, ["accuracy"])
    assert drawn != draw_curves(outcome.rows)


# What it leaves when it fails -------------------------------------------------------------


class Ending(IterableDataset[Any]):
    """A batch, and then an error."""

    def __init__(self, end: BaseException) -> None:
        self.end = end

    def __iter__(self) -> Iterator[Any]:
        yield torch.randn(8, 4), torch.randint(3, (8,))
        raise self.end


@pytest.mark.parametrize(
    ("data", "more", "error"),
    [
        (Ending(KeyboardInterrupt()), {}, Interrupted),
        (Ending(ArchError([Diagnostic("bad-data", "no more")])), {}, ArchError),
        ("iris", {"devices": 0}, ArchError),
    ],
)
def test_a_run_that_fails_leaves_the_network_as_it_was(
    data: object, more: dict[str, Any], error: type[Exception]
) -> None:
    model = made("reparametrize: product(last)", "freeze: hidden")
    names = set(model.state_dict())
    given = DataLoader(data, batch_size=None) if isinstance(data, Ending) else data
    with pytest.raises(error):
        fit(model, given, **more)
    assert set(model.state_dict()) == names
    assert all(p.requires_grad for p in model.parameters())
    before = state_of(model)
    fit(model, recipe=made().recipe)
    after = state_of(model)
    assert not any(torch.equal(before[name], after[name]) for name in names)
