"""Which metrics a run is judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from archdsl.ops.arguments import OpError
from archdsl.recipes.recipe import Measured, Operand, Term
from archdsl.techniques.losses import Loss
from archdsl.techniques.metrics import Metric, Question
from archdsl.techniques.technique import find


@dataclass
class _Pair:
    """A prediction and what it is held against, with every loss that does so."""

    prediction: Operand
    target: Operand
    losses: list[Loss]

    @property
    def question(self) -> Question:
        assert self.prediction.prediction is not None
        loss, prediction = self.losses[0], self.prediction.prediction
        return Question(loss, prediction, loss.wanted(prediction))

    def usual(self) -> list[Metric]:
        """The metrics that go with its losses, each once."""
        names = dict.fromkeys(name for loss in self.losses for name in loss.metrics)
        classes = [find("metric", name) for name in names]
        return [made for cls in classes if cls and isinstance(made := cls(), Metric)]


def choose_metrics(
    asked: Sequence[Metric] | None, terms: Sequence[Term]
) -> tuple[tuple[Measured, ...], list[tuple[int, OpError]]]:
    """The metrics of every prediction, and which of those asked for fit none, with the reason.

    Those that are asked for; else those that go with the loss of a target of the data.
    """
    pairs = _pairs(terms)
    if asked is None:
        of_data = [pair for pair in pairs if pair.target.origin == "target"]
        found = [(metric, pair) for pair in of_data for metric in pair.usual()]
        return tuple(_measured(metric, pair, len(pairs)) for metric, pair in found), []
    chosen: list[Measured] = []
    refused: list[tuple[int, OpError]] = []
    for index, metric in enumerate(asked):
        fitting, problem = _fitting(metric, pairs)
        chosen += [_measured(metric, pair, len(pairs)) for pair in fitting]
        if problem is not None:
            refused.append((index, problem))
    return tuple(chosen), refused


def _pairs(terms: Sequence[Term]) -> list[_Pair]:
    pairs: dict[tuple[str, str], _Pair] = {}
    for term in terms:
        loss = term.technique
        if not isinstance(loss, Loss) or not loss.measurable or term.in_training:
            continue
        first, last = term.operands
        if first.prediction is not None:
            key = (first.name, last.name)
            pairs.setdefault(key, _Pair(first, last, [])).losses.append(loss)
    return list(pairs.values())


def _fitting(metric: Metric, pairs: Sequence[_Pair]) -> tuple[list[_Pair], OpError | None]:
    """The pairs that a metric can be taken of, and why of none, where it is so."""
    fitting: list[_Pair] = []
    problem = OpError(
        "bad-setting",
        f"there is nothing for {metric.name} to measure: no term of the loss holds one prediction"
        " against one target",
    )
    for pair in pairs:
        try:
            metric.check(pair.question)
        except OpError as refusal:  # noqa: PERF203 - each pair may refuse it
            problem = refusal
        else:
            fitting.append(pair)
    return fitting, None if fitting else problem


def _measured(metric: Metric, pair: _Pair, pairs: int) -> Measured:
    name = metric.label if pairs == 1 else f"{metric.label}({pair.prediction.name})"
    question = pair.question
    return Measured(
        name,
        metric,
        metric.code(question),
        pair.prediction,
        pair.target,
        metric.given(question),
    )
