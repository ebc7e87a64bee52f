"""How tightly the operators bind: Python's order, for the parser and the printer alike."""

from __future__ import annotations

CONDITIONAL = 0
"""``a if c else b`` binds loosest of all."""

NOT = 3
COMPARISON = 4
SIGN = 7
POWER = 8

ATOM = 9
"""Names, literals, calls: what needs no parentheses anywhere."""

BINARY = {
    "or": 1,
    "and": 2,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">=", "in", "not in"), COMPARISON),
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "//": 6,
    "%": 6,
    "**": POWER,
}
"""The level of an operator between two operands; only ``**`` is read from the right."""

PREFIX = {"not": NOT, "-": SIGN, "+": SIGN}
"""The level of an operator before one operand."""
