"""Metrics: what a run is judged by; torchmetrics measures them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from archdsl.ops.arguments import OpError, size
from archdsl.techniques.losses import IGNORE, Loss, Prediction, Wanted
from archdsl.techniques.technique import Technique, technique

Task = Literal["classes", "binary", "values"]

_WORDS = {"classes": "classes", "binary": "yes and no", "values": "real numbers"}


@dataclass(frozen=True)
class Question:
    """What a metric is taken of: a prediction, what stands against it, and the loss of the two."""

    loss: Loss
    prediction: Prediction
    wanted: Wanted

    @property
    def task(self) -> Task:
        """One of several classes, yes or no, or real numbers."""
        if self.wanted.classes is not None:
            return "classes"
        return "binary" if self.loss.yes_or_no else "values"


class Metric(Technique):
    """A metric of a prediction and its target.

    ``code`` is the expression that makes it, ``given`` what it is given of the prediction ``{0}``
    and the target ``{1}``.
    """

    kind = "metric"
    higher_is_better: ClassVar[bool] = True
    tasks: ClassVar[tuple[Task, ...]] = ("classes", "binary")

    @property
    def label(self) -> str:
        """What it is logged as, behind ``val_``."""
        return self.name

    def check(self, question: Question) -> None:
        """Refuse, by OpError, what it does not measure."""
        if question.task not in self.tasks:
            usual = ", ".join(question.loss.metrics)
            raise OpError(
                "bad-setting",
                f"{self.name} measures {' or '.join(_WORDS[t] for t in self.tasks)},"
                f" and {question.loss.name} is of {_WORDS[question.task]}",
                help=f"{question.loss.name} goes with {usual}" if usual else "",
            )

    def code(self, question: Question) -> str:
        raise TypeError(f"{self.name} has no PyTorch")

    def given(self, question: Question) -> tuple[str, str]:
        loss, prediction = question.loss, question.prediction
        if question.task == "classes":
            return loss.scores(prediction), "{1}"
        if question.task == "binary":
            # of scores that all lie in 0 to 1 torchmetrics would think that they are probabilities
            return loss.probabilities(prediction), "{1}.int()"
        return "{0}", "{1}"


def _of_classes(called: str, question: Question, *more: str) -> str:
    """A metric of torchmetrics; its checks of values would wait for every batch."""
    options = ["validate_args=False"]
    if question.task == "binary":
        return f"torchmetrics.classification.Binary{called}({', '.join(options)})"
    if question.wanted.ignore != IGNORE:
        options.insert(0, f"ignore_index={question.wanted.ignore}")
    options = [f"num_classes={question.wanted.classes}", *more, *options]
    return f"torchmetrics.classification.Multiclass{called}({', '.join(options)})"


@technique("accuracy")
class Accuracy(Metric):
    """The share of predictions that are right.

    With ``top = 5`` it is enough that the class is among the five of highest score: it is logged as
    ``accuracy@5``.
    """

    example = "accuracy(top = 5)"

    top: int = size(default=1, doc="how many classes a prediction may name")

    @property
    def label(self) -> str:
        return self.name if self.top == 1 else f"{self.name}@{self.top}"

    def check(self, question: Question) -> None:
        super().check(question)
        classes = question.wanted.classes or 2
        if self.top != 1 and (question.task == "binary" or self.top >= classes):
            raise OpError(
                "bad-setting",
                f"the best {self.top} of {classes} classes are always right",
                argument="top",
            )

    def code(self, question: Question) -> str:
        top = [f"top_k={self.top}"] if self.top != 1 else []
        if question.task == "classes":
            return _of_classes("Accuracy", question, *top, 'average="micro"')
        return _of_classes("Accuracy", question)


@technique("f1")
class F1(Metric):
    """The harmonic mean of precision and recall, the mean over classes."""

    example = "f1"

    def code(self, question: Question) -> str:
        return _of_classes("F1Score", question)


@technique("precision")
class Precision(Metric):
    """The share of what was named a class that is of it, the mean over classes."""

    example = "precision"

    def code(self, question: Question) -> str:
        return _of_classes("Precision", question)


@technique("recall")
class Recall(Metric):
    """The share of a class that was named so, the mean over classes."""

    example = "recall"

    def code(self, question: Question) -> str:
        return _of_classes("Recall", question)


@technique("auroc")
class AUROC(Metric):
    """The area under the receiver operating characteristic, the mean over classes.

    Exact where there is one target a sample, which all are kept until the epoch's end; of targets
    at every position it is measured at 200 thresholds.
    """

    example = "auroc"

    def code(self, question: Question) -> str:
        one = 0 if question.task == "classes" else 1
        many = question.wanted.type.rank > one
        return _of_classes("AUROC", question, *(["thresholds=200"] if many else []))

    def given(self, question: Question) -> tuple[str, str]:
        scores = question.loss.probabilities(question.prediction)
        return scores, super().given(question)[1]


@technique("iou")
class IoU(Metric):
    """Intersection over union, the mean over classes (Jaccard)."""

    example = "iou"

    def code(self, question: Question) -> str:
        return _of_classes("JaccardIndex", question)


@technique("perplexity")
class Perplexity(Metric):
    """The exponent of the cross entropy: among how many words a language model wavers."""

    example = "perplexity"
    higher_is_better = False
    tasks = ("classes",)

    def check(self, question: Question) -> None:
        super().check(question)
        if question.loss.yes_or_no or question.prediction.values == "probabilities":
            raise OpError(
                "bad-setting",
                "perplexity is of scores that a softmax makes probabilities,"
                f" and {question.loss.name} takes none",
                help="write cross_entropy",
            )

    def code(self, question: Question) -> str:
        ignore = question.wanted.ignore
        return (
            f"torchmetrics.text.Perplexity({f'ignore_index={ignore}' if ignore != IGNORE else ''})"
        )

    def given(self, question: Question) -> tuple[str, str]:
        scores, _ = super().given(question)
        positions = question.wanted.type.rank
        if positions == 0:
            return f"{scores}.unsqueeze(1)", "{1}.unsqueeze(1)"
        if positions == 1:
            return "{0}.mT" if scores == "{0}" else "{0}", "{1}"
        return f"{scores}.flatten(2).mT", "{1}.flatten(1)"


class _OfValues(Metric):
    tasks = ("values",)
    torch_class: ClassVar[str]

    def code(self, question: Question) -> str:
        return f"torchmetrics.{self.torch_class}()"


@technique("mae")
class MAE(_OfValues):
    """The mean absolute error."""

    example = "mae"
    higher_is_better = False
    torch_class = "MeanAbsoluteError"


@technique("mse")
class MSE(_OfValues):
    """The mean squared error."""

    example = "mse"
    higher_is_better = False
    torch_class = "MeanSquaredError"


@technique("rmse")
class RMSE(_OfValues):
    """The root of the mean squared error."""

    example = "rmse"
    higher_is_better = False

    def code(self, question: Question) -> str:
        return "torchmetrics.MeanSquaredError(squared=False)"


@technique("r2")
class R2(_OfValues):
    """The share of the variance that is explained, the mean over the numbers of a prediction."""

    example = "r2"
    torch_class = "R2Score"

    def given(self, question: Question) -> tuple[str, str]:
        flat = ".flatten(1)" if question.prediction.type.rank != 1 else ""
        return "{0}" + flat, "{1}" + flat
