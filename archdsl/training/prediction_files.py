"""Writes predictions: classes and values as a table, masks and images as pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.output import write_file
from archdsl.training.predicting import Predictions

TABLE = "predictions.csv"
# Colours that are told apart also by those who see no red or no green (Okabe & Ito, 2008); black
# is class 0, most often the background. More classes take them again.
_COLOURS = "000000 e69f00 56b4e9 009e73 f0e442 0072b2 d55e00 cc79a7".split()

Cell = str | int | float


def is_picture(predictions: Predictions) -> bool:
    """Whether a prediction is an image, or a mask of classes."""
    mean, answer = predictions.mean, predictions.answer
    if answer.kind == "classes":
        return mean.ndim == 4 and answer.axis == 1
    channels = mean.shape[1] if mean.ndim == 4 else 0
    return channels == 1 or (channels == 3 and answer.kind == "values")


def write_predictions(
    predictions: Mapping[str, Predictions], place: Path, names: Sequence[str] = ()
) -> list[Path]:
    """Write a table, or where there are pictures a folder of them; gives what was written.

    ``names`` are those of the samples, numbers from 1 unless they are given. Of several outputs
    those that are no pictures stand in a table beside them, and each other has its own folder.
    """
    shown = list(names) or [str(i + 1) for i in range(len(next(iter(predictions.values()))))]
    pictures = {name: p for name, p in predictions.items() if is_picture(p)}
    rest = {name: p for name, p in predictions.items() if name not in pictures}
    if not pictures:
        write_file(place, table_text(rest, shown))
        return [place]
    written = []
    for name, one in pictures.items():
        folder = place if len(predictions) == 1 else place / name
        _make_folder(folder)
        for stem, picture in zip(_stems(shown), pictures_of(one), strict=True):
            data = io.BytesIO()
            picture.save(data, "png")
            written.append(folder / f"{stem}.png")
            write_file(written[-1], data.getvalue())
    if rest:
        written.append(place / TABLE)
        write_file(written[-1], table_text(rest, shown))
    return written


def table_text(predictions: Mapping[str, Predictions], names: Sequence[str]) -> str:
    """Predictions as CSV, a row a sample."""
    columns: dict[str, list[Cell]] = {"sample": list(names)}
    for output, one in predictions.items():
        columns |= _columns(one, output if len(predictions) > 1 else "")
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return text.getvalue()


def _columns(one: Predictions, output: str) -> dict[str, list[Cell]]:
    """The columns by name; ``output`` tells them from those of others, where there are others."""
    if one.answer.kind == "values":
        return _values(one, output)
    prefix = f"{output}_" if output else ""
    found: dict[str, list[Cell]] = {}
    for at, suffix in _places(one.indices):
        found[f"class{suffix}"] = [one.name(int(i)) for i in one.indices[at]]
        found[f"probability{suffix}"] = _numbers(one.probability[at])
        if one.entropy is not None:
            found[f"entropy{suffix}"] = _numbers(one.entropy[at])
        if one.spread is not None:
            found[f"spread{suffix}"] = _numbers(_of_chosen(one)[at])
        if one.information is not None:
            found[f"information{suffix}"] = _numbers(one.information[at])
    return {f"{prefix}{name}": cells for name, cells in found.items()}


def _of_chosen(one: Predictions) -> Tensor:
    """The spread of the probability of what is most likely."""
    assert one.spread is not None
    if one.answer.kind == "binary":
        return one.spread
    axis = one.answer.axis
    return one.spread.gather(axis, one.indices.unsqueeze(axis)).squeeze(axis)


def _values(one: Predictions, output: str) -> dict[str, list[Cell]]:
    """Named as the target is, where the data has a name for it, else as the output."""
    like = one.answer.like
    name = output or (like if like not in {"", "target"} else one.answer.output)
    found: dict[str, list[Cell]] = {}
    for at, suffix in _places(one.mean):
        found[f"{name}{suffix}"] = _numbers(one.mean[at])
        if one.spread is not None:
            found[f"{name}{suffix}_spread"] = _numbers(one.spread[at])
    return found


def _places(tensor: Tensor) -> Iterator[tuple[tuple[slice | int, ...], str]]:
    """Where the numbers of a sample stand, each with what it is told from the others by."""
    shape = tensor.shape[1:]
    several = shape.numel() > 1
    for at in np.ndindex(*shape):
        suffix = "".join(f"_{i + 1}" for i in at) if several else ""
        yield (slice(None), *at), suffix


def _numbers(column: Tensor) -> list[Cell]:
    return [float(f"{value:.7g}") for value in column.tolist()]


def pictures_of(one: Predictions) -> Iterator[Image.Image]:
    """A picture a sample: a mask in the colours of its classes, an image as it is."""
    if one.answer.kind != "values":
        masks = one.indices.reshape(len(one), *one.mean.shape[-2:]).to(torch.uint8)
        palette = [int(c[i : i + 2], 16) for c in _palette() for i in (0, 2, 4)]
        for mask in masks:
            picture = Image.fromarray(mask.numpy())
            picture.putpalette(palette)
            yield picture
        return
    for image in (one.mean.clamp(0, 1) * 255).round().to(torch.uint8):
        pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
        yield Image.fromarray(np.ascontiguousarray(pixels.numpy()))


def _palette() -> list[str]:
    return [_COLOURS[0], *(_COLOURS[1 + i % (len(_COLOURS) - 1)] for i in range(255))]


def _stems(names: Sequence[str]) -> list[str]:
    """What the pictures are called: as the samples are, without folders, each another name."""
    stems = [Path(name).stem or "picture" for name in names]
    if len(set(stems)) < len(stems):
        width = len(str(len(stems)))
        stems = [f"{i + 1:0{width}}-{stem}" for i, stem in enumerate(stems)]
    return stems


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        message = f"the folder {folder} cannot be made: {reason}"
        raise ArchError([Diagnostic("unwritable-file", message)]) from None
