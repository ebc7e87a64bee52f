"""Damaged files of the zoo, token soup and noise are read or refused; `make fuzz` does more."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.hostile import fuzz, journey
from tests.hostile.mutation import HOSTILE, damaged

PIECES = fuzz.pieces(fuzz.zoo())
FOUND = sorted(journey.CORPUS.iterdir())
LONGEST = 20.0  # seconds
SAMPLES = 12  # of every file of the zoo


@pytest.mark.parametrize("path", FOUND, ids=lambda path: path.name)
def test_what_failed_once_is_read_or_refused(path: Path) -> None:
    journey.walk_bytes(path.read_bytes())


@pytest.mark.parametrize(
    "path", sorted((journey.ROOT / "specs").glob("*.arch")), ids=lambda p: p.stem
)
def test_a_damaged_file_of_the_zoo(path: Path) -> None:
    chance = random.Random(path.stem)  # noqa: S311  # chance, not secrecy
    for _ in range(SAMPLES):
        start = time.monotonic()
        journey.walk_bytes(damaged(path.read_bytes(), chance, PIECES))
        assert time.monotonic() - start < LONGEST


@given(st.sampled_from(PIECES), st.integers(0, 2**32))
def test_a_damaged_declaration(data: bytes, seed: int) -> None:
    journey.walk_bytes(damaged(data, random.Random(seed), PIECES))  # noqa: S311


@given(st.lists(st.sampled_from(HOSTILE), max_size=40).map(" ".join))
def test_any_tokens(text: str) -> None:
    journey.walk(text)
    journey.walk(f"network n {{\n    input x: [4, 8, 8]\n    {text}\n}}\n")


@given(st.binary(max_size=80))
def test_any_bytes(data: bytes) -> None:
    journey.walk_bytes(data)


def test_the_fuzzer_sees_new_lines_and_failures(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else its silence would mean nothing."""
    lines = fuzz.Lines()
    assert lines.watched(lambda: journey.walk("let a = 1")) > 0
    assert lines.watched(lambda: journey.walk("let a = 1")) == 0
    assert lines.watched(lambda: journey.walk("let a = 9 ** 9 ** 9")) > 0

    def fail(data: bytes) -> list[str]:
        raise RecursionError(f"{len(data)} bytes")

    monkeypatch.setattr(fuzz, "walk_bytes", fail)
    monkeypatch.setattr(fuzz, "pieces", lambda files: [])
    monkeypatch.setattr(fuzz, "CORPUS", tmp_path)
    monkeypatch.setattr(fuzz, "ROOT", tmp_path)
    monkeypatch.setattr(fuzz, "zoo", list)
    failures: dict[str, Path] = {}
    fuzz._keep(b"let a", RecursionError(), failures)
    fuzz._keep(b"let b", RecursionError(), failures)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"let a"]
