"""Frozen dataclasses that are made in a quarter of the time.

``@dataclass(frozen=True)`` writes seven methods for every class and compiles each by itself; with
the seventy classes that a command needs, that was a sixth of what the command took. Here
``__init__`` alone is written anew. The other methods are the same functions for all classes, and
say what those of dataclasses say. ``fields`` and ``field`` are those of dataclasses, which look at
a class when they are first asked about it. For the same reason what is not frozen, and never
compared or shown, is ``@dataclass(eq=False, repr=False)``.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["declared_fields", "record", "replace"]

_Record = TypeVar("_Record")

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool) -> Callable[[type], type]:
        """The decorator of a frozen record, which a type checker takes for that of dataclasses."""
        assert frozen, "what is not frozen is a dataclass as usual"
        return _make


def replace(one: _Record, **changes: Any) -> _Record:
    """The record with other values of these fields: ``dataclasses.replace``, in half the time."""
    known: Any = type(one)
    made: _Record = known(**{**{name: getattr(one, name) for name in known._parts}, **changes})
    return made


def declared_fields(cls: Any) -> Iterator[tuple[str, Any, Mapping[Any, Any]]]:
    """The fields of a record or dataclass with their defaults and metadata, in order."""
    own = vars(cls).get("_parts")
    if own is None:
        yield from ((f.name, f.default, f.metadata) for f in fields(cls))
    else:
        yield from ((name, one.default, one.metadata) for name, one in own.items())


def _make(cls: Any) -> Any:
    cls.__doc__ = cls.__doc__ or cls.__name__  # or dataclasses would work out a signature for it
    written = dict(vars(cls))
    types = {name: t for name, t in cls.__annotations__.items() if "ClassVar" not in t}
    given = {name: written[name] for name in types if isinstance(written.get(name), Field)}
    own = _parts(cls, types, written)
    for name, one in given.items():
        if one.default is MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, one.default)
    cls._parts = own
    cls.__dataclass_fields__ = _Fields(cls, given)
    type.__setattr__(cls, "__match_args__", tuple(own))
    cls.__init__ = _initializer(cls, own)
    cls._compared = _reader([name for name, one in own.items() if one.compare])
    for method in (_equal, _show, _refuse_to_set, _refuse_to_delete):
        if method.__name__ not in written:
            setattr(cls, method.__name__, method)
    if written.get("__hash__") is None:
        cls.__hash__ = _hash
    return cls


class _Part:
    """A field, as far as a record must know of it to be made."""

    __slots__ = ("compare", "default", "factory", "metadata", "type")

    def __init__(self, declared: str, value: Any) -> None:
        is_field = isinstance(value, Field)
        self.type = declared
        self.default = value.default if is_field else value
        self.factory = value.default_factory if is_field else MISSING
        self.compare = value.compare if is_field else True
        self.metadata: Mapping[Any, Any] = value.metadata if is_field else {}


def _parts(cls: Any, types: dict[str, str], written: dict[str, Any]) -> dict[str, _Part]:
    """The fields of a class, those of what it is made from first."""
    parts: dict[str, _Part] = {}
    for base in reversed(cls.__mro__[1:]):
        parts.update(vars(base).get("_parts", {}))
    for name, declared in types.items():
        parts[name] = _Part(declared, written.get(name, MISSING))
    return parts


class _Fields:
    """``__dataclass_fields__``, which dataclasses fill in when somebody asks for it."""

    lock = threading.RLock()

    def __init__(self, cls: Any, given: dict[str, Field[Any]]) -> None:
        self.cls = cls
        self.given = given

    def __get__(self, instance: object, owner: type) -> Any:
        with self.lock:
            if vars(self.cls)["__dataclass_fields__"] is self:
                for name, one in self.given.items():
                    setattr(self.cls, name, one)
                dataclass(init=False, repr=False, eq=False)(self.cls)
                self.cls.__dataclass_params__.frozen = True  # as are those who derive from it
            return vars(self.cls)["__dataclass_fields__"]


def _initializer(cls: Any, own: dict[str, _Part]) -> Callable[..., None]:
    """``__init__``: the one method that is another for every class."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_absent": MISSING}
    parameters = ["self"]
    lines = []
    for name, one in own.items():
        if one.factory is not MISSING:
            known[f"_make_{name}"] = one.factory
            parameters.append(f"{name}=_absent")
            lines.append(f"_set(self, '{name}', _make_{name}() if {name} is _absent else {name})")
            continue
        if one.default is not MISSING:
            known[f"_default_{name}"] = one.default
            parameters.append(f"{name}=_default_{name}")
        else:
            parameters.append(name)
        lines.append(f"_set(self, '{name}', {name})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    text = f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"])
    exec(text, known)  # noqa: S102  # as dataclasses do: the names are those of a class of ours
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__module__ = cls.__module__
    made.__annotations__ = {**{name: one.type for name, one in own.items()}, "return": None}
    return made


def _reader(names: list[str]) -> Callable[[Any], Any]:
    """What gives the values that two records are compared by."""
    if len(names) > 1:
        return attrgetter(*names)
    return staticmethod(lambda one: tuple(getattr(one, name) for name in names))


def _equal(self: Any, other: Any) -> Any:
    if other.__class__ is not self.__class__:
        return NotImplemented
    compared = self._compared
    return compared(self) == compared(other)


def _hash(self: Any) -> int:
    return hash(self._compared(self))


@recursive_repr()
def _show(self: Any) -> str:
    shown = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_to_set(self: Any, name: str, value: object) -> None:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: Any, name: str) -> None:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


_equal.__name__ = "__eq__"
_hash.__name__ = "__hash__"
_show.__name__ = "__repr__"
_refuse_to_set.__name__ = "__setattr__"
_refuse_to_delete.__name__ = "__delattr__"
