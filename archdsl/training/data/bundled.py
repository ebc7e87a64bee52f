"""The sets that need no download: scikit-learn's, and the truth table of the exclusive or."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from sklearn import datasets
from torch import Tensor
from torch.nn import functional

from archdsl.techniques.data import (
    BreastCancer,
    DataSource,
    Diabetes,
    Digits,
    Iris,
    Wine,
    Xor,
)
from archdsl.training.data.request import Request
from archdsl.training.data.samples import InMemory, Parts, Samples


def open_digits(source: Digits, request: Request) -> Samples:
    """1,797 handwritten digits."""
    bunch = datasets.load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32).unsqueeze(1) / 16
    if source.size is not None:
        sides = (source.size, source.size)
        images = functional.interpolate(images, sides, mode="bilinear", align_corners=False)
    names = tuple(str(name) for name in bunch.target_names)
    return _of_classes(source, request, images, torch.tensor(bunch.target), names)


def open_iris(source: Iris, request: Request) -> Samples:
    """150 flowers."""
    return _table(source, request, datasets.load_iris)


def open_wine(source: Wine, request: Request) -> Samples:
    """178 wines."""
    return _table(source, request, datasets.load_wine)


def open_breast_cancer(source: BreastCancer, request: Request) -> Samples:
    """569 tumours."""
    return _table(source, request, datasets.load_breast_cancer)


def open_diabetes(source: Diabetes, request: Request) -> Samples:
    """442 patients."""
    bunch = datasets.load_diabetes()
    request.one_input(source.shown)
    target = request.one_target(source.shown)
    progression = torch.tensor(bunch.target, dtype=torch.float32).unsqueeze(1)
    inputs = torch.tensor(bunch.data, dtype=torch.float32)
    store = InMemory((inputs,), () if target is None else (progression,))
    return Samples(source.shown, store, fitted=source.fitted)


def open_xor(source: Xor, request: Request) -> Samples:
    """The four rows, in every part."""
    rows = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    made = _of_classes(source, request, rows, torch.tensor([0, 1, 1, 0]), ("0", "1"))
    every = torch.arange(4)
    return Samples(made.shown, made.store, made.classes, Parts(every, every, every))


def _table(source: DataSource, request: Request, load: Callable[[], Any]) -> Samples:
    bunch = load()
    names = tuple(str(name) for name in bunch.target_names)
    inputs = torch.tensor(bunch.data, dtype=torch.float32)
    return _of_classes(source, request, inputs, torch.tensor(bunch.target), names)


def _of_classes(
    source: DataSource, request: Request, inputs: Tensor, labels: Tensor, names: tuple[str, ...]
) -> Samples:
    request.one_input(source.shown)
    if request.one_target(source.shown) is None:
        return Samples(source.shown, InMemory((inputs,), ()), strata=labels, fitted=source.fitted)
    store = InMemory((inputs,), (labels,))
    return Samples(source.shown, store, (names,), strata=labels, fitted=source.fitted)
