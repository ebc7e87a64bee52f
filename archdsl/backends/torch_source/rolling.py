"""Rolling: equal lines in a row, or lines that count on, become a loop."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

FEWEST_EQUAL = 3
FEWEST_COUNTED = 4
LONGEST_PERIOD = 24
_MEMBER = re.compile(r"self\.([A-Za-z_]\w*?)(\d+)(?=\()")
_TERM = re.compile(r"(?:(\d+) \* )?([A-Za-z_]\w*)|(\d+)")


@dataclass
class Line:
    """A logical line of a function, at its depth below the function's own."""

    text: str
    depth: int = 0
    comment: str = ""


def roll_lines(lines: list[Line]) -> list[Line]:
    """Runs of lines that repeat, alike or but for a member's number, as loops.

    ``repeat … shared`` gives the first, ``self.decoder1``, ``self.decoder2`` … the second.
    """
    result: list[Line] = []
    shapes = [(_MEMBER.sub(r"self.\1#", line.text), line.depth) for line in lines]
    numbers = [[int(n) for _, n in _MEMBER.findall(line.text)] for line in lines]
    index = 0
    while index < len(lines):
        found = _repeats(shapes, numbers, index)
        if found is None:
            result.append(lines[index])
            index += 1
            continue
        period, count, step = found
        result.extend(_loop(lines[index : index + period], count, step))
        index += period * count
    return result


def _repeats(
    shapes: Sequence[tuple[str, int]], numbers: Sequence[list[int]], start: int
) -> tuple[int, int, int] | None:
    """The shortest run of lines that repeats from a place on: length, times, count's step."""
    for period in range(1, LONGEST_PERIOD + 1):
        if start + period >= len(shapes) or shapes[start] != shapes[start + period]:
            continue
        for step, fewest in ((0, FEWEST_EQUAL), (1, FEWEST_COUNTED)):
            count = 1
            while _follows(shapes, numbers, start, period, count, step):
                count += 1
            if count >= fewest and (not step or any(numbers[start : start + period])):
                return period, count, step
    return None


def _follows(
    shapes: Sequence[tuple[str, int]],
    numbers: Sequence[list[int]],
    start: int,
    period: int,
    count: int,
    step: int,
) -> bool:
    """Whether the run comes once more, its members counted on by ``step``."""
    offset = period * count
    if start + offset + period > len(shapes):
        return False
    for i in range(start, start + period):
        if shapes[i] != shapes[i + offset]:
            return False
        if [n + step * count for n in numbers[i]] != numbers[i + offset]:
            return False
    return True


def _loop(body: Sequence[Line], count: int, step: int) -> list[Line]:
    depth = body[0].depth
    variable = f"i{depth}" if depth > 1 else "i"
    head = Line(f"for {variable if step else '_'} in range({count}):", depth)
    comments = not step
    lines = [head]
    for line in body:
        text = line.text
        if step:
            text = _MEMBER.sub(
                lambda m: f'getattr(self, f"{m[1]}{{{_plus(variable, int(m[2]))}}}")', text
            )
        lines.append(Line(text, line.depth + 1, line.comment if comments else ""))
    return lines


def _plus(variable: str, offset: int) -> str:
    return f"{variable} + {offset}" if offset else variable


def roll_members(entries: Sequence[tuple[str, str]]) -> list[tuple[str, str, int]]:
    """Constructor lines ``(name, call)`` with runs that count on folded.

    An entry of the result is a name, a call, and how many members it makes: with more
    than one, ``i`` counts them and the name holds ``{…}`` for an f-string.
    """
    result: list[tuple[str, str, int]] = []
    index = 0
    while index < len(entries):
        end, call = _run(entries, index)
        name = entries[index][0]
        if end - index >= FEWEST_COUNTED and call is not None:
            stem, number = _numbered(name) or (name, 0)
            result.append((f"{stem}{{{_plus('i', number)}}}", call, end - index))
            index = end
        else:
            result.append((*entries[index], 1))
            index += 1
    return result


def _numbered(name: str) -> tuple[str, int] | None:
    match = re.fullmatch(r"([A-Za-z_]\w*?)(0|[1-9]\d*)", name)
    return (match[1], int(match[2])) if match else None


def _run(entries: Sequence[tuple[str, str]], start: int) -> tuple[int, str | None]:
    """The end of the longest run of members that one loop can make, and its call.

    The beginning of a run is a run, so that it can be looked for in growing steps and then in
    shrinking ones: step by step, a run would take the square of its length.
    """
    end, call = start + 1, None
    step, grows = 1, True
    while step:
        longer = _counted(entries[start : end + step]) if end + step <= len(entries) else None
        if longer is not None:
            end, call = end + step, longer
        grows = grows and longer is not None
        step = step * 2 if grows else step // 2
    return end, call


def _counted(entries: Sequence[tuple[str, str]]) -> str | None:
    """One call with ``i`` in it that gives every call of members that count on, or None."""
    first = _numbered(entries[0][0])
    if first is None:
        return None
    stem, number = first
    if any(name != f"{stem}{number + i}" for i, (name, _) in enumerate(entries)):
        return None
    return _common([text for _, text in entries])


def _common(calls: Sequence[str]) -> str | None:
    """One call with ``i`` in it that gives every call of a run, or None."""
    if all(c == calls[0] for c in calls):
        return calls[0]
    split = [re.fullmatch(r"(\w+(?:\.\w+)*)\(([^()]*)\)", c) for c in calls]
    if any(m is None for m in split) or len({m[1] for m in split if m}) != 1:
        return None
    rows = [m[2].split(", ") for m in split if m]
    if len({len(r) for r in rows}) != 1:
        return None
    arguments = [_progression(column) for column in zip(*rows, strict=True)]
    if any(a is None for a in arguments):
        return None
    head = split[0]
    assert head is not None
    return f"{head[1]}({', '.join(a for a in arguments if a is not None)})"


def _progression(values: Sequence[str]) -> str | None:
    """``64``, ``64 + growth``, ``64 + 2 * growth`` … as ``64 + i * growth``."""
    if all(v == values[0] for v in values):
        return values[0]
    sums = [_terms(v) for v in values]
    known = [s for s in sums if s is not None]
    if len(known) != len(values):
        return None
    names = sorted({name for s in known for name in s})
    steps = {n: known[1].get(n, 0) - known[0].get(n, 0) for n in names}
    moving = [n for n in names if steps[n]]
    for index, terms in enumerate(known):
        if any(terms.get(n, 0) != known[0].get(n, 0) + index * steps[n] for n in names):
            return None
    if len(moving) != 1 or steps[moving[0]] < 0:
        return None
    name, step = moving[0], steps[moving[0]]
    factor = "i" if step == 1 else f"{step} * i"
    return f"{values[0]} + {factor}{f' * {name}' if name else ''}"


def _terms(text: str) -> dict[str, int] | None:
    """A sum as the coefficients of its names; the constant is that of the empty name."""
    terms: dict[str, int] = {}
    for part in text.split(" + "):
        match = _TERM.fullmatch(part)
        if match is None:
            return None
        name = match[2] or ""
        terms[name] = terms.get(name, 0) + int(match[3] or match[1] or 1)
    return terms
