"""Gradient clipping, before every step of the optimizer."""

from __future__ import annotations

from archdsl.ops.arguments import number
from archdsl.techniques.technique import Technique, technique


class Clipping(Technique):
    """What bounds the gradient."""

    kind = "clipping"


@technique("norm")
class ByNorm(Clipping):
    """The norm of the whole gradient is at most this (Pascanu et al., 2013)."""

    example = "norm(1.0)"

    limit: float = number(above=0.0, doc="the largest norm")


@technique("value")
class ByValue(Clipping):
    """Every number of the gradient is at most this, up and down."""

    example = "value(0.5)"

    limit: float = number(above=0.0, doc="the largest number")
