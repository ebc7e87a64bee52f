"""Folders of images: classes, masks and pairs; and files that cannot be read."""

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from archdsl.diagnostics import ArchError
from archdsl.dims import symbol
from archdsl.techniques.data import DataSettings, Images, Masks, Pairs
from archdsl.training.data import Data, folders, open_data, open_inputs
from tests.training.data.asking import classes, column, floats, opened, refused, values

ALL = (1.0, 0.0, 0.0)


def picture(path: Path, value: int, size: tuple[int, int] = (6, 4), mode: str = "RGB") -> None:
    """An image of one colour, ``size`` being its height and its width."""
    path.parent.mkdir(parents=True, exist_ok=True)
    colour = value if len(mode) == 1 else (value, 0, 255)
    Image.new(mode, (size[1], size[0]), colour).save(path)


@pytest.fixture
def animals(tmp_path: Path) -> Path:
    """Ten cats of the value 10, ten dogs of the value 200."""
    for index in range(10):
        picture(tmp_path / "animals" / "cat" / f"{index}.png", 10)
        picture(tmp_path / "animals" / "dog" / f"{index}.PNG", 200)
    return tmp_path


def test_a_folder_is_a_class(animals: Path) -> None:
    data = opened(Images("animals"), floats(3, 6, 4), classes(2), root=animals, split=ALL)
    x, y = column(data, "train")
    assert x.shape == (20, 3, 6, 4)
    assert data.classes == {"target": ("cat", "dog")}
    assert y.tolist() == [0] * 10 + [1] * 10
    assert torch.equal(x[:10, 0], torch.full((10, 6, 4), 10 / 255))
    assert torch.equal(x[:, 1:], torch.tensor([0.0, 1.0])[None, :, None, None].expand(20, 2, 6, 4))
    assert torch.equal(x[10:, 0], torch.full((10, 6, 4), 200 / 255))


def test_classes_are_split_alike(animals: Path) -> None:
    data = opened(
        Images("animals"), floats(3, 6, 4), classes(2), root=animals, split=(0.6, 0.2, 0.2)
    )
    for part, each in (("train", 6), ("validation", 2), ("test", 2)):
        assert column(data, part)[1].bincount().tolist() == [each, each]


def test_images_are_stretched_and_grey(animals: Path) -> None:
    source = Images("animals", size=8, channels=1)
    x, _ = column(opened(source, floats(1, 8, 8), classes(2), root=animals, split=ALL), "train")
    grey = Image.new("RGB", (1, 1), (10, 0, 255)).convert("L").getpixel((0, 0))
    assert torch.equal(x[:10], torch.full((10, 1, 8, 8), float(grey) / 255))  # type: ignore[arg-type]  # one channel
    oblong = Images("animals", size=(3, 5))
    assert column(opened(oblong, floats(3, 3, 5), classes(2), root=animals), "test")[0].shape[
        1:
    ] == (3, 3, 5)


def test_stretching_is_smooth(tmp_path: Path) -> None:
    gradient = np.tile(np.linspace(0, 255, 64, dtype=np.uint8), (64, 1))
    (tmp_path / "a" / "b").mkdir(parents=True)
    Image.fromarray(gradient).save(tmp_path / "a" / "b" / "1.png")
    source = Images("a", size=16, channels=1)
    x, _ = column(opened(source, floats(1, 16, 16), values(1), root=tmp_path), "train")
    blocks = torch.from_numpy(gradient.astype(np.float32)).reshape(16, 4, 16, 4).mean((1, 3)) / 255
    assert torch.allclose(x[0, 0, :, 1:-1], blocks[:, 1:-1], atol=0.01)


def test_parts_on_the_disk_win(tmp_path: Path) -> None:
    for part, count in (("train", 8), ("val", 2), ("test", 3)):
        for index in range(count):
            for kind in ("a", "b"):
                picture(tmp_path / "set" / part / kind / f"{index}.png", index)
    data = opened(Images("set"), floats(3, 6, 4), classes(2), root=tmp_path)
    assert data.sizes == {"train": 16, "validation": 4, "test": 6}
    assert column(data, "test")[1].bincount().tolist() == [3, 3]
    picture(tmp_path / "set" / "test" / "c" / "1.png", 1)
    assert refused(Images("set"), floats(3, 6, 4), classes(2), root=tmp_path).message == (
        "set has the class c, which is none of the classes a, b"
    )


def test_without_labels_images_may_lie_anywhere(tmp_path: Path) -> None:
    picture(tmp_path / "set" / "1.png", 1)
    picture(tmp_path / "set" / "deep" / "er" / "2.jpg", 2)
    (tmp_path / "set" / "notes.txt").write_text("not an image")
    (tmp_path / "set" / ".hidden.png").write_text("nor this")
    data = opened(Images("set"), floats(3, symbol("H"), symbol("W")), root=tmp_path, split=ALL)
    assert data.sizes["train"] == 2
    diagnostic = refused(Images("set"), floats(3, 6, 4), classes(2), root=tmp_path / "set" / "..")
    assert "the network gives 2 scores, and" in diagnostic.message


def test_other_modes(tmp_path: Path) -> None:
    folder = tmp_path / "set" / "a"
    folder.mkdir(parents=True)
    deep = np.array([[0, 65535], [32768, 6553]], dtype=np.uint16)
    Image.fromarray(deep).save(folder / "1.png")
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([9, 9, 9, 51, 102, 204])
    palette.save(folder / "2.png", transparency=b"\x00\x80")
    Image.new("LA", (2, 2), (100, 7)).save(folder / "3.png")
    Image.new("1", (2, 2), 1).save(folder / "4.png")
    x, _ = column(
        opened(Images("set"), floats(3, 2, 2), values(1), root=tmp_path, split=ALL), "train"
    )
    assert torch.allclose(x[0, 0], torch.tensor([[0, 1.0], [0.5, 0.1]]), atol=1 / 255)
    assert torch.allclose(x[1, :, 0, 0], torch.tensor([51, 102, 204]) / 255)
    assert torch.allclose(x[2], torch.full((3, 2, 2), 100 / 255))
    assert torch.equal(x[3], torch.ones(3, 2, 2))
    grey = Images("set", channels=1)
    x, _ = column(opened(grey, floats(1, 2, 2), values(1), root=tmp_path, split=ALL), "train")
    assert torch.allclose(x[0, 0], torch.tensor(deep.astype(np.float32) / 65535))


# Masks and pairs --------------------------------------------------------------------------


def masked(folder: Path, values: list[list[int]], *, mode: str = "L") -> Path:
    for index in range(4):
        picture(folder / "images" / f"{index}.jpg", 50 * index, (2, 2))
        (folder / "masks").mkdir(exist_ok=True)
        mask = Image.fromarray(np.array(values, dtype=np.uint8))
        if mode == "P":
            mask.putpalette([i for v in range(256) for i in (v, 7, 9)])
        coloured = mask.convert(mode) if mode == "RGB" else mask
        coloured.save(folder / "masks" / f"{index}.png")
    return folder


def test_a_mask_is_the_class_of_every_pixel(tmp_path: Path) -> None:
    for mode in ("L", "P", "RGB"):
        root = masked(tmp_path, [[0, 1], [2, 1]], mode=mode)
        data = opened(Masks("images", "masks"), floats(3, 2, 2), classes(3, 2, 2), root=root)
        x, y = column(data, "train")
        assert y.dtype == torch.int64
        assert y[0].tolist() == [[0, 1], [2, 1]]
        assert x.shape[1:] == (3, 2, 2)


def test_a_mask_of_black_and_white_is_of_two_classes(tmp_path: Path) -> None:
    root = masked(tmp_path, [[0, 255], [255, 0]])
    source = Masks("images", "masks")
    two = column(opened(source, floats(3, 2, 2), classes(2, 2, 2), root=root), "train")[1]
    assert two[0].tolist() == [[0, 1], [1, 0]]
    one = column(opened(source, floats(3, 2, 2), values(1, 2, 2), root=root), "train")[1]
    assert one[0].tolist() == [[[0, 1], [1, 0]]]
    assert one.dtype == torch.float32
    message = refused(source, floats(3, 2, 2), classes(3, 2, 2), root=root).message
    assert message == (
        'the network gives 3 scores, for classes 0 to 2, and masks("images", "masks") has the'
        " class 255"
    )


def test_masks_are_stretched_to_the_nearest_pixel(tmp_path: Path) -> None:
    root = masked(tmp_path, [[0, 1], [2, 1]])
    data = opened(Masks("images", "masks", size=6), floats(3, 6, 6), classes(3, 6, 6), root=root)
    expected = np.kron([[0, 1], [2, 1]], np.ones((3, 3), dtype=np.int64))
    np.testing.assert_array_equal(column(data, "train")[1][0].numpy(), expected)


def test_masks_that_do_not_go_with_their_images(tmp_path: Path) -> None:
    source, wanted = Masks("images", "masks"), classes(3, 2, 2)
    root = masked(tmp_path, [[0, 1, 1], [2, 1, 1]])
    message = refused(source, floats(3, 2, 2), wanted, root=root).message
    assert message == "the mask of images/0.jpg is [2, 3], and the image [2, 2]"
    (root / "masks" / "2.png").unlink()
    message = refused(source, floats(3, 2, 2), wanted, root=root).message
    assert message == "1 of 4 images have no mask in masks: images/2.jpg"
    picture(root / "masks" / "2.png", 3, (2, 2))
    masked(tmp_path, [[0, 1], [2, 1]])
    picture(root / "masks" / "2.png", 3, (2, 2))
    message = refused(source, floats(3, 2, 2), wanted, root=root).message
    assert message.startswith("the mask of images/2.jpg is in colours, and a mask has one number")


def test_pairs_go_by_their_names(tmp_path: Path) -> None:
    for index in range(5):
        picture(tmp_path / "edges" / f"{index}.png", index, mode="L")
        picture(tmp_path / "photos" / f"{index}.bmp", 100 + index)
    source = Pairs("edges", "photos", channels=1)
    data = opened(source, floats(1, 6, 4), values(3, 6, 4), root=tmp_path, split=ALL)
    x, y = column(data, "train")
    for index in range(5):
        assert torch.equal(x[index], torch.full((1, 6, 4), index / 255))
        assert torch.equal(y[index, 0], torch.full((6, 4), (100 + index) / 255))
    diagnostic = refused(source, floats(1, 8, 8), values(3, 8, 8), root=tmp_path)
    assert diagnostic.help == 'pairs("edges", "photos", size = 8, channels = 1)'


# What cannot be read ----------------------------------------------------------------------


def spoil(folder: Path) -> None:
    """An empty file, a text, and an image that ends too early."""
    (folder / "a.png").write_bytes(b"")
    (folder / "b.jpg").write_text("no image")
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "c.jpg")
    whole = (folder / "c.jpg").read_bytes()
    (folder / "c.jpg").write_bytes(whole[: len(whole) // 2])


def test_unreadable_files_are_named_and_left_out(animals: Path) -> None:
    spoil(animals / "animals" / "dog")
    source = Images("animals", size=6)
    data = opened(source, floats(3, 6, 6), classes(2), root=animals, split=ALL)
    assert data.sizes["train"] == 20
    assert column(data, "train")[1].bincount().tolist() == [10, 10]
    skipped = {s.path: s.reason for s in data.skipped}
    assert skipped == {
        "animals/dog/a.png": "no image",
        "animals/dog/b.jpg": "no image",
        "animals/dog/c.jpg": "cut off",
    }
    (warning,) = data.warnings
    assert (warning.code, warning.severity) == ("skipped-files", "warning")
    assert warning.message == (
        'images("animals") has 3 files that cannot be read, and are left out: animals/dog/a.png,'
        " animals/dog/b.jpg, animals/dog/c.jpg"
    )


def test_strict_makes_them_an_error(animals: Path) -> None:
    spoil(animals / "animals" / "dog")
    source = Images("animals", size=6)
    for _ in range(2):
        diagnostic = refused(source, floats(3, 6, 6), classes(2), root=animals, strict=True)
        assert diagnostic.code == "unreadable-file"
        assert diagnostic.notes[0] == "animals/dog/a.png: no image"
        (animals / "animals" / "dog" / "b.jpg").unlink(missing_ok=True)


def test_nothing_that_can_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "set" / "a").mkdir(parents=True)
    spoil(tmp_path / "set" / "a")
    diagnostic = refused(Images("set", size=6), floats(3, 6, 6), classes(2), root=tmp_path)
    assert diagnostic.message == '3 of 3 images of images("set") cannot be read'


def test_an_image_that_claims_to_be_huge_is_left_out(animals: Path) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    for name, side in (("bomb.png", 60_000), ("large.png", 11_000)):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        (animals / "animals" / "cat" / name).write_bytes(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", header)
            + chunk(b"IDAT", zlib.compress(b""))
            + chunk(b"IEND", b"")
        )
    data = opened(Images("animals", size=6), floats(3, 6, 6), classes(2), root=animals)
    assert [s.reason for s in data.skipped] == ["of more than 89,478,485 pixels"] * 2


def test_formats_that_start_other_programs_are_no_images(animals: Path) -> None:
    (animals / "animals" / "cat" / "x.png").write_bytes(
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
    )
    data = opened(Images("animals"), floats(3, 6, 4), classes(2), root=animals)
    assert [s.reason for s in data.skipped] == ["no image"]


@pytest.mark.parametrize(
    ("folder", "code", "message"),
    [
        ("animal", "unreadable-file", "there is no folder animal"),
        ("animals/cat/0.png", "unreadable-file", "animals/cat/0.png is a file, not a folder"),
        ("", "unreadable-file", "'' is no path of a file"),
        ("a\0b", "unreadable-file", "'a\\x00b' is no path of a file"),
        ("animals/cat", "bad-data", "animals/cat has no images in folders of classes"),
    ],
)
def test_folders_that_are_not_there(animals: Path, folder: str, code: str, message: str) -> None:
    diagnostic = refused(Images(folder), floats(3, 6, 4), classes(2), root=animals)
    assert (diagnostic.code, diagnostic.message) == (code, message)
    if folder == "animal":
        assert diagnostic.help == "did you mean animals?"


def test_sizes_that_differ(animals: Path) -> None:
    picture(animals / "animals" / "dog" / "x.png", 1, (9, 9))
    diagnostic = refused(Images("animals"), floats(3, 6, 4), classes(2), root=animals)
    assert diagnostic.message == (
        'the images of images("animals") are of different sizes: animals/cat/0.png is 6 × 4, and'
        " animals/dog/x.png 9 × 9"
    )
    assert diagnostic.help == 'stretch them to one: images("animals", size = 64)'
    diagnostic = refused(Images("animals", size=9), floats(1, 28, 28), classes(2), root=animals)
    assert diagnostic.help == 'images("animals", size = 28, channels = 1)'


# Too many for the memory ------------------------------------------------------------------


@pytest.mark.parametrize("workers", [0, 2])
def test_images_beyond_the_memory_are_read_one_by_one(
    animals: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def made(**settings: Any) -> Data:
        return opened(
            Images("animals"),
            floats(3, 6, 4),
            classes(2),
            root=animals,
            batch_size=4,
            normalize="standard",
            **settings,
        )

    expected = made()
    monkeypatch.setattr(folders, "IN_MEMORY", 0)
    data = made(workers=workers)
    assert data.scale["image"].shift == pytest.approx(expected.scale["image"].shift)
    assert data.scale["image"].spread == pytest.approx(expected.scale["image"].spread)
    ours, theirs = data.loaders().train, expected.loaders().train
    assert ours is not None
    assert theirs is not None
    for (x, y), (u, v) in zip(ours, theirs, strict=True):
        assert torch.equal(y, v)  # type: ignore[arg-type]  # there is one target
        assert torch.allclose(x, u)  # type: ignore[arg-type]  # and one input


@pytest.mark.parametrize("workers", [0, 1])
def test_an_image_that_breaks_later_is_named(
    animals: Path, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "IN_MEMORY", 0)
    source = Images("animals")
    data = opened(source, floats(3, 6, 4), classes(2), root=animals, split=ALL, workers=workers)
    (animals / "animals" / "dog" / "3.PNG").write_bytes(b"")
    train = data.loaders().train
    assert train is not None
    with pytest.raises(ArchError, match=r"animals/dog/3.PNG cannot be read: no image"):
        list(train)


# Inside the project -----------------------------------------------------------------------


def test_a_specification_reads_nothing_outside_its_project(
    animals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    wanted = floats(3, 6, 4), classes(2)
    assert opened(Images("../animals"), *wanted, root=project).sizes
    for path in ("../animals", str(animals / "animals")):
        diagnostic = refused(Images(path), *wanted, root=project, inside=True)
        assert diagnostic.code == "unreadable-file"
        assert "outside the project" in diagnostic.message or "absolute" in diagnostic.message
    monkeypatch.chdir(project)
    assert "outside the project" in refused(Images("../animals"), *wanted, inside=True).message
    (project / "link").symlink_to(animals / "animals")
    assert (
        "is outside the project"
        in refused(Images("link"), *wanted, root=project, inside=True).message
    )
    for kind in ("cat", "dog"):
        for index in range(10):
            picture(project / "own" / kind / f"{index}.png", index)
    assert opened(Images("own"), *wanted, root=project, inside=True).sizes
    (project / "own" / "cat" / "x.png").symlink_to(animals / "animals" / "cat" / "0.png")
    message = refused(Images("own"), *wanted, root=project, inside=True).message
    assert message.startswith("own/cat/x.png is outside the project")


def test_other_images_are_numbered_by_the_classes_that_are_known(animals: Path) -> None:
    data = open_data(
        Images("animals"),
        inputs={"image": floats(3, 6, 4)},
        targets=classes(3),
        settings=DataSettings(split=ALL),
        root=animals,
        classes={"target": ("dog", "bird", "cat")},
    )
    assert column(data, "train")[1].bincount().tolist() == [10, 0, 10]
    assert data.classes == {"target": ("dog", "bird", "cat")}
    plain = open_inputs(Images("animals"), inputs={"image": floats(3, 6, 4)}, root=animals)
    assert plain.sizes == {"train": 0, "validation": 0, "test": 20}
    assert torch.equal(plain.samples("test")[0][0], data.samples("train")[0][0])


def test_files_of_other_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    os.mkfifo(folder / "a.png")
    (folder / "b.png").symlink_to("b.png")
    picture(folder / "c.png", 1)
    data = opened(Images("set"), floats(3, 6, 4), root=tmp_path, split=ALL)
    assert [s.path for s in data.skipped] == ["set/a.png", "set/b.png"]
    for path, reason in (("set/a.png", "is a file"), ("set/b.png", "cannot be read: too many")):
        assert reason in refused(Images(path), floats(3, 6, 4), root=tmp_path).message
    assert "file name too long" in refused(Images("x" * 999), floats(1), root=tmp_path).message
