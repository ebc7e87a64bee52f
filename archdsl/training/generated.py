"""The LightningModule of a recipe: its source, executed."""

from __future__ import annotations

import hashlib
import linecache
from types import ModuleType
from typing import TYPE_CHECKING

from torch import nn

from archdsl.backends.torch_training import generate_training
from archdsl.recipes import Recipe
from archdsl.training.lean import lean

if TYPE_CHECKING:
    from lightning.pytorch import LightningModule


def training_module(recipe: Recipe, network: nn.Module) -> LightningModule:
    """What trains a network as a recipe says. The source is kept where tracebacks find it."""
    generated = generate_training(recipe, type(network).__name__)
    text = generated.module()
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    filename = f"<archdsl training of {recipe.network} {digest}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    made = ModuleType(f"archdsl_generated.training_{digest}")
    exec(compile(text, filename, "exec"), made.__dict__)  # noqa: S102 - our own source
    module: LightningModule = lean(getattr(made, generated.class_name))(network)
    module.terms = tuple(term.name for term in recipe.loss)  # type: ignore[assignment]  # plain
    return module
