"""Whether what training needs is installed, said before anything else is done."""

from __future__ import annotations

from importlib.util import find_spec

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.recipes import Recipe
from archdsl.techniques.transforms import Transform

# What is imported, by what is installed.
_NEEDED = {
    "lightning": "lightning",
    "torchmetrics": "torchmetrics",
    "safetensors": "safetensors",
    "scikit-learn": "sklearn",
    "pillow": "PIL",
    "matplotlib": "matplotlib",
    "rich": "rich",
}


def need_extras(recipe: Recipe | None = None) -> None:
    """Raise ArchError, ``no-lightning``, where a package is missing that training needs.

    Of a recipe, also what its transforms and its optimizer need.
    """
    missing = [package for package, module in _NEEDED.items() if find_spec(module) is None]
    augment = recipe.augment if recipe else ()
    if any(isinstance(t, Transform) for t in augment) and find_spec("kornia") is None:
        missing.append("kornia")
    if missing:
        raise _missing(missing, "pip install 'archdsl[train]'")
    extra = recipe.optimizer.extra if recipe else ""
    if extra and find_spec(extra) is None:
        package = extra.replace("_", "-")
        raise _missing([package], f"pip install {package}")


def _missing(names: list[str], help: str) -> ArchError:
    verb = "is" if len(names) == 1 else "are"
    listed = " and ".join(part for part in (", ".join(names[:-1]), names[-1]) if part)
    message = f"training needs {listed}, which {verb} not installed"
    return ArchError([Diagnostic("no-lightning", message, help=help)])
