"""wide_and_deep, written by archdsl from wide_and_deep.arch, with its training."""

import argparse
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class WideAndDeepOutput(NamedTuple):
    """What the network gives."""

    main: Tensor
    aux: Tensor


class WideAndDeep(nn.Module):
    """The wide path memorizes what stands in the data, the deep one generalizes. A
    second output on the deep path alone keeps it learning.
    """

    def __init__(self) -> None:
        super().__init__()
        self.linear1 = nn.Linear(6, 30)
        self.relu1 = nn.ReLU()
        self.linear2 = nn.Linear(30, 30)
        self.relu2 = nn.ReLU()
        self.linear3 = nn.Linear(35, 1)
        self.linear4 = nn.Linear(30, 1)

    def forward(self, wide: Tensor, deep: Tensor) -> WideAndDeepOutput:
        abstract = self.relu2(self.linear2(self.relu1(self.linear1(deep))))  # [30]
        x = torch.cat([wide, abstract], dim=1)  # [35]
        main = self.linear3(x)  # [1]
        aux = self.linear4(abstract)
        return WideAndDeepOutput(main, aux)


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


class WideAndDeepTraining(L.LightningModule):
    """How wide_and_deep is trained."""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = WideAndDeep() if network is None else network
        self.train_means = Means("loss", "mse(main)", "mse(aux)")
        self.val_means = Means("loss", "mse(main)", "mse(aux)")
        self.metrics = nn.ModuleDict()
        self.metrics["mae(main)"] = torchmetrics.MeanAbsoluteError()
        self.metrics["mae(aux)"] = torchmetrics.MeanAbsoluteError()

    def on_train_epoch_start(self) -> None:
        self.lr = self.optimizers(use_pl_optimizer=False).param_groups[0]["lr"]

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        (wide, deep), target = batch
        outputs = self.network(wide, deep)
        mse_main = F.mse_loss(outputs.main, target)
        mse_aux = F.mse_loss(outputs.aux, target)
        loss = 0.9 * mse_main + 0.1 * mse_aux
        self.train_means.update(len(wide), loss, mse_main, mse_aux)
        return {
            "loss": loss,
            "mse(main)": mse_main.detach(),
            "mse(aux)": mse_aux.detach(),
        }

    def on_train_epoch_end(self) -> None:
        means = self.train_means.compute(self.trainer.strategy)
        self.log_dict({f"train_{name}": value for name, value in means.items()})
        self.log("lr", self.lr)

    def evaluate(self, batch: Any) -> None:
        (wide, deep), target = batch
        outputs = self.network(wide, deep)
        mse_main = F.mse_loss(outputs.main, target)
        mse_aux = F.mse_loss(outputs.aux, target)
        loss = 0.9 * mse_main + 0.1 * mse_aux
        self.val_means.update(len(wide), loss, mse_main, mse_aux)
        self.metrics["mae(main)"].update(outputs.main, target)
        self.metrics["mae(aux)"].update(outputs.aux, target)

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
        return torch.optim.SGD(self.network.parameters(), lr=0.01)


INPUTS = ("wide", "deep")
TARGETS = ("target",)


def load(path: str, batch_size: int, workers: int) -> dict[str, DataLoader]:
    """A loader for each part of the data that an .npz file holds.

    Its arrays are called wide_train, deep_train and target_train, and so with _val and
    _test, which may be missing. Samples stand along the first axis.
    """
    loaders = {}
    with np.load(path) as file:
        for part in ("train", "val", "test"):
            if f"wide_{part}" not in file:
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


# Not in this script: normalize: standard.
def main() -> None:
    """Train on the arrays of a file; write the weights to another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="an .npz file: see load")
    parser.add_argument("-o", "--output", default="weights.pt", help="where to")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    L.seed_everything(options.seed)
    training = WideAndDeepTraining()
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
