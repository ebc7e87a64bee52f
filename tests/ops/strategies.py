"""Arguments of layers at random: mostly good ones, and some that must be refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]


def whole(low: int, high: int) -> Strategy:
    return st.integers(low, high)


def per_axis(low: int, high: int, axes: int) -> Strategy:
    each = whole(low, high)
    return each | st.tuples(*[each] * axes)


axis = whole(-4, 4)
axes = axis | st.lists(axis, min_size=1, max_size=3)
real = st.sampled_from([-2.0, -1.0, -0.5, 0.0, 0.1, 0.5, 1.0, 2, 20.0])
above_zero = st.sampled_from([1e-5, 0.1, 1.0, 3.0])
share = st.sampled_from([0.0, 0.1, 0.5, 1.0])
flags = st.booleans()


@dataclass(frozen=True)
class Case:
    """How a layer is tried: on inputs of these ranks, with arguments that depend on the rank."""

    name: str
    ranks: tuple[int, ...]
    required: dict[str, Any] = field(default_factory=dict)
    optional: dict[str, Any] = field(default_factory=dict)
    inputs: int = 1
    stricter: tuple[str, ...] = ()
    """Codes of errors where torch would run: each rule says why in its place."""

    def arguments(self, rank: int) -> Strategy:
        def at(given: dict[str, Any]) -> dict[str, Strategy]:
            return {k: v(rank) if callable(v) else v for k, v in given.items()}

        return st.fixed_dictionaries(at(self.required), optional=at(self.optional))


def _spatial(low: int, high: int) -> Any:
    return lambda rank: per_axis(low, high, max(rank - 1, 1))


ELEMENTWISE = (0, 1, 2, 3, 4)
SPATIAL = (1, 2, 3, 4, 5)
# An axis that is the batch's, or that is not there, is refused; so is a batch that would move.
AXIS = ("bad-axis",)
modes = st.sampled_from(
    ["nearest", "nearest_exact", "area", "linear", "bilinear", "bicubic", "trilinear"]
)

CASES = [
    *(
        Case(name, ELEMENTWISE)
        for name in (
            "relu relu6 selu silu mish sigmoid tanh hardsigmoid hardswish tanhshrink softsign"
            " logsigmoid exp log sqrt square abs neg sin cos identity"
        ).split()
    ),
    Case("leaky_relu", ELEMENTWISE, {}, {"negative_slope": real}),
    Case("prelu", ELEMENTWISE, {}, {"num_parameters": whole(1, 4), "init": real}),
    Case("rrelu", ELEMENTWISE, {}, {"lower": real, "upper": real}),
    Case("elu", ELEMENTWISE, {}, {"alpha": real}),
    Case("celu", ELEMENTWISE, {}, {"alpha": above_zero}),
    Case("gelu", ELEMENTWISE, {}, {"approximate": st.sampled_from([None, "none", "tanh"])}),
    Case("hardtanh", ELEMENTWISE, {}, {"min_val": real, "max_val": real}),
    Case("hardshrink", ELEMENTWISE, {}, {"lambd": above_zero}),
    Case("softshrink", ELEMENTWISE, {}, {"lambd": above_zero}),
    Case("threshold", ELEMENTWISE, {"threshold": real, "value": real}),
    Case("softplus", ELEMENTWISE, {}, {"beta": above_zero, "threshold": real}),
    Case("clamp", ELEMENTWISE, {}, {"min": real, "max": real}, stricter=("bad-argument",)),
    Case("scale", ELEMENTWISE, {"factor": real}),
    Case("glu", ELEMENTWISE, {}, {"axis": axis}, stricter=AXIS),
    Case("softmax", ELEMENTWISE, {}, {"axis": axis}, stricter=AXIS),
    Case("log_softmax", ELEMENTWISE, {}, {"axis": axis}, stricter=AXIS),
    Case("softmin", ELEMENTWISE, {}, {"axis": axis}, stricter=AXIS),
    Case(
        "batch_norm",
        SPATIAL,
        {},
        {
            "eps": above_zero,
            "momentum": share | st.none(),
            "affine": flags,
            "track_running_stats": flags,
        },
    ),
    Case(
        "instance_norm",
        SPATIAL,
        {},
        {"eps": above_zero, "momentum": share, "affine": flags, "track_running_stats": flags},
    ),
    Case(
        "group_norm",
        SPATIAL,
        {"num_groups": whole(1, 4)},
        {"eps": above_zero, "affine": flags},
        stricter=("one-value",),
    ),
    Case(
        "layer_norm",
        ELEMENTWISE,
        {},
        {"eps": above_zero, "elementwise_affine": flags, "bias": flags, "axis": axes},
        stricter=AXIS,
    ),
    Case(
        "rms_norm",
        ELEMENTWISE,
        {},
        {"eps": above_zero | st.none(), "elementwise_affine": flags, "axis": axes},
        stricter=AXIS,
    ),
    Case(
        "local_response_norm",
        SPATIAL,
        {"size": whole(1, 6)},
        {"alpha": real, "beta": real, "k": real},
    ),
    Case(
        "normalize",
        ELEMENTWISE,
        {},
        {"p": st.sampled_from([1, 1.5, 2.0, 3]), "axis": axis, "eps": above_zero},
        stricter=AXIS,
    ),
    Case(
        "max_pool",
        SPATIAL,
        {"kernel_size": _spatial(1, 5)},
        {
            "stride": _spatial(1, 4),
            "padding": lambda rank: _spatial(0, 3)(rank) | st.sampled_from(["same", "valid"]),
            "dilation": _spatial(1, 3),
            "ceil_mode": flags,
        },
        # A dilated window in the padding reads and writes beside the tensor. In two and three
        # dimensions torch compares the padding with the dilated kernel, in one with the kernel.
        stricter=(
            "kernel-too-large:dilation",
            "padding-too-large",
            "same-with-stride",
            "same-with-even-kernel",
        ),
    ),
    Case(
        "avg_pool",
        SPATIAL,
        {"kernel_size": _spatial(1, 5)},
        {
            "stride": _spatial(1, 4),
            "padding": lambda rank: _spatial(0, 3)(rank) | st.sampled_from(["same", "valid"]),
            "ceil_mode": flags,
            "count_include_pad": flags,
        },
        stricter=("same-with-stride", "same-with-even-kernel"),
    ),
    Case(
        "lp_pool",
        SPATIAL,
        {"norm_type": above_zero, "kernel_size": _spatial(1, 5)},
        {"stride": _spatial(1, 4), "ceil_mode": flags},
    ),
    *(
        Case(
            name,
            SPATIAL,
            {
                "output_size": lambda rank: (
                    whole(1, 6) | st.tuples(*[whole(1, 6) | st.none()] * max(rank - 1, 1))
                )
            },
        )
        for name in ("adaptive_avg_pool", "adaptive_max_pool")
    ),
    Case("global_avg_pool", SPATIAL),
    Case("global_max_pool", SPATIAL),
    Case("dropout", ELEMENTWISE, {}, {"p": share}),
    Case("alpha_dropout", ELEMENTWISE, {}, {"p": share}),
    # On [batch] alone torch asks for channels, but not where nothing or all is dropped.
    Case("feature_alpha_dropout", ELEMENTWISE, {}, {"p": share}, stricter=("wrong-rank",)),
    Case("spatial_dropout", SPATIAL, {}, {"p": share}),
    Case("drop_path", ELEMENTWISE, {"p": share}),
    Case("gaussian_noise", ELEMENTWISE, {}, {"std": above_zero}),
    # On [batch] alone the last axis is the batch.
    Case(
        "drop_connect",
        ELEMENTWISE,
        {"out_features": whole(1, 5)},
        {"p": share, "bias": flags},
        stricter=("wrong-rank",),
    ),
    Case("flatten", ELEMENTWISE, {}, {"start_axis": axis, "end_axis": axis}, stricter=AXIS),
    Case(
        "unflatten",
        ELEMENTWISE,
        {"axis": axis, "sizes": st.lists(whole(-1, 4), min_size=0, max_size=3)},
        stricter=AXIS,
    ),
    # Where nothing but the batch is there, torch may take it for one of the sizes.
    Case(
        "reshape",
        ELEMENTWISE,
        {"sizes": st.lists(whole(-1, 6), min_size=0, max_size=3)},
    ),
    Case("transpose", ELEMENTWISE, {"axis0": axis, "axis1": axis}, stricter=AXIS),
    Case(
        "permute",
        ELEMENTWISE,
        {"order": lambda rank: st.permutations(range(rank + 1)) | st.lists(axis, max_size=4)},
        stricter=AXIS,
    ),
    Case("squeeze", ELEMENTWISE, {"axis": axis}, stricter=(*AXIS, "shape-mismatch")),
    Case("unsqueeze", ELEMENTWISE, {"axis": axis}, stricter=AXIS),
    Case("zeros", ELEMENTWISE, {"sizes": st.lists(whole(1, 3), max_size=3)}),
    Case("ones", ELEMENTWISE, {"sizes": st.lists(whole(1, 3), max_size=3)}),
    Case("channel_shuffle", ELEMENTWISE, {"groups": whole(1, 4)}),
    Case(
        "split",
        ELEMENTWISE,
        {"lengths": whole(1, 6) | st.lists(whole(1, 4), min_size=1, max_size=3)},
        {"axis": axis},
        stricter=AXIS,
    ),
    # torch gives fewer parts than asked for where it cannot make as many.
    Case(
        "chunk",
        ELEMENTWISE,
        {"chunks": whole(1, 5)},
        {"axis": axis},
        stricter=(*AXIS, "not-divisible"),
    ),
    Case(
        "slice",
        ELEMENTWISE,
        {"axis": axis},
        {"start": whole(-6, 6), "stop": whole(-6, 6) | st.none(), "step": whole(1, 3)},
        stricter=(*AXIS, "out-of-range", "empty-size"),
    ),
    Case("select", ELEMENTWISE, {"axis": axis, "index": whole(-6, 6)}, stricter=AXIS),
    *(
        Case(name, ELEMENTWISE, {"axis": axes}, {"keep": flags}, stricter=AXIS)
        for name in ("mean", "sum", "amax", "amin")
    ),
    # Not all modes of torch pad the channels, or every number of axes, so none does here.
    Case(
        "pad",
        SPATIAL,
        {"padding": lambda rank: whole(-2, 4) | st.lists(whole(-2, 4), min_size=1, max_size=6)},
        {
            "mode": st.sampled_from(["constant", "reflect", "replicate", "circular"]),
            "value": real,
        },
        stricter=("wrong-axes", "wrong-rank", "bad-argument", "padding-too-large"),
    ),
    Case("crop", SPATIAL, {"size": _spatial(1, 8)}),
    Case(
        "upsample",
        SPATIAL,
        {},
        {
            "size": _spatial(1, 8),
            "scale_factor": lambda rank: (
                st.sampled_from([0.3, 0.5, 1, 1.5, 2, 2.7])
                | st.tuples(*[st.sampled_from([0.5, 1, 2.0, 3.1])] * max(rank - 1, 1))
            ),
            "mode": modes,
            "align_corners": flags,
        },
    ),
    Case(
        "resize",
        SPATIAL,
        {"size": _spatial(1, 8)},
        {"mode": modes, "align_corners": flags},
    ),
    Case("pixel_shuffle", ELEMENTWISE, {"upscale_factor": whole(1, 3)}, stricter=("wrong-rank",)),
    Case(
        "pixel_unshuffle", ELEMENTWISE, {"downscale_factor": whole(1, 3)}, stricter=("wrong-rank",)
    ),
    Case(
        "conv",
        SPATIAL,
        {"out_channels": whole(1, 6), "kernel_size": _spatial(1, 4)},
        {
            "stride": _spatial(1, 3),
            "padding": lambda rank: _spatial(0, 3)(rank) | st.sampled_from(["same", "valid"]),
            "dilation": _spatial(1, 3),
            "groups": whole(1, 3),
            "bias": flags,
            "padding_mode": st.sampled_from(["zeros", "reflect", "replicate", "circular"]),
        },
    ),
    # Tensors without a value are of no use, and are refused everywhere.
    Case(
        "conv_transpose",
        SPATIAL,
        {"out_channels": whole(1, 6), "kernel_size": _spatial(1, 4)},
        {
            "stride": _spatial(1, 3),
            "padding": _spatial(0, 3),
            "output_padding": _spatial(0, 2),
            "groups": whole(1, 3),
            "bias": flags,
            "dilation": _spatial(1, 3),
        },
        stricter=("empty-size",),
    ),
    # On [batch] alone the last axis is the batch.
    Case(
        "linear",
        ELEMENTWISE,
        {"out_features": whole(1, 5)},
        {"bias": flags},
        stricter=("wrong-rank",),
    ),
]
