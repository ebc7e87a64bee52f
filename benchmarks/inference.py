"""What compiled networks cost against the same written by hand, and what archdsl.optimize gains.

    python benchmarks/inference.py [--freeze] [--rounds N] [NETWORK …]

Time: the two sides take turns, and the ratio is the median over the rounds, so that what else the
machine does falls on both. Forward is in evaluation mode under torch.inference_mode, at batch 1; a
training step is forward and backward at batch 8. Memory: what the tensors of a batch of 8 hold at
their peak. ``--freeze`` compiles too, which takes minutes.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import handwritten
import torch
from live_memory import peak_bytes
from rows import Row, compare, show
from torch import Tensor, nn

import archdsl

ROOT = Path(__file__).resolve().parents[1]
BY_HAND = "PyTorch by hand"
SAME_NOTE = (
    "By hand the ReLUs and sums write in place, and so does what is compiled with inplace=True: the"
    " same operations. «Not in place» is what compile gives unless it is told."
)
CHANNELS_NOTE = (
    "Channels-last helps convolutions with many channels, and those with few it may slow down."
)
LEAST_ROUNDS = 5


@dataclass(frozen=True)
class Case:
    """A network in both forms; ``rounds`` are as many as give a stable median."""

    name: str
    title: str
    target: str
    by_hand: Callable[[], nn.Module]
    size: int
    rounds: int
    classes: int = 1000


CASES = {
    case.name: case
    for case in (
        Case("resnet50", "ResNet-50", "resnet.arch:resnet50", handwritten.resnet50, 224, 30),
        Case(
            "densenet121",
            "DenseNet-121",
            "densenet.arch:densenet121",
            handwritten.densenet121,
            224,
            30,
        ),
        Case(
            "resnet20",
            "ResNet-20 at 8×8",
            "resnet.arch:resnet20",
            handwritten.resnet20,
            8,
            1000,
            classes=10,
        ),
    )
}


def models(case: Case, *, inplace: bool = True) -> tuple[nn.Module, nn.Module]:
    """By hand and compiled, with the same weights."""
    torch.manual_seed(0)
    by_hand = case.by_hand()
    target, weights = f"{ROOT / 'specs'}/{case.target}", by_hand.state_dict()
    return by_hand, archdsl.compile(target, weights=weights, inplace=inplace)


def images(case: Case, batch: int) -> Tensor:
    """As many images as the batch takes."""
    return torch.randn(batch, 3, case.size, case.size)


def times_faster(
    first: Callable[[], object], second: Callable[[], object], rounds: int
) -> tuple[float, float, float]:
    """How many times as fast the second is, and the median milliseconds of both."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for turn in range(rounds + 3):
        order = (0, 1) if turn % 2 else (1, 0)
        for side in order:
            start = time.perf_counter()
            (first, second)[side]()
            seconds[side].append(time.perf_counter() - start)
    one, other = (times[3:] for times in seconds)
    ratio = statistics.median(a / b for a, b in zip(one, other, strict=True))
    return ratio, 1000 * statistics.median(one), 1000 * statistics.median(other)


def training_step(model: nn.Module, x: Tensor, classes: int) -> Callable[[], None]:
    """Forward and backward, with gradients of all weights."""
    wanted = torch.arange(len(x)) % classes

    def step() -> None:
        model.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(model(x), wanted).backward()  # type: ignore[no-untyped-call]

    model.train()
    return step


def row(what: str, case: Case, measured: tuple[float, float, float], note: str = "") -> Row:
    """A row from what :func:`times_faster` gives of by hand and archdsl."""
    ratio, one, other = measured
    return Row(f"{what}, {case.title}", BY_HAND, other, one, "ms", ratio, None, note)


def forward_rows(
    case: Case, by_hand: nn.Module, compiled: nn.Module, rounds: int, *, freeze: bool
) -> Iterator[Row]:
    """Forward in evaluation mode: as compiled, optimized, and frozen where that is asked for."""
    x = images(case, 1)
    by_hand.eval()
    compiled.eval()
    with torch.inference_mode():
        measured = times_faster(lambda: by_hand(x), lambda: compiled(x), rounds)
        optimized = archdsl.optimize(compiled, x)
        better = times_faster(lambda: by_hand(x), lambda: optimized(x), rounds)
    yield row("forward", case, measured, SAME_NOTE)
    yield row("forward, optimized", case, better)
    if freeze:
        frozen = archdsl.optimize(compiled, x, freeze=True)
        with torch.no_grad():
            best = times_faster(lambda: by_hand(x), lambda: frozen(x), rounds)
        yield row("forward, optimized and frozen", case, best)


def usual_row(case: Case, rounds: int) -> Row:
    """Forward of what is compiled without being told anything."""
    by_hand, compiled = (model.eval() for model in models(case, inplace=False))
    x = images(case, 1)
    with torch.inference_mode():
        measured = times_faster(lambda: by_hand(x), lambda: compiled(x), rounds)
    return row("forward, not in place", case, measured, SAME_NOTE)


def training_rows(
    case: Case, by_hand: nn.Module, compiled: nn.Module, rounds: int
) -> Iterator[Row]:
    """A step of training: as compiled, and with channels last, which by hand is not."""
    batch = images(case, 8)
    step = training_step(by_hand, batch, case.classes)
    other = training_step(compiled, batch, case.classes)
    yield row("training step", case, times_faster(step, other, rounds), SAME_NOTE)
    compiled.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = batch.to(memory_format=torch.channels_last)
    other = training_step(compiled, batch, case.classes)
    measured = times_faster(step, other, rounds)
    yield row("training step, channels-last", case, measured, CHANNELS_NOTE)


def memory_rows(case: Case, by_hand: nn.Module, compiled: nn.Module) -> Iterator[Row]:
    """What the tensors of a batch of 8 hold at their peak."""
    batch = images(case, 8)
    for what, measure in (
        ("memory of forward", forward_peak),
        ("memory of a training step", training_peak),
    ):
        hand, ours = (measure(model, batch, case.classes) for model in (by_hand, compiled))
        yield compare(f"{what}, {case.title}", BY_HAND, ours, hand, "MB", SAME_NOTE)


def forward_peak(model: nn.Module, batch: Tensor, classes: int) -> float:
    """Megabytes in evaluation."""
    model.eval()
    with torch.no_grad():
        return peak_bytes(lambda: model(batch)) / 1024**2


def training_peak(model: nn.Module, batch: Tensor, classes: int) -> float:
    """Megabytes forward and backward, the gradients with them."""
    model.zero_grad(set_to_none=True)
    return peak_bytes(training_step(model, batch, classes)) / 1024**2


def rows(
    cases: Iterable[Case] = tuple(CASES.values()),
    rounds: int | None = None,
    *,
    frozen: Container[str] = CASES,
) -> Iterator[Row]:
    """The rows of every network; those named in ``frozen`` are compiled by torch too."""
    for case in cases:
        turns = rounds or case.rounds
        by_hand, compiled = models(case)
        yield from memory_rows(case, by_hand, compiled)
        yield usual_row(case, turns)
        yield from forward_rows(case, by_hand, compiled, turns, freeze=case.name in frozen)
        yield from training_rows(case, by_hand, compiled, max(min(turns, LEAST_ROUNDS), turns // 4))


def main() -> None:
    """Measure what is asked for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(CASES))
    asked.add_argument("--freeze", action="store_true")
    asked.add_argument("--rounds", type=int)
    options = asked.parse_args()
    chosen = [CASES[name] for name in options.networks or CASES]
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    show(rows(chosen, options.rounds, frozen=CASES if options.freeze else ()))


if __name__ == "__main__":
    main()
