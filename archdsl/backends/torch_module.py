"""A graph as a running ``nn.Module``: the generated source, executed."""

from __future__ import annotations

import hashlib
import linecache
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
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
    exactly; initialization is skipped then. The tensors are copied, not shared.
    """
    generated = generate(graph)
    cls = load_source(generated, str(graph.graph.get("name") or "network"))
    state = None if weights is None else _read(weights)
    with _without_initialization() if state is not None else nullcontext():
        module: nn.Module = cls()
    if state is not None:
        _assign(module, state)
    return module


def load_source(generated: Generated, name: str) -> type[nn.Module]:
    """Execute generated source and give the network's class.

    The source is kept where tracebacks, ``inspect.getsource`` and ``pickle`` in this process
    find it. The same source gives the same class again.
    """
    digest = hashlib.sha256(generated.text.encode()).hexdigest()[:12]
    module_name = f"archdsl_generated.{name}_{digest}"
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


def _read(weights: Mapping[str, Tensor] | str | os.PathLike[str]) -> Mapping[str, Tensor]:
    if isinstance(weights, Mapping):
        return {name: tensor.detach().clone() for name, tensor in weights.items()}
    path = Path(weights)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        loaded: Any = torch.load(path, map_location="cpu", weights_only=True)
    except ImportError:
        raise _unreadable(path, "reading it needs the package safetensors") from None
    except OSError as problem:
        raise _unreadable(path, problem.strerror or str(problem)) from None
    except Exception as problem:  # noqa: BLE001 - whatever a broken or hostile file raises
        first = str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem).__name__
        raise _unreadable(path, first) from None
    if not isinstance(loaded, Mapping) or not all(isinstance(t, Tensor) for t in loaded.values()):
        raise _unreadable(path, "it holds no state_dict")
    return loaded


def _unreadable(path: Path, reason: str) -> ArchError:
    return ArchError([Diagnostic("bad-weights", f"the weights {path} cannot be used: {reason}")])


def _without_initialization() -> AbstractContextManager[Any]:
    """Parameters without storage: nothing is initialized that is replaced at once."""
    return torch.device("meta")


def _assign(module: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Put a state_dict in place of the parameters, with a clear message where it does not fit."""
    own = module.state_dict()
    problems = []
    missing = [name for name in own if name not in state]
    extra = [name for name in state if name not in own]
    if missing:
        problems.append(f"missing: {_listed(missing)}")
    if extra:
        problems.append(f"not in the network: {_listed(extra)}")
    for name, tensor in own.items():
        if name in state and state[name].shape != tensor.shape:
            problems.append(f"{name} is {list(state[name].shape)}, and must be {list(tensor.shape)}")
    if problems:
        shown = tuple(problems[:5]) + ((f"and {len(problems) - 5} more",) if len(problems) > 5 else ())
        raise ArchError([Diagnostic("bad-weights", "the weights do not fit the network", notes=shown)])
    module.load_state_dict(state, strict=True, assign=True)
    _share_again(module)


def _share_again(module: nn.Module) -> None:
    """Tied parameters were assigned one by one: tie them again, as the constructor did."""
    if any(p.is_meta for p in [*module.parameters(), *module.buffers()]):
        raise ArchError([Diagnostic("bad-weights", "some weights were left without values")])


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown
