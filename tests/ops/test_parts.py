from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import Any

import pytest
import torch

from archdsl.conditions import holds
from archdsl.dims import evaluate, show, symbol
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Op, Tensor
from tests.ops.against_torch import check, infer, make, random_tensor, run_torch

H = symbol("H")


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "expected"),
    [
        ("split", {"lengths": 2}, (5, 3), [(2, 3), (2, 3), (1, 3)]),
        ("split", {"lengths": (1, 4)}, (5, 3), [(1, 3), (4, 3)]),
        ("split", {"lengths": 9}, (5, 3), [(5, 3)]),
        ("split", {"lengths": 1, "axis": -1}, (5, 2), [(5, 1), (5, 1)]),
        ("chunk", {"chunks": 3}, (7,), [(3,), (3,), (1,)]),
        ("slice", {"axis": 1, "start": 1, "stop": -1}, (5, 3), [(3, 3)]),
        ("slice", {"axis": -1, "start": -2, "step": 2}, (5, 3), [(5, 1)]),
        ("slice", {"axis": 2, "stop": 2}, (5, 3), [(5, 2)]),
        ("select", {"axis": 1, "index": 0}, (5, 3), [(3,)]),
        ("select", {"axis": -1, "index": -3}, (5, 3), [(5,)]),
        ("mean", {"axis": (2, 3)}, (5, 3, 2), [(5,)]),
        ("mean", {"axis": -1, "keep": True}, (5, 3), [(5, 1)]),
        ("sum", {"axis": 1}, (5,), [()]),
        ("amax", {"axis": (1, -1)}, (5, 3), [()]),
    ],
)
def test_shapes(
    name: str, arguments: dict[str, Any], dims: tuple[int, ...], expected: list[tuple[int, ...]]
) -> None:
    op = make(name, **arguments)
    assert [y.dims for y in infer(op, Tensor(dims))[0]] == expected
    check(op, Tensor(dims))
    if name != "mean":
        check(op, Tensor(dims, "int"))


def test_split_gives_the_parts_in_order() -> None:
    op, x = make("split", lengths=(1, 4)), Tensor((5,))
    written = run_torch(op, [x], infer(op, x)[0]).written
    given = random_tensor(x)
    assert torch.equal(torch.cat(written.run([given], count=2), 1), given)


@pytest.mark.parametrize(
    ("name", "arguments", "expected", "conditions"),
    [
        ("chunk", {"chunks": 2, "axis": 2}, "H // 2", ["H must be a multiple of 2"]),
        ("slice", {"axis": 2, "start": 1}, "H - 1", ["H must be at least 2"]),
        ("slice", {"axis": 2, "stop": 3}, "3", ["H must be at least 3"]),
        ("slice", {"axis": 2, "step": 2}, "(H + 1) // 2", []),
    ],
)
def test_free_sizes(
    name: str, arguments: dict[str, Any], expected: str, conditions: list[str]
) -> None:
    op = make(name, **arguments)
    (y, *_), need = infer(op, Tensor((5, H)))
    assert show(y.dims[1]) == expected
    assert {*conditions} <= {str(condition) for condition in need.conditions}
    check(op, Tensor((5, H)), sizes={"H": 6})


@pytest.mark.parametrize(
    ("name", "arguments", "dims", "code"),
    [
        ("split", {"lengths": 2, "axis": 2}, (5, H), "free-size"),
        ("split", {"lengths": (1, 3)}, (5,), "shape-mismatch"),
        ("split", {"lengths": 1}, (5000,), "too-many-parts"),
        ("chunk", {"chunks": 4}, (6,), "not-divisible"),
        ("slice", {"axis": 1, "start": 3, "stop": 3}, (5,), "empty-size"),
        ("slice", {"axis": 1, "stop": 6}, (5,), "out-of-range"),
        ("slice", {"axis": 1, "start": -6}, (5,), "out-of-range"),
        ("select", {"axis": 1, "index": 5}, (5,), "out-of-range"),
        ("select", {"axis": 1, "index": -6}, (5,), "out-of-range"),
        ("mean", {"axis": 0}, (5,), "bad-axis"),
        ("sum", {"axis": (1, -1)}, (5,), "bad-axis"),
    ],
)
def test_refused(name: str, arguments: dict[str, Any], dims: Any, code: str) -> None:
    with pytest.raises(OpError) as refusal:
        infer(make(name, **arguments), Tensor(dims))
    assert refusal.value.code == code


def test_indices_have_no_mean() -> None:
    with pytest.raises(OpError) as refusal:
        infer(make("mean", axis=1), Tensor((5,), "int"))
    assert refusal.value.code == "wrong-dtype"


# Exhaustively, against Python's own slices and torch's parts -------------------------


def cuts(length: int) -> Iterator[tuple[Op, list[list[int]] | None]]:
    """Layers on an axis of a length, and the places that each part has; None where it has none."""
    places, row = list(range(length)), torch.arange(length)
    around = range(-length - 1, length + 2)
    for step, start, stop in product((1, 2, 3), around, [None, *around]):
        low = start + length if start < 0 else start
        high = length if stop is None else stop + length if stop < 0 else stop
        taken = places[low:high:step] if low >= 0 and 0 <= high <= length else []
        named = {"axis": 2, "start": start, "stop": stop, "step": step}
        yield make("slice", **named), [taken] if taken else None
    for count in range(1, length + 2):
        yield make("split", lengths=count, axis=2), _as_torch(torch.split(row, count))
        parts = _as_torch(torch.chunk(row, count))
        yield make("chunk", chunks=count, axis=2), parts if len(parts) == count else None
    for lengths in product(range(1, 4), repeat=2):
        fits = sum(lengths) == length
        op = make("split", lengths=lengths, axis=2)
        yield op, _as_torch(torch.split(row, list(lengths))) if fits else None


def _as_torch(parts: tuple[torch.Tensor, ...]) -> list[list[int]]:
    return [part.tolist() for part in parts]


@pytest.mark.parametrize("length", [1, 2, 3, 4, 6])
def test_every_small_cut_has_the_places_that_python_and_torch_give(length: int) -> None:
    """Its sizes, what is refused, what it sees, and the same of a free size where it is allowed."""
    x, free = Tensor((5, length, 3)), Tensor((5, H, 3))
    for op, parts in cuts(length):
        try:
            outputs, need = infer(op, x)
        except OpError:
            assert parts is None, op
        else:
            assert parts is not None, op
            assert need.conditions == []
            assert [y.dims for y in outputs] == [(5, len(part), 3) for part in parts], op
            for place, part in enumerate(parts):
                reach = op.reach([x], outputs, 0, place)
                assert reach is not None
                across, along, last = reach
                assert across is not None
                assert along is not None
                assert last is not None
                assert [across.at(4), last.at(2)] == [(4, 4), (2, 2)]
                assert [w.along for w in (across, along, last)] == [0, 1, 2]
                assert [along.at(p) for p in range(len(part))] == [(v, v) for v in part], op
        if op.name == "split" and isinstance(vars(op)["lengths"], int):
            continue  # it needs a fixed size
        try:
            outputs, need = infer(op, free)
        except OpError:
            assert parts is None, op
            continue
        met = all(holds(condition, {"H": length}) for condition in need.conditions)
        unequal = op.name == "chunk" and length % vars(op)["chunks"] != 0
        assert met == (parts is not None and not unequal), (op, need.conditions)
        if met and parts is not None:
            told = [evaluate(y.dims[1], {"H": length}) for y in outputs]
            assert told == [len(part) for part in parts]


def test_every_small_choice_is_the_one_that_torch_makes() -> None:
    for length, index in product(range(1, 5), range(-6, 6)):
        op = make("select", axis=2, index=index)
        _, need = infer(op, Tensor((5, H, 3)))
        inside = -length <= index < length
        assert all(holds(condition, {"H": length}) for condition in need.conditions) == inside
        if not inside:
            with pytest.raises(OpError):
                infer(op, Tensor((5, length, 3)))
            continue
        (y,), _ = infer(op, Tensor((5, length, 3)))
        assert y.dims == (5, 3)
        check(op, Tensor((5, length, 3)))
        reach = op.reach([Tensor((5, length, 3))], [y], 0, 0)
        assert reach is not None
        assert [window and window.along for window in reach] == [0, None, 1]


@pytest.mark.parametrize("name", ["mean", "sum", "amax", "amin"])
@pytest.mark.parametrize("keep", [False, True])
def test_reduced_axes_are_seen_whole_and_the_others_stay(name: str, keep: bool) -> None:
    x = Tensor((5, 4, 3))
    axes = [(1,), (2,), (-1,), (1, 2), (1, -1), (3, 1), (1, 2, 3)]
    for named in axes:
        op = make(name, axis=named, keep=keep)
        (y,), _ = infer(op, x)
        (got,) = check(op, x)
        assert tuple(got.shape[1:]) == y.dims
        dropped = {axis % 4 for axis in named}
        kept = [axis for axis in range(1, 4) if axis not in dropped]
        places = {axis: axis - 1 if keep else kept.index(axis) for axis in kept}
        reach = op.reach([x], [y], 0, 0)
        assert reach is not None
        assert [w and w.along for w in reach] == [places.get(axis) for axis in range(1, 4)]


def test_no_more_than_a_thousand_parts() -> None:
    for op, extent in [
        (make("split", lengths=1), 1000),
        (make("split", lengths=2), 1999),
        (make("chunk", chunks=1000), 1000),
        (make("split", lengths=(1,) * 1000), 1000),
        (make("chunk", chunks=1000), 1000 * H),
    ]:
        outputs, _ = infer(op, Tensor((extent,)))
        assert len(outputs) == 1000
    for op, extent in [
        (make("split", lengths=1), 1001),
        (make("split", lengths=2), 2001),
        (make("chunk", chunks=1001), 1001),
        (make("split", lengths=(1,) * 1001), 1001),
        (make("chunk", chunks=1001), 1001 * H),
        (make("chunk", chunks=2**31 - 1), (2**31 - 1) * H),
    ]:
        with pytest.raises(OpError) as refusal:
            infer(op, Tensor((extent,)))
        assert (refusal.value.code, refusal.value.input) == ("too-many-parts", refusal.value.input)
