"""Attention: every position gathers from others what it weighs highest."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.dims import Size, show
from archdsl.ops.arguments import OpError, flag, number, optional, probability, size
from archdsl.ops.merge import expanded, joined_batch
from archdsl.ops.op import Need, Op, Tensor, layer, need_batch, need_float, product
from archdsl.ops.reach import Reach, pointwise, same_place
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Argument, Code, keyword, module, positional
from archdsl.ops.traits import Elementwise

CAUSAL_MASK = '''\
def causal_mask(x: torch.Tensor) -> torch.Tensor:
    """True where a position of x [batch, positions, …] must not look: at those after it."""
    length = x.shape[1]
    return torch.ones(length, length, dtype=torch.bool, device=x.device).triu(1)
'''

SINUSOIDAL_POSITION = '''\
def sinusoidal_position(x: torch.Tensor, base: float = 10000.0) -> torch.Tensor:
    """Sines and cosines of the positions of x [batch, positions, features] (Vaswani, 2017)."""
    length, features = x.shape[-2:]
    dtype = torch.promote_types(x.dtype, torch.float32)
    position = torch.arange(length, dtype=dtype, device=x.device).unsqueeze(1)
    even = torch.arange(0, features, 2, dtype=dtype, device=x.device)
    angle = position * base ** (-even / features)
    waves = torch.stack([angle.sin(), angle.cos()], dim=-1).flatten(1)
    return waves[:, :features].to(x.dtype)
'''


def _need_sequence(op: Op, x: Tensor, input: int) -> None:
    """An input [positions, features]."""
    need_float(op, x)
    need_batch(op, x)
    if x.rank == 2:
        return
    what = "the input" if input == 0 else op.inputs[input]
    raise OpError(
        "wrong-rank",
        f"{op.name} takes [positions, features], and {what} is {x}",
        text=f"{what} is {x}",
        help="" if x.rank < 2 else "bring it to two axes first: flatten(2) -> transpose(1, 2)",
        input=input,
    )


def _need_heads(op: Op, need: Need, x: Tensor, heads: int) -> int:
    """The features of the input, which the heads divide among them."""
    features = need.fixed(
        x.features,
        "the number of features",
        help="only the number of positions may be free: fix the last size of the input",
    )
    if features % heads:
        fitting = [n for n in range(1, min(features, 64) + 1) if features % n == 0]
        nearest = min(fitting, key=lambda n: abs(n - heads))
        raise OpError(
            "not-divisible",
            f"embed_dim (={features}) must be divisible by heads (={heads})",
            text=f"{features} features among {heads} heads",
            help=f"{nearest} heads would do: {features // nearest} features each",
            argument="heads",
        )
    return features


def _multihead(op: Op, features: int, *more: Argument, call: str, **rest: dict[str, str]) -> Code:
    """The module of both kinds; ``op`` has heads, dropout and bias."""
    return module(
        "nn.MultiheadAttention",
        positional("embed_dim", features),
        positional("heads", op.arguments["heads"]),
        keyword("dropout", op.arguments.get("dropout", 0.0), 0.0),
        keyword("bias", op.arguments.get("bias", True), True),
        *more,
        keyword("batch_first", True),
        call=call,
        **rest,
    )


def _fixed_features(x: Tensor) -> int:
    assert isinstance(x.features, int)  # infer has seen to it
    return x.features


@layer("attention", family="attention")
class Attention(Op):
    """Multi-head self-attention (Vaswani et al., 2017): softmax(Q·Kᵀ/√d)·V in every head.

    Q, K and V are projections of the input, and the heads' results are projected once more.

    Input and output [positions, features]; the positions may be free, and ``heads`` must
    divide the features. With ``causal`` a position sees itself and those before it.

    PyTorch: ``nn.MultiheadAttention`` with ``batch_first=True``.
    """

    example = "attention(4)"
    example_input = "[16, 32]"

    heads: int = size(doc="how many attend side by side, each on features / heads")
    dropout: float = probability(default=0.0, doc="of the attention weights")
    bias: bool = flag(default=True, doc="whether the projections add learned constants")
    causal: bool = flag(default=False, doc="whether to hide later positions from earlier ones")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        _need_sequence(self, inputs[0], 0)
        _need_heads(self, need, inputs[0], self.heads)
        return (inputs[0],)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        features = _fixed_features(inputs[0])
        shapes: dict[str, tuple[int, ...]] = {"in_proj_weight": (3 * features, features)}
        if self.bias:
            shapes["in_proj_bias"] = (3 * features,)
        shapes["out_proj.weight"] = (features, features)
        if self.bias:
            shapes["out_proj.bias"] = (features,)
        return shapes

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        positions, features = inputs[0].dims
        return 4 * positions * features * features + 2 * positions * positions * features

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return (None, None)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        positions, features = inputs[0].dims
        weights = Tensor((self.heads, positions, positions))
        whole = inputs[0].with_dims(positions, features)
        if self.dropout:
            # The input, Q·K·V, scaled Q and K, and the result; weights, their mask, what it leaves.
            return Saved(made=(whole,) * 7 + (weights,) * 3)
        return Saved(made=(whole,) * 5 + (whole.with_dims(self.heads, positions),))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        features = _fixed_features(inputs[0])
        if not self.causal:
            return _multihead(self, features, call="{self}({0}, {0}, {0}, need_weights=False)[0]")
        return _multihead(
            self,
            features,
            call="{self}({0}, {0}, {0}, attn_mask=causal_mask({0}), is_causal=True,"
            " need_weights=False)[0]",
            helpers={"causal_mask": CAUSAL_MASK},
        )


@layer("cross_attention", family="attention")
class CrossAttention(Op):
    """Multi-head attention from one sequence to another (Vaswani et al., 2017).

    Input [positions, features] asks, ``memory = encoded`` [positions', features'] answers;
    output [positions, features]. Both numbers of positions may be free, and ``heads`` must
    divide the features of the input.

    PyTorch: ``nn.MultiheadAttention`` with ``batch_first=True``.
    """

    example = "cross_attention(4, memory = it)"
    example_input = "[16, 32]"
    inputs = ("query", "memory")

    heads: int = size(doc="how many attend side by side, each on features / heads")
    dropout: float = probability(default=0.0, doc="of the attention weights")
    bias: bool = flag(default=True, doc="whether the projections add learned constants")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        query, memory = inputs
        _need_sequence(self, query, 0)
        _need_sequence(self, memory, 1)
        _need_heads(self, need, query, self.heads)
        need.fixed(memory.features, "the number of features of memory")
        return (Tensor(query.dims, batch=joined_batch(inputs)),)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        features, others = (_fixed_features(x) for x in inputs)
        shapes: dict[str, tuple[int, ...]] = {}
        if features == others:
            shapes["in_proj_weight"] = (3 * features, features)
        else:
            shapes["q_proj_weight"] = (features, features)
            shapes["k_proj_weight"] = shapes["v_proj_weight"] = (features, others)
        if self.bias:
            shapes["in_proj_bias"] = (3 * features,)
        shapes["out_proj.weight"] = (features, features)
        if self.bias:
            shapes["out_proj.bias"] = (features,)
        return shapes

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        (asking, features), (answering, others) = (x.dims for x in inputs)
        projections = 2 * asking * features * features + 2 * answering * features * others
        return projections + 2 * asking * answering * features

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return (None, None) if input else (same_place(0), None)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        query, memory = (Tensor(x.dims) for x in inputs)
        asking, answering = query.dims[0], memory.dims[0]
        key = memory.with_dims(answering, query.features)
        read = (memory,) if memory.features == query.features else (memory, memory)
        if self.dropout:
            weights = Tensor((self.heads, asking, answering))
            value = (
                (key, key) if len(read) == 1 else (key,)
            )  # of one storage with the keys, or alone
            return Saved(made=(query,) * 3 + (key,) + read + value + (weights,) * 3)
        sums = query.with_dims(self.heads, asking)
        return Saved(made=(query,) * 3 + read + (key, key, sums))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        features, others = (_fixed_features(x) for x in inputs)
        query, memory = expanded(inputs)
        return _multihead(
            self,
            features,
            keyword("kdim", others, features),
            keyword("vdim", others, features),
            call=f"{{self}}({query}, {memory}, {memory}, need_weights=False)[0]",
        )


@layer("dot_product_attention", family="attention")
class DotProductAttention(Op):
    """Attention without weights of its own: softmax(Q·Kᵀ·scale)·V.

    Inputs [*, n, d], ``key = k`` [*, m, d] and ``value = v`` [*, m, e], output [*, n, e];
    an axis * may hold the heads. ``scale`` is 1/√d if left out. With ``causal`` query i
    sees the keys up to i.

    PyTorch: ``F.scaled_dot_product_attention``.
    """

    example = "dot_product_attention(key = it, value = it)"
    example_input = "[16, 32]"
    inputs = ("query", "key", "value")

    causal: bool = flag(default=False, doc="whether to hide later positions from earlier ones")
    scale: float | None = optional(number(above=0.0), doc="what the products are multiplied by")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        query, key, value = inputs
        for i, x in enumerate(inputs):
            need_float(self, x)
            need_batch(self, x)
            if x.rank < 2 or x.rank != query.rank:
                raise OpError(
                    "wrong-rank",
                    f"{self.name} takes three inputs [*, positions, features], and"
                    f" {self.inputs[i]} is {x}",
                    text=f"{self.inputs[i]} is {x}",
                    input=i,
                )
        pairs = [
            (query.features, key.features, "query and key must have the same features"),
            (key.dims[-2], value.dims[-2], "key and value must have the same positions"),
            *(
                (query.dims[i], x.dims[i], f"axis {i + 1} of the inputs must be the same")
                for i in range(query.rank - 2)
                for x in (key, value)
            ),
        ]
        for one, other, why in pairs:
            shown = f"query {query}, key {key}, value {value}"
            error = OpError(
                "shape-mismatch", f"{why}: {show(one)} against {show(other)}", text=shown
            )
            need.equal(one, other, error, why)
        return (Tensor((*query.dims[:-1], value.features), batch=joined_batch(inputs)),)

    def multiply_adds(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Size:
        query, key, value = inputs
        return product(query.dims[:-1]) * key.dims[-2] * (query.features + value.features)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        lead = inputs[input].rank - 2
        return (*pointwise(lead), None if input else same_place(lead), None)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        query, key, value = inputs
        if query.rank == 3 and query.features == value.features:  # torch's fused kernel
            return Saved((0, 1, 2), (0,), (query.with_dims(*query.dims[:-1]),))
        weights = query.with_dims(*query.dims[:-1], key.dims[-2])
        return Saved(inputs=(2,), made=(query, key, weights))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        options = ", is_causal=True" if self.causal else ""
        constants = {}
        if self.scale is not None:
            options += ", scale={scale}"
            constants["scale"] = self.scale
        return Code(
            call=f"F.scaled_dot_product_attention({', '.join(expanded(inputs))}{options})",
            constants=constants,
        )


@layer("sinusoidal_position", family="attention")
class SinusoidalPosition(Elementwise):
    """Adds to every position its sines and cosines (Vaswani et al., 2017), which are not learned.

    Feature 2i of position p gets sin(p / base^(2i/d)), feature 2i + 1 the cosine.
    Input and output [positions, features]; both may be free.

    PyTorch: ``x + sinusoidal_position(x)``, a function in the generated source.
    """

    example = "sinusoidal_position"
    example_input = "[16, 32]"
    keeps = NOTHING_SAVED

    base: float = number(default=10000.0, minimum=1.0, doc="the longest wavelength is 2π·base")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        _need_sequence(self, inputs[0], 0)
        return (inputs[0],)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        helpers = {"sinusoidal_position": SINUSOIDAL_POSITION}
        if self.base == 10000:
            return Code(call="{0} + sinusoidal_position({0})", helpers=helpers)
        return Code(
            call="{0} + sinusoidal_position({0}, {base})",
            constants={"base": self.base},
            helpers=helpers,
        )
