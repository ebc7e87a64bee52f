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

_TOKEN = re.compile(r'"[^"\n]*"|\d[\d.]*|\w+|->|\*\*|//|[=!<>]=|\s+|[^\w\s]')
_COMMENT = re.compile(r"#.*")


def texts() -> list[str]:
    """The files of the corpus and of the zoo, without their comments."""
    files = [*sorted(CORPUS.rglob("*.arch")), *sorted((ROOT / "specs").glob("*.arch"))]
    return [
        _COMMENT.sub("", path.read_text(encoding="utf-8"))
        for path in files
        if path.stem != "safety"  # its networks come to an end, but it takes them seconds
    ]


TEXTS = texts()
WORDS = sorted({t for text in TEXTS for t in _TOKEN.findall(text) if t.strip()})
NAMES = [word for word in WORDS if word[0].isalpha() or word[0] == "_"]
VALUES = """
    0 1 2 3 7 64 1000 65536 2147483647 2147483648 9223372036854775807 -1 -3 0.5 1.0 1e308 1e-30
    true false none "a" "" [] () [1] [1,2] (1,2) (3,) [[]] it it.channels it.shape it.shape[1] relu
    conv(8,3) it.height H range(3) range(100000) [0]*1000000 2**62 same nn.Hardswish std basic
""".split()


def mutated(text: str, chance: random.Random) -> str:
    """A text after one to four of the accidents that befall texts; most of them still parse."""
    for _ in range(chance.randint(1, 4)):
        tokens = _TOKEN.findall(text)
        if len(tokens) < 2:
            return text
        if chance.random() < 0.7:
            text = "".join(_sensible(tokens, chance))
        elif chance.random() < 0.8:
            text = "".join(_senseless(tokens, chance))
        else:
            text = _byte_changed(text, chance)
    return text


def _sensible(tokens: list[str], chance: random.Random) -> list[str]:
    """A name for a name, a value for a value, a line more or less."""
    accident = chance.randrange(6)
    names = [i for i, token in enumerate(tokens) if token[0].isalpha()]
    numbers = [i for i, token in enumerate(tokens) if token[0].isdigit()]
    if accident == 0 and numbers:
        tokens[chance.choice(numbers)] = chance.choice(VALUES)
    elif accident == 1 and names:
        tokens[chance.choice(names)] = chance.choice(NAMES)
    elif accident == 2 and names:
        one, two = chance.choice(names), chance.choice(names)
        tokens[one], tokens[two] = tokens[two], tokens[one]
    elif accident == 3 and names:
        tokens[chance.choice(names)] = chance.choice(VALUES)
    else:
        lines = "".join(tokens).splitlines(keepends=True)
        plain = [i for i, line in enumerate(lines) if not re.search(r"[{}]\s*$", line)]
        if plain:
            at, other = chance.choice(plain), chance.choice(plain)
            if accident == 4:
                del lines[at]
            else:
                lines.insert(at, lines[other])
        return lines
    return tokens


def _senseless(tokens: list[str], chance: random.Random) -> list[str]:
    at, other = chance.randrange(len(tokens)), chance.randrange(len(tokens))
    accident = chance.randrange(5)
    if accident == 0:
        del tokens[at]
    elif accident == 1:
        tokens[at], tokens[other] = tokens[other], tokens[at]
    elif accident == 2:
        tokens.insert(at, tokens[other])
    elif accident == 3:
        tokens[at] = chance.choice(WORDS)
    else:
        low, high = sorted((at, other))
        del tokens[low : min(high, low + 8)]
    return tokens


def _byte_changed(text: str, chance: random.Random) -> str:
    data = bytearray(text, "utf-8")
    data[chance.randrange(len(data))] = chance.randrange(256)
    return data.decode("utf-8", "replace")


def said_of(text: str, chance: random.Random) -> list[Diagnostic]:
    """What is said of a text and of some of its networks; any other exception goes through."""
    try:
        specification = archdsl.loads(text)
    except ArchError as error:
        return list(error.diagnostics)
    said = list(specification.diagnostics)
    networks = [n for n in specification.networks if not specification.needs(n)]
    for network in chance.sample(networks, min(3, len(networks))):
        made = specification.elaborate(network)
        said.extend(made.diagnostics)
        if not made.failed:
            said.extend(specification.check_training(made.graph))
    return said


def check_quickly(text: str, chance: random.Random) -> None:
    start = time.monotonic()
    for diagnostic in said_of(text, chance):
        assert diagnostic.code in CODES, diagnostic
        assert diagnostic.severity == CODES[diagnostic.code].severity, diagnostic
        assert len(render(diagnostic)) < 10_000
        assert diagnostic.as_dict()["message"]
    assert time.monotonic() - start < LONGEST


@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
@settings(max_examples=2 * settings().max_examples)
def test_a_text_with_accidents_gives_messages(text: str, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311  # chance, not secrecy
    check_quickly(mutated(text, chance), chance)


@given(st.text(max_size=200))
def test_any_text_gives_messages(text: str) -> None:
    check_quickly(text, random.Random(0))  # noqa: S311


@given(st.lists(st.sampled_from(WORDS), max_size=40))
def test_any_words_in_a_body_give_messages(words: list[str]) -> None:
    body = " ".join(words)
    check_quickly(f"network n {{\n    input x: [4, 8, 8]\n    {body}\n}}\n", random.Random(0))  # noqa: S311
