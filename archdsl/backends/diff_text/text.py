"""The whole comparison as text for a terminal, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from archdsl.backends.diff_text.rows import Row, change_rows, is_quiet, resized_line
from archdsl.backends.diff_text.weights import weight_lines
from archdsl.backends.diff_text.wording import Line, count, printable, size_text
from archdsl.diagnostics import listed
from archdsl.dims import Size
from archdsl.passes.differences import STATUSES, Comparison

_SMALL_SHARE = 0.001  # shown with one more digit
_WIDEST = 56  # a path that is longer stands out to the right, and its line alone


def diff_lines(
    comparison: Comparison, names: tuple[str, str] | None = None, *, unfold: bool = False
) -> Iterator[Line]:
    """The comparison as lines, each with its sign, by which a terminal may colour it.

    ``names`` are what to call the two networks. Members of one kind with the same change
    are one line, and what happened inside a block that became another one is counted,
    unless ``unfold``.
    """
    a, b = told_apart(comparison, names)
    yield "#", f"{a} → {b}: {headline(comparison)}"
    yield "", ""
    yield from (("", line) for line in _align_totals(totals(comparison), a, b))
    rows = list(change_rows(comparison, unfold=unfold))
    if rows:
        yield "", ""
        yield from align_rows(rows)
        yield from (("", line) for line in [resized_line(comparison)] if line)
    yield "", ""
    yield from weight_lines(comparison.weights, a, b)


def diff_text(
    comparison: Comparison, names: tuple[str, str] | None = None, *, unfold: bool = False
) -> str:
    """The comparison as text; see :func:`diff_lines`."""
    return "".join(f"{text}\n" for _, text in diff_lines(comparison, names, unfold=unfold))


def told_apart(comparison: Comparison, names: tuple[str, str] | None) -> tuple[str, str]:
    """What to call the two networks: two names, where they are two networks."""
    a, b = map(printable, names or (comparison.before.name, comparison.after.name))
    return (f"{a} (A)", f"{b} (B)") if a == b and not comparison.identical else (a, b)


def headline(comparison: Comparison) -> str:
    """What became of the layers, in a line."""
    if comparison.identical:
        return "the same network"
    counts = {status: comparison.count(status) for status in STATUSES}
    ends = sum(entry.end and not is_quiet(entry) for entry in comparison.layers)
    total = sum(counts.values())
    if counts["kept"] == total and not ends:
        return f"the same {count(total, 'layer')}, under other names"
    parts = [f"{n:,} {status}" for status, n in counts.items() if n]
    more = f"; {count(ends, 'input or output', 'inputs or outputs')} changed" if ends else ""
    return f"of {count(total, 'layer')}, {listed(parts)}{more}"


@dataclass(frozen=True)
class Total:
    """One figure of both networks; a size that depends on free ones is an expression."""

    name: str
    before: Size
    after: Size

    @property
    def difference(self) -> str:
        """``+10,108,160 (+86.5 %)``."""
        difference = self.after - self.before
        if not isinstance(difference, int):
            return size_text(difference)
        if not difference:
            return "none"
        share = difference / self.before if isinstance(self.before, int) and self.before else 0.0
        places = 1 if abs(share) >= _SMALL_SHARE else 2
        percent = f"{100 * share:+,.{places}f}"
        return f"{difference:+,}" + (f" ({percent} %)" if float(percent.replace(",", "")) else "")


def totals(comparison: Comparison) -> list[Total]:
    """Layers, parameters and multiply-adds of both networks."""
    a, b = comparison.before, comparison.after
    return [
        Total("layers", a.layers, b.layers),
        Total("parameters", a.parameters, b.parameters),
        Total("multiply-adds" + _at(comparison.sizes), a.multiply_adds, b.multiply_adds),
    ]


def _at(sizes: Mapping[str, int]) -> str:
    """`` at H = W = 224``."""
    groups: dict[int, list[str]] = {}
    for name, size in sizes.items():
        groups.setdefault(size, []).append(name)
    said = ", ".join(" = ".join([*names, str(size)]) for size, names in groups.items())
    return f" at {said}" if said else ""


def _align_totals(rows: Sequence[Total], a: str, b: str) -> Iterator[str]:
    cells = [("", a, b, "difference")]
    cells += [(r.name, size_text(r.before), size_text(r.after), r.difference) for r in rows]
    widths = [max(len(row[i]) for row in cells) for i in range(3)]
    for name, before, after, difference in cells:
        yield f"{name:<{widths[0]}}  {before:>{widths[1]}}  {after:>{widths[2]}}  {difference}"


def align_rows(rows: Sequence[Row]) -> Iterator[Line]:
    places = [f"{'  ' * row.level}{row.where}" for row in rows]
    width = max((len(p) for p in places if len(p) <= _WIDEST), default=0)
    whats = max((len(row.what) for row in rows if len(row.what) <= _WIDEST), default=0)
    for row, place in zip(rows, places, strict=True):
        note = " · ".join(row.notes)
        line = f"{row.sign} {place:<{width}}  {row.what:<{whats}}  {note}"
        yield row.sign, printable(line.rstrip())


def diff_markdown(
    comparison: Comparison, names: tuple[str, str] | None = None, *, unfold: bool = False
) -> str:
    """The comparison as Markdown: the totals as a table, changes and weights as code."""
    a, b = told_apart(comparison, names)
    lines = [f"**{_escaped(a)} → {_escaped(b)}**: {headline(comparison)}", ""]
    lines += [f"| | {_escaped(a)} | {_escaped(b)} | difference |", "|---|---:|---:|---|"]
    for row in totals(comparison):
        cells = row.name, size_text(row.before), size_text(row.after), row.difference
        lines.append(f"| {' | '.join(map(_escaped, cells))} |")
    changed = [text for _, text in align_rows(list(change_rows(comparison, unfold=unfold)))]
    if changed:
        resized = resized_line(comparison)
        lines += ["", "```diff", *changed, *([resized] if resized else []), "```"]
    lines += ["", "```text", *(text for _, text in weight_lines(comparison.weights, a, b)), "```"]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text)
