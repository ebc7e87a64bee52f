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
