"""Where a rule turns: the last inputs that a layer takes, and the first that it refuses."""

from __future__ import annotations

import pytest
import torch

from archdsl.conditions import holds
from archdsl.dims import symbol
from archdsl.ops.arguments import OpError, WeightRef
from archdsl.ops.op import Op, Tensor, registered
from archdsl.records import replace
from tests.ops.against_torch import Written, check, infer, make, read_call, read_shape

ACCEPTED = [
    ("local_response_norm(2)", "[3, 1]"),
    ("pad([0, 2], mode = reflect)", "[1, 3]"),
    ("pad([2, 0], mode = circular)", "[1, 2]"),
    ("pad([2, -1])", "[1, 2]"),
    ("pixel_unshuffle(3)", "[1, 3, 6]"),
    ("pixel_shuffle(3)", "[18, 1, 2]"),
    ("conv_transpose(1, 1, padding = 1)", "[2, 3]"),  # leaves one value
    ("conv_transpose(1, 3, dilation = 3, output_padding = 2)", "[2, 3]"),
    ("conv_transpose(1, 3, stride = 3, output_padding = 2)", "[2, 3]"),
    ("conv_transpose(4, 2, groups = 2)", "[6, 1]"),
    ("conv(1, 1, padding = 2, padding_mode = reflect)", "[1, 3]"),
    ("conv(1, 1, padding = 2, padding_mode = circular)", "[1, 2]"),
    ("conv(1, 4, padding = same, padding_mode = reflect)", "[1, 3]"),  # 1 before, 2 after
    ("conv(1, 4, padding = same, padding_mode = circular)", "[1, 2]"),
    ("conv(1, 3, padding = same, stride = (1, 1))", "[1, 3, 3]"),
    ("max_pool(3, stride = 1, padding = 1, dilation = 2)", "[1, 3]"),
    ("max_pool(2, stride = 1, padding = 1, dilation = 2)", "[1, 2]"),
    ("max_pool(3, stride = 1, padding = 1)", "[1, 1]"),
    ("max_pool(1, stride = 1, dilation = 3)", "[1, 1]"),
    ("avg_pool(3, stride = 1, padding = 1)", "[1, 1, 1]"),
    ("avg_pool(3, stride = 1, padding = 1)", "[1, 3, 3, 3]"),
    ("max_pool(3, stride = 1, padding = 1)", "[1, 1, 1, 1]"),
    ("clamp(1, 1)", "[2]"),
    ("flatten(2, 2)", "[2, 3]"),
    ("unflatten(1, [1, -1])", "[4]"),
    ("reshape([1, -1, 1])", "[4]"),
    ("unsqueeze(-1)", "[3]"),
    ("position_embedding(5)", "[5, 3]"),
    ("prelu(1)", "[]"),
    ("prelu(3)", "[3, 2]"),
    ("pixel_shuffle(2)", "[4, 1, 1]"),
    ("rnn(2)", "[1, 3]"),
    ("lstm(4, proj_size = 2, num_layers = 2)", "[2, 3]"),
]
REFUSED = [
    ("local_response_norm(2)", "[3]", "wrong-rank"),
    ("lstm(3, proj_size = 3)", "[2, 3]", ""),
    ("lstm(3, dropout = 0.5)", "[2, 3]", "dropout-between-layers"),
    ("upsample", "[1, 2]", ""),
    ("upsample(size = 2, scale_factor = 2)", "[1, 2]", ""),
    ("pad(2, mode = reflect)", "[1, 2]", "padding-too-large"),
    ("pad([0, 2], mode = reflect)", "[1, 2]", "padding-too-large"),
    ("pad([2, 0], mode = circular)", "[1, 1]", "padding-too-large"),
    ("pad(-1)", "[1, 2]", ""),
    ("pixel_unshuffle(3)", "[1, 3, 4]", "not-divisible"),
    ("linear(2)", "[]", "wrong-rank"),
    ("pad(1, mode = reflect)", "[1, 3, 3, 3, 3]", "wrong-rank"),
    ("reshape(3, -1)", "[4]", ""),
    ("conv_transpose(1, 1, padding = 1)", "[2, 2]", "empty-size"),
    ("conv_transpose(1, 3, stride = 2, dilation = 2, output_padding = 2)", "[2, 3]", "output"),
    ("conv(1, 1, padding = 2, padding_mode = reflect)", "[1, 2]", "padding-too-large"),
    ("conv(1, 1, padding = 2, padding_mode = circular)", "[1, 1]", "padding-too-large"),
    ("conv(1, 4, padding = same, padding_mode = reflect)", "[1, 2]", "padding-too-large"),
    ("conv(1, 4, padding = same, padding_mode = circular)", "[1, 1]", "padding-too-large"),
    ("conv(1, 3, padding = same, stride = (1, 2))", "[1, 3, 3]", "same-with-stride"),
    ("conv(1, 3, padding = same, stride = 2)", "[1, 3, 3]", "same-with-stride"),
    ("max_pool(2, stride = 1, padding = 1, dilation = 2)", "[1, 1]", "kernel-too-large"),
    ("avg_pool(3, stride = 1, padding = 1)", "[1, 2, 3, 3]", "kernel-too-large"),
    ("clamp(2, 1)", "[2]", "bad-argument"),
    ("flatten(2, 1)", "[2, 3]", "bad-axis"),
    ("unflatten(1, [0, -1])", "[4]", "bad-argument"),
    ("position_embedding(5)", "[6, 3]", "out-of-range"),
    ("prelu(2)", "[3]", ""),
    ("prelu(2)", "[]", ""),
    ("pixel_shuffle(2)", "[2, 1, 1]", "not-divisible"),
    ("resize", "[1, 2]", "missing-argument"),
]


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # slower on some machines
@pytest.mark.parametrize(("call", "shape"), ACCEPTED)
def test_the_last_that_is_accepted_runs(call: str, shape: str) -> None:
    op, inputs = read_call(call, read_shape(shape))
    check(op, *inputs)


@pytest.mark.parametrize(("call", "shape", "code"), REFUSED)
def test_the_first_that_is_not_is_refused(call: str, shape: str, code: str) -> None:
    op, inputs = read_call(call, read_shape(shape))
    with pytest.raises(OpError) as refusal:
        infer(op, *inputs)
    assert refusal.value.code.startswith(code)


def test_a_size_is_given_once() -> None:
    x = Tensor((1, 2))
    with pytest.raises(OpError, match="has a size already"):
        infer(make("resize", size=2), x, x)
    check(make("resize"), x, Tensor((1, 3)))


def test_a_norm_of_a_parameter_needs_two_values() -> None:
    op = make("batch_norm")
    check(op, Tensor((3, 2), batch="one"), batch=2)
    with pytest.raises(OpError, match="more than one value"):
        infer(op, Tensor((3, 1), batch="one"))


ATTENDED = [
    # 3 queries of 4 features on 5 keys, whose values have 6: 3·5·4 products and 3·5·6 sums
    ((3, 4), (5, 4), (5, 6), 3 * 5 * (4 + 6)),
    ((2, 3, 4), (2, 5, 4), (2, 5, 6), 2 * 3 * 5 * (4 + 6)),
]


@pytest.mark.parametrize(("query", "key", "value", "multiply_adds"), ATTENDED)
def test_attention_of_unequal_inputs(
    query: tuple[int, ...], key: tuple[int, ...], value: tuple[int, ...], multiply_adds: int
) -> None:
    op = make("dot_product_attention")
    inputs = [Tensor(query), Tensor(key), Tensor(value)]
    (y,) = check(op, *inputs)
    outputs, _ = infer(op, *inputs)
    assert tuple(y.shape[1:]) == outputs[0].dims == (*query[:-1], value[-1])
    assert op.multiply_adds(inputs, outputs) == multiply_adds


@pytest.mark.parametrize(("change", "place"), [(1, -1), (1, -2), (1, 0), (2, -2), (2, 0)])
def test_attention_refuses_what_does_not_fit(change: int, place: int) -> None:
    dims = [[2, 3, 4], [2, 3, 4], [2, 3, 4]]
    dims[change][place] += 1
    inputs = [Tensor(tuple(d)) for d in dims]
    op = make("dot_product_attention")
    if (change, place) == (1, -2):
        inputs[2] = inputs[1].with_dims(2, 3, 4)
    with pytest.raises(OpError) as refusal:
        infer(op, *inputs)
    assert refusal.value.code == "shape-mismatch"


@pytest.mark.parametrize(
    ("left", "right", "transposed", "result", "multiply_adds"),
    [
        ((2, 3), (3, 5), False, (2, 5), 2 * 3 * 5),
        ((2, 3), (5, 3), True, (2, 5), 2 * 3 * 5),
        ((7, 2, 3), (7, 3, 5), False, (7, 2, 5), 7 * 2 * 3 * 5),
    ],
)
def test_products_of_oblong_matrices(
    left: tuple[int, ...],
    right: tuple[int, ...],
    transposed: bool,
    result: tuple[int, ...],
    multiply_adds: int,
) -> None:
    op = make("matmul", transpose_second=transposed)
    inputs = [Tensor(left), Tensor(right)]
    (y,) = check(op, *inputs)
    assert tuple(y.shape[1:]) == result
    assert op.multiply_adds(inputs, infer(op, *inputs)[0]) == multiply_adds


@pytest.mark.parametrize(
    "cls", [pytest.param(c, id=c.name) for c in registered() if not c.internal]
)
def test_buffers_are_those_of_the_module(cls: type[Op]) -> None:
    op, inputs = read_call(cls.example, read_shape(cls.example_input))
    written = Written(op.code(inputs, infer(op, *inputs)[0]))
    if isinstance(written.module, torch.nn.Module):
        kept = written.module.state_dict().keys()
        told = {name: tuple(b.shape) for name, b in written.module.named_buffers() if name in kept}
        assert op.buffers(inputs) == told


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_buffers_are_there_where_statistics_are_gathered(name: str) -> None:
    x = Tensor((5, 4))
    for tracked in (False, True):
        op = make(name, track_running_stats=tracked)
        module = Written(op.code([x], [x])).module
        assert op.buffers([x]) == {n: tuple(b.shape) for n, b in module.named_buffers()}


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "rnn_cell", "lstm_cell", "gru_cell"])
def test_a_state_of_another_kind_is_refused(name: str) -> None:
    op = make(name, hidden_size=3)
    x = Tensor((4, 2)) if op.inputs and "cell" not in name else Tensor((2,))
    states = [replace(y, batch="free") for y in infer(op, x)[0]]
    states = states[1:] if "cell" not in name else states
    check(op, x, *states)
    for i, state in enumerate(states):
        wrong = [
            replace(state, dtype="int"),
            replace(state, batch="none"),
            state.with_dims(*state.dims[:-1], 4),
        ]
        for other in wrong:
            with pytest.raises(OpError):
                infer(op, x, *states[:i], other, *states[i + 1 :])


@pytest.mark.parametrize("shape", [(3,), (3, 1), (3, 2), (3, 1, 1), (3, 1, 3)])
def test_batch_norm_trains_with_the_least_batch_and_with_none_smaller(
    shape: tuple[int, ...],
) -> None:
    op, x = make("batch_norm"), Tensor(shape)
    least = op.least_batch([x])
    assert least == (2 if torch.Size(shape[1:]).numel() == 1 else 1)
    check(op, x, batch=least)
    if least == 2:
        with pytest.raises(ValueError, match="more than 1 value"):
            check(op, x, batch=1)


UNALIKE = [
    ("bilinear", {"out_features": 2}, [Tensor((2, 5)), Tensor((3, 5))]),
    ("bilinear", {"out_features": 2}, [Tensor((2, 5)), Tensor((2, 2, 5))]),
    ("bilinear", {"out_features": 2}, [Tensor((2, 5)), Tensor((2, 5), batch="one")]),
    ("add", {}, [Tensor((2, 5)), Tensor((5,))]),
    ("add", {}, [Tensor((2, 5)), Tensor((2, 3), batch="one")]),
    ("add", {}, [Tensor((5,)), Tensor((2, 3, 5), batch="none")]),
    ("add", {}, [Tensor((5,)), Tensor((1, 1, 5), batch="none")]),
    ("add", {}, [Tensor((5,)), Tensor((5,), dtype="int")]),
    ("add", {}, [Tensor((5,)), Tensor((5,)), Tensor((5,), dtype="int")]),
    ("matmul", {}, [Tensor((2, 3)), Tensor((2, 3))]),
    ("matmul", {}, [Tensor((2, 3)), Tensor((3, 2)), Tensor((2, 3))]),
    ("matmul", {}, [Tensor((2, 2), dtype="int")] * 2),
    ("cross_attention", {"heads": 2}, [Tensor((3, 4)), Tensor((4,))]),
    ("cross_attention", {"heads": 2}, [Tensor((4,)), Tensor((3, 4))]),
]


@pytest.mark.parametrize(("name", "arguments", "inputs"), UNALIKE)
def test_inputs_that_do_not_go_together_are_refused(
    name: str, arguments: dict[str, int], inputs: list[Tensor]
) -> None:
    with pytest.raises(OpError):
        infer(make(name, **arguments), *inputs)


@pytest.mark.parametrize(
    ("left", "right", "told"),
    [
        (Tensor((2, 1)), Tensor((1, 3)), Tensor((2, 3))),
        (Tensor((3,), batch="one"), Tensor((3,), batch="one"), Tensor((3,), batch="one")),
        (Tensor((3,), batch="one"), Tensor((1, 3), batch="none"), Tensor((3,), batch="one")),
        (Tensor((3,), batch="none"), Tensor((2, 3), batch="none"), Tensor((2, 3), batch="none")),
        (Tensor((2, 3)), Tensor((3,), batch="none"), Tensor((2, 3))),
        (Tensor((2, 3)), Tensor((1, 2, 3), batch="none"), Tensor((2, 3))),
        (Tensor((2,), dtype="int"), Tensor((2,), dtype="int"), Tensor((2,), dtype="int")),
    ],
)
def test_sums_of_parameters_and_of_sizes_of_one(left: Tensor, right: Tensor, told: Tensor) -> None:
    for inputs in ((left, right), (right, left)):
        check(make("add"), *inputs)
        assert infer(make("add"), *inputs)[0] == (told,)


@pytest.mark.parametrize(
    ("call", "shape"),
    [
        ("feature_alpha_dropout(0.5)", "[3, 2]"),
        ("drop_path(0.5)", "[3, 2]"),
        ("pad(1)", "[3, 2]"),
        ("crop(1)", "[3, 2]"),
        ("pixel_shuffle(2)", "[4, 2, 2]"),
        ("embedding(5, 2)", "int[3]"),
        ("dot_product_attention(it, it, it)", "[3, 2]"),
    ],
)
def test_a_parameter_without_a_batch_is_refused(call: str, shape: str) -> None:
    """torch would take its first axis for the batch."""
    op, inputs = read_call(call, replace(read_shape(shape), batch="none"))
    with pytest.raises(OpError) as refusal:
        infer(op, *inputs)
    assert refusal.value.code == "no-batch-axis"


@pytest.mark.parametrize("call", ["rnn(2)", "conv_transpose(2, 2)"])
def test_a_size_that_may_be_nothing_is_a_condition(call: str) -> None:
    left = symbol("T") - 3
    x = Tensor((left, 2) if call == "rnn(2)" else (2, left))
    op, inputs = read_call(call, x)
    _, need = infer(op, *inputs)
    assert need.conditions
    for size in range(1, 8):
        assert all(holds(c, {"T": size}) for c in need.conditions) == (size > 3)


@pytest.mark.parametrize(
    ("op", "inputs"),
    [
        (make("position_embedding", num_embeddings=5), [Tensor((3, symbol("F")))]),
        (
            make("cross_attention", heads=2),
            [Tensor((3, 4)), Tensor((3, symbol("F")))],
        ),
        (make("reshape", sizes=(symbol("W"), -1)), [Tensor((symbol("H"), 2))]),
        (make("reshape", sizes=(symbol("W"),)), [Tensor((symbol("H"),))]),
    ],
    ids=["position_embedding", "cross_attention", "reshape", "reshape to another"],
)
def test_a_size_that_must_be_known_and_is_free_is_refused(op: Op, inputs: list[Tensor]) -> None:
    with pytest.raises(OpError) as refusal:
        infer(op, *inputs)
    assert refusal.value.code == "free-size"


@pytest.mark.parametrize(
    ("name", "arguments", "x"),
    [
        ("linear", {"out_features": 5}, Tensor((3,))),
        ("embedding", {"num_embeddings": 5, "embedding_dim": 3}, Tensor((2,), dtype="int")),
    ],
)
def test_a_tied_weight_has_the_shape_of_its_own(
    name: str, arguments: dict[str, int], x: Tensor
) -> None:
    op = make(name, **arguments)
    for shape in ((5, 3), (3, 5), (5,), (3,)):
        tied = make(name, **arguments, tie=WeightRef("other", "weight", shape))
        if shape == op.weights([x])["weight"] == (5, 3):
            assert infer(tied, x)[0] == infer(op, x)[0]
            continue
        with pytest.raises(OpError) as refusal:
            infer(tied, x)
        assert refusal.value.code == "tied-shape"
