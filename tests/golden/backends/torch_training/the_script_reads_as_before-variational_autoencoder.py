"""variational_autoencoder, written by archdsl from autoencoder.arch, with its training."""

import argparse
from typing import Any, NamedTuple

import lightning as L
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class GaussianSample(nn.Module):
    """A sample of N(mu, exp(log_var)) that gradients pass through; the mean in eval mode."""

    def forward(self, mu: torch.Tensor, log_var: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return mu
        return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)


class VariationalAutoencoderOutput(NamedTuple):
    """What the network gives."""

    reconstruction: Tensor
    mu: Tensor
    log_var: Tensor


class VariationalAutoencoder(nn.Module):
    """Auto-Encoding Variational Bayes (Kingma & Welling, 2014): a code is a normal
    distribution.
    """

    def __init__(self, codes: int = 20, hidden: int = 500) -> None:
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, hidden),
            nn.Tanh(),
        )
        self.mean = nn.Linear(hidden, codes)
        self.log_variance = nn.Linear(hidden, codes)
        self.gaussian_sample1 = GaussianSample()
        self.decoder = nn.Sequential(
            nn.Linear(codes, hidden),
            nn.Tanh(),
            nn.Linear(hidden, 784),
            nn.Sigmoid(),
            nn.Unflatten(1, (1, 28, 28)),
        )

    def forward(self, image: Tensor) -> VariationalAutoencoderOutput:
        features = self.encoder(image)  # [500]
        mu = self.mean(features)  # [20]
        log_var = self.log_variance(features)
        del features
        x = self.gaussian_sample1(mu, log_var)
        reconstruction = self.decoder(x)  # [1, 28, 28]
        return VariationalAutoencoderOutput(reconstruction, mu, log_var)


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


def kl_to_normal(mu: Tensor, log_var: Tensor) -> Tensor:
    """The divergence of N(mu, exp(log_var)) from N(0, 1), a sample (Kingma & Welling, 2014)."""
    return -0.5 * (1 + log_var - mu.square() - log_var.exp()).flatten(1).sum(1).mean()


class VariationalAutoencoderTraining(L.LightningModule):
    """How variational_autoencoder is trained."""

    def __init__(self, network: nn.Module | None = None) -> None:
        super().__init__()
        self.network = VariationalAutoencoder() if network is None else network
        self.train_means = Means(
            "loss", "binary_cross_entropy(reconstruction, image)", "kl(mu, log_var)"
        )
        self.val_means = Means(
            "loss", "binary_cross_entropy(reconstruction, image)", "kl(mu, log_var)"
        )

    def on_train_epoch_start(self) -> None:
        self.lr = self.optimizers(use_pl_optimizer=False).param_groups[0]["lr"]

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        image, _ = batch
        outputs = self.network(image)
        binary_cross_entropy_reconstruction_image = F.binary_cross_entropy(
            outputs.reconstruction, image
        )
        kl_mu_log_var = kl_to_normal(outputs.mu, outputs.log_var)
        loss = (
            binary_cross_entropy_reconstruction_image
            + 0.0012755102040816326 * kl_mu_log_var
        )
        self.train_means.update(
            len(image), loss, binary_cross_entropy_reconstruction_image, kl_mu_log_var
        )
        return {
            "loss": loss,
            "binary_cross_entropy(reconstruction, image)": binary_cross_entropy_reconstruction_image.detach(),
            "kl(mu, log_var)": kl_mu_log_var.detach(),
        }

    def on_train_epoch_end(self) -> None:
        means = self.train_means.compute(self.trainer.strategy)
        self.log_dict({f"train_{name}": value for name, value in means.items()})
        self.log("lr", self.lr)

    def evaluate(self, batch: Any) -> None:
        image, _ = batch
        outputs = self.network(image)
        binary_cross_entropy_reconstruction_image = F.binary_cross_entropy(
            outputs.reconstruction, image
        )
        kl_mu_log_var = kl_to_normal(outputs.mu, outputs.log_var)
        loss = (
            binary_cross_entropy_reconstruction_image
            + 0.0012755102040816326 * kl_mu_log_var
        )
        self.val_means.update(
            len(image), loss, binary_cross_entropy_reconstruction_image, kl_mu_log_var
        )

    def validation_step(self, batch: Any, batch_idx: int) -> None:
        self.evaluate(batch)

    def test_step(self, batch: Any, batch_idx: int) -> None:
        self.evaluate(batch)

    def log_evaluation(self, stage: str) -> None:
        means = self.val_means.compute(self.trainer.strategy)
        self.log_dict({f"{stage}_{name}": value for name, value in means.items()})

    def on_validation_epoch_end(self) -> None:
        self.log_evaluation("val")

    def on_test_epoch_end(self) -> None:
        self.log_evaluation("test")

    def configure_optimizers(self) -> Any:
        return torch.optim.Adam(self.network.parameters(), lr=0.001)


INPUTS = ("image",)
TARGETS = ()


def load(path: str, batch_size: int, workers: int) -> dict[str, DataLoader]:
    """A loader for each part of the data that an .npz file holds.

    Its arrays are called image_train, and so with _val and _test, which may be missing.
    Samples stand along the first axis.
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


# Not in this script: data: digits(size = 28).
def main() -> None:
    """Train on the arrays of a file; write the weights to another."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="an .npz file: see load")
    parser.add_argument("-o", "--output", default="weights.pt", help="where to")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    L.seed_everything(options.seed)
    training = VariationalAutoencoderTraining()
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
