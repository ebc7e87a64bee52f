"""Penalties: terms of the loss that keep parameters small or few."""

from __future__ import annotations

from typing import ClassVar

from archdsl.ops.arguments import number
from archdsl.ops.torch_text import Code
from archdsl.techniques.selection import Selection, selection
from archdsl.techniques.technique import Technique, technique


class Penalty(Technique):
    """A term over the selected parameters: a sum over all of them.

    ``code`` is an expression of ``{0}``, a list of parameters.
    """

    kind = "penalty"
    rest = "of"
    least_rank: ClassVar[int] = 0
    """The fewest axes of a parameter that it is of."""
    of_products: ClassVar[bool] = False
    """Whether, of a weight that is a product, it is over the factors."""

    of: Selection

    def code(self) -> Code:
        raise TypeError(f"{self.name} has no PyTorch")


@technique("l2")
class L2(Penalty):
    """The sum of squares: ridge regression (Hoerl & Kennard, 1970).

    Unlike ``weight_decay`` of adamw it passes through the optimizer's scaling (Loshchilov & Hutter,
    2019). Of weights that ``reparametrize`` makes products it is over the factors, and so twice
    the l1 of the products where it is least (Hoff, 2017).
    """

    example = "1e-4 * l2(conv, linear)"
    of_products = True

    of: Selection = selection(default="weights", doc="which parameters")

    def code(self) -> Code:
        return Code("sum(p.square().sum() for p in {0})")


@technique("l1")
class L1(Penalty):
    """The sum of absolute values, which makes many of them nearly 0 (Tibshirani, 1996)."""

    example = "1e-5 * l1(fc)"

    of: Selection = selection(default="weights", doc="which parameters")

    def code(self) -> Code:
        return Code("sum(p.abs().sum() for p in {0})")


@technique("elastic_net")
class ElasticNet(Penalty):
    """A mixture of both: ratio * l1 + (1 - ratio) / 2 * l2 (Zou & Hastie, 2005)."""

    example = "1e-4 * elastic_net(weights, ratio = 0.5)"

    of: Selection = selection(default="weights", doc="which parameters")
    ratio: float = number(default=0.5, minimum=0.0, maximum=1.0, doc="the share of l1")

    def code(self) -> Code:
        terms = f"{self.ratio!r} * p.abs().sum() + {(1 - self.ratio) / 2!r} * p.square().sum()"
        return Code(f"sum({terms} for p in {{0}})")


GROUP_LASSO = '''\
def group_lasso(parameters: Iterable[Tensor]) -> Tensor:
    """The norm of every unit's weights, times the root of their number (Yuan & Lin, 2006)."""
    rows = [p.flatten(1) for p in parameters]
    return sum(r.shape[1] ** 0.5 * torch.linalg.vector_norm(r, dim=1).sum() for r in rows)
'''


@technique("group_lasso")
class GroupLasso(Penalty):
    """The norms of the units' weights, so that whole units become 0 (Yuan & Lin, 2006).

    A unit is a row of the weight: of a convolution an output channel, of a linear layer a feature,
    of a transposed convolution an input channel. Its norm counts times the root of the number of
    its weights; what has one axis, such as a bias, is left out.
    """

    example = "1e-4 * group_lasso(conv)"
    least_rank = 2

    of: Selection = selection(default="weights", doc="which parameters")

    def code(self) -> Code:
        return Code(
            "group_lasso({0})",
            helpers={"group_lasso": GROUP_LASSO},
            imports=("from collections.abc import Iterable",),
        )
