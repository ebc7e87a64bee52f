"""What was added, removed and changed, as rows; what was done often is folded to one row."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from archdsl.backends.diff_text.wording import MOST_NAMED, count
from archdsl.diagnostics import listed
from archdsl.passes.differences import Change, Comparison, Entry


@dataclass(frozen=True)
class Row:
    """Entries of one kind, drawn as one line: where, what, and what is to be noted of it."""

    sign: Literal["+", "-", "~"]
    where: str
    what: str
    notes: tuple[str, ...] = ()
    level: int = 0


def change_rows(comparison: Comparison, *, unfold: bool = False) -> Iterator[Row]:
    """A row for everything that was added, removed or changed, in the order of the flow."""
    root = comparison.root
    own = [c for c in root.changes if not c.follows]
    if own:
        yield Row("~", comparison.after.name, root.kind, tuple(map(_said, own)))
    yield from _rows_of(root.members, comparison, unfold)


def _rows_of(members: Sequence[Entry], comparison: Comparison, unfold: bool) -> Iterator[Row]:
    """The rows of members of one call; those of one kind with equal rows are one fold."""
    folds: dict[Any, list[Entry]] = {}
    for place, member in enumerate(members):
        if not is_quiet(member):
            folds.setdefault(place if unfold else _key(member, comparison), []).append(member)
    for fold in folds.values():
        yield from _fold_rows(fold, comparison, unfold)


def _fold_rows(fold: Sequence[Entry], comparison: Comparison, unfold: bool) -> Iterator[Row]:
    first = fold[0]
    calls = len({entry.path for entry in fold}) == 1  # of one module, with the same weights
    many = (f"{len(fold)} {'calls' if calls else '×'}",) if len(fold) > 1 else ()
    if first.status in {"added", "removed"}:
        sign: Literal["+", "-"] = "+" if first.status == "added" else "-"
        if not _is_frame(first):
            yield Row(sign, _where(fold), first.caption, (*many, *_size_of(fold, comparison)))
            return
        yield Row(sign, _where(fold), first.caption, (*many, "around layers that were there"))
        yield from _rows_inside(first, comparison, unfold)
        return
    own = tuple(_said(c) for c in first.changes if not c.follows)
    if first.relabelled:
        own = (f"was {_last(first.path_before or '')}", *own)
    became = any(c.what == "layer" for c in first.changes)
    kind = first.kind if first.caption and not became else ""
    if not first.scope:
        yield Row("~", _where(fold), kind, (*many, *own))
    elif became and not unfold:
        yield Row("~", _where(fold), kind, (*many, *own, _counts(first)))
    elif own or len(fold) > 1:
        inert = all(layer.status == "kept" for layer in first.layers())
        yield Row("~", _where(fold), kind, (*many, *own, *(["to no effect"] if inert else [])))
        yield from _rows_inside(first, comparison, unfold)
    else:
        yield from _rows_of(first.members, comparison, unfold)


def _rows_inside(first: Entry, comparison: Comparison, unfold: bool) -> Iterator[Row]:
    """The rows of the first of a fold, for all: named from the block on, not from the network."""
    for row in _rows_of(first.members, comparison, unfold):
        yield replace(row, where=_within(row.where, first.path), level=row.level + 1)


def _is_frame(entry: Entry) -> bool:
    """Whether a call was put around layers, or taken from around them, that both networks have."""
    return any(layer.status not in {"added", "removed"} for layer in entry.layers())


def is_quiet(entry: Entry) -> bool:
    """Whether nothing is to be said of it but that it was kept, or that its sizes follow."""
    quiet = entry.status in {"kept", "resized"} and not entry.relabelled
    return quiet and all(map(is_quiet, entry.members))


def _key(entry: Entry, comparison: Comparison, *, outer: bool = True) -> Any:
    """What is equal for members that are one fold: kind, caption, changes, and those inside.

    Inside a fold, what was added or removed has the same size too: a row says it of the first.
    """
    own = tuple(c for c in entry.changes if not c.follows)
    if entry.status in {"added", "removed"} and not _is_frame(entry):
        size = () if outer else tuple(_size_of([entry], comparison))
        return entry.scope, entry.status, entry.kind, entry.caption, size
    inside = tuple(
        (_last(m.path), _key(m, comparison, outer=False)) for m in entry.members if not is_quiet(m)
    )
    changes = tuple(_relative(c, entry) for c in own)
    caption = entry.caption if entry.status in {"added", "removed"} else ""
    was = _last(entry.path_before or "") if entry.relabelled else ""
    return entry.scope, entry.status, entry.kind, caption, was, changes, inside


def _relative(change: Change, entry: Entry) -> Change:
    """A change of inputs with the names of neighbours, so that equal blocks have equal ones."""
    if change.what != "input":
        return change
    before, after = (path.rpartition(".")[0] for path in (entry.path_before or "", entry.path))
    return replace(
        change, before=_within(change.before, before), after=_within(change.after, after)
    )


def _within(path: str, scope: str) -> str:
    """Paths as they are called inside a scope."""
    return path.replace(f"{scope}.", "") if scope else path


def _last(path: str) -> str:
    return path.rpartition(".")[2]


def _where(fold: Sequence[Entry]) -> str:
    """``layer3.6 … 22``: the first with its path, the others by what their names end in."""
    paths = list(dict.fromkeys(entry.path for entry in fold))
    first, names = paths[0], [_last(path) for path in paths]
    numbers = [re.fullmatch(r"(.*?)(\d+)", name) for name in names]
    counted = [(m[1], int(m[2])) for m in numbers if m]
    if len(counted) == len(names) > 2:
        stem, start = counted[0]
        if counted == [(stem, start + i) for i in range(len(names))]:
            return f"{first} … {names[-1]}"
    if len(names) <= MOST_NAMED:
        return ", ".join([first, *names[1:]])
    return ", ".join([first, *names[1 : MOST_NAMED - 1], "…", names[-1]])


def _size_of(entries: Sequence[Entry], comparison: Comparison) -> Iterator[str]:
    """How much was added or removed: its layers, where there are several, and its parameters."""
    layers = [layer for entry in entries for layer in entry.layers()]
    if not layers:
        yield "its layers stand elsewhere now"
    if len(layers) > len(entries):
        yield count(len(layers), "layer")
    parameters = sum(
        comparison.before.node_parameters.get(layer.before or "", 0)
        if layer.after is None
        else comparison.after.node_parameters.get(layer.after, 0)
        for layer in layers
    )
    if parameters:
        yield count(parameters, "parameter")


def _said(change: Change) -> str:
    """A change in words: ``stride 1 → 2``."""
    was, now = change.before or "nothing", change.after or "nothing"
    match change.what:
        case "layer":
            return f"{was} → {now}"
        case "input" if not change.name:
            return f"{was} inputs → {now}"
        case "input":
            which = "input" if change.name == "1" else f"input {change.name}"
            return f"{which} from {was} → {now}"
        case _:
            return " ".join(part for part in (change.name, f"{was} → {now}") if part)


def _counts(entry: Entry) -> str:
    """What became of the layers inside a block that is another one now."""
    counts: dict[str, int] = {}
    for layer in entry.layers():
        counts[layer.status] = counts.get(layer.status, 0) + 1
    shown = [f"{counts[s]} {s}" for s in ("changed", "removed", "added") if s in counts]
    return f"layers: {listed(shown)}" if shown else "of the same layers"


def resized_line(comparison: Comparison) -> str:
    resized = [entry for entry in comparison.layers if entry.status == "resized"]
    if not resized:
        return ""
    weights = sum(any(c.what == "weight" for c in entry.changes) for entry in resized)
    more = f", {weights:,} with other weights" if weights else ""
    return f"  … and {count(len(resized), 'layer')} whose sizes follow{more}"
