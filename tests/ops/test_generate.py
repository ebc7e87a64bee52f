from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.ops.arguments import OpError
from archdsl.ops.op import Tensor
from tests.ops.against_torch import Written, check, infer, make, write

shapes = st.lists(st.integers(1, 4), max_size=4)
STARTS: list[dict[str, Any]] = [
    {},
    {"init": "zeros"},
    {"init": "ones"},
    {"init": "normal"},
    {"init": "normal", "std": 0.02},
    {"init": "normal", "std": 0},
    {"value": 1},
    {"value": 1e-6},
]


@given(shapes, st.sampled_from(STARTS))
def test_parameter(shape: list[int], start: dict[str, Any]) -> None:
    op = make("parameter", shape=shape, **start)
    check(op)
    [y] = infer(op)[0]
    assert y.batch == ("one" if shape[:1] == [1] else "none")
    with torch.device("meta"):
        assert Written(op.code([], [y])).module.is_meta


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"shape": [1, 1, 768]}, "nn.Parameter(torch.zeros(1, 1, 768))"),
        ({"shape": [1, 2], "init": "normal"}, "nn.Parameter(torch.randn(1, 2))"),
        (
            {"shape": [1, 197, 768], "init": "normal", "std": 0.02},
            "nn.Parameter(nn.init.normal_(torch.empty(1, 197, 768), std=0.02))",
        ),
        ({"shape": [96, 1, 1], "value": 1e-6}, "nn.Parameter(torch.full((96, 1, 1), 1e-06))"),
        ({"shape": []}, "nn.Parameter(torch.zeros(()))"),
    ],
)
def test_what_is_written(arguments: dict[str, Any], text: str) -> None:
    op = make("parameter", **arguments)
    assert write(op.code([], infer(op)[0]).module) == text


@given(st.lists(st.integers(1, 4), max_size=3), st.sampled_from(["free", "one"]))
def test_gaussian_sample(dims: list[int], batch: Any) -> None:
    op = make("gaussian_sample")
    check(op, Tensor(tuple(dims)), Tensor(tuple(dims), batch=batch))
    check(op, Tensor(tuple(dims), batch=batch), Tensor(tuple(dims)))


def test_a_sample_has_the_moments_and_is_the_mean_in_eval_mode() -> None:
    op = make("gaussian_sample")
    x = Tensor((2,))
    written = Written(op.code([x, x], infer(op, x, x)[0]))
    mu = torch.tensor([3.0, -1.0], dtype=torch.float64).expand(20000, 2)
    log_var = torch.tensor([0.0, 2.0], dtype=torch.float64).log().nan_to_num(neginf=-80)
    log_var = log_var.expand(20000, 2)
    torch.manual_seed(0)
    [y] = written.run([mu, log_var], count=1)
    torch.testing.assert_close(y.mean(0), mu[0], rtol=0, atol=0.05)
    torch.testing.assert_close(y.var(0), log_var[0].exp(), rtol=0, atol=0.05)
    written.train(False)
    assert written.run([mu, log_var], count=1)[0] is mu


@pytest.mark.parametrize(
    ("name", "arguments", "inputs", "message"),
    [
        ("parameter", {"shape": [3], "std": 0.1}, [], "std (=0.1) is of init = normal"),
        ("parameter", {"shape": [3], "init": "ones", "value": 2}, [], "both say how it starts"),
        ("parameter", {"shape": [0]}, [], "must be positive, not 0"),
        ("parameter", {"shape": "big"}, [], "must be a whole number"),
        ("gaussian_sample", {}, [(3,), (4,)], "mu and log_var of gaussian_sample have different"),
        ("gaussian_sample", {}, [(3,), (3, 1)], "mu and log_var of gaussian_sample have different"),
    ],
)
def test_rejected(name: str, arguments: dict[str, Any], inputs: list[Any], message: str) -> None:
    with pytest.raises(OpError) as caught:
        infer(make(name, **arguments), *(Tensor(dims) for dims in inputs))
    assert message in caught.value.message
