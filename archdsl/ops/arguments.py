"""What an argument of a layer may be: the kinds, and how a value is checked against one.

A layer's signature is the fields of its class. Each field is made by one of the
functions below, which say what the argument takes, in words that stand in the
reference and in the errors::

    kernel_size: Sizes = sizes()
    stride: Sizes = sizes(default=1)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from archdsl.dims import Dim, show
from archdsl.records import record

Sizes: TypeAlias = int | tuple[int, ...]
"""One number for every axis, or one number an axis."""

MISSING = dataclasses.MISSING
LARGEST = 2**31 - 1  # what torch indexes safely, and far beyond any real layer


class OpError(Exception):
    """Why a layer cannot be built or applied.

    ``argument`` names the argument to point at, ``input`` the index of the input
    tensor that is at fault; where neither is given the layer itself is shown.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        text: str = "",
        help: str = "",
        argument: str | None = None,
        input: int | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.text = text
        self.help = help
        self.argument = argument
        self.input = input


@record(frozen=True)
class WeightRef:
    """A reference to another layer's parameter: ``embed.weight``."""

    path: str
    """The path of the module that owns it."""
    name: str
    shape: tuple[int, ...]


@record(frozen=True)
class Choice:
    """A bare word such as ``same``: an unbound name that stands where choices are offered."""

    word: str


@record(frozen=True)
class Kind:
    """What an argument takes, in words, and the function that checks and converts a value.

    ``convert`` returns the value in its canonical form, or raises ValueError with
    what was wrong in words (``"must be positive, not -3"``).
    """

    words: str
    convert: Callable[[Any], Any]
    choices: tuple[str, ...] = ()


_LONGEST_SHOWN = 6  # items of a list, in a message
_LONGEST_TEXT = 40


def describe(value: object, depth: int = 0) -> str:
    """A value as the person who wrote it would call it; a long one is cut."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        short = value if len(value) <= _LONGEST_TEXT else value[:_LONGEST_TEXT] + "…"
        return f'the text "{short}"'
    if isinstance(value, Choice):
        return f"the name {value.word}"
    if isinstance(value, Dim):
        return f"the free size {show(value)}"
    if isinstance(value, (tuple, list)):
        opener, closer = "()" if isinstance(value, tuple) else "[]"
        if depth > 2:
            return f"{opener}…{closer}"
        items = [describe(v, depth + 1) for v in value[:_LONGEST_SHOWN]]
        items += ["…"] if len(value) > _LONGEST_SHOWN else []
        return f"{opener}{', '.join(items)}{closer}"
    if isinstance(value, (int, float)):
        return repr(value)
    return str(value)


def argument(kind: Kind, default: Any, doc: str) -> Any:
    metadata = {"kind": kind, "doc": doc}
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def _whole(value: Any, minimum: int | None) -> int:
    if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
        hint = f": write {int(value)}" if minimum is None or value >= minimum else ""
        raise ValueError(f"must be a whole number, not {value!r}{hint}")
    if isinstance(value, Dim):
        raise ValueError(
            f"must be a number, not {describe(value)}, which is known only when the network runs"
        )
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"must be a whole number, not {describe(value)}")
    if minimum is not None and value < minimum:
        wanted = "positive" if minimum == 1 else f"at least {minimum}"
        raise ValueError(f"must be {wanted}, not {value}")
    if abs(value) > LARGEST:
        raise ValueError(f"is too large: {value:,}" if abs(value) < 10**30 else "is too large")
    return value


def size(*, default: Any = MISSING, minimum: int = 1, doc: str = "") -> Any:
    """A whole number, positive unless ``minimum`` says otherwise."""
    words = "a positive whole number" if minimum == 1 else f"a whole number of at least {minimum}"
    return argument(Kind(words, lambda v: _whole(v, minimum)), default, doc)


def integer(*, default: Any = MISSING, doc: str = "") -> Any:
    """Any whole number."""
    return argument(Kind("a whole number", lambda v: _whole(v, None)), default, doc)


def sizes(
    *,
    default: Any = MISSING,
    minimum: int = 1,
    words: Sequence[str] = (),
    none: bool = False,
    doc: str = "",
) -> Any:
    """One whole number, or a tuple with one an axis; or one of ``words``.

    With ``none`` an axis may be left as it is: ``(7, none)``.
    """
    kind_words = f"a whole number, or one an axis such as ({'7, none' if none else '3, 5'})"
    if words:
        kind_words += ", or " + " or ".join(words)

    def convert(value: Any) -> Any:
        if words and isinstance(value, (Choice, str)):
            return _chosen(value, words, "a whole number, one an axis, or ")
        if isinstance(value, (tuple, list)):
            if not value:
                raise ValueError("must have a number for every axis, and is empty")
            return tuple(None if none and v is None else _whole(v, minimum) for v in value)
        return _whole(value, minimum)

    return argument(Kind(kind_words, convert, tuple(words)), default, doc)


def whole_list(*, default: Any = MISSING, minimum: int | None = 1, doc: str = "") -> Any:
    """A list of whole numbers, converted to a tuple; one number alone counts as a list of one."""

    def convert(value: Any) -> tuple[int, ...]:
        return tuple(_whole(v, minimum) for v in _items(value))

    return argument(Kind("a list of whole numbers", convert), default, doc)


def axes(*, default: Any = MISSING, doc: str = "") -> Any:
    """An axis as torch counts them, or several."""

    def convert(value: Any) -> int | tuple[int, ...]:
        if not isinstance(value, (tuple, list)):
            return _whole(value, None)
        if not value:
            raise ValueError("must name an axis, and is empty")
        return tuple(_whole(v, None) for v in value)

    return argument(Kind("an axis, or several such as (2, 3)", convert), default, doc)


def shape(*, default: Any = MISSING, minimum: int = 1, doc: str = "") -> Any:
    """A list of sizes, free ones too: ``[3, H, W]``."""

    def convert(value: Any) -> tuple[Any, ...]:
        return tuple(v if isinstance(v, Dim) else _whole(v, minimum) for v in _items(value))

    return argument(Kind("a list of sizes such as [64, 7, 7]", convert), default, doc)


def extent(*, default: Any = MISSING, minimum: int = 1, doc: str = "") -> Any:
    """One size, that may be free."""

    def convert(value: Any) -> Any:
        return value if isinstance(value, Dim) else _whole(value, minimum)

    return argument(Kind("a size", convert), default, doc)


def number(
    *,
    default: Any = MISSING,
    minimum: float | None = None,
    maximum: float | None = None,
    above: float | None = None,
    doc: str = "",
) -> Any:
    """A number, between the bounds that are given (``above`` is exclusive)."""
    words = "a number"
    if minimum is not None and maximum is not None:
        words += f" from {minimum:g} to {maximum:g}"
    elif minimum is not None:
        words += f" of at least {minimum:g}"
    elif above is not None:
        words += f" above {above:g}"

    def convert(given: Any) -> float | int:
        value = _real(given)
        if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
            raise ValueError(f"must be {words}, not {value!r}")
        if above is not None and value <= above:
            raise ValueError(f"must be {words}, not {value!r}")
        return value

    return argument(Kind(words, convert), default, doc)


def factors(*, default: Any = MISSING, doc: str = "") -> Any:
    """One number above 0, or a tuple with one an axis."""

    def convert(value: Any) -> Any:
        several = isinstance(value, (tuple, list))
        for factor in value if several else [value]:
            if _real(factor) <= 0:
                raise ValueError(f"must be above 0, not {describe(factor)}")
        return tuple(value) if several else value

    return argument(
        Kind("a number above 0, or one an axis such as (2, 1.5)", convert), default, doc
    )


def probability(*, default: Any = MISSING, doc: str = "") -> Any:
    """A number from 0 to 1."""
    return number(default=default, minimum=0.0, maximum=1.0, doc=doc)


def flag(*, default: Any = MISSING, doc: str = "") -> Any:
    """``true`` or ``false``."""

    def convert(value: Any) -> bool:
        if not isinstance(value, bool):
            raise ValueError(f"must be true or false, not {describe(value)}")
        return value

    return argument(Kind("true or false", convert, ("true", "false")), default, doc)


def choice(*words: str, default: Any = MISSING, doc: str = "") -> Any:
    """One of a few words, written bare: ``mode = bilinear``."""
    return argument(Kind(" or ".join(words), lambda v: _chosen(v, words), words), default, doc)


def text(*, default: Any = MISSING, doc: str = "") -> Any:
    """A text."""

    def convert(value: Any) -> str:
        if not isinstance(value, str):
            raise ValueError(f"must be a text, not {describe(value)}")
        return value

    return argument(Kind("a text", convert), default, doc)


def optional(field: Any, *, default: Any = None, doc: str = "") -> Any:
    """What the given field takes, or ``none``, which is its default unless another is given."""
    kind: Kind = field.metadata["kind"]

    def convert(value: Any) -> Any:
        return None if value is None else kind.convert(value)

    return argument(
        Kind(f"{kind.words}, or none", convert, kind.choices),
        default,
        doc or field.metadata["doc"],
    )


def weight(*, doc: str = "") -> Any:
    """Another layer's parameter, such as ``embed.weight``, or ``none``."""

    def convert(value: Any) -> WeightRef | None:
        if value is not None and not isinstance(value, WeightRef):
            raise ValueError(
                f"must be a layer's parameter such as embed.weight, not {describe(value)}"
            )
        return value

    return argument(Kind("a layer's parameter such as embed.weight", convert), None, doc)


def _real(value: Any) -> float | int:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"must be a number, not {describe(value)}")
    if (isinstance(value, int) and abs(value) > 10**300) or not math.isfinite(value):
        raise ValueError("must be finite")
    return value


def _items(value: Any) -> Sequence[Any]:
    """A list's items; ``f([2, 3])`` and ``f(2, 3)`` say the same where positions are collected."""
    if not isinstance(value, (tuple, list)):
        return (value,)
    if len(value) == 1 and isinstance(value[0], (tuple, list)):
        return value[0]
    return value


def _chosen(value: Any, words: Sequence[str], before: str = "") -> str:
    word = value.word if isinstance(value, Choice) else value
    if word is None and "none" in words:
        return "none"  # `approximate = none`: the word is the language's none too
    if isinstance(word, str) and word in words:
        return word
    raise ValueError(f"must be {before}{' or '.join(words)}, not {describe(value)}")
