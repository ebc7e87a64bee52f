"""Records do what the frozen dataclasses of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from archdsl.records import record


@record(frozen=True)
class Window:
    """What is looked at."""

    along: int
    spans: tuple[int, ...] = (0,)
    known: Mapping[str, int] = field(default_factory=dict)
    note: str = field(default="", repr=False, compare=False)


@dataclass(frozen=True)
class Plain:
    """What is looked at."""

    along: int
    spans: tuple[int, ...] = (0,)
    known: Mapping[str, int] = field(default_factory=dict)
    note: str = field(default="", repr=False, compare=False)


@record(frozen=True)
class Single:
    size: float

    def __post_init__(self) -> None:
        if self.size < 0:
            raise ValueError("below 0")


@record(frozen=True)
class Own:
    size: int

    def __eq__(self, other: object) -> bool:
        return True

    def __repr__(self) -> str:
        return "own"

    def __hash__(self) -> int:
        return 7


def test_it_says_what_a_dataclass_says() -> None:
    one, plain = Window(1, note="x"), Plain(1, note="x")
    assert repr(one) == repr(plain).replace("Plain", "Window")
    assert dataclasses.asdict(one) == dataclasses.asdict(plain)
    assert Window.__match_args__ == Plain.__match_args__
    assert Window.__doc__ == Plain.__doc__
    assert inspect.signature(Window).parameters.keys() == inspect.signature(Plain).parameters.keys()
    assert Window.__init__.__annotations__ == Plain.__init__.__annotations__


def test_equal_records_have_equal_values_and_are_of_one_class() -> None:
    assert Window(1, (2,), note="x") == Window(1, (2,), note="y")
    assert Window(1) != Window(2)
    assert Window(1) != Plain(1)  # type: ignore[comparison-overlap]  # that is what is tested
    assert hash(Single(2)) == hash(Single(2.0))
    nan = float("nan")
    assert Single(nan) == Single(nan)  # as tuples are that hold one and the same


def test_what_cannot_be_a_key_has_no_hash() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Window(1))


def test_it_is_frozen() -> None:
    one = Single(1)
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'size'"):
        one.size = 2  # type: ignore[misc]  # that is what is tested
    with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'size'"):
        del one.size


def test_every_record_has_a_default_of_its_own() -> None:
    assert Window(1).known is not Window(1).known


def test_replace_copy_and_pickle() -> None:
    one = Window(1, (2, 3), {"H": 4}, "x")
    assert dataclasses.replace(one, along=5) == Window(5, (2, 3), {"H": 4})
    for again in (copy.copy(one), copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert again == one
        assert again.note == "x"


def test_what_a_class_says_itself_stays() -> None:
    assert Own(1) == Own(2)
    assert repr(Own(1)) == "own"
    assert hash(Own(1)) == 7
    with pytest.raises(ValueError, match="below 0"):
        Single(-1)


def test_a_record_that_holds_itself_can_be_shown() -> None:
    known: dict[str, object] = {}
    one = Window(1, known=known)  # type: ignore[arg-type]  # a record where a number should be
    known["self"] = one
    assert repr(one) == "Window(along=1, spans=(0,), known={'self': ...})"
