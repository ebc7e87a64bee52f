from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.dims import symbol
from archdsl.ops.arguments import OpError, WeightRef
from archdsl.ops.op import Tensor
from tests.ops.against_torch import Written, check, infer, make, read_shape


@given(st.integers(2, 6), st.integers(1, 4), st.lists(st.integers(1, 4), max_size=3), st.data())
def test_embedding(count: int, features: int, dims: list[int], data: st.DataObject) -> None:
    index = data.draw(st.none() | st.integers(-count, count - 1))
    op = make("embedding", num_embeddings=count, embedding_dim=features, padding_idx=index)
    check(op, Tensor(tuple(dims), "int"))
    check(op, Tensor((*dims, symbol("T")), "int"), sizes={"T": 3})


@given(st.integers(2, 6), st.lists(st.integers(1, 4), max_size=3))
def test_one_hot(classes: int, dims: list[int]) -> None:
    [y] = check(make("one_hot", classes=classes), Tensor(tuple(dims), "int"))
    assert y.dtype == torch.get_default_dtype()
    assert torch.equal(y.sum(-1), torch.ones_like(y[..., 0]))


def test_one_hot_compiles() -> None:
    op = make("one_hot", classes=5)
    written = Written(op.code([Tensor((4,), "int")], ()))
    call = written.code.call.format("x", **written.code.constants)
    x = torch.tensor([[1, 4, 0, 2]] * 2)
    exec(f"def hot(x):\n    return {call}", written.names)
    compiled = torch.compile(written.names["hot"], fullgraph=True, backend="aot_eager")
    hot = compiled(x)  # type: ignore[no-untyped-call]  # made by exec
    assert torch.equal(hot, written.run([x], count=1)[0])


def test_an_embedding_is_torchs() -> None:
    op = make("embedding", num_embeddings=5, embedding_dim=3, padding_idx=0)
    written = Written(op.code([Tensor((4,), "int")], ()))
    assert repr(written.module) == "Embedding(5, 3, padding_idx=0)"
    assert op.multiply_adds([], []) == 0


REJECTED: list[tuple[str, dict[str, Any], str, str]] = [
    ("embedding", {"num_embeddings": 9, "embedding_dim": 4}, "[5]", "holds real numbers"),
    ("one_hot", {"classes": 9}, "[5]", "one_hot takes indices"),
    ("one_hot", {"classes": 9}, "bool[5]", "holds true and false"),
    (
        "embedding",
        {"num_embeddings": 9, "embedding_dim": 4, "padding_idx": 9},
        "int[5]",
        "padding_idx (=9) must be one of the num_embeddings (=9) indices",
    ),
    (
        "embedding",
        {
            "num_embeddings": 9,
            "embedding_dim": 4,
            "tie": WeightRef("decode", "weight", (9, 5)),
        },
        "int[5]",
        "the tied weight decode.weight is [9, 5], and this layer needs [9, 4]",
    ),
]


@pytest.mark.parametrize(("name", "arguments", "x", "message"), REJECTED)
def test_rejected(name: str, arguments: dict[str, Any], x: str, message: str) -> None:
    with pytest.raises(OpError) as caught:
        infer(make(name, **arguments), read_shape(x))
    assert message in caught.value.message
