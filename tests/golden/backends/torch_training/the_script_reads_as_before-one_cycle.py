"""mlp, written by archdsl, with its training."""

import argparse
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(4, 8)
        self.relu1 = nn.ReLU()
        self.features = nn.Sequential(
            nn.Linear(8, 8),
            nn.ReLU(),
        )
        self.linear2 = nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.linear1(x))  # [8]
        x = self.features(x)
        return self.linear2(x)  # [3]


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


def focal_loss(scores: Tensor, target: Tensor, gamma: float) -> Tensor:
    """The cross entropy, where what is easy weighs less (Lin et al., 2017)."""
    loss = F.cross_entropy(scores, target, reduction="none")
    return ((1 - torch.exp(-loss)) ** gamma * loss).mean()


class MlpTraining(L.LightningModule):
    """How mlp is trained."""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = Mlp() if network is None else network
        self.train_means = Means("loss")
        self.val_means = Means("loss")
        self.metrics = nn.ModuleDict()
        self.metrics["accuracy"] = torchmetrics.classification.MulticlassAccuracy(
            num_classes=3, average="micro", validate_args=False
        )

    def on_train_epoch_start(self) -> None:
        self.lr = self.optimizers(use_pl_optimizer=False).param_groups[0]["lr"]

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, target = batch
        output = self.network(x)
        loss = focal_loss(output, target, 2.0)
        self.train_means.update(len(x), loss)
        return loss

    def on_train_epoch_end(self) -> None:
        means = self.train_means.compute(self.trainer.strategy)
        self.log_dict({f"train_{name}": value for name, value in means.items()})
        self.log("lr", self.lr)

    def evaluate(self, batch: Any) -> None:
        x, target = batch
        output = self.network(x)
        loss = focal_loss(output, target, 2.0)
        self.val_means.update(len(x), loss)
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
        optimizer = torch.optim.SGD(self.network.parameters(), lr=0.1)
        epochs = self.trainer.max_epochs
        steps = self.trainer.estimated_stepping_batches // epochs
        scheduler = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=[g["lr"] for g in optimizer.param_groups],
            total_steps=epochs * steps,
            pct_start=0.3,
            anneal_strategy="cos",
            cycle_momentum=False,
            div_factor=25.0,
            final_div_factor=10000.0,
        )
        stepped = {"scheduler": scheduler, "interval": "step"}
        return {"optimizer": optimizer, "lr_scheduler": stepped}


INPUTS = ("x",)
TARGETS = ("target",)


def load(path: str, batch_size: int, workers: int) -> dict[str, DataLoader]:
    """A loader for each part of the data that an .npz file holds.

    Its arrays are called x_train and target_train, and so with _val and _test, which
    may be missing. Samples stand along the first axis.
    """
    loaders = {}
    with np.load(path) as file:
        for part in ("train", "val", "test"):
            if f"x_{part}" not in file:
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


def main() -> None:
    """Train on the arrays of a file; write the weights to another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="an .npz file: see load")
    parser.add_argument("-o", "--output", default="weights.pt", help="where to")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    L.seed_everything(options.seed)
    training = MlpTraining()
    data = load(options.data, batch_size=32, workers=0)
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
