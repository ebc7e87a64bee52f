"""The generated module of every loss, metric and transform is as a formatter leaves it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from archdsl.backends.torch_training import generate_training
from tests.training.harness import recipe_of

CLASSES = "input x: [4]\nlinear(3)"
IMAGE = "input image: [3, 32, 32]\n"
SCORES = f"{IMAGE}global_avg_pool -> flatten -> linear(10)"
MASKS = f"{IMAGE}conv(10, 3, padding = 1)"
TRANSFORMS = (
    "random_crop(32, padding = 4) -> horizontal_flip -> rotation(15) -> zoom -> shift"
    " -> random_resized_crop(32, scale = (0.5, 1)) -> blur -> noise -> grayscale"
    " -> erasing(p = 0.25, scale = (0.02, 0.4)) -> color_jitter(0.4, 0.4, 0.4, 0.1)"
    " -> rand_augment(2, 7) -> trivial_augment"
)
EVERY_METRIC = "[accuracy, accuracy(top = 2), f1, precision, recall, auroc, iou, perplexity]"
SMOOTH = "loss: 2 * cross_entropy(label_smoothing = 0.1)"

RECIPES = {
    "classes": (CLASSES, f"{SMOOTH}\nmetrics: {EVERY_METRIC}"),
    "focal": (CLASSES, "loss: 0.5 * focal + 1e-4 * l2(weights) + 1e-5 * l1(linear)"),
    "one_hot": (CLASSES, "loss: bce(one_hot = true, label_smoothing = 0.1)\nmetrics: [auroc]"),
    "yes_or_no": ("input x: [4]\nlinear(1)", "loss: bce(positive_weight = 3) + hinge"),
    "values": (CLASSES, "loss: mse + mae + huber + smooth_l1 + cosine\nmetrics: [mse, rmse, r2]"),
    "mixed": (SCORES, f"{SMOOTH}\naugment: {TRANSFORMS} -> mixup(0.2, p = 0.5) -> cutmix(1.0)"),
    "masks": (MASKS, f"loss: cross_entropy + 2 * dice\naugment: {TRANSFORMS} -> mixup"),
}


def test_every_module_is_formatter_clean(tmp_path: Path) -> None:
    for name, (body, settings) in RECIPES.items():
        recipe = recipe_of(f"network n {{\n{body}\n}}\ntrain {{ {settings} }}")
        text = generate_training(recipe, "Network").module()
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "ruff", "format", "--diff", "--isolated", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
