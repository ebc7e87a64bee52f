"""Frozen dataclasses that are made in a quarter of the time.

``@dataclass(frozen=True)`` writes seven methods for every class and compiles each by itself; with
the seventy classes that a command needs, that was a sixth of what the command took. Here
``__init__`` alone is written anew. The other methods are the same functions for all classes, and
say what those of dataclasses say. ``fields``, ``replace`` and ``field`` are those of dataclasses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError, dataclass, fields
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["record"]

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool) -> Callable[[type], type]:
        """The decorator of a frozen record, which a type checker takes for that of dataclasses."""
        assert frozen, "what is not frozen is a dataclass as usual"
        return _make


def _make(cls: type) -> type:
    cls.__doc__ = cls.__doc__ or cls.__name__  # or dataclasses would work out a signature for it
    written = dict(vars(cls))
    made: Any = dataclass(init=False, repr=False, eq=False)(cls)
    own = fields(made)
    made.__init__ = _initializer(made, own)
    made._compared = _reader([f.name for f in own if f.compare])
    for method in (_equal, _show, _refuse_to_set, _refuse_to_delete):
        if method.__name__ not in written:
            setattr(made, method.__name__, method)
    if written.get("__hash__") is None:
        made.__hash__ = _hash
    return made  # type: ignore[no-any-return]  # what dataclass gives is the class


def _initializer(cls: type, own: tuple[Field[Any], ...]) -> Callable[..., None]:
    """``__init__``: the one method that is another for every class."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_absent": MISSING}
    parameters = ["self"]
    lines = []
    for one in own:
        value = one.name
        if one.default_factory is not MISSING:
            known[f"_make_{value}"] = one.default_factory
            parameters.append(f"{value}=_absent")
            lines.append(
                f"_set(self, '{value}', _make_{value}() if {value} is _absent else {value})"
            )
            continue
        if one.default is not MISSING:
            known[f"_default_{value}"] = one.default
            parameters.append(f"{value}=_default_{value}")
        else:
            parameters.append(value)
        lines.append(f"_set(self, '{value}', {value})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    text = f"def __init__({', '.join(parameters)}):\n " + "\n ".join(lines or ["pass"])
    exec(text, known)  # noqa: S102  # as dataclasses do: the names are those of a class of ours
    made: Callable[..., None] = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__module__ = cls.__module__
    made.__annotations__ = {**{one.name: one.type for one in own}, "return": None}
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
