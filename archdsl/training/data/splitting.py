"""Splits samples into training, validation and test parts: seeded, and alike in their classes."""

from __future__ import annotations

import warnings

import numpy as np
import numpy.typing as npt
import torch
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from archdsl.techniques.data import DataSettings
from archdsl.training.data.request import bad_data
from archdsl.training.data.samples import Parts, Samples

Indices = npt.NDArray[np.int64]


def split(samples: Samples, settings: DataSettings) -> Parts:
    """The parts that the source has itself, else those that the settings ask for."""
    strata = None if samples.strata is None else samples.strata.numpy()
    if samples.parts is not None:
        if settings.folds is not None:
            raise bad_data(
                f"{samples.shown} has its own training part, and folds would part it anew",
                help="leave the folds out, or give the samples without parts",
            )
        return _with_validation(samples.parts, samples, strata, settings)
    everything = np.arange(len(samples.store))
    if settings.folds is not None:
        return _fold(everything, samples, strata, settings)
    _, validation, test = settings.split
    used = _used(everything, samples, strata, settings)
    whole = sum(settings.split)
    rest, tested = _cut(used, test / whole, samples, strata, settings)
    left = whole - test
    train, validated = _cut(rest, validation / left, samples, strata, settings)
    return _parts(train, validated, tested, samples)


def _used(
    everything: Indices, samples: Samples, strata: Indices | None, settings: DataSettings
) -> Indices:
    """All, or as many as the shares of the split make together."""
    return _cut(everything, max(0.0, 1 - sum(settings.split)), samples, strata, settings)[0]


def _with_validation(
    parts: Parts, samples: Samples, strata: Indices | None, settings: DataSettings
) -> Parts:
    """A source with a training and a test part alone: validation is a share of training."""
    train, validation, _ = settings.split
    if len(parts.validation) or not len(parts.test) or not validation:
        return parts
    share = validation / (train + validation)
    kept, validated = _cut(parts.train.numpy(), share, samples, strata, settings)
    return _parts(kept, validated, parts.test.numpy(), samples)


def _fold(
    everything: Indices, samples: Samples, strata: Indices | None, settings: DataSettings
) -> Parts:
    folds, count = settings.folds or 2, len(everything)
    if folds > count:
        raise bad_data(f"{samples.shown} has {count} samples, too few for {folds} folds")
    seed = None if samples.ordered else _seed(settings)
    shuffle = not samples.ordered
    stratified = strata is not None and shuffle and np.bincount(_ranked(strata)).max() >= folds
    kind = StratifiedKFold if stratified else KFold
    with warnings.catch_warnings():
        # a class with fewer samples than folds is in some of them alone, as must be
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        cuts = list(kind(folds, shuffle=shuffle, random_state=seed).split(everything, strata))
    rest, test = cuts[settings.fold]
    train, validation, _ = settings.split
    kept, validated = _cut(rest, validation / (train + validation), samples, strata, settings)
    return _parts(kept, validated, test, samples)


def _cut(
    indices: Indices, share: float, samples: Samples, strata: Indices | None, settings: DataSettings
) -> tuple[Indices, Indices]:
    """What stays, and the share that is taken out; with the same share of every class."""
    count = round(len(indices) * share)
    if share > 1e-9 and count == 0 and len(indices) > 1:
        count = 1
    count = min(count, len(indices) - 1)
    if count <= 0:
        return indices, indices[:0]
    if samples.ordered:
        return indices[:-count], indices[-count:]
    seed = _seed(settings)
    if strata is None:
        kept, taken = train_test_split(indices, test_size=count, random_state=seed)
        return kept, taken
    return _cut_alike(indices, count, strata[indices], seed)


def _cut_alike(indices: Indices, count: int, strata: Indices, seed: int) -> tuple[Indices, Indices]:
    """By scikit-learn, which refuses classes of one sample, and parts too small for all classes."""
    ranked = _ranked(strata)
    alone = np.bincount(ranked)[ranked] < 2
    several, ranks = indices[~alone], ranked[~alone]
    classes = len(np.unique(ranks))
    if count < classes or len(several) - count < classes:
        kept, taken = train_test_split(indices, test_size=count, random_state=seed)
        return kept, taken
    kept, taken = train_test_split(several, test_size=count, stratify=ranks, random_state=seed)
    return np.concatenate([kept, indices[alone]]), taken


def _ranked(strata: Indices) -> Indices:
    """Classes as 0, 1, 2 …, whatever numbers they have."""
    return np.unique(strata, return_inverse=True)[1].reshape(-1)


def _seed(settings: DataSettings) -> int:
    return settings.seed % 2**32  # what scikit-learn takes


def _parts(train: Indices, validation: Indices, test: Indices, samples: Samples) -> Parts:
    """Indices in their order: what shuffles training is the sampler, epoch by epoch."""
    if not len(train):
        raise bad_data(f"{samples.shown} leaves no sample for training")
    made = [torch.from_numpy(np.sort(part).astype(np.int64)) for part in (train, validation, test)]
    return Parts(*made)
