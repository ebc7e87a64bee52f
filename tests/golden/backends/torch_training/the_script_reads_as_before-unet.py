"""unet, written by archdsl from unet.arch, with its training."""

import argparse
from typing import Any

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
import torchmetrics
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


def center_crop(x: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
    """Cuts the middle out of the last axes of x."""
    for axis, size in enumerate(sizes, start=x.dim() - len(sizes)):
        x = x.narrow(axis, (x.shape[axis] - size) // 2, size)
    return x


class ConvolveTwice(nn.Module):
    """Two unpadded convolutions of 3x3: each takes a pixel from every border."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, kernel_size=3)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, kernel_size=3)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        return self.relu2(self.conv2(self.relu1(self.conv1(x))))


class Unet(nn.Module):
    """As in the paper: 572x572 comes in, and what is left without borders, 388x388,
    goes out.
    """

    def __init__(self, base: int = 64, classes: int = 2) -> None:
        super().__init__()
        self.convolve_twice1 = ConvolveTwice(1, base)
        self.max_pool1 = nn.MaxPool2d(kernel_size=2)
        self.convolve_twice2 = ConvolveTwice(base, base * 2)
        self.max_pool2 = nn.MaxPool2d(kernel_size=2)
        self.convolve_twice3 = ConvolveTwice(base * 2, base * 4)
        self.max_pool3 = nn.MaxPool2d(kernel_size=2)
        self.convolve_twice4 = ConvolveTwice(base * 4, base * 8)
        self.max_pool4 = nn.MaxPool2d(kernel_size=2)
        self.convolve_twice5 = ConvolveTwice(base * 8, base * 16)
        self.dropout1 = nn.Dropout()
        self.conv_transpose1 = nn.ConvTranspose2d(
            base * 16, base * 8, kernel_size=2, stride=2
        )
        self.convolve_twice6 = ConvolveTwice(base * 16, base * 8)
        self.conv_transpose2 = nn.ConvTranspose2d(
            base * 8, base * 4, kernel_size=2, stride=2
        )
        self.convolve_twice7 = ConvolveTwice(base * 8, base * 4)
        self.conv_transpose3 = nn.ConvTranspose2d(
            base * 4, base * 2, kernel_size=2, stride=2
        )
        self.convolve_twice8 = ConvolveTwice(base * 4, base * 2)
        self.conv_transpose4 = nn.ConvTranspose2d(
            base * 2, base, kernel_size=2, stride=2
        )
        self.convolve_twice9 = ConvolveTwice(2 * base, base)
        self.conv1 = nn.Conv2d(base, classes, kernel_size=1)

    def forward(self, image: Tensor) -> Tensor:
        skip0 = self.convolve_twice1(image)  # [64, 568, 568]
        x = self.max_pool1(skip0)  # [64, 284, 284]
        skip1 = self.convolve_twice2(x)  # [128, 280, 280]
        x = self.max_pool2(skip1)  # [128, 140, 140]
        skip2 = self.convolve_twice3(x)  # [256, 136, 136]
        x = self.max_pool3(skip2)  # [256, 68, 68]
        skip3 = self.convolve_twice4(x)  # [512, 64, 64]
        x = self.max_pool4(skip3)  # [512, 32, 32]
        x = self.convolve_twice5(x)  # [1024, 28, 28]
        x = self.dropout1(x)
        x = self.conv_transpose1(x)  # [512, 56, 56]
        out = center_crop(skip3, x.shape[2:])
        del skip3
        x = torch.cat([out, x], dim=1)  # [1024, 56, 56]
        del out
        x = self.convolve_twice6(x)  # [512, 52, 52]
        x = self.conv_transpose2(x)  # [256, 104, 104]
        out = center_crop(skip2, x.shape[2:])
        del skip2
        x = torch.cat([out, x], dim=1)  # [512, 104, 104]
        del out
        x = self.convolve_twice7(x)  # [256, 100, 100]
        x = self.conv_transpose3(x)  # [128, 200, 200]
        out = center_crop(skip1, x.shape[2:])
        del skip1
        x = torch.cat([out, x], dim=1)  # [256, 200, 200]
        del out
        x = self.convolve_twice8(x)  # [128, 196, 196]
        x = self.conv_transpose4(x)  # [64, 392, 392]
        out = center_crop(skip0, x.shape[2:])
        del skip0
        x = torch.cat([out, x], dim=1)  # [128, 392, 392]
        del out
        x = self.convolve_twice9(x)  # [64, 388, 388]
        return self.conv1(x)  # [2, 388, 388]


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


class UnetTraining(L.LightningModule):
    """How unet is trained."""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = Unet() if network is None else network
        self.train_means = Means("loss")
        self.val_means = Means("loss")
        self.metrics = nn.ModuleDict()
        self.metrics["accuracy"] = torchmetrics.classification.MulticlassAccuracy(
            num_classes=2, average="micro", validate_args=False
        )

    def on_train_epoch_start(self) -> None:
        self.lr = self.optimizers(use_pl_optimizer=False).param_groups[0]["lr"]

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        image, target = batch
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
        return torch.optim.SGD(self.network.parameters(), lr=0.001, momentum=0.99)

    def initialize(self) -> None:
        """What parameters hold before the first step."""
        for p in self.network.parameters():
            if p.ndim > 1:
                nn.init.kaiming_normal_(p, nonlinearity="relu")
        for p in self.network.parameters():
            if p.ndim < 2:
                nn.init.zeros_(p)


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


def main() -> None:
    """Train on the arrays of a file; write the weights to another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="an .npz file: see load")
    parser.add_argument("-o", "--output", default="weights.pt", help="where to")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    L.seed_everything(options.seed)
    training = UnetTraining()
    training.initialize()
    data = load(options.data, batch_size=1, workers=0)
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
