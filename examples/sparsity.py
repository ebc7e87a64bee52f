"""No penalty, L2, L1, and L1 by products: how many weights vanish, and what it costs.

Run it from the repository's root: python examples/sparsity.py
"""

import argparse
from pathlib import Path
from statistics import mean

import torch

import archdsl

SPECIFICATION = Path(__file__).with_suffix(".arch")
RECIPES = ("plain", "ridge", "lasso", "product")
THRESHOLDS = (1e-2, 1e-3, 1e-4)


def share_below(network: torch.nn.Module, threshold: float) -> float:
    """The share of weights (biases apart) that are nearer to 0 than a threshold."""
    weights = [p.detach().flatten() for p in network.parameters() if p.ndim > 1]
    return float((torch.cat(weights).abs() < threshold).float().mean())


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--epochs", type=int)
    asked.add_argument("--seeds", type=int, default=3)
    options = asked.parse_args()

    print("recipe   accuracy  " + "  ".join(f"below {t:.0e}" for t in THRESHOLDS))
    for name in RECIPES:
        accuracies, shares = [], []
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            recipe = archdsl.recipe(SPECIFICATION, name)
            recipe = recipe.replace(seed=seed, epochs=options.epochs or recipe.epochs)
            outcome = archdsl.fit(archdsl.compile(SPECIFICATION), recipe=recipe, progress=False)
            accuracies.append(outcome.test["accuracy"])
            shares.append([share_below(outcome.network, t) for t in THRESHOLDS])
        columns = [f"{mean(column):11.1%}" for column in zip(*shares, strict=True)]
        print(f"{name:7}  {mean(accuracies):8.3f}  " + "  ".join(columns))


if __name__ == "__main__":
    main()
