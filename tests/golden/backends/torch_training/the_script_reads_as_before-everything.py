"""mlp, written by archdsl, with its training."""

import argparse
import math
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


def half_cosine(share: float) -> float:
    """From 1 to 0 along half a cosine (Loshchilov & Hutter, 2017)."""
    return (1 + math.cos(math.pi * share)) / 2


class MlpTraining(L.LightningModule):
    """How mlp is trained."""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = Mlp() if network is None else network
        self.train_means = Means("loss", "cross_entropy", "l2(weights)", "l1(features)")
        self.val_means = Means("loss", "cross_entropy")
        self.metrics = nn.ModuleDict()
        self.metrics["accuracy"] = torchmetrics.classification.MulticlassAccuracy(
            num_classes=3, average="micro", validate_args=False
        )
        self.metrics["f1"] = torchmetrics.classification.MulticlassF1Score(
            num_classes=3, validate_args=False
        )
        self.of_weights = [p for p in self.network.parameters() if p.ndim > 1]
        self.of_features = list(self.network.features.parameters())

    def on_train_epoch_start(self) -> None:
        self.lr = self.optimizers(use_pl_optimizer=False).param_groups[0]["lr"]
        self.network.features.requires_grad_(self.current_epoch >= 2)

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        x, target = batch
        output = self.network(x)
        cross_entropy = F.cross_entropy(output, target, label_smoothing=0.1)
        l2_weights = sum(p.square().sum() for p in self.of_weights)
        l1_features = sum(p.abs().sum() for p in self.of_features)
        loss = cross_entropy + 0.0001 * l2_weights + 1e-05 * l1_features
        self.train_means.update(len(x), loss, cross_entropy, l2_weights, l1_features)
        return {
            "loss": loss,
            "cross_entropy": cross_entropy.detach(),
            "l2(weights)": l2_weights.detach(),
            "l1(features)": l1_features.detach(),
        }

    def on_train_epoch_end(self) -> None:
        means = self.train_means.compute(self.trainer.strategy)
        self.log_dict({f"train_{name}": value for name, value in means.items()})
        self.log("lr", self.lr)

    def evaluate(self, batch: Any) -> None:
        x, target = batch
        output = self.network(x)
        cross_entropy = F.cross_entropy(output, target, label_smoothing=0.1)
        loss = cross_entropy
        self.val_means.update(len(x), loss, cross_entropy)
        self.metrics["accuracy"].update(output, target)
        self.metrics["f1"].update(output, target)

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
        groups = [
            {"params": [self.network.linear1.weight, self.network.linear2.weight]},
            {
                "params": [self.network.linear1.bias, self.network.linear2.bias],
                "weight_decay": 0.0,
            },
            {"params": [self.network.get_parameter("features.0.weight")], "lr": 0.001},
            {
                "params": [self.network.get_parameter("features.0.bias")],
                "lr": 0.001,
                "weight_decay": 0.0,
            },
        ]
        optimizer = torch.optim.AdamW(groups, lr=0.01, weight_decay=0.1)

        def share(epoch: int) -> float:
            """The share of the learning rate at an epoch."""
            if epoch < 2:
                return (epoch + 1) / 3
            if epoch < 8:
                return half_cosine((epoch - 2) / 6)
            return 0.0001 / 0.01

        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, share)
        return [optimizer], [scheduler]

    def initialize(self) -> None:
        """What parameters hold before the first step."""
        for p in self.network.parameters():
            if p.ndim > 1:
                nn.init.kaiming_normal_(p, nonlinearity="relu")
        for p in self.network.parameters():
            if p.ndim < 2:
                nn.init.zeros_(p)

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        with torch.no_grad():
            for p in self.of_weights:
                if p.requires_grad:
                    p.renorm_(2, 0, 3)

    def teardown(self, stage: str) -> None:
        if stage != "fit":
            return
        self.network.features.requires_grad_(True)


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


class BestWeights(L.pytorch.callbacks.ModelCheckpoint):
    """Keeps the weights of the best epoch in a file, and brings them back when the run ends."""

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        kept = torch.load(self.best_model_path, weights_only=True)
        pl_module.load_state_dict(kept["state_dict"])


def main() -> None:
    """Train on the arrays of a file; write the weights to another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="an .npz file: see load")
    parser.add_argument("-o", "--output", default="weights.pt", help="where to")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    L.seed_everything(options.seed)
    training = MlpTraining()
    training.initialize()
    callbacks = [
        L.pytorch.callbacks.EarlyStopping("val_loss", patience=3),
        BestWeights(monitor="val_loss", save_on_train_epoch_end=True),
    ]
    data = load(options.data, batch_size=16, workers=0)
    trainer = L.Trainer(
        max_epochs=options.epochs,
        accelerator="auto",
        logger=False,
        gradient_clip_val=1.0,
        gradient_clip_algorithm="norm",
        callbacks=callbacks,
    )
    trainer.fit(training, data["train"], data.get("val"))
    if "test" in data:
        trainer.test(training, data["test"])
    torch.save(training.network.state_dict(), options.output)


if __name__ == "__main__":
    main()
