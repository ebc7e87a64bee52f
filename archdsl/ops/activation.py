"""Activations, and the elementwise functions that stand beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archdsl.dims import show
from archdsl.ops.arguments import OpError, choice, integer, number, optional, size
from archdsl.ops.op import (
    Need,
    Tensor,
    layer,
    need_batch,
    need_float,
    resolve_axis,
    torch_keywords,
)
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Code, keyword, module
from archdsl.ops.traits import AlongAxis, Elementwise


class _Activation(Elementwise):
    """What activations share: the shape stays, and the fields are torch's arguments."""

    torch_class: ClassVar[str]
    keeps = Saved(inputs=(0,))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(f"nn.{self.torch_class}", *torch_keywords(self))


@layer("relu", family="activation")
class ReLU(_Activation):
    """Rectified linear unit: max(0, x).

    Input and output [*]. Nair and Hinton, 2010.

    PyTorch: ``nn.ReLU``.
    """

    example = "relu"
    torch_class = "ReLU"
    keeps = Saved(outputs=(0,))
    overwrites = (0,)


@layer("relu6", family="activation")
class ReLU6(_Activation):
    """Rectified linear unit that stops at six: min(max(0, x), 6).

    Input and output [*]. MobileNet, Howard et al., 2017.

    PyTorch: ``nn.ReLU6``.
    """

    example = "relu6"
    torch_class = "ReLU6"
    overwrites = (0,)


@layer("leaky_relu", family="activation")
class LeakyReLU(_Activation):
    """Rectified linear unit with a small slope below zero: max(0, x) + negative_slope·min(0, x).

    Input and output [*]. Maas et al., 2013.

    PyTorch: ``nn.LeakyReLU``.
    """

    example = "leaky_relu(0.2)"
    torch_class = "LeakyReLU"

    negative_slope: float = number(default=0.01, doc="slope for values below zero")

    @property
    def overwrites(self) -> tuple[int, ...]:
        """With a slope below zero the output does not tell the sign of the input."""
        return (0,) if self.negative_slope >= 0 else ()


@layer("prelu", family="activation")
class PReLU(_Activation):
    """Rectified linear unit with a learned slope below zero: max(0, x) + a·min(0, x).

    Input and output [*], or [channels, *] with a slope per channel. He et al., 2015.

    PyTorch: ``nn.PReLU``.
    """

    example = "prelu(16)"
    torch_class = "PReLU"

    num_parameters: int = size(default=1, doc="one slope for all, or one per channel")
    init: float = number(default=0.25, doc="the slope to start from")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        if self.num_parameters > 1:
            need_batch(self, x)
            channels = x.channels if x.rank else 1
            error = OpError(
                "shape-mismatch",
                f"num_parameters of prelu (={self.num_parameters}) must be 1 or the number of"
                f" channels (={show(channels)})",
                text=f"the input is {x}",
                argument="num_parameters",
            )
            need.equal(channels, self.num_parameters, error)
        return super().infer(inputs, need)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_parameters,)}


@layer("rrelu", family="activation")
class RReLU(_Activation):
    """Leaky rectified linear unit whose slope is drawn at random while training.

    Input and output [*]; the slope is uniform in [lower, upper], and their mean in evaluation.
    Xu et al., 2015.

    PyTorch: ``nn.RReLU``.
    """

    example = "rrelu(0.1, 0.3)"
    torch_class = "RReLU"

    lower: float = number(default=1 / 8, doc="smallest slope for values below zero")
    upper: float = number(default=1 / 3, doc="largest slope for values below zero")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        if self.lower > self.upper:
            raise OpError(
                "bad-argument",
                f"lower of rrelu (={self.lower}) must not be above upper (={self.upper})",
                argument="lower",
            )
        return super().infer(inputs, need)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(inputs=(0,), made=(outputs[0],))


@layer("elu", family="activation")
class ELU(_Activation):
    """Exponential linear unit: x above zero, alpha·(eˣ - 1) below.

    Input and output [*]. Clevert et al., 2016.

    PyTorch: ``nn.ELU``.
    """

    example = "elu"
    torch_class = "ELU"

    alpha: float = number(default=1.0, doc="what it tends to below zero, negated")

    @property
    def overwrites(self) -> tuple[int, ...]:
        """As for a leaky one."""
        return (0,) if self.alpha >= 0 else ()


@layer("selu", family="activation")
class SELU(_Activation):
    """Scaled exponential linear unit, which keeps mean 0 and variance 1: λ·elu(x, α).

    Input and output [*]; λ ≈ 1.0507, α ≈ 1.6733. Goes with alpha_dropout. Klambauer et al., 2017.

    PyTorch: ``nn.SELU``.
    """

    example = "selu"
    torch_class = "SELU"


@layer("celu", family="activation")
class CELU(_Activation):
    """Continuously differentiable exponential linear unit: max(0, x) + min(0, α·(e^(x/α) - 1)).

    Input and output [*]. Barron, 2017.

    PyTorch: ``nn.CELU``.
    """

    example = "celu(0.5)"
    torch_class = "CELU"

    alpha: float = number(default=1.0, above=0, doc="α in the formula")


@layer("gelu", family="activation")
class GELU(_Activation):
    """Gaussian error linear unit: x·Φ(x), with Φ the normal distribution function.

    Input and output [*]. ``approximate = tanh`` computes it as GPT-2 does.
    Hendrycks and Gimpel, 2016.

    PyTorch: ``nn.GELU``.
    """

    example = "gelu(approximate = tanh)"
    torch_class = "GELU"

    approximate: str = choice("none", "tanh", default="none", doc="how Φ is computed")


@layer("silu", "swish", family="activation")
class SiLU(_Activation):
    """Sigmoid linear unit («swish»): x·σ(x).

    Input and output [*]. Elfwing et al., 2017; Ramachandran et al., 2017.

    PyTorch: ``nn.SiLU``.
    """

    example = "silu"
    torch_class = "SiLU"


@layer("mish", family="activation")
class Mish(_Activation):
    """A smooth activation without upper bound: x·tanh(softplus(x)).

    Input and output [*]. Misra, 2019.

    PyTorch: ``nn.Mish``.
    """

    example = "mish"
    torch_class = "Mish"


@layer("sigmoid", family="activation")
class Sigmoid(_Activation):
    """Logistic function, from 0 to 1: 1 / (1 + e⁻ˣ).

    Input and output [*].

    PyTorch: ``nn.Sigmoid``.
    """

    example = "sigmoid"
    torch_class = "Sigmoid"
    gives = "probabilities"
    keeps = Saved(outputs=(0,))


@layer("tanh", family="activation")
class Tanh(_Activation):
    """Hyperbolic tangent, from -1 to 1: (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ).

    Input and output [*].

    PyTorch: ``nn.Tanh``.
    """

    example = "tanh"
    torch_class = "Tanh"
    keeps = Saved(outputs=(0,))


@layer("hardtanh", "hard_tanh", family="activation")
class Hardtanh(_Activation):
    """Values cut off at two bounds: min(max(min_val, x), max_val).

    Input and output [*].

    PyTorch: ``nn.Hardtanh``.
    """

    example = "hardtanh(-2, 2)"
    torch_class = "Hardtanh"

    min_val: float = number(default=-1.0, doc="lower bound")
    max_val: float = number(default=1.0, doc="upper bound")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        if self.min_val >= self.max_val:
            raise OpError(
                "bad-argument",
                f"min_val of hardtanh (={self.min_val}) must be below max_val (={self.max_val})",
                argument="min_val",
            )
        return super().infer(inputs, need)


@layer("hardsigmoid", "hard_sigmoid", family="activation")
class Hardsigmoid(_Activation):
    """A sigmoid of straight lines: relu6(x + 3) / 6.

    Input and output [*]. MobileNetV3, Howard et al., 2019.

    PyTorch: ``nn.Hardsigmoid``.
    """

    example = "hardsigmoid"
    torch_class = "Hardsigmoid"


@layer("hardswish", "hard_swish", family="activation")
class Hardswish(_Activation):
    """A swish of straight lines: x·relu6(x + 3) / 6.

    Input and output [*]. MobileNetV3, Howard et al., 2019.

    PyTorch: ``nn.Hardswish``.
    """

    example = "hardswish"
    torch_class = "Hardswish"


@layer("hardshrink", "hard_shrink", family="activation")
class Hardshrink(_Activation):
    """Small values become zero: x where abs(x) > lambd, otherwise 0.

    Input and output [*].

    PyTorch: ``nn.Hardshrink``.
    """

    example = "hardshrink"
    torch_class = "Hardshrink"

    lambd: float = number(default=0.5, minimum=0, doc="how small is zero")


@layer("softshrink", "soft_shrink", family="activation")
class Softshrink(_Activation):
    """Values move towards zero by lambd, and no further.

    Input and output [*].

    PyTorch: ``nn.Softshrink``.
    """

    example = "softshrink"
    torch_class = "Softshrink"

    lambd: float = number(default=0.5, minimum=0, doc="how far values move")


@layer("tanhshrink", "tanh_shrink", family="activation")
class Tanhshrink(_Activation):
    """What the hyperbolic tangent leaves: x - tanh(x).

    Input and output [*].

    PyTorch: ``nn.Tanhshrink``.
    """

    example = "tanhshrink"
    torch_class = "Tanhshrink"

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(made=(outputs[0],))


@layer("threshold", family="activation")
class Threshold(_Activation):
    """Values that are not above a threshold are replaced: x where x > threshold, otherwise value.

    Input and output [*].

    PyTorch: ``nn.Threshold``.
    """

    example = "threshold(0.1, 0)"
    torch_class = "Threshold"

    threshold: float = number(doc="values above it stay")
    value: float = number(doc="what replaces the others")


@layer("softplus", "soft_plus", family="activation")
class Softplus(_Activation):
    """A smooth rectified linear unit: log(1 + e^(beta·x)) / beta.

    Input and output [*].

    PyTorch: ``nn.Softplus``.
    """

    example = "softplus"
    torch_class = "Softplus"

    beta: float = number(default=1.0, above=0, doc="how sharp the bend is")
    threshold: float = number(default=20.0, doc="above it, beta·x counts as straight")


@layer("softsign", "soft_sign", family="activation")
class Softsign(_Activation):
    """A slow sigmoid from -1 to 1: x / (1 + abs(x)).

    Input and output [*].

    PyTorch: ``nn.Softsign``.
    """

    example = "softsign"
    torch_class = "Softsign"

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(inputs=(0,), made=(outputs[0],))


@layer("logsigmoid", "log_sigmoid", family="activation")
class LogSigmoid(_Activation):
    """The logarithm of the logistic function: log(1 / (1 + e⁻ˣ)).

    Input and output [*].

    PyTorch: ``nn.LogSigmoid``.
    """

    example = "logsigmoid"
    torch_class = "LogSigmoid"

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(inputs=(0,), made=(outputs[0],))


@layer("glu", family="activation")
class GLU(AlongAxis):
    """Gated linear unit: the first half of an axis times the sigmoid of the second half.

    Input [*, 2·n, *], output [*, n, *]: a·σ(b). Dauphin et al., 2017.

    PyTorch: ``nn.GLU``.
    """

    example = "glu(axis = 1)"
    keeps = Saved(inputs=(0,))

    axis: int = integer(default=-1, doc="the axis to halve; the batch is axis 0")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_float(self, x)
        need_batch(self, x)
        index = resolve_axis(self, self.axis, x)
        length = x.dims[index]
        error = OpError(
            "not-divisible",
            f"glu halves axis {self.axis}, and its size (={show(length)}) is odd",
            text=f"the input is {x}",
            argument="axis",
        )
        need.divisible(length, 2, error, "glu halves this axis")
        return (x.with_dims(*x.dims[:index], length // 2, *x.dims[index + 1 :]),)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module("nn.GLU", keyword("dim", self.axis, -1))


class _Softmax(AlongAxis):
    """What the softmax family shares: the shape stays, and one axis is normalized."""

    torch_class: ClassVar[str]
    keeps = Saved(outputs=(0,))

    axis: int

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(f"nn.{self.torch_class}", keyword("dim", self.axis))


@layer("softmax", family="activation")
class Softmax(_Softmax):
    """Values along an axis become positive and sum to one: e^xᵢ / Σⱼ e^xⱼ.

    Input and output [*]. The loss cross_entropy takes values before the softmax.

    PyTorch: ``nn.Softmax``.
    """

    example = "softmax(axis = 1)"
    torch_class = "Softmax"
    gives = "probabilities"

    axis: int = integer(default=-1, doc="the axis that sums to one; the batch is axis 0")


@layer("log_softmax", family="activation")
class LogSoftmax(_Softmax):
    """The logarithm of the softmax: xᵢ - log Σⱼ e^xⱼ.

    Input and output [*].

    PyTorch: ``nn.LogSoftmax``.
    """

    example = "log_softmax(axis = 1)"
    torch_class = "LogSoftmax"
    gives = "log_probabilities"

    axis: int = integer(default=-1, doc="the axis whose exponents sum to one; the batch is axis 0")


@layer("softmin", family="activation")
class Softmin(_Softmax):
    """The softmax of the negated values: e^-xᵢ / Σⱼ e^-xⱼ.

    Input and output [*].

    PyTorch: ``nn.Softmin``.
    """

    example = "softmin(axis = 1)"
    torch_class = "Softmin"

    axis: int = integer(default=-1, doc="the axis that sums to one; the batch is axis 0")


class _Function(Elementwise):
    """What the elementwise functions share: no module, one call."""

    torch_call: ClassVar[str]
    keeps = Saved(inputs=(0,))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call=self.torch_call)


@layer("exp", family="function")
class Exp(_Function):
    """The exponential function, elementwise: eˣ.

    Input and output [*].

    PyTorch: ``torch.exp``.
    """

    example = "exp"
    torch_call = "torch.exp({0})"
    keeps = Saved(outputs=(0,))


@layer("log", family="function")
class Log(_Function):
    """The natural logarithm, elementwise; not a number below zero.

    Input and output [*].

    PyTorch: ``torch.log``.
    """

    example = "log"
    torch_call = "torch.log({0})"


@layer("sqrt", family="function")
class Sqrt(_Function):
    """The square root, elementwise; not a number below zero.

    Input and output [*].

    PyTorch: ``torch.sqrt``.
    """

    example = "sqrt"
    torch_call = "torch.sqrt({0})"
    keeps = Saved(outputs=(0,))


@layer("square", family="function")
class Square(_Function):
    """The square, elementwise: x².

    Input and output [*].

    PyTorch: ``torch.square``.
    """

    example = "square"
    torch_call = "torch.square({0})"


@layer("abs", family="function")
class Abs(_Function):
    """The absolute value, elementwise.

    Input and output [*].

    PyTorch: ``torch.abs``.
    """

    example = "abs"
    torch_call = "torch.abs({0})"


@layer("neg", family="function")
class Neg(_Function):
    """The value with its sign changed: -x.

    Input and output [*].

    PyTorch: ``torch.neg``.
    """

    example = "neg"
    torch_call = "torch.neg({0})"
    keeps = NOTHING_SAVED


@layer("sin", family="function")
class Sin(_Function):
    """The sine, elementwise, of radians.

    Input and output [*].

    PyTorch: ``torch.sin``.
    """

    example = "sin"
    torch_call = "torch.sin({0})"


@layer("cos", family="function")
class Cos(_Function):
    """The cosine, elementwise, of radians.

    Input and output [*].

    PyTorch: ``torch.cos``.
    """

    example = "cos"
    torch_call = "torch.cos({0})"


@layer("clamp", "clip", family="function")
class Clamp(_Function):
    """Values cut off at a lower bound, an upper bound, or both.

    Input and output [*].

    PyTorch: ``torch.clamp``.
    """

    example = "clamp(0, 1)"

    min: float | None = optional(number(doc="lower bound"))
    max: float | None = optional(number(doc="upper bound"))

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        if self.min is None and self.max is None:
            raise OpError("missing-argument", "clamp needs a bound: min, max or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise OpError(
                "bad-argument",
                f"min of clamp (={self.min}) must not be above max (={self.max})",
                argument="min",
            )
        return super().infer(inputs, need)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        bounds = {"min": self.min, "max": self.max}
        given = {name: bound for name, bound in bounds.items() if bound is not None}
        keywords = ", ".join(f"{name}={{{name}}}" for name in given)
        return Code(call=f"torch.clamp({{0}}, {keywords})", constants=given)


@layer("scale", family="function")
class Scale(_Function):
    """The value times a constant: factor·x.

    Input and output [*].

    PyTorch: ``x * factor``.
    """

    example = "scale(0.5)"
    keeps = NOTHING_SAVED

    factor: float = number(doc="what to multiply by")

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(call="{0} * {factor}", constants={"factor": self.factor})
