"""What each output of a trained network says: a class, yes or no, or values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from archdsl.recipes import Recipe, Term
from archdsl.techniques.class_losses import BinaryCrossEntropy, Dice
from archdsl.techniques.losses import Loss

Kind = Literal["classes", "binary", "values"]
Form = Literal["scores", "probabilities"]


@dataclass(frozen=True)
class Answer:
    """How an output is to be read, as the loss that taught it read it.

    ``like`` names the target, or the input, that it was held against. Classes lie along ``axis``
    (the batch is axis 0); where they are not ``exclusive``, each has a yes or no of its own.
    """

    output: str
    kind: Kind = "values"
    form: Form = "scores"
    axis: int = 1
    exclusive: bool = True
    like: str = ""

    def probabilities(self, answer: Tensor) -> Tensor:
        """An output as probabilities; values as they are."""
        if self.kind == "values" or self.form == "probabilities":
            return answer
        if self.kind == "classes" and self.exclusive:
            return answer.softmax(self.axis)
        return answer.sigmoid()

    def mean(self, answers: Sequence[Tensor]) -> Tensor:
        """The mean of several answers: of probabilities, where there are such, and in their form.

        What comes of scores are scores again, so that a loss and a metric read them as before.
        """
        every = torch.stack(list(answers))
        if not every.is_floating_point():
            return every.mode(0).values
        if self.kind == "values" or self.form == "probabilities":
            return every.mean(0)
        if self.kind == "classes" and self.exclusive:
            return _log_mean(every.log_softmax(1 + self.axis))
        return _log_mean(logsigmoid(every)) - _log_mean(logsigmoid(-every))


def answers_of(recipe: Recipe) -> tuple[Answer, ...]:
    """What the network gives in evaluation, in order."""
    training = {o.name for term in recipe.loss for o in term.operands if o.training}
    terms = {name: term for name, term in _taught(recipe) if name not in training}
    return tuple(
        _answer(name, terms[name]) if name in terms else Answer(name)
        for name in recipe.outputs
        if name not in training
    )


def tensors_of(output: Any) -> tuple[Tensor, ...]:
    """What a network gave, one tensor an output."""
    return (output,) if isinstance(output, Tensor) else tuple(output)


def _taught(recipe: Recipe) -> Iterator[tuple[str, Term]]:
    """Outputs with the terms that compare them; the one that says most of an output comes last.

    It is the first in the formula that has a target of the data.
    """
    compared = [t for t in recipe.loss if isinstance(t.technique, Loss) and len(t.operands) > 1]
    compared.sort(key=lambda t: t.operands[-1].origin != "target")
    for term in reversed(compared):
        first = term.operands[0]
        if first.origin == "output" and term.operands[-1].origin != "output":
            yield first.name, term


def _answer(name: str, term: Term) -> Answer:
    loss, like = term.technique, term.operands[-1].name
    prediction = term.operands[0].prediction
    assert isinstance(loss, Loss)
    assert prediction is not None
    form: Form = "probabilities" if prediction.values == "probabilities" else "scores"
    if isinstance(loss, BinaryCrossEntropy):
        kind: Kind = "classes" if loss.one_hot else "binary"
        return Answer(name, kind, form, exclusive=False, like=like)
    if isinstance(loss, Dice) and prediction.type.channels == 1:
        return Answer(name, "binary", form, like=like)
    if loss.takes == ("prediction", "target") and loss.wanted(prediction).classes is not None:
        class_axis = getattr(loss, "class_axis", None)
        axis = 1 if class_axis is None else class_axis(prediction.type)
        return Answer(name, "classes", form, axis, like=like)
    return Answer(name, like=like if loss.takes[0] == "prediction" else "")


def _log_mean(logs: Tensor) -> Tensor:
    """The logarithm of the mean along axis 0, of logarithms."""
    return logs.logsumexp(0) - torch.log(torch.tensor(float(len(logs)), device=logs.device))
