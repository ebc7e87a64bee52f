"""Whether the batches of a recipe are large enough for the network's layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.diagnostics import Diagnostic, Span
from archdsl.graph import Graph
from archdsl.passes.least_batch import layers_of_several
from archdsl.recipes.recipe import Recipe


def layers_that_need_several(recipe: Recipe, graph: Graph) -> dict[str, int]:
    """The layers that are trained and need more samples than one, by path, and how many.

    What is frozen in every epoch is as in evaluation, and needs no more than one.
    """
    frozen = [set(stage.value.names) for stage in recipe.freeze]
    always = set.intersection(*frozen) if frozen else set()
    idle = {
        part.path
        for part in recipe.parts
        if part.parameters and all(name in always for name, _ in part.parameters)
    }
    return {path: least for path, least in layers_of_several(graph).items() if path not in idle}


def check_batches(recipe: Recipe, graph: Graph, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """A batch that is smaller than a layer needs."""
    if recipe.batch_size >= recipe.least_batch:
        return
    several = layers_that_need_several(recipe, graph)
    path = max(several, key=lambda path: several[path])
    yield Diagnostic(
        "bad-setting",
        f"{path} needs {recipe.least_batch} samples to be trained on, and a batch has"
        f" {recipe.batch_size}",
        span=spans.get("batch_size"),
        text="it takes a deviation over the samples",
        help=f"write batch_size: {recipe.least_batch}, or more",
    )
