import time
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.backends import torch_probe
from archdsl.ops import foreign
from archdsl.ops.arguments import Choice, OpError
from archdsl.ops.op import Op, Tensor
from tests.ops.against_torch import Written, check, infer, make, read_shape, write


def nn_layer(module: str, *positional: Any, **keywords: Any) -> Op:
    return make("nn", module=module, positional=positional, keywords=keywords)


WORKING: list[tuple[str, tuple[Any, ...], dict[str, Any], str, str]] = [
    ("Hardswish", (), {}, "[3, 8, 8]", "nn.Hardswish()"),
    ("Conv2d", (3, 64, 7), {"stride": 2}, "[3, 30, 30]", "nn.Conv2d(3, 64, 7, stride=2)"),
    (
        "Conv2d",
        (3, 4, (3, 5)),
        {"padding": Choice("same")},
        "[3, 9, 9]",
        "nn.Conv2d(3, 4, (3, 5), padding='same')",
    ),
    (
        "TransformerEncoderLayer",
        (8, 2),
        {"batch_first": True},
        "[5, 8]",
        "nn.TransformerEncoderLayer(8, 2, batch_first=True)",
    ),
    ("Unflatten", (1, (2, 4)), {}, "[8]", "nn.Unflatten(1, (2, 4))"),
    ("BatchNorm1d", (6,), {}, "[6]", "nn.BatchNorm1d(6)"),
    ("Embedding", (5, 3), {}, "int[4]", "nn.Embedding(5, 3)"),
    ("PReLU", (4,), {}, "[4, 3]", "nn.PReLU(4)"),
    ("FractionalMaxPool2d", (2,), {"output_size": 3}, "[2, 8, 8]", ""),
    ("GLU", (1,), {}, "[8]", "nn.GLU(1)"),
    ("GRUCell", (4, 6), {}, "[4]", "nn.GRUCell(4, 6)"),
    ("LPPool2d", (2, 2), {}, "[3, 6, 6]", ""),
    ("Identity", (1, "x"), {"y": None}, "[3]", "nn.Identity(1, 'x', y=None)"),
]


@pytest.mark.parametrize(("name", "positional", "keywords", "x", "text"), WORKING)
def test_modules_of_torch(
    name: str, positional: tuple[Any, ...], keywords: dict[str, Any], x: str, text: str
) -> None:
    op = nn_layer(name, *positional, **keywords)
    check(op, read_shape(x))
    module = op.code([read_shape(x)], ()).module
    assert not text or write(module) == text
    assert hash(op) == hash(nn_layer(name, *positional, **keywords))


def test_what_it_costs() -> None:
    x = read_shape("[3, 30, 30]")
    op, ours = nn_layer("Conv2d", 3, 64, 7), make("conv", out_channels=64, kernel_size=7)
    outputs, _ = infer(ours, x)
    assert infer(op, x)[0] == outputs
    assert op.multiply_adds([x], outputs) == ours.multiply_adds([x], outputs)
    assert op.weights([x]) == ours.weights([x])


def test_arguments_rebuild_the_layer() -> None:
    op = nn_layer("Conv2d", 3, 64, 7, stride=[2, 1])
    assert make("nn", **op.arguments) == op
    assert op.arguments["keywords"] == (("stride", (2, 1)),)


AXES = {
    "Dropout1d": (1, 2),
    "Dropout2d": (3,),
    "Dropout3d": (3, 4),
    "Softmax2d": (2, 3),
}


@pytest.mark.parametrize("name", sorted(foreign.SHAPE_PRESERVING))
@pytest.mark.parametrize("dims", ["[H]", "[3, T]", "[T, 3]", "[C, H, W]", "[2, D, H, W]"])
def test_free_sizes_pass_where_they_all_do(name: str, dims: str) -> None:
    needed = {"Threshold": (0.1, 20.0), "Softmax": (1,), "Softmin": (1,), "LogSoftmax": (1,)}
    op, x = nn_layer(name, *needed.get(name, ())), read_shape(dims)
    if x.rank not in AXES.get(name, (x.rank,)):
        with pytest.raises(OpError, match="torch says"):
            infer(op, x)
        return
    outputs, need = infer(op, x)
    assert outputs == (x,)
    assert need.conditions == []
    for size in (1, 2, 5):
        check(op, x, sizes=dict.fromkeys("CDHTW", size))


REJECTED: list[tuple[str, tuple[Any, ...], dict[str, Any], str, str, str]] = [
    ("Hardswsh", (), {}, "[3]", "unknown-layer", "did you mean nn.Hardswish?"),
    ("Hardswsh", (), {}, "[H]", "unknown-layer", "did you mean nn.Hardswish?"),
    ("__class__", (), {}, "[3]", "unknown-layer", ""),
    ("functional", (), {}, "[3]", "unknown-layer", ""),
    ("Parameter", (), {}, "[3]", "unknown-layer", ""),
    ("modules", (), {}, "[3]", "unknown-layer", ""),
    ("Sequential", (), {}, "[3]", "foreign-module", "a block"),
    ("Module", (), {}, "[3]", "foreign-module", "a block"),
    ("MSELoss", (), {}, "[3]", "foreign-module", "train block"),
    ("LazyLinear", (3,), {}, "[3]", "foreign-module", "name the plain one"),
    ("LSTM", (3, 4), {"batch_first": True}, "[5, 3]", "foreign-module", "use lstm"),
    ("LSTM", (3, 4, 10**9), {}, "[5, 3]", "foreign-module", "use lstm"),
    ("Conv2d", (3, 4, 9), {}, "[3, 5, 5]", "foreign-module", "Kernel size can't be greater"),
    ("Conv2d", (4, 4, 3), {}, "[3, 5, 5]", "foreign-module", "torch says"),
    ("Conv2d", (3, 4, 3), {}, "[3, H, W]", "free-size", "needs fixed sizes"),
    ("Conv2d", (3, 4), {}, "[3, 5, 5]", "bad-argument", "missing a required argument: 'kernel"),
    ("Conv2d", (3, 4, 3), {"strid": 2}, "[3, 5, 5]", "unknown-argument", "did you mean stride?"),
    ("Conv2d", (3, 4, 3), {"device": "cpu"}, "[3, 5, 5]", "bad-argument", "leave out device"),
    ("ReLU", (True,), {}, "[3]", "bad-argument", "leave out inplace"),
    ("TransformerEncoderLayer", (8, 2), {}, "[5, 8]", "bad-argument", "batch_first = true"),
    ("Flatten", (0,), {}, "[5, 8]", "foreign-module", "does not keep the batch apart"),
    ("MaxPool2d", (2,), {"return_indices": True}, "[3, 8, 8]", "foreign-module", "gives tuple"),
    ("MaxUnpool2d", (2,), {}, "[3, 8, 8]", "foreign-module", "takes 2 tensors"),
    ("Linear", (3, 0), {}, "[3]", "empty-size", "nothing is left"),
    ("Softmax", (), {}, "[3, 5]", "foreign-module", "Implicit dimension choice"),
    ("PReLU", (3,), {}, "[C, 4]", "free-size", "needs fixed sizes"),
]


@pytest.mark.parametrize(("name", "positional", "keywords", "x", "code", "words"), REJECTED)
def test_rejected(
    name: str,
    positional: tuple[Any, ...],
    keywords: dict[str, Any],
    x: str,
    code: str,
    words: str,
) -> None:
    with pytest.raises(OpError) as caught:
        infer(nn_layer(name, *positional, **keywords), read_shape(x))
    problem = caught.value
    assert problem.code == code
    assert words in problem.message + problem.text + problem.help
    assert "\n" not in problem.message + problem.text


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), 2**40, "x" * 1000, print, torch.nn.ReLU(), {"a": 1}]
)
def test_arguments_are_plain(value: object) -> None:
    with pytest.raises(OpError, match="of nn must"):
        nn_layer("ReLU", value)
    with pytest.raises(OpError, match="of nn must"):
        nn_layer("ReLU", ((value,),))


def test_1_and_true_are_not_confused() -> None:
    """They are equal, and so might be looked up in each other's place."""
    assert nn_layer("PReLU", 1).weights([Tensor((3,))]) == {"weight": (1,)}
    with pytest.raises(OpError, match="torch says"):
        infer(nn_layer("AvgPool1d", 2, count_include_pad=1), Tensor((3, 4)))
    check(nn_layer("AvgPool1d", 2, count_include_pad=True), Tensor((3, 4)))


@pytest.mark.parametrize(
    ("name", "positional", "x"),
    [
        ("Linear", (10**6, 10**9), "[1000000]"),
        ("Conv2d", (3, 10**6, 3), "[3, 100000, 100000]"),
        ("Upsample", (None, 1000), "[3, 100000, 100000]"),
        ("Embedding", (2**31 - 1, 10**6), "int[5]"),
    ],
)
def test_huge_sizes_take_neither_memory_nor_time(
    name: str, positional: tuple[Any, ...], x: str
) -> None:
    infer(nn_layer("Hardswish"), Tensor((3,)))  # torch's own imports are not what is measured
    start = time.perf_counter()
    infer(nn_layer(name, *positional), read_shape(x))
    assert time.perf_counter() - start < 5


def test_asking_leaves_the_random_numbers_alone() -> None:
    torch.manual_seed(0)
    expected = torch.randn(3)
    torch.manual_seed(0)
    torch_probe._probe.cache_clear()
    infer(nn_layer("Dropout", 0.5), Tensor((3,)))
    infer(nn_layer("Linear", 3, 4), Tensor((3,)))
    assert torch.equal(torch.randn(3), expected)


def test_without_anybody_to_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(foreign, "PROBE", None)
    with pytest.raises(OpError, match="nobody asks torch"):
        infer(nn_layer("ReLU"), Tensor((3,)))


def test_a_batch_of_one_where_training_allows_none() -> None:
    x = Tensor((6,))
    assert nn_layer("BatchNorm1d", 6).least_batch([x]) == 2
    assert nn_layer("Linear", 6, 2).least_batch([x]) == 1


MODULES = [name for name in torch_probe._modules() if name != "CrossMapLRN2d"]
values = st.one_of(
    st.integers(-1, 6), st.booleans(), st.none(), st.tuples(st.integers(0, 3), st.integers(1, 3))
)


NESTED_TWICE = ([0] * 400,) * 2


@pytest.mark.parametrize(
    "value",
    [
        *("x" * 100, 2**31 - 1, 1 - 2**31, 1e300, None, True, (), Choice("same")),
        *(((((1,),),),), [[[[1]]]], [0] * 1000, (0,) * 1000, ([0] * 499,) * 2),
    ],
)
def test_plain_arguments_are_kept(value: Any) -> None:
    def as_tuples(part: Any) -> Any:
        return tuple(map(as_tuples, part)) if isinstance(part, (tuple, list)) else part

    expected = "same" if isinstance(value, Choice) else as_tuples(value)
    assert foreign.plain(value) == expected
    assert type(foreign.plain(value)) is type(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("x" * 101, "must not hold a long text"),
        (2**31, "must not hold a number beyond"),
        (-(2**31), "must not hold a number beyond"),
        (float("inf"), "must hold finite numbers"),
        ((((((1,),),),),), "must be numbers, true, false"),
        ([[[[[]]]]], "must be numbers, true, false"),
        ([0] * 1001, "must not hold more than 1,000 items"),
        ((0,) * 1001, "must not hold more than 1,000 items"),
        (([0] * 500,) * 2, "must not hold more than 1,000 items"),
        (((0,) * 500,) * 2, "must not hold more than 1,000 items"),
        ([NESTED_TWICE, NESTED_TWICE], "must not hold more than 1,000 items"),
        ({}, "must be numbers, true, false"),
        ((1, ("x" * 101,)), "must not hold a long text"),
    ],
)
def test_what_no_module_should_get_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        foreign.plain(value)


def test_names_are_names() -> None:
    for module in (3, "1st", "two words", "", None):
        with pytest.raises(OpError) as refusal:
            nn_layer(module)  # type: ignore[arg-type]  # what is refused
        assert (refusal.value.code, refusal.value.argument) == ("bad-argument", "module")
    for word in ("class", "lambda", "None"):
        with pytest.raises(OpError, match=f"cannot have the name {word}, which is a word of"):
            nn_layer("ReLU", **{word: 1})
        with pytest.raises(OpError, match=f"cannot have the name {word}, which is a word of"):
            make("nn", module="ReLU", keywords=[(word, 1)])


def test_a_parameter_without_a_batch_is_refused() -> None:
    with pytest.raises(OpError) as refusal:
        infer(nn_layer("ReLU"), Tensor((3,), batch="none"))
    assert refusal.value.code == "no-batch-axis"


@given(
    st.sampled_from(MODULES),
    st.lists(values, max_size=4),
    st.lists(st.sampled_from([1, 2, 3, 4, 6]), max_size=4),
    st.sampled_from(["float", "float", "int"]),
)
def test_what_is_accepted_runs(
    name: str, positional: list[Any], dims: list[int], dtype: Any
) -> None:
    op, x = nn_layer(name, *positional), Tensor(tuple(dims), dtype)
    try:
        infer(op, x)
    except OpError:
        return
    check(op, x)
    assert isinstance(Written(op.code([x], ())).module, torch.nn.Module)
