"""No text brings the compiler to a traceback, or keeps it busy without end."""

from __future__ import annotations

import random
import re
import time
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.codes import CODES
from archdsl.diagnostics import ArchError, Diagnostic, render
from tests.errors.expectations import CORPUS

ROOT = Path(__file__).resolve().parent.parent.parent
LONGEST = 20.0  # seconds for one text; the slowest of the corpus takes three

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
_DECLARATION = re.compile(r"^(?:block|sequence|network|let|from|train)\b", re.MULTILINE)


def pieces() -> list[str]:
    """The declarations of the corpus and of the zoo, each a piece to make a text from."""
    found = []
    for path in [*sorted(CORPUS.rglob("*.arch")), *sorted((ROOT / "specs").glob("*.arch"))]:
        if path.stem == "safety":
            continue  # they come to an end, but it takes them seconds
        text = re.sub(r"#.*", "", path.read_text(encoding="utf-8"))
        starts = [m.start() for m in _DECLARATION.finditer(text)]
        for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
            found.append(text[start:end].strip() + "\n")
    return found


PIECES = pieces()
WORDS = sorted({t for piece in PIECES for t in _TOKEN.findall(piece) if t.strip()})


def mutated(text: str, chance: random.Random) -> str:
    """A text after one to four of the accidents that befall texts."""
    for _ in range(chance.randint(1, 4)):
        tokens = _TOKEN.findall(text)
        if len(tokens) < 2:
            return text
        at, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
        accident = chance.randrange(7)
        if accident == 0:
            del tokens[at]
        elif accident == 1:
            tokens[at], tokens[other] = tokens[other], tokens[at]
        elif accident == 2:
            tokens.insert(at, tokens[other])
        elif accident == 3:
            tokens[at] = chance.choice(WORDS)
        elif accident == 4:
            tokens.insert(at, chance.choice(WORDS))
        elif accident == 5:
            low, high = sorted((at, other))
            del tokens[low : min(high, low + 8)]
        else:
            return _byte_changed("".join(tokens), chance)
        text = "".join(tokens)
    return text


def _byte_changed(text: str, chance: random.Random) -> str:
    data = bytearray(text, "utf-8")
    data[chance.randrange(len(data))] = chance.randrange(256)
    return data.decode("utf-8", "replace")


def said_of(text: str) -> list[Diagnostic]:
    """What is said of a text and of its networks; any other exception goes through."""
    try:
        specification = archdsl.loads(text)
    except ArchError as error:
        return list(error.diagnostics)
    said = list(specification.diagnostics)
    for network in specification.networks:
        if not specification.needs(network):
            found = specification.elaborate(network)
            said.extend(found.diagnostics)
            assert found.failed or found.graph is not None
    return said


def check_quickly(text: str) -> None:
    start = time.monotonic()
    for diagnostic in said_of(text):
        assert diagnostic.code in CODES, diagnostic
        assert diagnostic.severity == CODES[diagnostic.code].severity, diagnostic
        shown = render(diagnostic)
        assert len(shown) < 10_000, shown[:500]
        assert diagnostic.as_dict()["message"]
    assert time.monotonic() - start < LONGEST, text


@given(st.lists(st.integers(0, len(PIECES) - 1), min_size=1, max_size=4), st.integers(0, 2**32))
@settings(max_examples=settings.default.max_examples * 5)
def test_a_text_with_accidents_gives_messages(chosen: list[int], seed: int) -> None:
    text = "".join(PIECES[i] for i in chosen)
    check_quickly(mutated(text, random.Random(seed)))  # noqa: S311  # chance, not secrecy


@given(st.text(max_size=200))
def test_any_text_gives_messages(text: str) -> None:
    check_quickly(text)


@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words_in_a_body_give_messages(words: list[str]) -> None:
    check_quickly("network n {\n    input x: [4, 8, 8]\n    " + " ".join(words) + "\n}\n")
