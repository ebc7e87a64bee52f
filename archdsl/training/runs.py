"""Opens the folder of a run: its network with the trained weights, and all that belongs to it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import nn

from archdsl.backends.torch_module import make_module
from archdsl.backends.torch_module.weights import read_weights
from archdsl.diagnostics import ArchError, Diagnostic, Source
from archdsl.elaborate.bounds import Budget
from archdsl.elaborate.expressions import evaluate
from archdsl.graph import Graph
from archdsl.recipes import Recipe
from archdsl.recipes.changes import read_changes
from archdsl.recipes.settings import SETTINGS
from archdsl.specification import Specification, load
from archdsl.syntax import ast
from archdsl.syntax.parser import parse
from archdsl.techniques.data import DataSource
from archdsl.training.data.scaling import Scale
from archdsl.training.ensemble import members_in
from archdsl.training.predicting import Predictions, predict_source
from archdsl.training.results import SPECIFICATION, WEIGHTS, WEIGHTS_METADATA


@dataclass(frozen=True)
class Trained:
    """A network that a run has trained, and what it knows of its data."""

    network: nn.Module
    recipe: Recipe
    folder: Path
    root: Path | None = None
    """What the paths of the recipe's data are relative to."""
    scale: Mapping[str, Scale] = field(default_factory=dict)
    target_scale: Mapping[str, Scale] = field(default_factory=dict)
    classes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fold: int = 0
    """Which fold of its data it was tested on, counted from 0."""
    columns: tuple[str, ...] = ()
    """Those of a table that it was trained on, in the order that it takes them in."""

    @property
    def source(self) -> DataSource | None:
        """What it was trained on."""
        return self.recipe.data

    def predict(self, source: object, *, monte_carlo: int | None = None) -> dict[str, Predictions]:
        """What the network says of data, by the names of its outputs.

        ``source`` is as ``archdsl.fit`` takes it, without targets. Inputs are scaled as in
        training, and a table goes by the names of its columns. ``monte_carlo`` is how many passes
        are made with dropout at work. Raises ArchError.
        """
        return predict_source(self.network, self.recipe, source, self, monte_carlo).outputs

    def evaluate(self, source: object = None) -> dict[str, float]:
        """The loss and the metrics: on all of a source, or on the test part of its own data."""
        from archdsl.training.evaluating import evaluate

        return evaluate(self, source)

    def __str__(self) -> str:
        return f"{self.recipe.network}, trained in {self.folder}"

    def __repr__(self) -> str:
        return f"<Trained: {self}>"


def open_trained(folder: Path) -> Trained:
    """What a run left, ready to predict. Raises ArchError where that is no finished run."""
    metadata = metadata_of(folder)
    origin = metadata["origin"]
    specification = load(folder / SPECIFICATION)
    own = origin.get(
        "parameters", [t for t in origin["set"] if t.partition("=")[0] not in SETTINGS]
    )
    parameters = dict(_parameter(text, specification) for text in own)
    graph = specification.graph(origin["network"], **parameters)
    changes = dict(_parted(text) for text in origin["set"] if text not in own)
    recipe, found = specification.recipe(graph, origin["recipe"], read_changes(changes))
    if recipe is None:
        raise ArchError(found)
    if origin.get("given"):  # what the file names was not what it was trained on
        recipe = recipe.replace(data=None)
    return open_run(folder, recipe, graph, metadata)


def _parted(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()


def _parameter(text: str, specification: Specification) -> tuple[str, Any]:
    """A parameter of the network with its value, as ``--set`` gave it."""
    (declared,) = parse(Source("--set", f"let {text}")).declarations
    assert isinstance(declared, ast.Let)
    return _parted(text)[0], evaluate(declared.value, specification.env, Budget())


def metadata_of(folder: Path) -> dict[str, Any]:
    """What stands beside the weights of a run. Raises ArchError where there is no whole run."""
    place = folder / WEIGHTS
    if not place.is_file():
        raise _no_weights(folder)
    try:
        with safe_open(place, "pt") as file:
            found: Any = json.loads((file.metadata() or {}).get(WEIGHTS_METADATA, "{}"))
    except (SafetensorError, OSError, ValueError) as problem:
        reason = str(problem).partition("\n")[0]
        message = f"{place} cannot be read: {reason}"
        raise ArchError([Diagnostic("unreadable-file", message)]) from None
    if not isinstance(found, dict) or not isinstance(found.get("origin"), dict):
        message = f"{place} does not say which network its weights are of"
        raise ArchError([Diagnostic("no-run", message)])
    if not found["origin"].get("network"):
        message = (
            f"{folder} is of archdsl.fit in Python, and has no specification to read: what was"
            " trained was a module or a graph, or the recipe is one that no text gives"
        )
        help = f'archdsl.compile(target, weights="{place.as_posix()}") makes the network again'
        raise ArchError([Diagnostic("no-run", message, help=help)])
    return found


def _no_weights(folder: Path) -> ArchError:
    message = f"{folder} holds no finished run: it has no {WEIGHTS}"
    help = "archdsl train … -o FOLDER makes one; --resume finishes one that was broken off"
    folds = sorted(place.parent for place in folder.glob(f"fold-*/{WEIGHTS}"))
    if not folder.is_dir():
        message = f"{folder} holds no finished run: it is no folder"
    elif folds:
        message = f"{folder} holds a run with folds, each of which has weights of its own"
        help = f"name the folder of one: {folds[0]}"
    return ArchError([Diagnostic("no-run", message, help=help)])


def open_run(folder: Path, recipe: Recipe, graph: Graph, metadata: Mapping[str, Any]) -> Trained:
    """The trained network of a run, or the ensemble that came of it."""
    weights = read_weights(folder / WEIGHTS).tensors
    network = members_in(recipe, weights, lambda state: make_module(graph, weights=state))

    def scales(key: str) -> dict[str, Scale]:
        return {name: Scale.from_dict(data) for name, data in metadata.get(key, {}).items()}

    root = metadata["origin"].get("root")
    return Trained(
        network.eval(),
        recipe,
        folder,
        folder.resolve() / root if root else None,
        scales("scale"),
        scales("target_scale"),
        {name: tuple(names) for name, names in metadata.get("classes", {}).items()},
        metadata.get("fold", 0),
        tuple(metadata.get("columns", ())),
    )
