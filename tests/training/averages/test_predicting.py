"""Predictions of trained networks on real data, and the files that are written of them."""

import csv
import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.recipes import Recipe
from archdsl.training.answers import Answer
from archdsl.training.data import Data, Scale
from archdsl.training.experiment import Experiment, run
from archdsl.training.fit import Machine, Outcome
from archdsl.training.predicting import Predictions, predict, predict_batches
from archdsl.training.prediction_files import (
    is_picture,
    pictures_of,
    table_text,
    write_predictions,
)
from tests.training.harness import recipe_of

IRIS = """
network iris {
    input x: [4]
    x -> linear(16) -> relu -> linear(3)
}
train {
    loss: cross_entropy
    optimizer: adam(0.05)
    epochs: 12
    data: iris
    normalize: standard
}
"""
DIABETES = """
network diabetes {
    input x: [10]
    x -> linear(16) -> relu -> dropout(0.1) -> linear(1)
}
train {
    loss: mse
    optimizer: adam(0.02)
    epochs: 8
    data: diabetes
    normalize: standard
    normalize_targets: true
}
"""


def trained(text: str) -> tuple[Outcome, Data]:
    experiment = Experiment(recipe_of(text), machine=Machine(progress=False, accelerator="cpu"))
    return run(experiment, lambda: archdsl.compile(archdsl.loads(text))), experiment.open()


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module")
def iris() -> tuple[Outcome, Data]:
    return trained(IRIS)


@pytest.fixture(scope="module")
def diabetes() -> tuple[Outcome, Data]:
    return trained(DIABETES)


def test_classes_of_iris_come_by_name_with_their_probability(iris: tuple[Outcome, Data]) -> None:
    outcome, data = iris
    test = data.loaders().test
    assert test is not None
    found = predict(outcome.network, test, outcome.recipe, classes=data.classes)
    rows = rows_of(table_text(found, [f"plant {i}" for i in range(15)]))
    (x,), (y,) = data.samples("test")
    with torch.no_grad():
        shares = outcome.network(x).softmax(1)
    assert len(rows) == len(y) == 15
    assert list(rows[0]) == ["sample", "class", "probability", "entropy"]
    names = ("setosa", "versicolor", "virginica")
    assert [row["class"] for row in rows] == [names[i] for i in shares.argmax(1)]
    assert [float(row["probability"]) for row in rows] == pytest.approx(
        shares.amax(1).tolist(), rel=1e-5
    )
    entropies = -(shares * shares.log()).sum(1)
    assert [float(row["entropy"]) for row in rows] == pytest.approx(
        entropies.tolist(), rel=1e-4, abs=1e-6
    )
    right = sum(row["class"] == names[i] for row, i in zip(rows, y, strict=True))
    assert right >= 12  # it has learnt something, so that the names are in their order
    assert rows[3]["sample"] == "plant 3"


def test_values_of_diabetes_are_in_the_units_of_the_data(diabetes: tuple[Outcome, Data]) -> None:
    outcome, data = diabetes
    test = data.loaders().test
    assert test is not None
    found = predict(outcome.network, test, outcome.recipe, scale=data.target_scale)["output"]
    from sklearn.datasets import load_diabetes

    truth = load_diabetes().target[data.parts.test.numpy()]  # type: ignore[union-attr]  # it has parts
    assert abs(float(found.mean.mean()) - truth.mean()) < 60
    errors = found.mean[:, 0].numpy() - truth
    assert np.abs(errors).mean() < 70  # of a deviation of 77: scaled ones would be off by 150
    scale = data.target_scale["target"]
    (x,), (y,) = data.samples("test")
    with torch.no_grad():
        expected = outcome.network(x) * scale.spread[0] + scale.shift[0]
    assert torch.allclose(found.mean, expected, rtol=1e-5)
    assert scale.undo(y)[:, 0].numpy() == pytest.approx(truth, rel=1e-5)


def test_a_spread_is_stretched_and_not_shifted(diabetes: tuple[Outcome, Data]) -> None:
    outcome, data = diabetes
    x = data.samples("test")[0]
    plain = predict(outcome.network, [(x[0], ())], outcome.recipe, monte_carlo=20)["output"]
    scaled = predict(
        outcome.network, [(x[0], ())], outcome.recipe, monte_carlo=20, scale=data.target_scale
    )["output"]
    assert plain.spread is not None
    assert scaled.spread is not None
    stretch = data.target_scale["target"].spread[0]
    assert stretch > 10
    assert torch.allclose(scaled.spread, plain.spread * stretch, rtol=1e-4)
    (row, *_) = rows_of(table_text({"output": scaled}, [str(i) for i in range(len(scaled))]))
    assert list(row) == ["sample", "output", "output_spread"]


def test_outcomes_and_predictions_show_themselves_in_a_line(
    iris: tuple[Outcome, Data], diabetes: tuple[Outcome, Data]
) -> None:
    assert repr(iris[0]) == f"<Outcome: {iris[0]}>"
    assert repr(iris[0].predict("iris")) == (
        "{'output': <Predictions: output of 150 samples: one of 3 classes>}"
    )
    shown = str(diabetes[0].predict("diabetes", monte_carlo=2)["output"])
    assert shown == "output of 442 samples: values [1]"
    at_places = Predictions(Answer("out", "classes", axis=1), torch.rand(1, 4, 8, 9))
    assert str(at_places) == "out of 1 sample: one of 4 classes at each of [8, 9]"
    yes = Predictions(Answer("out", "binary"), torch.rand(2, 1))
    assert str(yes) == "out of 2 samples: yes or no at each of [1]"
    for answer in (Answer("out"), Answer("out", "binary")):
        assert str(Predictions(answer, torch.rand(2))).startswith("out of 2 samples: ")


def test_batches_make_no_difference(iris: tuple[Outcome, Data]) -> None:
    outcome, data = iris
    (x,), _ = data.samples("train")
    whole = predict(outcome.network, [(x, ())], outcome.recipe)["output"]
    parts = predict(outcome.network, [(p, ()) for p in torch.split(x, 7)], outcome.recipe)["output"]
    assert torch.allclose(whole.mean, parts.mean, atol=1e-6)
    assert len(whole) == len(parts) == len(x)
    streamed = predict_batches(outcome.network, iter([(x[:7], ())]), outcome.recipe)
    assert len(next(streamed)["output"]) == 7


def test_the_network_is_left_as_it_was(iris: tuple[Outcome, Data]) -> None:
    network = nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5))
    recipe = iris[0].recipe
    x = torch.randn(3, 4)
    first = predict(network, [(x, ())], recipe)["output"]
    assert torch.allclose(first.mean, network[0](x).softmax(1), atol=1e-6)  # no dropout
    assert network.training
    assert not first.mean.requires_grad


def test_no_samples_is_an_error(iris: tuple[Outcome, Data]) -> None:
    with pytest.raises(ArchError, match="no samples to predict for"):
        predict(iris[0].network, [], iris[0].recipe)


# Several outputs, and pictures -----------------------------------------------------------------


class Says(nn.Module):
    """Gives what it was made with, for as many samples as come."""

    def __init__(self, *outputs: Tensor) -> None:
        super().__init__()
        self.outputs = outputs

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        return self.outputs if len(self.outputs) > 1 else self.outputs[0]


SEVERAL = """
network several {
    input image: [3, 4, 5]
    image -> conv(3, 1) as mask
    image -> flatten -> linear(2) as place
    image -> flatten -> linear(2) as kind
    output mask, place, kind
}
train { loss: cross_entropy(mask, mask_of) + mse(place, place_of) + cross_entropy(kind, label) }
"""


@pytest.fixture
def several() -> dict[str, Predictions]:
    masks = torch.zeros(2, 3, 4, 5)
    masks[0, 1, :2] = 5.0  # the upper half of the first is of class 1
    masks[1, 2, 1, 3] = 5.0
    place = torch.tensor([[0.5, -1.5], [2.0, 0.25]])
    kind = torch.tensor([[0.0, 2.0], [1.0, -1.0]])
    network = Says(masks, place, kind)
    return predict(
        network,
        [(torch.empty(2, 3, 4, 5), ())],
        recipe_of(SEVERAL),
        classes={"label": ("cat", "dog"), "mask_of": ("sky", "roof", "bird")},
    )


def test_masks_are_pictures_of_class_numbers(
    several: dict[str, Predictions], tmp_path: Path
) -> None:
    place = tmp_path / "out"
    written = write_predictions(several, place, ["a/roof.jpg", "b/bird.png"])
    assert [p.relative_to(place).as_posix() for p in written] == [
        "mask/roof.png",
        "mask/bird.png",
        "predictions.csv",
    ]
    first, second = (np.asarray(Image.open(path)) for path in written[:2])
    expected = np.zeros((4, 5))
    expected[:2] = 1
    assert (first == expected).all()
    assert second[1, 3] == 2
    assert second.sum() == 2
    rows = rows_of(written[2].read_text())
    assert [row["kind_class"] for row in rows] == ["dog", "cat"]
    assert [row["place_1"] for row in rows] == ["0.5", "2.0"]
    assert [row["place_2"] for row in rows] == ["-1.5", "0.25"]


def test_a_mask_that_is_written_is_read_as_data(
    several: dict[str, Predictions], tmp_path: Path
) -> None:
    from archdsl.training.data.pictures import read_mask

    (path, _) = write_predictions({"mask": several["mask"]}, tmp_path / "masks")
    assert path.name == "1.png"
    assert read_mask(path, None).tolist() == several["mask"].indices[0].tolist()


def test_one_mask_of_yes_and_no() -> None:
    shares = torch.tensor([[[[0.9, 0.1], [0.2, 0.7]]]])
    one = Predictions(Answer("mask", "binary"), shares)
    (picture,) = pictures_of(one)
    assert np.asarray(picture).tolist() == [[1, 0], [0, 1]]
    colours = np.asarray(picture.convert("RGB"))
    assert colours[0, 1].tolist() == [0, 0, 0]
    assert colours[0, 0].tolist() != [0, 0, 0]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_are_written_as_they_are(tmp_path: Path, channels: int) -> None:
    values = torch.rand(2, channels, 6, 4)
    values[0, 0, 0, 0], values[0, 0, 0, 1] = -3.0, 7.0
    one = Predictions(Answer("image"), values)
    assert is_picture(one)
    paths = write_predictions({"image": one}, tmp_path, ["x.png", "y.png"])
    for path, image in zip(paths, values, strict=True):
        pixels = np.asarray(Image.open(path)).reshape(6, 4, channels)
        expected = (image.clamp(0, 1) * 255).permute(1, 2, 0).numpy()
        assert np.abs(pixels - expected).max() <= 0.5 + 1e-4


def test_a_reconstruction_of_scaled_images_is_in_their_units() -> None:
    spec = """
    network auto { input image: [1, 4, 4]
        image -> conv(1, 1) }
    train { loss: mse(output, image) }
    """
    scale = {"image": Scale((0.5,), (0.25,), 0)}
    said = torch.randn(2, 1, 4, 4)
    batches = [(torch.empty(2, 1, 4, 4), ())]
    found = predict(Says(said), batches, recipe_of(spec), scale=scale)["output"]
    assert torch.allclose(found.mean, said * 0.25 + 0.5)


@pytest.mark.parametrize(
    ("kind", "shape", "axis", "expected"),
    [
        ("classes", (2, 5), 1, False),
        ("classes", (2, 7, 5), 2, False),
        ("classes", (2, 5, 4, 4), 1, True),
        ("binary", (2, 1), 1, False),
        ("binary", (2, 1, 4, 4), 1, True),
        ("values", (2, 3, 4, 4), 1, True),
        ("values", (2, 5, 4, 4), 1, False),
    ],
)
def test_what_is_a_picture(kind: str, shape: tuple[int, ...], axis: int, expected: bool) -> None:
    answer = Answer("y", kind, axis=axis)  # type: ignore[arg-type]  # one of the three
    assert is_picture(Predictions(answer, torch.rand(shape))) is expected


def test_classes_at_every_place_of_a_sequence() -> None:
    shares = torch.randn(2, 3, 4).softmax(2)
    one = Predictions(Answer("words", "classes", axis=2), shares, classes=("a", "b", "c", "d"))
    rows = rows_of(table_text({"words": one}, ["1", "2"]))
    for row, share in zip(rows, shares, strict=True):
        found = [row[f"class_{i}"] for i in (1, 2, 3)]
        assert found == ["abcd"[i] for i in share.argmax(1)]
        assert float(row["probability_2"]) == pytest.approx(float(share[1].max()), rel=1e-5)


def test_samples_of_one_name_have_pictures_of_their_own(tmp_path: Path) -> None:
    one = Predictions(Answer("image"), torch.rand(2, 1, 2, 2))
    names = [p.name for p in write_predictions({"image": one}, tmp_path, ["a/1.png", "b/1.png"])]
    assert names == ["1-1.png", "2-1.png"]


def test_a_name_leads_nowhere_else(tmp_path: Path) -> None:
    one = Predictions(Answer("image"), torch.rand(2, 1, 2, 2))
    paths = write_predictions({"image": one}, tmp_path / "in", ["../../etc/x.png", ".."])
    assert {p.parent for p in paths} == {tmp_path / "in"}
    assert all(p.exists() for p in paths)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    one = Predictions(Answer("image"), torch.rand(1, 1, 2, 2))
    with pytest.raises(ArchError, match="cannot be made"):
        write_predictions({"image": one}, tmp_path / "taken" / "in")


def test_what_has_no_classes_has_no_indices() -> None:
    with pytest.raises(ValueError, match="predicts values"):
        _ = Predictions(Answer("y"), torch.rand(2, 1)).indices


def test_a_class_without_a_name_has_its_number() -> None:
    one = Predictions(Answer("y", "classes"), torch.tensor([[0.1, 0.9]]))
    assert rows_of(table_text({"y": one}, ["1"]))[0]["class"] == "1"
    assert replace(one, classes=("no", "yes")).name(1) == "yes"


def test_every_recipe_has_its_own_samples() -> None:
    recipe: Recipe = recipe_of(IRIS.replace("epochs: 12", "epochs: 12\n predict: monte_carlo(7)"))
    network = nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 3))
    x = [(torch.randn(5, 4), ())]
    asked = predict(network, x, recipe)["output"]
    assert asked.spread is not None
    assert torch.equal(asked.mean, predict(network, x, recipe, monte_carlo=7)["output"].mean)
    assert predict(network, x, recipe, monte_carlo=0)["output"].spread is None
