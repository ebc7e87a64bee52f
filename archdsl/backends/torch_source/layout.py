"""Layout: logical lines of Python, broken as a formatter breaks them."""

from __future__ import annotations

WIDTH = 88
_OPEN, _CLOSE = "([{", ")]}"
EXPLODE = "\u0001"
"""A mark behind an opening bracket: its items stand one a line, whatever their length."""


def lay_out(line: str, indent: int, *, comment: str = "") -> list[str]:
    """A logical line as physical ones, each within the width where it can be.

    Brackets are split from the right: the last pair first, its content on one line
    where that fits, else an item a line with a trailing comma. What is assigned to very many
    names stands in parentheses of its own.
    """
    margin = " " * indent
    flat = line.replace(EXPLODE, "")
    if EXPLODE not in line and len(margin) + len(flat) <= WIDTH:
        suffix = f"  # {comment}" if comment else ""
        return [margin + flat + (suffix if len(margin + flat + suffix) <= WIDTH else "")]
    pair = _split_pair(line)
    if pair is None:
        return [margin + flat]
    start, end = pair
    head, body, tail = line[: start + 1], line[start + 1 : end], line[end:]
    targets, assigned, value = line.partition(" = ")
    if len(margin + head) > WIDTH and assigned and EXPLODE not in line and " = " in head:
        return [f"{margin}{targets} = (", *lay_out(value, indent + 4), f"{margin})"]
    exploded = body.startswith(EXPLODE)
    body = body.removeprefix(EXPLODE)
    inner = " " * (indent + 4)
    if not exploded and EXPLODE not in body and len(inner) + len(body) <= WIDTH:
        return [margin + head, inner + body, margin + tail]
    lines = [margin + head]
    items = _items(body)
    element, loop = _comprehension(body) if len(items) == 1 else ("", "")
    if loop:
        lines.extend([*lay_out(element, indent + 4), *lay_out(loop, indent + 4)])
        return [*lines, margin + tail]
    for item in items:
        lines.extend(lay_out(item + ",", indent + 4))
    return [*lines, margin + tail]


def _split_pair(line: str) -> tuple[int, int] | None:
    """The pair of brackets to break: a marked one, else the last one that is not empty."""
    pairs = _pairs(line)
    marked = [(s, e) for s, e in pairs if line[s + 1 : s + 2] == EXPLODE]
    if marked:
        outer = min(marked)
        around = [(s, e) for s, e in pairs if s < outer[0] and e > outer[1]]
        return min(around) if around else outer
    top = [(s, e) for s, e in pairs if not any(a < s and e < b for a, b in pairs)]
    filled = [(s, e) for s, e in top if e > s + 1]
    # a subscript or a short call behind a long one is no place to break
    return max(reversed(filled), key=lambda pair: pair[1] - pair[0], default=None)


def _pairs(line: str) -> list[tuple[int, int]]:
    stack: list[int] = []
    pairs: list[tuple[int, int]] = []
    for position, char in _code(line):
        if char in _OPEN:
            stack.append(position)
        elif char in _CLOSE and stack:
            pairs.append((stack.pop(), position))
    return sorted(pairs)


def _code(line: str) -> list[tuple[int, str]]:
    """The characters that are not inside a string."""
    result: list[tuple[int, str]] = []
    quote = ""
    skip = False
    for position, char in enumerate(line):
        if skip:
            skip = False
        elif quote:
            if char == "\\":
                skip = True
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        else:
            result.append((position, char))
    return result


def _comprehension(body: str) -> tuple[str, str]:
    """The element of a comprehension and its loop, or nothing."""
    depth = 0
    for position, char in _code(body):
        depth += (char in _OPEN) - (char in _CLOSE)
        if not depth and body.startswith(" for ", position):
            return body[:position], body[position + 1 :]
    return "", ""


def _items(body: str) -> list[str]:
    """The parts of a bracket's content between its own commas."""
    items: list[str] = []
    depth = start = 0
    for position, char in _code(body):
        if char in _OPEN:
            depth += 1
        elif char in _CLOSE:
            depth -= 1
        elif char == "," and not depth:
            items.append(body[start:position].strip())
            start = position + 1
    last = body[start:].strip()
    return [*items, last] if last else items
