"""Lists the images of folders: by part, by class, and with the partners of the same names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from archdsl.techniques.data import PICTURES
from archdsl.training.data.places import (
    entries,
    files_below,
    find,
    find_file,
    find_folder,
    need_inside,
)
from archdsl.training.data.request import Request, bad_data, listed, mismatch

_PART_NAMES = {
    "train": ("train", "training"),
    "validation": ("val", "valid", "validation"),
    "test": ("test",),
}


@dataclass(frozen=True)
class Entry:
    """A sample on disk: its image, the partner of it, the class, and the part it stands in."""

    image: Path
    shown: str
    partner: Path | None = None
    label: int = 0
    part: str = ""


@dataclass(frozen=True)
class Listing:
    """All samples of a source, in the order of their names."""

    entries: tuple[Entry, ...]
    classes: tuple[str, ...] = ()


def part_folders(folder: Path, shown: str) -> dict[str, Path]:
    """The folders of the parts by the name of the part; one folder by "" where there are none."""
    below = {p.name.lower(): p for p in entries(folder, shown) if p.is_dir()}
    found: dict[str, Path] = {}
    for part, spellings in _PART_NAMES.items():
        for name in spellings:
            if name in below and part not in found:
                found[part] = below[name]
    return found if "train" in found else {"": folder}


def list_classes(request: Request, folder: str, *, labelled: bool) -> Listing:
    """Images in a folder for each class; without ``labelled``, images wherever they are.

    Without, it may be a single image, too.
    """
    if not labelled and is_picture(Path(folder)) and find(request, folder).is_file():
        return Listing((Entry(find_file(request, folder), folder),))
    place = find_folder(request, folder)
    known = next(iter(request.classes.values()), ())
    classes = list(known)
    found: list[Entry] = []
    for part, part_folder in part_folders(place, folder).items():
        if not labelled:
            found += [Entry(p, _shown(p, place, folder), part=part) for p in _images(part_folder)]
            continue
        for below in entries(part_folder, folder):
            images = _images(below) if below.is_dir() else []
            if images and below.name not in classes:
                if known or part in {"validation", "test"}:
                    whose = f"the classes {listed(classes)}"
                    raise mismatch(f"{folder} has the class {below.name}, which is none of {whose}")
                classes.append(below.name)
            label = classes.index(below.name) if images else 0
            found += [Entry(p, _shown(p, place, folder), None, label, part) for p in images]
    if not found:
        loose = labelled and next(iter(_images(place)), None) is not None
        raise bad_data(
            f"{folder} has no images" + (" in folders of classes" if loose else ""),
            help=f"a folder for each class: {folder}/cat/1.png" if labelled else _formats(),
        )
    _need_inside(request, found)
    return Listing(tuple(found), tuple(classes))


def list_pairs(request: Request, folder: str, partners: str, *, what: str) -> Listing:
    """Images, each with the one of the same name (whatever its suffix) in another folder."""
    first, second = find_folder(request, folder), find_folder(request, partners)
    theirs = part_folders(second, partners)
    found: list[Entry] = []
    missing: list[str] = []
    for part, place in part_folders(first, folder).items():
        other = theirs.get(part, second)
        by_name = {p.relative_to(other).with_suffix("").as_posix(): p for p in _images(other)}
        for image in _images(place):
            shown = _shown(image, first, folder)
            partner = by_name.get(image.relative_to(place).with_suffix("").as_posix())
            if partner is None:
                missing.append(shown)
            found.append(Entry(image, shown, partner, part=part))
    if not found:
        raise bad_data(f"{folder} has no images", help=_formats())
    if missing:
        raise bad_data(
            f"{len(missing)} of {len(found)} images have no {what} in {partners}:"
            f" {listed(missing)}",
            help=f"a {what} is called as its image is, but for the suffix",
        )
    _need_inside(request, found)
    return Listing(tuple(found))


def _images(folder: Path) -> list[Path]:
    return [p for p in files_below(folder) if is_picture(p)]


def is_picture(path: Path) -> bool:
    """Whether a file is called as images are."""
    return path.suffix.lower() in PICTURES


def _shown(path: Path, folder: Path, called: str) -> str:
    return (Path(called) / path.relative_to(folder)).as_posix()


def _need_inside(request: Request, found: Sequence[Entry]) -> None:
    for entry in found:
        need_inside(request, entry.image, entry.shown)
        if entry.partner is not None:
            need_inside(request, entry.partner, entry.partner.name)


def _formats() -> str:
    return f"images end in {', '.join(sorted(PICTURES))}"
