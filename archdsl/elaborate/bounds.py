"""How large what a specification computes may become, and how long that may take."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from archdsl.diagnostics import Diagnostic, Span
from archdsl.dims import Dim
from archdsl.elaborate.values import Stop
from archdsl.syntax import ast

LONGEST_LIST = 1_000_000
LARGEST_NUMBER = 2**63
MOST_STEPS = 5_000_000
MOST_TERMS = 10_000  # of a free size's expression, while it is multiplied out
HIGHEST_DEGREE = 64  # of such an expression: how many free sizes are multiplied


@dataclass(eq=False, repr=False)
class Budget:
    """How many more evaluation steps a specification may take."""

    steps: int = MOST_STEPS

    def spend(self, span: Span, steps: int = 1) -> None:
        self.steps -= steps
        if self.steps < 0:
            raise Stop(
                Diagnostic(
                    "too-large",
                    "the specification takes too many steps to expand",
                    span=span,
                    text=f"stopped here after {MOST_STEPS:,} steps",
                    help="look for a count that is larger than it was meant to be",
                )
            )


def too_long(expr: ast.Node, length: int) -> Stop:
    """The error for a list that is longer than a specification may make one."""
    return Stop(
        Diagnostic(
            "too-large",
            f"a list of {length:,} items is too long",
            span=expr.span,
            text=f"at most {LONGEST_LIST:,}",
        )
    )


def bad_value(expr: ast.Node, message: str, *, text: str = "", help: str = "") -> Stop:
    """The error for a value that cannot be computed or used where it stands."""
    return Stop(Diagnostic("bad-value", message, span=expr.span, text=text, help=help))


def bounded(expr: ast.Node, value: Any) -> Any:
    """The value, which is not beyond what a number or a free size may be. Raises Stop."""
    if type(value) is int and -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        return value  # what nearly all are
    if isinstance(value, Dim):
        if any(abs(coefficient) > LARGEST_NUMBER for coefficient in value.terms.values()):
            raise bad_value(expr, "the number is too large", text="a factor beyond 2 ** 63")
        if any(len(monomial) > HIGHEST_DEGREE for monomial in value.terms):
            message = f"a product of more than {HIGHEST_DEGREE} free sizes is too large"
            raise bad_value(expr, message)
        return value
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
        raise bad_value(expr, "the number is too large", text="beyond 2 ** 63")
    if isinstance(value, float) and not math.isfinite(value):
        raise bad_value(expr, "the number is not finite")
    return value
