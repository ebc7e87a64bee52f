"""Losses of classes: one of several, and yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from archdsl.ops.arguments import OpError, flag, integer, number, optional, probability
from archdsl.ops.op import Tensor
from archdsl.ops.torch_text import Code
from archdsl.techniques.losses import IGNORE, Loss, Prediction, Wanted, keywords
from archdsl.techniques.technique import technique


class _OfClasses(Loss):
    """What compares scores with one class a sample, or a position."""

    metrics = ("accuracy",)

    axis: int | None

    def class_axis(self, type: Tensor) -> int:
        """The axis of the classes, as torch counts them: 1; the last one of a sequence [T, C]."""
        if not type.rank or type.dtype != "float":
            raise OpError("loss-mismatch", f"{self.name} takes scores of classes, not {type}")
        axis = self.axis if self.axis is not None else (2 if type.rank == 2 else 1)
        index = axis if axis > 0 else axis + type.rank + 1
        if not 1 <= index <= type.rank:
            raise OpError(
                "loss-mismatch", f"{self.name} cannot use axis {axis} of {type}", argument="axis"
            )
        return index

    def wanted(self, prediction: Prediction) -> Wanted:
        type = prediction.type
        axis = self.class_axis(type)
        classes = type.dims[axis - 1]
        if not isinstance(classes, int):
            raise OpError(
                "loss-mismatch", f"{self.name} needs a known number of classes, and this is {type}"
            )
        if classes == 1:
            raise OpError(
                "loss-mismatch",
                f"{self.name} chooses between classes, and {type} has one score",
                help="write binary_cross_entropy, or give the network a score for each class",
            )
        self._check_values(prediction)
        rest = type.dims[: axis - 1] + type.dims[axis:]
        return Wanted(Tensor(rest, "int"), classes, getattr(self, "ignore", IGNORE))

    def _check_values(self, prediction: Prediction) -> None:
        if prediction.values == "probabilities":
            raise OpError(
                "loss-mismatch",
                f"{self.name} takes scores, and the last layer makes them probabilities already",
                help="leave the softmax out: the loss has it inside",
            )

    def scores(self, prediction: Prediction) -> str:
        axis = self.class_axis(prediction.type)
        return "{0}" if axis == 1 else f"{{0}}.movedim({axis}, 1)"

    def probabilities(self, prediction: Prediction) -> str:
        scores = self.scores(prediction)
        logarithms = prediction.values == "log_probabilities"
        return f"{scores}.exp()" if logarithms else f"{scores}.softmax(1)"


@technique("cross_entropy")
class CrossEntropy(_OfClasses):
    """The cross entropy between scores (logits) and the true class, softmax included.

    Prediction [classes], [T, classes] or [classes, *sizes]; target the class of a sample, or of
    every position. ``F.cross_entropy``; label smoothing: Szegedy et al., 2016.
    """

    example = "cross_entropy(label_smoothing = 0.1)"

    label_smoothing: float = probability(default=0.0, doc="share given to all classes alike")
    ignore: int = integer(default=IGNORE, doc="a class that does not count")
    axis: int | None = optional(integer(), doc="axis of the classes, where it is not the usual one")

    def code(self, predictions: Sequence[Prediction]) -> Code:
        ignore = f", ignore_index={self.ignore}" if self.ignore != IGNORE else ""
        more = keywords(self, "ignore", "axis")
        return Code(f"F.cross_entropy({self.scores(predictions[0])}, {{1}}{ignore}{more})")


@technique("nll")
class NLL(_OfClasses):
    """The negative log-likelihood of the true class, of log-probabilities (a log_softmax).

    Prediction and target as for cross_entropy. ``F.nll_loss``.
    """

    example = "nll"

    axis: int | None = optional(integer(), doc="axis of the classes, where it is not the usual one")

    def _check_values(self, prediction: Prediction) -> None:
        if prediction.values != "log_probabilities":
            raise OpError(
                "loss-mismatch",
                "nll takes log-probabilities, and the last layer gives none",
                help="end the network with a log_softmax, or write cross_entropy: it takes scores",
            )

    def code(self, predictions: Sequence[Prediction]) -> Code:
        return Code(f"F.nll_loss({self.scores(predictions[0])}, {{1}})")


FOCAL = '''\
def focal_loss(scores: Tensor, target: Tensor, gamma: float) -> Tensor:
    """The cross entropy, where what is easy weighs less (Lin et al., 2017)."""
    loss = F.cross_entropy(scores, target, reduction="none")
    return ((1 - torch.exp(-loss)) ** gamma * loss).mean()
'''


@technique("focal")
class Focal(_OfClasses):
    """The cross entropy times (1 - p) ** gamma, so that what is easy weighs less.

    Prediction and target as for cross_entropy. Lin et al., 2017.
    """

    example = "focal(gamma = 2)"

    gamma: float = number(default=2.0, minimum=0.0, doc="how much less; 0 is the cross entropy")
    axis: int | None = optional(integer(), doc="axis of the classes, where it is not the usual one")

    def code(self, predictions: Sequence[Prediction]) -> Code:
        call = f"focal_loss({self.scores(predictions[0])}, {{1}}, {self.gamma!r})"
        return Code(call, helpers={"focal_loss": FOCAL})


DICE = '''\
def dice_loss(share: Tensor, truth: Tensor, smooth: float) -> Tensor:
    """1 - the Dice coefficient, mean over classes and samples (Milletari et al., 2016)."""
    overlap = (share * truth).flatten(2).sum(2)
    total = (share + truth).flatten(2).sum(2)
    return 1 - ((2 * overlap + smooth) / (total + smooth)).mean()
'''


@technique("dice")
class Dice(Loss):
    """1 - 2 |A ∩ B| / (|A| + |B|) of soft masks: what segmentation is judged by.

    Prediction [classes, *sizes] as scores, target the class of every position; or one mask
    [1, *sizes] as scores (or probabilities, of a sigmoid), target [1, *sizes] of 0 to 1, as for
    binary_cross_entropy. Milletari et al., 2016.
    """

    example = "dice"
    metrics = ("iou",)
    yes_or_no = True

    smooth: float = number(default=1.0, minimum=0.0, doc="keeps empty masks from dividing by 0")

    def wanted(self, prediction: Prediction) -> Wanted:
        type = prediction.type
        if type.rank < 2 or type.dtype != "float" or not isinstance(type.channels, int):
            raise OpError("loss-mismatch", f"dice takes [classes, *sizes], not {type}")
        if prediction.values == "log_probabilities":
            raise OpError(
                "loss-mismatch",
                "dice takes scores, and the last layer makes them log-probabilities",
                help="leave the log_softmax out: the loss has a softmax inside",
            )
        if type.channels == 1:
            return Wanted(type)
        return Wanted(Tensor(type.spatial, "int"), type.channels)

    def probabilities(self, prediction: Prediction) -> str:
        if prediction.values == "probabilities":
            return "{0}"
        return "{0}.sigmoid()" if prediction.type.channels == 1 else "{0}.softmax(1)"

    def code(self, predictions: Sequence[Prediction]) -> Code:
        classes = predictions[0].type.channels
        truth = "{1}" if classes == 1 else f"F.one_hot({{1}}, {classes}).movedim(-1, 1)"
        call = f"dice_loss({self.probabilities(predictions[0])}, {truth}, {self.smooth!r})"
        return Code(call, helpers={"dice_loss": DICE})


@technique("binary_cross_entropy", "bce")
class BinaryCrossEntropy(Loss):
    """The cross entropy of yes and no, for every number of the prediction by itself.

    Prediction [*] as scores (logits), or as probabilities where the network ends with a sigmoid;
    target [*] of 0 to 1. ``F.binary_cross_entropy_with_logits``, ``F.binary_cross_entropy``.
    With ``one_hot`` the target is a class, as for cross_entropy (Wightman et al., 2021).
    """

    example = "binary_cross_entropy"
    metrics = ("accuracy",)
    yes_or_no = True

    positive_weight: float = number(default=1.0, above=0.0, doc="how much more a yes weighs")
    one_hot: bool = flag(default=False, doc="whether the target is the one class that is true")
    label_smoothing: float = probability(default=0.0, doc="share by which 0 and 1 move together")

    def wanted(self, prediction: Prediction) -> Wanted:
        type = prediction.type
        if type.dtype != "float":
            raise OpError("loss-mismatch", f"{self.name} takes real numbers, not {type}")
        if prediction.values == "log_probabilities":
            raise OpError(
                "loss-mismatch",
                f"{self.name} takes scores, and the last layer makes them log-probabilities",
                help="leave the log_softmax out: the loss has a sigmoid inside",
            )
        if self.positive_weight != 1 and prediction.values:
            raise OpError(
                "loss-mismatch",
                "positive_weight needs scores, and the last layer makes them probabilities",
                help="leave the sigmoid out: the loss has it inside",
                argument="positive_weight",
            )
        if not self.one_hot:
            several = type.rank == 1 and type.dims[0] != 1
            one = replace(self, one_hot=True)
            return Wanted(type, of_one_class=str(one) if several else "")
        classes = type.dims[0] if type.rank == 1 else None
        if not isinstance(classes, int) or classes < 2:
            raise OpError(
                "loss-mismatch", f"one_hot takes [classes], not {type}", argument="one_hot"
            )
        return Wanted(Tensor((), "int"), classes)

    def code(self, predictions: Sequence[Prediction]) -> Code:
        first = predictions[0]
        target = "{1}"
        if self.one_hot:
            target = f"F.one_hot({{1}}, {first.type.dims[0]}).to({{0}}.dtype)"
        if self.label_smoothing:
            share = self.label_smoothing
            target = f"{target} * {1 - share!r} + {share / 2!r}"
        if first.values == "probabilities":
            return Code(f"F.binary_cross_entropy({{0}}, {target})")
        weight = ""
        if self.positive_weight != 1:
            weight = f", pos_weight={{0}}.new_tensor({self.positive_weight!r})"
        return Code(f"F.binary_cross_entropy_with_logits({{0}}, {target}{weight})")


HINGE = '''\
def hinge_loss(scores: Tensor, target: Tensor) -> Tensor:
    """max(0, 1 - y * score), for y of -1 and 1 (Cortes & Vapnik, 1995)."""
    return F.relu(1 - (2 * target - 1) * scores).mean()
'''


@technique("hinge")
class Hinge(Loss):
    """max(0, 1 - y * score): a support vector machine's loss; the target is 0 or 1.

    Prediction and target [*]. Cortes & Vapnik, 1995.
    """

    example = "hinge"
    metrics = ("accuracy",)
    yes_or_no = True

    def wanted(self, prediction: Prediction) -> Wanted:
        if prediction.type.dtype != "float":
            raise OpError("loss-mismatch", f"hinge takes real numbers, not {prediction.type}")
        if prediction.values:
            raise OpError(
                "loss-mismatch",
                "hinge takes scores of any sign, and the last layer makes them"
                f" {prediction.values.replace('_', '-')}",
                help="leave that layer out",
            )
        return Wanted(prediction.type)

    def code(self, predictions: Sequence[Prediction]) -> Code:
        return Code("hinge_loss({0}, {1})", helpers={"hinge_loss": HINGE})
