"""What the tests of the examples' experiments share: one short training, one short program."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

import archdsl

if TYPE_CHECKING:
    from archdsl.training.fit import Outcome

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"


def trained(target: str, seed: int = 0, epochs: int | None = None, **parameters: Any) -> Outcome:
    """What comes of a network of ``examples/``, such as ``xor.arch:mlp``, trained as it says."""
    torch.manual_seed(seed)
    model = archdsl.compile(f"{ROOT / target}", **parameters)
    recipe = archdsl.recipe(f"{ROOT / target}", **parameters).replace(seed=seed)
    if epochs is not None:
        recipe = recipe.replace(epochs=epochs)
    return archdsl.fit(model, recipe=recipe, progress=False)


def printed(name: str, *arguments: str) -> list[list[str]]:
    """The table that a program of ``examples/`` prints: its lines, each cut into words."""
    command = [sys.executable, "-W", "error", str(EXAMPLES / f"{name}.py"), *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return [line.split() for line in done.stdout.splitlines()]
