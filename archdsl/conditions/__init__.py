"""What must hold of the free sizes of a network, and which sizes those conditions admit."""

from archdsl.conditions.condition import (
    Condition,
    Kind,
    at_least,
    decide,
    divisible,
    equal,
    holds,
    meet_by_chance,
)
from archdsl.conditions.size_sets import Rule, SizeSet
from archdsl.conditions.solution import Equality, Requirement, Solution
from archdsl.conditions.solving import solve

__all__ = [
    "Condition",
    "Equality",
    "Kind",
    "Requirement",
    "Rule",
    "SizeSet",
    "Solution",
    "at_least",
    "decide",
    "divisible",
    "equal",
    "holds",
    "meet_by_chance",
    "solve",
]
