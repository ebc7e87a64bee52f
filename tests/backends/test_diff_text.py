"""The comparison in words: what it says of networks of the zoo, what it folds, what it escapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import archdsl
from archdsl.backends.diff_text import (
    change_rows,
    diff_data,
    diff_lines,
    diff_markdown,
    diff_text,
    headline,
    module_renames,
)
from archdsl.compiler import diff
from archdsl.passes.differences import Comparison

SPECS = Path(__file__).resolve().parents[2] / "specs"


def compare(a: str, b: str) -> Comparison:
    """Compare networks of the zoo, images being of 224 by 224 where they are free."""
    graphs = [
        archdsl.graph(f"{SPECS / name.partition(':')[0]}.arch:{name.partition(':')[2]}")
        for name in (a, b)
    ]
    return diff(*graphs, sizes={"H": 224, "W": 224})


def compare_texts(a: str, b: str) -> Comparison:
    return diff(archdsl.loads(a), archdsl.loads(b))


ZOO = [
    ("resnet:resnet18", "resnet:resnet34"),
    ("resnet:resnet18", "resnet:resnet50"),
    ("resnet:resnet50", "resnet:resnet50_v1"),
    ("resnet:resnet50", "resnet:wide_resnet50_2"),
    ("vgg:vgg11", "vgg:vgg11_bn"),
    ("unet:unet", "unet:unet_same"),
    ("vit:vit_b_16", "vit:vit_l_16"),
]


@pytest.mark.parametrize(("a", "b"), ZOO)
def test_the_text_reads_as_before(a: str, b: str, golden: Callable[..., None]) -> None:
    golden(diff_text(compare(a, b)))


def test_the_markdown_reads_as_before(golden: Callable[..., None]) -> None:
    golden(diff_markdown(compare("resnet:resnet18", "resnet:resnet34")), suffix=".md")


def test_the_same_network_is_said_to_be_the_same() -> None:
    found = compare("resnet:resnet18", "resnet:resnet18")
    assert headline(found) == "the same network"
    text = diff_text(found, ("one", "other"))
    assert text.startswith("one → other: the same network\n")
    assert "every tensor of one loads into other" in text
    assert not [line for line in text.splitlines() if line[:2] in {"+ ", "- ", "~ "}]


@pytest.mark.parametrize(("a", "b"), ZOO)
def test_unfolded_every_layer_that_changed_has_a_row(a: str, b: str) -> None:
    found = compare(a, b)
    rows = list(change_rows(found, unfold=True))
    places = [row.where for row in rows]
    for entry in found.layers:
        if entry.status == "changed":
            assert any(entry.path == p or entry.path.endswith(f".{p}") for p in places), entry.path
    # What was added or removed is there itself, or in a block of which all was.
    for status, sign in (("added", "+"), ("removed", "-")):
        listed = [row for row in rows if row.sign == sign]
        assert bool(listed) == bool(found.count(status))  # type: ignore[arg-type]  # both are statuses


@pytest.mark.parametrize(("a", "b"), ZOO)
def test_folds_count_what_they_stand_for(a: str, b: str) -> None:
    """The rows of what was added, unfolded and folded, name the same number of members."""
    found = compare(a, b)

    def members(*, unfold: bool) -> int:
        rows = [row for row in change_rows(found, unfold=unfold) if not row.level]
        counts = [int(note[:-2]) for row in rows for note in row.notes if note.endswith(" ×")]
        plain = [row for row in rows if not any(note.endswith(" ×") for note in row.notes)]
        return sum(counts) + len(plain)

    assert members(unfold=False) == members(unfold=True)
    assert len(list(change_rows(found))) <= len(list(change_rows(found, unfold=True)))


def test_a_row_says_how_many_and_how_much() -> None:
    rows = {row.where: row for row in change_rows(compare("resnet:resnet18", "resnet:resnet34"))}
    fold = rows["layer3.2 … 5"]
    assert (fold.sign, fold.what) == ("+", "basic(256)")
    # Each has two convolutions of 256 x 256 x 3 x 3 and two norms of 2 x 256.
    numbers = 4 * 2 * (256 * 256 * 9 + 2 * 256)
    assert fold.notes == ("4 ×", "28 layers", f"{numbers:,} parameters")


def test_a_block_around_what_was_there_is_no_addition_of_it() -> None:
    a = "network n { input x: [4]; body: { linear(4) -> tanh -> linear(4) -> tanh } }"
    b = "block unit { linear(4) -> tanh }\nnetwork n { input x: [4]; body: { unit -> unit } }"
    forth = list(change_rows(compare_texts(a, b)))
    assert [(row.sign, row.where, row.notes) for row in forth] == [
        ("+", "body.0, 1", ("2 ×", "around layers that were there"))
    ]
    back = list(change_rows(compare_texts(b, a)))
    assert [(row.sign, row.notes) for row in back] == [
        ("-", ("2 ×", "its layers stand elsewhere now"))
    ]


def test_a_module_that_runs_again_is_one_place() -> None:
    text = (SPECS / "siamese.arch").read_text(encoding="utf-8")
    found = compare_texts(text, text.replace("linear(4096)", "linear(2048)"))
    rows = [(row.where, row.notes) for row in change_rows(found)]
    assert rows == [("tower", ("2 calls",)), ("12", ("out_features 4096 → 2048",))]


def test_networks_of_one_name_are_told_apart() -> None:
    text = "network n { input x: [4]; linear(4) }"
    found = compare_texts(text, text.replace("linear(4)", "linear(5)"))
    assert diff_text(found).startswith("n (A) → n (B): ")


def test_renames_are_said_by_module() -> None:
    assert module_renames(
        {"a.0.weight": "b.0.weight", "a.0.bias": "b.0.bias", "c.weight": "d.0.weight", "e": "f"}
    ) == {"a": "b", "c": "d.0", "e": "f"}


def test_what_depends_on_free_sizes_is_said_to() -> None:
    found = diff(*(archdsl.graph(f"{SPECS / 'vgg.arch'}:{name}") for name in ("vgg11", "vgg16")))
    assert "depends on H, W" in diff_text(found)


def test_the_data_holds_all_and_is_plain() -> None:
    found = compare("vgg:vgg11", "vgg:vgg11_bn")
    data = json.loads(json.dumps(diff_data(found, ("old", "new")), allow_nan=False))
    assert (data["a"], data["b"], data["identical"]) == ("old", "new", False)
    assert data["counts"] == {"kept": 30, "resized": 0, "changed": 0, "removed": 0, "added": 8}
    assert data["totals"]["parameters"] == {"a": 132_863_336, "b": 132_868_840}
    added = [entry for entry in data["entries"] if entry["status"] == "added"]
    assert [entry["kind"] for entry in added] == ["batch_norm"] * 8
    assert data["weights"]["renames"]["features.3.bias"] == "features.4.bias"
    assert (
        len(data["weights"]["loads"])
        + len(data["weights"]["wrong_shape"])
        + len(data["weights"]["only_a"])
        == 22
    )


def test_what_a_file_holds_never_steers_a_terminal_or_a_table() -> None:
    text = "network n { input x: [4]; nn.Softmax(dim = 1) }"
    found = compare_texts(text, text.replace("Softmax(dim = 1)", "Softmin(dim = 1)"))
    names = ("a\x1b[31m|\n```", "b`_*")
    for _, line in diff_lines(found, names):
        assert line.isprintable()
    markdown = diff_markdown(found, names)
    assert (
        markdown.count("\n```\n") + markdown.count("\n```diff\n") + markdown.count("\n```text\n")
        == 4
    )
    header = markdown.splitlines()[2]
    assert header.replace("\\|", "").count("|") == 5
