"""The scale is that of the training part alone, as numpy has it."""

import json

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.dims import symbol
from archdsl.techniques.data import Diabetes, Digits, Wine
from archdsl.training.data import Scale
from archdsl.training.data.scaling import axis_of, measure
from tests.training.data.asking import classes, column, floats, opened, values


def test_features_are_scaled_by_the_training_part_alone() -> None:
    plain = opened(Wine(), floats(13), classes(3))
    scaled = opened(Wine(), floats(13), classes(3), normalize="standard")
    train = column(plain, "train")[0].numpy().astype(np.float64)
    scale = scaled.scale["image"]
    np.testing.assert_allclose(scale.shift, train.mean(0), rtol=1e-12)
    np.testing.assert_allclose(scale.spread, train.std(0), rtol=1e-12)
    for part in ("train", "validation", "test"):
        expected = (column(plain, part)[0].numpy() - train.mean(0)) / train.std(0)
        np.testing.assert_allclose(column(scaled, part)[0].numpy(), expected, atol=1e-5)
    everything = np.concatenate([column(plain, p)[0].numpy() for p in plain.sizes])
    assert not np.allclose(scale.shift, everything.mean(0), rtol=1e-6)


def test_channels_are_scaled_each_by_itself() -> None:
    x = torch.randn(50, 3, 4, 5) * torch.tensor([1.0, 10.0, 0.1])[:, None, None] + 7
    data = opened((x, torch.arange(50) % 2), floats(3, 4, 5), classes(2), normalize="standard")
    assert data.parts is not None
    train = x[data.parts.train].numpy().astype(np.float64)
    np.testing.assert_allclose(data.scale["image"].shift, train.mean((0, 2, 3)), rtol=1e-12)
    np.testing.assert_allclose(data.scale["image"].spread, train.std((0, 2, 3)), rtol=1e-9)


def test_unit_is_from_the_least_to_the_largest() -> None:
    data = opened(Wine(), floats(13), classes(3), normalize="unit")
    train = column(data, "train")[0]
    assert torch.equal(train.amin(0), torch.zeros(13))
    assert torch.allclose(train.amax(0), torch.ones(13))


def test_what_never_changes_is_only_shifted() -> None:
    data = opened(Digits(), floats(64), classes(10), normalize="standard")
    x, _ = column(data, "train")
    assert torch.isfinite(x).all()
    assert data.scale["image"].spread[0] == 1.0  # the corner of every digit is empty
    assert x[:, 0].abs().max() == 0


def test_targets_are_scaled_where_that_is_asked() -> None:
    plain = opened(Diabetes(), floats(10), values(1))
    scaled = opened(Diabetes(), floats(10), values(1), normalize_targets=True)
    _, y = column(scaled, "train")
    assert abs(float(y.mean())) < 1e-5
    assert abs(float(y.std(correction=0)) - 1) < 1e-5
    _, raw = column(plain, "test")
    undone = scaled.target_scale["target"].undo(column(scaled, "test")[1])
    assert torch.allclose(undone, raw, rtol=1e-5)
    assert scaled.scale == {}


def test_inputs_may_be_left_unscaled_for_augmentation() -> None:
    data = opened(Digits(), floats(1, 8, 8), classes(10), normalize="standard")
    raw, scaled = data.loaders(scaled=False).test, data.loaders().test
    assert raw is not None
    assert scaled is not None
    for (x, _), (z, _) in zip(raw, scaled, strict=True):
        assert isinstance(x, torch.Tensor)
        assert isinstance(z, torch.Tensor)
        assert x.min() >= 0
        assert torch.equal(data.scale["image"].apply(x), z)


def test_a_scale_travels_as_plain_data() -> None:
    scale = opened(Wine(), floats(13), classes(3), normalize="standard").scale["image"]
    assert Scale.from_dict(json.loads(json.dumps(scale.as_dict()))) == scale


def test_which_axis() -> None:
    assert axis_of((3, 8, 8)) == 0
    assert axis_of((3, None, None)) == 0
    assert axis_of((13,)) == -1
    assert axis_of((None, 5)) == -1
    series = (torch.randn(20, 6, 5), torch.arange(20) % 2)
    data = opened(series, floats(symbol("T"), 5), classes(2), normalize="standard")
    assert len(data.scale["image"].shift) == 5


@given(st.lists(st.integers(0, 7), min_size=1, max_size=6), st.floats(-1e6, 1e6))
def test_batches_of_any_size_add_up(sizes: list[int], offset: float) -> None:
    generator = torch.Generator().manual_seed(sum(sizes))
    batches = [torch.randn(n, 2, 3, generator=generator).double() + offset for n in sizes]
    scale = measure(batches, 0, "standard")
    together = torch.cat(batches).numpy()
    if not len(together):
        assert scale is None
        return
    assert scale is not None
    np.testing.assert_allclose(scale.shift, together.mean((0, 2)), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(scale.spread, together.std((0, 2)), rtol=1e-6)
