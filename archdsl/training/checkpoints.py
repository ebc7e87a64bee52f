"""Checkpoints: written whole or not at all, and read without ever running what they hold."""

from __future__ import annotations

import os
import pickle
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from archdsl.diagnostics import ArchError, Diagnostic


class WholeFiles(CheckpointIO):
    """How Lightning writes and reads checkpoints here: in one step, and as plain data alone."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: str | os.PathLike[str], storage_options: Any = None
    ) -> None:
        write_checkpoint(checkpoint, Path(path))

    def load_checkpoint(
        self,
        path: str | os.PathLike[str],
        map_location: Any = "cpu",
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        return read_checkpoint(path, map_location)  # never less than weights_only, whoever asks

    def remove_checkpoint(self, path: str | os.PathLike[str]) -> None:
        Path(path).unlink(missing_ok=True)


def write_checkpoint(checkpoint: dict[str, Any], place: Path) -> None:
    """Write a checkpoint beside its place, and move it there once every byte is on the disk."""
    unfinished: Path | None = None
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{place.name}.", suffix=".tmp", dir=place.parent)
        unfinished = Path(name)
        with os.fdopen(handle, "wb") as file:
            _write(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(place)
        unfinished = None
        _sync_folder(place.parent)
    except OSError as problem:
        reason = problem.strerror or str(problem)
        message = f"{place} cannot be written: {reason[:1].lower()}{reason[1:]}"
        note = "the checkpoint before this one is as it was"
        raise ArchError([Diagnostic("unwritable-file", message, notes=(note,))]) from None
    finally:
        if unfinished is not None:
            with suppress(OSError):
                unfinished.unlink()


class _Remembering:
    """A file that remembers why a write failed: torch.save says only that one did."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.problem: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as problem:
            self.problem = problem
            raise

    def flush(self) -> None:
        self._file.flush()


def _write(checkpoint: dict[str, Any], file: BinaryIO) -> None:
    remembering = _Remembering(file)
    try:
        torch.save(checkpoint, remembering)  # type: ignore[arg-type]  # write and flush are all it asks
    except RuntimeError:
        if remembering.problem is None:
            raise
        raise remembering.problem from None


def read_checkpoint(path: str | os.PathLike[str], map_location: Any = "cpu") -> dict[str, Any]:
    """A checkpoint's tensors and plain values. A file that holds anything else is refused."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is odd about a file is said below
            found = torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise _unreadable(path, "there is no such file") from None
    except OSError as problem:
        reason = problem.strerror or str(problem)
        raise _unreadable(path, reason[:1].lower() + reason[1:]) from None
    except pickle.UnpicklingError:
        note = (
            "a file that holds more than tensors and plain values could run code, and is not read"
        )
        raise _unreadable(path, "it is no checkpoint, or not a safe one", note) from None
    except Exception:  # noqa: BLE001 - whatever a broken or hostile file raises
        raise _unreadable(path, "it is damaged, or no checkpoint") from None
    if not isinstance(found, dict) or not isinstance(found.get("state_dict"), dict):
        raise _unreadable(path, "it holds no state of a run")
    return found


def same_file_also_as(place: Path, other: Path) -> None:
    """Give a checkpoint a second name in one step, as a link where there are links."""
    unfinished = other.with_name(f".{other.name}.{os.getpid()}.tmp")
    try:
        unfinished.unlink(missing_ok=True)
        try:
            os.link(place, unfinished)
        except OSError:  # a file system without links
            unfinished.write_bytes(place.read_bytes())
        unfinished.replace(other)
        unfinished.unlink(missing_ok=True)  # it stays where both were the same file already
    except OSError as problem:
        reason = problem.strerror or str(problem)
        message = f"{other} cannot be written: {reason[:1].lower()}{reason[1:]}"
        raise ArchError([Diagnostic("unwritable-file", message)]) from None


def _sync_folder(folder: Path) -> None:
    """Bring the new name to the disk, where the system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _unreadable(path: str | os.PathLike[str], reason: str, *notes: str) -> ArchError:
    message = f"the checkpoint {os.fspath(path)} cannot be read: {reason}"
    return ArchError([Diagnostic("bad-checkpoint", message, notes=notes)])
