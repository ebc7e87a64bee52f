"""Holds Python's cyclic garbage collector while much is made and nothing thrown away.

The collector runs after so many new objects, and looks at ever more of them that stay: while
syntax trees and graphs are built, or modules imported, that is a third of the time for nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the collector, and go on with it afterwards if it was running."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def importing() -> Iterator[None]:
    """Pause the collector, and call old what was made: modules stay as long as the process.

    Else the first collection afterwards, which comes at once, would look through all of them.
    """
    with collection_paused():
        yield
        if not gc.get_freeze_count():  # else somebody has put objects aside, and wants them there
            gc.freeze()
            gc.unfreeze()


def collect_seldom() -> None:
    """For a process that reads, answers and ends: it makes far more than it throws away."""
    gc.set_threshold(_SELDOM)


def collect_as_usual() -> None:
    """For a process that goes on: what it throws away may hold tensors."""
    gc.set_threshold(*_USUAL)


_USUAL = gc.get_threshold()
_SELDOM = 200_000
