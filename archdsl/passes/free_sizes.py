"""Values for the free sizes of a network: those that are given, and usual ones for the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.conditions import Solution
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Graph
from archdsl.passes.shapes import conditions_of

USUAL_SIZES = (224, 256, 128, 64, 32, 512)
"""What images mostly are, the most usual first."""


def choose_sizes(graph: Graph, given: Mapping[str, int] | None = None) -> dict[str, int]:
    """A value for every free size of a checked graph, of which its conditions hold.

    What is not given is what is usual for images, or the smallest that is good. Empty where
    nothing is given and nothing good was found. Raises ArchError, code ``bad-value``, for sizes
    that the network has not, or cannot have.
    """
    wanted = dict(given or {})
    solution = conditions_of(graph)
    for name, size in wanted.items():
        if name not in solution.names:
            has = ", ".join(solution.names)
            note = f"the free sizes are {has}" if has else "all its sizes are fixed"
            raise _error(f"the network has no free size {name}", note)
        if type(size) is not int or size < 1:
            raise _error(f"a size is a positive integer, and {name} is {size!r}")
    for candidate in _candidates(solution, wanted):
        if solution.admits(candidate):
            return candidate
    if not wanted:
        return {}
    said = ", ".join(f"{name} = {size}" for name, size in wanted.items())
    raise _error(f"the network cannot have {said}", *solution.sentences())


def _candidates(solution: Solution, given: Mapping[str, int]) -> Iterator[dict[str, int]]:
    for size in USUAL_SIZES:
        yield {name: given.get(name, size) for name in solution.names}
    for example in solution.examples(3):
        if example.keys() >= set(solution.names):
            yield {name: {**example, **given}[name] for name in solution.names}


def _error(message: str, *notes: str) -> ArchError:
    return ArchError([Diagnostic("bad-value", message, notes=notes)])
