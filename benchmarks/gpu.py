"""What compiled networks cost on a GPU against the same written by hand, in bfloat16.

    python benchmarks/gpu.py [--batch N] [--seconds S] [--peak TFLOPS] [--device cuda]

Forward (under torch.no_grad) and a training step (forward, backward, SGD) of ResNet-50 and
ViT-B/16, eager and under torch.compile: images a second of both sides, in turn, with the device
waited for, and the ratio of the medians. ``--peak`` is the device's peak in bfloat16, from its data
sheet; the share of it counts a multiply-add as two operations and a step as three forwards. It is
no part of ``make bench``, which a machine without a GPU runs.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import handwritten
import torch
from torch import Tensor, nn

import archdsl

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Case:
    """A network in both forms."""

    title: str
    target: str
    by_hand: Callable[[], nn.Module]
    channels_last: bool


CASES = (
    Case("ResNet-50", "resnet.arch:resnet50", handwritten.resnet50, channels_last=True),
    Case("ViT-B/16", "vit.arch:vit_b_16", handwritten.vit_b_16, channels_last=False),
)


@dataclass(frozen=True)
class Options:
    """How it is measured."""

    device: str
    batch: int
    seconds: float
    peak: float | None = None
    size: int = 224
    compiled: bool = True


@dataclass(frozen=True)
class Figures:
    """Images a second of both sides, and the operations of an image."""

    what: str
    ours: float
    by_hand: float
    operations: float

    def text(self, peak: float | None) -> str:
        """The line of the table."""
        share = (
            f"{100 * self.ours * self.operations / (peak * 1e12):5.1f} % of peak" if peak else ""
        )
        ratio = self.ours / self.by_hand
        return f"{self.what:44}{self.ours:10,.0f}{self.by_hand:12,.0f}{ratio:9.3f}   {share}"


def models(case: Case, device: str) -> tuple[nn.Module, nn.Module]:
    """Compiled and by hand, with the same weights, on the device in bfloat16."""
    torch.manual_seed(0)
    by_hand = case.by_hand()
    target = f"{ROOT / 'specs'}/{case.target}"
    compiled = archdsl.compile(target, weights=by_hand.state_dict(), inplace=True)
    layout = torch.channels_last if case.channels_last else torch.preserve_format
    for model in (compiled, by_hand):
        model.to(device, torch.bfloat16, memory_format=layout)  # type: ignore[call-overload]  # typed for 4-D tensors alone
    return compiled, by_hand


def forward(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """A forward pass in evaluation."""
    model.eval()

    def run() -> None:
        with torch.no_grad():
            model(x)

    return run


def training_step(model: nn.Module, x: Tensor) -> Callable[[], None]:
    """Forward, backward and an update of the weights."""
    model.train()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
    wanted = torch.arange(len(x), device=x.device) % 1000

    def run() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x).float(), wanted).backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return run


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if device.startswith("cuda"):
        torch.cuda.synchronize()


def images_a_second(runs: list[Callable[[], None]], options: Options) -> list[float]:
    """What every side reaches: the median of rounds, the sides in turn."""
    for run in runs:
        for _ in range(3):
            run()
    wait(options.device)
    rates: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + options.seconds
    while not rates[0] or time.perf_counter() < end:
        for run, found in zip(runs, rates, strict=True):
            start = time.perf_counter()
            run()
            wait(options.device)
            found.append(options.batch / (time.perf_counter() - start))
    return [statistics.median(found) for found in rates]


def figures(case: Case, options: Options) -> Iterator[Figures]:
    """Forward and training step, eager and compiled by torch."""
    layout = torch.channels_last if case.channels_last else torch.contiguous_format
    shape = (options.batch, 3, options.size, options.size)
    x = torch.randn(shape, device=options.device, dtype=torch.bfloat16)
    x = x.contiguous(memory_format=layout)
    cost = archdsl.check(f"{ROOT / 'specs'}/{case.target}").cost
    assert cost is not None
    multiply_adds = archdsl.dims.evaluate(cost.multiply_adds, dict.fromkeys("HW", options.size))
    for words, act, times in (("forward", forward, 1), ("training step", training_step, 3)):
        for eager in (True, False) if options.compiled else (True,):
            both = models(case, options.device)
            runs = [act(m if eager else cast("nn.Module", torch.compile(m)), x) for m in both]
            rates = images_a_second(runs, options)
            what = f"{words}, {case.title}, {'eager' if eager else 'torch.compile'}"
            yield Figures(what, rates[0], rates[1], 2.0 * multiply_adds * times)


def main() -> None:
    """Measure, and print a line for each."""
    asked = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    asked.add_argument("--device", default="cuda")
    asked.add_argument("--batch", type=int, default=64)
    asked.add_argument("--seconds", type=float, default=10)
    asked.add_argument("--peak", type=float, help="TFLOP/s in bfloat16, from the data sheet")
    given = asked.parse_args()
    options = Options(given.device, given.batch, given.seconds, given.peak)
    if options.device.startswith("cuda"):
        if not torch.cuda.is_available():
            raise SystemExit("there is no GPU that torch could use; --device cpu tries the script")
        print(torch.cuda.get_device_name())
    print(f"torch {torch.__version__}, batches of {options.batch}")
    print(f"{'images a second':44}{'archdsl':>10}{'by hand':>12}{'ratio':>9}")
    for case in CASES:
        for found in figures(case, options):
            print(found.text(options.peak), flush=True)


if __name__ == "__main__":
    main()
