"""Plain against residual networks of 20 and 56 layers (He et al., 2016), on digits.

Run it from the repository's root: python examples/plain_or_residual.py

What is compared is the loss on the training data, after the same epochs: whether depth makes a
network harder to train. Two minutes on one core; `--seeds 1 --epochs 5` for a first look.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, stdev

import torch

import archdsl

SPECIFICATION = Path(__file__).with_suffix(".arch")
NETWORKS = ("plain20", "plain56", "residual20", "residual56")


def losses(network: str, seed: int, epochs: int | None) -> list[float]:
    """The training loss of every epoch."""
    torch.manual_seed(seed)
    target = f"{SPECIFICATION}:{network}"
    model = archdsl.compile(target)
    recipe = archdsl.recipe(target).replace(seed=seed)
    if epochs:
        recipe = recipe.replace(epochs=epochs)
    outcome = archdsl.fit(model, recipe=recipe, progress=False)
    return [row["train_loss"] for row in outcome.rows]


def spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.3f}"
    return f"{mean(values):.3f} ± {stdev(values):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--epochs", type=int, metavar="N", help="those of the block, unless given")
    options = parser.parse_args()

    print("training loss  first epoch      half way         last epoch")
    for network in NETWORKS:
        runs = [losses(network, seed, options.epochs) for seed in range(options.seeds)]
        moments = [0, len(runs[0]) // 2, -1]
        cells = [spread([run[moment] for run in runs]) for moment in moments]
        print(f"{network:14s} " + "  ".join(f"{cell:15s}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
