"""Batches with fewer samples than the network can be trained on: a batch norm needs two."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.data import Data


def without_lone_samples(
    data: Data, least: int, processes: int, tell: Callable[[str], None]
) -> Data:
    """The data without a last training batch that has fewer samples than ``least`` a process.

    What is left out is told; it is another part of the samples in every epoch. Raises ArchError
    where every batch is too small.
    """
    if data.parts is None or least == 1:
        return data
    size = data.settings.batch_size
    if size // processes < least:
        whose = f" for each of {processes} processes" if processes > 1 else ""
        message = (
            f"the network needs batches of {least} samples to be trained on{whose}, and a batch"
            f" has {size}"
        )
        help = f"choose a batch_size of {least * processes} at the least"
        raise ArchError([Diagnostic("bad-setting", message, help=help)])
    left = len(data.parts.train) % size
    if data.settings.drop_last or not 0 < left // processes < least:
        return data
    tell(
        f"every epoch leaves out its last batch, of {left}: the network cannot be trained on fewer"
        f" samples than {least}" + (" a process" if processes > 1 else "")
    )
    return replace(data, settings=replace(data.settings, drop_last=True))


@contextmanager
def lone_samples_refused() -> Iterator[None]:
    """Within, a batch norm that meets a single value is told of as a mistake of the batch.

    It can only be so where sizes are free, and are known once the samples are.
    """
    try:
        yield
    except ValueError as problem:
        if "more than 1 value per channel" not in str(problem):
            raise
        message = "a batch norm of the network came to a single value to take a deviation of"
        help = "larger batch_size, larger samples; drop_last: true where it was the last batch"
        raise ArchError([Diagnostic("bad-setting", message, help=help)]) from None
