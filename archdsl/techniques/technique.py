"""What a technique of training is: one frozen class with its signature, its rules and its PyTorch.

A technique is to a ``train`` block what a layer is to a network. Its fields are its arguments,
made by the functions of :mod:`archdsl.ops.arguments`; its docstring is its reference page and
names the source; its methods answer what the checks and the source backend ask::

    @technique("huber")
    class Huber(Loss):
        '''The squared error near zero, the absolute error beyond (Huber, 1964).'''

        delta: float = number(default=1.0, above=0.0, doc="where the one becomes the other")

Names are looked up by kind: ``constant`` may be a schedule and an initialization.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from archdsl.ops.op import arguments_of, show_value, signature
from archdsl.techniques.selection import Selection

if sys.version_info >= (3, 11):
    from typing import dataclass_transform
else:
    from typing_extensions import dataclass_transform


@dataclass(frozen=True)
class Technique:
    """A technique with its arguments bound. Subclasses are made by :func:`technique`."""

    name: ClassVar[str]
    kind: ClassVar[str]
    """What it is one of, in words: ``loss``, ``optimizer``, ``schedule`` …"""
    aliases: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str] = ""
    """A use of it in a ``train`` block, for the reference and the tests."""
    rest: ClassVar[str | None] = None
    """The field that collects every positional argument from its place on, as a tuple."""

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments as plain data, by name; those at their default are left out."""
        return arguments_of(self)

    def __str__(self) -> str:
        words = {p.name: p.kind.choices for p in signature(type(self))}
        shown = ", ".join(f"{k} = {_written(v, words[k])}" for k, v in self.arguments.items())
        return f"{self.name}({shown})" if shown else self.name


def _written(value: Any, words: Collection[str]) -> str:
    """An argument as the language writes it: a text in quotes, unless it is one of the words."""
    if isinstance(value, str) and value not in words:
        return '"' + "".join(_ESCAPES.get(c, c) for c in value) + '"'
    if isinstance(value, tuple) and any(isinstance(v, str) for v in value):
        return "[" + ", ".join(_written(v, words) for v in value) + "]"
    if isinstance(value, Selection) and len(value.selectors) > 1:
        return f"({value})"
    return show_value(value)


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}


AnyTechnique = TypeVar("AnyTechnique", bound=Technique)

_REGISTRY: dict[str, dict[str, type[Technique]]] = {}


@dataclass_transform(frozen_default=True)
def technique(name: str, *aliases: str) -> Callable[[type[AnyTechnique]], type[AnyTechnique]]:
    """Register a class as the technique ``name`` of its kind, under ``aliases`` too.

    Raises ValueError for a name that another technique of the kind has.
    """

    def register(cls: type[AnyTechnique]) -> type[AnyTechnique]:
        made = dataclass(frozen=True)(cls)
        made.name, made.aliases = name, aliases
        known = _REGISTRY.setdefault(made.kind, {})
        for called in (name, *aliases):
            owner = known.get(called)
            if owner is not None and owner.__qualname__ != made.__qualname__:
                raise ValueError(f"{called} is the {made.kind} {owner.__qualname__} already")
            known[called] = made
        return made

    return register


def find(kind: str, name: str) -> type[Technique] | None:
    """The technique of that kind and name."""
    return _REGISTRY.get(kind, {}).get(name)


def names(kind: str) -> list[str]:
    """Every name that a technique of the kind can be called by."""
    return list(_REGISTRY.get(kind, {}))


def kinds() -> list[str]:
    """The kinds of techniques, in the order of their registration."""
    return list(_REGISTRY)


def registered(kind: str) -> Iterator[type[Technique]]:
    """Every technique of a kind, once each, in the order of registration."""
    return iter(dict.fromkeys(_REGISTRY.get(kind, {}).values()))
