"""Augmentation: random changes to training batches, by kornia on the batch as a whole."""

from __future__ import annotations

from typing import Any, ClassVar

from archdsl.ops.arguments import Kind, argument, number, probability, sizes
from archdsl.ops.arguments import size as whole
from archdsl.ops.torch_text import Code
from archdsl.techniques.technique import Technique, technique


class Transform(Technique):
    """A random change of images, at training alone.

    ``code`` is the expression of a kornia module that changes each image of a batch by itself.
    ``geometric`` ones move masks along.
    """

    kind = "transform"
    geometric: ClassVar[bool] = False
    channels: ClassVar[int | None] = None
    """How many channels an image must have, where that matters."""
    unit: ClassVar[bool] = False
    """Whether it is for values of 0 to 1 alone."""

    def code(self, *, masks: bool = False) -> Code:
        """Its PyTorch; with ``masks`` it changes images and their masks together."""
        raise TypeError(f"{self.name} has no PyTorch")

    @property
    def window(self) -> tuple[int, int] | None:
        """The height and width that it gives images, if it changes them."""
        return None


def between(default: tuple[float, float], *, least: float, doc: str) -> Any:
    """Two numbers, the first not above the second, both above ``least``."""

    def convert(value: Any) -> tuple[float, float]:
        pair = value if isinstance(value, (tuple, list)) and len(value) == 2 else ()
        if not pair or not all(type(v) in (int, float) and v > least for v in pair):
            raise ValueError(f"must be two numbers above {least:g}, such as {default}")
        if pair[0] > pair[1]:
            raise ValueError(f"must be the smaller number and then the larger, not {value!r}")
        return float(pair[0]), float(pair[1])

    return argument(Kind(f"two numbers such as {default}", convert), default, doc)


def odd(*, default: int, doc: str) -> Any:
    """An odd whole number."""

    def convert(value: Any) -> int:
        if type(value) is not int or value < 1 or not value % 2:
            raise ValueError(f"must be an odd number, not {value!r}")
        return value

    return argument(Kind("an odd whole number", convert), default, doc)


def counted(*, default: int, most: int, doc: str) -> Any:
    """A whole number from 1 to ``most``."""

    def convert(value: Any) -> int:
        if type(value) is not int or not 1 <= value <= most:
            raise ValueError(f"must be a whole number from 1 to {most}, not {value!r}")
        return value

    return argument(Kind(f"a whole number from 1 to {most}", convert), default, doc)


def share_of_images(default: float) -> Any:
    """The probability that an image is changed."""
    return probability(default=default, doc="share of images that it changes")


def _pair(size: Any) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else tuple(size)


# Where things are -------------------------------------------------------------------------


class _Geometric(Transform):
    geometric = True


@technique("horizontal_flip")
class HorizontalFlip(_Geometric):
    """Left becomes right. ``kornia.augmentation.RandomHorizontalFlip``."""

    example = "horizontal_flip"

    p: float = share_of_images(0.5)

    def code(self, *, masks: bool = False) -> Code:
        return Code(f"K.RandomHorizontalFlip(p={self.p!r})")


@technique("vertical_flip")
class VerticalFlip(_Geometric):
    """Up becomes down. ``kornia.augmentation.RandomVerticalFlip``."""

    example = "vertical_flip"

    p: float = share_of_images(0.5)

    def code(self, *, masks: bool = False) -> Code:
        return Code(f"K.RandomVerticalFlip(p={self.p!r})")


@technique("rotation")
class Rotation(_Geometric):
    """Turned about the middle, by up to so many degrees either way; zeros come in at the corners.

    ``kornia.augmentation.RandomRotation``.
    """

    example = "rotation(15)"

    degrees: float = number(above=0.0, maximum=180.0, doc="the largest angle")
    p: float = share_of_images(1.0)

    def code(self, *, masks: bool = False) -> Code:
        return Code(f"K.RandomRotation({float(self.degrees)!r}, p={self.p!r})")


@technique("zoom")
class Zoom(_Geometric):
    """Larger or smaller about the middle, by a factor; zeros come in where it is smaller.

    ``kornia.augmentation.RandomAffine``.
    """

    example = "zoom((0.8, 1.2))"

    factor: tuple[float, float] = between((0.8, 1.2), least=0.0, doc="the least and the largest")
    p: float = share_of_images(1.0)

    def code(self, *, masks: bool = False) -> Code:
        return Code(f"K.RandomAffine(0.0, scale={self.factor!r}, p={self.p!r})")


@technique("shift")
class Shift(_Geometric):
    """Moved by up to this share of its height and width; zeros come in behind it.

    ``kornia.augmentation.RandomAffine``.
    """

    example = "shift(0.1)"

    share: float = number(default=0.1, above=0.0, maximum=1.0, doc="of the height and width")
    p: float = share_of_images(1.0)

    def code(self, *, masks: bool = False) -> Code:
        share = float(self.share)
        return Code(f"K.RandomAffine(0.0, translate=({share!r}, {share!r}), p={self.p!r})")


@technique("random_crop")
class RandomCrop(_Geometric):
    """A window of this size, somewhere in the image with a border of zeros.

    ``kornia.augmentation.RandomCrop``.
    """

    example = "random_crop(28, padding = 2)"

    size: int | tuple[int, ...] = sizes(doc="height and width of the window")
    padding: int = whole(default=0, minimum=0, doc="width of the border")

    @property
    def window(self) -> tuple[int, int]:
        return _pair(self.size)

    def code(self, *, masks: bool = False) -> Code:
        padding = f", padding={self.padding}" if self.padding else ""
        return Code(f"K.RandomCrop({self.window!r}{padding})")


@technique("random_resized_crop")
class RandomResizedCrop(_Geometric):
    """A part of the image of random area and proportions, resized to this size.

    Szegedy et al., 2015. ``kornia.augmentation.RandomResizedCrop``.
    """

    example = "random_resized_crop(224)"

    size: int | tuple[int, ...] = sizes(doc="height and width that it is resized to")
    scale: tuple[float, float] = between((0.08, 1.0), least=0.0, doc="share of the image's area")
    ratio: tuple[float, float] = between(
        (0.75, 1.3333333333333333), least=0.0, doc="width divided by height"
    )

    @property
    def window(self) -> tuple[int, int]:
        return _pair(self.size)

    def code(self, *, masks: bool = False) -> Code:
        more = f", scale={self.scale!r}" if "scale" in self.arguments else ""
        more += f", ratio={self.ratio!r}" if "ratio" in self.arguments else ""
        return Code(f"K.RandomResizedCrop({self.window!r}{more})")


# What they look like ----------------------------------------------------------------------


@technique("blur")
class Blur(Transform):
    """Blurred by a Gaussian window. ``kornia.augmentation.RandomGaussianBlur``."""

    example = "blur(3)"

    size: int = odd(default=3, doc="height and width of the window, an odd number")
    sigma: tuple[float, float] = between((0.1, 2.0), least=0.0, doc="the least and largest width")
    p: float = share_of_images(0.5)

    def code(self, *, masks: bool = False) -> Code:
        size = (self.size, self.size)
        return Code(f"K.RandomGaussianBlur({size!r}, {self.sigma!r}, p={self.p!r})")


@technique("noise")
class Noise(Transform):
    """Gaussian noise is added. ``kornia.augmentation.RandomGaussianNoise``."""

    example = "noise(0.1)"

    std: float = number(default=0.1, above=0.0, doc="its standard deviation")
    p: float = share_of_images(1.0)

    def code(self, *, masks: bool = False) -> Code:
        return Code(f"K.RandomGaussianNoise(std={self.std!r}, p={self.p!r})")


ERASING = '''\
class Erasing(K.RandomErasing):
    """Erases a part of an image, and leaves its mask alone."""

    def apply_transform_mask(self, input: Tensor, *_: Any, **__: Any) -> Tensor:
        return input
'''


@technique("erasing", "cutout")
class Erasing(Transform):
    """A rectangle of random area and proportions becomes 0 (Zhong et al., 2020).

    Cutout (DeVries & Taylor, 2017), with rectangles for squares.
    ``kornia.augmentation.RandomErasing``.
    """

    example = "erasing(p = 0.25)"

    p: float = share_of_images(0.5)
    scale: tuple[float, float] = between((0.02, 0.33), least=0.0, doc="share of the image's area")
    ratio: tuple[float, float] = between((0.3, 3.3), least=0.0, doc="height divided by width")

    def code(self, *, masks: bool = False) -> Code:
        more = f", scale={self.scale!r}" if "scale" in self.arguments else ""
        more += f", ratio={self.ratio!r}" if "ratio" in self.arguments else ""
        if masks:
            return Code(f"Erasing(p={self.p!r}{more})", helpers={"Erasing": ERASING})
        return Code(f"K.RandomErasing(p={self.p!r}{more})")


@technique("color_jitter")
class ColorJitter(Transform):
    """Brightness, contrast, saturation and hue change at random, in random order.

    Each factor is drawn from 1 - x to 1 + x, the hue from -x to x of the circle. Images are of
    values 0 to 1. ``kornia.augmentation.ColorJitter``.
    """

    example = "color_jitter(brightness = 0.4, contrast = 0.4)"
    unit = True

    brightness: float = number(default=0.0, minimum=0.0, maximum=1.0, doc="how much it changes")
    contrast: float = number(default=0.0, minimum=0.0, maximum=1.0, doc="how much it changes")
    saturation: float = number(default=0.0, minimum=0.0, maximum=1.0, doc="how much it changes")
    hue: float = number(default=0.0, minimum=0.0, maximum=0.5, doc="how much it changes")
    p: float = share_of_images(1.0)

    @property
    def channels(self) -> int | None:  # type: ignore[override]  # of the arguments, not the class
        return 3 if self.saturation or self.hue else None

    def code(self, *, masks: bool = False) -> Code:
        parts = [f"{k}={v!r}" for k, v in self.arguments.items() if k != "p"]
        return Code(f"K.ColorJitter({', '.join([*parts, f'p={self.p!r}'])})")


@technique("grayscale")
class Grayscale(Transform):
    """The colours become shades of grey, in three channels that are the same.

    ``kornia.augmentation.RandomGrayscale``.
    """

    example = "grayscale(p = 0.2)"
    channels = 3

    p: float = share_of_images(0.1)

    def code(self, *, masks: bool = False) -> Code:
        return Code(f"K.RandomGrayscale(p={self.p!r})")


# Policies ---------------------------------------------------------------------------------


@technique("rand_augment")
class RandAugment(Transform):
    """``n`` operations of fifteen, at magnitude ``m`` of 30, drawn anew for every batch.

    Rotations, shears, shifts, posterizing, brightness and the like. Images are of three channels
    and values 0 to 1. Cubuk et al., 2020. ``kornia.augmentation.auto.RandAugment``.
    """

    example = "rand_augment(2, 7)"
    geometric = True
    channels = 3
    unit = True

    n: int = counted(default=2, most=15, doc="how many operations")
    m: float = number(default=9, above=0.0, maximum=29.0, doc="their magnitude, of 30")

    def code(self, *, masks: bool = False) -> Code:
        return Code(f"K.auto.RandAugment(n={self.n!r}, m={self.m!r})")


@technique("trivial_augment")
class TrivialAugment(Transform):
    """One operation at a random magnitude, drawn anew for every batch.

    Images are of values 0 to 1. Müller & Hutter, 2021.
    ``kornia.augmentation.auto.TrivialAugment``.
    """

    example = "trivial_augment"
    geometric = True
    unit = True

    def code(self, *, masks: bool = False) -> Code:
        return Code("K.auto.TrivialAugment()")
