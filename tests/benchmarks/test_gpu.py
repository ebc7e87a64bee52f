"""benchmarks/gpu.py, as far as a machine without a GPU can tell."""

from __future__ import annotations

import gpu
import pytest
import torch
from torch.testing import assert_close


@pytest.mark.parametrize("case", gpu.CASES, ids=lambda case: case.title)
def test_by_hand_and_compiled_are_the_same_mathematics(case: gpu.Case) -> None:
    compiled, by_hand = (model.float().eval() for model in gpu.models(case, "cpu"))
    assert sorted(compiled.state_dict()) == sorted(by_hand.state_dict())
    x = torch.randn(1, 3, 224, 224)
    with torch.no_grad():
        assert_close(compiled(x), by_hand(x), rtol=1e-4, atol=1e-4)


def test_it_measures_what_it_says() -> None:
    options = gpu.Options("cpu", batch=1, seconds=0, size=224, compiled=False)
    rows = list(gpu.figures(gpu.CASES[1], options))
    assert [row.what for row in rows] == [
        "forward, ViT-B/16, eager",
        "training step, ViT-B/16, eager",
    ]
    assert all(row.ours > 0 and row.by_hand > 0 for row in rows)
    assert rows[1].operations == 3 * rows[0].operations > 3e10
    assert "% of peak" in rows[0].text(peak=1.0)
    assert "% of peak" not in rows[0].text(peak=None)
