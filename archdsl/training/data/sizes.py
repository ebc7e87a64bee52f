"""Holds the sizes of data against what a network asks of its free sizes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archdsl.conditions import Condition, Requirement, SizeSet, Solution, holds, solve
from archdsl.dims import evaluate, show_shape, symbols
from archdsl.training.data.request import Request, mismatch
from archdsl.training.data.samples import Samples
from archdsl.training.data.values import Bound

_FARTHEST = 4096  # how far from what there is other sizes are looked for


def need_sizes(bound: Bound, request: Request, samples: Samples) -> None:
    """ArchError, ``data-mismatch``, where the network does not run at the sizes of the data."""
    broken = [c for c in request.demands.conditions if _broken(c, bound)]
    if not broken:
        return
    solution = solve(request.demands.conditions, bound)
    asked = next((r for r in solution.requirements if any(c in broken for c in r.because)), None)
    asked = asked or Requirement(str(broken[0]), tuple(sorted(broken[0].symbols)), (broken[0],))
    cause = next(c for c in asked.because if c in broken)
    found = " and ".join(f"{name} = {bound[name]}" for name in asked.names if name in bound)
    raise mismatch(
        f"for the network {asked.sentence}, and {samples.shown} gives {found}",
        span=cause.span,
        text=cause.reason,
        help=_help(solution, bound, request, samples),
    )


def _broken(condition: Condition, sizes: Mapping[str, int]) -> bool:
    return condition.symbols <= sizes.keys() and not holds(condition, sizes)


def _help(solution: Solution, bound: Bound, request: Request, samples: Samples) -> str:
    """The source at sizes that would do, or what samples would."""
    near = list(_near(solution, bound))
    if len(request.inputs) > 1:
        shown = [" and ".join(f"{name} = {sizes[name]}" for name in sizes) for sizes in near]
        return ", or ".join(dict.fromkeys(shown))
    (type,) = request.inputs.values()
    shapes = [tuple(evaluate(size, sizes) for size in type.dims) for sizes in near]
    own = samples.fitted(shapes[0]) if shapes else ""
    shown = list(dict.fromkeys(map(show_shape, shapes)))
    return own or (f"give samples of {', or of '.join(shown)}" if shown else "")


def _near(solution: Solution, bound: Bound) -> Iterator[dict[str, int]]:
    """The next smaller sizes at which the network runs, and the next larger ones."""
    for step in (-1, 1):
        free = {n: _next(s, bound[n], step) for n, s in solution.sets.items() if n in bound}
        sizes = {n: size for n, size in free.items() if size is not None}
        known = {e.name: e.value for e in solution.equalities if symbols(e.value) <= sizes.keys()}
        sizes |= {name: evaluate(value, sizes) for name, value in known.items()}
        if sizes.keys() == bound.keys() and solution.admits(sizes):
            yield {name: sizes[name] for name in bound}


def _next(sizes: SizeSet, size: int, step: int) -> int | None:
    """The first of them from a size on, downwards or upwards; None where none is near."""
    return next((n for n in range(size, max(0, size + step * _FARTHEST), step) if n in sizes), None)
