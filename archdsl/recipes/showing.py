"""A recipe as plain data: every setting as the language writes it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from archdsl.recipes.recipe import Recipe, Stage, Term


def settings_of(recipe: Recipe) -> dict[str, Any]:
    """Every setting by its key, resolved: what a block leaves out is there too."""
    shown: dict[str, Any] = {"network": recipe.network}
    if recipe.name:
        shown["name"] = recipe.name
    shown["loss"] = formula_text(recipe.loss)
    shown["metrics"] = [measured.name for measured in recipe.metrics]
    shown["optimizer"] = str(recipe.optimizer)
    if recipe.layer_lr:
        shown["layer_lr"] = {str(part): factor for part, factor in recipe.layer_lr}
    shown["schedule"] = _stages(recipe.schedule)
    for key in ("epochs", "batch_size", "drop_last", "accumulate"):
        shown[key] = getattr(recipe, key)
    shown["clip"] = _text(recipe.clip)
    shown["constraint"] = _chain(recipe.constraints)
    shown["augment"] = _chain(recipe.augment)
    shown["initialize"] = _chain(recipe.initialize)
    shown["reparametrize"] = _text(recipe.reparametrize)
    shown["weights"] = recipe.weights
    shown["freeze"] = _stages(recipe.freeze)
    shown["dropout"] = _stages(recipe.dropout, {True: "on", False: "off"})
    for key in ("early_stopping", "average", "ensemble", "predict", "data"):
        shown[key] = _text(getattr(recipe, key))
    for key in ("monitor", "reestimate_batch_norm", "precision", "seed"):
        shown[key] = getattr(recipe, key)
    shown["split"] = list(recipe.split)
    for key in ("normalize", "normalize_targets", "folds", "workers", "strict"):
        shown[key] = getattr(recipe, key)
    return shown


def formula_text(terms: Iterable[Term]) -> str:
    """The loss as a formula: ``0.9 * mse(main) + 0.1 * mse(aux)``."""
    return " + ".join(_term(term) for term in terms)


def _term(term: Term) -> str:
    options = ", ".join(
        part for part in str(term.technique).partition("(")[2].removesuffix(")").split(", ") if part
    )
    named, _, tensors = term.name.partition("(")
    inside = ", ".join(part for part in (tensors.removesuffix(")"), options) if part)
    if not term.of_data:
        inside = tensors.removesuffix(")")
    text = f"{named}({inside})" if inside else named
    return text if term.factor == 1 else f"{term.factor:g} * {text}"


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _chain(values: Iterable[Any]) -> str | None:
    return " -> ".join(map(str, values)) or None


def _stages(stages: Iterable[Stage[Any]], words: dict[Any, str] | None = None) -> str | None:
    text = ""
    for stage in stages:
        shown = (words or {}).get(stage.value) or str(stage.value) or "none"
        text += f" then {shown} at epoch {stage.start}" if stage.start else shown
    return text or None
