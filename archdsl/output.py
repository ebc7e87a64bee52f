"""Writes files whole or not at all: whatever goes wrong, the file that was there stays as it was.

A new file is written beside its place, under a name of its own, and takes its place in one
step once every byte has reached the disk.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from archdsl.diagnostics import ArchError, Diagnostic


def write_file(path: str | os.PathLike[str], content: str | bytes, *, replace: bool = True) -> None:
    """Write a file, text as UTF-8. ArchError, code ``unwritable-file``, where that cannot be done.

    A link is followed, and permissions are kept. Without ``replace``, a file that is there
    is an error.
    """
    data = content.encode("utf-8") if isinstance(content, str) else content
    try:
        place, mode = _place(path)
        if mode is not None and not replace:
            raise _unwritable(path, "it is there already", help="--force writes over it")
        if mode is not None and not stat.S_ISREG(mode):
            _write_through(place, data)  # a device or a pipe is written to, never replaced
        else:
            _write_beside(place, data, mode)
    except (OSError, ValueError) as problem:
        raise _unwritable(path, _reason(problem)) from None


@contextmanager
def file_and_others(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A place for a file and others beside it, whose names begin with its own.

    It lies in a folder that nobody sees. In the end all of them take their places, the file itself
    last; where anything goes wrong, none does. ArchError, code ``unwritable-file``, for that.
    """
    try:
        place, mode = _place(path)
        if mode is not None and not stat.S_ISREG(mode):
            raise _unwritable(path, "it must be a file, with others beside it")
        with tempfile.TemporaryDirectory(prefix=f".{place.name[:60]}.", dir=place.parent) as folder:
            yield Path(folder, place.name)
            written = sorted(Path(folder).iterdir(), key=lambda file: len(file.name), reverse=True)
            for file in written:
                _reach_disk(file)
                file.chmod(_usual_mode() if mode is None else stat.S_IMODE(mode))
            for file in written:
                file.replace(place.with_name(file.name))
    except (OSError, ValueError) as problem:
        raise _unwritable(path, _reason(problem)) from None


def _place(path: str | os.PathLike[str]) -> tuple[Path, int | None]:
    """Where a path leads, and the mode of what is there that may be written over."""
    place = Path(os.path.realpath(path))
    mode = _mode(place)
    if not place.parent.is_dir():
        raise _unwritable(path, f"there is no folder {Path(path).parent}")
    if mode is not None and stat.S_ISDIR(mode):
        raise _unwritable(path, "it is a folder")
    if mode is not None and not os.access(place, os.W_OK):
        raise _unwritable(path, "it may only be read")
    return place, mode


def _reach_disk(file: Path) -> None:
    with file.open("rb+") as opened:
        os.fsync(opened.fileno())


def _reason(problem: OSError | ValueError) -> str:
    reason = getattr(problem, "strerror", None) or str(problem)
    return reason[:1].lower() + reason[1:]


def _mode(place: Path) -> int | None:
    """What stands at a place, or None where nothing does."""
    try:
        return place.stat().st_mode
    except FileNotFoundError:
        return None


def _write_through(place: Path, data: bytes) -> None:
    with place.open("wb") as file:
        file.write(data)


def _write_beside(place: Path, data: bytes, mode: int | None) -> None:
    handle, name = tempfile.mkstemp(prefix=f".{place.name[:60]}.", suffix=".tmp", dir=place.parent)
    unfinished = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unfinished.chmod(_usual_mode() if mode is None else stat.S_IMODE(mode))
        unfinished.replace(place)
    except BaseException:
        with suppress(OSError):
            unfinished.unlink()
        raise


def _usual_mode() -> int:
    """The permissions that a new file gets here."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _unwritable(path: str | os.PathLike[str], reason: str, *, help: str = "") -> ArchError:
    message = f"{os.fspath(path)} cannot be written: {reason}"
    return ArchError([Diagnostic("unwritable-file", message, help=help)])
