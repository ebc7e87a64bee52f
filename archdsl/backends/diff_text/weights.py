"""Which weights of one network load into the other, in a few lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from archdsl.backends.diff_text.wording import Line, Sign, count, some
from archdsl.passes.differences import Weights
from archdsl.passes.state import StateTensor


def weight_lines(weights: Weights, a: str, b: str) -> Iterator[Line]:
    """Which of A's tensors load into B, by name and after renaming."""
    whole = [*weights.loads, *(t for t, _ in weights.wrong_shape), *weights.only_before]
    if not whole:
        yield "", f"weights: {a} has none"
        return
    if len(weights.loads) == len(whole) and not weights.only_after and not weights.misplaced:
        yield "", f"weights: every tensor of {a} loads into {b} ({_tensors(whole)})"
        return
    yield "", f"weights of {a} that load into {b}:"
    rows = list(_weight_rows(weights, whole, a, b))
    width = max(len(label) for _, label, _ in rows)
    yield from ((sign, f"  {label:<{width}}  {text}") for sign, label, text in rows)


def _weight_rows(
    weights: Weights, whole: Sequence[StateTensor], a: str, b: str
) -> Iterator[tuple[Sign, str, str]]:
    loads = weights.loads
    wrong = [tensor for tensor, _ in weights.wrong_shape]
    yield "", "by name", _of(loads, whole)
    if wrong:
        shapes = some(
            f"{t.name} {list(t.shape)} for {list(u.shape)}" for t, u in weights.wrong_shape
        )
        yield "-", "other shape", f"{_tensors(wrong)}: {shapes}"
    if only := weights.only_before:
        there = [*loads, *wrong, *weights.only_after]
        yield "-", f"only in {a}", f"{_tensors(only)}: {some(_modules(only, there))}"
    if only := weights.only_after:
        yield "+", f"only in {b}", f"{_tensors(only)}: {some(_modules(only, whole))}"
    if lost := weights.misplaced:
        yield (
            "!",
            "other layer",
            f"{_tensors(lost)} of those that load: {some(_modules(lost, lost))}",
        )
    if weights.renames:
        renames = some(f"{x} → {y}" for x, y in module_renames(weights.renames).items())
        matched = [tensor for tensor, _ in weights.matches]
        yield "", "once renamed", f"{_of(matched, whole)}: {renames}"


def _of(part: Sequence[StateTensor], whole: Sequence[StateTensor]) -> str:
    numbers = f"{_numbers(part):,} of {count(_numbers(whole), 'number')}"
    return f"{len(part):,} of {count(len(whole), 'tensor')}, {numbers}"


def module_renames(renames: Mapping[str, str]) -> dict[str, str]:
    """The renames by module: what both names have in common at their end is left out."""
    found: dict[str, str] = {}
    for before, after in renames.items():
        one, other = before.split("."), after.split(".")
        while len(one) > 1 and len(other) > 1 and one[-1] == other[-1]:
            one, other = one[:-1], other[:-1]
        found[".".join(one)] = ".".join(other)
    return found


def _modules(tensors: Iterable[StateTensor], others: Iterable[StateTensor]) -> Iterator[str]:
    """The modules that hold tensors and none of the others, each once and as whole as can be."""
    taken = {prefix for other in others for prefix in _prefixes(other.name)}
    found = (
        next((p for p in _prefixes(t.name) if p not in taken), t.name.rpartition(".")[0] or t.name)
        for t in tensors
    )
    yield from dict.fromkeys(found)


def _prefixes(name: str) -> Iterator[str]:
    """``layer1``, ``layer1.0``, ``layer1.0.conv1``, ``layer1.0.conv1.weight``."""
    parts = name.split(".")
    return (".".join(parts[: i + 1]) for i in range(len(parts)))


def _tensors(tensors: Sequence[StateTensor]) -> str:
    return f"{count(len(tensors), 'tensor')}, {count(_numbers(tensors), 'number')}"


def _numbers(tensors: Iterable[StateTensor]) -> int:
    return sum(tensor.numbers for tensor in tensors)
