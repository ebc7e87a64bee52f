"""Arrays in a file: found by name, in parts, and never unpickled."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from archdsl.techniques.data import Npz
from archdsl.techniques.losses import Wanted
from archdsl.training.data import open_data, open_inputs
from tests.training.data.asking import classes, column, floats, ints, opened, refused, values

ALL = (1.0, 0.0, 0.0)


def save(folder: Path, **arrays: Any) -> Path:
    np.savez(folder / "d.npz", **arrays)
    return folder


def rows(*shape: int) -> Any:
    return np.arange(np.prod(shape), dtype=np.float64).reshape(shape)


def test_arrays_are_found_as_x_and_y(tmp_path: Path) -> None:
    root = save(tmp_path, x=rows(20, 3), y=np.arange(20) % 2)
    data = opened(Npz("d.npz"), floats(3), classes(2), root=root, split=ALL)
    x, y = column(data, "train")
    assert torch.equal(x, torch.from_numpy(rows(20, 3)).float())
    assert y.tolist() == [0, 1] * 10


def test_arrays_are_found_by_the_names_of_the_network(tmp_path: Path) -> None:
    root = save(
        tmp_path,
        left=rows(8, 2),
        right=np.arange(8, dtype=np.uint16).reshape(8, 1),
        price=rows(8),
        kind=np.arange(8) % 3,
        x=rows(8, 9),
    )
    data = open_data(
        Npz("d.npz"),
        inputs={"left": floats(2), "right": ints(1)},
        targets={"price": Wanted(floats(1)), "kind": Wanted(ints(), 3)},
        root=root,
    )
    (left, right), (price, kind) = data.samples("train")
    assert left.shape[1:] == (2,)
    assert right.dtype == torch.int64
    assert torch.equal(left[:, 0] / 2, right[:, 0].float())
    assert torch.equal(price[:, 0], right[:, 0].float())
    assert torch.equal(kind, right[:, 0] % 3)
    train = data.loaders().train
    assert train is not None
    x, y = next(iter(train))
    assert [len(x), len(y)] == [2, 2]
    assert isinstance(x, tuple)


def test_arrays_are_found_by_the_names_that_are_given(tmp_path: Path) -> None:
    root = save(tmp_path, a=rows(9, 2), b=rows(9))
    source = Npz("d.npz", inputs=("a",), targets=("b",))
    assert opened(source, floats(2), values(1), root=root).sizes["train"] == 7
    asked = open_inputs(source, inputs={"x": floats(2)}, root=root)
    assert asked.sizes == {"train": 0, "validation": 0, "test": 9}


def test_parts_in_the_file_win(tmp_path: Path) -> None:
    root = save(
        tmp_path,
        x_train=np.full((40, 4, 4), 255, np.uint8),
        y_train=np.arange(40, dtype=np.uint8) % 4,
        x_test=np.full((8, 4, 4), 51, np.uint8),
        y_test=np.zeros(8, np.uint8),
    )
    data = opened(Npz("d.npz"), floats(1, 4, 4), classes(4), root=root)
    assert data.sizes == {"train": 36, "validation": 4, "test": 8}
    assert column(data, "validation")[1].sort().values.tolist() == [0, 1, 2, 3]
    assert torch.equal(column(data, "train")[0], torch.ones(36, 1, 4, 4))  # bytes are pixels
    assert torch.equal(column(data, "test")[0], torch.full((8, 1, 4, 4), 0.2))


def test_types_that_torch_does_not_have(tmp_path: Path) -> None:
    for dtype in (">f4", "<f8", "float16", "longdouble", ">i4", "uint32", "uint64", "bool"):
        root = save(tmp_path, x=np.ones((10, 3), dtype), y=np.arange(10) % 2)
        x, _ = column(opened(Npz("d.npz"), floats(3), classes(2), root=root), "train")
        assert torch.equal(x, torch.ones(8, 3)), dtype


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


def test_python_objects_are_never_unpickled(tmp_path: Path) -> None:
    harm = tmp_path / "harm"
    objects = np.array([Bomb(harm)] * 4, dtype=object)
    root = save(tmp_path, x=objects, y=np.arange(4))
    diagnostic = refused(Npz("d.npz"), floats(3), classes(4), root=root)
    assert diagnostic.code == "bad-data"
    assert diagnostic.message.startswith("the array x of d.npz holds Python objects, which are")
    assert not harm.exists()
    np.load(root / "d.npz", allow_pickle=True)["x"]
    assert harm.exists()  # the test would see it


def broken(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("x.npy", content)
        archive.writestr("y.npy", content)
    return file.getvalue()


def huge_header() -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": "<f8", "fortran_order": False, "shape": (2**40, 2**15)}
    )
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "d.npz is no .npz file"),
        (b"no zip", "d.npz is no .npz file"),
        (broken(b"")[:-30], "d.npz is no .npz file"),
        (broken(b""), "the array x of d.npz is damaged"),
        (broken(b"\x93NUMPY\x01\x00v\x00{'descr': __import__('os')}"), "the array x of d.npz is"),
        (broken(huge_header()), "the array x of d.npz is damaged"),
    ],
)
def test_files_that_are_damaged(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "d.npz").write_bytes(content)
    diagnostic = refused(Npz("d.npz"), floats(3), classes(4), root=tmp_path)
    assert diagnostic.code == "bad-data"
    assert diagnostic.message.startswith(message)


@pytest.mark.parametrize(
    ("arrays", "code", "message"),
    [
        ({"x": rows(4, 3)}, "data-mismatch", "d.npz has no array target, nor y, for the target"),
        ({"images": rows(4, 3), "y": rows(4)}, "data-mismatch", "d.npz has no array image, nor x"),
        (
            {"x": rows(4, 3), "y": rows(5)},
            "bad-data",
            'npz("d.npz") has not as many samples of everything: 4 of x, 5 of y',
        ),
        ({"x": np.array(["a"]), "y": rows(1)}, "bad-data", "the array x of d.npz holds <U1, and"),
        ({"x": np.float64(3), "y": rows(1)}, "bad-data", "the array x of d.npz is a single number"),
        ({"x": np.zeros((0, 3)), "y": rows(0)}, "bad-data", 'npz("d.npz") has no samples'),
        ({"x": np.zeros((4, 0)), "y": rows(4)}, "bad-data", 'npz("d.npz") gives [0]: nothing'),
        (
            {"x": np.array([[1.0], [np.nan], [np.inf]]), "y": rows(3)},
            "bad-data",
            'npz("d.npz") holds NaN or infinity: in 2 of 3 samples, the first is sample 1',
        ),
        (
            {"x": np.ones((2, 1), complex), "y": rows(2)},
            "bad-data",
            "the array x of d.npz holds complex128, and no numbers",
        ),
        (
            {"x_train": rows(4, 1), "y_train": rows(4), "x_test": rows(4, 1)},
            "data-mismatch",
            "d.npz has x_test, and no y_test",
        ),
        (
            {"x_train": rows(4, 1), "y_train": rows(4), "x_test": rows(4, 2), "y_test": rows(4)},
            "bad-data",
            'the parts of x in npz("d.npz") differ in their shapes or types',
        ),
    ],
)
def test_arrays_that_do_not_do(
    arrays: dict[str, Any], code: str, message: str, tmp_path: Path
) -> None:
    diagnostic = refused(Npz("d.npz"), floats(1), values(1), root=save(tmp_path, **arrays))
    assert diagnostic.code == code
    assert diagnostic.message.startswith(message)


def test_names_that_are_not_there(tmp_path: Path) -> None:
    root = save(tmp_path, image_left=rows(4, 1), y=rows(4))
    diagnostic = refused(Npz("d.npz", inputs=("imageleft",)), floats(1), values(1), root=root)
    assert diagnostic.message == "d.npz has no array imageleft, for the input image"
    assert diagnostic.help == "did you mean image_left?"
    diagnostic = refused(Npz("d.npz", inputs=("a", "b")), floats(1), values(1), root=root)
    assert diagnostic.message == ("the network has 1 input (image), and 2 arrays are named: a, b")
    diagnostic = refused(Npz("d.npz", targets=("y",)), floats(1), root=root)
    assert diagnostic.message == 'the loss needs no target, and npz("d.npz") names y'


def test_an_archive_that_says_it_is_enormous(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from archdsl.training.data import arrays

    monkeypatch.setattr(arrays, "LARGEST", 1000)
    diagnostic = refused(
        Npz("d.npz"), floats(1), values(1), root=save(tmp_path, x=rows(500, 1), y=rows(500))
    )
    assert diagnostic.message.endswith("too much for the memory")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (
            [1, 2, 3],
            "the network gives 3 scores, for classes 0 to 2, and the data has the class 3",
        ),
        ([0, 1, 7], "the network gives 3 scores, for classes 0 to 2, and the data has the class 7"),
        (
            [0, -1, 2],
            "the network gives 3 scores, for classes 0 to 2, and the data has the class -1",
        ),
    ],
)
def test_classes_out_of_range(labels: list[int], message: str) -> None:
    diagnostic = refused((rows(3, 2), np.array(labels)), floats(2), classes(3))
    assert diagnostic.message == message
    assert diagnostic.help == ("count the classes from 0" if labels == [1, 2, 3] else "")
    hot = refused((rows(3, 2), np.array(labels)), floats(2), values(3))
    assert hot.message == message


def test_the_class_that_does_not_count_is_let_through() -> None:
    data = opened((rows(4, 2), np.array([0, -100, 1, 1])), floats(2), classes(2), split=ALL)
    assert column(data, "train")[1].tolist() == [0, -100, 1, 1]
