"""Where a run comes from: the files of its specification, and what was asked of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from archdsl.diagnostics import Source
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

    def as_dict(self, folder: Path | None = None) -> dict[str, Any]:
        """As it stands beside weights; the data's place as it is seen from the results' folder."""
        root = None if self.root is None else _seen_from(folder, self.root)
        made = {"network": self.network, "recipe": self.recipe, "set": list(self.changes)}
        return {**made, "parameters": list(self.parameters), "root": root}


def _seen_from(folder: Path | None, root: Path) -> str:
    try:
        return Path(os.path.relpath(root.resolve(), (folder or Path()).resolve())).as_posix()
    except ValueError:  # on another drive
        return root.resolve().as_posix()


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
