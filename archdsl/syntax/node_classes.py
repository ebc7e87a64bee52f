"""The classes of syntax nodes: dataclasses with slots, each finished when its first node is made.

There are forty of them at every start, and a file needs half of them: a class is made here in a
tenth of the time that dataclasses take. ``fields`` and ``replace`` are those of dataclasses.
"""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass
from typing import Any


def with_slots(cls: Any) -> Any:
    """The class with a slot for each of its fields, and an ``__init__`` yet to be written."""
    namespace = dict(vars(cls))
    for made_anew in ("__dict__", "__weakref__"):
        namespace.pop(made_anew, None)
    base = cls.__bases__[0]
    own = {name: (kind, namespace.pop(name, MISSING)) for name, kind in cls.__annotations__.items()}
    declared = {**getattr(base, "_declared", {}), **own}
    namespace.update(
        __slots__=tuple(own),
        __match_args__=tuple(declared),
        __init__=_write_and_run,
        __dataclass_fields__=_Fields(),
        _declared=declared,
    )
    return type(cls)(cls.__name__, cls.__bases__, namespace)


def _write_and_run(self: Any, *values: Any, **named: Any) -> None:
    """The ``__init__`` of a class that has no nodes yet."""
    cls = type(self)
    cls.__init__ = _initializer(cls)
    cls.__init__(self, *values, **named)


def _initializer(cls: Any) -> Any:
    known: dict[str, Any] = {}
    parameters = ["self"]
    for name, (_, value) in cls._declared.items():
        default = value.default if isinstance(value, Field) else value
        if default is not MISSING:
            known[f"_default_{name}"] = default
        parameters.append(name if default is MISSING else f"{name}=_default_{name}")
    lines = (f" self.{name} = {name}" for name in cls._declared)
    text = f"def __init__({', '.join(parameters)}):\n" + "\n".join(lines)
    exec(text, known)  # noqa: S102  # as dataclasses do: the names are those of a class of ours
    made = known["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__module__ = cls.__module__
    return made


class _Fields:
    """``__dataclass_fields__``, which dataclasses fill in when somebody asks for it."""

    def __get__(self, instance: object, owner: Any) -> Any:
        namespace = {name: v for name, (_, v) in owner._declared.items() if v is not MISSING}
        kinds = {name: kind for name, (kind, _) in owner._declared.items()}
        described = type(owner.__name__, (), {"__annotations__": kinds, **namespace})
        found = dataclass(init=False, repr=False, eq=False)(described).__dataclass_fields__  # type: ignore[attr-defined]  # what it just got
        owner.__dataclass_fields__ = found
        return found
