"""Constraints: what parameters are brought back to after every step of the optimizer."""

from __future__ import annotations

from typing import ClassVar

from archdsl.ops.arguments import number
from archdsl.ops.torch_text import Code
from archdsl.techniques.selection import Selection, selection
from archdsl.techniques.technique import Technique, technique


class Constraint(Technique):
    """A hard constraint; ``code`` is a statement over ``{0}``, one parameter, in place.

    ``axis`` is the one along which the parameter's units lie.
    """

    kind = "constraint"
    rest = "of"
    least_rank: ClassVar[int] = 0
    """The fewest axes of a parameter that it is of."""
    by_unit: ClassVar[bool] = False
    """Whether it is of every unit apart, and not of every number."""

    of: Selection

    def code(self, axis: int = 0) -> Code:
        raise TypeError(f"{self.name} has no PyTorch")


@technique("max_norm")
class MaxNorm(Constraint):
    """The norm of every unit's weights is at most this (Srebro & Shraibman, 2005).

    A unit is an output channel or feature, and its weights are all that lead to it: a row of the
    weight, of a transposed convolution a place along its second axis. Of an embedding it is a
    word's vector. What has one axis, such as a bias, is left alone.
    """

    example = "max_norm(3, linear)"
    least_rank = 2
    by_unit = True

    limit: float = number(above=0.0, doc="the largest norm")
    of: Selection = selection(default="weights", doc="which parameters")

    def code(self, axis: int = 0) -> Code:
        return Code(f"{{0}}.renorm_(2, {axis}, {self.limit!r})")


UNIT_NORM = '''\
def unit_norm_(weight: Tensor, axis: int = 0) -> None:
    """Scale every unit's weights to the norm 1."""
    others = [i for i in range(weight.ndim) if i != axis]
    norms = torch.linalg.vector_norm(weight, dim=others, keepdim=True)
    weight.div_(norms.clamp(min=torch.finfo(weight.dtype).tiny))
'''


@technique("unit_norm")
class UnitNorm(Constraint):
    """The norm of every unit's weights is 1 (Salimans & Kingma, 2016).

    Units are those of max_norm; one whose weights are all 0 stays so.
    """

    example = "unit_norm(fc)"
    least_rank = 2
    by_unit = True

    of: Selection = selection(default="weights", doc="which parameters")

    def code(self, axis: int = 0) -> Code:
        call = f"unit_norm_({{0}}, axis={axis})" if axis else "unit_norm_({0})"
        return Code(call, helpers={"unit_norm_": UNIT_NORM})


@technique("non_negative")
class NonNegative(Constraint):
    """No weight is below 0 (Lee & Seung, 1999)."""

    example = "non_negative(fc)"

    of: Selection = selection(default="weights", doc="which parameters")

    def code(self, axis: int = 0) -> Code:
        return Code("{0}.clamp_(min=0)")
