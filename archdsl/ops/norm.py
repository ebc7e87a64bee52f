"""Normalizations: over the batch, over channels, over groups of them, over other axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archdsl.dims import minimum_value
from archdsl.ops.arguments import OpError, axes, flag, integer, number, optional, size
from archdsl.ops.op import (
    Need,
    Op,
    Tensor,
    known,
    layer,
    need_batch,
    need_float,
    product,
    resolve_axis,
    torch_keywords,
)
from archdsl.ops.reach import Reach, pointwise, pointwise_but
from archdsl.ops.saved import Saved
from archdsl.ops.torch_text import Argument, Code, module, positional
from archdsl.ops.traits import AlongAxis


def _need_channels(
    op: Op, tensor: Tensor, need: Need, *, least: int = 0, most: int | None = None
) -> int:
    """The number of channels of an input [channels, *sizes], with so many sizes."""
    need_float(op, tensor)
    need_batch(op, tensor)
    if tensor.rank <= least or (most is not None and tensor.rank > most + 1):
        some = "" if most is None else f" with {least} to {most} sizes"
        raise OpError(
            "wrong-rank",
            f"{op.name} takes [channels, sizes…]{some}, not {tensor}",
            text=f"the input is {tensor}",
            input=0,
        )
    return need.fixed(tensor.channels, "the number of channels")


def _affine(channels: int, *, weight: bool, bias: bool = True) -> dict[str, tuple[int, ...]]:
    return {"weight": (channels,), **({"bias": (channels,)} if bias else {})} if weight else {}


def _statistics(channels: int, *, tracked: bool) -> dict[str, tuple[int, ...]]:
    """What torch's norms gather in training: moving statistics, and of how many batches."""
    if not tracked:
        return {}
    return {"running_mean": (channels,), "running_var": (channels,), "num_batches_tracked": ()}


@layer("batch_norm", "bn", family="normalization")
class BatchNorm(Op):
    """Batch normalization: every channel gets mean 0 and variance 1 over the batch.

    Input and output [channels] or [channels, *sizes] with one to three sizes:
    weight·(x - mean) / √(variance + eps) + bias. In evaluation, mean and variance are those
    gathered in training. Training needs more than one value per channel: a batch of two,
    or sizes of more than 1. Ioffe and Szegedy, 2015.

    PyTorch: ``nn.BatchNorm1d``, ``nn.BatchNorm2d``, ``nn.BatchNorm3d``.
    """

    example = "batch_norm"

    eps: float = number(default=1e-5, above=0, doc="added to the variance")
    momentum: float | None = optional(
        number(minimum=0, maximum=1),
        default=0.1,
        doc="share of the newest batch in the gathered statistics; none weighs all alike",
    )
    affine: bool = flag(default=True, doc="whether to learn a weight and a bias per channel")
    track_running_stats: bool = flag(default=True, doc="whether to gather statistics")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        _need_channels(self, x, need, most=3)
        if x.batch == "one":
            error = OpError(
                "one-value",
                f"batch_norm needs more than one value per channel, and {x} has one",
                text=f"the parameter is {x}, and its batch is 1",
                input=0,
            )
            need.at_least(product(x.spatial), 2, error, "batch_norm over more than one value")
        return (x,)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return _affine(known(inputs[0].channels), weight=self.affine)

    def buffers(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return _statistics(known(inputs[0].channels), tracked=self.track_running_stats)

    def least_batch(self, inputs: Sequence[Tensor]) -> int:
        values = minimum_value(product(inputs[0].spatial))
        return 1 if values is not None and values > 1 else 2

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return pointwise(inputs[0].rank)  # as in evaluation, with the statistics of training

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        statistics = Tensor((inputs[0].channels,), batch="none")
        return Saved(inputs=(0,), made=(statistics, statistics))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        x = inputs[0]
        return module(
            f"nn.BatchNorm{max(x.rank - 1, 1)}d",
            positional("num_features", x.channels),
            *torch_keywords(self),
        )


@layer("instance_norm", family="normalization")
class InstanceNorm(Op):
    """Instance normalization: every channel of every sample gets mean 0 and variance 1.

    Input and output [channels, *sizes] with one to three sizes, of more than one value per
    channel. Ulyanov et al., 2016.

    PyTorch: ``nn.InstanceNorm1d``, ``nn.InstanceNorm2d``, ``nn.InstanceNorm3d``.
    """

    example = "instance_norm"

    eps: float = number(default=1e-5, above=0, doc="added to the variance")
    momentum: float = number(
        default=0.1,
        minimum=0,
        maximum=1,
        doc="share of the newest batch in the gathered statistics",
    )
    affine: bool = flag(default=False, doc="whether to learn a weight and a bias per channel")
    track_running_stats: bool = flag(
        default=False, doc="whether to gather statistics, for use in evaluation"
    )

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        _need_channels(self, x, need, least=1, most=3)
        error = OpError(
            "one-value",
            f"instance_norm needs more than one value per channel, and {x} has one",
            text=f"the input is {x}",
            help="normalize over channels (layer_norm, group_norm) or over the batch (batch_norm)",
            input=0,
        )
        need.at_least(product(x.spatial), 2, error, "instance_norm over more than one value")
        return (x,)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return _affine(known(inputs[0].channels), weight=self.affine)

    def buffers(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return _statistics(known(inputs[0].channels), tracked=self.track_running_stats)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        x = inputs[0]
        if self.track_running_stats:
            return pointwise(x.rank)  # in evaluation
        return pointwise_but(x.rank, *range(1, x.rank))

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        statistics = inputs[0].with_dims(inputs[0].channels)
        # The weight, and the statistics gathered so far, are repeated for every sample.
        repeated = (statistics,) * (self.affine + 2 * self.track_running_stats)
        return Saved(inputs=(0,), made=(statistics, statistics, *repeated))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        x = inputs[0]
        return module(
            f"nn.InstanceNorm{x.rank - 1}d",
            positional("num_features", x.channels),
            *torch_keywords(self),
        )


@layer("group_norm", family="normalization")
class GroupNorm(Op):
    """Group normalization: every group of channels of a sample gets mean 0 and variance 1.

    Input and output [channels, *sizes]; num_groups divides the channels. A group needs more
    than one value: of a single one nothing but zero would be left. Wu and He, 2018.

    PyTorch: ``nn.GroupNorm``.
    """

    example = "group_norm(4)"

    num_groups: int = size(doc="into how many groups the channels are parted")
    eps: float = number(default=1e-5, above=0, doc="added to the variance")
    affine: bool = flag(default=True, doc="whether to learn a weight and a bias per channel")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        channels = _need_channels(self, x, need)
        if channels % self.num_groups:
            raise OpError(
                "not-divisible",
                f"the channels of group_norm (={channels}) must be divisible by num_groups"
                f" (={self.num_groups})",
                text=f"{channels} channels in {self.num_groups} groups",
                argument="num_groups",
            )
        values = channels // self.num_groups * product(x.spatial)
        error = OpError(
            "one-value",
            f"group_norm needs more than one value per group, and {x} in {self.num_groups}"
            f" {'group' if self.num_groups == 1 else 'groups'} has one",
            text=f"the input is {x}",
            help="use fewer groups",
            argument="num_groups",
        )
        need.at_least(values, 2, error, "group_norm over more than one value")
        return (x,)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return _affine(known(inputs[0].channels), weight=self.affine)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return (None,) * inputs[0].rank  # the statistics are of all positions

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        statistics = inputs[0].with_dims(self.num_groups)
        return Saved(inputs=(0,), made=(statistics, statistics))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            "nn.GroupNorm",
            positional("num_groups", self.num_groups),
            positional("num_channels", inputs[0].channels),
            *torch_keywords(self, "num_groups"),
        )


_CHANNELS_FIRST = '''\
class {name}({parent}):
    """{words} over the channels of [{shape}]."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
'''
_SHAPES = {
    2: "batch, channels, length",
    3: "batch, channels, height, width",
    4: "batch, channels, depth, height, width",
}


class _AxisNorm(Op):
    """What normalizations over chosen axes share.

    torch normalizes over the last axes. Channels that stand first are moved there by a small
    class of their own, so that it can be a member of a sequence; any other axis in the call.
    """

    torch_class: ClassVar[str]
    words: ClassVar[str]

    axis: int | tuple[int, ...]

    def _axes(self, x: Tensor) -> tuple[int, ...]:
        """The axes to normalize over, as indices into ``x.dims``."""
        if isinstance(self.axis, int):
            return (resolve_axis(self, self.axis, x),)
        found = tuple(sorted(resolve_axis(self, axis, x) for axis in self.axis))
        if len(found) > 1 and found != tuple(range(x.rank - len(found), x.rank)):
            raise OpError(
                "bad-axis",
                f"{self.name} takes one axis, or the last ones together, not"
                f" {list(self.axis)} of {x}",
                text=f"the sizes of {x} are axes 1 to {x.rank}",
                argument="axis",
            )
        return found

    def _sizes(self, x: Tensor) -> tuple[int, ...]:
        return tuple(known(x.dims[i]) for i in self._axes(x))

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_float(self, x)
        need_batch(self, x)
        for index in self._axes(x):
            need.fixed(
                x.dims[index],
                f"the size of axis {index + 1}",
                help=f"{self.name} learns a weight for every value along an axis; normalize over"
                " one that is known, such as axis = 1 for channels",
            )
        return (x,)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return pointwise_but(inputs[0].rank, *self._axes(inputs[0]))

    def _statistics(self, x: Tensor) -> Tensor:
        """One value for all that are normalized together."""
        mixed = self._axes(x)
        return x.with_dims(*(1 if i in mixed else size for i, size in enumerate(x.dims)))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        x = inputs[0]
        found, sizes = self._axes(x), self._sizes(x)
        shape = positional("normalized_shape", sizes[0] if len(sizes) == 1 else sizes)
        arguments: tuple[Argument, ...] = (shape, *torch_keywords(self, "axis"))
        parent = f"nn.{self.torch_class}"
        if found[-1] == x.rank - 1:
            return module(parent, *arguments)
        if found == (0,) and x.rank in _SHAPES:
            name = f"{self.torch_class}{x.rank - 1}d"
            text = _CHANNELS_FIRST.format(
                name=name, parent=parent, words=self.words, shape=_SHAPES[x.rank]
            )
            return module(name, *arguments, helpers={name: text})
        swap = f".transpose({found[0] + 1}, -1)"
        return module(parent, *arguments, call=f"{{self}}({{0}}{swap}){swap}")


@layer("layer_norm", family="normalization")
class LayerNorm(_AxisNorm):
    """Layer normalization: the values along an axis of a sample get mean 0 and variance 1.

    Input and output [*]; over the last axis, over another (``axis = 1`` for channels that
    stand first), or over the last ones together (``axis = (1, 2, 3)``). Ba et al., 2016.

    PyTorch: ``nn.LayerNorm``.
    """

    example = "layer_norm(axis = 1)"
    torch_class = "LayerNorm"
    words = "Layer normalization"

    eps: float = number(default=1e-5, above=0, doc="added to the variance")
    elementwise_affine: bool = flag(default=True, doc="whether to learn a weight per value")
    bias: bool = flag(default=True, doc="whether to learn a constant per value too")
    axis: int | tuple[int, ...] = axes(default=-1, doc="what to normalize over; the batch is 0")

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        if not self.elementwise_affine:
            return {}
        shape = self._sizes(inputs[0])
        return {"weight": shape, "bias": shape} if self.bias else {"weight": shape}

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        statistics = self._statistics(inputs[0])
        return Saved(inputs=(0,), made=(statistics, statistics))


@layer("rms_norm", family="normalization")
class RMSNorm(_AxisNorm):
    """Root mean square normalization: weight·x / √(mean(x²) + eps) along an axis.

    Input and output [*]; axes as in layer_norm. Zhang and Sennrich, 2019.

    PyTorch: ``nn.RMSNorm``.
    """

    example = "rms_norm"
    torch_class = "RMSNorm"
    words = "Root mean square normalization"

    eps: float | None = optional(
        number(above=0), doc="added to the mean square; none is the smallest step of the dtype"
    )
    elementwise_affine: bool = flag(default=True, doc="whether to learn a weight per value")
    axis: int | tuple[int, ...] = axes(default=-1, doc="what to normalize over; the batch is 0")

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return {"weight": self._sizes(inputs[0])} if self.elementwise_affine else {}

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        normalized = (outputs[0],) if self.elementwise_affine else ()
        return Saved(inputs=(0,), made=(self._statistics(inputs[0]), *normalized))


@layer("local_response_norm", "lrn", family="normalization")
class LocalResponseNorm(Op):
    """Local response normalization: a channel is damped by its neighbours.

    Input and output [channels, *sizes]: x / (k + alpha/size·Σ x'²)^beta, the sum over the
    size channels around. Krizhevsky et al., 2012 (AlexNet).

    PyTorch: ``nn.LocalResponseNorm``.
    """

    example = "local_response_norm(5)"

    size: int = size(doc="how many neighbouring channels count")
    alpha: float = number(default=1e-4, doc="weight of the neighbours")
    beta: float = number(default=0.75, doc="exponent")
    k: float = number(default=1.0, doc="what the damping starts from")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_float(self, x)
        need_batch(self, x)
        if x.rank < 2:
            raise OpError(
                "wrong-rank",
                f"local_response_norm takes [channels, sizes…], not {x}",
                text=f"the input is {x}",
                input=0,
            )
        return (x,)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return pointwise_but(inputs[0].rank, 0)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        x = inputs[0]
        padded = x.with_dims(x.channels + self.size - 1, *x.spatial)
        return Saved(inputs=(0,), made=(padded, x, x))  # squares, the sum before its power, after

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        # of volumes it takes a view that transposed axes do not have
        call = "{self}({0}.contiguous())" if inputs[0].rank > 3 else "{self}({0})"
        return module(
            "nn.LocalResponseNorm",
            positional("size", self.size),
            *torch_keywords(self, "size"),
            call=call,
        )


@layer("normalize", family="normalization")
class Normalize(AlongAxis):
    """Vectors along an axis get length 1: x / max(‖x‖ₚ, eps).

    Input and output [*]. For embeddings that are compared by their angle.

    PyTorch: ``F.normalize``.
    """

    example = "normalize(axis = 1)"

    p: float = number(default=2.0, minimum=1, doc="which norm measures the length")
    axis: int = integer(default=1, doc="the axis of the vectors; the batch is axis 0")
    eps: float = number(default=1e-12, above=0, doc="the least length to divide by")

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        x = inputs[0]
        axis = resolve_axis(self, self.axis, x)
        length = x.with_dims(*(1 if i == axis else size for i, size in enumerate(x.dims)))
        return Saved(inputs=(0,), made=(length, length))  # before and after the least length

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        given = {"p": (self.p, 2.0), "dim": (self.axis, 1), "eps": (self.eps, 1e-12)}
        constants = {name: value for name, (value, default) in given.items() if value != default}
        keywords = "".join(f", {name}={{{name}}}" for name in constants)
        return Code(call=f"F.normalize({{0}}{keywords})", constants=constants)
