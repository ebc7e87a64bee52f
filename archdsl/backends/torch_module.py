"""A graph as a running ``nn.Module``: the generated source, executed."""

from __future__ import annotations

import hashlib
import linecache
import os
import pickle
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends.torch_source import Generated, generate
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph


def make_module(
    graph: Graph, *, weights: Mapping[str, Tensor] | str | os.PathLike[str] | None = None
) -> nn.Module:
    """The module of a checked graph, freshly initialized or with the given weights.

    ``weights`` is a state_dict, or a file of one (``.safetensors``, or saved by
    ``torch.save`` and read as weights alone, so that it never runs code). They must fit
    exactly, names and shapes; a parameter that two layers share may be given under one
    name or under each. Nothing is initialized then. The tensors are copied, not shared, and
    keep their dtype and device, so that half-precision weights make a half-precision module.
    """
    generated = generate(graph)
    cls = load_source(generated, str(graph.graph.get("name") or "network"))
    if weights is None:
        module: nn.Module = cls()
        return module
    return _with_weights(cls, _read(weights))


PACKAGE = "archdsl_generated"


def load_source(generated: Generated, name: str) -> type[nn.Module]:
    """Execute generated source and give the network's class.

    The source is kept where tracebacks, ``inspect.getsource`` and ``pickle`` in this process
    find it. The same source gives the same class again.
    """
    digest = hashlib.sha256(generated.text.encode()).hexdigest()[:12]
    if PACKAGE not in sys.modules:  # pickle imports it on the way to what is in it
        sys.modules[PACKAGE] = ModuleType(PACKAGE)
        sys.modules[PACKAGE].__path__ = []
    module_name = f"{PACKAGE}.{name}_{digest}"
    known = sys.modules.get(module_name)
    if known is None:
        filename = f"<archdsl {name} {digest}>"
        known = ModuleType(module_name)
        known.__file__ = filename
        lines = generated.text.splitlines(keepends=True)
        linecache.cache[filename] = (len(generated.text), None, lines, filename)
        sys.modules[module_name] = known
        try:
            exec(compile(generated.text, filename, "exec"), known.__dict__)  # noqa: S102 - our own source
        except BaseException:
            del sys.modules[module_name]
            raise
    cls: type[nn.Module] = getattr(known, generated.class_name)
    return cls


# Weights --------------------------------------------------------------------------


def _with_weights(cls: type[nn.Module], state: Mapping[str, Tensor]) -> nn.Module:
    """A module that begins with its weights: built without storage, then given the tensors."""
    try:
        with torch.device("meta"):
            module = cls()
    except (RuntimeError, NotImplementedError):  # a constructor that looks at its own values
        module = cls()
    state = _fit(module, state)
    if _holds_other_tensors(module):
        module = cls()  # what no state_dict holds is computed by the constructor
    shared = _names_of_parameters(module)
    module.load_state_dict(state, strict=True, assign=True)
    for names in shared:
        first = module.get_parameter(names[0])
        for name in names[1:]:
            owner, _, attribute = name.rpartition(".")
            setattr(module.get_submodule(owner), attribute, first)
    return module


def _names_of_parameters(module: nn.Module) -> list[list[str]]:
    """The parameters that have several names, as when an embedding is the output's weight too."""
    found: dict[int, list[str]] = {}
    for name, parameter in module.named_parameters(remove_duplicate=False):
        found.setdefault(id(parameter), []).append(name)
    return [names for names in found.values() if len(names) > 1]


def _holds_other_tensors(module: nn.Module) -> bool:
    """Whether something without storage would stay so, for no state_dict holds it."""
    kept = {id(t) for t in module.state_dict(keep_vars=True).values()}
    values = [
        value
        for part in module.modules()
        for value in (*part._buffers.values(), *vars(part).values())
    ]
    return any(isinstance(v, Tensor) and v.is_meta and id(v) not in kept for v in values)


def _read(weights: Mapping[str, Tensor] | str | os.PathLike[str]) -> Mapping[str, Tensor]:
    """A state_dict, its tensors our own."""
    if isinstance(weights, Mapping):
        return {name: t.detach().clone() for name, t in _checked(weights, "the weights").items()}
    path = Path(weights)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            loaded: Any = load_file(path)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is odd about a file is said below
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


def _fit(module: nn.Module, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state_dict under all the module's names; ArchError lists what does not fit."""
    own = module.state_dict(keep_vars=True)
    result = dict(state)
    problems = []
    for names in _names_of_parameters(module):
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
