"""Samples of folders of images: in memory where they fit, else read one by one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.ops.arguments import Sizes
from archdsl.techniques.data import DataSource, Images, Masks, Pairs
from archdsl.techniques.losses import Wanted
from archdsl.training.data.listing import Entry, Listing, list_classes, list_pairs
from archdsl.training.data.pictures import Unreadable, read_image, read_mask, size_of
from archdsl.training.data.request import Request, bad_data
from archdsl.training.data.samples import (
    Columns,
    InMemory,
    OneByOne,
    Parts,
    Samples,
    Skipped,
    stacked,
)

IN_MEMORY = 2**30  # bytes; above, images are read from the disk in every epoch

Sides = tuple[int, int]


class Read(Protocol):
    """What makes a sample of a file: a record, so that it can be sent to a worker."""

    def __call__(self, entry: Entry) -> tuple[Columns, Columns]: ...


@dataclass(frozen=True)
class _ReadLabelled:
    size: Sides | None
    channels: int
    labelled: bool

    def __call__(self, entry: Entry) -> tuple[Columns, Columns]:
        label = (torch.tensor(entry.label),) if self.labelled else ()
        return (read_image(entry.image, self.size, self.channels),), label


@dataclass(frozen=True)
class _ReadMasked:
    size: Sides | None
    channels: int
    binary: bool

    def __call__(self, entry: Entry) -> tuple[Columns, Columns]:
        image = read_image(entry.image, self.size, self.channels)
        mask = self._mask(entry)
        if mask.shape != image.shape[1:]:
            raise bad_data(
                f"the mask of {entry.shown} is {list(mask.shape)}, and the image"
                f" {list(image.shape[1:])}",
                help="give both a size: masks(…, size = 64)",
            )
        return (image,), (mask,)

    def _mask(self, entry: Entry) -> Tensor:
        try:
            mask = read_mask(entry.partner or entry.image, self.size)
        except ValueError as problem:
            raise bad_data(f"the mask of {entry.shown} is {problem}") from None
        if self.binary and bool(((mask == 0) | (mask == 255)).all()):
            return mask // 255
        return mask


@dataclass(frozen=True)
class _ReadPaired:
    size: Sides | None
    channels: int
    target_channels: int

    def __call__(self, entry: Entry) -> tuple[Columns, Columns]:
        image = read_image(entry.image, self.size, self.channels)
        partner = entry.partner or entry.image
        return (image,), (read_image(partner, self.size, self.target_channels),)


def open_images(source: Images, request: Request) -> Samples:
    """A class for each folder."""
    request.one_input(source.shown)
    labelled = request.one_target(source.shown) is not None
    listing = list_classes(request, source.folder, labelled=labelled)
    size = _sides(source.size)
    return _samples(source, request, listing, _ReadLabelled(size, source.channels, labelled), size)


def open_masks(source: Masks, request: Request) -> Samples:
    """The class of every pixel."""
    request.one_input(source.shown)
    target = request.one_target(source.shown)
    size = _sides(source.size)
    if target is None:
        return _alone(source, request, source.images, size, source.channels)
    listing = list_pairs(request, source.images, source.masks, what="mask")
    binary = _is_binary(request.targets[target])
    return _samples(source, request, listing, _ReadMasked(size, source.channels, binary), size)


def _is_binary(wanted: Wanted) -> bool:
    """Whether a mask is to say yes or no at each pixel, and 255 is a way to say yes."""
    return wanted.type.dtype != "int" or wanted.classes == 2


def open_pairs(source: Pairs, request: Request) -> Samples:
    """An image for an image."""
    request.one_input(source.shown)
    target = request.one_target(source.shown)
    size = _sides(source.size)
    if target is None:
        return _alone(source, request, source.inputs, size, source.channels)
    listing = list_pairs(request, source.inputs, source.targets, what="partner")
    channels = 1 if request.targets[target].type.dims[:1] == (1,) else 3
    read = _ReadPaired(size, source.channels, channels)
    return _samples(source, request, listing, read, size)


def _alone(
    source: Masks | Pairs, request: Request, folder: str, size: Sides | None, channels: int
) -> Samples:
    """The images without their partners, for a loss that needs none."""
    listing = list_classes(request, folder, labelled=False)
    return _samples(source, request, listing, _ReadLabelled(size, channels, False), size)


def _sides(size: Sizes | None) -> Sides | None:
    if size is None or isinstance(size, int):
        return None if size is None else (size, size)
    return size[0], size[-1]


# All of them --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Reader:
    """What reads a sample by its number, once training has begun."""

    entries: Sequence[Entry]
    read: Read

    def __call__(self, index: int) -> tuple[Columns, Columns]:
        try:
            return self.read(self.entries[index])
        except Unreadable as problem:
            entry = self.entries[index]
            message = f"{_name(entry, problem)} cannot be read: {problem.reason}"
            raise ArchError(
                [Diagnostic("unreadable-file", message, help="remove it, and start again")]
            ) from None


def _samples(
    source: Images | Masks | Pairs,
    request: Request,
    listing: Listing,
    read: Read,
    size: Sides | None,
) -> Samples:
    entries, sides, skipped = _measured(listing.entries)
    _need_readable(source.shown, request, entries, skipped)
    _need_one_size(source, entries, sides, size)
    height, width = size or sides[0]
    store: InMemory | OneByOne = OneByOne(len(entries), _Reader(entries, read))
    if len(entries) * source.channels * height * width * 4 <= IN_MEMORY:
        store, entries, cut_off = _load(source.shown, request, entries, read, skipped)
        skipped = [*skipped, *cut_off]
    labels = torch.tensor([entry.label for entry in entries])
    return Samples(
        source.shown,
        store,
        (listing.classes,) * len(request.targets),
        _parts(entries),
        strata=labels if listing.classes else None,
        skipped=tuple(skipped),
        fitted=source.fitted,
        names=tuple(entry.shown for entry in entries),
    )


def _measured(
    entries: Sequence[Entry],
) -> tuple[list[Entry], list[Sides], list[Skipped]]:
    """The images whose first bytes can be read, with their sizes, and those whose cannot."""
    kept, sides, skipped = [], [], []
    for entry in entries:
        try:
            sides.append(size_of(entry.image))
            kept.append(entry)
        except Unreadable as problem:  # noqa: PERF203  # each file may be broken by itself
            skipped.append(Skipped(_name(entry, problem), problem.reason))
    return kept, sides, skipped


def _load(
    shown: str, request: Request, entries: Sequence[Entry], read: Read, skipped: Sequence[Skipped]
) -> tuple[InMemory, list[Entry], list[Skipped]]:
    """All images at once; those that end too early show it only here."""
    kept, samples, cut_off = [], [], []
    for entry in entries:
        try:
            samples.append(read(entry))
            kept.append(entry)
        except Unreadable as problem:  # noqa: PERF203  # as above
            cut_off.append(Skipped(_name(entry, problem), problem.reason))
    _need_readable(shown, request, kept, [*skipped, *cut_off])
    return InMemory(*stacked(samples)), kept, cut_off


def _need_readable(
    shown: str, request: Request, kept: Sequence[Entry], skipped: Sequence[Skipped]
) -> None:
    notes = tuple(f"{s.path}: {s.reason}" for s in skipped[:8])
    if skipped and (request.settings.strict or not kept):
        count = len(skipped) + len(kept)
        message = f"{len(skipped)} of {count} images of {shown} cannot be read"
        raise ArchError([Diagnostic("unreadable-file", message, notes=notes)])


def _need_one_size(
    source: DataSource, entries: Sequence[Entry], sides: Sequence[Sides], size: Sides | None
) -> None:
    for entry, own in zip(entries, sides, strict=True):
        if size is None and own != sides[0]:
            height, width = sides[0]
            raise bad_data(
                f"the images of {source.shown} are of different sizes: {entries[0].shown} is"
                f" {height} × {width}, and {entry.shown} {own[0]} × {own[1]}",
                help="stretch them to one: " + source.shown[:-1] + ", size = 64)",
            )


def _name(entry: Entry, problem: Unreadable) -> str:
    """The file as its folder was given, be it the image or the partner of it."""
    if problem.path == entry.image:
        return entry.shown
    return f"{problem.path.name}, the partner of {entry.shown},"


def _parts(entries: Sequence[Entry]) -> Parts | None:
    """The parts of a source with a folder for each."""
    if not any(entry.part for entry in entries):
        return None
    made = {
        part: torch.tensor([i for i, e in enumerate(entries) if e.part == part], dtype=torch.int64)
        for part in ("train", "validation", "test")
    }
    return Parts(**made)
