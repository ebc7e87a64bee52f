"""Where a run comes from: the files of its specification, and what was asked of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archdsl.diagnostics import ArchError, Source
from archdsl.ops.op import show_value
from archdsl.recipes import Recipe
from archdsl.recipes.changes import read_changes
from archdsl.recipes.settings import SETTINGS
from archdsl.recipes.showing import settings_of
from archdsl.specification import Specification, read
from archdsl.syntax import ast
from archdsl.syntax.parser import parse
from archdsl.training.results import SPECIFICATION


@dataclass(frozen=True)
class Origin:
    """A network of a specification, with the recipe that was chosen and what was changed.

    ``files`` are texts by their place in the results folder: the specification, and what it
    imports from its own folder.
    """

    network: str = ""
    recipe: str | None = None
    changes: tuple[str, ...] = ()
    """As ``--set`` takes them."""
    files: dict[str, str] = field(default_factory=dict)
    root: Path | None = None
    """What the paths of the data are relative to."""
    parameters: tuple[str, ...] = ()
    """Those of the changes that are the network's."""
    given: bool = False
    """Whether the data was handed over in Python, so that no text names it."""

    def as_dict(self, folder: Path | None = None) -> dict[str, Any]:
        """As it stands beside weights; the data's place as it is seen from the results' folder."""
        root = None if self.root is None else _seen_from(folder, self.root)
        made = {"network": self.network, "recipe": self.recipe, "set": list(self.changes)}
        given = {"given": True} if self.given else {}
        return {**made, "parameters": list(self.parameters), "root": root, **given}


def _seen_from(folder: Path | None, root: Path) -> str:
    try:
        return Path(os.path.relpath(root.resolve(), (folder or Path()).resolve())).as_posix()
    except ValueError:  # on another drive
        return root.resolve().as_posix()


def origin_of(
    specification: Specification, network: str, recipe: Recipe, own: Recipe | None, data: object
) -> Origin:
    """Where a run in Python comes from: of a file's network, with a recipe and data.

    ``own`` is what the file says of the network's training. An origin without a network where no
    text would give that recipe again: the run then leaves weights alone.
    """
    changes = {} if recipe is own else _changes(specification, network, recipe, own)
    if changes is None:
        return Origin()
    if isinstance(data, str):
        changes["data"] = data
    beside = specification.path.parent if specification.path is not None else Path()
    return Origin(
        network,
        recipe.name or None,
        tuple(f"{key}={text}" for key, text in changes.items()),
        files_of(specification),
        beside if data is None else Path(),
        given=data is not None and not isinstance(data, str),
    )


def _changes(
    specification: Specification, network: str, recipe: Recipe, own: Recipe | None
) -> dict[str, str] | None:
    """The settings that make the recipe of what the file says, or None where none do."""
    graph, name = specification.graph(network), recipe.name or None
    wanted = settings_of(recipe)
    before = own if own is not None and own.name == recipe.name else None
    if before is None:
        before, _ = specification.recipe(graph, name)
    known = settings_of(before) if before is not None else {}
    changed = {key: value for key, value in wanted.items() if known.get(key) != value}
    texts = {key: _text(key, value) for key, value in changed.items() if key in SETTINGS}
    try:
        again, _ = specification.recipe(graph, name, read_changes(texts))
    except ArchError:
        return None
    return texts if again is not None and settings_of(again) == wanted else None


def _text(key: str, value: Any) -> str:
    """A setting as a train block writes it."""
    if isinstance(value, dict):
        pairs = (f"({part}, {factor})" for part, factor in value.items())
        return f"[{', '.join(pairs)}]"
    if isinstance(value, list):
        shown = ", ".join(map(str, value))
        return f"({shown})" if key == "split" else f"[{shown}]"
    if key in _QUOTED and isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return show_value(value)


_QUOTED = ("precision", "monitor", "weights")


def files_of(specification: Specification) -> dict[str, str]:
    """The specification's text, and those of the files below its folder that it imports."""
    files = {SPECIFICATION: specification.file.source.text}
    if specification.path is not None:
        top = specification.path.resolve().parent
        files.update(_imported(specification.file, top, top, set()))
    return files


def _imported(
    file: ast.File, folder: Path, top: Path, seen: set[Path]
) -> Iterator[tuple[str, str]]:
    for declaration in file.declarations:
        if not isinstance(declaration, ast.Import) or declaration.is_std:
            continue
        place = (folder / declaration.module).resolve()
        if place in seen or not place.is_relative_to(top):
            continue
        seen.add(place)
        text = read(place)
        yield place.relative_to(top).as_posix(), text
        yield from _imported(parse(Source(place.name, text)), place.parent, top, seen)
