"""What benchmarks/inference.py compares is the same network twice."""

import pytest
import torch
from inference import CASES, models, times_faster
from torch.testing import assert_close


@pytest.mark.parametrize("name", CASES)
def test_by_hand_and_compiled_are_the_same_mathematics(name: str) -> None:
    by_hand, compiled = (model.eval() for model in models(CASES[name]))
    assert list(compiled.state_dict()) == list(by_hand.state_dict())
    size = min(CASES[name].size, 64)
    x = torch.randn(2, 3, size, size)
    with torch.no_grad():
        assert_close(compiled(x), by_hand(x), rtol=1e-5, atol=1e-6)
    x.requires_grad_()
    gradients = [
        torch.autograd.grad(model.train()(x).square().sum(), x)[0] for model in (by_hand, compiled)
    ]
    assert gradients[0].abs().max() > 0
    assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-5)


def test_the_ratio_says_which_side_is_faster() -> None:
    def work(times: int) -> None:
        for _ in range(times):
            torch.ones(64, 64) @ torch.ones(64, 64)

    ratio, first, second = times_faster(lambda: work(40), lambda: work(4), 9)
    assert ratio > 2
    assert first > second
