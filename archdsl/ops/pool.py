"""Pools: the largest value or the average of windows, of parts, or of everything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from archdsl.dims import Size, show
from archdsl.ops.arguments import OpError, Sizes, flag, number, optional, sizes
from archdsl.ops.conv import AXIS_NAMES, need_spatial, window
from archdsl.ops.op import Need, Op, Tensor, layer, per_axis, show_value, torch_keywords
from archdsl.ops.reach import Reach, parts, pointwise_but, same_place, sliding
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Code, module, positional


class _Pool(Op):
    """What pools over sliding windows share; a field that one lacks has torch's default."""

    torch_class: ClassVar[str]
    averages: ClassVar[bool] = True
    keeps = Saved(inputs=(0,))

    kernel_size: Sizes
    stride: Sizes | None
    padding: Sizes | str = 0
    dilation: Sizes = 1
    ceil_mode: bool

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        axes = need_spatial(self, x)
        kernel = per_axis(self.kernel_size, axes, "kernel_size")
        stride = kernel if self.stride is None else per_axis(self.stride, axes, "stride")
        dilation = per_axis(self.dilation, axes, "dilation")
        padding = self._padding(axes)
        out: list[Size] = []
        for i, name in enumerate(AXIS_NAMES[axes]):
            if 2 * padding[i] > kernel[i]:
                raise OpError(
                    "padding-too-large",
                    f"padding of {self.name} (={padding[i]}) must be at most half of kernel_size"
                    f" (={kernel[i]})",
                    text=f"along the {name}",
                    help="pad before it: pad(…)",
                    argument="padding",
                )
            if padding[i] and dilation[i] > 1:
                _need_value_in_window(need, x.spatial[i], dilation[i], name)
            if axes == 3 and self.averages:
                _need_no_padding_to_fit(need, x.spatial[i], kernel[i], name)
            out.append(
                window(
                    need,
                    x.spatial[i],
                    kernel=kernel[i],
                    stride=stride[i],
                    before=padding[i],
                    after=padding[i],
                    dilation=dilation[i],
                    axis=name,
                    ceil=self.ceil_mode,
                )
            )
        return (x.with_dims(x.channels, *out),)

    def _padding(self, axes: int) -> tuple[int, ...]:
        """The padding at each end as numbers; ``same`` where both ends get the same."""
        if not isinstance(self.padding, str):
            return per_axis(self.padding, axes, "padding")
        if self.padding == "valid":
            return (0,) * axes
        kernel = per_axis(self.kernel_size, axes, "kernel_size")
        stride = kernel if self.stride is None else per_axis(self.stride, axes, "stride")
        dilation = per_axis(self.dilation, axes, "dilation")
        if any(s != 1 for s in stride):
            written = "by default, the kernel's size" if self.stride is None else self.stride
            raise OpError(
                "same-with-stride",
                "padding = same keeps the size, and a stride changes it",
                text=f"the stride is {show_value(written)}",
                help=f"write stride = 1, or the padding as a number: padding = {kernel[0] // 2}",
                argument="padding",
            )
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        if any(total % 2 for total in totals):
            raise OpError(
                "same-with-even-kernel",
                f"padding = same needs an odd kernel, not {show_value(self.kernel_size)}: an even"
                " one would be padded more on one side than on the other",
                text=f"kernel_size is {show_value(self.kernel_size)}",
                help="use an odd kernel, or pad one side before it: pad((0, 1, 0, 1))",
                argument="padding",
            )
        return tuple(total // 2 for total in totals)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        axes = inputs[0].rank - 1
        kernel = per_axis(self.kernel_size, axes, "kernel_size")
        stride = kernel if self.stride is None else per_axis(self.stride, axes, "stride")
        dilation = per_axis(self.dilation, axes, "dilation")
        each = zip(kernel, stride, self._padding(axes), dilation, strict=True)
        windows = (
            sliding(i + 1, kernel=k, stride=s, before=p, dilation=d)
            for i, (k, s, p, d) in enumerate(each)
        )
        return (same_place(0), *windows)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        axes = inputs[0].rank - 1
        arguments = []
        for argument in torch_keywords(self):
            value = self._padding(axes) if argument.value in ("same", "valid") else argument.value
            if isinstance(value, tuple) and len(set(value)) == 1:
                value = value[0]
            arguments.append(replace(argument, value=value))
        return module(f"nn.{self.torch_class}{axes}d", *arguments)


def _need_value_in_window(need: Need, extent: Size, dilation: int, axis: str) -> None:
    """A dilated window that starts in the padding must not step over the whole input.

    torch does not look: it gives -inf, and writes the gradient outside of the tensor.
    """
    error = OpError(
        "kernel-too-large",
        f"with padding, a dilation of {dilation} can step over the whole {axis}, {show(extent)}",
        text=f"the {axis} is {show(extent)} here",
        help="use no padding, or a smaller dilation",
        argument="dilation",
    )
    need.at_least(extent, dilation, error, f"a window with dilation {dilation} must hold a value")


def _need_no_padding_to_fit(need: Need, extent: Size, kernel: int, axis: str) -> None:
    """``nn.AvgPool3d`` wants its kernel to fit without padding, and without ceil_mode."""
    error = OpError(
        "kernel-too-large",
        f"a kernel of {kernel} is larger than its input along the {axis}: {show(extent)}; with"
        " three axes, padding does not help an average",
        text=f"the {axis} is {show(extent)} here",
        argument="kernel_size",
    )
    need.at_least(extent, kernel, error, f"a kernel of {kernel} must fit along the {axis}")


@layer("max_pool", family="pooling")
class MaxPool(_Pool):
    """The largest value of every window.

    Input [channels, *sizes], output [channels, *sizes'], where along every axis
    size' = floor((size + 2·padding - dilation·(kernel_size - 1) - 1) / stride) + 1, rounded up
    with ceil_mode. The stride is the kernel's size unless given; the padding at most half of it.

    PyTorch: ``nn.MaxPool1d``, ``nn.MaxPool2d``, ``nn.MaxPool3d``.
    """

    example = "max_pool(3, stride = 2, padding = 1)"
    averages = False
    torch_class = "MaxPool"

    kernel_size: Sizes = sizes(doc="size of the window")
    stride: Sizes | None = optional(sizes(), doc="step of the window; none is the kernel's size")
    padding: Sizes | str = sizes(
        default=0, minimum=0, words=("same", "valid"), doc="values added at both ends"
    )
    dilation: Sizes = sizes(default=1, doc="distance between the window's values")
    ceil_mode: bool = flag(default=False, doc="whether a window may reach beyond the end")

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(inputs=(0,), made=(replace(outputs[0], dtype="int"),))


@layer("avg_pool", family="pooling")
class AvgPool(_Pool):
    """The average of every window.

    Input [channels, *sizes], output [channels, *sizes'], where along every axis
    size' = floor((size + 2·padding - kernel_size) / stride) + 1, rounded up with ceil_mode.
    The stride is the kernel's size unless given; the padding at most half of it.

    PyTorch: ``nn.AvgPool1d``, ``nn.AvgPool2d``, ``nn.AvgPool3d``.
    """

    example = "avg_pool(2)"
    torch_class = "AvgPool"

    kernel_size: Sizes = sizes(doc="size of the window")
    stride: Sizes | None = optional(sizes(), doc="step of the window; none is the kernel's size")
    padding: Sizes | str = sizes(
        default=0, minimum=0, words=("same", "valid"), doc="zeros added at both ends"
    )
    ceil_mode: bool = flag(default=False, doc="whether a window may reach beyond the end")
    count_include_pad: bool = flag(default=True, doc="whether the average counts the padding")


@layer("lp_pool", family="pooling")
class LPPool(_Pool):
    """The power sum of every window: (Σ x^norm_type)^(1/norm_type).

    Input [channels, *sizes], output [channels, *sizes'] as in avg_pool. With norm_type 1 the
    sum, towards infinity the largest value.

    PyTorch: ``nn.LPPool1d``, ``nn.LPPool2d``, ``nn.LPPool3d``.
    """

    example = "lp_pool(2, 3)"
    torch_class = "LPPool"

    norm_type: float = number(above=0, doc="the power")
    kernel_size: Sizes = sizes(doc="size of the window")
    stride: Sizes | None = optional(sizes(), doc="step of the window; none is the kernel's size")
    ceil_mode: bool = flag(default=False, doc="whether a window may reach beyond the end")

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        # Powers of the values; what their averages are, and each step from there to the root.
        return Saved(inputs=(0,), made=(inputs[0], *[outputs[0]] * 4))


class _AdaptivePool(Op):
    """What pools to a given size share: any size comes in, that size comes out."""

    torch_class: ClassVar[str]

    output_size: int | tuple[int | None, ...]

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        axes = need_spatial(self, x)
        wanted = per_axis(self.output_size, axes, "output_size")
        if wanted == (None,):
            raise OpError(
                "bad-argument",
                f"output_size of {self.name} is none for the one axis that {x} has",
                text=f"the input is {x}",
                argument="output_size",
            )
        out = [old if new is None else new for old, new in zip(x.spatial, wanted, strict=True)]
        return (x.with_dims(x.channels, *out),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        pairs = zip(inputs[0].spatial, outputs[0].spatial, strict=True)
        return (same_place(0), *(parts(i + 1, old, new) for i, (old, new) in enumerate(pairs)))

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        single = all(size == 1 for size in outputs[0].spatial)  # which torch takes for a mean
        return NOTHING_SAVED if single else Saved(inputs=(0,))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        callee = f"nn.{self.torch_class}{inputs[0].rank - 1}d"
        return module(callee, positional("output_size", self.output_size))


@layer("adaptive_avg_pool", family="pooling")
class AdaptiveAvgPool(_AdaptivePool):
    """Averages of so many equal parts that the output has the size wanted.

    Input [channels, *sizes], output [channels, *output_size]; ``(7, none)`` leaves an axis as
    it is. Free sizes become known ones here.

    PyTorch: ``nn.AdaptiveAvgPool1d``, ``nn.AdaptiveAvgPool2d``, ``nn.AdaptiveAvgPool3d``.
    """

    example = "adaptive_avg_pool(7)"
    torch_class = "AdaptiveAvgPool"

    output_size: int | tuple[int | None, ...] = sizes(none=True, doc="size of the output")


@layer("adaptive_max_pool", family="pooling")
class AdaptiveMaxPool(_AdaptivePool):
    """The largest values of so many equal parts that the output has the size wanted.

    Input [channels, *sizes], output [channels, *output_size]; ``(7, none)`` leaves an axis as
    it is. Free sizes become known ones here.

    PyTorch: ``nn.AdaptiveMaxPool1d``, ``nn.AdaptiveMaxPool2d``, ``nn.AdaptiveMaxPool3d``.
    """

    example = "adaptive_max_pool((7, none))"
    torch_class = "AdaptiveMaxPool"

    output_size: int | tuple[int | None, ...] = sizes(none=True, doc="size of the output")

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(inputs=(0,), made=(replace(outputs[0], dtype="int"),))


class _GlobalPool(Op):
    """What pools of everything share: every spatial axis becomes 1."""

    torch_class: ClassVar[str]
    keeps = NOTHING_SAVED

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        axes = need_spatial(self, x)
        return (x.with_dims(x.channels, *(1,) * axes),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return pointwise_but(inputs[0].rank, *range(1, inputs[0].rank))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        callee = f"nn.{self.torch_class}{inputs[0].rank - 1}d"
        return module(callee, positional("output_size", 1))


@layer("global_avg_pool", family="pooling")
class GlobalAvgPool(_GlobalPool):
    """The average of every channel.

    Input [channels, *sizes], output [channels, 1, …]: each spatial axis stays, with size 1.
    ``global_avg_pool -> flatten`` gives [channels]. Lin et al., 2014.

    PyTorch: ``nn.AdaptiveAvgPool1d(1)``, ``nn.AdaptiveAvgPool2d(1)``, ``nn.AdaptiveAvgPool3d(1)``.
    """

    example = "global_avg_pool"
    torch_class = "AdaptiveAvgPool"


@layer("global_max_pool", family="pooling")
class GlobalMaxPool(_GlobalPool):
    """The largest value of every channel.

    Input [channels, *sizes], output [channels, 1, …]: each spatial axis stays, with size 1.

    PyTorch: ``nn.AdaptiveMaxPool1d(1)``, ``nn.AdaptiveMaxPool2d(1)``, ``nn.AdaptiveMaxPool3d(1)``.
    """

    example = "global_max_pool"
    torch_class = "AdaptiveMaxPool"

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(inputs=(0,), made=(replace(outputs[0], dtype="int"),))
