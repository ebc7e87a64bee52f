"""Parts are disjoint, together everything, seeded, and alike in their classes."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.diagnostics import ArchError
from archdsl.techniques.data import DataSettings, Diabetes, Digits, Iris, Xor
from archdsl.training.data.samples import InMemory, Parts, Samples
from archdsl.training.data.splitting import split
from tests.training.data.asking import classes, column, floats, opened, values


def samples(labels: list[int] | None, count: int = 0, *, ordered: bool = False) -> Samples:
    count = len(labels) if labels is not None else count
    store = InMemory((torch.arange(count).float().unsqueeze(1),), ())
    strata = None if labels is None else torch.tensor(labels, dtype=torch.int64)
    return Samples("these", store, strata=strata, ordered=ordered)


def lists(parts: Parts) -> list[list[int]]:
    return [part.tolist() for part in (parts.train, parts.validation, parts.test)]


shares = st.tuples(st.floats(0.2, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0)).map(
    lambda s: tuple(x / sum(s) for x in s)
)


@given(st.lists(st.integers(0, 4), min_size=4, max_size=80), shares, st.integers(-5, 2**40))
def test_parts_are_disjoint_and_together_everything(
    labels: list[int], share: tuple[float, float, float], seed: int
) -> None:
    parts = lists(split(samples(labels), DataSettings(split=share, seed=seed)))
    assert sorted(chain(*parts)) == list(range(len(labels)))
    assert all(part == sorted(part) for part in parts)


@given(st.lists(st.integers(0, 3), min_size=20, max_size=200), st.integers(0, 9))
def test_a_class_with_enough_samples_is_in_every_part(labels: list[int], seed: int) -> None:
    parts = lists(split(samples(labels), DataSettings(split=(0.6, 0.2, 0.2), seed=seed)))
    smallest = min(len(parts[1]), len(parts[2]))
    if smallest < len(set(labels)):
        return
    for label, count in Counter(labels).items():
        if count * smallest >= len(labels):  # one sample of it in the smallest part
            assert all(label in {labels[i] for i in part} for part in parts)


def test_every_part_has_the_same_shares_of_the_classes() -> None:
    labels = [0] * 500 + [1] * 300 + [2] * 200
    parts = split(samples(labels), DataSettings(split=(0.7, 0.2, 0.1)))
    for part, size in ((parts.train, 700), (parts.validation, 200), (parts.test, 100)):
        assert len(part) == size
        counts = np.bincount(np.array(labels)[part.numpy()])
        assert counts.tolist() == [size * 5 // 10, size * 3 // 10, size * 2 // 10]


def test_shares_that_make_less_than_1_leave_samples_out() -> None:
    parts = lists(split(samples(None, 100), DataSettings(split=(0.5, 0.1, 0.1))))
    assert [len(part) for part in parts] == [50, 10, 10]
    assert len({*chain(*parts)}) == 70


def test_the_split_is_a_function_of_the_seed() -> None:
    def test_part(seed: int) -> list[int]:
        return split(samples(None, 100), DataSettings(seed=seed)).test.tolist()

    assert test_part(1) == test_part(1)
    assert test_part(1) != test_part(2)


def test_no_validation_and_no_test() -> None:
    parts = lists(split(samples([0, 1] * 10), DataSettings(split=(1.0, 0.0, 0.0))))
    assert parts == [list(range(20)), [], []]


def test_a_class_of_one_sample_is_for_training() -> None:
    for seed in range(20):
        parts = split(samples([0] * 20 + [1] * 20 + [7]), DataSettings(seed=seed))
        assert 40 in parts.train.tolist()


@pytest.mark.parametrize("folds", [2, 5])
def test_folds_are_disjoint_and_alike(folds: int) -> None:
    labels = [0] * 60 + [1] * 40
    tested: list[int] = []
    for fold in range(folds):
        parts = split(samples(labels), DataSettings(folds=folds, fold=fold))
        assert sorted(chain(*lists(parts))) == list(range(100))
        counts = np.bincount(np.array(labels)[parts.test.numpy()])
        assert counts.tolist() == [60 // folds, 40 // folds]
        assert len(parts.validation) == round((100 - 100 // folds) / 9)
        tested += parts.test.tolist()
    assert sorted(tested) == list(range(100))


@pytest.mark.parametrize("labels", [[0, 1, 2, 3, 4, 5], [0, 0, 0, 0, 0, 1]])
def test_folds_of_classes_too_small_for_them(labels: list[int]) -> None:
    tested = [split(samples(labels), DataSettings(folds=3, fold=f)).test.tolist() for f in range(3)]
    assert sorted(chain(*tested)) == list(range(6))


def test_more_folds_than_samples() -> None:
    with pytest.raises(ArchError, match="these has 4 samples, too few for 5 folds"):
        split(samples([0, 1, 0, 1]), DataSettings(folds=5))


def test_what_follows_one_another_stays_in_its_order() -> None:
    parts = lists(split(samples(None, 20, ordered=True), DataSettings(split=(0.5, 0.25, 0.25))))
    assert parts == [list(range(10)), list(range(10, 15)), list(range(15, 20))]
    folds = [
        split(samples(None, 9, ordered=True), DataSettings(folds=3, fold=f)).test for f in range(3)
    ]
    assert [f.tolist() for f in folds] == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_parts_of_the_source_win_and_validation_is_taken_from_training() -> None:
    own = Parts(torch.arange(90), torch.arange(0), torch.arange(90, 100))
    made = Samples("these", samples(None, 100).store, parts=own)
    parts = split(made, DataSettings(split=(0.8, 0.1, 0.1)))
    assert [len(p) for p in lists(parts)] == [80, 10, 10]
    assert parts.test.tolist() == list(range(90, 100))
    with pytest.raises(ArchError, match="these has its own training part, and folds"):
        split(made, DataSettings(folds=5))


def test_bundled_classes_are_split_alike() -> None:
    data = opened(Iris(), floats(4), classes(3), split=(0.6, 0.2, 0.2))
    for part, each in (("train", 30), ("validation", 10), ("test", 10)):
        assert column(data, part)[1].bincount().tolist() == [each] * 3
    digits = opened(Digits(), floats(1, 8, 8), classes(10))
    assert digits.sizes == {"train": 1437, "validation": 180, "test": 180}
    assert column(digits, "test")[1].bincount().min() >= 17


def test_real_targets_are_split_by_a_permutation() -> None:
    data = opened(Diabetes(), floats(10), values(1))
    assert data.sizes == {"train": 354, "validation": 44, "test": 44}
    together = torch.cat([column(data, part)[1] for part in data.sizes])
    import sklearn.datasets

    whole = sklearn.datasets.load_diabetes().target.astype(np.float32)
    assert torch.equal(together[:, 0].sort().values, torch.from_numpy(np.sort(whole)))
    assert not torch.equal(together[:354, 0], torch.from_numpy(whole[:354]))


def test_the_truth_table_is_whole_in_every_part() -> None:
    data = opened(Xor(), floats(2), values(1))
    for part in ("train", "validation", "test"):
        x, y = column(data, part)
        assert torch.equal(y[:, 0], (x[:, 0] != x[:, 1]).float())
        assert len(x) == 4


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size must be positive, not 0"),
        ({"workers": -1}, "workers must be 0 or more, not -1"),
        ({"split": (0.8, 0.3, 0.1)}, "all shares make 1 at most, not 1.2"),
        ({"split": (0.0, 0.5, 0.5)}, "split needs a share for training"),
        ({"split": (1.2, -0.2, 0.0)}, r"split takes shares from 0 to 1, not \(1.2, -0.2, 0.0\)"),
        ({"normalize": "z"}, "normalize takes none, standard, unit, not z"),
        ({"folds": 1}, "folds must be at least 2, not 1"),
        ({"folds": 3, "fold": 3}, "fold counts from 0 to 2, and is 3"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ArchError, match=message) as caught:
        DataSettings(**settings)  # type: ignore[arg-type]  # that is what is tested
    assert caught.value.diagnostics[0].code == "bad-value"
