"""Metrics: how wide a text is, in the fonts that a picture is drawn with.

The widths are those of Helvetica and its bold face (Liberation Sans, which has the same), in
thousandths of the font's size; of characters that it lacks, those of DejaVu Sans. A browser that
draws in another font of this kind (Arial) has the same widths too.
"""

from __future__ import annotations

from functools import lru_cache

_UNKNOWN = 600
_WIDE = 1000
_FIRST_WIDE = 0x1100
"""From here on characters are mostly as wide as high: Hangul, kana, Han."""

# fmt: off
_REGULAR = {
    191: "'",
    222: "ijlίι‘’",
    260: "|¦",
    278: " !,./:;I[\\]ftÌÍÎÏìíîïΙΪ",
    333: "()-`r¡¨²³´·¸¹“”",
    334: "{}",
    350: "•",
    355: "\"",
    365: "º",
    370: "ª",
    389: "*",
    390: "⌈⌉⌊⌋",
    395: "τ",
    400: "°",
    401: "⁰",
    413: "‖",
    430: "⁴",
    441: "ζ",
    446: "έε",
    448: "ξ",
    469: "^",
    482: "ς",
    500: "Jcksvxyzçýÿγκλν↑↓∥",
    525: "χ",
    537: "¶",
    547: "ΰυ",
    549: "±÷√≈≤≥",
    551: "Γ",
    552: "¯",
    556: "#$0123456789?L_abdeghnopqu¢£¤¥§«»àáâãäåèéêëðñòóôõöùúûüþήηθο–",
    557: "δ",
    569: "ρ",
    575: "β",
    576: "µμ",
    578: "άα",
    584: "+<=>~¬×−",
    611: "FTZ¿ßøΖΤ",
    617: "σ",
    618: "Σ",
    648: "φ",
    650: "Ξ",
    667: "&ABEKPSVXYÀÁÂÃÄÅÈÉÊËÝÞΑΒΕΚΡΥΧΫ",
    668: "ΔΛ",
    690: "π",
    713: "ψ∑∞",
    722: "CDHNRUwÇÐÑÙÚÛÜΗΝΠ",
    737: "©®",
    748: "Ω",
    778: "GOQÒÓÔÕÖØΘΟ",
    781: "ω",
    798: "Φ",
    833: "MmΜ",
    834: "¼½¾",
    835: "Ψ",
    838: "⊕⊗⊙",
    889: "%æ",
    944: "W",
    1000: "Æ—…←→",
    1015: "@",
}

_BOLD = {
    238: "'",
    278: " ,./I\\ijlÌÍÎÏìíîïΙΪίι‘’",
    280: "|¦",
    333: "!()-:;[]`ft¡¨²³´·¸¹",
    350: "•",
    365: "º",
    370: "ª",
    389: "*r{}",
    390: "⌈⌉⌊⌋",
    400: "°",
    401: "⁰",
    445: "ξ",
    446: "τ",
    451: "έ",
    460: "ζ",
    474: "\"",
    475: "ε",
    495: "⁴",
    498: "‖",
    500: "z“”↑↓∥",
    520: "ς",
    541: "θ",
    549: "±÷√≈≤≥",
    552: "¯",
    556: "#$0123456789J_aceksvxy¢£¤¥§«¶»àáâãäåçèéêëýÿγλν–",
    558: "κ",
    576: "µχ",
    582: "ΰυ",
    584: "+<=>^~¬×−",
    600: "Σ",
    601: "Γ",
    606: "δ",
    610: "β",
    611: "?FLTZbdghnopqu¿ßðñòóôõöøùúûüþΖΤήηο",
    612: "μ",
    615: "άα",
    619: "ρ",
    644: "Ξ",
    667: "EPSVXYÈÉÊËÝÞΕΛΡΥΧΫ",
    684: "σ",
    713: "∑∞",
    715: "φ",
    719: "Δ",
    722: "&ABCDHKNRUÀÁÂÃÄÅÇÐÑÙÚÛÜΑΒΗΚΝΠ",
    737: "©®",
    753: "ψ",
    766: "π",
    778: "GOQwÒÓÔÕÖØΘΟ",
    802: "Ω",
    809: "Ψ",
    821: "Φ",
    833: "MΜ",
    834: "¼½¾",
    838: "⊕⊗⊙",
    845: "ω",
    889: "%mæ",
    944: "W",
    975: "@",
    1000: "Æ—…←→",
}
# fmt: on

_WIDTHS = tuple(
    {character: width for width, text in table.items() for character in text}
    for table in (_REGULAR, _BOLD)
)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of a line of text, in the unit of ``size``, the size of the font."""
    widths = _WIDTHS[bold]
    return sum(widths.get(c) or _other(c) for c in text) * size / 1000


def _other(character: str) -> int:
    return _WIDE if ord(character) >= _FIRST_WIDE else _UNKNOWN
