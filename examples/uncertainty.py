"""Monte-Carlo dropout on digits that are turned, which the network never saw so.

Run it from the repository's root: python examples/uncertainty.py --picture uncertainty.svg
"""

import argparse
import csv
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.ndimage import rotate  # type: ignore[import-untyped]  # it has no types
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

SPECIFICATION = Path(__file__).with_suffix(".arch")
ANGLES = range(0, 181, 15)
COLUMNS = ("accuracy", "entropy", "information")


def command(*arguments: object) -> None:
    subprocess.run([sys.executable, "-m", "archdsl", *map(str, arguments)], check=True)  # noqa: S603 - ours


def predictions(folder: Path, epochs: int, seed: int) -> dict[int, np.ndarray]:
    """The mean accuracy, entropy and mutual information of the test images, by angle."""
    digits = load_digits()
    images = digits.images[:, None].astype(np.float32) / 16
    x, x_test, y, y_test = train_test_split(
        images, digits.target, test_size=0.2, stratify=digits.target, random_state=seed
    )
    turned = [rotate(x_test, angle, axes=(2, 3), reshape=False, order=1) for angle in ANGLES]
    np.savez(folder / "digits.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    np.savez(folder / "turned.npz", x=np.concatenate(turned))

    run, table = folder / "run", folder / "turned.csv"
    settings = ("--set", f"epochs={epochs}", "--set", f"seed={seed}", "--quiet")
    command("train", SPECIFICATION, "--data", folder / "digits.npz", "-o", run, *settings)
    command("predict", run, folder / "turned.npz", "-o", table)
    found = defaultdict(list)
    with table.open() as file:
        for index, row in enumerate(csv.DictReader(file)):
            angle, right = ANGLES[index // len(y_test)], int(y_test[index % len(y_test)])
            said = (int(row["class"]) == right, row["entropy"], row["information"])
            found[angle].append([float(value) for value in said])
    return {angle: np.mean(rows, axis=0) for angle, rows in found.items()}


def draw(means: dict[int, np.ndarray], place: str) -> None:
    """The three curves by angle."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    for column, name in enumerate(COLUMNS):
        axes.plot(list(means), [row[column] for row in means.values()], label=name)
    axes.set(xlabel="turned by (degrees)", ylim=(0, None), xticks=[*ANGLES][::2])
    axes.legend(frameon=False)
    figure.savefig(place)


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--epochs", type=int, default=30)
    asked.add_argument("--seeds", type=int, default=3)
    asked.add_argument("--picture", help="where to save the curves, such as curves.svg")
    options = asked.parse_args()

    runs = []
    for seed in range(options.seeds):
        with tempfile.TemporaryDirectory() as folder:
            runs.append(predictions(Path(folder), options.epochs, seed))
    means = {angle: np.mean([run[angle] for run in runs], axis=0) for angle in ANGLES}
    print("angle  " + "  ".join(COLUMNS))
    for angle, row in means.items():
        values = zip(COLUMNS, row, strict=True)
        print(f"{angle:5}  " + "  ".join(f"{value:{len(name)}.3f}" for name, value in values))
    if options.picture:
        draw(means, options.picture)


if __name__ == "__main__":
    main()
