"""``--sizes H=224,W=224``: values for the free sizes of networks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from archdsl.commands.messages import call_error
from archdsl.conditions import Solution
from archdsl.graph import Graph
from archdsl.passes.shapes import conditions_of

Command = TypeVar("Command", bound=Callable[..., Any])

USUAL_SIZES = (224, 256, 128, 64, 32, 512)
"""What images mostly are, the most usual first."""


def sizes_option(command: Command) -> Command:
    """The option ``--sizes``, which may be repeated."""
    return click.option(
        "sizes",
        "--sizes",
        multiple=True,
        metavar="NAME=SIZE,…",
        help="Count at these values of free sizes: H=224,W=224. Without it, at usual ones.",
    )(command)


def parse_sizes(texts: Sequence[str]) -> dict[str, int]:
    """The values that ``--sizes`` gives."""
    values: dict[str, int] = {}
    for part in (part for text in texts for part in text.split(",") if part.strip()):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if not (name.isidentifier() and number.isascii() and number.isdigit() and int(number)):
            raise call_error(
                f"--sizes takes NAME=SIZE, a positive whole number, not {part.strip()!r}",
                help="--sizes H=224,W=224",
            )
        if name in values:
            raise call_error(f"--sizes gives {name} twice")
        values[name] = int(number)
    return values


def sizes_for(graphs: Sequence[Graph], given: Mapping[str, int]) -> dict[str, int]:
    """Values for the free sizes of checked graphs: those given, or usual ones that suit them all.

    Without any given, and where none suit, the result is empty. CallError where those given
    are not what the networks have, or do not meet their conditions.
    """
    solutions = [conditions_of(graph) for graph in graphs]
    names = list(dict.fromkeys(name for s in solutions for name in s.names))
    if not given:
        return _usual(solutions, names)
    for name in given:
        if name not in names:
            has = f"the free sizes are {', '.join(names)}" if names else "all its sizes are fixed"
            raise call_error(f"there is no free size {name}", notes=(has,))
    missing = [name for name in names if name not in given]
    if missing:
        wanted = ",".join(f"{name}=…" for name in missing)
        raise call_error(f"--sizes leaves {', '.join(missing)} open", help=f"--sizes {wanted}")
    for solution in solutions:
        if not solution.admits(_own(solution, given)):
            said = ", ".join(f"{name} = {size}" for name, size in given.items())
            raise call_error(f"the network cannot have {said}", notes=tuple(solution.sentences()))
    return dict(given)


def _usual(solutions: Sequence[Solution], names: Sequence[str]) -> dict[str, int]:
    """Sizes to count at: what is usual for images, or the smallest that are good for the first."""
    for usual in USUAL_SIZES:
        sizes = dict.fromkeys(names, usual)
        if all(s.admits(_own(s, sizes)) for s in solutions):
            return sizes
    for example in solutions[0].examples(1) if solutions else ():
        if example.keys() >= set(names) and all(s.admits(_own(s, example)) for s in solutions):
            return {name: example[name] for name in names}
    return {}


def _own(solution: Solution, sizes: Mapping[str, int]) -> dict[str, int]:
    return {name: sizes[name] for name in solution.names}
