"""Opens data for a network: found, fitted, split, scaled; each of these a room of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import LightningDataModule

from archdsl.diagnostics import Diagnostic
from archdsl.ops.op import Tensor as Type
from archdsl.recipes.demands import Demands
from archdsl.techniques import data as sources
from archdsl.techniques.data import DataSettings
from archdsl.techniques.losses import Wanted
from archdsl.training.data.arrays import open_npz
from archdsl.training.data.bundled import (
    open_breast_cancer,
    open_diabetes,
    open_digits,
    open_iris,
    open_wine,
    open_xor,
)
from archdsl.training.data.data import Data
from archdsl.training.data.fitting import fit
from archdsl.training.data.folders import open_images, open_masks, open_pairs
from archdsl.training.data.given import loaders_in, open_given
from archdsl.training.data.loaders import FittedLoader, Loaders
from archdsl.training.data.request import Request, bad_data, listed
from archdsl.training.data.samples import Parts, Samples, Store
from archdsl.training.data.scaling import Scale, axis_of, measure
from archdsl.training.data.splitting import split
from archdsl.training.data.tables import open_csv
from archdsl.training.data.writing import open_sequences

_AT_ONCE = 256  # samples that are measured together

Opener = Callable[[Any, Request], Samples]

OPENERS: Mapping[type[sources.DataSource], Opener] = {
    sources.Digits: open_digits,
    sources.Iris: open_iris,
    sources.Wine: open_wine,
    sources.BreastCancer: open_breast_cancer,
    sources.Diabetes: open_diabetes,
    sources.Xor: open_xor,
    sources.Images: open_images,
    sources.Masks: open_masks,
    sources.Pairs: open_pairs,
    sources.Csv: open_csv,
    sources.Npz: open_npz,
    sources.Sequences: open_sequences,
}


def open_data(
    source: object,
    *,
    inputs: Mapping[str, Type],
    targets: Mapping[str, Wanted],
    settings: DataSettings | None = None,
    root: Path | None = None,
    inside: bool = False,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    scale: Mapping[str, Scale] | None = None,
    target_scale: Mapping[str, Scale] | None = None,
    columns: tuple[str, ...] = (),
    demands: Demands | None = None,
) -> Data:
    """Data for a network with these inputs and a loss with these targets.

    ``source`` is a data technique, or what a person has in Python: tensors or arrays
    ``(x, y)``, a Dataset, DataLoaders, a pair or triple of either (training, validation, test),
    or a LightningDataModule, which is passed through. Paths are relative to ``root``, and with
    ``inside`` must stay there. ``classes``, the scales and the ``columns`` of a table are those
    of a network that is trained already; else they are learnt from the training part. ``demands``
    are what the network asks of its inputs beyond their types. Raises ArchError.
    """
    used = DataSettings() if settings is None else settings
    asked = demands or Demands()
    request = Request(
        inputs, targets, used, root, inside, classes or {}, columns=columns, demands=asked
    )
    if isinstance(source, LightningDataModule):
        _served_as_it_is("a LightningDataModule", used)
        return Data("the LightningDataModule", used, ready=source)
    loaders = loaders_in(source)
    if loaders is not None:
        return _of_loaders([FittedLoader(part, request) for part in loaders], used)
    samples = fit(_open(source, request), request)
    parts = split(samples, used)
    return Data(
        samples.shown,
        used,
        store=samples.store,
        parts=parts,
        classes=_by_target(samples, request),
        scale=_input_scale(samples.store, parts, request) if scale is None else scale,
        target_scale=(
            _target_scale(samples.store, parts, request) if target_scale is None else target_scale
        ),
        inputs=tuple(inputs),
        targets=tuple(targets),
        skipped=samples.skipped,
        warnings=_warnings(samples),
        source=source if isinstance(source, sources.DataSource) else None,
        names=samples.names,
        columns=samples.columns,
    )


def open_inputs(
    source: object,
    *,
    inputs: Mapping[str, Type],
    settings: DataSettings | None = None,
    root: Path | None = None,
    inside: bool = False,
    scale: Mapping[str, Scale] | None = None,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    columns: tuple[str, ...] = (),
    demands: Demands | None = None,
) -> Data:
    """All samples of a source, in order and without targets, as the test part: to predict."""
    used = DataSettings() if settings is None else settings
    request = Request(
        inputs,
        {},
        used,
        root,
        inside,
        classes or {},
        prediction=True,
        columns=columns,
        demands=demands or Demands(),
    )
    if isinstance(source, LightningDataModule):
        return Data("the LightningDataModule", used, ready=source)
    loaders = loaders_in(source)
    if loaders is not None:
        return Data(
            "the DataLoader", used, ready=Loaders(None, None, FittedLoader(loaders[0], request))
        )
    samples = fit(_open(source, request), request)
    none = torch.arange(0)
    return Data(
        samples.shown,
        used,
        store=samples.store,
        parts=Parts(none, none, torch.arange(len(samples.store))),
        scale=scale or {},
        inputs=tuple(inputs),
        skipped=samples.skipped,
        warnings=_warnings(samples),
        names=samples.names,
    )


def _open(source: object, request: Request) -> Samples:
    if isinstance(source, sources.DataSource):
        return OPENERS[type(source)](source, request)
    return open_given(source, request)


def _of_loaders(loaders: list[FittedLoader], settings: DataSettings) -> Data:
    _served_as_it_is("a DataLoader", settings)
    return Data("the DataLoader", settings, ready=Loaders(*loaders))


def _served_as_it_is(shown: str, settings: DataSettings) -> None:
    if settings.normalize != "none" or settings.normalize_targets or settings.folds is not None:
        raise bad_data(
            f"{shown} is served as it is: it is not scaled, nor parted into folds",
            help="give the Dataset, or do without normalize and folds",
        )


def _by_target(samples: Samples, request: Request) -> Mapping[str, tuple[str, ...]]:
    named = zip(request.targets, samples.classes, strict=False)
    return {name: classes for name, classes in named if classes}


def _input_scale(store: Store, parts: Parts, request: Request) -> dict[str, Scale]:
    if request.settings.normalize == "none":
        return {}
    return _measured(store, parts, list(request.inputs.items()), 0, request.settings.normalize)


def _target_scale(store: Store, parts: Parts, request: Request) -> dict[str, Scale]:
    """The scale of real targets; classes keep their numbers."""
    if not request.settings.normalize_targets:
        return {}
    types = [(name, wanted.type) for name, wanted in request.targets.items()]
    return _measured(store, parts, types, 1, "standard")


def _measured(
    store: Store,
    parts: Parts,
    types: list[tuple[str, Type]],
    which: int,
    normalize: sources.Normalize,
) -> dict[str, Scale]:
    scales: dict[str, Scale] = {}
    for index, (name, type) in enumerate(types):
        if type.dtype != "float":
            continue
        axis = axis_of(tuple(d if isinstance(d, int) else None for d in type.dims))
        batches = (store.take(part)[which][index] for part in torch.split(parts.train, _AT_ONCE))
        found = measure(batches, axis, normalize)
        if found is not None:
            scales[name] = found
    return scales


def _warnings(samples: Samples) -> tuple[Diagnostic, ...]:
    """What was left out, once and for all of it."""
    if not samples.skipped:
        return samples.warnings
    count = len(samples.skipped)
    files, are = ("file", "is") if count == 1 else ("files", "are")
    message = (
        f"{samples.shown} has {count} {files} that cannot be read, and {are} left out:"
        f" {listed(s.path for s in samples.skipped)}"
    )
    notes = tuple(f"{s.path}: {s.reason}" for s in samples.skipped[:8])
    skipped = Diagnostic("skipped-files", message, notes=notes, severity="warning")
    return (skipped, *samples.warnings)
