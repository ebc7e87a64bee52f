"""The folder that a run leaves: what was asked, what happened by epoch, and what came of it."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from archdsl.diagnostics import ArchError, Diagnostic, Source
from archdsl.output import write_file
from archdsl.syntax import ast
from archdsl.syntax.parser import parse

if TYPE_CHECKING:
    from torch import Tensor

SPECIFICATION = "specification.arch"
SETTINGS = "settings.json"
METRICS = "metrics.csv"
RESULT = "result.json"
CURVES = "curves.svg"
WEIGHTS = "weights.safetensors"
CHECKPOINTS = "checkpoints"
WEIGHTS_METADATA = "archdsl"
"""Under what the weights' file has what belongs to them."""
_RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")
_FILES = (SPECIFICATION, SETTINGS, METRICS, RESULT, CURVES, WEIGHTS)

Row = Mapping[str, float]


@dataclass(frozen=True)
class ResultsFolder:
    """Where a run writes. Every file is there whole, or as it was before."""

    path: Path

    @property
    def last(self) -> Path:
        """The checkpoint of the last whole epoch."""
        return self.path / CHECKPOINTS / "last.ckpt"

    @property
    def best(self) -> Path:
        """The checkpoint of the epoch with the best monitored metric."""
        return self.path / CHECKPOINTS / "best.ckpt"

    @property
    def weights(self) -> Path:
        """The network's weights alone."""
        return self.path / WEIGHTS

    def write_metrics(self, rows: Sequence[Row]) -> None:
        """Write a row an epoch. The first orders the columns, new ones follow at the right."""
        write_file(self.path / METRICS, metrics_text(rows))

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write what came of the run, such as ``{"test": {"accuracy": 0.98}}``."""
        write_file(self.path / RESULT, json_text(result))

    def write_weights(self, state: Mapping[str, Tensor], metadata: Mapping[str, Any]) -> None:
        """Write a state_dict, with what belongs to it (the scale, the classes' names) as JSON."""
        from safetensors.torch import save

        # A copy each: weights that are tied stand in the file under both names.
        tensors = {name: value.detach().cpu().contiguous().clone() for name, value in state.items()}
        # One text: safetensors writes several in an order that is another each time.
        text = json.dumps(plain(metadata))
        write_file(self.weights, save(tensors, metadata={WEIGHTS_METADATA: text}))

    def write_curves(self, rows: Sequence[Row], metrics: Sequence[str] | None = None) -> None:
        """Draw loss and metrics by epoch."""
        from archdsl.training.curves import draw_curves

        write_file(self.path / CURVES, draw_curves(rows, metrics))


def open_results(
    path: str | os.PathLike[str],
    specification: str,
    settings: Mapping[str, Any],
    *,
    resume: bool = False,
    overwrite: bool = False,
    may_differ: Iterable[str] = ("epochs",),
    imports: Mapping[str, str] | None = None,
) -> ResultsFolder:
    """Make the folder ready, with the specification and the settings in it, before the first step.

    A folder that holds another run is refused, unless to ``resume`` it (with the same networks,
    and the same settings but for those that ``may_differ``) or to ``overwrite`` it. Without a text
    of the ``specification`` none is written; ``imports`` are the texts of what it imports, by their
    places in the folder. Of several processes, the first alone writes.
    """
    folder = ResultsFolder(Path(path))
    if process_rank() > 0:
        return folder
    texts = {SPECIFICATION: specification} if specification else {}
    texts.update(imports or {})
    if resume:
        if not _begun(folder.path):
            raise _refused(folder.path, "holds no run to resume", "leave out --resume")
        _check_same(folder, settings, frozenset(may_differ))
        _check_same_networks(folder, texts)
        _clear_unfinished(folder)
    elif holds_run(folder.path) and not overwrite:
        help = "--resume goes on with it, --overwrite starts anew; or name another folder"
        raise _refused(folder.path, "holds another run", help)
    elif _begun(folder.path):
        _clear(folder)
    try:
        (folder.path / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        reason = (problem.strerror or str(problem)).lower()
        message = f"the folder {folder.path} cannot be made: {reason}"
        raise ArchError([Diagnostic("unwritable-file", message)]) from None
    for name, text in texts.items():
        (folder.path / name).parent.mkdir(parents=True, exist_ok=True)
        write_file(folder.path / name, text)
    write_file(folder.path / SETTINGS, json_text(settings))
    write_file(folder.path / CHECKPOINTS / ".probe", "")  # may checkpoints be written, too?
    (folder.path / CHECKPOINTS / ".probe").unlink(missing_ok=True)
    return folder


def holds_run(path: Path) -> bool:
    """Whether a folder holds what a run has come to: an epoch of it, or of a part, at the least."""
    if any((path / name).exists() for name in (METRICS, RESULT, WEIGHTS)):
        return True
    return any(any(path.glob(f"{part}{CHECKPOINTS}/*.ckpt")) for part in ("", "*/"))


def _begun(path: Path) -> bool:
    """Whether a run was begun here, though it may have come to nothing."""
    return any((path / name).exists() for name in (SETTINGS, CHECKPOINTS)) or holds_run(path)


def check_room(folder: ResultsFolder, size: int) -> None:
    """ArchError where the disk has no room for as many bytes."""
    free = shutil.disk_usage(folder.path).free
    if free < size:
        message = (
            f"{folder.path} has no room for the checkpoints: {_megabytes(size)} are needed,"
            f" {_megabytes(free)} are free"
        )
        raise ArchError([Diagnostic("unwritable-file", message)])


def process_rank(devices: int = 1) -> int:
    """The number of this process among those of the run, as its launcher has set it.

    ``devices`` is how many processes a machine has. Lightning's own launcher tells the machine and
    the process on it alone; without ``devices``, 0 is still the first process and no other.
    """
    set_to = {n: int(v) for n, v in os.environ.items() if n in _RANKS and v.isdigit()}
    if "RANK" in set_to:
        return set_to["RANK"]
    if "LOCAL_RANK" not in set_to and "SLURM_PROCID" in set_to:
        return set_to["SLURM_PROCID"]
    return set_to.get("NODE_RANK", 0) * devices + set_to.get("LOCAL_RANK", 0)


def metrics_text(rows: Sequence[Row]) -> str:
    """The rows as CSV."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_number(row[name]) if name in row else "" for name in columns])
    return text.getvalue()


def json_text(value: Mapping[str, Any]) -> str:
    """A mapping as JSON that people read, too."""
    return json.dumps(plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """A value as JSON knows it: a tensor as its numbers, NaN and infinity as null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bool | str) or value is None:
        return value
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(plain(item) for item in value)
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)


def _number(value: float) -> str:
    """As few digits as tell a number from its neighbours: most come from float32."""
    if isinstance(value, int):
        return str(value)
    single = np.float32(value)
    return str(single) if float(single) == value else str(value)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB"


def _check_same(folder: ResultsFolder, settings: Mapping[str, Any], free: frozenset[str]) -> None:
    """A run is resumed as it was begun, or is another run."""
    place = folder.path / SETTINGS
    try:
        before = json.loads(place.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except (OSError, ValueError):
        message = f"{place} cannot be read"
        raise ArchError([Diagnostic("unreadable-file", message)]) from None
    now = plain(settings)
    if not isinstance(before, dict):
        raise _refused(folder.path, "holds settings that are none", "name another folder")
    names = [n for n in dict.fromkeys([*before, *now]) if n not in free]
    changed = [n for n in names if before.get(n) != now.get(n)]
    if changed:
        notes = [f"{n} was {before.get(n)!r}, and is now {now.get(n)!r}" for n in changed[:8]]
        raise _refused(
            folder.path,
            "holds a run with other settings",
            "resume it with its own, or train into another folder",
            notes,
        )


def _check_same_networks(folder: ResultsFolder, texts: Mapping[str, str]) -> None:
    """Another network would take the run's weights, where they fit, for its own."""
    for name, now in texts.items():
        try:
            before = (folder.path / name).read_text(encoding="utf-8")
        except (OSError, ValueError):
            continue
        if before != now and _declared(before) != _declared(now):
            raise _refused(
                folder.path,
                "holds a run of another network",
                "resume it with its own, or train into another folder",
                [f"{name} there says otherwise what the network is"],
            )


def _declared(text: str) -> object:
    """What a specification declares, but for how it is trained: the settings tell that."""
    try:
        comments = parse(Source(SPECIFICATION, text)).comments
        for comment in reversed(comments):
            text = text[: comment.span.start] + text[comment.span.end :]
        file = parse(Source(SPECIFICATION, text))
    except ArchError:
        return text
    return [part for part in file.declarations if not isinstance(part, ast.Train)]


def _clear(folder: ResultsFolder) -> None:
    """Remove what a run left, and nothing else that may stand there."""
    for name in _FILES:
        with suppress(FileNotFoundError):
            (folder.path / name).unlink()
    for checkpoint in (folder.path / CHECKPOINTS).glob("*.ckpt"):
        checkpoint.unlink()
    _clear_unfinished(folder)


def _clear_unfinished(folder: ResultsFolder) -> None:
    """Remove files that a killed run had not finished."""
    for place in (folder.path, folder.path / CHECKPOINTS):
        for unfinished in place.glob(".*.tmp"):
            with suppress(OSError):
                unfinished.unlink()


def _refused(path: Path, reason: str, help: str, notes: Sequence[str] = ()) -> ArchError:
    message = f"the folder {path} {reason}"
    return ArchError([Diagnostic("results-folder", message, notes=tuple(notes), help=help)])
