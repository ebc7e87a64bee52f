# Written from the registry: `make golden` writes it anew.
"""The registered layers as methods, for type checkers and editors; there is no such module.

A layer registered by the user has no method here: ``__getattr__`` lets it pass.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from archdsl.builder import Flow, Module
from archdsl.ops.arguments import WeightRef

# An editor shows the docstrings, and the defaults as they are.
# ruff: noqa: D402, E501, PYI021, PYI054

class FlowLayers:
    def relu(self, *, name: str | None = None) -> Flow:
        """Rectified linear unit: max(0, x)."""

    def relu6(self, *, name: str | None = None) -> Flow:
        """Rectified linear unit that stops at six: min(max(0, x), 6)."""

    def leaky_relu(self, negative_slope: float = 0.01, *, name: str | None = None) -> Flow:
        """Rectified linear unit with a small slope below zero: max(0, x) + negative_slope·min(0, x)."""

    def prelu(
        self, num_parameters: int = 1, init: float = 0.25, *, name: str | None = None
    ) -> Flow:
        """Rectified linear unit with a learned slope below zero: max(0, x) + a·min(0, x)."""

    def rrelu(
        self, lower: float = 0.125, upper: float = 0.3333333333333333, *, name: str | None = None
    ) -> Flow:
        """Leaky rectified linear unit whose slope is drawn at random while training."""

    def elu(self, alpha: float = 1.0, *, name: str | None = None) -> Flow:
        """Exponential linear unit: x above zero, alpha·(eˣ - 1) below."""

    def selu(self, *, name: str | None = None) -> Flow:
        """Scaled exponential linear unit, which keeps mean 0 and variance 1: λ·elu(x, α)."""

    def celu(self, alpha: float = 1.0, *, name: str | None = None) -> Flow:
        """Continuously differentiable exponential linear unit: max(0, x) + min(0, α·(e^(x/α) - 1))."""

    def gelu(
        self, approximate: Literal["none", "tanh"] = "none", *, name: str | None = None
    ) -> Flow:
        """Gaussian error linear unit: x·Φ(x), with Φ the normal distribution function."""

    def silu(self, *, name: str | None = None) -> Flow:
        """Sigmoid linear unit («swish»): x·σ(x)."""

    def swish(self, *, name: str | None = None) -> Flow:
        """Sigmoid linear unit («swish»): x·σ(x)."""

    def mish(self, *, name: str | None = None) -> Flow:
        """A smooth activation without upper bound: x·tanh(softplus(x))."""

    def sigmoid(self, *, name: str | None = None) -> Flow:
        """Logistic function, from 0 to 1: 1 / (1 + e⁻ˣ)."""

    def tanh(self, *, name: str | None = None) -> Flow:
        """Hyperbolic tangent, from -1 to 1: (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""

    def hardtanh(
        self, min_val: float = -1.0, max_val: float = 1.0, *, name: str | None = None
    ) -> Flow:
        """Values cut off at two bounds: min(max(min_val, x), max_val)."""

    def hard_tanh(
        self, min_val: float = -1.0, max_val: float = 1.0, *, name: str | None = None
    ) -> Flow:
        """Values cut off at two bounds: min(max(min_val, x), max_val)."""

    def hardsigmoid(self, *, name: str | None = None) -> Flow:
        """A sigmoid of straight lines: relu6(x + 3) / 6."""

    def hard_sigmoid(self, *, name: str | None = None) -> Flow:
        """A sigmoid of straight lines: relu6(x + 3) / 6."""

    def hardswish(self, *, name: str | None = None) -> Flow:
        """A swish of straight lines: x·relu6(x + 3) / 6."""

    def hard_swish(self, *, name: str | None = None) -> Flow:
        """A swish of straight lines: x·relu6(x + 3) / 6."""

    def hardshrink(self, lambd: float = 0.5, *, name: str | None = None) -> Flow:
        """Small values become zero: x where abs(x) > lambd, otherwise 0."""

    def hard_shrink(self, lambd: float = 0.5, *, name: str | None = None) -> Flow:
        """Small values become zero: x where abs(x) > lambd, otherwise 0."""

    def softshrink(self, lambd: float = 0.5, *, name: str | None = None) -> Flow:
        """Values move towards zero by lambd, and no further."""

    def soft_shrink(self, lambd: float = 0.5, *, name: str | None = None) -> Flow:
        """Values move towards zero by lambd, and no further."""

    def tanhshrink(self, *, name: str | None = None) -> Flow:
        """What the hyperbolic tangent leaves: x - tanh(x)."""

    def tanh_shrink(self, *, name: str | None = None) -> Flow:
        """What the hyperbolic tangent leaves: x - tanh(x)."""

    def threshold(self, threshold: float, value: float, *, name: str | None = None) -> Flow:
        """Values that are not above a threshold are replaced: x where x > threshold, otherwise value."""

    def softplus(
        self, beta: float = 1.0, threshold: float = 20.0, *, name: str | None = None
    ) -> Flow:
        """A smooth rectified linear unit: log(1 + e^(beta·x)) / beta."""

    def soft_plus(
        self, beta: float = 1.0, threshold: float = 20.0, *, name: str | None = None
    ) -> Flow:
        """A smooth rectified linear unit: log(1 + e^(beta·x)) / beta."""

    def softsign(self, *, name: str | None = None) -> Flow:
        """A slow sigmoid from -1 to 1: x / (1 + abs(x))."""

    def soft_sign(self, *, name: str | None = None) -> Flow:
        """A slow sigmoid from -1 to 1: x / (1 + abs(x))."""

    def logsigmoid(self, *, name: str | None = None) -> Flow:
        """The logarithm of the logistic function: log(1 / (1 + e⁻ˣ))."""

    def log_sigmoid(self, *, name: str | None = None) -> Flow:
        """The logarithm of the logistic function: log(1 / (1 + e⁻ˣ))."""

    def glu(self, axis: int = -1, *, name: str | None = None) -> Flow:
        """Gated linear unit: the first half of an axis times the sigmoid of the second half."""

    def softmax(self, axis: int = -1, *, name: str | None = None) -> Flow:
        """Values along an axis become positive and sum to one: e^xᵢ / Σⱼ e^xⱼ."""

    def log_softmax(self, axis: int = -1, *, name: str | None = None) -> Flow:
        """The logarithm of the softmax: xᵢ - log Σⱼ e^xⱼ."""

    def softmin(self, axis: int = -1, *, name: str | None = None) -> Flow:
        """The softmax of the negated values: e^-xᵢ / Σⱼ e^-xⱼ."""

    def exp(self, *, name: str | None = None) -> Flow:
        """The exponential function, elementwise: eˣ."""

    def log(self, *, name: str | None = None) -> Flow:
        """The natural logarithm, elementwise; not a number below zero."""

    def sqrt(self, *, name: str | None = None) -> Flow:
        """The square root, elementwise; not a number below zero."""

    def square(self, *, name: str | None = None) -> Flow:
        """The square, elementwise: x²."""

    def abs(self, *, name: str | None = None) -> Flow:
        """The absolute value, elementwise."""

    def neg(self, *, name: str | None = None) -> Flow:
        """The value with its sign changed: -x."""

    def sin(self, *, name: str | None = None) -> Flow:
        """The sine, elementwise, of radians."""

    def cos(self, *, name: str | None = None) -> Flow:
        """The cosine, elementwise, of radians."""

    def clamp(
        self, min: float | None = None, max: float | None = None, *, name: str | None = None
    ) -> Flow:
        """Values cut off at a lower bound, an upper bound, or both."""

    def clip(
        self, min: float | None = None, max: float | None = None, *, name: str | None = None
    ) -> Flow:
        """Values cut off at a lower bound, an upper bound, or both."""

    def scale(self, factor: float, *, name: str | None = None) -> Flow:
        """The value times a constant: factor·x."""

    def add(self, *others: Flow, name: str | None = None) -> Flow:
        """The sum of tensors of one shape; a size of 1 is stretched."""

    def mul(self, *others: Flow, name: str | None = None) -> Flow:
        """The elementwise product of tensors of one shape; a size of 1 is stretched."""

    def sub(self, *others: Flow, name: str | None = None) -> Flow:
        """The first tensor less the others; a size of 1 is stretched."""

    def max(self, *others: Flow, name: str | None = None) -> Flow:
        """The elementwise maximum of tensors of one shape (maxout)."""

    def concat(self, *others: Flow, axis: int = 1, name: str | None = None) -> Flow:
        """Tensors side by side along an axis (channels, by default)."""

    def cat(self, *others: Flow, axis: int = 1, name: str | None = None) -> Flow:
        """Tensors side by side along an axis (channels, by default)."""

    def stack(self, *others: Flow, axis: int = 1, name: str | None = None) -> Flow:
        """Tensors of one shape side by side along a new axis."""

    def matmul(
        self, *others: Flow, transpose_second: bool = False, name: str | None = None
    ) -> Flow:
        """The matrix product over the last two axes; ``transpose_second`` gives A·Bᵀ."""

    def attention(
        self,
        heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        causal: bool = False,
        *,
        name: str | None = None,
    ) -> Flow:
        """Multi-head self-attention (Vaswani et al., 2017): softmax(Q·Kᵀ/√d)·V in every head."""

    def cross_attention(
        self,
        heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        memory: Flow,
        name: str | None = None,
    ) -> Flow:
        """Multi-head attention from one sequence to another (Vaswani et al., 2017)."""

    def dot_product_attention(
        self,
        causal: bool = False,
        scale: float | None = None,
        *,
        key: Flow,
        value: Flow,
        name: str | None = None,
    ) -> Flow:
        """Attention without weights of its own: softmax(Q·Kᵀ·scale)·V."""

    def sinusoidal_position(self, base: float = 10000.0, *, name: str | None = None) -> Flow:
        """Adds to every position its sines and cosines (Vaswani et al., 2017), which are not learned."""

    def conv(
        self,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | Literal["same", "valid"] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        *,
        name: str | None = None,
    ) -> Flow:
        """Convolution over one, two or three spatial axes, by the input's shape."""

    def conv_transpose(
        self,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        *,
        name: str | None = None,
    ) -> Flow:
        """Transposed convolution («deconvolution»), that enlarges what a convolution shrinks."""

    def embedding(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        tie: WeightRef | None = None,
        *,
        name: str | None = None,
    ) -> Flow:
        """A learned vector for each of num_embeddings indices."""

    def position_embedding(self, num_embeddings: int, *, name: str | None = None) -> Flow:
        """Adds to every position a learned vector: GPT's and BERT's, and ViT's for images."""

    def one_hot(self, classes: int, *, name: str | None = None) -> Flow:
        """A vector for each index that is 1 there and 0 elsewhere."""

    def gaussian_sample(self, *, log_var: Flow, name: str | None = None) -> Flow:
        """A sample from normal distributions, with its gradient: μ + exp(½·log_var)·ε."""

    def linear(
        self,
        out_features: int,
        bias: bool = True,
        tie: WeightRef | None = None,
        *,
        name: str | None = None,
    ) -> Flow:
        """Fully connected («dense») layer over the last axis: x·Wᵀ + b."""

    def bilinear(
        self, out_features: int, bias: bool = True, *, other: Flow, name: str | None = None
    ) -> Flow:
        """A learned product of two inputs: x₁ᵀ·W·x₂ + b over their last axes."""

    def batch_norm(
        self,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        name: str | None = None,
    ) -> Flow:
        """Batch normalization: every channel gets mean 0 and variance 1 over the batch."""

    def bn(
        self,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        name: str | None = None,
    ) -> Flow:
        """Batch normalization: every channel gets mean 0 and variance 1 over the batch."""

    def instance_norm(
        self,
        eps: float = 1e-05,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        name: str | None = None,
    ) -> Flow:
        """Instance normalization: every channel of every sample gets mean 0 and variance 1."""

    def group_norm(
        self, num_groups: int, eps: float = 1e-05, affine: bool = True, *, name: str | None = None
    ) -> Flow:
        """Group normalization: every group of channels of a sample gets mean 0 and variance 1."""

    def layer_norm(
        self,
        eps: float = 1e-05,
        elementwise_affine: bool = True,
        bias: bool = True,
        axis: int | Sequence[int] = -1,
        *,
        name: str | None = None,
    ) -> Flow:
        """Layer normalization: the values along an axis of a sample get mean 0 and variance 1."""

    def rms_norm(
        self,
        eps: float | None = None,
        elementwise_affine: bool = True,
        axis: int | Sequence[int] = -1,
        *,
        name: str | None = None,
    ) -> Flow:
        """Root mean square normalization: weight·x / √(mean(x²) + eps) along an axis."""

    def local_response_norm(
        self,
        size: int,
        alpha: float = 0.0001,
        beta: float = 0.75,
        k: float = 1.0,
        *,
        name: str | None = None,
    ) -> Flow:
        """Local response normalization: a channel is damped by its neighbours."""

    def lrn(
        self,
        size: int,
        alpha: float = 0.0001,
        beta: float = 0.75,
        k: float = 1.0,
        *,
        name: str | None = None,
    ) -> Flow:
        """Local response normalization: a channel is damped by its neighbours."""

    def normalize(
        self, p: float = 2.0, axis: int = 1, eps: float = 1e-12, *, name: str | None = None
    ) -> Flow:
        """Vectors along an axis get length 1: x / max(‖x‖ₚ, eps)."""

    def split(
        self, lengths: int | Sequence[int], axis: int = 1, *, name: str | None = None
    ) -> Flow:
        """Parts of an axis, of one length or of the lengths listed."""

    def chunk(self, chunks: int, axis: int = 1, *, name: str | None = None) -> Flow:
        """So many equal parts of an axis, the last one smaller where they cannot be equal."""

    def slice(
        self,
        axis: int,
        start: int = 0,
        stop: int | None = None,
        step: int = 1,
        *,
        name: str | None = None,
    ) -> Flow:
        """A stretch of an axis, as Python slices: from start up to stop, in steps."""

    def select(self, axis: int, index: int, *, name: str | None = None) -> Flow:
        """One place of an axis, which is dropped: ``select(1, 0)`` is a sequence's first element."""

    def mean(
        self, axis: int | Sequence[int], keep: bool = False, *, name: str | None = None
    ) -> Flow:
        """The average over one axis or several, which are dropped."""

    def sum(
        self, axis: int | Sequence[int], keep: bool = False, *, name: str | None = None
    ) -> Flow:
        """The sum over one axis or several, which are dropped."""

    def amax(
        self, axis: int | Sequence[int], keep: bool = False, *, name: str | None = None
    ) -> Flow:
        """The largest value along one axis or several, which are dropped."""

    def amin(
        self, axis: int | Sequence[int], keep: bool = False, *, name: str | None = None
    ) -> Flow:
        """The smallest value along one axis or several, which are dropped."""

    def max_pool(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] | Literal["same", "valid"] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
        *,
        name: str | None = None,
    ) -> Flow:
        """The largest value of every window."""

    def avg_pool(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] | Literal["same", "valid"] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        name: str | None = None,
    ) -> Flow:
        """The average of every window."""

    def lp_pool(
        self,
        norm_type: float,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        ceil_mode: bool = False,
        *,
        name: str | None = None,
    ) -> Flow:
        """The power sum of every window: (Σ x^norm_type)^(1/norm_type)."""

    def adaptive_avg_pool(
        self, output_size: int | Sequence[int | None], *, name: str | None = None
    ) -> Flow:
        """Averages of so many equal parts that the output has the size wanted."""

    def adaptive_max_pool(
        self, output_size: int | Sequence[int | None], *, name: str | None = None
    ) -> Flow:
        """The largest values of so many equal parts that the output has the size wanted."""

    def global_avg_pool(self, *, name: str | None = None) -> Flow:
        """The average of every channel."""

    def global_max_pool(self, *, name: str | None = None) -> Flow:
        """The largest value of every channel."""

    def rnn(
        self,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        hidden: Flow | None = None,
        name: str | None = None,
    ) -> Flow:
        """Recurrent layer of Elman (1990) over a sequence: hₜ = tanh(W·xₜ + b + U·hₜ₋₁ + c)."""

    def lstm(
        self,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        hidden: Flow | None = None,
        cell: Flow | None = None,
        name: str | None = None,
    ) -> Flow:
        """Long short-term memory (Hochreiter & Schmidhuber, 1997) over a sequence."""

    def gru(
        self,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        hidden: Flow | None = None,
        name: str | None = None,
    ) -> Flow:
        """Gated recurrent units (Cho et al., 2014) over a sequence."""

    def rnn_cell(
        self,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        *,
        hidden: Flow | None = None,
        name: str | None = None,
    ) -> Flow:
        """One step of ``rnn``, for recurrences written out with ``scan``."""

    def lstm_cell(
        self,
        hidden_size: int,
        bias: bool = True,
        *,
        hidden: Flow | None = None,
        cell: Flow | None = None,
        name: str | None = None,
    ) -> Flow:
        """One step of ``lstm``, for recurrences written out with ``scan``."""

    def gru_cell(
        self,
        hidden_size: int,
        bias: bool = True,
        *,
        hidden: Flow | None = None,
        name: str | None = None,
    ) -> Flow:
        """One step of ``gru``, for recurrences written out with ``scan``."""

    def dropout(self, p: float = 0.5, *, name: str | None = None) -> Flow:
        """Every value becomes 0 with probability p while training; the others grow by 1 / (1 - p)."""

    def spatial_dropout(self, p: float = 0.5, *, name: str | None = None) -> Flow:
        """Whole channels become 0 with probability p while training."""

    def alpha_dropout(self, p: float = 0.5, *, name: str | None = None) -> Flow:
        """Dropout that keeps mean and variance, for networks of selu."""

    def feature_alpha_dropout(self, p: float = 0.5, *, name: str | None = None) -> Flow:
        """Alpha dropout of whole channels."""

    def drop_path(self, p: float, *, name: str | None = None) -> Flow:
        """Stochastic depth: the path of a whole sample becomes 0 with probability p while training."""

    def stochastic_depth(self, p: float, *, name: str | None = None) -> Flow:
        """Stochastic depth: the path of a whole sample becomes 0 with probability p while training."""

    def drop_connect(
        self, out_features: int, p: float = 0.5, bias: bool = True, *, name: str | None = None
    ) -> Flow:
        """A fully connected layer whose weights become 0 with probability p while training."""

    def gaussian_noise(self, std: float = 0.1, *, name: str | None = None) -> Flow:
        """Normal noise is added while training: x + std·ε."""

    def identity(self, *, name: str | None = None) -> Flow:
        """The input as it is: the plain path of a branch, or a place to name."""

    def flatten(self, start_axis: int = 1, end_axis: int = -1, *, name: str | None = None) -> Flow:
        """Several axes become one: all but the batch, unless others are named."""

    def unflatten(self, axis: int, sizes: int | Sequence[int], *, name: str | None = None) -> Flow:
        """One axis becomes several."""

    def reshape(self, *sizes: int | Sequence[int], name: str | None = None) -> Flow:
        """The same values in other axes, in the order in which they lie."""

    def transpose(self, axis0: int, axis1: int, *, name: str | None = None) -> Flow:
        """Two axes change places."""

    def permute(self, *order: int | Sequence[int], name: str | None = None) -> Flow:
        """The axes in another order, the batch (axis 0) first."""

    def squeeze(self, axis: int, *, name: str | None = None) -> Flow:
        """An axis of size 1 is dropped."""

    def unsqueeze(self, axis: int, *, name: str | None = None) -> Flow:
        """An axis of size 1 is added."""

    def zeros(self, *sizes: int | Sequence[int], name: str | None = None) -> Flow:
        """Zeros, for every sample of the batch: what a recurrence starts from."""

    def ones(self, *sizes: int | Sequence[int], name: str | None = None) -> Flow:
        """Ones, for every sample of the batch."""

    def channel_shuffle(self, groups: int, *, name: str | None = None) -> Flow:
        """Channels of all groups take turns, so that the next grouped convolution mixes them."""

    def pad(
        self,
        padding: int | Sequence[int],
        mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
        value: float = 0.0,
        *,
        name: str | None = None,
    ) -> Flow:
        """Values are added around the sizes, or cut off where the padding is negative."""

    def crop(
        self,
        size: int | Sequence[int] | None = None,
        *,
        like: Flow | None = None,
        name: str | None = None,
    ) -> Flow:
        """The middle of the spatial axes, of a size given or of another tensor's size."""

    def upsample(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: Any = None,
        mode: Literal[
            "nearest", "nearest_exact", "area", "linear", "bilinear", "bicubic", "trilinear"
        ] = "nearest",
        align_corners: bool | None = None,
        *,
        name: str | None = None,
    ) -> Flow:
        """Spatial axes enlarged by a factor, or to a size, by interpolation."""

    def resize(
        self,
        size: int | Sequence[int] | None = None,
        mode: Literal[
            "nearest", "nearest_exact", "area", "linear", "bilinear", "bicubic", "trilinear"
        ] = "nearest",
        align_corners: bool | None = None,
        *,
        like: Flow | None = None,
        name: str | None = None,
    ) -> Flow:
        """Spatial axes brought to a size, or to another tensor's, by interpolation."""

    def pixel_shuffle(self, upscale_factor: int, *, name: str | None = None) -> Flow:
        """Channels become pixels: the image grows by a factor, the channels shrink by its square."""

    def pixel_unshuffle(self, downscale_factor: int, *, name: str | None = None) -> Flow:
        """Pixels become channels: the reverse of pixel_shuffle."""

    def __getattr__(self, name: str) -> Callable[..., Flow]: ...

class BuilderLayers:
    def relu(self, *, name: str | None = None) -> Module:
        """Rectified linear unit: max(0, x)."""

    def relu6(self, *, name: str | None = None) -> Module:
        """Rectified linear unit that stops at six: min(max(0, x), 6)."""

    def leaky_relu(self, negative_slope: float = 0.01, *, name: str | None = None) -> Module:
        """Rectified linear unit with a small slope below zero: max(0, x) + negative_slope·min(0, x)."""

    def prelu(
        self, num_parameters: int = 1, init: float = 0.25, *, name: str | None = None
    ) -> Module:
        """Rectified linear unit with a learned slope below zero: max(0, x) + a·min(0, x)."""

    def rrelu(
        self, lower: float = 0.125, upper: float = 0.3333333333333333, *, name: str | None = None
    ) -> Module:
        """Leaky rectified linear unit whose slope is drawn at random while training."""

    def elu(self, alpha: float = 1.0, *, name: str | None = None) -> Module:
        """Exponential linear unit: x above zero, alpha·(eˣ - 1) below."""

    def selu(self, *, name: str | None = None) -> Module:
        """Scaled exponential linear unit, which keeps mean 0 and variance 1: λ·elu(x, α)."""

    def celu(self, alpha: float = 1.0, *, name: str | None = None) -> Module:
        """Continuously differentiable exponential linear unit: max(0, x) + min(0, α·(e^(x/α) - 1))."""

    def gelu(
        self, approximate: Literal["none", "tanh"] = "none", *, name: str | None = None
    ) -> Module:
        """Gaussian error linear unit: x·Φ(x), with Φ the normal distribution function."""

    def silu(self, *, name: str | None = None) -> Module:
        """Sigmoid linear unit («swish»): x·σ(x)."""

    def swish(self, *, name: str | None = None) -> Module:
        """Sigmoid linear unit («swish»): x·σ(x)."""

    def mish(self, *, name: str | None = None) -> Module:
        """A smooth activation without upper bound: x·tanh(softplus(x))."""

    def sigmoid(self, *, name: str | None = None) -> Module:
        """Logistic function, from 0 to 1: 1 / (1 + e⁻ˣ)."""

    def tanh(self, *, name: str | None = None) -> Module:
        """Hyperbolic tangent, from -1 to 1: (eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)."""

    def hardtanh(
        self, min_val: float = -1.0, max_val: float = 1.0, *, name: str | None = None
    ) -> Module:
        """Values cut off at two bounds: min(max(min_val, x), max_val)."""

    def hard_tanh(
        self, min_val: float = -1.0, max_val: float = 1.0, *, name: str | None = None
    ) -> Module:
        """Values cut off at two bounds: min(max(min_val, x), max_val)."""

    def hardsigmoid(self, *, name: str | None = None) -> Module:
        """A sigmoid of straight lines: relu6(x + 3) / 6."""

    def hard_sigmoid(self, *, name: str | None = None) -> Module:
        """A sigmoid of straight lines: relu6(x + 3) / 6."""

    def hardswish(self, *, name: str | None = None) -> Module:
        """A swish of straight lines: x·relu6(x + 3) / 6."""

    def hard_swish(self, *, name: str | None = None) -> Module:
        """A swish of straight lines: x·relu6(x + 3) / 6."""

    def hardshrink(self, lambd: float = 0.5, *, name: str | None = None) -> Module:
        """Small values become zero: x where abs(x) > lambd, otherwise 0."""

    def hard_shrink(self, lambd: float = 0.5, *, name: str | None = None) -> Module:
        """Small values become zero: x where abs(x) > lambd, otherwise 0."""

    def softshrink(self, lambd: float = 0.5, *, name: str | None = None) -> Module:
        """Values move towards zero by lambd, and no further."""

    def soft_shrink(self, lambd: float = 0.5, *, name: str | None = None) -> Module:
        """Values move towards zero by lambd, and no further."""

    def tanhshrink(self, *, name: str | None = None) -> Module:
        """What the hyperbolic tangent leaves: x - tanh(x)."""

    def tanh_shrink(self, *, name: str | None = None) -> Module:
        """What the hyperbolic tangent leaves: x - tanh(x)."""

    def threshold(self, threshold: float, value: float, *, name: str | None = None) -> Module:
        """Values that are not above a threshold are replaced: x where x > threshold, otherwise value."""

    def softplus(
        self, beta: float = 1.0, threshold: float = 20.0, *, name: str | None = None
    ) -> Module:
        """A smooth rectified linear unit: log(1 + e^(beta·x)) / beta."""

    def soft_plus(
        self, beta: float = 1.0, threshold: float = 20.0, *, name: str | None = None
    ) -> Module:
        """A smooth rectified linear unit: log(1 + e^(beta·x)) / beta."""

    def softsign(self, *, name: str | None = None) -> Module:
        """A slow sigmoid from -1 to 1: x / (1 + abs(x))."""

    def soft_sign(self, *, name: str | None = None) -> Module:
        """A slow sigmoid from -1 to 1: x / (1 + abs(x))."""

    def logsigmoid(self, *, name: str | None = None) -> Module:
        """The logarithm of the logistic function: log(1 / (1 + e⁻ˣ))."""

    def log_sigmoid(self, *, name: str | None = None) -> Module:
        """The logarithm of the logistic function: log(1 / (1 + e⁻ˣ))."""

    def glu(self, axis: int = -1, *, name: str | None = None) -> Module:
        """Gated linear unit: the first half of an axis times the sigmoid of the second half."""

    def softmax(self, axis: int = -1, *, name: str | None = None) -> Module:
        """Values along an axis become positive and sum to one: e^xᵢ / Σⱼ e^xⱼ."""

    def log_softmax(self, axis: int = -1, *, name: str | None = None) -> Module:
        """The logarithm of the softmax: xᵢ - log Σⱼ e^xⱼ."""

    def softmin(self, axis: int = -1, *, name: str | None = None) -> Module:
        """The softmax of the negated values: e^-xᵢ / Σⱼ e^-xⱼ."""

    def exp(self, *, name: str | None = None) -> Module:
        """The exponential function, elementwise: eˣ."""

    def log(self, *, name: str | None = None) -> Module:
        """The natural logarithm, elementwise; not a number below zero."""

    def sqrt(self, *, name: str | None = None) -> Module:
        """The square root, elementwise; not a number below zero."""

    def square(self, *, name: str | None = None) -> Module:
        """The square, elementwise: x²."""

    def abs(self, *, name: str | None = None) -> Module:
        """The absolute value, elementwise."""

    def neg(self, *, name: str | None = None) -> Module:
        """The value with its sign changed: -x."""

    def sin(self, *, name: str | None = None) -> Module:
        """The sine, elementwise, of radians."""

    def cos(self, *, name: str | None = None) -> Module:
        """The cosine, elementwise, of radians."""

    def clamp(
        self, min: float | None = None, max: float | None = None, *, name: str | None = None
    ) -> Module:
        """Values cut off at a lower bound, an upper bound, or both."""

    def clip(
        self, min: float | None = None, max: float | None = None, *, name: str | None = None
    ) -> Module:
        """Values cut off at a lower bound, an upper bound, or both."""

    def scale(self, factor: float, *, name: str | None = None) -> Module:
        """The value times a constant: factor·x."""

    def add(self, *inputs: Flow, name: str | None = None) -> Flow:
        """The sum of tensors of one shape; a size of 1 is stretched."""

    def mul(self, *inputs: Flow, name: str | None = None) -> Flow:
        """The elementwise product of tensors of one shape; a size of 1 is stretched."""

    def sub(self, *inputs: Flow, name: str | None = None) -> Flow:
        """The first tensor less the others; a size of 1 is stretched."""

    def max(self, *inputs: Flow, name: str | None = None) -> Flow:
        """The elementwise maximum of tensors of one shape (maxout)."""

    def concat(self, *inputs: Flow, axis: int = 1, name: str | None = None) -> Flow:
        """Tensors side by side along an axis (channels, by default)."""

    def cat(self, *inputs: Flow, axis: int = 1, name: str | None = None) -> Flow:
        """Tensors side by side along an axis (channels, by default)."""

    def stack(self, *inputs: Flow, axis: int = 1, name: str | None = None) -> Flow:
        """Tensors of one shape side by side along a new axis."""

    def matmul(
        self, *inputs: Flow, transpose_second: bool = False, name: str | None = None
    ) -> Flow:
        """The matrix product over the last two axes; ``transpose_second`` gives A·Bᵀ."""

    def attention(
        self,
        heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        causal: bool = False,
        *,
        name: str | None = None,
    ) -> Module:
        """Multi-head self-attention (Vaswani et al., 2017): softmax(Q·Kᵀ/√d)·V in every head."""

    def cross_attention(
        self, heads: int, dropout: float = 0.0, bias: bool = True, *, name: str | None = None
    ) -> Module:
        """Multi-head attention from one sequence to another (Vaswani et al., 2017)."""

    def dot_product_attention(
        self, causal: bool = False, scale: float | None = None, *, name: str | None = None
    ) -> Module:
        """Attention without weights of its own: softmax(Q·Kᵀ·scale)·V."""

    def sinusoidal_position(self, base: float = 10000.0, *, name: str | None = None) -> Module:
        """Adds to every position its sines and cosines (Vaswani et al., 2017), which are not learned."""

    def conv(
        self,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] | Literal["same", "valid"] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: Literal["zeros", "reflect", "replicate", "circular"] = "zeros",
        *,
        name: str | None = None,
    ) -> Module:
        """Convolution over one, two or three spatial axes, by the input's shape."""

    def conv_transpose(
        self,
        out_channels: int,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] = 1,
        padding: int | Sequence[int] = 0,
        output_padding: int | Sequence[int] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Sequence[int] = 1,
        *,
        name: str | None = None,
    ) -> Module:
        """Transposed convolution («deconvolution»), that enlarges what a convolution shrinks."""

    def embedding(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        tie: WeightRef | None = None,
        *,
        name: str | None = None,
    ) -> Module:
        """A learned vector for each of num_embeddings indices."""

    def position_embedding(self, num_embeddings: int, *, name: str | None = None) -> Module:
        """Adds to every position a learned vector: GPT's and BERT's, and ViT's for images."""

    def one_hot(self, classes: int, *, name: str | None = None) -> Module:
        """A vector for each index that is 1 there and 0 elsewhere."""

    def parameter(
        self,
        shape: int | Sequence[int],
        init: Literal["zeros", "ones", "normal"] = "zeros",
        std: float = 1.0,
        value: float | None = None,
        *,
        name: str | None = None,
    ) -> Flow:
        """A learned tensor, named by its label: ``token: parameter([1, 1, 768])``."""

    def gaussian_sample(self, *, name: str | None = None) -> Module:
        """A sample from normal distributions, with its gradient: μ + exp(½·log_var)·ε."""

    def linear(
        self,
        out_features: int,
        bias: bool = True,
        tie: WeightRef | None = None,
        *,
        name: str | None = None,
    ) -> Module:
        """Fully connected («dense») layer over the last axis: x·Wᵀ + b."""

    def bilinear(self, out_features: int, bias: bool = True, *, name: str | None = None) -> Module:
        """A learned product of two inputs: x₁ᵀ·W·x₂ + b over their last axes."""

    def batch_norm(
        self,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        name: str | None = None,
    ) -> Module:
        """Batch normalization: every channel gets mean 0 and variance 1 over the batch."""

    def bn(
        self,
        eps: float = 1e-05,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        name: str | None = None,
    ) -> Module:
        """Batch normalization: every channel gets mean 0 and variance 1 over the batch."""

    def instance_norm(
        self,
        eps: float = 1e-05,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        *,
        name: str | None = None,
    ) -> Module:
        """Instance normalization: every channel of every sample gets mean 0 and variance 1."""

    def group_norm(
        self, num_groups: int, eps: float = 1e-05, affine: bool = True, *, name: str | None = None
    ) -> Module:
        """Group normalization: every group of channels of a sample gets mean 0 and variance 1."""

    def layer_norm(
        self,
        eps: float = 1e-05,
        elementwise_affine: bool = True,
        bias: bool = True,
        axis: int | Sequence[int] = -1,
        *,
        name: str | None = None,
    ) -> Module:
        """Layer normalization: the values along an axis of a sample get mean 0 and variance 1."""

    def rms_norm(
        self,
        eps: float | None = None,
        elementwise_affine: bool = True,
        axis: int | Sequence[int] = -1,
        *,
        name: str | None = None,
    ) -> Module:
        """Root mean square normalization: weight·x / √(mean(x²) + eps) along an axis."""

    def local_response_norm(
        self,
        size: int,
        alpha: float = 0.0001,
        beta: float = 0.75,
        k: float = 1.0,
        *,
        name: str | None = None,
    ) -> Module:
        """Local response normalization: a channel is damped by its neighbours."""

    def lrn(
        self,
        size: int,
        alpha: float = 0.0001,
        beta: float = 0.75,
        k: float = 1.0,
        *,
        name: str | None = None,
    ) -> Module:
        """Local response normalization: a channel is damped by its neighbours."""

    def normalize(
        self, p: float = 2.0, axis: int = 1, eps: float = 1e-12, *, name: str | None = None
    ) -> Module:
        """Vectors along an axis get length 1: x / max(‖x‖ₚ, eps)."""

    def split(
        self, lengths: int | Sequence[int], axis: int = 1, *, name: str | None = None
    ) -> Module:
        """Parts of an axis, of one length or of the lengths listed."""

    def chunk(self, chunks: int, axis: int = 1, *, name: str | None = None) -> Module:
        """So many equal parts of an axis, the last one smaller where they cannot be equal."""

    def slice(
        self,
        axis: int,
        start: int = 0,
        stop: int | None = None,
        step: int = 1,
        *,
        name: str | None = None,
    ) -> Module:
        """A stretch of an axis, as Python slices: from start up to stop, in steps."""

    def select(self, axis: int, index: int, *, name: str | None = None) -> Module:
        """One place of an axis, which is dropped: ``select(1, 0)`` is a sequence's first element."""

    def mean(
        self, axis: int | Sequence[int], keep: bool = False, *, name: str | None = None
    ) -> Module:
        """The average over one axis or several, which are dropped."""

    def sum(
        self, axis: int | Sequence[int], keep: bool = False, *, name: str | None = None
    ) -> Module:
        """The sum over one axis or several, which are dropped."""

    def amax(
        self, axis: int | Sequence[int], keep: bool = False, *, name: str | None = None
    ) -> Module:
        """The largest value along one axis or several, which are dropped."""

    def amin(
        self, axis: int | Sequence[int], keep: bool = False, *, name: str | None = None
    ) -> Module:
        """The smallest value along one axis or several, which are dropped."""

    def max_pool(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] | Literal["same", "valid"] = 0,
        dilation: int | Sequence[int] = 1,
        ceil_mode: bool = False,
        *,
        name: str | None = None,
    ) -> Module:
        """The largest value of every window."""

    def avg_pool(
        self,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        padding: int | Sequence[int] | Literal["same", "valid"] = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        *,
        name: str | None = None,
    ) -> Module:
        """The average of every window."""

    def lp_pool(
        self,
        norm_type: float,
        kernel_size: int | Sequence[int],
        stride: int | Sequence[int] | None = None,
        ceil_mode: bool = False,
        *,
        name: str | None = None,
    ) -> Module:
        """The power sum of every window: (Σ x^norm_type)^(1/norm_type)."""

    def adaptive_avg_pool(
        self, output_size: int | Sequence[int | None], *, name: str | None = None
    ) -> Module:
        """Averages of so many equal parts that the output has the size wanted."""

    def adaptive_max_pool(
        self, output_size: int | Sequence[int | None], *, name: str | None = None
    ) -> Module:
        """The largest values of so many equal parts that the output has the size wanted."""

    def global_avg_pool(self, *, name: str | None = None) -> Module:
        """The average of every channel."""

    def global_max_pool(self, *, name: str | None = None) -> Module:
        """The largest value of every channel."""

    def rnn(
        self,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        name: str | None = None,
    ) -> Module:
        """Recurrent layer of Elman (1990) over a sequence: hₜ = tanh(W·xₜ + b + U·hₜ₋₁ + c)."""

    def lstm(
        self,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        name: str | None = None,
    ) -> Module:
        """Long short-term memory (Hochreiter & Schmidhuber, 1997) over a sequence."""

    def gru(
        self,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        name: str | None = None,
    ) -> Module:
        """Gated recurrent units (Cho et al., 2014) over a sequence."""

    def rnn_cell(
        self,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        *,
        name: str | None = None,
    ) -> Module:
        """One step of ``rnn``, for recurrences written out with ``scan``."""

    def lstm_cell(self, hidden_size: int, bias: bool = True, *, name: str | None = None) -> Module:
        """One step of ``lstm``, for recurrences written out with ``scan``."""

    def gru_cell(self, hidden_size: int, bias: bool = True, *, name: str | None = None) -> Module:
        """One step of ``gru``, for recurrences written out with ``scan``."""

    def dropout(self, p: float = 0.5, *, name: str | None = None) -> Module:
        """Every value becomes 0 with probability p while training; the others grow by 1 / (1 - p)."""

    def spatial_dropout(self, p: float = 0.5, *, name: str | None = None) -> Module:
        """Whole channels become 0 with probability p while training."""

    def alpha_dropout(self, p: float = 0.5, *, name: str | None = None) -> Module:
        """Dropout that keeps mean and variance, for networks of selu."""

    def feature_alpha_dropout(self, p: float = 0.5, *, name: str | None = None) -> Module:
        """Alpha dropout of whole channels."""

    def drop_path(self, p: float, *, name: str | None = None) -> Module:
        """Stochastic depth: the path of a whole sample becomes 0 with probability p while training."""

    def stochastic_depth(self, p: float, *, name: str | None = None) -> Module:
        """Stochastic depth: the path of a whole sample becomes 0 with probability p while training."""

    def drop_connect(
        self, out_features: int, p: float = 0.5, bias: bool = True, *, name: str | None = None
    ) -> Module:
        """A fully connected layer whose weights become 0 with probability p while training."""

    def gaussian_noise(self, std: float = 0.1, *, name: str | None = None) -> Module:
        """Normal noise is added while training: x + std·ε."""

    def identity(self, *, name: str | None = None) -> Module:
        """The input as it is: the plain path of a branch, or a place to name."""

    def flatten(
        self, start_axis: int = 1, end_axis: int = -1, *, name: str | None = None
    ) -> Module:
        """Several axes become one: all but the batch, unless others are named."""

    def unflatten(
        self, axis: int, sizes: int | Sequence[int], *, name: str | None = None
    ) -> Module:
        """One axis becomes several."""

    def reshape(self, *sizes: int | Sequence[int], name: str | None = None) -> Module:
        """The same values in other axes, in the order in which they lie."""

    def transpose(self, axis0: int, axis1: int, *, name: str | None = None) -> Module:
        """Two axes change places."""

    def permute(self, *order: int | Sequence[int], name: str | None = None) -> Module:
        """The axes in another order, the batch (axis 0) first."""

    def squeeze(self, axis: int, *, name: str | None = None) -> Module:
        """An axis of size 1 is dropped."""

    def unsqueeze(self, axis: int, *, name: str | None = None) -> Module:
        """An axis of size 1 is added."""

    def zeros(self, *sizes: int | Sequence[int], name: str | None = None) -> Module:
        """Zeros, for every sample of the batch: what a recurrence starts from."""

    def ones(self, *sizes: int | Sequence[int], name: str | None = None) -> Module:
        """Ones, for every sample of the batch."""

    def channel_shuffle(self, groups: int, *, name: str | None = None) -> Module:
        """Channels of all groups take turns, so that the next grouped convolution mixes them."""

    def pad(
        self,
        padding: int | Sequence[int],
        mode: Literal["constant", "reflect", "replicate", "circular"] = "constant",
        value: float = 0.0,
        *,
        name: str | None = None,
    ) -> Module:
        """Values are added around the sizes, or cut off where the padding is negative."""

    def crop(self, size: int | Sequence[int] | None = None, *, name: str | None = None) -> Module:
        """The middle of the spatial axes, of a size given or of another tensor's size."""

    def upsample(
        self,
        size: int | Sequence[int] | None = None,
        scale_factor: Any = None,
        mode: Literal[
            "nearest", "nearest_exact", "area", "linear", "bilinear", "bicubic", "trilinear"
        ] = "nearest",
        align_corners: bool | None = None,
        *,
        name: str | None = None,
    ) -> Module:
        """Spatial axes enlarged by a factor, or to a size, by interpolation."""

    def resize(
        self,
        size: int | Sequence[int] | None = None,
        mode: Literal[
            "nearest", "nearest_exact", "area", "linear", "bilinear", "bicubic", "trilinear"
        ] = "nearest",
        align_corners: bool | None = None,
        *,
        name: str | None = None,
    ) -> Module:
        """Spatial axes brought to a size, or to another tensor's, by interpolation."""

    def pixel_shuffle(self, upscale_factor: int, *, name: str | None = None) -> Module:
        """Channels become pixels: the image grows by a factor, the channels shrink by its square."""

    def pixel_unshuffle(self, downscale_factor: int, *, name: str | None = None) -> Module:
        """Pixels become channels: the reverse of pixel_shuffle."""

    def __getattr__(self, name: str) -> Callable[..., Any]: ...
