"""What the tests of training share: a specification's text as the module that trains it."""

from __future__ import annotations

from typing import Any

import archdsl
from archdsl.diagnostics import Diagnostic
from archdsl.recipes import Recipe
from archdsl.training.generated import training_module


def recipe_of(text: str, network: str | None = None) -> Recipe:
    """The recipe of the train block in a specification; every diagnostic is a failure."""
    recipe, found = read(text, network)
    assert not found, "\n".join(map(str, found))
    assert recipe is not None
    return recipe


def read(text: str, network: str | None = None) -> tuple[Recipe | None, tuple[Diagnostic, ...]]:
    """The recipe of the train block in a specification, and what is said of it."""
    specification = archdsl.loads(text)
    return specification.recipe(specification.graph(network))


def module_of(text: str, network: str | None = None) -> tuple[Any, Recipe]:
    """The LightningModule that trains a specification's network, and its recipe.

    Its attributes are those of generated source, which no type checker knows.
    """
    recipe = recipe_of(text, network)
    return training_module(recipe, archdsl.compile(archdsl.loads(text).graph(network))), recipe
