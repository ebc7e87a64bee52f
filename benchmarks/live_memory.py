"""How many bytes of tensors an action holds at once, counted operation by operation.

What a process takes from the system differs by a third from run to run, with how its allocator
happens to lie; what its tensors hold does not differ by a byte.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's is untyped
    """Counts the bytes of the results of operations that are held, and their peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is untyped
        self.held: dict[int, int] = {}
        self.now = 0
        self.peak = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, Tensor):
                self._hold(value.untyped_storage())
        self.peak = max(self.peak, self.now)
        return result

    def _hold(self, storage: Any) -> None:
        key = storage._cdata
        if key in self.held:
            return
        self.held[key] = storage.nbytes()
        self.now += storage.nbytes()
        weakref.finalize(storage, self._let_go, key)

    def _let_go(self, key: int) -> None:
        self.now -= self.held.pop(key)


def peak_bytes(action: Callable[[], object]) -> int:
    """The most bytes that results of operations hold at once while the action runs."""
    live = Live()
    with live:
        action()
    return live.peak
