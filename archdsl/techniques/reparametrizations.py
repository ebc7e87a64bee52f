"""Reparametrizations: weights made of others, which are trained in their place."""

from __future__ import annotations

from typing import ClassVar

from archdsl.ops.torch_text import Code
from archdsl.techniques.selection import Selection, selection
from archdsl.techniques.technique import Technique, technique


class Reparametrization(Technique):
    """What the selected parameters are made of.

    ``code`` is a module as ``torch.nn.utils.parametrize`` takes it.
    """

    kind = "reparametrization"
    rest = "of"
    least_rank: ClassVar[int] = 0
    """The fewest axes of a parameter that it is of."""

    of: Selection

    def code(self) -> Code:
        raise TypeError(f"{self.name} has no PyTorch")


PRODUCT = '''\
class Product(nn.Module):
    """A weight as the product of two: their squares are least at twice its size (Hoff, 2017)."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return a * b

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return weight, torch.ones_like(weight)  # two of one size could not change the sign
'''


@technique("product")
class Product(Reparametrization):
    """Every number is a product a·b (Hoff, 2017).

    ``torch.nn.utils.parametrize``.

    a² + b² is least at 2·|a·b|, so that l2 of the factors does what l1 of the weight would, and a
    step of the gradient can follow it: ``cross_entropy + 1e-3 * l2(fc)`` with ``product(fc)`` is
    ``cross_entropy + 2e-3 * l1(fc)`` at its least. What has one axis, such as a bias, is left
    as it is. Once trained, the weights are plain again.
    """

    example = "product(fc)"
    least_rank = 2

    of: Selection = selection(default="weights", doc="which parameters")

    def code(self) -> Code:
        return Code("Product()", helpers={"Product": PRODUCT})
