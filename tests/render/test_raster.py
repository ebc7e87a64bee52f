"""An SVG document as an image, on a machine that need have no fonts."""

from __future__ import annotations

import itertools
import re
import struct
from typing import Any

import pytest
import resvg_py

from archdsl.diagnostics import ArchError
from archdsl.render import png, raster
from tests.render.truetype import Font

REGULAR, BOLD, SYMBOLS = (
    Font(raster.FONTS / f"Archdsl{name}.ttf")
    for name in ("Sans-Regular", "Sans-Bold", "Symbols-Regular")
)
IN_DRAWINGS = "AZaz09 ×→·⊕∥▾▸▴◂₀₁₂ⁿ²αβθλΣΔμ–—…«»≤≥≈∞√±÷←↑↓↔↻↺⊙⊗∘⋯⋮■□●○│├└─é"
PRIVATE = "\ue000"  # a character that no font is to have


def document(text: str, *, size: str = 'width="300pt" height="40pt"', style: str = "") -> str:
    return (
        f'<svg {size} viewBox="0 0 300 40" xmlns="http://www.w3.org/2000/svg">'
        f'<text x="5" y="25" font-size="20" font-family="Helvetica, Arial, sans-serif" {style}>'
        f"{text}</text></svg>"
    )


def size_of(image: bytes) -> tuple[int, ...]:
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    return struct.unpack(">II", image[16:24])


@pytest.mark.parametrize(("scale", "size"), [(1, (400, 40)), (2, (800, 80)), (0.5, (200, 20))])
def test_an_image_is_as_large_as_asked(scale: float, size: tuple[int, int]) -> None:
    assert size_of(png(document("x", size='width="300pt" height="30pt"'), scale)) == size


def test_an_image_is_twice_as_large_as_on_a_screen_unless_told() -> None:
    assert size_of(png(document("x", size='width="30" height="10px"'))) == (60, 20)


def test_text_is_drawn_without_the_fonts_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[dict[str, Any]] = []
    draw = resvg_py.svg_to_bytes

    def listen(**options: Any) -> bytes:
        calls.append(options)
        return draw(**options)

    monkeypatch.setattr(resvg_py, "svg_to_bytes", listen)
    assert png(document(IN_DRAWINGS)) != png(document(""))
    assert [call["skip_system_fonts"] for call in calls] == [True, True]


def test_another_script_is_looked_for_in_the_fonts_of_the_system(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(resvg_py, "svg_to_bytes", lambda **options: calls.append(options))
    png(document("画像"))
    assert [call["skip_system_fonts"] for call in calls] == [False]


@pytest.mark.parametrize("style", ["", 'font-weight="bold"'])
def test_every_character_of_a_drawing_has_a_picture_of_its_own(style: str) -> None:
    pictures = {char: png(document(f"a{char}b", style=style), 1) for char in IN_DRAWINGS}
    pictures[PRIVATE] = png(document(f"a{PRIVATE}b", style=style), 1)
    for one, other in itertools.combinations(pictures, 2):
        assert pictures[one] != pictures[other], (one, other)


@pytest.mark.parametrize("family", ["Arial, sans-serif", "Times, serif", "monospace"])
def test_text_of_any_family_is_drawn(family: str) -> None:
    shown, empty = (
        png(document(text).replace("Helvetica, Arial, sans-serif", family)) for text in ("x", "")
    )
    assert shown != empty


def test_bold_text_is_bold() -> None:
    assert png(document("conv")) != png(document("conv", style='font-weight="bold"'))


def test_what_the_fonts_are_said_to_hold_is_what_they_hold() -> None:
    held = set(REGULAR.widths) | set(SYMBOLS.widths)
    assert set(REGULAR.widths) == set(BOLD.widths)
    named = {char for char in map(chr, range(0x10000)) if raster._OURS.fullmatch(char)}
    assert named - set("\t\n\r") - held == set()


def test_the_shapes_of_free_sizes_need_no_fonts_of_the_system() -> None:
    assert raster._OURS.fullmatch("64×⌈H/4⌉×⌊(W + 1)/8⌋ · 2·⌊H/2⌋ …")


def test_a_font_of_signs_alone_never_takes_a_whole_word_over() -> None:
    assert not set(SYMBOLS.widths) & set("abcxyzABCXYZ0123456789 ")


def test_an_image_beyond_memory_is_refused_before_it_is_drawn() -> None:
    with pytest.raises(ArchError) as caught:
        png(document("x", size='width="100pt" height="9000000pt"'))
    (said,) = caught.value.diagnostics
    assert said.code == "too-large-to-draw"
    assert "267 × 24000000 pixels" in said.message
    assert "--depth 1" in said.help


@pytest.mark.parametrize(
    "text", ["", "hello", "<svg/>", '<svg width="1em" height="2em"/>', document("<g>")]
)
def test_what_is_no_document_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        png(text)


def test_the_licences_stand_beside_the_fonts() -> None:
    page = (raster.FONTS / "README.md").read_text(encoding="utf-8")
    for font in raster.FONTS.glob("*.ttf"):
        assert f"`{font.name}`" in page
    for licence in re.findall(r"`(\w+\.txt)`", page):
        assert "Permission is hereby granted" in " ".join(
            (raster.FONTS / licence).read_text(encoding="utf-8").split()
        ).replace("PERMISSION", "Permission")
