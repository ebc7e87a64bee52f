"""Files and folders that data is read from: found, inside the project where that is asked."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.data.request import Request, bad_data

_LONGEST_SHOWN = 200
LARGEST_TEXT = 2**31  # bytes; a larger one belongs into arrays


def find_file(request: Request, path: str) -> Path:
    """The file of a source. ArchError, code ``unreadable-file``, where there is none to read."""
    place = find(request, path)
    mode = _mode(request, place, path, "file")
    if stat.S_ISDIR(mode):
        raise _unreadable(f"{path} is a folder, not a file")
    if not stat.S_ISREG(mode):
        raise _unreadable(f"{path} is no ordinary file")
    return place


def find_folder(request: Request, path: str) -> Path:
    """The folder of a source. ArchError, code ``unreadable-file``, where there is none."""
    place = find(request, path)
    if not stat.S_ISDIR(_mode(request, place, path, "folder")):
        raise _unreadable(f"{path} is a file, not a folder")
    return place


def _mode(request: Request, place: Path, path: str, what: str) -> int:
    """What stands at a place."""
    try:
        return place.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        help = _beside(request, place, path)
        raise _unreadable(f"there is no {what} {path}", help=help) from None
    except OSError as problem:
        raise _unreadable(f"{shorten(path)} cannot be read: {_reason(problem)}") from None


def read_text(request: Request, path: str) -> str:
    """The text of a file, in UTF-8."""
    place = find_file(request, path)
    try:
        if place.stat().st_size > LARGEST_TEXT:
            raise bad_data(
                f"{path} is larger than {LARGEST_TEXT // 2**30} GiB",
                help="write it as arrays: an .npz file",
            )
        return place.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _unreadable(f"{path} is not UTF-8 text (byte {problem.start})") from None
    except (OSError, MemoryError) as problem:
        raise _unreadable(f"{path} cannot be read: {_reason(problem)}") from None


def shorten(path: str) -> str:
    """A path as it can be shown."""
    return path if len(path) <= _LONGEST_SHOWN else f"{path[:_LONGEST_SHOWN]}…"


def need_inside(request: Request, place: Path, shown: str) -> None:
    """A specification reads no file outside its project, by whatever links."""
    if not request.inside:
        return
    root = request.root or Path()
    try:
        inside = Path(os.path.realpath(place)).is_relative_to(os.path.realpath(root))
    except (OSError, RuntimeError):  # a ring of links leads nowhere
        inside = False
    if not inside:
        raise _unreadable(
            f"{shown} is outside the project, and a specification reads no file there",
            help="name it on the command line or in Python: --data",
        )


def entries(place: Path, shown: str) -> list[Path]:
    """What a folder holds, in the order of the names, but for what is hidden."""
    try:
        found = [p for p in place.iterdir() if not p.name.startswith(".")]
    except OSError as problem:
        raise _unreadable(f"{shown} cannot be read: {_reason(problem)}") from None
    return sorted(found, key=lambda p: p.name)


def files_below(place: Path) -> Iterator[Path]:
    """Every file in a folder and in those below it, in the order of their names."""
    for folder, folders, files in os.walk(place):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder) / name for name in sorted(files) if not name.startswith("."))


def find(request: Request, path: str) -> Path:
    """Where a path leads, whatever stands there; ArchError for where no file may be."""
    if not path or "\0" in path:
        raise _unreadable(f"{path!r} is no path of a file")
    if request.inside and Path(path).is_absolute():
        raise _unreadable(
            f"{path} is an absolute path, and a specification names files from its own folder on"
        )
    place = (request.root or Path()) / path
    need_inside(request, place, path)
    return place


def _beside(request: Request, place: Path, path: str) -> str:
    """What may have been meant: the most similar name in the same folder."""
    from archdsl.diagnostics import suggest  # nothing is misspelt, most of the time

    try:
        near = suggest(place.name, [p.name for p in place.parent.iterdir() if p != place])
    except OSError:
        near = None
    if near is not None:
        return f"did you mean {Path(path).with_name(near)}?"
    if request.root is None or Path(path).is_absolute():
        return ""
    return "a path is looked up from the specification's folder"


def _reason(problem: OSError | MemoryError) -> str:
    reason = getattr(problem, "strerror", None) or str(problem) or "it is too large"
    return reason[:1].lower() + reason[1:]


def _unreadable(message: str, *, help: str = "") -> ArchError:
    return ArchError([Diagnostic("unreadable-file", message, help=help)])
