"""What a person hands over in Python: tensors, arrays, Datasets, loaders, a data module."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from lightning.pytorch import LightningDataModule
from torch.utils.data import DataLoader, Dataset, DistributedSampler, IterableDataset, TensorDataset

from archdsl.diagnostics import ArchError
from archdsl.techniques.losses import Wanted
from archdsl.training.data import Data, open_data
from archdsl.training.data.loaders import loaders_of
from tests.training.data.asking import classes, floats, ints, opened, refused, values

X, Y = torch.arange(40.0).reshape(20, 2), torch.arange(20) % 2


class Listed(Dataset[Any]):
    """Samples of a list."""

    def __init__(self, samples: list[Any], **more: Any) -> None:
        self.samples = samples
        vars(self).update(more)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Iterator[Any]:
        return iter([(X[i], Y[i]) for i in range(20)])


def every(data: Data, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """All batches of a part, one after the other."""
    loader = getattr(data.loaders(), part)
    batches = list(loader)
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


@pytest.mark.parametrize(
    "source",
    [
        (X, Y),
        [X, Y],
        (X.numpy(), Y.numpy()),
        (X.tolist(), Y.tolist()),
        (X.double(), Y.to(torch.uint8)),
        {"image": X, "target": Y},
        {"x": X.numpy(), "y": Y.tolist(), "more": "is left alone"},
        ({"image": X}, {"target": Y}),
        TensorDataset(X, Y),
        Listed([(X[i], Y[i]) for i in range(20)], targets=Y.tolist()),
        Listed([(X[i].numpy(), int(Y[i])) for i in range(20)], labels=Y),
    ],
)
def test_samples_are_split_alike_whatever_they_come_in(source: object) -> None:
    data = opened(source, floats(2), classes(2), split=(0.6, 0.2, 0.2), batch_size=5)
    expected = opened((X, Y), floats(2), classes(2), split=(0.6, 0.2, 0.2), batch_size=5)
    for part, size in (("train", 12), ("validation", 4), ("test", 4)):
        x, y = every(data, part)
        assert (x.dtype, y.dtype) == (torch.float32, torch.int64)
        assert torch.equal(y, ((x[:, 0] / 2) % 2).long())
        assert y.bincount().tolist() == [size // 2] * 2
        assert torch.equal(x, every(expected, part)[0])


def test_parts_that_are_given_stay_as_they_are() -> None:
    for make in (lambda i: TensorDataset(X[i], Y[i]), lambda i: Listed(list(zip(X[i], Y[i])))):  # noqa: B905  # alike
        parts = tuple(make(i) for i in (slice(0, 12), slice(12, 17), slice(17, 20)))
        data = opened(parts, floats(2), classes(2), batch_size=4)
        assert data.sizes == {"train": 12, "validation": 5, "test": 3}
        assert torch.equal(every(data, "test")[0], X[17:])
        assert torch.equal(every(data, "train")[0].sort(0).values, X[:12])
        two = opened(parts[:2], floats(2), classes(2))
        assert two.sizes == {"train": 12, "validation": 5, "test": 0}
        assert two.loaders().test is None


def test_several_inputs_and_targets() -> None:
    asked = {"a": floats(2), "b": floats(1)}
    wanted = {"p": Wanted(floats(1)), "q": classes(2)["target"]}
    sources: list[object] = [
        ((X, X[:, :1]), (X[:, 1], Y)),
        TensorDataset(X, X[:, :1], X[:, 1:], Y),
        Listed([((X[i], X[i, :1]), (X[i, 1], Y[i])) for i in range(20)]),
    ]
    for source in sources:
        data = open_data(source, inputs=asked, targets=wanted)
        (a, b), (p, q) = data.samples("train")
        assert torch.equal(a[:, :1], b)
        assert torch.equal(p, a[:, 1:])
        assert torch.equal(q, ((a[:, 0] / 2) % 2).long())


def test_a_mapping_goes_by_the_names_of_inputs_and_targets() -> None:
    """Whatever their order, and where they have several there is no x and no y."""
    given = {"second": X + 1, "kind": Y, "first": X}
    asked = {"first": floats(2), "second": floats(2)}
    data = open_data(given, inputs=asked, targets={"kind": Wanted(ints(), 2)})
    for part in ("train", "validation", "test"):
        (first, second), (kind,) = data.samples(part)
        assert torch.equal(second, first + 1)
        assert torch.equal(kind, (first[:, 0] / 2).long() % 2)
    with pytest.raises(ArchError, match="the data has no second, for the input second") as caught:
        open_data({"first": X, "x": X, "kind": Y}, inputs=asked, targets={})
    assert caught.value.diagnostics[0].notes == ("it has first, x, kind",)
    wanted = {"kind": Wanted(ints(), 2), "colour": Wanted(ints(), 2)}
    with pytest.raises(ArchError, match="the loss needs the targets kind, colour, and the data"):
        open_data(X, inputs={"first": floats(2)}, targets=wanted)


def test_labels_are_left_alone_where_no_target_is_needed() -> None:
    for source in (
        (X, Y),
        X,
        X.numpy(),
        TensorDataset(X, Y),
        TensorDataset(X),
        DataLoader(TensorDataset(X, Y)),
    ):
        train = opened(source, floats(2)).loaders().train
        assert train is not None
        assert next(iter(train))[1] == ()


def test_loaders_are_served_as_they_are_but_fitted() -> None:
    made = DataLoader(TensorDataset(X.double(), Y.int()), batch_size=6)
    data = opened((made, made), floats(2), classes(2))
    assert data.sizes == {}
    x, y = every(data, "train")
    assert torch.equal(x, X)
    assert y.dtype == torch.int64
    assert [len(y) for _, y in made] == [6, 6, 6, 2]
    assert data.loaders().test is None
    for stream in (Stream(), DataLoader(Stream(), batch_size=3)):
        assert torch.equal(every(opened(stream, floats(2), classes(2)), "train")[0], X)


def test_looking_at_a_loader_draws_no_random_number() -> None:
    class Noisy(Listed):
        def __getitem__(self, index: int) -> Any:
            return torch.rand(2), 0

    state = torch.get_rng_state()
    opened(DataLoader(Noisy([0] * 4)), floats(2), classes(2))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_data_module_is_passed_through() -> None:
    module = LightningDataModule()
    assert opened(module, floats(2), classes(2)).ready is module


def test_a_loader_is_not_shared_by_several_processes() -> None:
    dataset = TensorDataset(X, Y)
    data = opened(DataLoader(dataset), floats(2), classes(2))
    with pytest.raises(ArchError, match="gives each of 2 processes the same batches"):
        data.loaders(0, 2)
    sampler: DistributedSampler[Any] = DistributedSampler(dataset, 2, 0)
    shared = opened(DataLoader(dataset, sampler=sampler), floats(2), classes(2))
    loader: Any = shared.loaders(0, 2).train
    assert loader.sampler is sampler  # which is told the epoch
    with pytest.raises(ArchError, match="it is not scaled, nor parted"):
        opened(DataLoader(dataset), floats(2), classes(2), normalize="standard")


@pytest.mark.parametrize(
    ("source", "code", "message"),
    [
        (3, "data-mismatch", "data is given as tensors or arrays (x, y), a dict of them by name,"),
        ((X, Y, Y), "data-mismatch", "data is given as tensors or arrays (x, y), a dict of them"),
        ({"x": X}, "data-mismatch", "the data has no target, nor y, for the target"),
        ({"imag": X, "y": Y}, "data-mismatch", "the data has no image, nor x, for the input image"),
        (({}, Y), "data-mismatch", "the data has no image, nor x, for the input image"),
        (X, "data-mismatch", "the loss needs a target, and the data is x alone"),
        (
            (X, Y[:3]),
            "bad-data",
            "the data has not as many samples of everything: 20 of image, 3 of target",
        ),
        ((X, None), "data-mismatch", "the loss needs a target, and the data is x alone"),
        ((X, "abc"), "data-mismatch", "y is a str, and no tensor or array"),
        (([[1, 2], [3]], [0, 1]), "bad-data", "x is ragged: its rows are of different lengths"),
        ((np.array([None, 1]), Y[:2]), "bad-data", "x holds object, and no numbers"),
        ((torch.tensor(1.0), Y), "bad-data", "x is a single number"),
        (
            (X * 1j, Y),
            "data-mismatch",
            "the network's input image is [2], and the data gives complex",
        ),
        ((X[:0], Y[:0]), "bad-data", "the data has no samples"),
        (Listed([]), "bad-data", "the Dataset has no samples"),
        (Listed([{"x": X[0]}]), "data-mismatch", "sample 0 of the Dataset is a dict, and should"),
        (Listed([(X[0],)]), "data-mismatch", "sample 0 of the Dataset has no target, and the loss"),
        (Listed([("a", 1)]), "data-mismatch", "x of sample 0 of the Dataset is a str, and no"),
        (Listed([(X, 1)]), "data-mismatch", "the network's input image is [2], and the Dataset"),
        (TensorDataset(X), "data-mismatch", "the loss has 1 target (target), and the Dataset"),
        (TensorDataset(Y, X), "data-mismatch", "the network's input image is [2], and the Dataset"),
        (
            DataLoader(TensorDataset(X[:, :1], Y)),
            "data-mismatch",
            "the network's input image is [2], and the DataLoader gives [1]",
        ),
        (
            DataLoader(TensorDataset(X, X)),
            "data-mismatch",
            "the loss wants a class from 0 to 1 for target, and the DataLoader gives [2]",
        ),
    ],
)
def test_what_is_no_data(source: object, code: str, message: str) -> None:
    diagnostic = refused(source, floats(2), classes(2))
    assert diagnostic.code == code
    assert diagnostic.message.startswith(message)


def test_a_dataset_without_a_length() -> None:
    class Endless(Dataset[Any]):
        def __getitem__(self, index: int) -> Any:
            return X[0], 0

    message = refused(Endless(), floats(2), classes(2)).message
    assert message == "the Dataset Endless has no length, and cannot be split"


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ((X[:2], 1.0), "the network's input image is [2], and the Dataset gives [2, 2]"),
        ("text", "sample 3 of the Dataset is a str, and should be (x, y)"),
    ],
)
def test_a_sample_that_is_wrong_is_said_when_its_turn_comes(
    wrong: object, message: str, workers: int
) -> None:
    source = Listed([(X[0], 0.0)] * 3 + [wrong])
    data = opened(source, floats(2), values(1), split=(1.0, 0.0, 0.0), workers=workers)
    train = data.loaders().train
    assert train is not None
    with pytest.raises(ArchError) as caught:
        list(train)
    assert caught.value.diagnostics[0].message.startswith(message)


def test_a_wanted_share_is_from_0_to_1() -> None:
    wanted = {"target": Wanted(floats(1), 2)}
    assert opened((X, Y), floats(2), wanted).sizes
    assert opened((X, torch.rand(20)), floats(2), wanted).sizes
    diagnostic = refused((X, Y + 1), floats(2), wanted)
    assert diagnostic.message == "the loss wants [1] for target, from 0 to 1, and the data gives 2"
    assert diagnostic.help == "count the classes from 0"


def test_what_is_known_of_training_holds_for_other_data() -> None:
    first = opened((X, Y), floats(2), classes(2), normalize="standard", split=(1.0, 0.0, 0.0))
    later = open_data(
        (X + 5, Y),
        inputs={"image": floats(2)},
        targets=classes(2),
        settings=first.settings,
        scale=first.scale,
    )
    assert later.scale == first.scale
    (x,), _ = first.samples("train")
    (z,), _ = later.samples("train")
    spread = torch.tensor(first.scale["image"].spread)
    assert torch.allclose(z - x, (5 / spread).float().expand(20, 2), atol=1e-5)


class Module(LightningDataModule):
    """With training alone, and perhaps an empty test part."""

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(TensorDataset(X, Y))


def test_a_data_module_is_not_scaled_nor_parted() -> None:
    for settings in ({"normalize": "standard"}, {"folds": 3}, {"normalize_targets": True}):
        message = refused(Module(), floats(2), classes(2), **settings).message
        assert "a LightningDataModule is served as it is" in message


def test_a_data_module_may_have_no_validation_nor_test() -> None:
    loaders = loaders_of(Module())
    assert loaders.train is not None
    assert (loaders.validation, loaders.test) == (None, None)
