"""What an elaboration remembers of the calls it has expanded, for those that come after."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from archdsl.elaborate.recording import Recording

_MOST_KEPT = 300_000  # nodes: those of two networks as large as one may be


class Memory:
    """The block calls that were recorded, by all that they depend on."""

    def __init__(self) -> None:
        self.recordings: dict[Any, Recording] = {}
        self.size = 0

    def __reduce__(self) -> tuple[type[Memory], tuple[()]]:
        return Memory, ()  # a graph leads here, and its copy has no use for it

    def keep(self, key: Any, recording: Recording) -> None:
        """Keep a recording, while there is room."""
        if self.size < _MOST_KEPT:
            self.size += len(recording.nodes) + len(recording.scopes) + 1
            self.recordings[key] = recording
