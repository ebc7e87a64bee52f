"""Ensembles and folds as whole runs on real data: their members, their scores, their folders."""

import json
import statistics
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sklearn.metrics import accuracy_score, log_loss
from torch import nn

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.training.data import Data
from archdsl.training.ensemble import Ensemble, members_in
from archdsl.training.experiment import Experiment, run
from archdsl.training.fit import Machine, Outcome
from archdsl.training.folds import deviation_of
from tests.training.harness import recipe_of

TEXT = """
network iris {
    input x: [4]
    x -> linear(8) -> relu -> dropout(0.2) -> linear(3)
}
train {
    loss: cross_entropy + 1e-3 * l2(weights)
    optimizer: adam(0.03)
    epochs: 4
    batch_size: 32
    data: iris
    normalize: standard
    split: (0.5, 0.1, 0.4)
    SETTINGS
}
"""


def text(*settings: str) -> str:
    return TEXT.replace("SETTINGS", "\n    ".join(settings))


def trained(spec: str, folder: Path | None = None, **machine: bool) -> tuple[Outcome, Data]:
    settings = Machine(folder=folder, progress=False, accelerator="cpu", **machine)  # type: ignore[arg-type]  # flags
    experiment = Experiment(recipe_of(spec), machine=settings)
    return run(experiment, lambda: archdsl.compile(archdsl.loads(spec))), experiment.open()


def scores(network: nn.Module, data: Data) -> dict[str, float]:
    """What scikit-learn says of a network's probabilities for the test part."""
    (x,), (y,) = data.samples("test")
    with torch.no_grad():
        shares = network.eval()(x).softmax(1).double()
    shares /= shares.sum(1, keepdim=True)
    return {
        "loss": log_loss(y, shares, labels=range(3)),
        "accuracy": accuracy_score(y, shares.argmax(1)),
    }


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Data, Path]:
    folder = tmp_path_factory.mktemp("ensemble") / "run"
    return *trained(text("ensemble: 3"), folder), folder


def test_what_is_told_is_of_the_ensemble_and_of_each_member(
    ensemble: tuple[Outcome, Data, Path],
) -> None:
    outcome, data, _ = ensemble
    assert isinstance(outcome.network, Ensemble)
    members = [scores(member, data) for member in outcome.network.members]
    assert outcome.test["accuracy"] == pytest.approx(scores(outcome.network, data)["accuracy"])
    assert outcome.test["loss"] == pytest.approx(scores(outcome.network, data)["loss"], rel=1e-4)
    for index, member in enumerate(members):
        found = outcome.extra[f"member-{index + 1}"]
        assert found["accuracy"] == pytest.approx(member["accuracy"])
        assert found["loss"] == pytest.approx(member["loss"], rel=1e-4)
    mean = outcome.extra["mean of members"]
    assert mean["loss"] == pytest.approx(statistics.mean(m["loss"] for m in members), rel=1e-4)
    # as the logarithm is concave, the mean of probabilities is never worse than the members' mean
    assert outcome.test["loss"] <= mean["loss"]


def test_a_member_is_what_its_seed_alone_gives(ensemble: tuple[Outcome, Data, Path]) -> None:
    outcome, _, _ = ensemble
    assert isinstance(outcome.network, Ensemble)
    first, second, third = (m.state_dict() for m in outcome.network.members)
    assert not torch.equal(first["linear1.weight"], second["linear1.weight"])
    assert not torch.equal(second["linear1.weight"], third["linear1.weight"])
    alone, _ = trained(text())
    for name, value in alone.network.state_dict().items():
        assert torch.equal(value, first[name])


def test_every_member_has_a_folder_and_the_ensemble_its_weights(
    ensemble: tuple[Outcome, Data, Path],
) -> None:
    outcome, data, folder = ensemble
    for name in ("member-1", "member-2", "member-3"):
        assert (folder / name / "weights.safetensors").is_file()
        told = json.loads((folder / name / "result.json").read_text())["test"]
        assert told["loss"] == pytest.approx(outcome.extra[name]["loss"])
    assert json.loads((folder / "result.json").read_text())["test"] == pytest.approx(outcome.test)
    again = members_in(
        outcome.recipe,
        load_file(folder / "weights.safetensors"),
        lambda state: archdsl.compile(archdsl.loads(text()), weights=state),
    )
    (x,), _ = data.samples("test")
    assert torch.equal(again.eval()(x), outcome.network(x))


def test_a_resumed_ensemble_is_the_same(
    ensemble: tuple[Outcome, Data, Path], tmp_path: Path
) -> None:
    """As if it had been broken off in the second member, after its second epoch."""
    outcome, _, _ = ensemble
    spec, folder = text("ensemble: 3"), tmp_path / "run"
    recipe = recipe_of(spec)
    fresh = lambda: archdsl.compile(archdsl.loads(spec))  # noqa: E731
    machine = Machine(folder=folder, progress=False, accelerator="cpu")
    broken = Broken(1, 2)
    with pytest.raises(Broken.Off):
        broken.run(Experiment(recipe, machine=machine), fresh)
    assert not (folder / "weights.safetensors").exists()
    assert not (folder / "member-3").exists()
    again = run(Experiment(recipe, machine=replace(machine, resume=True)), fresh)
    for name, value in outcome.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])
    assert again.extra == outcome.extra


class Broken:
    """Breaks a run off in one of its trainings, once so many epochs are there."""

    class Off(Exception):
        pass

    def __init__(self, training: int, epochs: int) -> None:
        self.training, self.epochs, self.count = training, epochs, 0

    def run(self, experiment: Experiment, fresh: object) -> None:
        from archdsl.training import experiment as rooms
        from archdsl.training.fit import train_one

        def train(recipe: object, network: nn.Module, data: Data, machine: Machine) -> Outcome:
            self.count += 1
            if self.count <= self.training:
                return train_one(recipe, network, data, machine)  # type: ignore[arg-type]  # as given
            short = recipe.replace(epochs=self.epochs)  # type: ignore[attr-defined]  # a recipe
            train_one(short, network, data, machine)
            raise Broken.Off

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rooms, "train_one", train)
            rooms.run(experiment, fresh)  # type: ignore[arg-type]  # as given


def test_they_vote(tmp_path: Path) -> None:
    outcome, data = trained(text("ensemble: vote(3)"))
    assert isinstance(outcome.network, Ensemble)
    (x,), (y,) = data.samples("test")
    with torch.no_grad():
        chosen = torch.stack([m(x).argmax(1) for m in outcome.network.members])
    clear = chosen.mode(0).values[(chosen == chosen.mode(0).values).sum(0) > 1]
    decided = outcome.network(x).argmax(1)[(chosen == chosen.mode(0).values).sum(0) > 1]
    assert torch.equal(decided, clear)
    assert outcome.test["accuracy"] == pytest.approx(
        accuracy_score(y, outcome.network(x).argmax(1))
    )


def test_of_values_nothing_can_be_voted() -> None:
    spec = (
        text("ensemble: vote(3)").replace("cross_entropy", "mse").replace("linear(3)", "linear(1)")
    )
    with pytest.raises(ArchError, match="votes on classes, and this network predicts values"):
        trained(spec.replace("iris", "diabetes").replace("[4]", "[10]"))


def test_an_ensemble_of_snapshots() -> None:
    settings = ("ensemble: 2", "average: snapshots(2)", "schedule: cosine(cycles = 2)")
    outcome, data = trained(text(*settings))
    assert isinstance(outcome.network, Ensemble)
    inner = [m for member in outcome.network.members for m in member.members]  # type: ignore[union-attr]  # ensembles
    assert len(inner) == 4
    (x,), _ = data.samples("test")
    mean = torch.stack([m.eval()(x).softmax(1) for m in inner]).mean(0)
    assert torch.allclose(outcome.network(x).exp(), mean, atol=1e-6)
    assert outcome.test["loss"] == pytest.approx(scores(outcome.network, data)["loss"], rel=1e-4)


@pytest.fixture(scope="module")
def folds(tmp_path_factory: pytest.TempPathFactory) -> tuple[Outcome, Path]:
    folder = tmp_path_factory.mktemp("folds") / "run"
    return trained(text("folds: 3"), folder)[0], folder


def test_every_sample_is_tested_once_and_the_mean_is_told_with_its_deviation(
    folds: tuple[Outcome, Path],
) -> None:
    outcome, folder = folds
    recipe = recipe_of(text("folds: 3"))
    tested: list[int] = []
    found = []
    for fold in range(3):
        data = Experiment(recipe).open(fold)
        assert data.parts is not None
        tested += data.parts.test.tolist()
        assert not set(data.parts.test.tolist()) & set(data.parts.train.tolist())
        weights = load_file(folder / f"fold-{fold + 1}" / "weights.safetensors")
        network = archdsl.compile(archdsl.loads(text()), weights=weights)
        found.append(scores(network, data))
        told = outcome.extra[f"fold-{fold + 1}"]
        assert told["accuracy"] == pytest.approx(found[-1]["accuracy"])
        assert told["loss"] == pytest.approx(found[-1]["loss"], rel=1e-4)
    assert sorted(tested) == list(range(150))
    for name in ("loss", "accuracy"):
        values = [row[name] for row in found]
        assert outcome.test[name] == pytest.approx(statistics.mean(values), rel=1e-4)
        assert outcome.extra["standard deviation"][name] == pytest.approx(
            statistics.stdev(values), rel=1e-3
        )


def test_the_folder_of_all_folds_has_the_result_and_no_weights(folds: tuple[Outcome, Path]) -> None:
    outcome, folder = folds
    result = json.loads((folder / "result.json").read_text())
    assert result["test"] == pytest.approx(dict(outcome.test))
    assert result["standard deviation"] == pytest.approx(outcome.extra["standard deviation"])
    assert not (folder / "weights.safetensors").exists()


def test_rows_are_the_means_over_the_folds(folds: tuple[Outcome, Path]) -> None:
    outcome, folder = folds
    assert [row["epoch"] for row in outcome.rows] == [1, 2, 3, 4]
    import csv

    every = []
    for fold in (1, 2, 3):
        with (folder / f"fold-{fold}" / "metrics.csv").open() as file:
            every.append(list(csv.DictReader(file)))
    for epoch, row in enumerate(outcome.rows):
        expected = statistics.mean(float(rows[epoch]["train_loss"]) for rows in every)
        assert row["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_what_only_some_have_has_no_deviation() -> None:
    assert deviation_of([{"a": 1.0, "b": 2.0}, {"a": 3.0}]) == {"a": pytest.approx(2**0.5)}


def test_it_is_said_which_training_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    spec = text("ensemble: 2").replace("epochs: 4", "epochs: 1")
    machine = Machine(accelerator="cpu")
    run(Experiment(recipe_of(spec), machine=machine), lambda: archdsl.compile(archdsl.loads(spec)))
    lines = [line.split("  ")[0] for line in capsys.readouterr().err.splitlines()]
    assert lines == ["member 1 of 2", "epoch 1/1", "member 2 of 2", "epoch 1/1"]
