"""Losses: what a prediction is held against, and what the data must give for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from archdsl.ops.arguments import OpError
from archdsl.ops.op import Tensor
from archdsl.ops.torch_text import Code
from archdsl.techniques.technique import Technique

IGNORE = -100
"""The class that torch leaves out unless another is said."""


@dataclass(frozen=True)
class Wanted:
    """What a loss needs of the data: a tensor of this type, of whole numbers below ``classes``.

    Those that are ``ignore`` do not count.
    """

    type: Tensor
    classes: int | None = None
    ignore: int = IGNORE
    of_one_class: str = field(default="", compare=False)
    """How the loss is written where the data gives one class a sample, if that is otherwise."""

    def __str__(self) -> str:
        if self.classes is None:
            return str(self.type)
        aside = f", {self.ignore} left out" if self.ignore != IGNORE else ""
        return f"{self.type} of classes 0 to {self.classes - 1}{aside}"


@dataclass(frozen=True)
class Prediction:
    """A tensor that a loss takes from the network, and what its last layer makes of it."""

    type: Tensor
    values: str = ""
    """``"probabilities"`` or ``"log_probabilities"``, where the last layer gives such."""


class Loss(Technique):
    """A mean over the batch, of one number a sample (and position).

    ``takes`` names the tensors that it compares. Where the last is ``target`` and is not
    written, it is the data's.
    """

    kind = "loss"
    takes: ClassVar[tuple[str, ...]] = ("prediction", "target")
    metrics: ClassVar[tuple[str, ...]] = ()
    """The metrics that are measured where a specification names none."""
    yes_or_no: ClassVar[bool] = False
    """Whether a target without classes is of 0 and 1."""

    def wanted(self, prediction: Prediction) -> Wanted:
        """What must stand against the prediction. Raises OpError for what it cannot take."""
        raise TypeError(f"{self.name} takes no target")

    @property
    def measurable(self) -> bool:
        """Whether metrics can be taken of it: one prediction against one target."""
        return self.takes == ("prediction", "target")

    def scores(self, prediction: Prediction) -> str:
        """The prediction ``{0}`` with its classes on axis 1."""
        return "{0}"

    def probabilities(self, prediction: Prediction) -> str:
        """The probabilities that the prediction ``{0}`` stands for, their classes on axis 1."""
        return "{0}" if prediction.values == "probabilities" else "{0}.sigmoid()"

    def check(self, predictions: Sequence[Prediction]) -> None:
        """Refuse tensors of the network that do not go together, by OpError."""
        first, *others = predictions
        for other in others:
            if other.type.dims != first.type.dims:
                raise OpError(
                    "loss-mismatch",
                    f"{self.name} compares {first.type} with {other.type}",
                    help="what is compared must have the same shape",
                )

    def code(self, predictions: Sequence[Prediction]) -> Code:
        """Its PyTorch: an expression of ``{0}``, ``{1}`` … in the order of ``takes``."""
        raise TypeError(f"{self.name} has no PyTorch")


def keywords(loss: Technique, *left_out: str) -> str:
    """The arguments that are not at their defaults, as text behind the others: ``, delta=2.0``."""
    given = {k: v for k, v in loss.arguments.items() if k not in left_out}
    return "".join(f", {name}={value!r}" for name, value in given.items())
