"""Weights from outside: a state_dict or a file of one, and whether it fits a network."""

from __future__ import annotations

import os
import pickle
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archdsl.diagnostics import ArchError, Diagnostic


@dataclass(frozen=True)
class State:
    """A state_dict that was given."""

    tensors: Mapping[str, Tensor]
    unshared: frozenset[int] = frozenset()
    """The ids of those that nothing else has: no caller, no other name, no mapped file."""

    def take(self, tensor: Tensor) -> Tensor:
        """One of the tensors as a module's own: a copy where something else has it too."""
        return tensor.detach() if id(tensor) in self.unshared else tensor.detach().clone()


def read_weights(weights: Mapping[str, Tensor] | str | os.PathLike[str]) -> State:
    """A state_dict, or what a file holds as one; ArchError where it is none."""
    if isinstance(weights, Mapping):
        return State(_checked(weights, "the weights"))
    path = Path(weights)
    if path.suffix == ".safetensors":
        return State(_read_file(path))  # its tensors are the file itself, mapped to memory
    tensors = _read_file(path)
    return State(tensors, _unshared(tensors))


def _unshared(tensors: Mapping[str, Tensor]) -> frozenset[int]:
    """The tensors that are each all of their storage."""
    users: dict[int, list[Tensor]] = {}
    for tensor in tensors.values():
        if tensor.layout == torch.strided:
            users.setdefault(tensor.untyped_storage().data_ptr(), []).append(tensor)
    return frozenset(
        id(sharing[0])
        for sharing in users.values()
        if len(sharing) == 1
        and sharing[0].is_contiguous()
        and sharing[0].untyped_storage().nbytes() == sharing[0].nbytes
    )


def _read_file(path: Path) -> Mapping[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded: Any = load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is odd about a file is said below
                _refuse_inflation(path)
                loaded = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError:
        help = "pip install archdsl[safetensors]"
        raise _unusable(path, "reading it needs the package safetensors", help) from None
    except OSError as problem:
        raise _unusable(path, problem.strerror or str(problem)) from None
    except pickle.UnpicklingError:
        reason = "it holds more than tensors, or is no file of weights"
        help = "save the state_dict alone: torch.save(model.state_dict(), path)"
        raise _unusable(path, reason, help) from None
    except Exception as problem:  # noqa: BLE001 - whatever a broken or hostile file raises
        first = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise _unusable(path, f"it is no file of weights ({first})") from None
    return _checked(loaded, path)


def _refuse_inflation(path: Path) -> None:
    """Refuse a file that would grow in memory: torch.save writes its records as they are.

    What is no archive is left to torch.load, which reads the older format too.
    """
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        size = sum(record.file_size for record in archive.infolist())
    if size > path.stat().st_size:
        raise ValueError("its records are larger than the file")


def _checked(loaded: Any, where: object) -> Mapping[str, Tensor]:
    if isinstance(loaded, Mapping) and all(
        isinstance(name, str) and isinstance(t, Tensor) and not t.is_meta
        for name, t in loaded.items()
    ):
        return loaded
    help = "a state_dict has a tensor under each parameter's name: model.state_dict()"
    if isinstance(loaded, Mapping):
        inner = next((k for k, v in loaded.items() if isinstance(v, Mapping)), None)
        help = f'it may be what it holds under "{inner}"' if inner else help
    raise _unusable(where, "it is no state_dict", help)


def _unusable(where: object, reason: str, help: str = "") -> ArchError:
    message = f"{where} cannot be used: {reason}"
    return ArchError([Diagnostic("bad-weights", message, help=help)])


MOST_MISMATCHES = 12


def fit(
    own: Mapping[str, Tensor], ties: Sequence[Sequence[str]], state: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """A state_dict under all of a module's names; ArchError lists what does not fit.

    ``own`` is what the module's state_dict holds, ``ties`` the names of each parameter of several.
    """
    result = dict(state)
    problems = []
    for names in ties:
        given = [n for n in names if n in state]
        for name in names if given else ():
            result.setdefault(name, state[given[0]])
        for name in given[1:]:
            if not _equal(state[given[0]], state[name]):
                problems.append(f"{given[0]} and {name} are one parameter, and differ")
    missing = [name for name in own if name not in result]
    extra = [name for name in result if name not in own]
    if missing:
        problems.append(f"missing: {_listed(missing)}")
    if extra:
        problems.append(f"not in the network: {_listed(extra)}")
    for name, tensor in own.items():
        if name not in result:
            continue
        given_shape, shape = list(result[name].shape), list(tensor.shape)
        if given_shape != shape:
            problems.append(f"{name} is {given_shape}, and must be {shape}")
        elif tensor.is_floating_point() != result[name].is_floating_point():
            problems.append(f"{name} is of {result[name].dtype}, and must be as {tensor.dtype}")
    if problems:
        more = len(problems) - MOST_MISMATCHES
        shown = (*problems[:MOST_MISMATCHES], *([f"and {more} more"] if more > 0 else []))
        message = "the weights do not fit the network"
        raise ArchError([Diagnostic("bad-weights", message, notes=shown, help=_prefix(extra, own))])
    return result


def _equal(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and bool(torch.equal(one, other))


def _prefix(extra: list[str], own: Mapping[str, Tensor]) -> str:
    """How to mend names that all bear a prefix, as those of a wrapped model do."""
    heads = {name.partition(".")[0] for name in extra}
    if len(heads) != 1:
        return ""
    prefix = f"{heads.pop()}."
    if not any(name.removeprefix(prefix) in own for name in extra):
        return ""
    return f'drop the prefix: {{k.removeprefix("{prefix}"): v for k, v in weights.items()}}'


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
