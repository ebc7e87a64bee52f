"""Losses of real numbers, and of several tensors of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from archdsl.ops.arguments import OpError, number
from archdsl.ops.op import Tensor
from archdsl.ops.torch_text import Code
from archdsl.techniques.losses import Loss, Prediction, Wanted, keywords
from archdsl.techniques.technique import technique


class OfValues(Loss):
    """What compares real numbers one by one."""

    metrics = ("mae",)
    function: ClassVar[str]

    def wanted(self, prediction: Prediction) -> Wanted:
        if prediction.type.dtype != "float":
            raise OpError("loss-mismatch", f"{self.name} takes real numbers, not {prediction.type}")
        return Wanted(prediction.type)

    def code(self, predictions: Sequence[Prediction]) -> Code:
        return Code(f"F.{self.function}({{0}}, {{1}}{keywords(self)})")


@technique("mse")
class MSE(OfValues):
    """The mean squared error. Prediction and target [*]. ``F.mse_loss``."""

    example = "mse"
    function = "mse_loss"


@technique("mae")
class MAE(OfValues):
    """The mean absolute error. Prediction and target [*]. ``F.l1_loss``."""

    example = "mae"
    function = "l1_loss"


@technique("huber")
class Huber(OfValues):
    """Squared near zero, absolute beyond delta. Prediction and target [*]. Huber, 1964."""

    example = "huber(delta = 0.5)"
    function = "huber_loss"

    delta: float = number(default=1.0, above=0.0, doc="where the one becomes the other")


@technique("smooth_l1")
class SmoothL1(OfValues):
    """The huber loss divided by beta. Prediction and target [*]. Girshick, 2015."""

    example = "smooth_l1"
    function = "smooth_l1_loss"

    beta: float = number(default=1.0, above=0.0, doc="where squared becomes absolute")


@technique("cosine")
class Cosine(Loss):
    """1 - the cosine of the angle between two vectors, along the last axis.

    Prediction and target [*, features]. ``F.cosine_similarity``.
    """

    example = "cosine"

    def wanted(self, prediction: Prediction) -> Wanted:
        if not prediction.type.rank:
            raise OpError("loss-mismatch", "cosine compares vectors, not single numbers")
        return Wanted(prediction.type)

    def code(self, predictions: Sequence[Prediction]) -> Code:
        return Code("(1 - F.cosine_similarity({0}, {1}, dim=-1)).mean()")


# Of several tensors of the network ----------------------------------------------------------


KL = '''\
def kl_to_normal(mu: Tensor, log_var: Tensor) -> Tensor:
    """The divergence of N(mu, exp(log_var)) from N(0, 1), a sample (Kingma & Welling, 2014)."""
    return -0.5 * (1 + log_var - mu.square() - log_var.exp()).flatten(1).sum(1).mean()
'''


@technique("kl")
class Divergence(Loss):
    """The divergence of a diagonal normal distribution from the standard one, in nats a sample.

    ``kl(mu, log_var)``, both [*]: a sum over their numbers, a mean over samples. Kingma & Welling,
    2014.
    """

    example = "kl(mu, log_var)"
    takes = ("mu", "log_var")

    def code(self, predictions: Sequence[Prediction]) -> Code:
        return Code("kl_to_normal({0}, {1})", helpers={"kl_to_normal": KL})


CONTRASTIVE = '''\
def contrastive_loss(left: Tensor, right: Tensor, same: Tensor, margin: float) -> Tensor:
    """Near where the two are the same, margin apart else (Hadsell et al., 2006)."""
    distance = F.pairwise_distance(left, right)
    same = same.reshape(distance.shape).to(distance.dtype)
    return (same * distance.square() + (1 - same) * F.relu(margin - distance).square()).mean()
'''


@technique("contrastive")
class Contrastive(Loss):
    """Draws two embeddings together where the target is 1, and margin apart where it is 0.

    ``contrastive(left, right)``, both [features]; target [1]. Hadsell et al., 2006.
    """

    example = "contrastive(left, right, margin = 1)"
    takes = ("left", "right", "target")

    margin: float = number(default=1.0, above=0.0, doc="the distance of what differs")

    def wanted(self, prediction: Prediction) -> Wanted:
        return Wanted(Tensor((1,)))

    def code(self, predictions: Sequence[Prediction]) -> Code:
        call = f"contrastive_loss({{0}}, {{1}}, {{2}}, {self.margin!r})"
        return Code(call, helpers={"contrastive_loss": CONTRASTIVE})


@technique("triplet")
class Triplet(Loss):
    """The positive nearer to the anchor than the negative, by a margin at least.

    ``triplet(anchor, positive, negative)``, all [features]. Schroff et al., 2015.
    ``F.triplet_margin_loss``.
    """

    example = "triplet(anchor, positive, negative, margin = 0.2)"
    takes = ("anchor", "positive", "negative")

    margin: float = number(default=1.0, above=0.0, doc="how much nearer")

    def code(self, predictions: Sequence[Prediction]) -> Code:
        return Code(f"F.triplet_margin_loss({{0}}, {{1}}, {{2}}{keywords(self)})")
