"""``archdsl predict`` and ``evaluate`` on other data than a network was trained on."""

from __future__ import annotations

import csv
import io
import textwrap
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.numpy import load_file

import archdsl
from archdsl.cli import cli
from archdsl.diagnostics import ArchError

Call = Callable[..., Result]

HOUSES = """\
network price {
    input x: [2]

    linear(1) as price
    output price
}

train for price {
    data: csv("houses.csv", target = "price", without = "id", delimiter = ";")
    loss: mse(price, price_target)
    optimizer: adam(lr = 0.05)
    epochs: 2
    split: (0.8, 0.0, 0.2)
}
"""
FLOWERS = """\
network flowers {
    input image: [1, 8, 8]

    conv(4, 3) -> relu -> global_avg_pool -> flatten -> linear(2)
}

train for flowers {
    data: images("photos", size = 8, channels = 1)
    loss: cross_entropy
    epochs: 1
    split: (1.0, 0.0, 0.0)
}
"""


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Call:
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str, code: int = 0) -> Result:
        monkeypatch.delenv("ARCHDSL_RUN_FOLDER", raising=False)
        done = CliRunner().invoke(cli, arguments)
        assert done.exit_code == code, done.output
        return done

    return run


@pytest.fixture
def houses(call: Call) -> Callable[[str], list[float]]:
    """A run on a table; and what its weights make of rooms and area, counted by hand."""
    draw = np.random.default_rng(0)
    rows = [f"{i};{a:.3f};{r};{3 * a + r:.3f}" for i, (a, r) in enumerate(draw.random((40, 2)))]
    Path("houses.csv").write_text("\n".join(["id;area;rooms;price", *rows]), encoding="utf-8")
    Path("price.arch").write_text(HOUSES, encoding="utf-8")
    call("train", "price.arch", "-o", "run", "--quiet")

    def by_hand(table: str) -> list[float]:
        state = load_file("run/weights.safetensors")
        weight = next(v for name, v in state.items() if name.endswith("weight"))[0]
        bias = next(v for name, v in state.items() if name.endswith("bias"))[0]
        rows = csv.DictReader(io.StringIO(table))
        return [weight[0] * float(r["area"]) + weight[1] * float(r["rooms"]) + bias for r in rows]

    return by_hand


SWAPPED = "rooms,area\n3,0.5\n1,2.5\n"
WITH_ALL = "price,rooms,id,area\n1.5,3,7,0.5\n2.5,1,8,2.5\n"
WITH_MORE = "rooms,garden,area\n3,9,0.5\n1,9,2.5\n"


@pytest.mark.parametrize("table", [SWAPPED, WITH_ALL, WITH_MORE])
def test_a_table_goes_by_the_names_of_its_columns(
    table: str, call: Call, houses: Callable[[str], list[float]]
) -> None:
    Path("new.csv").write_text(table, encoding="utf-8")
    done = call("predict", "run", 'csv("new.csv", delimiter = ",")', "-o", "answers.csv")
    with Path("answers.csv").open(encoding="utf-8") as file:
        found = [float(row["price_target"]) for row in csv.DictReader(file)]
    assert found == pytest.approx(houses(table), rel=1e-5)
    assert ("warning[ignored-columns]" in done.output) == (table is WITH_MORE)
    assert ("the column garden of new.csv is left out" in done.output) == (table is WITH_MORE)


def test_what_training_said_of_its_table_holds_for_another(
    call: Call, houses: Callable[[str], list[float]]
) -> None:
    Path("new.csv").write_text(WITH_ALL.replace(",", ";"), encoding="utf-8")
    done = call("predict", "run", "new.csv")
    assert len(done.stdout.splitlines()) == 3  # it is parted by «;», as that of training is
    done = call("evaluate", "run", "--data", "new.csv")
    by_hand = np.mean((np.array(houses(WITH_ALL)) - [1.5, 2.5]) ** 2)
    (shown,) = [line.split()[-1] for line in done.stdout.splitlines() if "loss" in line]
    assert float(shown) == pytest.approx(by_hand, abs=1e-4)


def test_a_column_that_is_missing_is_told_with_both_sides(
    call: Call, houses: Callable[[str], list[float]]
) -> None:
    Path("new.csv").write_text("room;area;price\n3;0.5;1\n", encoding="utf-8")
    for asked in (["predict", "run", "new.csv"], ["evaluate", "run", "--data", "new.csv"]):
        done = call(*asked, code=1)
        assert done.output.count("error[") == 1
        assert "error[data-mismatch]: the network was trained on the columns area, rooms" in (
            done.output
        )
        assert "new.csv has no rooms" in done.output
        assert "its columns are room, area, price" in done.output
        assert "is room the column rooms?" in done.output
    Path("new.csv").write_text("rooms;area\n3;0.5\n", encoding="utf-8")
    done = call("evaluate", "run", "--data", "new.csv", code=1)
    assert "new.csv has no column price to predict" in done.output


@pytest.fixture
def photos(call: Call) -> None:
    for kind, grey in (("dark", 20), ("light", 220)):
        for index in range(3):
            place = Path("photos", kind, f"{index}.png")
            place.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (12, 9), (grey + index, 9, 9)).save(place)
    Path("flowers.arch").write_text(FLOWERS, encoding="utf-8")
    call("train", "flowers.arch", "-o", "run", "--quiet")


def test_the_rows_of_pictures_name_their_files(call: Call, photos: None) -> None:
    Path("new/deep").mkdir(parents=True)
    Image.new("L", (30, 30), 30).save("new/b.png")
    Image.new("L", (8, 8), 200).save("new/deep/a.jpg")
    Path("new/broken.png").write_bytes(b"no image")
    done = call("predict", "run", "new")  # of the size and the colours of the training
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["sample"] for row in rows] == ["new/b.png", "new/deep/a.jpg"]
    assert {row["class"] for row in rows} <= {"dark", "light"}


def test_a_single_picture_is_taken_as_well(call: Call, photos: None) -> None:
    together = csv.DictReader(io.StringIO(call("predict", "run", "photos/light").stdout))
    done = call("predict", "run", "photos/light/1.png")
    (row,) = csv.DictReader(io.StringIO(done.stdout))
    assert row["sample"] == "photos/light/1.png"
    assert row["probability"] == next(
        r["probability"] for r in together if r["sample"] == "photos/light/1.png"
    )
    Path("text.png").write_bytes(b"no image")
    assert "text.png: no image" in call("predict", "run", "text.png", code=2).output
    assert "there is no" in call("predict", "run", "nowhere.png", code=2).output
    done = call("evaluate", "run", "--data", "photos/light/1.png", code=2)
    assert "is a file, not a folder" in done.output


def test_a_run_is_opened_in_python(
    call: Call, houses: Callable[[str], list[float]], tmp_path: Path
) -> None:
    Path("new.csv").write_text(WITH_ALL, encoding="utf-8")
    trained = archdsl.trained("run")
    said = trained.predict('csv("new.csv", delimiter = ",")')["price"]
    assert said.mean.squeeze(1).tolist() == pytest.approx(houses(WITH_ALL), rel=1e-5)
    assert trained.recipe.epochs == 2
    assert not trained.network.training
    shown = call("evaluate", "run").stdout
    assert f"{trained.evaluate()['loss']:.4f}" in shown
    with pytest.raises(ArchError, match="holds no finished run"):
        archdsl.trained(tmp_path)


def test_a_run_knows_its_parameters_and_its_settings(call: Call) -> None:
    text = """\
    network iris(width = 4) {
        input x: [4]

        linear(width) -> relu -> linear(3)
    }

    train { loss: cross_entropy }
    """
    Path("iris.arch").write_text(textwrap.dedent(text), encoding="utf-8")
    asked = ["--set", "width = 4 + 3", "--set", "epochs=1", "--data", "iris"]
    call("train", "iris.arch", "-o", "run", "--quiet", *asked)
    trained = archdsl.trained("run")
    assert (7, 4) in {tuple(p.shape) for p in trained.network.parameters()}
    assert trained.recipe.epochs == 1
    assert len(trained.predict("iris")["output"]) == 150
    assert len(call("predict", "run", "iris").stdout.splitlines()) == 151
