"""Data: what stands behind ``data:``, and how it is split, scaled and served in batches."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, get_args

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.dims import Size
from archdsl.ops.arguments import Kind, Sizes, argument, choice, describe, optional, size, text
from archdsl.ops.op import signature
from archdsl.techniques.technique import Technique, technique

PICTURES = frozenset(
    {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm"}
)
"""What the names of image files end in."""


class DataSource(Technique):
    """Where samples come from."""

    kind = "data"
    files: ClassVar[tuple[str, ...]] = ()
    """Those of its arguments that are paths, from the specification's folder on."""

    @property
    def shown(self) -> str:
        """What a message calls it: ``digits``, ``csv("prices.csv")``."""
        paths = ", ".join(f'"{getattr(self, name)}"' for name in self.files)
        return f"{self.name}({paths})" if paths else self.name

    def fitted(self, dims: Sequence[Size]) -> str:
        """The same source written so that it gives inputs of these sizes, or nothing."""
        return ""

    def like(self, other: DataSource, said: Collection[str] = ()) -> DataSource:
        """The same files, read as ``other`` is: its size, its target, what it leaves out.

        What is ``said`` of this one stays, and so does what it cannot take from the other.
        """
        kept = {*self.files, *other.files, *said}
        taken: dict[str, Any] = {}
        for parameter in signature(type(self)):
            name = parameter.name
            if name not in kept and name in vars(other):
                with suppress(ValueError):
                    taken[name] = parameter.kind.convert(getattr(other, name))
        return replace(self, **taken)


def _names(*, doc: str) -> Any:
    """One name, or a list of several; none is an empty list."""

    def convert(value: Any) -> tuple[str, ...]:
        items = (value,) if isinstance(value, str) else () if value is None else value
        if not isinstance(items, (tuple, list)) or not all(isinstance(i, str) for i in items):
            raise ValueError(f"must be a text or a list of texts, not {describe(value)}")
        if len(set(items)) < len(items):
            raise ValueError(f"names one twice: {describe(value)}")
        return tuple(items)

    return argument(Kind("a text, or a list of texts", convert), (), doc)


def _delimiter() -> Any:
    def convert(value: Any) -> str:
        if not isinstance(value, str) or len(value) != 1 or value in '\r\n"\0':
            raise ValueError(f"must be one character, not {describe(value)}")
        return value

    return argument(Kind('one character such as ";"', convert), ",", "what parts the cells")


def _picture_size() -> Any:
    def convert(value: Any) -> int | tuple[int, ...] | None:
        sides = value if isinstance(value, (tuple, list)) else (value,) * (value is not None)
        whole = all(isinstance(s, int) and not isinstance(s, bool) for s in sides)
        if not whole or len(sides) > 2 or not all(1 <= s <= _LARGEST_SIDE for s in sides):
            raise ValueError(f"must be a height and a width, not {describe(value)}")
        return tuple(sides) if isinstance(value, (tuple, list)) else value

    words = "a side such as 64, or height and width such as (48, 64), or none"
    return argument(Kind(words, convert), None, "height and width; none where all are of one size")


_LARGEST_SIDE = 2**15


def _channels() -> Any:
    def convert(value: Any) -> int:
        if isinstance(value, bool) or value not in (1, 3):
            raise ValueError(f"must be 1 or 3, not {describe(value)}")
        return int(value)

    return argument(Kind("3 for colour, 1 for grey", convert), 3, "3 for colour, 1 for grey")


# What is bundled --------------------------------------------------------------------------


@technique("digits")
class Digits(DataSource):
    """1,797 handwritten digits of 43 people: images [1, 8, 8] from 0 to 1, in 10 classes.

    The test part of the UCI «Optical Recognition of Handwritten Digits» (Alpaydin and Kaynak,
    1998), as scikit-learn bundles it. ``size`` enlarges by bilinear interpolation.
    """

    example = "digits(size = 32)"

    size: int | None = optional(size(minimum=8), doc="height and width, where 8 is too small")

    def fitted(self, dims: Sequence[Size]) -> str:
        if len(dims) != 3 or dims[0] != 1 or dims[1] != dims[2]:
            return ""
        return f"digits(size = {dims[1]})" if isinstance(dims[1], int) and dims[1] >= 8 else ""


@technique("iris")
class Iris(DataSource):
    """150 flowers: 4 lengths in cm, 3 species (Anderson, 1935; Fisher, 1936).

    As scikit-learn bundles it.
    """

    example = "iris"


@technique("wine")
class Wine(DataSource):
    """178 wines: 13 chemical measurements, 3 growers (Aeberhard and Forina, 1991; UCI).

    As scikit-learn bundles it.
    """

    example = "wine"


@technique("breast_cancer")
class BreastCancer(DataSource):
    """569 tumours: 30 measurements of cell nuclei, malignant (0) or benign (1).

    Wolberg, Mangasarian, Street and Street, 1993 (UCI), as scikit-learn bundles it.
    """

    example = "breast_cancer"


@technique("diabetes")
class Diabetes(DataSource):
    """442 patients: 10 measurements, and the progression of the disease after a year (25 to 346).

    Efron, Hastie, Johnstone and Tibshirani, 2004, as scikit-learn bundles it: the measurements
    are centred and scaled already, the progression is not.
    """

    example = "diabetes"


@technique("xor")
class Xor(DataSource):
    """The four rows of the exclusive or, which no single layer can separate (Minsky and Papert).

    Inputs [2], classes 0 and 1. All four rows are the training, the validation and the test
    part at once: it is a whole truth table, not a sample.
    """

    example = "xor"


# What lies in files -----------------------------------------------------------------------


def _written(source: DataSource, dims: Sequence[Size], extra: Sequence[str]) -> str:
    """A source of pictures with the size that is wanted: ``images("photos", size = 28)``."""
    if len(dims) != 3 or not all(isinstance(d, int) for d in dims) or dims[0] not in {1, 3}:
        return ""
    side = str(dims[1]) if dims[1] == dims[2] else f"({dims[1]}, {dims[2]})"
    paths = [f'"{getattr(source, name)}"' for name in source.files]
    return f"{source.name}({', '.join([*paths, f'size = {side}', *extra])})"


class Pictures(DataSource):
    """Files of images, read in one size and with as many channels as are asked for."""

    def fitted(self, dims: Sequence[Size]) -> str:
        return _written(self, dims, ["channels = 1"] if dims and dims[0] == 1 else [])


@technique("images")
class Images(Pictures):
    """A folder of images with a folder for each class: ``photos/cat/1.jpg``.

    Where ``folder/train`` stands, it is the training part; ``folder/val`` and ``folder/test``
    are then the other two. Values from 0 to 1. A ``size`` stretches every image to it
    (bilinear, smoothed when it shrinks), without regard to its proportions.
    """

    example = 'images("photos", size = 64)'
    files = ("folder",)

    folder: str = text(doc="folder of the classes' folders")
    size: Sizes | None = _picture_size()
    channels: int = _channels()


@technique("masks")
class Masks(Pictures):
    """Images, and masks of the same names: the class of every pixel, for segmentation.

    A mask is grey or has a palette; its values are the classes. Masks of 0 and 255 alone are
    taken for 0 and 1. With a ``size`` both are stretched, masks to the nearest pixel.
    """

    example = 'masks("images", "masks", size = 64)'
    files = ("images", "masks")

    images: str = text(doc="folder of images")
    masks: str = text(doc="folder of masks, called as the images are")
    size: Sizes | None = _picture_size()
    channels: int = _channels()


@technique("pairs")
class Pairs(Pictures):
    """Two folders of images of the same names: from the one the other is to be made.

    ``pairs("edges", "photos")``; values from 0 to 1 (Isola et al., 2017).
    """

    example = 'pairs("edges", "photos", size = 64)'
    files = ("inputs", "targets")

    inputs: str = text(doc="folder of what the network gets")
    targets: str = text(doc="folder of what it is to make, called as the inputs are")
    size: Sizes | None = _picture_size()
    channels: int = _channels()


@technique("csv")
class Csv(DataSource):
    """A table as text, the names of its columns in the first row.

    ``target`` names the column that is to be predicted, or several; every other column, from
    left to right, is an input and holds numbers. Texts in a target are classes, in the order
    of the alphabet.
    """

    example = 'csv("houses.csv", target = "price")'
    files = ("file",)

    file: str = text(doc="the table")
    target: tuple[str, ...] = _names(doc="column to predict, or a list of several")
    without: tuple[str, ...] = _names(doc="columns to leave out")
    delimiter: str = _delimiter()


@technique("npz")
class Npz(DataSource):
    """Arrays of NumPy in one file, samples along their first axis.

    Arrays are found by the names of the network's inputs and of the loss's targets, else ``x``
    and ``y``; ``x_train``, ``x_val`` and ``x_test`` give the parts. Bytes (uint8) of two axes or
    more a sample are pixels: divided by 255. Pickled objects are never read.
    """

    example = 'npz("data.npz", inputs = "x", targets = "y")'
    files = ("file",)

    file: str = text(doc="what numpy.savez wrote")
    inputs: tuple[str, ...] = _names(doc="arrays of the inputs, in the network's order")
    targets: tuple[str, ...] = _names(doc="arrays of the targets, in the order of the loss")


@technique("sequences")
class Sequences(DataSource):
    """A text, cut into pieces: from what went before, the next character is to be foretold.

    Inputs int[T], targets int[T], one further on. The vocabulary is what occurs, in the order
    of the alphabet. The parts follow one another in the text: the first is for training.
    """

    example = 'sequences("shakespeare.txt", length = 64)'
    files = ("file",)

    file: str = text(doc="a text in UTF-8")
    length: int = size(default=64, doc="of a piece, T")
    level: str = choice("character", "word", default="character", doc="what is one symbol")


# How it is served -------------------------------------------------------------------------

Normalize = Literal["none", "standard", "unit"]
"""Scaled by the training part: to mean 0 and deviation 1, or from its least to its largest."""


@dataclass(frozen=True)
class DataSettings:
    """How data is split, scaled and served; ArchError, ``bad-value``, for what cannot be.

    ``split`` are the shares of training, validation and test. With ``folds`` the test part is
    fold ``fold`` of so many. ``batch_size`` is that of all processes together; ``strict`` makes
    a file that cannot be read an error.
    """

    batch_size: int = 32
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    seed: int = 0
    normalize: Normalize = "none"
    normalize_targets: bool = False
    folds: int | None = None
    fold: int = 0
    workers: int = 0
    drop_last: bool = False
    strict: bool = False

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise ArchError([Diagnostic("bad-value", problem)])

    def _problem(self) -> str:
        if self.batch_size < 1:
            return f"batch_size must be positive, not {self.batch_size}"
        if self.workers < 0:
            return f"workers must be 0 or more, not {self.workers}"
        if not all(0 <= share <= 1 for share in self.split):
            return f"split takes shares from 0 to 1, not {describe(self.split)}"
        if self.split[0] == 0 or sum(self.split) > 1 + 1e-9:
            total = f"{sum(self.split):g}"
            return f"split needs a share for training, and all shares make 1 at most, not {total}"
        if self.normalize not in get_args(Normalize):
            return f"normalize takes {', '.join(get_args(Normalize))}, not {self.normalize}"
        if self.folds is not None and self.folds < 2:
            return f"folds must be at least 2, not {self.folds}"
        folds = self.folds or 1
        if not 0 <= self.fold < folds:
            return f"fold counts from 0 to {folds - 1}, and is {self.fold}"
        return ""
