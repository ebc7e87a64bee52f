"""The colours: legible text, and tints that people with any colour vision can tell apart."""

from __future__ import annotations

from itertools import combinations

import pytest

from archdsl.backends.dot.theme import GROUPS, THEMES, Theme, group_of
from archdsl.ops.op import registered

RGB = tuple[float, float, float]

# Machado, Oliveira and Fernandes (2009): what is left of linear RGB at the full deficiency.
DEFICIENCIES = {
    "none": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
TOLD_APART = ("convolution", "linear", "attention", "normalization", "activation", "pooling")


def linear(colour: str) -> RGB:
    """Linear RGB of an sRGB colour, ``#rrggbb``."""
    r, g, b = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return _linear(r), _linear(g), _linear(b)


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4


def contrast(one: str, two: str) -> float:
    """The contrast of two colours as WCAG 2 defines it."""
    low, high = sorted(
        sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear(c), strict=True))
        for c in (one, two)
    )
    return (high + 0.05) / (low + 0.05)


def lab(colour: RGB) -> RGB:
    """CIE L*a*b* of linear RGB, D65."""
    rows = (
        (0.4124, 0.3576, 0.1805, 0.95047),
        (0.2126, 0.7152, 0.0722, 1.0),
        (0.0193, 0.1192, 0.9505, 1.08883),
    )
    x, y, z = (
        _cube_root(sum(w * p for w, p in zip(row, colour, strict=False)) / row[3]) for row in rows
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _cube_root(t: float) -> float:
    return t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116


def seen(colour: str, deficiency: str) -> RGB:
    parts = linear(colour)
    rows = DEFICIENCIES[deficiency]
    r, g, b = (
        min(1.0, max(0.0, sum(w * p for w, p in zip(row, parts, strict=True)))) for row in rows
    )
    return lab((r, g, b))


def difference(one: str, two: str, deficiency: str) -> float:
    """The distance in CIE L*a*b*: some 2.3 can just be noticed."""
    pairs = zip(seen(one, deficiency), seen(two, deficiency), strict=True)
    return float(sum((a - b) ** 2 for a, b in pairs) ** 0.5)


@pytest.fixture(params=["light", "dark"])
def theme(request: pytest.FixtureRequest) -> Theme:
    return THEMES[request.param]


def test_contrast_and_difference_have_their_known_values() -> None:
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    assert difference("#ffffff", "#000000", "none") == pytest.approx(100, abs=0.1)
    assert difference("#ff0000", "#00ff00", "none") > 4 * difference(
        "#c00000", "#6b6b00", "protanopia"
    )


def test_text_is_legible_on_everything_that_it_stands_on(theme: Theme) -> None:
    """WCAG 2: 4.5 to 1."""
    grounds = [theme.paper, theme.module.fill, *(f.fill for f in theme.frames)]
    boxes = [t.fill for t in [*theme.tints.values(), *theme.marks.values()]]
    for ground in [*grounds, *boxes]:
        assert contrast(theme.ink, ground) >= 7, ground
        assert contrast(theme.quiet, ground) >= 4.5, ground
    for ground in [theme.paper, *(f.fill for f in theme.frames)]:
        assert contrast(theme.skip, ground) >= 4.5, ground


def test_wires_and_borders_stand_out(theme: Theme) -> None:
    """WCAG 2: 3 to 1 for what is no text."""
    for ground in [theme.paper, *(f.fill for f in theme.frames)]:
        assert contrast(theme.wire, ground) >= 3
        assert contrast(theme.skip, ground) >= 3


@pytest.mark.parametrize("deficiency", DEFICIENCIES)
def test_families_are_told_apart_with_any_colour_vision(theme: Theme, deficiency: str) -> None:
    """By fill and border together; every box bears its name as well, for reading in grey."""
    for one, two in combinations(TOLD_APART, 2):
        a, b = theme.tints[one], theme.tints[two]
        apart = difference(a.fill, b.fill, deficiency) + difference(a.line, b.line, deficiency)
        assert apart >= 15, f"{one} and {two}: {apart:.1f}"


def test_no_two_tints_are_one(theme: Theme) -> None:
    fills = [tint.fill for tint in theme.tints.values()]
    assert len(set(fills)) == len(fills)


def test_every_family_of_layers_has_a_tint() -> None:
    families = {cls.family for cls in registered()}
    assert set(GROUPS) <= families
    for theme in THEMES.values():
        assert {group_of(family) for family in families} <= set(theme.tints)
    assert THEMES["light"].tints.keys() == THEMES["dark"].tints.keys()
    assert THEMES["light"].marks.keys() == THEMES["dark"].marks.keys()
