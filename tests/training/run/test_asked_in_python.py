"""``archdsl.fit``: what is refused before it begins, and where the files of a recipe lie."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import archdsl
from archdsl.diagnostics import ArchError

NETWORK = """\
network table {{
    input x: [4]

    linear(8) -> relu
    linear(3)
}}

train for table {{
    {settings}
    epochs: 1
}}
"""


def written(folder: Path, settings: str) -> Path:
    folder.mkdir(exist_ok=True)
    place = folder / "table.arch"
    place.write_text(NETWORK.format(settings=settings), encoding="utf-8")
    return place


def table(place: Path) -> None:
    draw = np.random.default_rng(0)
    np.savez(place, x=draw.normal(size=(40, 4)), y=draw.integers(0, 3, size=40))


def test_what_is_wrong_with_a_block_is_said(tmp_path: Path) -> None:
    model = archdsl.compile(written(tmp_path, "loss: cross_entropi"))
    with pytest.raises(ArchError, match="cross_entropi") as refused:
        archdsl.fit(model, "iris")
    assert "no-recipe" not in str(refused.value)


def test_files_of_the_recipe_lie_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = 'loss: cross_entropy\n    data: npz("table.npz")'
    place = written(tmp_path / "there", settings)
    table(tmp_path / "there" / "table.npz")
    monkeypatch.chdir(tmp_path)
    archdsl.fit(archdsl.compile(place), progress=False)
    with pytest.raises(ArchError, match=r"table\.npz"):  # what is given lies where Python stands
        archdsl.fit(archdsl.compile(place), 'npz("table.npz")', progress=False)


@pytest.mark.parametrize("asked", ["resume", "overwrite"])
def test_a_folder_is_needed_to_go_on_or_to_write_over(tmp_path: Path, asked: str) -> None:
    model = archdsl.compile(written(tmp_path, "loss: cross_entropy"))
    with pytest.raises(ArchError, match=f"{asked} needs the folder of a run"):
        archdsl.fit(model, "iris", progress=False, **{asked: True})  # type: ignore[arg-type]  # one of two flags


@pytest.mark.parametrize("wrong", ["epochs", "settings", "depth", "origin", "initialize"])
def test_a_keyword_that_is_none_is_refused_as_by_any_function(tmp_path: Path, wrong: str) -> None:
    place = written(tmp_path, "loss: cross_entropy")
    with pytest.raises(TypeError, match=rf"^fit\(\) got an unexpected keyword argument '{wrong}'"):
        archdsl.fit(place, "iris", folder=tmp_path / "run", **{wrong: 1})  # type: ignore[arg-type]  # what is tried
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("machine", [{"devices": "2"}, {"nodes": 0}, {"strategy": "dpp"}])
def test_a_machine_that_cannot_be_is_refused(tmp_path: Path, machine: dict[str, Any]) -> None:
    place = written(tmp_path, "loss: cross_entropy")
    with pytest.raises(ArchError) as refused:
        archdsl.fit(place, "iris", folder=tmp_path / "run", **machine)
    assert refused.value.diagnostics[0].code == "cannot-run"
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_resumed_and_written_over(tmp_path: Path) -> None:
    model = archdsl.compile(written(tmp_path, "loss: cross_entropy"))
    with pytest.raises(ArchError, match="not both"):
        archdsl.fit(model, "iris", folder=tmp_path / "run", resume=True, overwrite=True)
    assert not (tmp_path / "run").exists()


def test_a_path_and_a_specification_are_trained_as_well(tmp_path: Path) -> None:
    place = written(tmp_path, "loss: cross_entropy\n    seed: 3")
    table(tmp_path / "table.npz")
    data = f'npz("{(tmp_path / "table.npz").as_posix()}")'
    from_each = [
        archdsl.fit(target, data, progress=False)
        for target in (str(place), place, archdsl.load(place), archdsl.graph(place))
    ]
    first, *others = [outcome.network.state_dict() for outcome in from_each]
    for other in others:
        assert all(torch.equal(first[name], other[name]) for name in first)


def test_an_edited_graph_is_trained_as_it_is_now(tmp_path: Path) -> None:
    graph = archdsl.graph(written(tmp_path, "loss: cross_entropy + 0.1 * l2(weights)"))
    graph.remove_edge("relu1", "linear2")
    graph.add_node("wide", op="linear", args={"out_features": 20})
    graph.add_edge("relu1", "wide")
    graph.add_edge("wide", "linear2")
    model = archdsl.compile(graph)
    assert model.recipe is not None
    assert "wide" in {part.path for part in model.recipe.parts}
    assert archdsl.recipe(graph) == model.recipe
    outcome = archdsl.fit(graph, "iris", progress=False, accelerator="cpu")
    assert outcome.network.get_parameter("linear2.weight").shape == (3, 20)


@pytest.mark.parametrize("given", [None, 3, torch.nn.Linear, {"a": 1}])
def test_what_is_no_network_is_refused(given: object) -> None:
    with pytest.raises(ArchError, match="fit trains a network, and this is") as refused:
        archdsl.fit(given, "iris")  # type: ignore[arg-type]  # what is tried
    assert "fit(archdsl.compile(" in refused.value.diagnostics[0].help
    with pytest.raises(ArchError):
        archdsl.fit("nowhere.arch", "iris")


def test_without_a_recipe_a_path_is_refused_by_name(tmp_path: Path) -> None:
    place = tmp_path / "bare.arch"
    place.write_text(NETWORK.partition("train")[0].format(), encoding="utf-8")
    with pytest.raises(ArchError, match="nothing says how") as refused:
        archdsl.fit(place, "iris")
    assert refused.value.diagnostics[0].code == "no-recipe"


def test_a_batch_norm_that_meets_one_value_is_told_of(tmp_path: Path) -> None:
    """Of free sizes it is known only once the samples are."""
    place = tmp_path / "free.arch"
    text = """\
    network free {
        input image: [1, H, W]

        conv(4, 3) -> bn -> relu -> global_avg_pool -> flatten -> linear(2)
    }

    train for free { loss: cross_entropy }
    """
    place.write_text(textwrap.dedent(text), encoding="utf-8")
    recipe = archdsl.recipe(place, settings={"batch_size": 1, "epochs": 1})
    small = (torch.randn(10, 1, 3, 3), torch.arange(10) % 2)
    with pytest.raises(ArchError, match="a single value to take a deviation of"):
        archdsl.fit(place, small, recipe=recipe, progress=False)
    archdsl.fit(
        place, (torch.randn(10, 1, 4, 3), small[1]), recipe=recipe, progress=False
    )  # two places: torch takes it
