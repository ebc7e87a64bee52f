"""Indices become vectors: learned ones, or one-hot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archdsl.dims import show
from archdsl.ops.arguments import OpError, WeightRef, integer, optional, size, weight
from archdsl.ops.op import Need, Op, Tensor, known, layer, need_batch, need_float
from archdsl.ops.reach import Reach, pointwise
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Code, keyword, module, positional
from archdsl.ops.traits import Elementwise


def _need_indices(op: Op, x: Tensor) -> None:
    need_batch(op, x)
    if x.dtype != "int":
        held = "real numbers" if x.dtype == "float" else "true and false"
        raise OpError(
            "wrong-dtype",
            f"{op.name} takes indices, and this input holds {held}",
            text=f"the input is {x}",
            help="declare it as one of indices, such as input tokens: int[T]",
            input=0,
        )


@layer("embedding", family="embedding")
class Embedding(Op):
    """A learned vector for each of num_embeddings indices.

    Input int[*], output [*, embedding_dim]. Indices are from 0 to num_embeddings - 1: what
    they are is known only when the network runs, and torch refuses others then.
    ``tie = embed.weight`` uses another layer's matrix [num_embeddings, embedding_dim].

    PyTorch: ``nn.Embedding``.
    """

    example = "embedding(100, 32)"
    example_input = "int[16]"
    keeps = Saved(inputs=(0,))

    num_embeddings: int = size(doc="how many indices there are: the size of the vocabulary")
    embedding_dim: int = size(doc="features of each vector")
    padding_idx: int | None = optional(
        integer(), doc="an index whose vector starts as zeros and is not learned"
    )
    tie: WeightRef | None = weight(doc="another layer's parameter to use as the weight")

    @property
    def indices(self) -> int:
        return self.num_embeddings

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        _need_indices(self, x)
        count, index = self.num_embeddings, self.padding_idx
        if index is not None and not -count <= index < count:
            raise OpError(
                "out-of-range",
                f"padding_idx (={index}) must be one of the num_embeddings (={count}) indices",
                text=f"the indices are 0 to {count - 1}",
                argument="padding_idx",
            )
        if self.tie and self.tie.shape != (count, self.embedding_dim):
            raise OpError(
                "tied-shape",
                f"the tied weight {self.tie.path}.{self.tie.name} is {list(self.tie.shape)}, and"
                f" this layer needs [{count}, {self.embedding_dim}]",
                text=f"{count} vectors of {self.embedding_dim} features",
                argument="tie",
            )
        return (replace(x, dims=(*x.dims, self.embedding_dim), dtype="float"),)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_embeddings, self.embedding_dim)}

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return pointwise(inputs[0].rank)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            "nn.Embedding",
            positional("num_embeddings", self.num_embeddings),
            positional("embedding_dim", self.embedding_dim),
            keyword("padding_idx", self.padding_idx, None),
        )


@layer("position_embedding", family="embedding")
class PositionEmbedding(Elementwise):
    """Adds to every position a learned vector: GPT's and BERT's, and ViT's for images.

    Input and output [positions, features]; the positions may be free, up to num_embeddings.

    PyTorch: ``x + nn.Embedding(…)`` of ``torch.arange`` over the positions.
    """

    example = "position_embedding(100)"
    example_input = "[16, 32]"

    num_embeddings: int = size(doc="how many positions there are at most")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        need_float(self, x)
        need_batch(self, x)
        if x.rank != 2:
            raise OpError(
                "wrong-rank",
                f"position_embedding takes [positions, features], not {x}",
                text=f"the input is {x}",
                input=0,
            )
        need.fixed(x.features, "the number of features")
        error = OpError(
            "out-of-range",
            f"position_embedding has {self.num_embeddings} positions, and"
            f" {show(x.dims[0])} come in",
            text=f"the input is {x}",
            argument="num_embeddings",
        )
        reason = f"there are {self.num_embeddings} positions to embed"
        need.at_least(self.num_embeddings, x.dims[0], error, reason)
        return (x,)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return {"weight": (self.num_embeddings, known(inputs[0].features))}

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(made=(Tensor(inputs[0].dims[:1], "int", "none"),))

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return module(
            "nn.Embedding",
            positional("num_embeddings", self.num_embeddings),
            positional("embedding_dim", inputs[0].features),
            call="{0} + {self}(torch.arange({0}.shape[1], device={0}.device))",
        )


@layer("one_hot", family="embedding")
class OneHot(Op):
    """A vector for each index that is 1 there and 0 elsewhere.

    Input int[*], output [*, classes], of torch's default dtype. Indices are from 0 to
    classes - 1: what they are is known only when the network runs, and torch refuses
    others then.

    PyTorch: ``F.one_hot``.
    """

    example = "one_hot(10)"
    example_input = "int[16]"
    keeps = NOTHING_SAVED

    classes: int = size(doc="how many indices there are")

    @property
    def indices(self) -> int:
        return self.classes

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        x = inputs[0]
        _need_indices(self, x)
        return (replace(x, dims=(*x.dims, self.classes), dtype="float"),)

    def reach(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], input: int, output: int
    ) -> Reach | None:
        return pointwise(inputs[0].rank)

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(
            call="F.one_hot({0}, {classes}).to(torch.get_default_dtype())",
            constants={"classes": self.classes},
        )
