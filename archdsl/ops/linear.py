"""Fully connected layers."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.dims import Size, show
from archdsl.ops.arguments import OpError, WeightRef, flag, size, weight
from archdsl.ops.op import Need, Op, Tensor, known, layer, need_float, product
from archdsl.ops.reach import Reach, pointwise_but
from archdsl.ops.saved import Saved
from archdsl.ops.torch_text import Code, keyword, module, positional


class Projection(Op):
    """A layer whose every feature is made of all features of the input, position by position."""

    out_features: int
    bias: bool

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        shapes: dict[str, tuple[int, ...]] = {
            "weight": (self.out_features, known(inputs[0].features))
        }
        if self.bias:
            shapes["bias"] = (self.out_features,)
        return shapes

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        return product(inputs[0].dims) * self.out_features

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return pointwise_but(inputs[input].rank, inputs[input].rank - 1)


@layer("linear", family="linear")
class Linear(Projection):
    """Fully connected («dense») layer over the last axis: x·Wᵀ + b.

    Input [*, features], output [*, out_features]. ``tie = embed.weight`` uses another
    layer's matrix [out_features, features] instead of its own.

    PyTorch: ``nn.Linear``.
    """

    example = "linear(10)"
    example_input = "[64]"
    keeps = Saved(inputs=(0,))

    out_features: int = size(doc="features of the output")
    bias: bool = flag(default=True, doc="whether to add a learned constant per feature")
    tie: WeightRef | None = weight(doc="another layer's parameter to use as the weight")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_float(self, x)
        if not x.rank:
            raise OpError("wrong-rank", f"linear needs a last axis, and its input is {x}", input=0)
        features = need.fixed(
            x.features,
            "the number of features",
            help="average over the free sizes first (global_avg_pool -> flatten, or mean(1) of a"
            " sequence), pool to a fixed size (adaptive_avg_pool(7) -> flatten), or fix the size"
            " in the input",
        )
        if self.tie and self.tie.shape != (self.out_features, features):
            raise OpError(
                "tied-shape",
                f"the tied weight {self.tie.path}.{self.tie.name} is {list(self.tie.shape)}, and"
                f" this layer needs [{self.out_features}, {features}]",
                text=f"{features} features come in, {self.out_features} go out",
                argument="tie",
            )
        return (x.with_dims(*x.dims[:-1], self.out_features),)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            "nn.Linear",
            positional("in_features", inputs[0].features),
            positional("out_features", self.out_features),
            keyword("bias", self.bias, True),
        )


@layer("bilinear", family="linear")
class Bilinear(Projection):
    """A learned product of two inputs: x₁ᵀ·W·x₂ + b over their last axes.

    Inputs [*, features], [*, features'], output [*, out_features].

    PyTorch: ``nn.Bilinear``.
    """

    example = "bilinear(8, other = it)"
    example_input = "[16]"
    inputs = ("input", "other")
    keeps = Saved(inputs=(0, 1))

    out_features: int = size(doc="features of the output")
    bias: bool = flag(default=True, doc="whether to add a learned constant per feature")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        left, right = inputs
        for x in inputs:
            need_float(self, x)
            if not x.rank:
                raise OpError("wrong-rank", f"bilinear needs a last axis, and an input is {x}")
            need.fixed(x.features, "the number of features")
        if left.rank != right.rank or left.batch != right.batch:
            raise OpError(
                "shape-mismatch", f"the inputs of bilinear have different axes: {left}, {right}"
            )
        for one, two in zip(left.dims[:-1], right.dims[:-1], strict=True):
            error = OpError(
                "shape-mismatch",
                f"the inputs of bilinear differ: {left}, {right}",
                text=f"{show(one)} against {show(two)}",
            )
            need.equal(one, two, error)
        return (left.with_dims(*left.dims[:-1], self.out_features),)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        one, two = (known(x.features) for x in inputs)
        shapes: dict[str, tuple[int, ...]] = {"weight": (self.out_features, one, two)}
        if self.bias:
            shapes["bias"] = (self.out_features,)
        return shapes

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        one, two = inputs
        return product(one.dims) * two.features * self.out_features

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            "nn.Bilinear",
            positional("in1_features", inputs[0].features),
            positional("in2_features", inputs[1].features),
            positional("out_features", self.out_features),
            keyword("bias", self.bias, True),
            call="{self}({0}, {1})",
        )
