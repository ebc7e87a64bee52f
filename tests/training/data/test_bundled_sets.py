"""The bundled sets: their values, and how they are fitted to a network."""

import numpy as np
import pytest
import torch
from sklearn import datasets

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.dims import symbol
from archdsl.ops.op import Tensor
from archdsl.recipes.changes import read_data
from archdsl.techniques.data import BreastCancer, Diabetes, Digits, Iris, Wine, Xor
from archdsl.techniques.losses import Wanted
from archdsl.techniques.technique import registered
from archdsl.training.data import open_data
from archdsl.training.data.opening import OPENERS
from tests.training.data.asking import classes, column, floats, ints, opened, refused, values

PLACES = (
    "the loss wants a class from 0 to 1 at each place of int[2] for target, and xor gives one"
    " number"
)
WHOLE = (1.0, 0.0, 0.0)


def test_every_technique_of_data_has_what_opens_it() -> None:
    assert set(OPENERS) == set(registered("data"))


def test_digits_are_images_from_0_to_1() -> None:
    x, y = column(opened(Digits(), floats(1, 8, 8), classes(10), split=WHOLE), "train")
    bunch = datasets.load_digits()
    assert x.shape == (1797, 1, 8, 8)
    assert x.dtype == torch.float32
    np.testing.assert_array_equal(x[:, 0].numpy() * 16, bunch.images)
    np.testing.assert_array_equal(y.numpy(), bunch.target)
    assert y.dtype == torch.int64


def test_digits_are_flat_for_a_flat_input() -> None:
    x, _ = column(opened(Digits(), floats(64), classes(10), split=WHOLE), "train")
    np.testing.assert_array_equal(x.numpy() * 16, datasets.load_digits().data)


def test_digits_are_rows_for_an_input_without_channels() -> None:
    x, _ = column(opened(Digits(), floats(8, 8), classes(10), split=WHOLE), "train")
    np.testing.assert_array_equal(x.numpy() * 16, datasets.load_digits().images)


def test_digits_are_enlarged_bilinearly() -> None:
    x, _ = column(opened(Digits(size=32), floats(1, 32, 32), classes(10), split=WHOLE), "train")
    assert x.shape == (1797, 1, 32, 32)
    small = torch.from_numpy(datasets.load_digits().images / 16).float()
    # between the middles of two pixels, a pixel of a quarter of the size lies at 1/8, 3/8, 5/8, 7/8
    row = x[0, 0, 0, 2:6]
    a, b = small[0, 0, 0], small[0, 0, 1]
    expected = torch.stack([a + (b - a) * share for share in (0.125, 0.375, 0.625, 0.875)])
    assert torch.allclose(row, expected, atol=1e-6)


def test_free_sizes_take_any_size() -> None:
    data = opened(Digits(), floats(1, symbol("H"), symbol("W")), classes(10))
    assert column(data, "test")[0].shape == (180, 1, 8, 8)
    assert opened(Digits(), floats(1, symbol("H"), symbol("H")), classes(10)).sizes


@pytest.mark.parametrize(
    ("source", "load", "features", "count"),
    [
        (Iris(), datasets.load_iris, 4, 3),
        (Wine(), datasets.load_wine, 13, 3),
        (BreastCancer(), datasets.load_breast_cancer, 30, 2),
    ],
)
def test_tables_of_classes(source: object, load: object, features: int, count: int) -> None:
    data = opened(source, floats(features), classes(count), split=WHOLE)
    bunch = load()  # type: ignore[operator]  # scikit-learn has no types
    x, y = column(data, "train")
    np.testing.assert_array_equal(x.numpy(), bunch.data.astype(np.float32))
    np.testing.assert_array_equal(y.numpy(), bunch.target)
    assert data.classes == {"target": tuple(bunch.target_names)}


def test_two_classes_against_one_output() -> None:
    _, y = column(opened(BreastCancer(), floats(30), values(1), split=WHOLE), "train")
    np.testing.assert_array_equal(y[:, 0].numpy(), datasets.load_breast_cancer().target)
    assert y.dtype == torch.float32


def test_classes_against_an_output_for_each_are_one_hot() -> None:
    data = opened(Iris(), floats(4), values(3), split=WHOLE)
    _, y = column(data, "train")
    np.testing.assert_array_equal(y.numpy(), np.eye(3)[datasets.load_iris().target])
    assert data.classes == {"target": ("setosa", "versicolor", "virginica")}


def test_where_no_target_is_needed_there_is_none() -> None:
    data = opened(Digits(), floats(1, 8, 8))
    train = data.loaders().train
    assert train is not None
    x, y = next(iter(train))
    assert isinstance(x, torch.Tensor)
    assert y == ()
    assert data.classes == {}


# What does not fit ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "input", "targets", "message", "help"),
    [
        (
            Digits(),
            floats(1, 28, 28),
            classes(10),
            "the network's input image is [1, 28, 28], and digits gives [1, 8, 8]",
            "digits(size = 28)",
        ),
        (
            Digits(),
            floats(3, 28, 28),
            classes(10),
            "the network's input image is [3, 28, 28], and digits gives [1, 8, 8]",
            "",
        ),
        (
            Iris(),
            floats(5),
            classes(3),
            "the network's input image is [5], and iris gives [4]",
            "declare the input as [4]",
        ),
        (
            Iris(),
            ints(4),
            classes(3),
            "the network's input image is int[4], and iris gives real numbers such as 5.1",
            "",
        ),
        (
            Iris(),
            floats(4),
            classes(10),
            "the network gives 10 scores, and iris has 3 classes: setosa, versicolor, virginica",
            "end the network with 3 scores: linear(3)",
        ),
        (
            Iris(),
            floats(4),
            values(1),
            "the loss wants [1] for target, and iris has 3 classes: setosa, versicolor, virginica",
            "give the network 3 outputs: linear(3), with the loss cross_entropy",
        ),
        (
            Iris(),
            floats(4),
            values(2),
            "the network gives 2 outputs, and iris has 3 classes: setosa, versicolor, virginica",
            "end the network with 3 outputs: linear(3)",
        ),
        (
            Diabetes(),
            floats(10),
            values(2),
            "the loss wants [2] for target, and diabetes gives [1]",
            "",
        ),
        (
            Diabetes(),
            floats(10),
            classes(3),
            "the network gives 3 scores, for classes 0 to 2, and diabetes has the class 346",
            "for real numbers write the loss mse, or huber",
        ),
        (
            Xor(),
            floats(2),
            classes(2, 2),
            PLACES,
            "",
        ),
    ],
)
def test_what_does_not_fit_names_both_sides(
    source: object, input: Tensor, targets: dict[str, Wanted], message: str, help: str
) -> None:
    diagnostic = refused(source, input, targets)
    assert diagnostic.code == "data-mismatch"
    assert diagnostic.message == message
    assert diagnostic.help == help


def test_several_inputs_and_targets_want_several() -> None:
    two = {"left": floats(4), "right": floats(4)}
    with pytest.raises(
        Exception, match=r"the network has 2 inputs \(left, right\), and iris gives one"
    ):
        open_data(Iris(), inputs=two, targets=classes(3))
    diagnostic = refused(Iris(), floats(4), {"a": Wanted(floats(1)), "b": Wanted(floats(1))})
    assert diagnostic.message == "the loss has 2 targets (a, b), and iris gives one"


def test_a_free_size_is_one_size() -> None:
    H = symbol("H")  # noqa: N806  # as the language writes it
    x = torch.zeros(10, 1, 4, 6)
    assert opened(x, floats(1, H, symbol("W"))).sizes
    assert "is [1, H, H], and the data gives [1, 4, 6]" in refused(x, floats(1, H, H)).message
    assert opened(x, floats(1, H, H + 2)).sizes
    assert "is [1, H, H + 1], and the data" in refused(x, floats(1, H, H + 1)).message


def test_yes_or_no_for_each_output_is_not_taken_of_one_class() -> None:
    """Nine of ten answers are no: to say no to all would be an accuracy of 0.9."""
    network = "network n {\n input image: [1, 8, 8]\n flatten -> linear(10)\n}\n"
    for written in ("bce", "binary_cross_entropy(label_smoothing = 0.1)"):
        block = f"train {{\n loss: {written}\n data: digits\n epochs: 1\n}}"
        spec = archdsl.loads(network + block)
        with pytest.raises(ArchError, match="gives one class a sample") as caught:
            archdsl.fit(spec, progress=False)
        (said,) = caught.value.diagnostics
        assert said.code == "data-mismatch"
        mended = said.help.removeprefix("write ").partition(": ")[0]
        recipe = archdsl.recipe(spec, settings={"loss": mended})
        model = archdsl.compile(spec)
        outcome = archdsl.fit(model, "digits", recipe=recipe, progress=False)
        data = open_data(
            read_data("digits"),
            inputs=recipe.inputs,
            targets=recipe.targets,
            settings=recipe.data_settings(),
        )
        (images,), (kinds,) = data.samples("test")
        right = model(images).argmax(1) == kinds
        assert outcome.test["accuracy"] == pytest.approx(right.float().mean().item())
