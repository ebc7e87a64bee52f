"""Spatial sizes changed without a kernel: padded, cropped, resized, traded for channels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archdsl.dims import Size, show, show_shape
from archdsl.ops.arguments import (
    LARGEST,
    OpError,
    Sizes,
    choice,
    factors,
    flag,
    number,
    optional,
    size,
    sizes,
    whole_list,
)
from archdsl.ops.conv import AXIS_NAMES, need_spatial
from archdsl.ops.op import (
    Need,
    Op,
    Tensor,
    layer,
    need_batch,
    per_axis,
    show_value,
)
from archdsl.ops.reach import Reach, Window, interpolated, parts, same_place, sliding
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Argument, Code, keyword, module, positional
from archdsl.ops.traits import View

_PAD_CLASSES = {
    "constant": "ConstantPad",
    "reflect": "ReflectionPad",
    "replicate": "ReplicationPad",
    "circular": "CircularPad",
}


@layer("pad", family="shape")
class Pad(Op):
    """Values are added around the sizes, or cut off where the padding is negative.

    Input [channels, *sizes], output with each size grown at both ends. One number pads every
    spatial axis; a list goes as in torch from the last axis backwards: ``pad((left, right, top,
    bottom))``. The modes other than constant pad spatial axes alone.

    PyTorch: ``nn.ZeroPad2d``, ``nn.ConstantPad2d``, ``nn.ReflectionPad2d``,
    ``nn.ReplicationPad2d``, ``nn.CircularPad2d`` and their kin, ``F.pad``.
    """

    example = "pad((1, 1, 2, 2))"

    padding: tuple[int, ...] = whole_list(minimum=None, doc="how many values at each end")
    mode: str = choice(*_PAD_CLASSES, default="constant", doc="what is added")
    value: float = number(default=0.0, doc="the constant")

    def _pairs(self, x: Tensor) -> list[tuple[int, int]]:
        """How much is added before and after every axis of ``x.dims``."""
        given = self.padding * 2 * (x.rank - 1) if len(self.padding) == 1 else self.padding
        most = x.rank if self.mode == "constant" else x.rank - 1
        if not given or len(given) % 2 or len(given) > 2 * most:
            raise OpError(
                "wrong-axes",
                f"padding of {self.name} has {len(self.padding)}"
                f" {'number' if len(self.padding) == 1 else 'numbers'}, which does not fit {x}",
                text=f"one number for the {x.rank - 1} spatial axes, or two per axis, the last"
                " axis first",
                argument="padding",
            )
        pairs = list(zip(given[::2], given[1::2], strict=True))
        return [(0, 0)] * (x.rank - len(pairs)) + pairs[::-1]

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        if self.mode != "constant":
            need_spatial(self, x)
        elif x.dtype != "float" and self.value != int(self.value):
            raise OpError(
                "wrong-dtype", f"value of pad (={self.value}) is not an index", argument="value"
            )
        out: list[Size] = []
        for index, (before, after) in enumerate(self._pairs(x)):
            extent = x.dims[index]
            if before or after:
                self._need_source(need, x, index, before, after)
            out.append(extent + before + after)
        return (x.with_dims(*out),)

    def _need_source(self, need: Need, x: Tensor, index: int, before: int, after: int) -> None:
        if self.mode != "constant" and min(before, after) < 0:
            raise OpError(
                "bad-argument",
                f"padding of pad (={min(before, after)}) cannot be negative with mode {self.mode}",
                help="cut with crop or slice",
                argument="padding",
            )
        cut = max(-before, 0) + max(-after, 0)
        added = max(before, after)
        least = {"reflect": added + 1, "circular": added}.get(self.mode, cut + 1)
        error = OpError(
            "padding-too-large",
            f"{self.mode} padding of ({before}, {after}) needs at least {least} values along axis"
            f" {index + 1} of {x}, which has {show(x.dims[index])}",
            text=f"the input is {x}",
            argument="padding",
        )
        need.at_least(x.dims[index], least, error, f"{self.mode} padding of ({before}, {after})")

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return tuple(
            sliding(axis, kernel=1, before=before)
            for axis, (before, _) in enumerate(self._pairs(inputs[0]))
        )

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(inputs=(0,)) if self.mode in {"reflect", "replicate"} else NOTHING_SAVED

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        x = inputs[0]
        pairs = self._pairs(x)
        padded = next((i for i, pair in enumerate(pairs) if any(pair)), x.rank - 1)
        axes = x.rank - 1
        if padded >= 1 and axes in AXIS_NAMES:
            return self._module(axes, pairs[1:])
        call = f"F.pad({{0}}, {{padding}}{self._value()})"
        return Code(call=call, constants={"padding": _last_first(pairs[padded:])})

    def _value(self) -> str:
        return f", value={self.value}" if self.value else ""

    def _module(self, axes: int, pairs: list[tuple[int, int]]) -> Code:
        numbers = _last_first(pairs)
        padding: Sizes = numbers[0] if len(set(numbers)) == 1 else numbers
        arguments: list[Argument] = [positional("padding", padding)]
        name = _PAD_CLASSES[self.mode]
        if self.mode == "constant" and self.value:
            arguments.append(positional("value", self.value))
        elif self.mode == "constant":
            name = "ZeroPad"
        mode = "" if self.mode == "constant" else f', mode="{self.mode}"'
        value = self._value() if self.mode == "constant" else ""
        return module(
            f"nn.{name}{axes}d",
            *arguments,
            function=f"F.pad({{0}}, {numbers}{mode}{value})",
        )


def _last_first(pairs: Sequence[tuple[int, int]]) -> tuple[int, ...]:
    """Padding as torch writes it: the last axis first."""
    return tuple(number for pair in reversed(pairs) for number in pair)


CENTER_CROP = '''\
def center_crop(x: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
    """Cuts the middle out of the last axes of x."""
    for axis, size in enumerate(sizes, start=x.dim() - len(sizes)):
        x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x
'''


@layer("crop", family="shape")
class Crop(View):
    """The middle of the spatial axes, of a size given or of another tensor's size.

    Input [channels, *sizes], output [channels, *size]: ``crop(224)``, ``crop((h, w))``, or as
    large as another tensor: ``crop(skip, like = it)``, as U-Net cuts what it copies.

    PyTorch: a function ``center_crop`` in the source.
    """

    example = "crop((20, 24))"
    inputs = ("input", "like")
    shape_only = frozenset({"like"})
    optional_inputs = 1

    size: Sizes | None = optional(sizes(), doc="size of the output")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_batch(self, x)
        wanted = _wanted_sizes(self, self.size, inputs)
        for index, (old, new) in enumerate(zip(x.spatial, wanted, strict=True)):
            error = OpError(
                "crop-too-large",
                f"crop cannot cut {show_shape(wanted)} out of {x}: along axis {index + 2} it has"
                f" {show(old)}, and {show(new)} are wanted",
                text=f"the input is {x}",
                help="pad it, or resize it",
                argument=None if len(inputs) > 1 else "size",
                input=0,
            )
            need.at_least(old, new, error, "crop makes it no larger")
        return (x.with_dims(x.channels, *wanted),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        if input:
            return None
        pairs = zip(inputs[0].spatial, outputs[0].spatial, strict=True)
        cut = [(old - new) // 2 for old, new in pairs]
        windows = (
            sliding(i + 1, kernel=1, before=-c) if isinstance(c, int) else None
            for i, c in enumerate(cut)
        )
        return (same_place(0), *windows)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        helpers = {"center_crop": CENTER_CROP}
        if len(inputs) > 1:
            return Code(call="center_crop({0}, {1}.shape[2:])", helpers=helpers)
        wanted = tuple(map(show, outputs[0].spatial))
        return Code(call=f"center_crop({{0}}, {_tuple_text(wanted)})", helpers=helpers)


def _tuple_text(items: Sequence[str]) -> str:
    return f"({items[0]},)" if len(items) == 1 else f"({', '.join(items)})"


def _wanted_sizes(op: Op, given: Sizes | None, inputs: Sequence[Tensor]) -> tuple[Size, ...]:
    """The spatial sizes asked for, by an argument or by a second input."""
    x = inputs[0]
    axes = x.rank - 1
    if axes < 1:
        raise OpError(
            "wrong-rank",
            f"{op.name} takes [channels, sizes…], not {x}",
            text=f"the input is {x}",
            input=0,
        )
    if (given is None) == (len(inputs) == 1):
        problem = "needs a size" if given is None else "has a size already"
        raise OpError(
            "missing-argument" if given is None else "bad-argument",
            f"{op.name} {problem}: give it either size or like",
            help=f"{op.name}(224), or {op.name}(like = …) for the size of another tensor",
            argument=None if given is None else "size",
        )
    if given is not None:
        return per_axis(given, axes, "size")
    like = inputs[1]
    need_batch(op, like)
    if like.rank != x.rank:
        raise OpError(
            "shape-mismatch",
            f"{op.name} takes a like with the same axes as its input, and they are {like} and {x}",
            text=f"the input is {x}",
            input=1,
        )
    return like.spatial


_MODES = {
    "nearest": (1, 2, 3),
    "nearest_exact": (1, 2, 3),
    "area": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "bicubic": (2,),
    "trilinear": (3,),
}
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


def _need_mode(op: Op, axes: int, mode: str, align_corners: bool | None) -> None:
    if axes not in _MODES[mode]:
        raise OpError(
            "wrong-axes",
            f"mode {mode} of {op.name} is for {_MODES[mode][0]} spatial"
            f" {'axis' if _MODES[mode][0] == 1 else 'axes'}, and the input has {axes}",
            help=f"write mode = {_LINEAR[axes]}",
            argument="mode",
        )
    if align_corners is not None and _MODES[mode] == (1, 2, 3):
        raise OpError(
            "bad-argument",
            f"align_corners of {op.name} has no meaning with mode {mode}",
            help=f"leave it out, or write mode = {_LINEAR[axes]}",
            argument="align_corners",
        )


def _mode_arguments(mode: str, align_corners: bool | None) -> list[Argument]:
    return [
        keyword("mode", mode.replace("_", "-"), "nearest"),
        keyword("align_corners", align_corners, None),
    ]


def _interpolate(size_text: str, mode: str, align_corners: bool | None) -> str:
    text = f"F.interpolate({{0}}, {size_text}"
    if mode != "nearest":
        text += f', mode="{mode.replace("_", "-")}"'
    if align_corners is not None:
        text += f", align_corners={align_corners}"
    return f"{text})"


def _interpolated_reach(
    x: Tensor,
    y: Tensor,
    mode: str,
    align_corners: bool | None,
    scales: Sequence[float] | None = None,
) -> Reach:
    """What an interpolation of ``x`` to ``y`` sees; everything where a free size decides."""
    from fractions import Fraction  # few networks need it, and every command imports the layers

    windows: list[Window | None] = []
    for axis, (old, new) in enumerate(zip(x.spatial, y.spatial, strict=True), start=1):
        fixed = isinstance(old, int) and isinstance(new, int)
        if mode == "area":
            windows.append(parts(axis, old, new))
        elif align_corners:
            corners = (old, new) if isinstance(old, int) and isinstance(new, int) else None
            windows.append(
                interpolated(axis, Fraction(1), mode, corners=corners) if fixed else None
            )
        elif scales is not None:
            windows.append(interpolated(axis, 1 / Fraction(scales[axis - 1]), mode))
        elif old == new:
            windows.append(same_place(axis))
        else:
            scale = Fraction(old, new) if isinstance(old, int) and isinstance(new, int) else None
            windows.append(None if scale is None else interpolated(axis, scale, mode))
    return (same_place(0), *windows)


@layer("upsample", family="shape")
class Upsample(Op):
    """Spatial axes enlarged by a factor, or to a size, by interpolation.

    Input [channels, *sizes], output [channels, *sizes'] with size' = floor(size·scale_factor).

    PyTorch: ``nn.Upsample``.
    """

    example = "upsample(scale_factor = 2, mode = bilinear)"
    keeps = NOTHING_SAVED

    size: Sizes | None = optional(sizes(), doc="size of the output")
    scale_factor: Any = optional(factors(), doc="factor of enlargement, instead of the size")
    mode: str = choice(*_MODES, default="nearest", doc="how values between are found")
    align_corners: bool | None = optional(flag(), doc="whether the corners stay in place")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        axes = need_spatial(self, x)
        _need_mode(self, axes, self.mode, self.align_corners)
        if (self.size is None) == (self.scale_factor is None):
            both = self.size is not None
            raise OpError(
                "bad-argument" if both else "missing-argument",
                f"upsample {'has both a' if both else 'needs a'} size {'and' if both else 'or'} a"
                " scale_factor",
                help="write one of them, such as scale_factor = 2",
                argument="scale_factor" if both else None,
            )
        if self.size is not None:
            return (x.with_dims(x.channels, *per_axis(self.size, axes, "size")),)
        scales = per_axis(self.scale_factor, axes, "scale_factor")
        out = [self._scaled(need, e, s) for e, s in zip(x.spatial, scales, strict=True)]
        return (x.with_dims(x.channels, *out),)

    def _scaled(self, need: Need, extent: Size, scale: float) -> Size:
        """floor(extent·scale) as torch computes it, in floating point."""
        if isinstance(extent, int):
            if extent * scale > LARGEST:
                raise OpError(
                    "bad-argument",
                    f"scale_factor of upsample (={scale}) is too large",
                    argument="scale_factor",
                )
            result: Size = math.floor(extent * scale)
        else:
            from fractions import Fraction  # as above

            ratio = Fraction(scale)
            if ratio.denominator > 2**16:  # a rounded product, whose floor has no closed form
                raise OpError(
                    "free-size",
                    f"scale_factor of upsample (={scale}) has no exact result for the free size"
                    f" {show(extent)}",
                    help="use a factor such as 2, 1.5 or 0.25, or resize(like = …)",
                    argument="scale_factor",
                )
            result = extent * ratio.numerator // ratio.denominator
        error = OpError(
            "empty-size",
            f"a scale_factor of {show_value(scale)} leaves nothing of {show(extent)}",
            argument="scale_factor",
        )
        need.at_least(result, 1, error, f"something is left after scaling by {show_value(scale)}")
        return result

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        x, y = inputs[0], outputs[0]
        if self.scale_factor is None:
            return _interpolated_reach(x, y, self.mode, self.align_corners)
        scales = per_axis(self.scale_factor, x.rank - 1, "scale_factor")
        return _interpolated_reach(x, y, self.mode, self.align_corners, scales)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            "nn.Upsample",
            keyword("size", self.size, None),
            keyword("scale_factor", self.scale_factor, None),
            *_mode_arguments(self.mode, self.align_corners),
        )


@layer("resize", family="shape")
class Resize(Op):
    """Spatial axes brought to a size, or to another tensor's, by interpolation.

    Input [channels, *sizes], output [channels, *size]: ``resize(224)``, or
    ``resize(like = image, mode = bilinear)`` as FCN brings its scores to the image's size.

    PyTorch: ``F.interpolate``.
    """

    example = "resize(20, mode = bilinear)"
    inputs = ("input", "like")
    shape_only = frozenset({"like"})
    optional_inputs = 1
    keeps = NOTHING_SAVED

    size: Sizes | None = optional(sizes(), doc="size of the output")
    mode: str = choice(*_MODES, default="nearest", doc="how values between are found")
    align_corners: bool | None = optional(flag(), doc="whether the corners stay in place")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        axes = need_spatial(self, x)
        _need_mode(self, axes, self.mode, self.align_corners)
        return (x.with_dims(x.channels, *_wanted_sizes(self, self.size, inputs)),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        if input:
            return None
        return _interpolated_reach(inputs[0], outputs[0], self.mode, self.align_corners)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        if self.size is None:
            call = _interpolate("size={1}.shape[2:]", self.mode, self.align_corners)
            return Code(call=call)
        text = f"size={show_value(self.size)}"
        return module(
            "nn.Upsample",
            keyword("size", self.size),
            *_mode_arguments(self.mode, self.align_corners),
            function=_interpolate(text, self.mode, self.align_corners),
        )


def _need_image(op: Op, x: Tensor) -> None:
    need_batch(op, x)
    if x.rank != 3:
        raise OpError(
            "wrong-rank",
            f"{op.name} takes [channels, height, width], not {x}",
            text=f"the input is {x}",
            input=0,
        )


@layer("pixel_shuffle", family="shape")
class PixelShuffle(Op):
    """Channels become pixels: the image grows by a factor, the channels shrink by its square.

    Input [c·r², height, width], output [c, height·r, width·r]. Shi et al., 2016.

    PyTorch: ``nn.PixelShuffle``.
    """

    example = "pixel_shuffle(2)"
    keeps = NOTHING_SAVED

    upscale_factor: int = size(doc="by how much height and width grow")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x, factor = inputs[0], self.upscale_factor
        _need_image(self, x)
        error = OpError(
            "not-divisible",
            f"the channels of pixel_shuffle (={show(x.channels)}) must be divisible by the square"
            f" of upscale_factor (={factor}² = {factor**2})",
            text=f"the input is {x}",
            argument="upscale_factor",
        )
        need.divisible(x.channels, factor**2, error, "pixel_shuffle divides the channels")
        height, width = x.spatial
        return (x.with_dims(x.channels // factor**2, height * factor, width * factor),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        spread = ((0, 0),) * self.upscale_factor
        return (None, Window(1, spread), Window(2, spread))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module("nn.PixelShuffle", positional("upscale_factor", self.upscale_factor))


@layer("pixel_unshuffle", family="shape")
class PixelUnshuffle(Op):
    """Pixels become channels: the reverse of pixel_shuffle.

    Input [c, height·r, width·r], output [c·r², height, width].

    PyTorch: ``nn.PixelUnshuffle``.
    """

    example = "pixel_unshuffle(2)"
    keeps = NOTHING_SAVED

    downscale_factor: int = size(doc="by how much height and width shrink")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x, factor = inputs[0], self.downscale_factor
        _need_image(self, x)
        for name, extent in zip(AXIS_NAMES[2], x.spatial, strict=True):
            error = OpError(
                "not-divisible",
                f"the {name} of pixel_unshuffle (={show(extent)}) must be divisible by"
                f" downscale_factor (={factor})",
                text=f"the input is {x}",
                argument="downscale_factor",
            )
            need.divisible(extent, factor, error, f"pixel_unshuffle divides the {name}")
        height, width = x.spatial
        return (x.with_dims(x.channels * factor**2, height // factor, width // factor),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        factor = self.downscale_factor
        return (None, *(sliding(axis, kernel=factor, stride=factor) for axis in (1, 2)))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module("nn.PixelUnshuffle", positional("downscale_factor", self.downscale_factor))
