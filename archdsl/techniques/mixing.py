"""Mixing: samples of a batch with one another, images and losses in the same shares."""

from __future__ import annotations

from typing import ClassVar

from archdsl.ops.arguments import number, probability
from archdsl.ops.torch_text import Code
from archdsl.techniques.technique import Technique, technique


class Mixing(Technique):
    """What mixes every sample of a batch with another one.

    ``code`` is an expression of the inputs ``{0}`` for what they become, the order of those that
    were mixed in, and the share of those that stood there.
    """

    kind = "mixing"
    of_images: ClassVar[bool] = False
    """Whether it works on images alone, and for one class a sample."""

    alpha: float
    p: float

    def code(self) -> Code:
        raise TypeError(f"{self.name} has no PyTorch")

    def _arguments(self) -> str:
        return f"{{0}}, {self.alpha!r}" + (f", p={self.p!r}" if self.p != 1 else "")


BETA = '''\
def beta(alpha: float) -> float:
    """A number from 0 to 1, of the beta distribution with both parameters alike."""
    return torch.distributions.Beta(alpha, alpha).sample().item()
'''

MIXUP = '''\
def mixup(inputs: Tensor, alpha: float, p: float = 1.0) -> tuple[Tensor, Tensor, float]:
    """Every sample with another, in one share for all (Zhang et al., 2018)."""
    share = beta(alpha) if torch.rand(()) < p else 1.0
    order = torch.randperm(len(inputs)).to(inputs.device)
    return share * inputs + (1 - share) * inputs[order], order, share
'''

CUTMIX = '''\
def cutmix(
    inputs: Tensor, alpha: float, p: float = 1.0
) -> tuple[Tensor, Tensor, float]:
    """A rectangle of another image in every image, its area the share (Yun et al., 2019)."""
    side = (1 - beta(alpha)) ** 0.5 if torch.rand(()) < p else 0.0
    order = torch.randperm(len(inputs)).to(inputs.device)
    spans = []
    for size in inputs.shape[2:]:
        middle, half = int(torch.randint(size, ())), int(size * side) // 2
        spans.append(slice(max(middle - half, 0), min(middle + half, size)))
    rows, columns = spans
    mixed = inputs.clone()
    mixed[:, :, rows, columns] = inputs[order, :, rows, columns]
    area = (rows.stop - rows.start) * (columns.stop - columns.start)
    return mixed, order, 1 - area / inputs[0, 0].numel()
'''


@technique("mixup")
class MixUp(Mixing):
    """A convex combination of two samples and of their losses (Zhang et al., 2018).

    In a chain with cutmix, one of the two is drawn for every batch, as likely as the other.
    """

    example = "mixup(0.2)"

    alpha: float = number(default=0.2, above=0.0, doc="of the beta distribution of the share")
    p: float = probability(default=1.0, doc="share of batches that it changes")

    def code(self) -> Code:
        return Code(f"mixup({self._arguments()})", helpers={"beta": BETA, "mixup": MIXUP})


@technique("cutmix")
class CutMix(Mixing):
    """A rectangle of one image in another, the losses in the share of its area (Yun et al., 2019).

    In a chain with mixup, one of the two is drawn for every batch, as likely as the other.
    """

    example = "cutmix(1.0)"
    of_images = True

    alpha: float = number(default=1.0, above=0.0, doc="of the beta distribution of the share")
    p: float = probability(default=1.0, doc="share of batches that it changes")

    def code(self) -> Code:
        return Code(f"cutmix({self._arguments()})", helpers={"beta": BETA, "cutmix": CUTMIX})
