"""PyTorch as data: what a layer says of its own source, before any of it is laid out as text.

A layer answers with a :class:`Code`. The source backend decides on names, shared
classes, constructor parameters and line breaks; the layer only says what to
construct and how to call it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from archdsl.records import record


class _NoDefault:
    def __repr__(self) -> str:
        return "no default"


_NO_DEFAULT = _NoDefault()


@record(frozen=True)
class Argument:
    """An argument of a constructor; left out where every use has the default.

    ``keyword`` is the name to write (``stride=2``), or empty for a positional
    one. ``value`` may be a :class:`Construct` in turn (``nn.Parameter(torch.zeros(3))``)
    or a :class:`Verbatim`. ``name`` is what a constructor parameter made from it is called.
    """

    name: str
    value: Any
    keyword: str = ""
    default: Any = _NO_DEFAULT

    @property
    def omitted(self) -> bool:
        """Whether the value is the default, so that it need not be written."""
        return self.default is not _NO_DEFAULT and same(self.value, self.default)


def same(left: Any, right: Any) -> bool:
    """Equality that tells ``1`` from ``1.0`` and ``True``."""
    return type(left) is type(right) and bool(left == right)


@record(frozen=True)
class Verbatim:
    """Python text that stands as it is, such as ``torch.float32``."""

    text: str


@record(frozen=True)
class Construct:
    """``nn.Conv2d(3, 64, 7, stride=2)``: a callee and its arguments."""

    callee: str
    arguments: tuple[Argument, ...] = ()


@record(frozen=True)
class Code:
    """How a layer is built once and called in ``forward``.

    ``module`` is None for a pure function. ``call`` is a Python expression, with
    ``{self}`` for the module, ``{0}``, ``{1}`` … for the inputs, and ``{name}`` for an
    entry of ``constants``. A module that is called as ``{self}({0})`` can stand in an
    ``nn.Sequential``.

    ``function`` is a second way to call the same thing without a module, used
    where the stage has no label and stands in a class of its own ``forward``.

    ``targets`` says how several outputs are unpacked (``"{0}, ({1}, {2})"``); ``after``
    holds for an output (by index) an expression that puts it into its final form,
    with ``{0}`` for the output itself.

    ``helpers`` are source texts of small classes or functions that the code needs,
    by their name; ``imports`` are import lines beyond torch, nn and F.
    """

    call: str = "{self}({0})"
    module: Construct | None = None
    constants: Mapping[str, Any] = field(default_factory=dict)
    function: str = ""
    targets: str = "{0}"
    after: Mapping[int, str] = field(default_factory=dict)
    helpers: Mapping[str, str] = field(default_factory=dict)
    imports: tuple[str, ...] = ()


def module(callee: str, *arguments: Argument, **more: Any) -> Code:
    """A plain module: built as ``callee(arguments)``, called with its one input."""
    return Code(module=Construct(callee, arguments), **more)


def positional(name: str, value: Any) -> Argument:
    """An argument written by its position."""
    return Argument(name, value)


def keyword(name: str, value: Any, default: Any = _NO_DEFAULT, *, called: str = "") -> Argument:
    """An argument written as ``name=value``, left out where it is the default."""
    return Argument(called or name, value, name, default)
