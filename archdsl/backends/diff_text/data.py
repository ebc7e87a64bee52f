"""The comparison as plain data, for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archdsl.backends.diff_text.text import totals
from archdsl.dims import Size, show
from archdsl.passes.differences import STATUSES, Comparison, Entry


def diff_data(comparison: Comparison, names: tuple[str, str] | None = None) -> dict[str, Any]:
    """The comparison as plain data, nothing folded; what was kept is in the counts alone."""
    a, b = names or (comparison.before.name, comparison.after.name)  # "a" and "b" tell them apart
    weights = comparison.weights
    return {
        "a": a,
        "b": b,
        "identical": comparison.identical,
        "sizes": dict(comparison.sizes),
        "totals": {
            name: {"a": _plain(row.before), "b": _plain(row.after)}
            for name, row in zip(
                ("layers", "parameters", "multiply_adds"), totals(comparison), strict=True
            )
        },
        "counts": {status: comparison.count(status) for status in STATUSES},
        "entries": [_entry(entry) for entry in _walk(comparison.root) if _tells(entry)],
        "weights": {
            "loads": [t.name for t in weights.loads],
            "wrong_shape": [
                {"name": t.name, "a": list(t.shape), "b": list(u.shape)}
                for t, u in weights.wrong_shape
            ],
            "only_a": [t.name for t in weights.only_before],
            "only_b": [t.name for t in weights.only_after],
            "misplaced": [t.name for t in weights.misplaced],
            "renames": weights.renames,
        },
    }


def _walk(entry: Entry) -> Iterator[Entry]:
    yield entry
    for member in entry.members:
        yield from _walk(member)


def _tells(entry: Entry) -> bool:
    return entry.status != "kept" or entry.renamed


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "status": entry.status,
        "what": "call" if entry.scope else "layer",
        "kind": entry.kind,
        "a": entry.before,
        "b": entry.after,
        "path_a": entry.path_before,
        "path_b": entry.path_after,
        "caption": entry.caption,
        "changes": [
            {"what": c.what, "name": c.name, "a": c.before, "b": c.after} for c in entry.changes
        ],
    }


def _plain(size: Size) -> int | str:
    return size if isinstance(size, int) else show(size)
