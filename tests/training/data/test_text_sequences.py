"""Text in pieces: each symbol foretells the next."""

from pathlib import Path

import pytest

from archdsl.dims import symbol
from archdsl.techniques.data import Sequences
from tests.training.data.asking import classes, column, floats, ints, opened, refused

TEXT = "abcabdabc\nabcc"


def write(folder: Path, text: str) -> Path:
    (folder / "t.txt").write_text(text, encoding="utf-8", newline="")
    return folder


@pytest.mark.parametrize("free", [True, False])
def test_the_target_is_the_input_one_further_on(free: bool, tmp_path: Path) -> None:
    size = symbol("T") if free else 4
    data = opened(
        Sequences("t.txt", length=4),
        ints(size),
        classes(5, size),
        root=write(tmp_path, TEXT),
        split=(1.0, 0.0, 0.0),
    )
    x, y = column(data, "train")
    vocabulary = data.classes["target"]
    assert vocabulary == ("\n", "a", "b", "c", "d")
    spelled = "".join(vocabulary[i] for i in x.flatten().tolist())
    following = "".join(vocabulary[i] for i in y.flatten().tolist())
    assert spelled == TEXT[:12]
    assert following == TEXT[1:13]
    assert x.shape == y.shape == (3, 4)


def test_words(tmp_path: Path) -> None:
    root = write(tmp_path, "The cat sat. The dog didn't sit, dog!")
    source = Sequences("t.txt", length=2, level="word")
    data = opened(source, ints(2), classes(20, 2), root=root, split=(1.0, 0.0, 0.0))
    words = data.classes["target"]
    x, _ = column(data, "train")
    assert [words[i] for i in x.flatten().tolist()][:6] == ["The", "cat", "sat", ".", "The", "dog"]


def test_parts_follow_one_another_in_the_text(tmp_path: Path) -> None:
    text = "".join(chr(97 + i // 10) for i in range(101))
    data = opened(
        Sequences("t.txt", length=10), ints(10), classes(30, 10), root=write(tmp_path, text)
    )
    assert data.sizes == {"train": 8, "validation": 1, "test": 1}
    assert column(data, "train")[0][:, 0].tolist() == list(range(8))
    assert column(data, "test")[0].tolist() == [[9] * 10]


def test_what_does_not_fit(tmp_path: Path) -> None:
    root = write(tmp_path, TEXT)
    source = Sequences("t.txt", length=4)
    diagnostic = refused(source, ints(4), classes(4, 4), root=root)
    assert diagnostic.message == (
        'the network gives 4 scores, and sequences("t.txt") has 5 different characters'
    )
    assert "linear(5)" in diagnostic.help
    diagnostic = refused(source, ints(6), classes(5, 6), root=root)
    assert diagnostic.message == (
        'the network\'s input image is int[6], and sequences("t.txt") gives [4]'
    )
    diagnostic = refused(Sequences("t.txt", length=50), ints(50), classes(5, 50), root=root)
    assert diagnostic.message == (
        "t.txt has 14 characters, too few for a piece of 50 and what follows it"
    )
    assert refused(source, floats(9), classes(5, 4), root=root).code == "data-mismatch"
    assert refused(Sequences("no.txt"), ints(4), classes(5, 4), root=root).message == (
        "there is no file no.txt"
    )
