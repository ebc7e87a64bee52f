"""XOR, by a perceptron and by hidden layers of 2, 4 and 8 neurons: how many of the four rows.

Run it from the repository's root: python examples/xor.py
A minute on one core; `--seeds 2` for a first look.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import median
from typing import Any

import torch

import archdsl

SPECIFICATION = Path(__file__).with_suffix(".arch")


def train(hidden: int, seed: int) -> dict[str, float]:
    """The loss and the accuracy on the four rows; no hidden neurons are a perceptron."""
    torch.manual_seed(seed)
    target = f"{SPECIFICATION}:{'mlp' if hidden else 'perceptron'}"
    parameters: dict[str, Any] = {"hidden": hidden} if hidden else {}
    model = archdsl.compile(target, **parameters)
    recipe = archdsl.recipe(target, settings={"seed": seed}, **parameters)
    outcome = archdsl.fit(model, recipe=recipe, progress=False)
    return dict(outcome.test)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, metavar="N")
    options = parser.parse_args()

    print("                   all four rows  median loss")
    for hidden in (0, 2, 4, 8):
        name = f"{hidden} hidden neurons" if hidden else "perceptron"
        found = [train(hidden, seed) for seed in range(options.seeds)]
        learned = sum(test["accuracy"] == 1 for test in found)
        loss = median(test["loss"] for test in found)
        print(f"{name:17s}  {learned:2d} of {options.seeds:2d} runs  {loss:.3f}", flush=True)


if __name__ == "__main__":
    main()
