"""What benchmarks/training.py compares is the same network, and a loop that learns."""

import torch
from handwritten_loop import ByHand, digits
from torch.testing import assert_close
from training import CASES, network_of


def test_by_hand_and_compiled_are_the_same_mathematics() -> None:
    by_hand, compiled = digits(), network_of(CASES["digits"])
    names = list(by_hand.state_dict())
    compiled.load_state_dict(
        dict(
            zip(compiled.state_dict(), (by_hand.state_dict()[name] for name in names), strict=True)
        )
    )
    x = torch.randn(4, *CASES["digits"].shape)
    assert_close(compiled(x), by_hand(x))


def test_the_loop_by_hand_learns() -> None:
    torch.manual_seed(0)
    y = torch.arange(64) % 2
    x = torch.randn(64, 1, 8, 8) + 2 * y.reshape(-1, 1, 1, 1)
    loop = ByHand(digits(), x, y, 16)
    first = loop.epoch()
    for _ in range(4):
        last = loop.epoch()
    assert last < first / 4
