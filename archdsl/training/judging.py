"""Which of two values of what a run is judged by is the better one."""

from __future__ import annotations

import math
from typing import Literal


def is_better(value: float, best: float | None, mode: Literal["min", "max"]) -> bool:
    """Whether a value betters the best so far, or is the first; what is no number never does."""
    if math.isnan(value) or best is None:
        return not math.isnan(value)
    return value < best if mode == "min" else value > best
