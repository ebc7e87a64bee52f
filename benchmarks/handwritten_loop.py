"""A training loop as people write it in PyTorch: to compare with.

    python benchmarks/handwritten_loop.py

trains a small network of digits for one step, with nothing but torch.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset


class ByHand:
    """Stochastic gradient descent with momentum over tensors in memory."""

    def __init__(self, network: nn.Module, x: Tensor, y: Tensor, batch: int) -> None:
        self.network = network
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
        self.loader = DataLoader(TensorDataset(x, y), batch_size=batch, shuffle=True)

    def epoch(self) -> float:
        """Train for an epoch: the mean loss."""
        self.network.train()
        total, count = torch.zeros(()), 0
        for x, y in self.loader:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.network(x), y)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            total += loss.detach() * len(y)
            count += len(y)
        return float(total / count)


def digits() -> nn.Module:
    """The network of benchmarks/training.py."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    ByHand(digits(), torch.randn(64, 1, 8, 8), torch.randint(10, (64,)), 64).epoch()
