"""VGG-like networks of 1 to 3 blocks with 1 to 3 layers each: what depth gives on digits.

Run it from the repository's root: python examples/vgg_blocks.py

Accuracy on the test part, mean and standard deviation over the seeds. A minute on one core;
`--seeds 1 --epochs 3` for a first look.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, stdev

import torch

import archdsl

SPECIFICATION = Path(__file__).with_suffix(".arch")


def accuracy(blocks: int, layers: int, seed: int, epochs: int | None) -> float:
    """Of the test part, in percent."""
    torch.manual_seed(seed)
    model = archdsl.compile(SPECIFICATION, blocks=blocks, layers=layers)
    recipe = archdsl.recipe(SPECIFICATION, blocks=blocks, layers=layers).replace(seed=seed)
    if epochs:
        recipe = recipe.replace(epochs=epochs)
    outcome = archdsl.fit(model, recipe=recipe, progress=False)
    return 100 * outcome.test["accuracy"]


def spread(values: list[float]) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{mean(values):.1f} ± {stdev(values):.1f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    parser.add_argument("--epochs", type=int, metavar="N", help="those of the block, unless given")
    options = parser.parse_args()

    counts = (1, 2, 3)
    print("accuracy  " + "".join(f"{f'{layers} a block':14s}" for layers in counts))
    for blocks in counts:
        cells = []
        for layers in counts:
            found = [
                accuracy(blocks, layers, seed, options.epochs) for seed in range(options.seeds)
            ]
            cells.append(f"{spread(found):14s}")
        print(f"{blocks} blocks  " + "".join(cells), flush=True)


if __name__ == "__main__":
    main()
