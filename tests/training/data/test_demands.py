"""What a network asks of data beyond its inputs' types: sizes at which it runs, known indices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset, TensorDataset

import archdsl
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.recipes.demands import Indices
from tests.training.harness import recipe_of

HALVED = """\
network halved {
    input image: [3, H, W]

    residual {
        max_pool(2) -> upsample(scale_factor = 2)
    }
    conv(2, 1)
}

train for halved { loss: cross_entropy; epochs: 1; batch_size: 4 }
"""

TEXTS = """\
network texts(vocabulary = 10) {
    input tokens: int[T]

    embed: embedding(vocabulary, 4)
    mean(1) -> linear(3)
}

train for texts { loss: cross_entropy; epochs: 1; batch_size: 4 }
"""


class Several(Dataset[Any]):
    """Twelve samples, of which the tenth is another."""

    def __init__(self, usual: tuple[Any, Any], tenth: tuple[Any, Any]) -> None:
        self.samples = [usual] * 9 + [tenth] + [usual] * 2

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> Any:
        return self.samples[index]


def pictures(size: int, count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    return torch.zeros(count, 3, size, size), torch.zeros(count, size, size).long()


def texts(most: int = 9, count: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    tokens = torch.full((count, 5), 3)
    tokens[count // 2 :, 2] = most
    return tokens, torch.arange(count) % 3


def fit(text: str, data: object, **more: Any) -> Any:
    return archdsl.fit(archdsl.loads(text), data, progress=False, accelerator="cpu", **more)


def told(run: Callable[[], object]) -> Diagnostic:
    with pytest.raises(ArchError) as refused:
        run()
    (found,) = refused.value.diagnostics
    assert found.code == "data-mismatch"
    assert str(found)
    return found


ODD = "for the network H and W must be even, and the {} gives H = 7 and W = 7"


def test_sizes_that_the_network_does_not_run_at(tmp_path: Path) -> None:
    found = told(lambda: fit(HALVED, pictures(7), folder=tmp_path / "run"))
    assert found.message == ODD.format("data")
    assert found.help == "give samples of [3, 6, 6], or of [3, 8, 8]"
    assert found.span is not None
    assert found.span.text == "residual"
    assert not (tmp_path / "run").exists()


def test_sizes_of_what_is_predicted_for_and_of_other_data(tmp_path: Path) -> None:
    outcome = fit(HALVED, pictures(8), folder=tmp_path / "run")
    trained = archdsl.trained(tmp_path / "run")
    found = [
        told(lambda: outcome.predict(pictures(7)[0])),
        told(lambda: trained.predict(pictures(7)[0])),
        told(lambda: trained.evaluate(pictures(7))),
    ]
    assert {d.message for d in found} == {ODD.format("data")}
    assert len(outcome.predict(pictures(6)[0])["output"]) == 12


@pytest.mark.parametrize("batch", [1, 4])
def test_sizes_may_change_from_sample_to_sample(batch: int) -> None:
    (x, y), (small, mask), (odd, cut) = ((p[0][0], p[1][0]) for p in map(pictures, (8, 6, 7)))
    recipe = archdsl.recipe(archdsl.loads(HALVED), settings={"batch_size": batch})
    wrong = Several((x, y), (odd, cut))
    found = told(lambda: fit(HALVED, wrong, recipe=recipe))
    assert found.message == ODD.format("Dataset")
    assert found.notes == ("in sample 9",)
    if batch == 1:  # of one size or another, as long as a batch is of one
        fit(HALVED, Several((x, y), (small, mask)), recipe=recipe)
        fit(HALVED, DataLoader(Several((x, y), (small, mask))))
        found = told(lambda: fit(HALVED, DataLoader(wrong)))
        assert found.message == ODD.format("DataLoader")
        assert found.notes == ("in its batch 9",)


def test_pictures_are_told_the_size_to_be_stretched_to(tmp_path: Path) -> None:
    for name in ("images", "masks"):
        (tmp_path / name).mkdir()
        mode = "RGB" if name == "images" else "L"
        for index in range(12):
            Image.new(mode, (9, 7)).save(tmp_path / name / f"{index}.png")
    folders = [f'"{(tmp_path / name).as_posix()}"' for name in ("images", "masks")]
    found = told(lambda: fit(HALVED, f"masks({', '.join(folders)})"))
    assert "gives H = 7 and W = 9" in found.message
    assert found.help == f"masks({', '.join(folders)}, size = (6, 8))"


def test_sizes_of_two_inputs_that_are_bound_together() -> None:
    spec = """
    network pair {
        input a: [3, N]
        input b: [3, M]

        concat(a, b, axis = 1) -> mean(2) -> linear(1)
    }
    train for pair { loss: mse; epochs: 1 }
    """
    given = (torch.zeros(12, 3, 4), torch.zeros(12, 3, 5)), torch.zeros(12, 1)
    found = told(lambda: fit(spec, given))
    assert found.message == "for the network N must equal M, and the data gives N = 4 and M = 5"
    assert found.help == "N = 4 and M = 4"


def test_indices_that_an_embedding_does_not_know(tmp_path: Path) -> None:
    fit(TEXTS, texts(9))
    found = told(lambda: fit(TEXTS, texts(12), folder=tmp_path / "run"))
    assert found.message == (
        "the network's input tokens takes indices from 0 to 9, and the data gives 12: in 6 of 12"
        " samples, the first is sample 6"
    )
    assert found.notes == ("they go to embed, which knows 10",)
    assert found.help == "give embed a vocabulary of 13 or more"
    assert not (tmp_path / "run").exists()


def test_indices_of_what_is_predicted_for_and_of_other_data(tmp_path: Path) -> None:
    outcome = fit(TEXTS, texts(), folder=tmp_path / "run")
    trained = archdsl.trained(tmp_path / "run")
    found = [
        told(lambda: outcome.predict(texts(12)[0])),
        told(lambda: trained.predict(texts(12)[0])),
        told(lambda: trained.evaluate(texts(12))),
        told(lambda: outcome.predict(TensorDataset(*texts(12)))),
    ]
    assert all("indices from 0 to 9" in d.message for d in found)


@pytest.mark.parametrize(
    ("tenth", "message"),
    [
        ((10, 0), "the network's input tokens takes indices from 0 to 9, and {} gives 10"),
        ((-1, 0), "the network's input tokens takes indices from 0 to 9, and {} gives -1"),
        ((1, 3), "the network gives 3 scores, for classes 0 to 2, and {} has the class 3"),
    ],
)
def test_a_late_sample_is_told_when_its_turn_comes(tenth: tuple[int, int], message: str) -> None:
    index, label = tenth
    wrong = Several((torch.full((5,), 3), 0), (torch.full((5,), index), label))
    found = told(lambda: fit(TEXTS, wrong))
    assert found.message.startswith(message.format("the Dataset"))
    assert "in sample 9" in found.notes
    found = told(lambda: fit(TEXTS, DataLoader(wrong, 4)))
    assert found.message.startswith(message.format("the DataLoader"))
    assert "in its batch 2" in found.notes


@pytest.mark.parametrize(
    ("body", "known"),
    [
        ("embedding(7, 2) -> flatten", Indices(7, "embedding1")),
        ("flatten -> one_hot(6) -> flatten", Indices(6, "one_hot1")),
        (
            "t -> embedding(9, 2) as a; t -> embedding(5, 2) as b; concat(a, b) -> flatten",
            Indices(5, "embedding2"),
        ),
        ("amax(1) -> embedding(5, 2) -> flatten", None),
        ("split([1, 2], axis = 2) as (a, b); a -> embedding(5, 2) -> flatten", None),
    ],
)
def test_what_reaches_a_layer_as_it_is(body: str, known: Indices | None) -> None:
    text = f"network n {{ input t: int[4, 3]; {body} -> linear(2) }}"
    found = recipe_of(f"{text}\ntrain for n {{ loss: cross_entropy }}").demands.indices
    assert found == ({} if known is None else {"t": known})


@pytest.mark.parametrize("layer", ["embedding(5, 2)", "one_hot(5)"])
def test_what_is_computed_from_the_data_is_told_of_as_it_is_met(layer: str) -> None:
    text = f"network n {{ input t: int[4, 3]; amax(1) -> {layer} -> flatten -> linear(2) }}"
    text += "\ntrain for n { loss: cross_entropy; epochs: 1 }"
    found = told(lambda: fit(text, (torch.full((12, 4, 3), 8), torch.arange(12) % 2)))
    assert found.message == "the data has an index, or a class, that the network does not know"
    outcome = fit(text, (torch.full((12, 4, 3), 1), torch.arange(12) % 2))
    assert told(lambda: outcome.predict(np.full((2, 4, 3), 8))) == found
