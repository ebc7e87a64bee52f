"""``archdsl train``: what a train block says, done."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import SPECIFICATION_AT_FAULT, CallError, call_error, tell
from archdsl.commands.target import (
    Target,
    complete_file,
    open_target,
    parameters_of,
    parse_settings,
)
from archdsl.diagnostics import Diagnostic, suggest
from archdsl.graph import Graph
from archdsl.recipes import Recipe
from archdsl.recipes.changes import read_changes
from archdsl.recipes.hints import taking
from archdsl.recipes.settings import SETTINGS
from archdsl.techniques.data import PICTURES

if TYPE_CHECKING:
    from archdsl.training.experiment import Experiment

_FOLDER = "ARCHDSL_RUN_FOLDER"  # how processes that Lightning starts learn of the folder


@click.command(
    "train",
    epilog=examples(
        "archdsl train examples/digits.arch",
        "archdsl train lenet.arch --data 'digits(size = 32)' --set epochs=5 -o runs/lenet",
        "archdsl train resnet.arch:resnet18 --data photos/ --set 'optimizer=adamw(lr = 1e-3)'",
        "archdsl train examples/digits.arch -o runs/digits --resume",
    ),
)
@click.argument("target", shell_complete=complete_file, metavar="FILE[:NETWORK]")
@click.option(
    "name",
    "--recipe",
    metavar="NAME",
    help="Which train block, where a network has several; else the one without a name.",
)
@click.option(
    "data",
    "--data",
    metavar="DATA",
    help="What to train on, in place of the block's: digits, photos/ (a folder with a folder for"
    ' each class), table.npz, or as a block would have it: \'csv("table.csv", target = "price")\'.',
)
@click.option(
    "settings",
    "--set",
    multiple=True,
    metavar="NAME=VALUE",
    help="Change a setting of the block, or a parameter of the network: epochs=5,"
    " 'optimizer=adam(lr = 1e-3)', classes=3. May be repeated.",
)
@click.option(
    "output",
    "-o",
    "--output",
    type=click.Path(),
    metavar="FOLDER",
    help="Where results go. Without it, runs/NETWORK here, or the next that is free.",
)
@click.option("resume", "--resume", is_flag=True, help="Go on from the folder's last checkpoint.")
@click.option("overwrite", "--overwrite", is_flag=True, help="Write over the run in the folder.")
@click.option(
    "weights", "--weights", type=click.Path(), metavar="FILE", help="Weights to start from."
)
@click.option("devices", "--devices", default=1, show_default=True, help="Processes on a machine.")
@click.option("nodes", "--nodes", default=1, show_default=True, help="Machines.")
@click.option(
    "strategy",
    "--strategy",
    type=click.Choice(["auto", "ddp", "fsdp"]),
    default="auto",
    show_default=True,
    help="How several processes share the work.",
)
@click.option(
    "accelerator",
    "--accelerator",
    type=click.Choice(["auto", "cpu", "gpu", "mps"]),
    default="auto",
    show_default=True,
    help="What to compute on.",
)
@click.option(
    "precision",
    "--precision",
    type=click.Choice(["32", "bf16-mixed", "16-mixed", "64"]),
    help="The numbers to compute with, in place of the block's.",
)
@click.option("quiet", "--quiet", is_flag=True, help="No progress, only the table at the end.")
def train_command(
    target: str,
    name: str | None,
    data: str | None,
    settings: tuple[str, ...],
    output: str | None,
    resume: bool,
    overwrite: bool,
    weights: str | None,
    quiet: bool,
    **machine: Any,
) -> int:
    """Train a network as its train block says.

    Needs the extra: pip install 'archdsl[train]'. The folder then holds the specification, the
    settings, metrics.csv with a row an epoch, result.json, curves.svg, the checkpoints, and the
    weights as weights.safetensors.
    """
    precision = machine.pop("precision")
    changes: dict[str, str] = {}
    if resume and output is None:
        raise call_error("--resume needs the folder of a run", help="-o runs/NETWORK --resume")
    if resume and overwrite:
        raise call_error("--resume goes on with a run, --overwrite starts anew: choose one")
    if precision is not None:
        changes["precision"] = f'"{precision}"'
    if weights is not None:
        changes["weights"] = f'"{Path(weights).resolve()}"'
    if data is not None:
        changes["data"] = data_text(data)
    asked = ask(target, name, settings, changes)
    if asked is None:
        return SPECIFICATION_AT_FAULT
    from archdsl.training.extras import need_extras

    need_extras(asked.recipe)
    from archdsl.training.command import train

    with _folder(asked.recipe, output) as folder:
        experiment = asked.experiment(
            from_command=data is not None,
            folder=folder,
            resume=resume,
            overwrite=overwrite,
            progress=False if quiet else None,
            **machine,
        )
        return train(experiment, asked.graph)


@dataclass(frozen=True)
class Asked:
    """The network and the recipe that a command is about."""

    target: Target
    graph: Graph
    recipe: Recipe
    changes: tuple[str, ...] = ()
    """What was set, as ``--set`` takes it."""
    parameters: tuple[str, ...] = ()
    """Those of them that are the network's."""

    def experiment(self, *, from_command: bool, **machine: Any) -> Experiment:
        """What is to be run. Files that the specification names stay in its folder."""
        from archdsl.training.experiment import Experiment
        from archdsl.training.fit import Machine
        from archdsl.training.origin import Origin, files_of

        path = self.target.specification.path
        beside = path.parent if path is not None else Path()
        network = self.target.only()
        files = files_of(self.target.specification)
        origin = Origin(
            network,
            self.recipe.name or None,
            self.changes,
            files,
            Path() if from_command else beside,
            self.parameters,
        )
        return Experiment(
            recipe=self.recipe,
            data=self.recipe.data if from_command else None,
            machine=Machine(origin=origin, **machine),
            root=beside,
            inside=True,
        )


def ask(
    text: str, name: str | None, settings: Iterable[str], changes: Mapping[str, str]
) -> Asked | None:
    """What FILE[:NETWORK] and the settings mean, or None; what there is to say of it is said."""
    opened = open_target(text, ())
    specification = opened.specification
    network = opened.network or trained_network(opened)
    own, other = _parted(settings, parameters_of(specification, network))
    target = Target(specification, network, parse_settings(own, specification.env))
    found = target.elaborate(target.only())
    if found.failed:
        tell(found.diagnostics)
        return None
    recipe, diagnostics = specification.recipe(
        found.graph, name, read_changes({**other, **changes})
    )
    told = {id(d) for d in found.diagnostics}
    tell([*found.diagnostics, *(d for d in diagnostics if id(d) not in told)])
    if recipe is None:
        if not diagnostics:
            raise _no_block(specification.name, network)
        return None
    made = [*settings, *(f"{key}={value}" for key, value in changes.items())]
    return Asked(target, found.graph, recipe, tuple(made), tuple(own))


def trained_network(target: Target) -> str:
    """The network to train where none is named: the only one that a block is for."""
    specification = target.specification
    named = list(dict.fromkeys(t.network for t in specification.trains if t.network))
    return named[0] if len(named) == 1 else target.only()


def _parted(settings: Iterable[str], parameters: Iterable[str]) -> tuple[list[str], dict[str, str]]:
    """What is set of the network, and what of the block."""
    known = set(parameters)
    own: list[str] = []
    other: dict[str, str] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        name = name.strip()
        if equals and name.partition(".")[0] in SETTINGS and "." in name:
            raise _part_of_setting(name, value.strip())
        if not equals or not name.isidentifier() or name in known:
            own.append(text)
        elif name in SETTINGS:
            other[name] = value.strip()
        else:
            raise _unknown(name, value.strip(), known)
    return own, other


def _part_of_setting(name: str, value: str) -> CallError:
    """``optimizer.lr=3``: settings are set as wholes."""
    setting, _, argument = name.partition(".")
    written = taking(setting, argument, value) or "…"
    return call_error(
        f"--set sets a whole setting, and {name} is a part of one",
        help=f"--set '{setting}={written}'",
    )


def _unknown(name: str, value: str, parameters: set[str]) -> CallError:
    belongs = taking("optimizer", name, value)
    meant = None if belongs else suggest(name, [*SETTINGS, *parameters])
    mended = f"did you mean {meant}?" if meant else ""
    of_network = f"; the network's parameters are {', '.join(sorted(parameters))}"
    return call_error(
        f"there is no setting {name}" + (", nor a parameter of the network" if parameters else ""),
        notes=(f"the settings are {', '.join(SETTINGS)}{of_network if parameters else ''}",),
        help=f"--set 'optimizer={belongs}'" if belongs else mended,
    )


_BY_ENDING = {".npz": "npz", ".csv": "csv", ".txt": "sequences"}
_BY_ENDING |= dict.fromkeys(PICTURES, "images")


def data_text(text: str) -> str:
    """What ``--data`` says, as a train block would have it: a path becomes its source."""
    path = Path(text)
    if not _exists(path) and ("(" in text or text.isidentifier()):
        return text
    place = path.as_posix().replace("\\", "\\\\").replace('"', '\\"')
    if path.is_dir():
        return f'images("{place}")'
    source = _BY_ENDING.get(path.suffix.lower())
    if source is None:
        raise call_error(
            f"--data does not know what {text} is" if _exists(path) else f"there is no {text}",
            help="a folder of images, a .npz, .csv or .txt file, or a data set such as digits",
        )
    return f'{source}("{place}")'


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text that is no path: too long, for one
        return False


def _no_block(file: str, network: str) -> CallError:
    return CallError(
        [
            Diagnostic(
                "no-recipe",
                f"{file} does not say how {network} is trained",
                help=f"add a block: train for {network} {{ loss: cross_entropy }}",
            )
        ]
    )


@contextmanager
def _folder(recipe: Recipe, output: str | None) -> Iterator[Path]:
    """Where results go: what was asked, or the first of runs/NETWORK, runs/NETWORK-2 … free.

    Within, processes that are started learn of it.
    """
    told = os.environ.get(_FOLDER)
    if told and os.environ.get("LOCAL_RANK", "0") != "0":
        yield Path(told)
        return
    folder = Path(output) if output else _free(Path("runs") / recipe.network)
    os.environ[_FOLDER] = str(folder)
    try:
        yield folder
    finally:
        del os.environ[_FOLDER]


def _free(folder: Path) -> Path:
    count, chosen = 1, folder
    while chosen.exists():
        count += 1
        chosen = folder.with_name(f"{folder.name}-{count}")
    return chosen
