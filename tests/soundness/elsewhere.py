"""Generated sources in another process: saved, imported and run where archdsl is never loaded."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch
from torch import nn

from tests.soundness.running import BATCH, Accepted, samples, some_sizes, tensors

AT_ONCE = 400
PROGRAM = """
import importlib, pathlib, sys, torch

folder = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(folder))
count = 0
for file in sorted(folder.glob("*.py")):
    kept = torch.load(file.with_suffix(".pt"), weights_only=True)
    model = getattr(importlib.import_module(file.stem), kept["class_name"])()
    model.load_state_dict(kept["state"])
    with torch.no_grad():
        got = model.eval()(*kept["given"])
    got = [y for y in got if y is not None] if isinstance(got, tuple) else [got]
    torch.testing.assert_close(
        got, kept["wanted"], rtol=1e-5, atol=1e-6, equal_nan=True, msg=lambda m: f"{file.stem}: {m}"
    )
    count += 1
assert "archdsl" not in sys.modules
print(count)
"""


class Elsewhere:
    """The other process, which takes some hundred sources at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._texts: list[str] = []

    def add(self, found: Accepted, module: nn.Module) -> None:
        """Save a source, its weights, and what the module gives for some inputs."""
        sizes = some_sizes(found)
        if sizes is None:
            return
        given = [x.detach() for x in samples(found, sizes, BATCH)]
        with torch.no_grad():
            wanted = tensors(module.eval()(*given))
        place = self._folder / f"case{len(self._texts)}.py"
        place.write_text(found.generated.text, encoding="utf-8")
        kept = {
            "class_name": found.generated.class_name,
            "state": module.state_dict(),
            "given": given,
            "wanted": wanted,
        }
        torch.save(kept, place.with_suffix(".pt"))
        self._texts.append(found.text)
        if len(self._texts) == AT_ONCE:
            self.run()

    def run(self) -> None:
        """Import and run what is there, and take it away."""
        done = subprocess.run(
            [sys.executable, "-B", "-c", PROGRAM, self._folder],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout.strip() == str(len(self._texts)), self._blame(done.stderr)
        for file in self._folder.iterdir():
            if file.is_file():
                file.unlink()
        self._texts.clear()

    def _blame(self, told: str) -> str:
        number = next((n for n in range(len(self._texts))[::-1] if f"case{n}" in told), None)
        return told if number is None else f"{told}\n{self._texts[number]}"
