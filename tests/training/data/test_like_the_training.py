"""A source that is read as the one of the training was."""

from __future__ import annotations

import pytest

from archdsl.recipes.changes import read_data

CASES = [
    (
        'csv("b.csv")',
        'csv("a.csv", target = "y", without = ["id"], delimiter = ";")',
        'csv("b.csv", target = "y", without = ["id"], delimiter = ";")',
    ),
    (
        'csv("b.csv", delimiter = ",")',
        'csv("a.csv", target = "y", delimiter = ";")',
        'csv("b.csv", target = "y")',
    ),
    ('csv("b.csv", "z")', 'csv("a.csv", "y")', 'csv("b.csv", "z")'),
    (
        'images("new")',
        'images("old", size = (48, 64), channels = 1)',
        'images("new", size = (48, 64), channels = 1)',
    ),
    ('images("new", 32)', 'images("old", size = 64)', 'images("new", size = 32)'),
    ('images("new")', 'masks("old", "masks", size = 64)', 'images("new", size = 64)'),
    ("digits", "digits(size = 32)", "digits(size = 32)"),
    ("digits", 'images("old", size = (48, 64))', "digits"),
    (
        'npz("b.npz")',
        'npz("a.npz", inputs = "image", targets = "kind")',
        'npz("b.npz", inputs = "image", targets = "kind")',
    ),
    ('npz("b.npz")', 'pairs("edges", "photos")', 'npz("b.npz")'),
    (
        'sequences("b.txt")',
        'sequences("a.txt", length = 8, level = word)',
        'sequences("b.txt", length = 8, level = word)',
    ),
    ("iris", 'csv("a.csv", target = "y")', "iris"),
]


@pytest.mark.parametrize(("given", "training", "meant"), CASES)
def test_what_is_not_said_is_as_it_was(given: str, training: str, meant: str) -> None:
    assert read_data(given, read_data(training)) == read_data(meant)
