"""What a step of training costs against a loop written by hand, and how long the first one takes.

    python benchmarks/training.py [--epochs N] [--threads N] [--start] [NETWORK …]

By hand: a plain PyTorch loop over a DataLoader of tensors in memory, doing the same mathematics.
The two sides take turns, an epoch each in one process, and the ratio is the median over the pairs,
so that what else the machine does falls on both. A ratio above 1 is what archdsl costs more.
``--start`` measures from the start of the process to the end of the first step instead.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import archdsl
from archdsl.compiler import Target, recipe
from archdsl.training.generated import training_module
from archdsl.training.trainer import RunSettings, fit, make_trainer

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 3  # pairs that are not counted

DIGITS = """
network digits {
    input image: [1, 8, 8]
    conv(16, 3, padding = 1) -> relu -> conv(32, 3, padding = 1) -> relu
    max_pool(2) -> flatten -> linear(10)
}
"""
SETTINGS = {"loss": "cross_entropy", "optimizer": "sgd(lr = 0.05, momentum = 0.9)"}


@dataclass(frozen=True)
class Case:
    """A network, its data, and how many pairs of epochs give a stable median."""

    specification: str
    samples: int
    shape: tuple[int, ...]
    batch: int
    epochs: int

    def target(self) -> Target:
        """The specification, from its text or its file."""
        text = "{" in self.specification
        return archdsl.loads(self.specification) if text else self.specification


CASES = {
    "digits": Case(DIGITS, 1797, (1, 8, 8), 64, 120),
    "resnet20": Case(f"{ROOT}/specs/resnet.arch:resnet20", 256, (3, 32, 32), 32, 25),
}


class Batches:
    """Tensors in memory, served by index."""

    def __init__(self, x: Tensor, y: Tensor, size: int) -> None:
        self.x, self.y, self.size = x, y, size

    def __len__(self) -> int:
        return (len(self.x) + self.size - 1) // self.size

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        for part in torch.split(torch.randperm(len(self.x)), self.size):
            yield self.x.index_select(0, part), self.y.index_select(0, part)


class ByHand:
    """The same, as people write it."""

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


class Turns(Callback):
    """Lets the loop by hand train an epoch after each of Lightning's, and times both."""

    def __init__(self, by_hand: ByHand) -> None:
        self.by_hand = by_hand
        self.seconds: list[tuple[float, float]] = []
        self.since = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.since = time.perf_counter()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        between = time.perf_counter()
        self.by_hand.epoch()
        self.seconds.append((time.perf_counter() - between, between - self.since))


def network_of(case: Case) -> nn.Module:
    """The compiled network; both sides train one."""
    torch.manual_seed(0)
    return archdsl.compile(case.target())


def module_of(case: Case) -> LightningModule:
    """What trains it, as a train block of these settings would."""
    read = recipe(case.target(), settings=SETTINGS)
    return training_module(read, network_of(case))


def data_of(case: Case) -> tuple[Tensor, Tensor]:
    """As many samples as the case has: what they show does not matter to the time."""
    made = torch.Generator().manual_seed(0)
    x = torch.randn(case.samples, *case.shape, generator=made)
    return x, torch.randint(10, (case.samples,), generator=made)


def measure(case: Case, epochs: int) -> tuple[float, float, float]:
    """The median ratio, and the median milliseconds of a step by hand and by archdsl."""
    x, y = data_of(case)
    turns = Turns(ByHand(network_of(case), x, y, case.batch))
    run = RunSettings(epochs=epochs + WARM_UP, accelerator="cpu", progress=False)
    batches = Batches(x, y, case.batch)
    fit(make_trainer(run, callbacks=[turns]), module_of(case), batches)
    pairs = turns.seconds[WARM_UP:]
    ratio = statistics.median(ours / by_hand for by_hand, ours in pairs)
    by_hand, ours = (
        1000 * statistics.median(pair[i] for pair in pairs) / len(batches) for i in (0, 1)
    )
    return ratio, by_hand, ours


def first_step(side: str) -> None:
    """One step, in this process: what ``--start`` times from outside."""
    case = CASES["digits"]
    x, y = (part[: case.batch] for part in data_of(case))
    if side == "hand":
        ByHand(network_of(case), x, y, case.batch).epoch()
        return
    run = RunSettings(epochs=1, accelerator="cpu", progress=False)
    fit(make_trainer(run), module_of(case), Batches(x, y, case.batch))


def time_start(rounds: int = 5) -> None:
    """Seconds from the command to the end of the first step."""
    for side, what in (("hand", "by hand"), ("archdsl", "archdsl")):
        seconds = []
        for _ in range(rounds):
            start = time.perf_counter()
            subprocess.run([sys.executable, __file__, "--first", side], check=True)
            seconds.append(time.perf_counter() - start)
        print(f"  to the first step, {what:9} {statistics.median(seconds):5.2f} s", flush=True)


def main() -> None:
    """Read the arguments, and print a line for every network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(CASES))
    parser.add_argument("--epochs", type=int, help="pairs of epochs (by default as many as needed)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", action="store_true", help="time to the first step")
    parser.add_argument("--first", choices=["hand", "archdsl"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.first:
        first_step(given.first)
        return
    if given.start:
        time_start()
        return
    print(f"  {'a step of training':20} {'by hand':>12} {'archdsl':>12} {'ratio':>8}")
    for name in given.networks or CASES:
        case = CASES[name]
        ratio, by_hand, ours = measure(case, given.epochs or case.epochs)
        print(f"  {name:20} {by_hand:9.2f} ms {ours:9.2f} ms {ratio:8.3f}", flush=True)


if __name__ == "__main__":
    main()
