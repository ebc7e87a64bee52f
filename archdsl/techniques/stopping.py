"""When a run ends early, and what is watched for it."""

from __future__ import annotations

from archdsl.ops.arguments import number, optional, size, text
from archdsl.techniques.technique import Technique, technique


class Stopping(Technique):
    """When to stop before the last epoch."""

    kind = "stopping"


@technique("patience")
class Patience(Stopping):
    """Stop when what is monitored has not bettered for so many epochs; the best weights come back.

    Prechelt, 1998.
    """

    example = "patience(10)"

    epochs: int = size(doc="epochs without improvement that are borne")
    min_delta: float = number(default=0.0, minimum=0.0, doc="the least that counts as better")
    monitor: str | None = optional(text(), doc='what is watched; "val_loss" unless the block says')
