"""What an elaboration remembers of the calls it has expanded, for those that come after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from archdsl.elaborate.recording import Recording
    from archdsl.syntax import ast

_T = TypeVar("_T")
_MOST_CALLS = 10_000  # and constants, whose values are kept
_MOST_KEPT = 300_000  # nodes: those of two networks as large as one may be


class Memory:
    """Constants, calls of blocks with what they are given, and with what they did."""

    def __init__(self) -> None:
        self.recordings: dict[Any, Recording] = {}
        self.size = 0
        self.worked_out: dict[Any, Any] = {}
        self._kept: list[Any] = []
        self._found: dict[Any, tuple[ast.Expr, Any]] = {}

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        return Memory, ()  # a graph leads here, and its copy has no use for it

    def once(self, find: Callable[[ast.Expr], _T], expr: ast.Expr) -> _T:
        """What is found in an expression; sought once, however often a loop comes by."""
        key = find, id(expr)
        known = self._found.get(key)
        if known is None:
            known = self._found[key] = expr, find(expr)  # kept, so that the id stays its own
        result: _T = known[1]
        return result

    def keep_value(self, key: Any, value: Any, kept: Any) -> None:
        """Keep what an expression gives, with all that its key names by identity."""
        if len(self._kept) < _MOST_CALLS:
            self.worked_out[key] = value
            self._kept.append(kept)

    def keep(self, key: Any, recording: Recording) -> None:
        """Keep a recording, while there is room."""
        if self.size < _MOST_KEPT:
            self.size += len(recording.nodes) + len(recording.scopes) + 1
            self.recordings[key] = recording
