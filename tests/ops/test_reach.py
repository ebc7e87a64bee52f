"""What windows see, against trying every position; what interpolations see, against torch."""

from __future__ import annotations

import itertools
import math
import random
import warnings
from collections.abc import Sequence
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F  # noqa: N812  # as torch's own documentation has it

from archdsl.dims import Size, symbol
from archdsl.ops.reach import (
    LONGEST_PERIOD,
    Reach,
    Span,
    Window,
    interpolated,
    parts,
    pointwise,
    pointwise_but,
    regrouped,
    sliding,
    stretched,
    transposed,
    without,
)

PLACES = range(-14, 15)
drawn = random.Random(11)  # noqa: S311  # windows to try, the same ones always


def any_window(along: int = 0) -> Window:
    spans: list[Span | None] = []
    for _ in range(drawn.choice([1, 1, 2, 3, 4, 6])):
        first = drawn.randint(-3, 3)
        spans.append(None if drawn.random() < 0.15 else (first, first + drawn.randint(0, 4)))
    return Window(along, tuple(spans), drawn.choice([1, 1, 2, 3, 4, 6]))


WINDOWS = [any_window() for _ in range(60)]


def hull(spans: Sequence[Span | None]) -> Span | None:
    found = [span for span in spans if span is not None]
    return (min(f for f, _ in found), max(last for _, last in found)) if found else None


def moved(span: Span | None, by: int) -> Span | None:
    return span and (span[0] + by, span[1] + by)


def through(window: Window, source: Window, place: int) -> Span | None:
    span = window.at(place)
    return span and hull([source.at(q) for q in range(span[0], span[1] + 1)])


def test_a_window_after_another_sees_what_its_positions_see_together() -> None:
    for window, source in itertools.product(WINDOWS, WINDOWS):
        result = window.after(source)
        assert result is not None
        assert [result.at(p) for p in PLACES] == [through(window, source, p) for p in PLACES]
        assert result.along == window.along
        assert result.stride == window.stride * source.stride
        # No shorter period says the same.
        for period in range(1, len(result.spans)):
            if len(result.spans) % period == 0:
                move = result.stride * period
                assert move.denominator > 1 or any(
                    result.at(p + period) != moved(result.at(p), int(move)) for p in PLACES
                )


def test_windows_that_join_see_from_the_smallest_start_to_the_largest_end() -> None:
    together = apart = 0
    for one, other in itertools.product(WINDOWS, WINDOWS):
        result = one.joined(other)
        assert (result is None) == (one.stride != other.stride)
        if result is None:
            apart += 1
            continue
        together += one != other
        assert [result.at(p) for p in PLACES] == [hull([one.at(p), other.at(p)]) for p in PLACES]
        assert result.stride == one.stride
        assert max(w.size for w in (one, other)) <= result.size
    assert together > 100
    assert apart > 100


def test_windows_that_look_along_different_axes_do_not_join() -> None:
    plain = Window(0, ((0, 2),), 2)
    patches = Window(0, ((0, 2),), 2, divisor=3, modulus=4)
    for one, other in [
        (plain, Window(1, ((0, 2),), 2)),
        (plain, patches),
        (patches, Window(0, ((0, 2),), 2, divisor=4, modulus=4)),
        (patches, Window(0, ((0, 2),), 2, divisor=3)),
    ]:
        assert one.joined(other) is None
        assert other.joined(one) is None
    wider = Window(0, ((-1, 2), (3, 4)), 4, divisor=3, modulus=4)
    both = patches.joined(wider)
    assert both is not None
    for place in range(40):
        assert both.at(place) == hull([patches.at(place), wider.at(place)])


def test_a_window_measures_itself() -> None:
    for window in WINDOWS:
        seen = [span for p in PLACES for span in [window.at(p)] if span]
        assert window.size == max([last - first + 1 for first, last in seen], default=0)
        assert window.moves == any(window.at(p) != (p, p) for p in PLACES)
        assert not window.joins
        periods = 2 * len(window.spans)
        assert window.at(periods) == moved(window.at(0), int(periods * window.stride))
    assert Window(0, divisor=2).joins
    assert Window(0, modulus=2).joins
    free = Window(0, divisor=symbol("H"))
    for window in (free, Window(0, divisor=2, modulus=symbol("H"))):
        with pytest.raises(ValueError, match="free size"):
            window.at(3)


def test_patterns_are_kept_in_their_shortest_form_however_wide_they_are() -> None:
    twice = Window(0, ((0, 0), (0, 0)), 1)
    for last in range(1, 8):
        assert Window(0, ((0, last),), 2).after(twice) == Window(0, ((0, last // 2),))
        wide = Window(0, ((-1, last),), 3)
        for period in (2, 3, 4):
            spelled = tuple((3 * i - 1, 3 * i + last) for i in range(period))
            assert wide.joined(Window(0, spelled, 3 * period)) == wide
    holes = Window(0, (None, (0, 1)), 1)
    assert holes.joined(Window(0, (None, (0, 1), None, (1, 2)), 2)) == holes


def test_patterns_of_up_to_the_longest_period_are_kept() -> None:
    def irregular(period: int) -> Window:
        return Window(0, tuple((i, i + (i == 3)) for i in range(period)), period)

    assert LONGEST_PERIOD == 4096
    two = Window(0, ((0, 1),), 1)
    longest = two.after(irregular(4096))
    assert longest is not None
    assert len(longest.spans) == 4096
    assert two.after(irregular(4097)) is None
    moved = Window(0, ((0, 1), (64, 66)), 128).after(irregular(64))  # it repeats at once
    assert moved is not None
    assert [moved.at(p) for p in range(4)] == [(0, 1), (64, 66), (128, 129), (192, 194)]
    holes = Window(0, (*[(i, i) for i in range(4095)], None), 4096)
    together = irregular(64).joined(holes)
    assert together is not None
    assert len(together.spans) == 64
    wide = Window(0, (*[(i, i) for i in range(4095)], (4095, 4099)), 4096)
    together = irregular(64).joined(wide)
    assert together is not None
    assert len(together.spans) == 4096
    assert irregular(64).joined(irregular(65)) is None


def test_what_was_joined_is_seen_through_a_layer_that_keeps_positions_alone() -> None:
    patches = Window(2, divisor=3, modulus=4)
    source = Window(1, ((-1, 1), (0, 3)), 4)
    behind = patches.after(source)
    assert behind is not None
    assert [behind.at(p) for p in range(30)] == [source.at(p // 3 % 4) for p in range(30)]
    assert (behind.along, behind.divisor, behind.modulus) == (2, 3, 4)
    assert Window(2).after(behind) == behind
    assert Window(0).after(behind) == Window(0, behind.spans, behind.step, 3, 4)
    assert Window(0, ((0, 1),)).after(behind) is None
    assert patches.after(patches) is None


# Layers ----------------------------------------------------------------------------


def test_sliding_windows_are_those_of_a_convolution() -> None:
    for kernel, stride, before, dilation in itertools.product((1, 2, 3), (1, 2, 3), (0, 2), (1, 3)):
        window = sliding(2, kernel=kernel, stride=stride, before=before, dilation=dilation)
        assert window.along == 2
        for p in PLACES:
            taken = [p * stride - before + dilation * k for k in range(kernel)]
            assert window.at(p) == (min(taken), max(taken))
    assert sliding(0, kernel=3) == Window(0, ((0, 2),))


def test_transposed_windows_are_those_of_what_is_spread() -> None:
    for kernel, stride, before, dilation in itertools.product(
        (1, 2, 3, 5), (1, 2, 3, 4), (0, 1, 3), (1, 2, 3)
    ):
        window = transposed(1, kernel=kernel, stride=stride, before=before, dilation=dilation)
        reached: dict[int, list[int]] = {p: [] for p in PLACES}
        for q, k in itertools.product(range(-60, 60), range(kernel)):
            reached.setdefault(q * stride - before + dilation * k, []).append(q)
        assert [window.at(p) for p in PLACES] == [
            hull([(q, q) for q in reached[p]]) for p in PLACES
        ]


def test_parts_are_those_of_adaptive_pooling() -> None:
    for given, wanted in itertools.product(range(1, 13), range(1, 13)):
        window = parts(1, given, wanted)
        if wanted == 1 and given > 1:
            assert window is None
            continue
        assert window is not None
        basis = torch.eye(given).view(given, 1, given)
        seen = F.adaptive_avg_pool1d(basis, wanted)[:, 0] != 0
        for p in range(wanted):
            places = seen[:, p].nonzero().flatten()
            assert window.at(p) == (int(places[0]), int(places[-1])), (given, wanted)
    free = symbol("H")
    assert parts(1, LONGEST_PERIOD + 1, LONGEST_PERIOD) is not None
    assert parts(1, LONGEST_PERIOD, LONGEST_PERIOD + 1) is None
    assert parts(1, free, free) == Window(1)
    assert parts(1, free, 3) is None
    assert parts(1, 3, free) is None


@pytest.mark.parametrize("mode", ["nearest", "nearest_exact", "linear", "bicubic"])
@pytest.mark.parametrize("corners", [False, True])
def test_interpolations_see_what_torch_takes(mode: str, corners: bool) -> None:
    if corners and mode.startswith("nearest"):
        return
    for given, wanted in itertools.product(range(1, 10), range(1, 13)):
        scale = Fraction(given, wanted)
        window = interpolated(1, scale, mode, corners=(given, wanted) if corners else None)
        if corners and min(given, wanted) < 2:
            assert window is None
            continue
        assert window is not None
        seen = _weights(given, wanted, mode, corners) != 0
        for p in range(wanted):
            found = seen[:, p].nonzero().flatten()
            span = window.at(p)
            assert span is not None
            cut = min(max(span[0], 0), given - 1), max(min(span[1], given - 1), 0)
            assert cut == (int(found[0]), int(found[-1])), (given, wanted, p)


def test_interpolations_that_hardly_repeat_are_told_up_to_the_longest_period() -> None:
    longest = interpolated(0, Fraction(1, LONGEST_PERIOD), "nearest")
    assert longest is not None
    assert [longest.at(p) for p in (0, LONGEST_PERIOD - 1, LONGEST_PERIOD)] == [
        (0, 0),
        (0, 0),
        (1, 1),
    ]
    assert interpolated(0, Fraction(1, LONGEST_PERIOD + 1), "nearest") is None


def _weights(given: int, wanted: int, mode: str, corners: bool) -> torch.Tensor:
    """What every input contributes to every output."""
    flat = torch.eye(given, dtype=torch.float64)
    aligned = {"align_corners": True} if corners else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if mode == "bicubic":
            image = flat.view(given, 1, 1, given)
            weights = F.interpolate(image, size=(1, wanted), mode=mode, **aligned)[:, 0, 0]
        else:
            name = mode.replace("_", "-")
            weights = F.interpolate(flat.view(given, 1, given), size=wanted, mode=name, **aligned)[
                :, 0
            ]
    return weights.where(weights.abs() > 1e-9, torch.zeros(()))


# Axes ------------------------------------------------------------------------------

SHAPES: list[tuple[tuple[int, ...], tuple[int, ...]]] = [
    ((2, 3, 4), (2, 12)),
    ((2, 3, 4), (6, 4)),
    ((2, 3, 4), (24,)),
    ((2, 12), (2, 3, 4)),
    ((2, 12), (2, 4, 3)),
    ((2, 3, 4), (4, 3, 2)),
    ((2, 3, 4, 5), (6, 20)),
    ((2, 3, 4, 5), (2, 12, 5)),
    ((6, 5), (2, 3, 5)),
    ((6, 5), (3, 10)),
    ((6, 5, 2), (6, 5, 2)),
    ((4, 6), (6, 4)),
]


@pytest.mark.parametrize(("given", "result"), SHAPES)
def test_regrouped_axes_are_where_the_values_are(
    given: tuple[int, ...], result: tuple[int, ...]
) -> None:
    origin = torch.arange(math.prod(given))
    before = torch.unravel_index(origin, given)
    after = torch.unravel_index(origin, result)
    for axis, window in enumerate(regrouped(given, result)):
        if window is not None:
            for p in range(result[window.along]):
                seen = before[axis][after[window.along] == p].tolist()
                assert window.at(p) == (min(seen), max(seen)), (axis, window)
        else:  # it is cut, or stands beside one that is: somewhere between two common ends
            ends = {math.prod(given[:i]) for i in range(len(given) + 1)}
            common = sorted(ends & {math.prod(result[:j]) for j in range(len(result) + 1)})
            end = next(end for end in common if end >= math.prod(given[: axis + 1]))
            start = common[common.index(end) - 1]
            inside = [j for j in range(len(result)) if start <= math.prod(result[:j]) < end]
            assert len(inside) > 1


def test_free_axes_are_regrouped_where_they_are_the_same() -> None:
    h, w = symbol("H"), symbol("W")
    joined = regrouped((3, h, w), (3, h * w))
    assert joined == (Window(0), Window(1, divisor=w), Window(1, modulus=w))
    assert regrouped((3, h, w), (3 * h, w)) == (
        Window(0, divisor=h),
        Window(0, modulus=h),
        Window(1),
    )
    assert regrouped((h * w, 3), (h, w, 3)) == (None, Window(2))


def test_axes_that_are_dropped_mixed_or_stretched() -> None:
    def alongs(reach: Reach) -> list[int | None]:
        return [None if window is None else window.along for window in reach]

    assert alongs(pointwise(3)) == [0, 1, 2]
    assert alongs(pointwise_but(4, 1, 3)) == [0, None, 2, None]
    for dropped in ((0,), (1,), (1, 2), (0, 3), (0, 1, 2, 3)):
        kept = torch.arange(4)[[axis not in dropped for axis in range(4)]].tolist()
        wanted = [kept.index(axis) if axis in kept else None for axis in range(4)]
        assert alongs(without(4, *dropped)) == wanted
    h = symbol("H")
    cases: list[tuple[tuple[Size, ...], tuple[Size, ...], list[int | None]]] = [
        ((3, h), (3, h), [0, 1]),
        ((1, h), (3, h), [None, 1]),
        ((h,), (3, h), [1]),
        ((1,), (3, h), [None]),
        ((2, 3, h), (3, h), [None, 0, 1]),
    ]
    for given, result, seen in cases:
        assert alongs(stretched(given, result)) == seen
