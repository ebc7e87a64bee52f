from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.dims import symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Tensor, find
from tests.ops.against_torch import Written, check, infer, make

LAYERS = ["rnn", "lstm", "gru"]


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    name = draw(st.sampled_from(LAYERS))
    layers = draw(st.integers(1, 3))
    arguments: dict[str, Any] = {
        "hidden_size": draw(st.integers(2, 5)),
        "num_layers": layers,
        "bias": draw(st.booleans()),
        "bidirectional": draw(st.booleans()),
        "dropout": draw(st.sampled_from([0, 0.0, 0.3, 1.0])) if layers > 1 else 0,
    }
    if name == "rnn":
        arguments["nonlinearity"] = draw(st.sampled_from(["tanh", "relu"]))
    if name == "lstm":
        arguments["proj_size"] = draw(st.integers(0, arguments["hidden_size"] - 1))
    return name, arguments


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # slower on some machines
@given(calls(), st.integers(1, 4), st.integers(1, 5), st.sampled_from(["none", "free", "one"]))
def test_layers(call: tuple[str, dict[str, Any]], features: int, steps: int, state: Any) -> None:
    op = make(call[0], **call[1])
    x = Tensor((steps, features))
    states: list[Tensor] = []
    if state != "none":
        states = [Tensor(y.dims, batch=state) for y in infer(op, x)[0][1:]]
    check(op, x, *states)
    free = Tensor((symbol("T"), features))
    outputs, need = infer(op, free, *states)
    assert need.conditions == []
    check(op, free, *states, sizes={"T": steps})
    assert str(outputs[0]).startswith("[T, ")


@given(
    st.sampled_from(["rnn_cell", "lstm_cell", "gru_cell"]),
    st.integers(1, 4),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(["none", "free", "one"]),
)
def test_cells(name: str, hidden: int, features: int, bias: bool, state: Any) -> None:
    op = make(name, hidden_size=hidden, bias=bias)
    x = Tensor((features,))
    states = [] if state == "none" else [Tensor((hidden,), batch=state)] * len(op.outputs)
    check(op, x, *states)


@pytest.mark.parametrize("name", LAYERS)
def test_the_batch_is_first_everywhere(name: str) -> None:
    """The last state of one sample is the last step of its sequence."""
    op = make(name, hidden_size=5)
    sequence, hidden, *_ = check(op, Tensor((7, 4)))
    assert torch.equal(hidden[:, 0], sequence[:, -1])


@pytest.mark.parametrize("name", LAYERS)
def test_a_state_is_taken_up_where_it_was_left(name: str) -> None:
    op = make(name, hidden_size=5, num_layers=2, bidirectional=False)
    x = Tensor((6, 4))
    states = [Tensor((2, 5))] * (2 if name == "lstm" else 1)
    whole = Written(op.code([x], infer(op, x)[0]))
    resumed = Written(op.code([x, *states], infer(op, x, *states)[0]))
    resumed.module.load_state_dict(whole.module.state_dict())
    values = torch.randn(3, 6, 4)
    count = 1 + len(states)
    all_at_once = whole.run([values], count=count)
    first = whole.run([values[:, :2]], count=count)
    second = resumed.run([values[:, 2:], *first[1:]], count=count)
    torch.testing.assert_close(torch.cat([first[0], second[0]], dim=1), all_at_once[0])
    torch.testing.assert_close(second[1:], all_at_once[1:])


@pytest.mark.parametrize("name", LAYERS)
def test_a_cell_is_one_step_of_its_layer(name: str) -> None:
    whole = Written(make(name, hidden_size=5).code([Tensor((1, 4))], ()))
    op = make(f"{name}_cell", hidden_size=5)
    cell = Written(op.code([Tensor((4,))], infer(op, Tensor((4,)))[0]))
    state = {key.removesuffix("_l0"): value for key, value in whole.module.state_dict().items()}
    cell.module.load_state_dict(state)
    x = torch.randn(3, 4)
    count = 3 if name == "lstm" else 2
    _, *states = whole.run([x[:, None]], count=count)
    for one, other in zip(cell.run([x], count=count - 1), states, strict=True):
        torch.testing.assert_close(one, other[:, 0])


@pytest.mark.parametrize("name", [*LAYERS, "rnn_cell", "lstm_cell", "gru_cell"])
@pytest.mark.parametrize("training", [True, False])
def test_doubles_and_both_modes(name: str, training: bool) -> None:
    op = make(name, hidden_size=5)
    x = Tensor((4,) if name.endswith("cell") else (6, 4))
    outputs, _ = infer(op, x)
    written = Written(op.code([x], outputs))
    written.module.double()
    written.train(training)
    results = written.run([torch.randn(2, *x.dims, dtype=torch.float64)], count=len(outputs))  # type: ignore[arg-type]  # fixed
    assert {y.dtype for y in results} == {torch.float64}


def test_weights_given_later() -> None:
    """A module built on the meta device computes with the weights assigned to it."""
    op = make("lstm", hidden_size=5, bidirectional=True)
    x = Tensor((6, 4))
    code = op.code([x], infer(op, x)[0])
    with torch.device("meta"):
        empty = Written(code)
    full = Written(code)
    empty.module.load_state_dict(full.module.state_dict(), assign=True)
    values = torch.randn(3, 6, 4)
    torch.testing.assert_close(
        empty.run([values], count=3), full.run([values], count=3), rtol=0, atol=0
    )


REJECTED = [
    ("lstm", {"hidden_size": 8}, ["[16]"], "wrong-rank", "lstm takes [steps, features], not [16]"),
    ("lstm_cell", {"hidden_size": 8}, ["[5, 16]"], "wrong-rank", "takes [features], not [5, 16]"),
    ("gru", {"hidden_size": 8, "dropout": 0.5}, ["[5, 16]"], "dropout-between-layers", "(=0.5)"),
    ("gru", {"hidden_size": 8}, ["[5, F]"], "free-size", "features must be known, and is F"),
    ("gru", {"hidden_size": 8}, ["int[5, 6]"], "wrong-dtype", "indices"),
    (
        "gru",
        {"hidden_size": 8},
        ["[5, 16]", "[8]"],
        "shape-mismatch",
        "hidden of gru must be [1, 8], and is [8]",
    ),
    ("lstm", {"hidden_size": 8}, ["[5, 16]", "[1, 8]"], "wrong-inputs", "cell is missing"),
    (
        "lstm",
        {"hidden_size": 8, "proj_size": 8},
        ["[5, 16]"],
        "projection-too-large",
        "proj_size (=8) must be smaller than hidden_size (=8)",
    ),
]


@pytest.mark.parametrize(("name", "arguments", "inputs", "code", "message"), REJECTED)
def test_rejected(
    name: str, arguments: dict[str, Any], inputs: list[str], code: str, message: str
) -> None:
    from tests.ops.against_torch import read_shape

    with pytest.raises(OpError) as caught:
        infer(make(name, **arguments), *map(read_shape, inputs))
    assert caught.value.code == code
    assert message in caught.value.message


def test_dropout_of_one_layer_is_what_torch_warns_of() -> None:
    with pytest.warns(UserWarning, match="dropout"):
        torch.nn.LSTM(3, 4, dropout=0.5)


def test_all_are_registered() -> None:
    assert all(find(name) for name in [*LAYERS, "rnn_cell", "lstm_cell", "gru_cell"])
