"""In a real run every epoch has its own order of batches, and validation keeps its own."""

from itertools import chain
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from archdsl.techniques.data import Digits
from archdsl.training.data import Data
from archdsl.training.trainer import RunSettings, fit, make_trainer
from tests.training.data.asking import classes, column, floats, opened


class Recorder(pl.LightningModule):
    """Remembers the labels of every batch."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(64, 10)
        self.trained: list[list[int]] = []
        self.validated: list[list[int]] = []

    def training_step(self, batch: Any, index: int) -> torch.Tensor:
        x, y = batch
        self.trained.append(y.tolist())
        loss = nn.functional.cross_entropy(self.layer(x), y)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(y))
        return loss

    def validation_step(self, batch: Any, index: int) -> None:
        x, y = batch
        self.validated.append(y.tolist())
        self.log("val_loss", nn.functional.cross_entropy(self.layer(x), y), batch_size=len(y))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), 0.1)


class Served(Dataset[Any]):
    """Samples one by one, as a Dataset of a person's own."""

    def __init__(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: int) -> Any:
        return self.x[index], int(self.y[index])


@pytest.mark.parametrize("served", ["in memory", "one by one"])
def test_every_epoch_has_its_own_order_and_validation_keeps_its_own(
    served: str, tmp_path: Path
) -> None:
    data: Data = opened(Digits(), floats(64), classes(10), batch_size=100)
    if served == "one by one":
        parts = tuple(Served(*column(data, part)) for part in data.sizes)
        data = opened(parts, floats(64), classes(10), batch_size=100)
    loaders = data.loaders()
    module = Recorder()
    run = RunSettings(epochs=2, accelerator="cpu", folder=tmp_path, progress=False)
    assert loaders.train is not None
    fit(make_trainer(run), module, loaders.train, loaders.validation)

    first, second = module.trained[:15], module.trained[15:]
    fresh: Any = data.loaders().train
    for epoch, seen in enumerate((first, second)):
        fresh.set_epoch(epoch)
        assert seen == [y.tolist() for _, y in fresh]
    assert first != second
    assert sorted(chain(*first)) == sorted(chain(*second))
    assert sorted(chain(*first)) == sorted(column(data, "train")[1].tolist())
    assert [*chain(*module.validated)] == column(data, "validation")[1].tolist() * 2
