"""Keeps libraries from talking while a run goes on: what a person reads is what archdsl says."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

# Lightning reports through these what it found (devices, tips, why it stopped); archdsl says what
# matters of it. Warnings and errors pass.
_LOGGERS = ("lightning.pytorch", "lightning.fabric", "lightning_utilities")

# But for this one, which says why it ends all processes: one of them has died.
_HEARD = "lightning.fabric.strategies.launchers.subprocess_script"

# Each is known, and why it says nothing to the person who runs a specification stands beside it.
_KNOWN: tuple[tuple[str, type[Warning]], ...] = (
    # The data of a run stands in memory or has as many workers as the recipe says.
    (r".*does not have many workers.*", UserWarning),
    # Parts that are frozen, or pretrained, are in evaluation mode on purpose.
    (r".*Found \d+ module\(s\) in eval mode at the start of training.*", UserWarning),
    # A GPU that `accelerator = "cpu"` leaves idle was left so by the person.
    (r".*GPU available but not used.*", UserWarning),
    # A run without validation data is told of by the data's own checks.
    (r".*You passed in a `val_dataloader` but have no.*", UserWarning),
    (r".*You defined a `validation_step` but have no.*", UserWarning),
    # The module has added up over all processes before it logs.
    (r".*It is recommended to use `self\.log\(.*sync_dist=True.*", UserWarning),
    # Every run has a folder that may hold what an earlier one left; archdsl refuses or resumes it.
    (r".*Checkpoint directory .* exists and is not empty.*", UserWarning),
    # Lightning steps schedules by epoch and by step itself, in an order that torch cannot see.
    (r".*Detected call of `lr_scheduler\.step\(\)` before `optimizer\.step\(\)`.*", UserWarning),
    # Lightning's own use of what torch has renamed since.
    (r".*`isinstance\(treespec, LeafSpec\)` is deprecated.*", FutureWarning),
    (r".*torch\.cuda\.amp\.GradScaler.*is deprecated.*", FutureWarning),
    # FSDP's own use of what torch has renamed since.
    (
        r".*FSDP\.state_dict_type\(\) and FSDP\.set_state_dict_type\(\) are being dep.*",
        FutureWarning,
    ),
    # Under `deterministic`, what has no such implementation is as exact as it can be.
    (r".*does not have a deterministic implementation.*", UserWarning),
)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Within, the known messages of libraries are dropped; any other warning is shown."""
    loggers = [logging.getLogger(name) for name in (*_LOGGERS, _HEARD)]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        for message, category in _KNOWN:
            warnings.filterwarnings("ignore", message, category)
        for logger in loggers:
            logger.setLevel(logging.INFO if logger.name == _HEARD else logging.WARNING)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
