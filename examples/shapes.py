"""A U-Net on shapes that are drawn here: intersection over union, class by class.

Run it from the repository's root: python examples/shapes.py
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw

import archdsl

SHAPES = Path(__file__).with_name("shapes.arch")
CLASSES = ("background", "disc", "square", "triangle")


def corners(kind: int, middle: np.ndarray, radius: float, turn: float) -> list[tuple[float, float]]:
    """The corners of a shape; of a disc so many that none is seen."""
    count = {1: 40, 2: 4, 3: 3}[kind]
    angles = turn + 2 * np.pi * np.arange(count) / count
    points = middle + radius * np.stack([np.cos(angles), np.sin(angles)], 1)
    return [(float(x), float(y)) for x, y in points]


def draw(count: int, seed: int, side: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy images [1, side, side] of one or two shapes, lighter than what is behind, and classes.

    The grey says nothing of the class, and the second shape may hide a part of the first.
    """
    random = np.random.default_rng(seed)
    images = np.empty((count, 1, side, side), np.float32)
    masks = np.empty((count, side, side), np.int64)
    for index in range(count):
        image = Image.new("L", (side, side), int(random.integers(90)))
        mask = Image.new("L", (side, side))
        for kind in random.integers(1, 4, random.integers(1, 3)):
            middle, radius = random.uniform(7, side - 7, 2), random.uniform(6, 10)
            points = corners(kind, middle, radius, random.uniform(0, 2 * np.pi))
            ImageDraw.Draw(image).polygon(points, fill=int(random.integers(130, 256)))
            ImageDraw.Draw(mask).polygon(points, fill=int(kind))
        noise = random.normal(0, 0.1, (side, side))
        images[index, 0] = np.clip(np.asarray(image) / 255 + noise, 0, 1)
        masks[index] = np.asarray(mask)
    return torch.from_numpy(images), torch.from_numpy(masks)


def overlaps(found: torch.Tensor, masks: torch.Tensor) -> list[float]:
    """The intersection over the union of every class, over all pixels of all images."""
    sets = [(found == kind, masks == kind) for kind in range(len(CLASSES))]
    return [float((a & b).sum() / (a | b).sum()) for a, b in sets]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--epochs", type=int)
    asked.add_argument("--images", type=int, default=1000, help="for training")
    asked.add_argument("--seeds", type=int, default=3)
    options = asked.parse_args()

    print("seed  pixels right  mean IoU  " + "  ".join(CLASSES))
    for seed in range(options.seeds):
        torch.manual_seed(seed)
        model = archdsl.compile(SHAPES)
        recipe = archdsl.recipe(SHAPES)
        recipe = recipe.replace(seed=seed, epochs=options.epochs or recipe.epochs)
        sizes = (options.images, 200, 200)
        parts = [draw(size, 3 * seed + part) for part, size in enumerate(sizes)]
        data = tuple(torch.utils.data.TensorDataset(*part) for part in parts)
        outcome = archdsl.fit(model, data, recipe=recipe, progress=False)
        images, masks = parts[2]
        with torch.inference_mode():
            found = outcome.network(images).argmax(1)
        columns = zip(CLASSES, overlaps(found, masks), strict=True)
        by_class = "  ".join(f"{value:{len(name)}.3f}" for name, value in columns)
        print(f"{seed:4}  {outcome.test['accuracy']:12.3f}  {outcome.test['iou']:8.3f}  {by_class}")


if __name__ == "__main__":
    main()
