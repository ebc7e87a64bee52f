"""What of the augmentation does not go with the network, its losses or the data's scale."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.diagnostics import Diagnostic, Span
from archdsl.ops.op import Tensor
from archdsl.recipes.formula import TARGET
from archdsl.recipes.recipe import Recipe
from archdsl.techniques.mixing import Mixing
from archdsl.techniques.transforms import Transform


def check_augmentation(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """Every mistake, at the link of the chain that makes it."""
    for index, link in enumerate(recipe.augment):
        span = spans.get(f"augment.{index}", spans.get("augment"))
        if isinstance(link, Mixing):
            problem = _wrong_place(recipe, index) or _mixing(recipe, link)
        else:
            problem = _transform(recipe, link) or _masks(recipe, link)
        if problem is not None:
            message, help = problem
            yield Diagnostic("bad-augmentation", message, span=span, help=help)
    yield from _windows(recipe, spans)


Problem = tuple[str, str] | None
"""A message and what would help."""


def _images(recipe: Recipe) -> list[tuple[str, Tensor]]:
    return [(n, t) for n, t in recipe.inputs.items() if t.rank == 3 and t.dtype == "float"]


def _transform(recipe: Recipe, link: Transform) -> Problem:
    images = _images(recipe)
    if not images:
        shown = " and ".join(f"{name} is {type}" for name, type in recipe.inputs.items())
        return f"{link.name} changes images [channels, height, width], and {shown}", ""
    if len(images) > 1:
        names = " and ".join(name for name, _ in images)
        return (
            f"{link.name} changes one image, and the network takes {names}",
            "augment them in your own Dataset, together or apart",
        )
    name, type = images[0]
    if link.channels not in (None, type.channels):
        return f"{link.name} takes images of {link.channels} channels, and {name} is {type}", ""
    if link.unit and recipe.normalize == "standard":
        return (
            f"{link.name} takes values of 0 to 1, and normalize: standard scales them before it",
            "write normalize: unit, or none where the data has such values",
        )
    return None


def _masks(recipe: Recipe, link: Transform) -> Problem:
    """What has a value at every place moves along, if it is of the image's size."""
    if not link.geometric:
        return None
    image = _images(recipe)[0][1]
    for name, wanted in recipe.targets.items():
        type = wanted.type
        sizes = type.dims if type.dtype == "int" else type.dims[1:]
        if type.rank > 1 and sizes != image.dims[1:]:
            return (
                f"{link.name} cannot move {_target(name)} {type} along with the image {image}",
                "leave it out, or give the network an output of the image's size",
            )
    return None


def _wrong_place(recipe: Recipe, index: int) -> Problem:
    link = recipe.augment[index]
    after = recipe.augment[index + 1 :]
    if any(isinstance(other, Transform) for other in after):
        return f"{link.name} mixes images that are changed already: it comes last", ""
    if any(type(other) is type(link) for other in after):
        return f"{link.name} is there twice", "of mixup and cutmix, each batch takes one"
    return None


def _mixing(recipe: Recipe, link: Mixing) -> Problem:
    if len(recipe.inputs) != 1:
        return f"{link.name} mixes one input, and the network has {len(recipe.inputs)}", ""
    ((name, type),) = recipe.inputs.items()
    if type.dtype != "float":
        return f"{link.name} mixes real numbers, and {name} is {type}", ""
    if not recipe.targets:
        return (
            f"{link.name} mixes losses against targets, and this loss has no target of the data",
            "noise or erasing changes images alone",
        )
    if not link.of_images:
        return None
    if type.rank != 3:
        return f"{link.name} mixes images [channels, height, width], and {name} is {type}", ""
    for target, wanted in recipe.targets.items():
        if wanted.type.rank > 1 or (wanted.classes is not None and wanted.type.rank):
            return (
                f"{link.name} takes one class a sample, and {_target(target)} is {wanted.type}",
                "mixup mixes such targets too",
            )
    return None


def _target(name: str) -> str:
    return "the target" if name == TARGET else f"the target {name}"


def _windows(recipe: Recipe, spans: Mapping[str, Span]) -> Iterator[Diagnostic]:
    """The size that images come out with is the network's."""
    images = _images(recipe)
    if len(images) != 1:
        return
    name, type = images[0]
    for index, link in reversed([*enumerate(recipe.augment)]):
        window = link.window if isinstance(link, Transform) else None
        if window is None:
            continue
        wrong = [
            (given, size)
            for given, size in zip(window, type.dims[1:], strict=True)
            if isinstance(size, int) and size != given
        ]
        if wrong:
            height, width = window
            yield Diagnostic(
                "bad-augmentation",
                f"{link.name} gives images of {height} × {width}, and the network's input {name}"
                f" is {type}",
                span=spans.get(f"augment.{index}"),
                help=f"write {link.name}({_written(type)})",
            )
        return


def _written(type: Tensor) -> str:
    height, width = type.dims[1:]
    return str(height) if height == width else f"({height}, {width})"
