"""What a step of training costs against a loop written by hand, and how long the first one takes.

    python benchmarks/training.py [--epochs N] [--threads N] [--start] [NETWORK …]

By hand: a plain PyTorch loop over a DataLoader of tensors in memory, doing the same mathematics.
The two sides take turns, an epoch each in one process, and the ratio is the median over the pairs,
so that what else the machine does falls on both.
``--start`` measures from the start of the process to the end of the first step instead.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from handwritten_loop import ByHand
from lightning.pytorch import Callback, LightningModule, Trainer
from rows import Row, compare, show
from torch import Tensor, nn

import archdsl
from archdsl.compiler import Target, recipe
from archdsl.training.generated import training_module
from archdsl.training.trainer import RunSettings, fit, make_trainer

ROOT = Path(__file__).resolve().parents[1]
WARM_UP = 3  # pairs that are not counted
STARTS = 5
BY_HAND = "a loop by hand"
STEP_NOTE = (
    "Lightning's loop and its callbacks cost a fixed time a step, which small networks show."
)
START_NOTE = "These are the imports: a loop by hand needs torch, a run needs Lightning as well."

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

    title: str
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
    "digits": Case("the digits' network", DIGITS, 1797, (1, 8, 8), 64, 120),
    "resnet20": Case("ResNet-20", f"{ROOT}/specs/resnet.arch:resnet20", 256, (3, 32, 32), 32, 25),
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


def measure(case: Case, epochs: int) -> Row:
    """A step of training: the median ratio of the pairs, and the medians of both sides."""
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
    what = f"a step of archdsl train, {case.title}"
    return Row(what, BY_HAND, ours, by_hand, "ms", 1 / ratio, None, STEP_NOTE)


def first_step() -> None:
    """One step, in this process: what ``--start`` times from outside."""
    case = CASES["digits"]
    x, y = (part[: case.batch] for part in data_of(case))
    run = RunSettings(epochs=1, accelerator="cpu", progress=False)
    fit(make_trainer(run), module_of(case), Batches(x, y, case.batch))


def time_start(rounds: int = STARTS) -> Row:
    """Seconds from the start of a process to the end of its first step."""
    commands = ([str(ROOT / "benchmarks" / "handwritten_loop.py")], [__file__, "--first"])
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for command, taken in zip(commands, seconds, strict=True):
            start = time.perf_counter()
            subprocess.run([sys.executable, *command], check=True, capture_output=True)
            taken.append(time.perf_counter() - start)
    hand, ours = (statistics.median(taken) for taken in seconds)
    return compare("from the start to the first step", BY_HAND, ours, hand, "s", START_NOTE)


def rows(
    cases: Iterable[Case] = tuple(CASES.values()), epochs: int | None = None, starts: int = STARTS
) -> Iterator[Row]:
    """A step of every network, and how long the first one takes. On one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for case in cases:
            yield measure(case, epochs or case.epochs)
    finally:
        torch.set_num_threads(threads)
    yield time_start(starts)


def main() -> None:
    """Read the arguments, and print a line for every network."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(CASES))
    parser.add_argument("--epochs", type=int, help="pairs of epochs (by default as many as needed)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--start", action="store_true", help="time to the first step")
    parser.add_argument("--first", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    if given.first:
        first_step()
        return
    if given.start:
        show([time_start()])
        return
    chosen = [CASES[name] for name in given.networks or CASES]
    show(measure(case, given.epochs or case.epochs) for case in chosen)


if __name__ == "__main__":
    main()
