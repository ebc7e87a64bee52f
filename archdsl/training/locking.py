"""One run in a folder at a time: a file says whose it is while the run lasts.

The file is made in one step, by the first alone. What a killed process has left is told from what
one at work holds by the process's number and the moment that it began, and is taken over.
"""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.training.results import process_rank

LOCK = ".running"
_PATIENCE = 0.5  # seconds until what is still empty was left by one that was killed at once
_held: set[Path] = set()
_guard = Lock()


@dataclass(frozen=True)
class Holder:
    """A process that trains into a folder."""

    pid: int
    begun: str
    """When it began, as the system counts; empty where that cannot be told."""
    machine: str


@contextmanager
def alone_in(folder: Path | None, *, resume: bool = False) -> Iterator[None]:
    """Within, no other run writes into the folder. Of several processes, the first alone looks.

    Raises ArchError, code ``results-folder``, where another is at work there. Of what another
    machine left nothing is known: to ``resume`` says that it has ended.
    """
    if folder is None or process_rank() > 0:
        yield
        return
    made = not folder.exists()
    place = (folder / LOCK).resolve()
    with _one_thread(place, folder):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _take(place, folder, resume)
        except OSError as problem:
            reason = (problem.strerror or str(problem)).lower()
            message = f"the folder {folder} cannot be made: {reason}"
            raise ArchError([Diagnostic("unwritable-file", message)]) from None
        try:
            yield
        finally:
            with suppress(OSError):
                place.unlink()
            if made:  # a run that was refused at once leaves no empty folder
                with suppress(OSError):
                    folder.rmdir()


@contextmanager
def _one_thread(place: Path, folder: Path) -> Iterator[None]:
    """Within, no other run of this process is in the folder."""
    with _guard:
        if place in _held:
            raise _in_use(folder, Holder(os.getpid(), "", platform.node()), known=True)
        _held.add(place)
    try:
        yield
    finally:
        _held.discard(place)


def _take(place: Path, folder: Path, resume: bool) -> None:
    own = json.dumps(asdict(Holder(os.getpid(), _begun(os.getpid()) or "", platform.node())))
    while True:
        try:
            handle = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            _take_over(place, folder, resume)
            continue
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(own)
        return


def _take_over(place: Path, folder: Path, resume: bool) -> None:
    """Remove what one that is no more has left. Raises ArchError where it is at work."""
    text = _read(place)
    if text is None:
        return
    holder = _holder(text)
    if holder is not None:
        at_work = _at_work(holder)
        if at_work or (at_work is None and not resume):
            raise _in_use(folder, holder, known=bool(at_work))
    aside = place.with_name(f"{LOCK}.{os.getpid()}")
    try:
        place.rename(aside)
    except FileNotFoundError:  # another was faster
        return
    if _read(aside) != text:  # another was faster, and this is what it has made since
        with suppress(OSError):
            os.link(aside, place)
    aside.unlink(missing_ok=True)


def _read(place: Path) -> str | None:
    """What stands there, once its maker has written it; None where it is gone."""
    until = time.monotonic() + _PATIENCE
    while True:
        try:
            text = place.read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        if text or time.monotonic() > until:
            return text
        time.sleep(0.01)


def _holder(text: str) -> Holder | None:
    try:
        found = json.loads(text)
        return Holder(int(found["pid"]), str(found["begun"]), str(found["machine"]))
    except (ValueError, TypeError, KeyError, OverflowError):
        return None


def _at_work(holder: Holder) -> bool | None:
    """Whether the process lives, or None where that cannot be told from here."""
    if holder.machine != platform.node():
        return None
    if holder.pid == os.getpid():  # one that had the number before: our own is known
        return False
    if os.name != "posix":
        return None
    try:
        os.kill(holder.pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # it is somebody else's
    begun = _begun(holder.pid)
    return begun is None or not holder.begun or begun == holder.begun


def _begun(pid: int) -> str | None:
    """When a process began, of Linux's own list; empty for one that has ended, None if unknown."""
    try:
        # Its name stands in parentheses, and may hold whatever it likes.
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return "" if fields[0] in "ZX" else fields[19]


def _in_use(folder: Path, holder: Holder, *, known: bool) -> ArchError:
    if known:
        message = f"another run is at work in the folder {folder}: process {holder.pid}"
        help = "wait until it has ended, or name another folder"
        return ArchError([Diagnostic("results-folder", message, help=help)])
    message = (
        f"another run may be at work in the folder {folder}: process {holder.pid} of the machine"
        f" {holder.machine}"
    )
    help = f"if it has ended, --resume goes on with it, and so does removing {folder / LOCK}"
    return ArchError([Diagnostic("results-folder", message, help=help)])
