"""Indices that a layer or a loss does not know, met while a network runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from archdsl.diagnostics import ArchError, Diagnostic

_TORCH_SAYS = (
    "index out of range in self",  # an embedding
    "Class values must be smaller than num_classes",  # one_hot
    "Class values must be non-negative",
    "is out of bounds",  # a loss of classes
)


@contextmanager
def unknown_indices_refused() -> Iterator[None]:
    """Within, an index that is looked up in vain is told of as a mistake of the data.

    Inputs that go to a layer as they are have been looked at before; these were computed from
    them, or are of loaders that are served as they are.
    """
    try:
        yield
    except (IndexError, RuntimeError) as problem:
        if not any(words in str(problem) for words in _TORCH_SAYS):
            raise
        message = "the data has an index, or a class, that the network does not know"
        notes = (f"torch says: {problem}",)
        help = "indices are below what embedding or one_hot takes, classes below the scores"
        raise ArchError([Diagnostic("data-mismatch", message, notes=notes, help=help)]) from None
