"""digits, written by archdsl from digits.arch, with its training."""

import argparse
from typing import Any

import kornia.augmentation as K
import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Digits(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 32, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(32)
        self.relu1 = nn.ReLU()
        self.max_pool1 = nn.MaxPool2d(kernel_size=2)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.bn2 = nn.BatchNorm2d(64)
        self.relu2 = nn.ReLU()
        self.max_pool2 = nn.MaxPool2d(kernel_size=2)
        self.linear1 = nn.Linear(256, 128)
        self.relu3 = nn.ReLU()
        self.dropout1 = nn.Dropout()
        self.linear2 = nn.Linear(128, 10)

    def forward(self, image: Tensor) -> Tensor:
        x = self.max_pool1(self.relu1(self.bn1(self.conv1(image))))  # [32, 4, 4]
        x = self.max_pool2(self.relu2(self.bn2(self.conv2(x))))  # [64, 2, 2]
        x = torch.flatten(x, 1)  # [256]
        x = self.dropout1(self.relu3(self.linear1(x)))  # [128]
        return self.linear2(x)  # [10]


class Means:
    """Means over an epoch, summed where they are computed: no step waits for a number."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.sums: Tensor | None = None
        self.count = 0

    def update(self, count: int, *values: Tensor) -> None:
        """Add what a batch of so many samples gave."""
        batch = torch.stack(values).detach().float()
        if self.sums is None:
            self.sums = torch.zeros_like(batch)
        self.sums.add_(batch, alpha=count)
        self.count += count

    def compute(self, strategy: Any) -> dict[str, Tensor]:
        """The means over the samples of all processes; begins anew."""
        if self.sums is None:
            return {}
        both = torch.cat([self.sums, self.sums.new_tensor([self.count])])
        both = strategy.reduce(both, reduce_op="sum")
        self.sums, self.count = None, 0
        return dict(zip(self.names, both[:-1] / both[-1], strict=True))


class DigitsTraining(L.LightningModule):
    """How digits is trained."""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = Digits() if network is None else network
        # its call alone: what transforms hold is no part of the state
        self.augment = nn.Sequential(
            K.RandomRotation(10.0, p=1.0),
        ).forward
        self.train_means = Means("loss")
        self.val_means = Means("loss")
        self.metrics = nn.ModuleDict()
        self.metrics["accuracy"] = torchmetrics.classification.MulticlassAccuracy(
            num_classes=10, average="micro", validate_args=False
        )

    def on_train_epoch_start(self) -> None:
        self.lr = self.optimizers(use_pl_optimizer=False).param_groups[0]["lr"]

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        image, target = batch
        image = self.augment(image)
        output = self.network(image)
        loss = F.cross_entropy(output, target)
        self.train_means.update(len(image), loss)
        return loss

    def on_train_epoch_end(self) -> None:
        means = self.train_means.compute(self.trainer.strategy)
        self.log_dict({f"train_{name}": value for name, value in means.items()})
        self.log("lr", self.lr)

    def evaluate(self, batch: Any) -> None:
        image, target = batch
        output = self.network(image)
        loss = F.cross_entropy(output, target)
        self.val_means.update(len(image), loss)
        self.metrics["accuracy"].update(output, target)

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.evaluate(batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.evaluate(batch)

    def log_evaluation(self, stage: str) -> None:
        means = self.val_means.compute(self.trainer.strategy)
        self.log_dict({f"{stage}_{name}": value for name, value in means.items()})
        for name, metric in self.metrics.items():
            self.log(f"{stage}_{name}", metric.compute())
            metric.reset()

    def on_validation_epoch_end(self) -> None:
        self.log_evaluation("val")

    def on_test_epoch_end(self) -> None:
        self.log_evaluation("test")

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(self.network.parameters(), lr=0.002)
        epochs = self.trainer.max_epochs
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=epochs)
        return [optimizer], [scheduler]


INPUTS = ("image",)
TARGETS = ("target",)


def load(path: str, batch_size: int, workers: int) -> dict[str, DataLoader]:
    """A loader for each part of the data that an .npz file holds.

    Its arrays are called image_train and target_train, and so with _val and _test,
    which may be missing. Samples stand along the first axis.
    """
    loaders = {}
    with np.load(path) as file:
        for part in ("train", "val", "test"):
            if f"image_{part}" not in file:
                continue
            inputs = [torch.from_numpy(file[f"{name}_{part}"]) for name in INPUTS]
            targets = [torch.from_numpy(file[f"{name}_{part}"]) for name in TARGETS]
            rows = TensorDataset(*inputs, *targets)
            loaders[part] = DataLoader(
                rows,
                batch_size,
                shuffle=part == "train",
                num_workers=workers,
                collate_fn=collate,
            )
    return loaders


def collate(rows: list[tuple[Tensor, ...]]) -> Any:
    """Samples as a batch: inputs and targets, each one tensor or a tuple of several."""
    columns = [torch.stack(column) for column in zip(*rows, strict=True)]
    inputs, targets = columns[: len(INPUTS)], columns[len(INPUTS) :]
    return tuple(p[0] if len(p) == 1 else tuple(p) for p in (inputs, targets))


# Not in this script: data: digits.
def main() -> None:
    """Train on the arrays of a file; write the weights to another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="an .npz file: see load")
    parser.add_argument("-o", "--output", default="weights.pt", help="where to")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    L.seed_everything(options.seed)
    training = DigitsTraining()
    data = load(options.data, batch_size=64, workers=0)
    trainer = L.Trainer(
        max_epochs=options.epochs,
        accelerator="auto",
        logger=False,
        enable_checkpointing=False,
    )
    trainer.fit(training, data["train"], data.get("val"))
    if "test" in data:
        trainer.test(training, data["test"])
    torch.save(training.network.state_dict(), options.output)


if __name__ == "__main__":
    main()
