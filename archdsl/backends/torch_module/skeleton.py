"""Modules that begin with their weights: built without storage, then given the tensors.

Initial values that are thrown away cost more than all else. PyTorch's own way to do without, a
constructor run on the device ``meta``, still takes a third of the time of initialization. So the
module without storage is pickled, its tensors left out, and every other module of its class is
that pickle with the given tensors put in: a twentieth of that third.
"""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends.torch_module.weights import State, fit
from archdsl.backends.torch_module.written import Written


def build_with(network: Written, state: State) -> nn.Module:
    """A module of the network with these weights. Raises ArchError where they do not fit."""
    if network.kept and network.skeleton is None:
        network.skeleton = _skeleton(network.cls)
    if network.skeleton is not None:
        return network.skeleton.fill(state)
    return _construct_with(network.cls, state)


@dataclass(frozen=True)
class Skeleton:
    """A module without its tensors."""

    pickled: bytes
    own: Mapping[str, Tensor]
    """What its state_dict holds, without storage."""
    ties: Sequence[Sequence[str]]
    places: Sequence[str]
    """For every tensor that was left out, the first name that it has."""

    def fill(self, state: State) -> nn.Module:
        """The module with these weights."""
        given = fit(self.own, self.ties, state.tensors)
        tensors: list[Tensor] = []
        for name in self.places:
            kept, tensor = self.own[name], state.take(given[name])
            if isinstance(kept, nn.Parameter):
                tensor = nn.Parameter(tensor, requires_grad=kept.requires_grad)
            tensors.append(tensor)
        module: nn.Module = _Reader(self.pickled, tensors).load()
        return module


def _skeleton(cls: type[nn.Module]) -> Skeleton | None:
    """The skeleton of a class; None where its modules are more than their attributes."""
    try:
        with torch.device("meta"):
            module = cls()
        own = module.state_dict(keep_vars=True)
        written = _Writer(own)
        written.dump(module)
    except Exception:  # noqa: BLE001 - a constructor that looks at values, what cannot be pickled
        return None
    return Skeleton(written.file.getvalue(), own, _tied_names(module), written.places)


class _Writer(pickle.Pickler):
    """Pickles a module, and leaves out the tensors that its state_dict holds."""

    def __init__(self, own: Mapping[str, Tensor]) -> None:
        self.file = io.BytesIO()
        super().__init__(self.file, pickle.HIGHEST_PROTOCOL)
        self.names: dict[int, str] = {}
        for name, tensor in own.items():
            self.names.setdefault(id(tensor), name)
        self.index: dict[int, int] = {}
        self.places: list[str] = []

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, Tensor):
            return None
        key = id(value)
        if key not in self.index:
            if key not in self.names:
                raise pickle.PicklingError("a tensor that no state_dict holds is computed anew")
            self.index[key] = len(self.places)
            self.places.append(self.names[key])
        return self.index[key]

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, nn.Module):
            return NotImplemented
        made = value.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
        if len(made) != 5 or not isinstance(made[2], dict):
            return NotImplemented
        return (*made, _set_state)


def _set_state(module: nn.Module, state: dict[str, Any]) -> None:
    """What unpickling does, so that attributes are found as quickly as a constructor's.

    Names as they come out of a pickle are strings of their own, to be compared letter by letter at
    every look at an attribute, and a dictionary that is filled at once shares no keys with those
    of other instances: a small network takes a thirtieth longer for it.
    """
    state = {sys.intern(name): value for name, value in state.items()}
    for held in ("_parameters", "_buffers", "_modules"):
        state[held] = type(state[held])((sys.intern(k), v) for k, v in state[held].items())
    attributes = vars(module)
    for name, value in state.items():
        attributes[name] = value
    module.__setstate__(state)  # type: ignore[no-untyped-call]  # untyped in torch


class _Reader(pickle.Unpickler):
    """Makes the module again, with these tensors for those that were left out."""

    def __init__(self, pickled: bytes, tensors: Sequence[Tensor]) -> None:
        super().__init__(io.BytesIO(pickled))
        self.tensors = tensors

    def persistent_load(self, index: int) -> Tensor:
        return self.tensors[index]


# Without a skeleton ---------------------------------------------------------------------


def _construct_with(cls: type[nn.Module], state: State) -> nn.Module:
    """A module that its constructor builds, with these weights."""
    try:
        with torch.device("meta"):
            module = cls()
    except (RuntimeError, NotImplementedError):  # a constructor that looks at its own values
        module = cls()
    given = fit(module.state_dict(keep_vars=True), _tied_names(module), state.tensors)
    given = {name: state.take(tensor) for name, tensor in given.items()}
    if _holds_other_tensors(module):
        module = cls()  # what no state_dict holds is computed by the constructor
    ties = _tied_names(module)
    module.load_state_dict(given, strict=True, assign=True)
    for names in ties:
        first = module.get_parameter(names[0])
        for name in names[1:]:
            owner, _, attribute = name.rpartition(".")
            setattr(module.get_submodule(owner), attribute, first)
    return module


def _tied_names(module: nn.Module) -> list[list[str]]:
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
