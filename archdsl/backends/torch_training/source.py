"""The source of a LightningModule: imports, helpers, and the class with its methods in order."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from archdsl.backends.torch_source.layout import WIDTH, lay_out
from archdsl.backends.torch_training.names import Names, quoted
from archdsl.backends.torch_training.optimizing import Needs, configure_optimizers
from archdsl.backends.torch_training.parameters import PARAMETERS_OF, Groups
from archdsl.backends.torch_training.steps import evaluation, measuring, training_step
from archdsl.backends.torch_training.tending import preparation, tending
from archdsl.recipes import Recipe

MEANS = '''\
class Means:
    """Means over an epoch, summed where they are computed: no step waits for a number."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.sums: Tensor | None = None
        self.count = 0

    def update(self, count: int, *values: Tensor) -> None:
        """Add what a batch of so many samples gave."""
        batch = torch.stack(values).detach().float()
        if self.sums is None:
            self.sums = torch.zeros_like(batch)
        self.sums.add_(batch, alpha=count)
        self.count += count

    def compute(self, strategy: Any) -> dict[str, Tensor]:
        """The means over the samples of all processes; begins anew."""
        if self.sums is None:
            return {}
        both = torch.cat([self.sums, self.sums.new_tensor([self.count])])
        both = strategy.reduce(both, reduce_op="sum")
        self.sums, self.count = None, 0
        return dict(zip(self.names, both[:-1] / both[-1], strict=True))
'''


@dataclass(frozen=True)
class GeneratedTraining:
    """The source of a recipe's module, apart from the network's."""

    imports: tuple[str, ...]
    """Import lines beyond torch, nn, F and Tensor."""
    body: str
    """Helpers and the class."""
    class_name: str

    def module(self) -> str:
        """A source of its own, that is given the network."""
        lines = ["from __future__ import annotations", "", *self.imports, "", "import torch"]
        lines += ["import torch.nn.functional as F", "from torch import Tensor, nn"]
        return "\n".join(lines) + f"\n\n\n{self.body}\n"


def generate_training(recipe: Recipe, network: str) -> GeneratedTraining:
    """The LightningModule of a recipe, for the network's class of that name."""
    names = Names(recipe)
    groups = Groups(recipe)
    helpers: dict[str, str] = {"Means": MEANS}
    imports = {"from typing import Any", "import lightning as L"}
    needs = Needs(imports, helpers)
    for term in recipe.loss:
        code = names.code(term)
        imports.update(code.imports)
    helpers.update(names.helpers)
    methods = [
        *training_step(recipe, names, groups),
        *evaluation(recipe, names),
        *configure_optimizers(recipe, groups, needs),
        *tending(recipe, groups, needs),
    ]
    prepared = preparation(recipe, groups, needs)
    methods.insert(0, _constructor(recipe, names, groups, network, prepared))
    name = f"{network}Training"
    body = "\n\n".join(textwrap.indent(method.strip("\n"), "    ") for method in methods)
    doc = f'"""How {recipe.network} is trained."""'
    text = _broken(f"class {name}(L.LightningModule):\n    {doc}\n\n{body}")
    if "parameters_of(" in text:
        helpers["parameters_of"] = PARAMETERS_OF
        imports.add("from collections.abc import Iterator")
    if recipe.metrics:
        imports.add("import torchmetrics")
    if any(t.kind == "transform" for t in recipe.augment):
        imports.add("import kornia.augmentation as K")
    ordered = [helpers[key].strip("\n") for key in helpers]
    return GeneratedTraining(_sorted(imports), "\n\n\n".join([*ordered, text]), name)


def _broken(text: str) -> str:
    """The same with long lines broken as a formatter breaks them."""
    lines: list[str] = []
    for line in text.split("\n"):
        code = line.lstrip()
        whole = len(line) <= WIDTH or code.startswith(('"', "#"))
        lines += [line] if whole else lay_out(code, len(line) - len(code))
    return "\n".join(lines)


def _sorted(imports: set[str]) -> tuple[str, ...]:
    """The standard library's first, then the others; `import` before `from`."""
    known = ("from typing", "from collections", "import math")
    standard = sorted(i for i in imports if i.startswith(known))
    others = sorted(i for i in imports if i not in standard)
    return (*standard, "", *others)


def _constructor(
    recipe: Recipe, names: Names, groups: Groups, network: str, prepared: list[str]
) -> str:
    lines = [
        "def __init__(self, network: nn.Module | None = None) -> None:",
        "    super().__init__()",
        f"    self.network = {network}() if network is None else network",
    ]
    lines += [f"    {line}" for line in prepared]
    lines += [f"    {line}" for line in names.augmentation()]
    shown = ", ".join(quoted(name) for name in ("loss", *names.logged()))
    lines.append(f"    self.train_means = Means({shown})")
    shown = ", ".join(quoted(name) for name in ("loss", *names.logged(evaluation=True)))
    lines.append(f"    self.val_means = Means({shown})")
    lines += [f"    {line}" for line in measuring(recipe)]
    lines += [f"    {line}" for line in groups.constructor()]
    return "\n".join(lines)
