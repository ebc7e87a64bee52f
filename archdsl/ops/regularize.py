"""What makes training harder on purpose: values, channels, paths or weights dropped; noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archdsl.ops.arguments import OpError, flag, number, probability, size
from archdsl.ops.conv import need_spatial
from archdsl.ops.linear import Projection
from archdsl.ops.op import (
    Need,
    Tensor,
    layer,
    need_batch,
    need_float,
    torch_keywords,
)
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Code, keyword, module, positional
from archdsl.ops.traits import Elementwise, IdleInEvaluation


class _Dropout(Elementwise):
    """What dropouts share: the shape stays, and evaluation changes nothing."""

    torch_class: ClassVar[str]

    p: float

    def _mask(self, x: Tensor) -> Tensor:
        """Which values stay, times 1 / (1 - p)."""
        return x

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        if self.p in {0, 1}:
            return NOTHING_SAVED
        return Saved(made=(self._mask(inputs[0]),))

    def shares(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], *, training: bool
    ) -> tuple[int | None, ...]:
        return (None,) if training and self.p else (0,)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(f"nn.{self.torch_class}", *torch_keywords(self))


@layer("dropout", family="regularization")
class Dropout(_Dropout):
    """Every value becomes 0 with probability p while training; the others grow by 1 / (1 - p).

    Input and output [*]. Srivastava et al., 2014.

    PyTorch: ``nn.Dropout``.
    """

    example = "dropout(0.5)"
    torch_class = "Dropout"

    p: float = probability(default=0.5, doc="share of values to drop")


@layer("spatial_dropout", family="regularization")
class SpatialDropout(_Dropout):
    """Whole channels become 0 with probability p while training.

    Input and output [channels, *sizes] with one to three sizes. Tompson et al., 2015.

    PyTorch: ``nn.Dropout1d``, ``nn.Dropout2d``, ``nn.Dropout3d``.
    """

    example = "spatial_dropout(0.2)"
    torch_class = "Dropout"

    p: float = probability(default=0.5, doc="share of channels to drop")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        need_spatial(self, inputs[0])
        return (inputs[0],)

    def _mask(self, x: Tensor) -> Tensor:
        return x.with_dims(x.channels)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(f"nn.Dropout{inputs[0].rank - 1}d", *torch_keywords(self))


@layer("alpha_dropout", family="regularization")
class AlphaDropout(_Dropout):
    """Dropout that keeps mean and variance, for networks of selu.

    Input and output [*]. Klambauer et al., 2017.

    PyTorch: ``nn.AlphaDropout``.
    """

    example = "alpha_dropout(0.1)"
    torch_class = "AlphaDropout"

    p: float = probability(default=0.5, doc="share of values to drop")


@layer("feature_alpha_dropout", family="regularization")
class FeatureAlphaDropout(_Dropout):
    """Alpha dropout of whole channels.

    Input and output [channels, *].

    PyTorch: ``nn.FeatureAlphaDropout``.
    """

    example = "feature_alpha_dropout(0.1)"
    torch_class = "FeatureAlphaDropout"

    p: float = probability(default=0.5, doc="share of channels to drop")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_float(self, x)
        need_batch(self, x)
        if not x.rank:
            raise OpError(
                "wrong-rank", f"feature_alpha_dropout takes [channels, …], not {x}", input=0
            )
        return (x,)

    def _mask(self, x: Tensor) -> Tensor:
        return x.with_dims(x.channels)


DROP_PATH = '''\
class DropPath(nn.Module):
    """Drops whole samples of a residual path while training (Huang et al., 2016)."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        kept = x.new_ones(x.shape[0], *[1] * (x.dim() - 1))
        return x * F.dropout(kept, self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
'''


@layer("drop_path", "stochastic_depth", family="regularization")
class DropPath(IdleInEvaluation):
    """Stochastic depth: the path of a whole sample becomes 0 with probability p while training.

    Input and output [*]; what stays grows by 1 / (1 - p). Stands last in a residual path.
    Huang et al., 2016.

    PyTorch: a class ``DropPath`` in the source.
    """

    example = "drop_path(0.1)"

    p: float = probability(doc="share of samples whose path is dropped")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        need_float(self, inputs[0])
        need_batch(self, inputs[0])
        return (inputs[0],)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(made=(inputs[0].with_dims(),))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module("DropPath", positional("p", self.p), helpers={"DropPath": DROP_PATH})


DROP_CONNECT = '''\
class DropConnect(nn.Linear):
    """A linear layer whose weights are dropped while training (Wan et al., 2013)."""

    def __init__(
        self, in_features: int, out_features: int, p: float = 0.5, bias: bool = True
    ) -> None:
        super().__init__(in_features, out_features, bias)
        self.p = p

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        weight = F.dropout(self.weight, self.p, self.training)
        return F.linear(x, weight, self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, p={self.p}"
'''


@layer("drop_connect", family="regularization")
class DropConnect(Projection):
    """A fully connected layer whose weights become 0 with probability p while training.

    Input [*, features], output [*, out_features]; the weights that stay grow by 1 / (1 - p).
    Wan et al., 2013. (EfficientNet's «drop connect» is drop_path.)

    PyTorch: a class ``DropConnect`` in the source.
    """

    example = "drop_connect(10)"
    example_input = "[64]"

    out_features: int = size(doc="features of the output")
    p: float = probability(default=0.5, doc="share of weights to drop")
    bias: bool = flag(default=True, doc="whether to add a learned constant per feature")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_float(self, x)
        if not x.rank:
            raise OpError("wrong-rank", f"drop_connect takes [*, features], not {x}", input=0)
        need.fixed(
            x.features,
            "the number of features",
            help="average over the free sizes first (global_avg_pool -> flatten)",
        )
        return (x.with_dims(*x.dims[:-1], self.out_features),)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        matrix = Tensor((self.out_features, inputs[0].features), batch="none")
        return Saved(inputs=(0,), made=(matrix, matrix))  # which weights stay, and what they are

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            "DropConnect",
            positional("in_features", inputs[0].features),
            positional("out_features", self.out_features),
            keyword("p", self.p, 0.5),
            keyword("bias", self.bias, True),
            helpers={"DropConnect": DROP_CONNECT},
        )


GAUSSIAN_NOISE = '''\
class GaussianNoise(nn.Module):
    """Adds normal noise while training."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.std * torch.randn_like(x) if self.training else x

    def extra_repr(self) -> str:
        return f"std={self.std}"
'''


@layer("gaussian_noise", family="regularization")
class GaussianNoise(IdleInEvaluation):
    """Normal noise is added while training: x + std·ε.

    Input and output [*]. Denoising autoencoders, Vincent et al., 2008.

    PyTorch: a class ``GaussianNoise`` in the source.
    """

    example = "gaussian_noise(0.1)"
    keeps = NOTHING_SAVED

    std: float = number(default=0.1, minimum=0, doc="standard deviation of the noise")

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            "GaussianNoise", positional("std", self.std), helpers={"GaussianNoise": GAUSSIAN_NOISE}
        )
