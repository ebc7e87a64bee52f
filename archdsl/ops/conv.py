"""Convolutions: over one, two or three spatial axes, and their transposes."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.dims import Size, show
from archdsl.ops.arguments import OpError, Sizes, choice, flag, size, sizes
from archdsl.ops.op import (
    Need,
    Op,
    Tensor,
    known,
    layer,
    need_batch,
    need_float,
    per_axis,
    product,
    show_value,
)
from archdsl.ops.reach import Reach, sliding, transposed
from archdsl.ops.saved import Saved
from archdsl.ops.torch_text import Code, keyword, module, positional

AXIS_NAMES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


def need_spatial(op: Op, tensor: Tensor) -> int:
    """The number of spatial axes, 1 to 3, of an input [channels, *sizes]."""
    need_float(op, tensor)
    need_batch(op, tensor)
    axes = tensor.rank - 1
    if axes not in AXIS_NAMES:
        raise OpError(
            "wrong-rank",
            f"{op.name} takes [channels, sizes…] with one to three sizes, not {tensor}",
            text=f"the input is {tensor}",
            help="" if axes > 3 else "reshape it first, for instance reshape([1, …])",
            input=0,
        )
    return axes


def window(
    need: Need,
    extent: Size,
    *,
    kernel: int,
    stride: int,
    before: int,
    after: int,
    dilation: int,
    axis: str,
    ceil: bool = False,
) -> Size:
    """The output size of a sliding window along one axis.

    floor((extent + before + after - dilation·(kernel - 1) - 1) / stride) + 1, as the
    documentation of ``torch.nn.Conv2d`` gives it. With ``ceil`` (pools) the last window may
    reach beyond the padding, as far as it starts inside the input or the padding before it.
    """
    reach = dilation * (kernel - 1) + 1
    padded = extent + before + after
    grown = f" (dilated to {reach})" if dilation > 1 else ""
    error = OpError(
        "kernel-too-large",
        f"a kernel of {kernel}{grown} is larger than its input along the {axis}: {show(padded)}"
        + (f" with padding, {show(extent)} without" if before + after else ""),
        text=f"the {axis} is {show(extent)} here",
        help="use a smaller kernel, more padding, or fewer steps that shrink the input before it",
        argument="kernel_size",
    )
    # Where the last window may start: far enough from the end for the kernel to fit, or with
    # `ceil` for all but stride - 1 of it, and then on a value of the input at the latest.
    last = max(reach - stride + 1, after + 1) if ceil else reach
    need.at_least(padded, last, error, f"a kernel of {reach} must fit along the {axis}")
    return (padded - last) // stride + 1


@layer("conv", family="convolution")
class Conv(Op):
    """Convolution over one, two or three spatial axes, by the input's shape.

    Input [channels, *sizes], output [out_channels, *sizes'], where along every axis
    size' = floor((size + 2·padding - dilation·(kernel_size - 1) - 1) / stride) + 1.
    ``padding = same`` keeps the sizes (stride 1 only), ``valid`` is 0.

    PyTorch: ``nn.Conv1d``, ``nn.Conv2d``, ``nn.Conv3d``.
    """

    example = "conv(64, 3, stride = 2, padding = 1)"

    out_channels: int = size(doc="channels of the output")
    kernel_size: Sizes = sizes(doc="size of the window")
    stride: Sizes = sizes(default=1, doc="step of the window")
    padding: Sizes | str = sizes(
        default=0, minimum=0, words=("same", "valid"), doc="values added at both ends"
    )
    dilation: Sizes = sizes(default=1, doc="distance between the window's values")
    groups: int = size(default=1, doc="channels are connected only within a group")
    bias: bool = flag(default=True, doc="whether to add a learned constant per channel")
    padding_mode: str = choice(
        "zeros", "reflect", "replicate", "circular", default="zeros", doc="what is added"
    )

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        axes = need_spatial(self, x)
        channels = need.fixed(x.channels, "the number of channels")
        _need_groups(self.name, channels, self.out_channels, self.groups)
        kernel = per_axis(self.kernel_size, axes, "kernel_size")
        stride = per_axis(self.stride, axes, "stride")
        dilation = per_axis(self.dilation, axes, "dilation")
        if self.padding == "same" and any(s != 1 for s in stride):
            raise OpError(
                "same-with-stride",
                "padding = same keeps the size, and a stride changes it",
                text=f"the stride is {show_value(self.stride)}",
                help=f"write the padding as a number, such as padding = {kernel[0] // 2}",
                argument="padding",
            )
        padding = self._padding(kernel, dilation)
        out: list[Size] = []
        for i, name in enumerate(AXIS_NAMES[axes]):
            before, after = padding[i]
            _need_padding_source(need, self.padding_mode, x.spatial[i], before, after, name)
            out.append(
                window(
                    need,
                    x.spatial[i],
                    kernel=kernel[i],
                    stride=stride[i],
                    before=before,
                    after=after,
                    dilation=dilation[i],
                    axis=name,
                )
            )
        return (x.with_dims(self.out_channels, *out),)

    def _padding(self, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[tuple[int, int]]:
        if self.padding == "same":
            totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
            return [(t // 2, t - t // 2) for t in totals]
        if isinstance(self.padding, str):
            return [(0, 0)] * len(kernel)
        return [(p, p) for p in per_axis(self.padding, len(kernel), "padding")]

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        x = inputs[0]
        kernel = per_axis(self.kernel_size, x.rank - 1, "kernel_size")
        shapes = {"weight": (self.out_channels, known(x.channels) // self.groups, *kernel)}
        if self.bias:
            shapes["bias"] = (self.out_channels,)
        return shapes

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        weight = self.weights(inputs)["weight"]
        return product(weight) * product(outputs[0].spatial)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        axes = inputs[0].rank - 1
        kernel, stride, dilation = (
            per_axis(getattr(self, name), axes, name)
            for name in ("kernel_size", "stride", "dilation")
        )
        before = [pair[0] for pair in self._padding(kernel, dilation)]
        windows = (
            sliding(i + 1, kernel=k, stride=s, before=b, dilation=d)
            for i, (k, s, b, d) in enumerate(zip(kernel, stride, before, dilation, strict=True))
        )
        return (None, *windows)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        x, axes = inputs[0], inputs[0].rank - 1
        kernel = per_axis(self.kernel_size, axes, "kernel_size")
        padding = self._padding(kernel, per_axis(self.dilation, axes, "dilation"))
        if self.padding_mode == "zeros" and all(before == after for before, after in padding):
            return Saved(inputs=(0,))
        # What torch's kernel cannot pad is padded before it, to a tensor of its own.
        pairs = zip(x.spatial, padding, strict=True)
        padded = x.with_dims(x.channels, *(size + sum(pair) for size, pair in pairs))
        copied = self.padding_mode in {"reflect", "replicate"} and tracked[0]
        return Saved(inputs=(0,) if copied else (), made=(padded,))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            f"nn.Conv{inputs[0].rank - 1}d",
            positional("in_channels", inputs[0].channels),
            positional("out_channels", self.out_channels),
            keyword("kernel_size", self.kernel_size),
            keyword("stride", self.stride, 1),
            keyword("padding", self.padding, 0),
            keyword("dilation", self.dilation, 1),
            keyword("groups", self.groups, 1),
            keyword("bias", self.bias, True),
            keyword("padding_mode", self.padding_mode, "zeros"),
        )


@layer("conv_transpose", family="convolution")
class ConvTranspose(Op):
    """Transposed convolution («deconvolution»), that enlarges what a convolution shrinks.

    Input [channels, *sizes], output [out_channels, *sizes'], where along every axis
    size' = (size - 1)·stride - 2·padding + dilation·(kernel_size - 1) + output_padding + 1.

    PyTorch: ``nn.ConvTranspose1d``, ``nn.ConvTranspose2d``, ``nn.ConvTranspose3d``.
    """

    example = "conv_transpose(8, 2, stride = 2)"
    unit_axis = 1
    keeps = Saved(inputs=(0,))

    out_channels: int = size(doc="channels of the output")
    kernel_size: Sizes = sizes(doc="size of the window")
    stride: Sizes = sizes(default=1, doc="step of the window in the output")
    padding: Sizes = sizes(default=0, minimum=0, doc="values cut off at both ends")
    output_padding: Sizes = sizes(default=0, minimum=0, doc="values added at the far end")
    groups: int = size(default=1, doc="channels are connected only within a group")
    bias: bool = flag(default=True, doc="whether to add a learned constant per channel")
    dilation: Sizes = sizes(default=1, doc="distance between the window's values")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        axes = need_spatial(self, x)
        channels = need.fixed(x.channels, "the number of channels")
        _need_groups(self.name, channels, self.out_channels, self.groups)
        kernel, stride, padding, extra, dilation = (
            per_axis(getattr(self, name), axes, name)
            for name in ("kernel_size", "stride", "padding", "output_padding", "dilation")
        )
        out: list[Size] = []
        for i, name in enumerate(AXIS_NAMES[axes]):
            if extra[i] >= max(stride[i], dilation[i]):
                raise OpError(
                    "output-padding",
                    f"output_padding ({extra[i]}) must be smaller than the stride ({stride[i]})"
                    f" or the dilation ({dilation[i]})",
                    argument="output_padding",
                )
            reach = dilation[i] * (kernel[i] - 1) + 1
            need.at_least(x.spatial[i], 1, OpError("empty-size", f"the {name} is empty"))
            result = (x.spatial[i] - 1) * stride[i] - 2 * padding[i] + reach + extra[i]
            error = OpError(
                "empty-size",
                f"nothing is left along the {name}: the output would be {show(result)}",
                text=f"the {name} is {show(x.spatial[i])} here",
                help="use less padding",
                argument="padding",
            )
            need.at_least(result, 1, error)
            out.append(result)
        return (x.with_dims(self.out_channels, *out),)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        x = inputs[0]
        kernel = per_axis(self.kernel_size, x.rank - 1, "kernel_size")
        shapes = {"weight": (known(x.channels), self.out_channels // self.groups, *kernel)}
        if self.bias:
            shapes["bias"] = (self.out_channels,)
        return shapes

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        weight = self.weights(inputs)["weight"]
        return product(weight) * product(inputs[0].spatial)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        names = ("kernel_size", "stride", "padding", "dilation")
        each = zip(*(per_axis(getattr(self, n), inputs[0].rank - 1, n) for n in names), strict=True)
        windows = (
            transposed(i + 1, kernel=k, stride=s, before=p, dilation=d)
            for i, (k, s, p, d) in enumerate(each)
        )
        return (None, *windows)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            f"nn.ConvTranspose{inputs[0].rank - 1}d",
            positional("in_channels", inputs[0].channels),
            positional("out_channels", self.out_channels),
            keyword("kernel_size", self.kernel_size),
            keyword("stride", self.stride, 1),
            keyword("padding", self.padding, 0),
            keyword("output_padding", self.output_padding, 0),
            keyword("groups", self.groups, 1),
            keyword("bias", self.bias, True),
            keyword("dilation", self.dilation, 1),
        )


def _need_groups(name: str, channels: int, out_channels: int, groups: int) -> None:
    for what, count in (("in_channels", channels), ("out_channels", out_channels)):
        if count % groups:
            raise OpError(
                "not-divisible",
                f"{what} of {name} (={count}) must be divisible by groups (={groups})",
                text=f"{count} {what.split('_')[0]}put channels in {groups} groups",
                argument="groups",
            )


def _need_padding_source(
    need: Need, mode: str, extent: Size, before: int, after: int, axis: str
) -> None:
    """Reflection needs more values than it adds; wrapping around needs as many."""
    added = max(before, after)
    least = {"reflect": added + 1, "circular": added}.get(mode, 0)
    if added and least:
        error = OpError(
            "padding-too-large",
            f"{mode} padding of {added} needs at least {least} values along the {axis},"
            f" and there are {show(extent)}",
            argument="padding",
        )
        need.at_least(extent, least, error, f"{mode} padding of {added} along the {axis}")
