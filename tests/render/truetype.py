"""Reads from a TrueType font what the tests ask: its characters, and how wide they are."""

from __future__ import annotations

import struct
from pathlib import Path


class Font:
    """``widths`` maps every character of a font to its advance, in ems."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        tables = {}
        for i in range(struct.unpack(">H", data[4:6])[0]):
            tag, _, start, size = struct.unpack(">4sIII", data[12 + 16 * i : 28 + 16 * i])
            tables[tag.decode()] = data[start : start + size]
        units: int = struct.unpack(">H", tables["head"][18:20])[0]
        measured: int = struct.unpack(">H", tables["hhea"][34:36])[0]
        advances = struct.unpack(f">{2 * measured}H", tables["hmtx"][: 4 * measured])[::2]
        glyphs = _glyphs(tables["cmap"])
        self.widths = {
            char: advances[min(glyph, measured - 1)] / units for char, glyph in glyphs.items()
        }


def _glyphs(cmap: bytes) -> dict[str, int]:
    """The glyph of each character, by the table's segments (format 4)."""
    for i in range(struct.unpack(">H", cmap[2:4])[0]):
        start: int = struct.unpack(">I", cmap[8 + 8 * i : 12 + 8 * i])[0]
        table = cmap[start:]
        if struct.unpack(">H", table[:2])[0] == 4:
            return _segments(table)
    raise ValueError("the font has no table of characters in format 4")


def _segments(table: bytes) -> dict[str, int]:
    count: int = struct.unpack(">H", table[6:8])[0] // 2
    words = struct.unpack(
        f">{(len(table) - 14) // 2}H", table[14 : 14 + (len(table) - 14) // 2 * 2]
    )
    ends, words = words[:count], words[count + 1 :]
    starts, deltas, offsets = words[:count], words[count : 2 * count], words[2 * count : 3 * count]
    glyphs = {}
    for i in range(count):
        for code in range(starts[i], ends[i] + 1):
            glyph = code
            if offsets[i]:
                glyph = words[2 * count + i + offsets[i] // 2 + code - starts[i]]
            glyph = (glyph + deltas[i]) % 0x10000 if glyph else 0
            if glyph:
                glyphs[chr(code)] = glyph
    return glyphs
