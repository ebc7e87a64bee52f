"""A standalone script: the network, what trains it, and a ``main`` that runs it on arrays."""

from __future__ import annotations

import textwrap

from archdsl.backends.torch_source import Generated
from archdsl.backends.torch_source.layout import WIDTH
from archdsl.backends.torch_training.names import quoted
from archdsl.backends.torch_training.source import generate_training
from archdsl.recipes import Recipe
from archdsl.techniques.averages import EMA
from archdsl.techniques.clipping import ByNorm
from archdsl.techniques.stopping import Patience

DATA = '''\
def load(path: str, batch_size: int, workers: int) -> dict[str, DataLoader]:
    """A loader for each part of the data that an .npz file holds.

{arrays}
    """
    loaders = {{}}
    with np.load(path) as file:
        for part in ("train", "val", "test"):
            if f"{first}_{{part}}" not in file:
                continue
            inputs = [torch.from_numpy(file[f"{{name}}_{{part}}"]) for name in INPUTS]
            targets = [torch.from_numpy(file[f"{{name}}_{{part}}"]) for name in TARGETS]
            rows = TensorDataset(*inputs, *targets)
            loaders[part] = DataLoader(
                rows,
                batch_size,
                shuffle=part == "train",
                num_workers=workers,
                collate_fn=collate,
            )
    return loaders


def collate(rows: list[tuple[Tensor, ...]]) -> Any:
    """Samples as a batch: inputs and targets, each one tensor or a tuple of several."""
    columns = [torch.stack(column) for column in zip(*rows, strict=True)]
    inputs, targets = columns[: len(INPUTS)], columns[len(INPUTS) :]
    return tuple(p[0] if len(p) == 1 else tuple(p) for p in (inputs, targets))
'''


BEST = '''\
class BestWeights(L.pytorch.callbacks.ModelCheckpoint):
    """Keeps the weights of the best epoch in a file, and brings them back when the run ends."""

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        kept = torch.load(self.best_model_path, weights_only=True)
        pl_module.load_state_dict(kept["state_dict"])
'''


def generate_script(recipe: Recipe, network: Generated) -> str:
    """The script's text. It needs torch, lightning, and kornia where images are augmented."""
    own = recipe if _averages(recipe) else recipe.replace(average=None)
    training = generate_training(own, network.class_name)
    head, body = _parted(network.text)
    title, lines = head
    imports = {
        "import argparse",
        "import numpy as np",
        "import torch.nn.functional as F",
        "import torch",
        "from torch import Tensor, nn",
        "from torch.utils.data import DataLoader, TensorDataset",
        *(line for line in (*lines, *training.imports) if line and line != "from torch import nn"),
    }
    parts = [
        f'"""{title[:-1]}, with its training."""\n\n{_in_groups(imports)}',
        body.strip("\n"),
        training.body,
        _data(recipe),
        *([BEST.strip("\n")] if _has_best(recipe) else []),
        _main(recipe, training.class_name),
        'if __name__ == "__main__":\n    main()',
    ]
    return "\n\n\n".join(parts) + "\n"


def _parted(text: str) -> tuple[tuple[str, list[str]], str]:
    """A network's source as its title and imports, and what follows."""
    head, body = text.split("\n\n\n", 1)
    first, *rest = head.split("\n")
    return (first.strip('"'), [line for line in rest if line]), body


_STANDARD = ("argparse", "collections", "math", "typing")


def _in_groups(imports: set[str]) -> str:
    """Import lines in the usual order: the standard library, then the others; each module once."""

    def order(line: str) -> tuple[bool, str]:
        return line.startswith("from"), line.split()[1].lower()

    taken: dict[str, set[str]] = {}
    for line in imports:
        if line.startswith("from "):
            module, _, names = line.removeprefix("from ").partition(" import ")
            taken.setdefault(module, set()).update(names.split(", "))
    lines = {line for line in imports if not line.startswith("from ")}
    for module, found in taken.items():
        lines.add(f"from {module} import {', '.join(sorted(found, key=_name_order))}")
    standard = [i for i in lines if i.split()[1].partition(".")[0] in _STANDARD]
    groups = [sorted(group, key=order) for group in (standard, lines - {*standard})]
    return "\n\n".join("\n".join(group) for group in groups if group)


def _name_order(name: str) -> tuple[bool, bool, str]:
    """Constants first, then classes, then the others."""
    return not name.isupper(), not name[0].isupper(), name


def _data(recipe: Recipe) -> str:
    inputs, targets = tuple(recipe.inputs), tuple(recipe.targets)
    constants = f"INPUTS = {_names(inputs)}\nTARGETS = {_names(targets)}"
    loading = DATA.format(arrays=_arrays((*inputs, *targets)), first=inputs[0])
    return f"{constants}\n\n\n" + loading.strip("\n")


def _arrays(names: tuple[str, ...]) -> str:
    """How the arrays of the file are called, as lines of a docstring."""
    *others, last = [f"{name}_train" for name in names]
    listed = f"{', '.join(others)} and {last}" if others else last
    text = (
        f"Its arrays are called {listed}, and so with _val and _test, which may be missing."
        " Samples stand along the first axis."
    )
    return textwrap.fill(text, WIDTH, initial_indent="    ", subsequent_indent="    ")


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(f'"{name}"' for name in names)
    return f"({shown},)" if len(names) == 1 else f"({shown})"


def _main(recipe: Recipe, class_name: str) -> str:
    settings = {"max_epochs": "options.epochs", "accelerator": '"auto"', "logger": "False"}
    if not _has_best(recipe):
        settings["enable_checkpointing"] = "False"
    if recipe.accumulate > 1:
        settings["accumulate_grad_batches"] = str(recipe.accumulate)
    if recipe.clip is not None:
        norm = isinstance(recipe.clip, ByNorm)
        settings["gradient_clip_val"] = repr(getattr(recipe.clip, "limit", 0.0))
        settings["gradient_clip_algorithm"] = '"norm"' if norm else '"value"'
    if recipe.precision != "32":
        settings["precision"] = f'"{recipe.precision}"'
    callbacks = _callbacks(recipe)
    if callbacks:
        settings["callbacks"] = "callbacks"
    lines = [
        *_left_out(recipe),
        "def main() -> None:",
        '    """Train on the arrays of a file; write the weights to another."""',
        "    parser = argparse.ArgumentParser(description=__doc__)",
        '    parser.add_argument("data", help="an .npz file: see load")',
        '    parser.add_argument("-o", "--output", default="weights.pt", help="where to")',
        f'    parser.add_argument("--epochs", type=int, default={recipe.epochs})',
        f'    parser.add_argument("--seed", type=int, default={recipe.seed})',
        "    options = parser.parse_args()",
        "    L.seed_everything(options.seed)",
        f"    training = {class_name}()",
    ]
    if recipe.initialize:
        lines.append("    training.initialize()")
    if callbacks:
        lines += ["    callbacks = [", *[f"        {made}," for made in callbacks], "    ]"]
    lines += [
        f"    data = load(options.data, batch_size={recipe.batch_size}, workers={recipe.workers})",
        "    trainer = L.Trainer(",
        *[f"        {name}={value}," for name, value in settings.items()],
        "    )",
        '    trainer.fit(training, data["train"], data.get("val"))',
        '    if "test" in data:',
        '        trainer.test(training, data["test"])',
        "    torch.save(training.network.state_dict(), options.output)",
    ]
    return "\n".join(lines)


def _has_best(recipe: Recipe) -> bool:
    """Whether the run gives the weights of its best epoch, as somebody has said what best is."""
    best = recipe.early_stopping is not None or recipe.monitor is not None
    return best and (recipe.average is None or _averages(recipe))


def _averages(recipe: Recipe) -> bool:
    """Whether the script takes the recipe's average of weights; another holds no rate, either."""
    return isinstance(recipe.average, EMA)


def _callbacks(recipe: Recipe) -> list[str]:
    found = []
    monitor = quoted(recipe.judged_by)
    mode = ', mode="max"' if recipe.better(recipe.judged_by) == "max" else ""
    if isinstance(recipe.average, EMA):
        found.append(f"L.pytorch.callbacks.EMAWeightAveraging(decay={recipe.average.decay!r})")
    if isinstance(recipe.early_stopping, Patience):
        patience = f"patience={recipe.early_stopping.epochs}"
        if recipe.early_stopping.min_delta:
            patience += f", min_delta={recipe.early_stopping.min_delta!r}"
        found.append(f"L.pytorch.callbacks.EarlyStopping({monitor}, {patience}{mode})")
    if _has_best(recipe):
        when = "save_on_train_epoch_end=True"
        found.append(f"BestWeights(monitor={monitor}{mode}, {when})")
    return found


def _left_out(recipe: Recipe) -> list[str]:
    """A comment on what a recipe asks for that a script of one run has not."""
    asked = {
        "data": recipe.data,
        "split": recipe.split if recipe.split != Recipe.split else None,
        "average": None if _averages(recipe) else recipe.average,
        "ensemble": recipe.ensemble,
        "folds": recipe.folds,
        "normalize": None if recipe.normalize == "none" else recipe.normalize,
        "normalize_targets": "true" if recipe.normalize_targets else None,
        "predict": recipe.predict,
        "weights": recipe.weights,
        "reestimate_batch_norm": "true" if recipe.reestimate_batch_norm else None,
    }
    left = [f"{key}: {value}" for key, value in asked.items() if value is not None]
    return (
        textwrap.wrap(
            f"Not in this script: {', '.join(left)}.",
            WIDTH,
            initial_indent="# ",
            subsequent_indent="# ",
        )
        if left
        else []
    )
