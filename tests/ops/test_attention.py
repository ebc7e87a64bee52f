from typing import Any

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # as torch's own documentation has it
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archdsl.conditions import Condition
from archdsl.dims import symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Op, Tensor
from tests.ops.against_torch import BATCH, Written, check, infer, make, read_shape

dropouts = st.sampled_from([0, 0.0, 0.5, 1.0])


@given(
    st.integers(1, 4), st.integers(1, 3), st.integers(1, 5), dropouts, st.booleans(), st.booleans()
)
def test_attention(
    heads: int, width: int, positions: int, dropout: float, bias: bool, causal: bool
) -> None:
    op = make("attention", heads=heads, dropout=dropout, bias=bias, causal=causal)
    check(op, Tensor((positions, heads * width)))
    check(op, Tensor((symbol("T"), heads * width)), sizes={"T": positions})


@given(
    st.integers(1, 3),
    st.integers(1, 3),
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(["free", "one"]),
)
def test_cross_attention(
    heads: int, width: int, others: int, asking: int, answering: int, bias: bool, batch: Any
) -> None:
    op = make("cross_attention", heads=heads, bias=bias)
    query = Tensor((asking, heads * width), batch=batch)
    check(op, query, Tensor((answering, others)))
    free = Tensor((symbol("S"), others))
    check(op, query, free, sizes={"S": answering})


@given(
    st.lists(st.integers(1, 3), max_size=2),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from([None, 0.3]),
)
def test_dot_product_attention(
    before: list[int], n: int, m: int, d: int, e: int, causal: bool, scale: float | None
) -> None:
    op = make("dot_product_attention", causal=causal, scale=scale)
    check(op, Tensor((*before, n, d)), Tensor((*before, m, d)), Tensor((*before, m, e)))


def test_free_positions_of_key_and_value_must_agree() -> None:
    op = make("dot_product_attention")
    t, s = symbol("T"), symbol("S")
    _, need = infer(op, Tensor((4, 8)), Tensor((t, 8)), Tensor((s, 8)))
    assert [(c.kind, c.left, c.right) for c in need.conditions] == [("equal", t, s)]
    assert isinstance(need.conditions[0], Condition)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("bias", [True, False])
def test_causal_attention_never_looks_ahead(
    training: bool, gradients: bool, dtype: torch.dtype, bias: bool
) -> None:
    """In eval mode without gradients torch takes a path of its own."""
    written = built(make("attention", heads=2, causal=True, bias=bias), Tensor((6, 8)))
    written.module.to(dtype)
    written.train(training)
    x = torch.randn(2, 6, 8, dtype=dtype)
    changed = torch.cat([x[:, :4], torch.randn(2, 2, 8, dtype=dtype)], dim=1)
    with torch.set_grad_enabled(gradients):
        [one], [other] = written.run([x], count=1), written.run([changed], count=1)
    torch.testing.assert_close(one[:, :4], other[:, :4])
    assert not torch.allclose(one[:, 4:], other[:, 4:])
    if gradients:
        one.sum().backward()  # type: ignore[no-untyped-call]  # torch's is untyped


def built(op: Op, *inputs: Tensor) -> Written:
    return Written(op.code(inputs, infer(op, *inputs)[0]))


class Wrapped(nn.Module):
    """A layer as a module, for what takes only modules."""

    def __init__(self, op: Op, *inputs: Tensor) -> None:
        super().__init__()
        self.written = built(op, *inputs)
        self.inner = self.written.module
        names = {**self.written.names, "self": self}
        places = ", ".join(f"x{i}" for i in range(len(inputs)))
        call = self.written.code.call.format(
            *places.split(", "), self="self.inner", **self.written.code.constants
        )
        exec(f"def forward(self, {places}):\n    return {call}", names)
        self.body = names["forward"]

    def forward(self, *inputs: torch.Tensor) -> Any:
        return self.body(self, *inputs)


PORTABLE = [
    ("attention", {"heads": 2}, ["[6, 8]"]),
    ("attention", {"heads": 2, "causal": True, "dropout": 0.1}, ["[6, 8]"]),
    ("cross_attention", {"heads": 2}, ["[6, 8]", "[5, 3]"]),
    ("dot_product_attention", {"causal": True}, ["[6, 8]"] * 3),
    ("sinusoidal_position", {}, ["[6, 7]"]),
    ("sinusoidal_position", {"base": 100}, ["[6, 8]"]),
]


@pytest.mark.parametrize(("name", "arguments", "inputs"), PORTABLE)
@pytest.mark.parametrize("training", [True, False])
def test_compiled_and_exported(
    name: str, arguments: dict[str, Any], inputs: list[str], training: bool
) -> None:
    types = [read_shape(text) for text in inputs]
    model = Wrapped(make(name, **arguments), *types).train(training)
    given = tuple(torch.randn(2, *x.dims) for x in types)  # type: ignore[arg-type]  # fixed
    auto = torch.export.Dim.AUTO
    exported = torch.export.export(
        model, given, dynamic_shapes=(tuple({0: auto, 1: auto} for _ in given),)
    )
    longer = tuple(torch.cat([x, x[:, :3]], dim=1)[[0, 1, 0]] for x in given)
    assert exported.module()(*longer).shape == model(*longer).shape
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    if not (training and arguments.get("dropout")):
        torch.testing.assert_close(compiled(*given), model(*given))
    assert compiled(*longer).shape == model(*longer).shape


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("attention", ["[6, 8]"]),
        ("cross_attention", ["[6, 8]", "[5, 8]"]),
        ("cross_attention", ["[6, 8]", "[5, 3]"]),
    ],
)
def test_multiply_adds(name: str, inputs: list[str]) -> None:
    op, types = make(name, heads=2), [read_shape(text) for text in inputs]
    outputs, _ = infer(op, *types)
    written = Written(op.code(types, outputs))
    given = [torch.randn(BATCH, *x.dims) for x in types]  # type: ignore[arg-type]  # fixed
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        written.run(given, count=1)
    assert op.multiply_adds(types, outputs) == counter.get_total_flops() / 2 / BATCH


def test_state_dict_is_that_of_a_vision_transformer() -> None:
    keys = [*make("attention", heads=2).weights([Tensor((6, 8))])]
    assert keys == ["in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"]


def test_sinusoids_are_those_of_the_paper() -> None:
    [y] = built(make("sinusoidal_position"), Tensor((5, 6))).run(
        [torch.zeros(1, 5, 6, dtype=torch.float64)], count=1
    )
    for position in range(5):
        for i in range(3):
            angle = torch.tensor(position / 10000 ** (2 * i / 6), dtype=torch.float64)
            torch.testing.assert_close(y[0, position, 2 * i], angle.sin())
            torch.testing.assert_close(y[0, position, 2 * i + 1], angle.cos())


@given(st.integers(1, 5), st.integers(1, 7))
def test_sinusoidal_position(positions: int, features: int) -> None:
    op = make("sinusoidal_position")
    check(op, Tensor((positions, features)))
    check(op, Tensor((symbol("T"), symbol("D"))), sizes={"T": positions, "D": features})


def test_dot_product_attention_is_the_formula() -> None:
    x = Tensor((4, 6))
    given = [torch.randn(2, 4, 6) for _ in range(3)]
    [y] = built(make("dot_product_attention", scale=0.5), x, x, x).run(given, count=1)
    query, key, value = given
    weights = F.softmax(query @ key.transpose(-2, -1) * 0.5, dim=-1)
    torch.testing.assert_close(y, weights @ value)


REJECTED = [
    ("attention", {"heads": 4}, ["[6, 10]"], "embed_dim (=10) must be divisible by heads (=4)"),
    ("attention", {"heads": 4}, ["[10]"], "takes [positions, features], and the input is [10]"),
    ("attention", {"heads": 4}, ["[6, D]"], "the number of features must be known, and is D here"),
    ("attention", {"heads": 4}, ["int[6, 8]"], "attention takes real numbers"),
    ("cross_attention", {"heads": 2}, ["[6, 8]", "[8]"], "and memory is [8]"),
    ("cross_attention", {"heads": 3}, ["[6, 8]", "[6, 8]"], "must be divisible by heads (=3)"),
    ("dot_product_attention", {}, ["[6, 8]", "[6, 7]", "[6, 8]"], "same features: 8 against 7"),
    ("dot_product_attention", {}, ["[6, 8]", "[6, 8]", "[5, 8]"], "same positions: 6 against 5"),
    ("dot_product_attention", {}, ["[2, 6, 8]", "[3, 6, 8]", "[3, 6, 8]"], "axis 1"),
    ("sinusoidal_position", {}, ["[8]"], "takes [positions, features]"),
]


@pytest.mark.parametrize(("name", "arguments", "inputs", "message"), REJECTED)
def test_rejected(name: str, arguments: dict[str, Any], inputs: list[str], message: str) -> None:
    with pytest.raises(OpError) as caught:
        infer(make(name, **arguments), *map(read_shape, inputs))
    assert message in caught.value.message
