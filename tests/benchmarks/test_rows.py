"""A measured line says which side is ahead, and by how much, in every form."""

import pytest
from rows import Row, compare, number, show, table


def test_a_time_half_as_long_is_twice_as_fast() -> None:
    row = compare("to read", "by hand", 50, 100, "ms")
    assert row.ratio == 2
    assert row.favours == "archdsl"
    assert row.markdown() == "| to read | by hand | 50.0 ms | 100 ms | 2.00 times as fast |"


def test_a_time_twice_as_long_is_said_to_be_so() -> None:
    row = compare("to read", "by hand", 3, 1.5, "s")
    assert row.favours == "the other"
    assert row.shown_ratio == "2.00 times as long"


@pytest.mark.parametrize(
    ("ours", "other", "favours", "said"),
    [
        (30, 45, "archdsl", "1.50 times less memory"),
        (45, 30, "the other", "1.50 times as much memory"),
        (45, 45, "neither", "as much memory"),
    ],
)
def test_less_memory_is_in_favour(ours: float, other: float, favours: str, said: str) -> None:
    row = compare("a step", "by hand", ours, other, "MB")
    assert (row.favours, row.shown_ratio) == (favours, said)


def test_more_layers_a_second_are_in_favour() -> None:
    assert compare("source", "small", 3000, 1500, "layers/s").favours == "archdsl"
    slower = compare("source", "small", 1500, 3000, "layers/s")
    assert (slower.favours, slower.shown_ratio) == ("the other", "2.00 times as long")


@pytest.mark.parametrize("ratio", [0.996, 1.0, 1.004])
def test_what_reads_as_one_favours_neither(ratio: float) -> None:
    row = Row("a step", "by hand", 1, 1, "ms", ratio)
    assert (row.favours, row.shown_ratio) == ("neither", "as fast")


@pytest.mark.parametrize("ratio", [0.98, 1.02])
def test_what_reads_as_more_than_one_favours_a_side(ratio: float) -> None:
    row = Row("a step", "by hand", 1, 1, "ms", ratio)
    assert row.favours == ("archdsl" if ratio > 1 else "the other")
    assert row.shown_ratio.startswith("1.02 times ")


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.1234, "0.12"), (9.994, "9.99"), (9.996, "10.0"), (99.96, "100"), (1946.4, "1,946")],
)
def test_a_number_has_about_three_digits(value: float, written: str) -> None:
    assert number(value) == written


def test_rows_are_shown_as_they_come_under_what_they_are_compared_with() -> None:
    lines: list[str] = []
    rows = [
        compare("one", "by hand", 1, 2, "s"),
        compare("two", "by hand", 1, 2, "s"),
        Row("three", "torchinfo", 10, 40, "ms", 4, (3.5, 4.5)),
    ]
    assert show(iter(rows), lines.append) == rows
    assert [line.split()[0] for line in lines] == ["against", "one", "two", "against", "three"]
    assert "torchinfo" in lines[3]
    assert lines[4].endswith("4.00 times as fast   (3.50 to 4.50)")


def test_a_spread_is_read_in_the_direction_of_its_ratio() -> None:
    slower = Row("a step", "by hand", 4, 2, "ms", 0.5, (0.25, 0.8))
    assert slower.text().endswith("2.00 times as long   (1.25 to 4.00)")


def test_every_line_of_the_table_has_the_columns_of_its_head() -> None:
    lines = table([compare("a | b", "by hand", 1, 2, "s")]).splitlines()
    assert lines[0] == "| What | Against | archdsl | the other | Ratio |"
    assert lines[2] == r"| a \| b | by hand | 1.00 s | 2.00 s | 2.00 times as fast |"
    assert [line.replace(r"\|", "").count("|") for line in lines] == [6, 6, 6]
