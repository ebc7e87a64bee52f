"""Tables as text: which columns, which classes, and where in the file something is wrong."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.diagnostics import ArchError
from archdsl.ops.op import build
from archdsl.techniques.data import Csv, DataSettings
from archdsl.techniques.losses import Wanted
from archdsl.training.data import open_data, open_inputs, places
from tests.training.data.asking import (
    classes,
    column,
    complaints,
    floats,
    ints,
    opened,
    refused,
    values,
)

HOUSES = "rooms,area,price,kind\n2,50,100.5,flat\n3,80,200,house\n4,120,350,house\n1,30,70,flat\n"
ALL = (1.0, 0.0, 0.0)


def write(folder: Path, text: str) -> Path:
    (folder / "h.csv").write_text(text, encoding="utf-8", newline="")
    return folder


def csv(**arguments: object) -> Csv:
    made = build(Csv, {"file": "h.csv", **arguments})
    assert isinstance(made, Csv)
    return made


def test_a_column_is_predicted_from_the_others(tmp_path: Path) -> None:
    source = csv(target="price", without="kind")
    data = opened(source, floats(2), values(1), root=write(tmp_path, HOUSES), split=ALL)
    x, y = column(data, "train")
    assert x.tolist() == [[2, 50], [3, 80], [4, 120], [1, 30]]
    assert y.tolist() == [[100.5], [200], [350], [70]]


def test_texts_are_classes_in_the_order_of_the_alphabet(tmp_path: Path) -> None:
    source = csv(target="kind", without="price")
    data = opened(source, floats(2), classes(2), root=write(tmp_path, HOUSES), split=ALL)
    assert data.classes == {"target": ("flat", "house")}
    assert column(data, "train")[1].tolist() == [0, 1, 1, 0]
    binary = opened(source, floats(2), values(1), root=tmp_path, split=ALL)
    assert column(binary, "train")[1].tolist() == [[0], [1], [1], [0]]


def test_known_classes_keep_their_numbers(tmp_path: Path) -> None:
    def asked(known: tuple[str, ...]) -> list[int]:
        data = open_data(
            csv(target="kind", without="price"),
            inputs={"x": floats(2)},
            targets=classes(3),
            settings=DataSettings(split=ALL),
            root=write(tmp_path, HOUSES),
            classes={"target": known},
        )
        labels: list[int] = column(data, "train")[1].tolist()
        return labels

    assert asked(("house", "boat", "flat")) == [2, 0, 0, 2]
    with pytest.raises(ArchError, match='"flat" is none of the classes house, boat, tent: line 2'):
        asked(("house", "boat", "tent"))


def test_whole_numbers_are_classes(tmp_path: Path) -> None:
    root = write(tmp_path, "a,y\n" + "".join(f"{i}.5,{i % 3}\n" for i in range(30)))
    data = opened(csv(target="y"), floats(1), classes(3), root=root, split=(0.6, 0.2, 0.2))
    for part, each in (("train", 6), ("validation", 2), ("test", 2)):
        assert column(data, part)[1].bincount().tolist() == [each] * 3


def test_several_columns_are_one_vector_or_several_targets(tmp_path: Path) -> None:
    root = write(tmp_path, HOUSES)
    source = csv(target=["price", "rooms"], without="kind")
    _, y = column(opened(source, floats(1), values(2), root=root, split=ALL), "train")
    assert y[0].tolist() == [100.5, 2]
    wanted = {"rooms": Wanted(floats(1)), "kind": Wanted(ints(), 2)}
    data = opened(csv(), floats(2), wanted, root=root, split=ALL)
    (x,), (rooms, kind) = data.samples("train")
    assert x[0].tolist() == [50, 100.5]
    assert rooms[:, 0].tolist() == [2, 3, 4, 1]
    assert kind.tolist() == [0, 1, 1, 0]
    assert data.classes == {"kind": ("flat", "house")}


def test_a_column_that_is_called_as_the_target_is_it(tmp_path: Path) -> None:
    data = opened(csv(), floats(1), values(1), root=write(tmp_path, "a,target\n1,2\n3,4\n"))
    assert data.sizes["train"] == 1


def test_to_predict_targets_may_be_there_or_not(tmp_path: Path) -> None:
    for text in (HOUSES, "rooms,area,kind\n2,50,flat\n"):
        data = open_inputs(
            csv(target="price", without="kind"),
            inputs={"x": floats(2)},
            root=write(tmp_path, text),
        )
        (x,), y = data.samples("test")
        assert x[0].tolist() == [2, 50]
        assert y == ()


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters(delimiter: str, tmp_path: Path) -> None:
    root = write(tmp_path, HOUSES.replace(",", delimiter))
    source = csv(target="price", without="kind", delimiter=delimiter)
    assert opened(source, floats(2), values(1), root=root).sizes["train"] == 2


def test_quotes_line_ends_blank_lines_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = '\ufeff"a, b",y\r\n"1",2\r\n\r\n 3 , 4 \r\n,\r\n'
    data = opened(csv(target="y"), floats(1), values(1), root=write(tmp_path, text), split=ALL)
    assert column(data, "train")[0].tolist() == [[1], [3]]


@given(st.lists(st.tuples(st.floats(-1e30, 1e30), st.integers(-99, 99)), min_size=1, max_size=20))
def test_numbers_come_back(rows: list[tuple[float, int]]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        text = "a,y\n" + "".join(f"{a!r},{y}\n" for a, y in rows)
        root = write(Path(folder), text)
        data = opened(csv(target="y"), floats(1), values(1), root=root, split=ALL)
    x, y = column(data, "train")
    assert torch.equal(x[:, 0], torch.tensor([a for a, _ in rows], dtype=torch.float64).float())
    assert y[:, 0].tolist() == [y for _, y in rows]


# What is wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message", "place"),
    [
        ("", "h.csv is empty", ""),
        (" \n\n", "h.csv is empty", ""),
        ("a,y\n", "h.csv has no rows below the names of its columns", ""),
        ("1,2\n3,4\n", "the first row of h.csv holds numbers, and should name the columns", ""),
        ("a,,y\n1,2,3\n", "column 2 of h.csv has no name", ""),
        ("a,y,a\n1,2,3\n", "h.csv has two columns a", ""),
        ("a;y\n1;2\n", 'h.csv has a single column, if "," parts the cells', ""),
        (
            "a,y\n1,2\n3\n",
            "line 3 of h.csv has 1 cell, and the first row names 2 columns",
            "h.csv:3:1",
        ),
        (
            "a,y\n1,2\n3,4,5\n",
            "line 3 of h.csv has 3 cells, and the first row names 2 columns",
            "h.csv:3:5",
        ),
        ("a,y\n1,2\n3,nan\n", '"nan" is no number: line 3 of h.csv, column y', "h.csv:3:3"),
        ("a,y\n1,2\ninf,2\n", '"inf" is no number: line 3 of h.csv, column a', "h.csv:3:1"),
        ("a,y\n1,2\n\n,5\n", "a number is missing: line 4 of h.csv, column a", "h.csv:4:1"),
        ("a,y\n1,2\n3,x\n", '"x" is no number: line 3 of h.csv, column y', "h.csv:3:3"),
        ('a,y\n"1\n",2\nx,"3"\n', '"x" is no number: line 4 of h.csv, column a', "h.csv:4:1"),
        ('a,y\n1,"2\n', "line 2 of h.csv is no row of a table: unexpected end of data", ""),
        ("a,y\n" + "1" * 200_000 + ",2\n", "line 2 of h.csv is no row of a table: field", ""),
    ],
)
def test_a_bad_table_is_said_with_its_place(
    text: str, message: str, place: str, tmp_path: Path
) -> None:
    diagnostic = refused(csv(target="y"), floats(1), values(1), root=write(tmp_path, text))
    assert diagnostic.code == "bad-data"
    assert diagnostic.message.startswith(message)
    assert str(diagnostic.span or "") == place
    assert str(diagnostic)  # it renders


@pytest.mark.parametrize(
    ("arguments", "message", "help"),
    [
        ({"target": "prise"}, "h.csv has no column prise to predict", "did you mean price?"),
        (
            {"target": "price", "without": "kinds"},
            "h.csv has no column kinds to leave out",
            "did you mean kind?",
        ),
        (
            {},
            'the loss has a target, and csv("h.csv") does not say which column it is',
            'csv("h.csv", target = "kind")',
        ),
        (
            {"target": "price"},
            'the column kind of h.csv holds texts such as "flat", and an input holds numbers',
            'leave it out: without = "kind"; or write a column of 0 and 1 for each text',
        ),
        (
            {"target": ["price"], "without": ["rooms", "area", "kind"]},
            'csv("h.csv") has no column left that could be an input',
            "",
        ),
    ],
)
def test_columns_that_are_not_there(
    arguments: dict[str, object], message: str, help: str, tmp_path: Path
) -> None:
    diagnostic = refused(csv(**arguments), floats(2), values(1), root=write(tmp_path, HOUSES))
    assert diagnostic.code == "data-mismatch"
    assert diagnostic.message == message
    assert diagnostic.help == help


def test_targets_that_are_not_those_of_the_loss(tmp_path: Path) -> None:
    root = write(tmp_path, HOUSES)
    assert refused(csv(target="price"), floats(3), root=root).message == (
        'the loss needs no target, and csv("h.csv") names price'
    )
    wanted = {"price": Wanted(floats(1)), "kind": Wanted(ints(), 2)}
    diagnostic = refused(csv(target="prices"), floats(2), wanted, root=root)
    assert diagnostic.message == "the loss has the targets price, kind, and none is called prices"
    assert diagnostic.help == "did you mean price?"
    source = csv(target=["rooms", "area"], without=["kind"])
    assert refused(source, floats(1), classes(4), root=root).message == (
        "the loss has one target, a class, and h.csv is to give 2: rooms, area"
    )
    diagnostic = refused(csv(target="price", without="kind"), floats(2), classes(2), root=root)
    assert diagnostic.message.endswith('and csv("h.csv") gives real numbers')


def test_text_in_other_encodings(tmp_path: Path) -> None:
    (tmp_path / "h.csv").write_bytes(b"a,y\n1,\xff\n")
    diagnostic = refused(csv(target="y"), floats(1), values(1), root=tmp_path)
    assert (diagnostic.code, diagnostic.message) == (
        "unreadable-file",
        "h.csv is not UTF-8 text (byte 6)",
    )


def test_a_text_that_is_too_large_for_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "LARGEST_TEXT", 10)
    diagnostic = refused(csv(target="price"), floats(1), values(1), root=write(tmp_path, HOUSES))
    assert (diagnostic.code, diagnostic.help) == ("bad-data", "write it as arrays: an .npz file")


@given(st.text(alphabet='a1,;"\n\r\0 .é\ufeffx-', max_size=40))
def test_any_text_is_a_table_or_a_diagnostic(text: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), text)
        codes = {d.code for d in complaints(csv(target="a"), floats(1), values(1), root=root)}
    assert codes <= {"bad-data", "data-mismatch", "unreadable-file"}
