"""Predicts with a trained network: probabilities or values, and how sure they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.recipes import Recipe
from archdsl.recipes.changes import read_data
from archdsl.techniques.data import DataSource
from archdsl.techniques.prediction import MonteCarlo
from archdsl.training.answers import Answer, answers_of, tensors_of
from archdsl.training.data import Scale, open_inputs
from archdsl.training.lookups import unknown_indices_refused
from archdsl.training.uncertainty import (
    drops_at_random,
    entropy_of,
    own_randomness,
    several_passes,
)


class Known(Protocol):
    """What a network has learnt of its data beside its weights: scales, and names."""

    @property
    def source(self) -> DataSource | None: ...

    @property
    def columns(self) -> tuple[str, ...]: ...

    @property
    def scale(self) -> Mapping[str, Scale]: ...

    @property
    def target_scale(self) -> Mapping[str, Scale]: ...

    @property
    def classes(self) -> Mapping[str, tuple[str, ...]]: ...


@dataclass(frozen=True)
class Predictions:
    """What a network says of some samples, by one output.

    ``mean`` holds probabilities, of classes along ``answer.axis`` and of a yes elsewhere, or
    values in the units of the data. With several passes (Monte-Carlo dropout, or an ensemble)
    ``spread`` is their standard deviation and ``information`` what they disagree about; ``entropy``
    is that of the mean. Both in nats.
    """

    answer: Answer
    mean: Tensor
    spread: Tensor | None = None
    entropy: Tensor | None = None
    information: Tensor | None = None
    classes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.mean)

    @property
    def indices(self) -> Tensor:
        """The class that is most likely, or 1 for yes. Raises ValueError for values."""
        if self.answer.kind == "classes":
            return self.mean.argmax(self.answer.axis)
        if self.answer.kind == "binary":
            return (self.mean > 0.5).long()
        raise ValueError(f"{self.answer.output} predicts values, not classes")

    @property
    def probability(self) -> Tensor:
        """That of what is most likely. Raises ValueError for values."""
        if self.answer.kind == "classes":
            return self.mean.amax(self.answer.axis)
        return torch.where(self.indices == 1, self.mean, 1 - self.mean)

    def name(self, index: int) -> str:
        """The name of a class, or its number."""
        return self.classes[index] if index < len(self.classes) else str(index)

    def __str__(self) -> str:
        count, sizes = len(self), list(self.mean.shape[1:])
        if self.answer.kind == "classes":
            what = f"one of {sizes.pop(self.answer.axis - 1)} classes"
        else:
            what = "yes or no" if self.answer.kind == "binary" else "values"
        told = f"{what} at each of {sizes}" if sizes and what != "values" else what
        told = f"{told} {sizes}" if sizes and what == "values" else told
        samples = f"{count} sample{'s' * (count != 1)}"
        return f"{self.answer.output} of {samples}: {told}"

    def __repr__(self) -> str:
        return f"<Predictions: {self}>"


@dataclass(frozen=True)
class Predicted:
    """What a network says of a source of data, by the names of its outputs.

    ``names`` are those of the samples, where they have any; ``warnings`` is what there is to be
    warned of.
    """

    outputs: dict[str, Predictions]
    names: tuple[str, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()


def predict(
    network: nn.Module,
    batches: Iterable[Any],
    recipe: Recipe,
    *,
    scale: Mapping[str, Scale] | None = None,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    monte_carlo: int | None = None,
) -> dict[str, Predictions]:
    """What a trained network says of all samples, by the names of its outputs.

    As :func:`predict_batches`, of which these are all together.
    """
    every = list(
        predict_batches(
            network, batches, recipe, scale=scale, classes=classes, monte_carlo=monte_carlo
        )
    )
    if not every:
        raise ArchError([Diagnostic("bad-data", "there are no samples to predict for")])
    return {name: _joined([batch[name] for batch in every]) for name in every[0]}


def predict_source(
    network: nn.Module,
    recipe: Recipe,
    source: object,
    known: Known,
    monte_carlo: int | None = None,
) -> Predicted:
    """What a trained network says of a source of data.

    ``source`` is as ``fit`` takes it, and needs no targets; a text is read like the source of the
    training. Raises ArchError for what does not fit.
    """
    data = open_inputs(
        read_data(source, known.source) if isinstance(source, str) else source,
        inputs=recipe.inputs,
        settings=recipe.data_settings(),
        scale=known.scale,
        classes=known.classes,
        columns=known.columns,
        demands=recipe.demands,
    )
    found = predict(
        network,
        data.loaders().test or (),
        recipe,
        scale={**known.scale, **known.target_scale},
        classes=known.classes,
        monte_carlo=monte_carlo,
    )
    return Predicted(found, data.names, data.warnings)


@torch.no_grad()
def predict_batches(
    network: nn.Module,
    batches: Iterable[Any],
    recipe: Recipe,
    *,
    scale: Mapping[str, Scale] | None = None,
    classes: Mapping[str, tuple[str, ...]] | None = None,
    monte_carlo: int | None = None,
) -> Iterator[dict[str, Predictions]]:
    """What a trained network says, batch by batch.

    A batch is ``(inputs, targets)``; its targets are not looked at. ``scale`` is by the names of
    targets and inputs, and is undone; ``classes`` names those of targets. ``monte_carlo`` is how
    many passes are made with dropout at work: the recipe's unless it is given, 0 for none.
    """
    answers = answers_of(recipe)
    samples = _samples(recipe) if monte_carlo is None else monte_carlo
    _need_dropout(network, samples)
    parameter = next(network.parameters(), torch.zeros(()))
    mode = network.training
    network.eval()
    try:
        for number, (inputs, _) in enumerate(batches):
            columns = [x.to(parameter.device) for x in tensors_of(inputs)]
            randomness = own_randomness(recipe.seed + number, parameter.device)
            with unknown_indices_refused(), randomness:
                found = _predicted(network, columns, answers, samples)
            yield {
                a.output: _in_units(
                    replace(p, classes=(classes or {}).get(a.like, ())), scale or {}
                )
                for a, p in zip(answers, found, strict=True)
            }
    finally:
        network.train(mode)


def _predicted(
    network: nn.Module, inputs: list[Tensor], answers: tuple[Answer, ...], samples: int
) -> list[Predictions]:
    """One pass; or several, and what they say together."""
    passes = several_passes(network, inputs, answers, samples)
    if passes is not None and samples:
        means = [p.mean.float() for p in passes]
    else:
        given = tensors_of(network(*inputs))
        means = [a.probabilities(x.detach()) for a, x in zip(answers, given, strict=True)]
    found = []
    for index, (answer, mean) in enumerate(zip(answers, means, strict=True)):
        one = Predictions(answer, mean.cpu(), entropy=_on_host(entropy_of(answer, mean)))
        if passes is not None:
            information = _on_host(passes[index].information)
            spread = _on_host(passes[index].spread)
            one = replace(one, spread=spread, information=information)
        found.append(one)
    return found


def _on_host(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.float().cpu()


def _in_units(predictions: Predictions, scales: Mapping[str, Scale]) -> Predictions:
    """The same in the units of the data, where that was scaled."""
    scale = scales.get(predictions.answer.like)
    if scale is None or predictions.answer.kind != "values":
        return predictions
    spread = predictions.spread
    if spread is not None:  # a deviation is stretched, and not shifted
        spread = scale.undo(spread) - scale.undo(torch.zeros_like(spread))
    return replace(predictions, mean=scale.undo(predictions.mean), spread=spread)


def _joined(parts: list[Predictions]) -> Predictions:
    return replace(
        parts[0],
        mean=torch.cat([part.mean for part in parts]),
        spread=_all_of([part.spread for part in parts]),
        entropy=_all_of([part.entropy for part in parts]),
        information=_all_of([part.information for part in parts]),
    )


def _all_of(parts: list[Tensor | None]) -> Tensor | None:
    tensors = [part for part in parts if part is not None]
    return torch.cat(tensors) if tensors else None


def _samples(recipe: Recipe) -> int:
    return recipe.predict.samples if isinstance(recipe.predict, MonteCarlo) else 0


def _need_dropout(network: nn.Module, samples: int) -> None:
    """Several passes that are all the same would look like certainty."""
    if samples and not any(map(drops_at_random, network.modules())):
        message = "Monte-Carlo dropout needs a network with dropout, and this one has none"
        help = "put dropout(0.2) into it, or predict without monte_carlo"
        raise ArchError([Diagnostic("bad-setting", message, help=help)])
