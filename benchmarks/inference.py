"""What compiled networks cost against the same written by hand, and what archdsl.optimize gains.

    python benchmarks/inference.py [--freeze] [--rounds N] [NETWORK …]

Time: the two sides take turns, and the ratio is the median over the rounds, so that what else the
machine does falls on both. Forward is in evaluation mode under torch.inference_mode, at batch 1; a
step of training is forward and backward at batch 8. Memory: what a step adds at its peak to a fresh
process that holds the network. A ratio above 1 is in favour of archdsl. ``--freeze`` compiles
too, which takes minutes.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import handwritten
import torch
from torch import Tensor, nn

import archdsl

ROOT = Path(__file__).resolve().parents[1]
LEAST_MEMORY = 10  # megabytes: of less, the allocator's habits are most


@dataclass(frozen=True)
class Case:
    """A network in both forms; ``rounds`` are as many as give a stable median."""

    name: str
    target: str
    by_hand: Callable[[], nn.Module]
    size: int
    rounds: int
    classes: int = 1000


CASES = {
    case.name: case
    for case in (
        Case("resnet50", "resnet.arch:resnet50", handwritten.resnet50, 224, 30),
        Case("densenet121", "densenet.arch:densenet121", handwritten.densenet121, 224, 30),
        Case("resnet20", "resnet.arch:resnet20", handwritten.resnet20, 8, 1000, classes=10),
    )
}


def models(case: Case) -> tuple[nn.Module, nn.Module]:
    """By hand and compiled, with the same weights."""
    torch.manual_seed(0)
    by_hand = case.by_hand()
    return by_hand, archdsl.compile(f"{ROOT / 'specs'}/{case.target}", weights=by_hand.state_dict())


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


def report(what: str, measured: tuple[float, float, float]) -> None:
    """A line of the table."""
    ratio, one, other = measured
    print(f"  {what:44} {one:9.2f} ms {other:9.2f} ms {ratio:6.2f} times", flush=True)


def measure(case: Case, rounds: int, *, freeze: bool) -> None:
    """Print the table of a network."""
    by_hand, compiled = models(case)
    x, batch = images(case, 1), images(case, 8)
    print(f"{case.name}{'by hand':>49} {'archdsl':>12}")
    by_hand.eval()
    compiled.eval()
    with torch.inference_mode():
        report("forward", times_faster(lambda: by_hand(x), lambda: compiled(x), rounds))
        optimized = archdsl.optimize(compiled, x)
        report("forward, optimized", times_faster(lambda: by_hand(x), lambda: optimized(x), rounds))
    if freeze:
        frozen = archdsl.optimize(compiled, x, freeze=True)
        with torch.no_grad():
            report(
                "forward, optimized and frozen",
                times_faster(lambda: by_hand(x), lambda: frozen(x), rounds),
            )
    rounds = max(5, rounds // 4)
    step = training_step(by_hand, batch, case.classes)
    other = training_step(compiled, batch, case.classes)
    report("step of training", times_faster(step, other, rounds))
    compiled.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    batch = batch.to(memory_format=torch.channels_last)
    other = training_step(compiled, batch, case.classes)
    report("step of training, channels-last", times_faster(step, other, rounds))
    for mode, what in (("forward", "forward"), ("train", "step of training")):
        one, two = (peak_in_process(case, side, mode) for side in ("hand", "archdsl"))
        if min(one, two) >= LEAST_MEMORY:
            print(f"  {f'memory, {what}':44} {one:9.1f} MB {two:9.1f} MB {one / two:6.2f} times")


def peak_in_process(case: Case, side: str, mode: str) -> float:
    """Megabytes that a step adds at its peak, in a process of its own."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, __file__, case.name, "--peak", side, mode],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    return float(done.stdout)


def print_peak(case: Case, side: str, mode: str) -> None:
    """Run a step a few times, and print by how many megabytes the process grew at its peak."""
    by_hand, compiled = models(case)
    model = by_hand if side == "hand" else compiled
    small = torch.randn(1, 3, 32, 32)
    model.eval()(small)  # what torch loads when it first convolves is there before
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if mode == "train":
        step = training_step(model, images(case, 8), case.classes)
        for _ in range(3):
            step()
    else:
        with torch.inference_mode():
            for _ in range(3):
                model(images(case, 8))
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def main() -> None:
    """Measure what is asked for."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("networks", nargs="*", metavar="NETWORK", help=", ".join(CASES))
    asked.add_argument("--freeze", action="store_true")
    asked.add_argument("--rounds", type=int)
    asked.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = asked.parse_args()
    chosen = [CASES[name] for name in options.networks or CASES]
    if options.peak:
        print_peak(chosen[0], *options.peak)
        return
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads")
    for case in chosen:
        measure(case, options.rounds or case.rounds, freeze=options.freeze)


if __name__ == "__main__":
    main()
