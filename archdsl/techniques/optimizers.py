"""Optimizers: torch's, with torch's names, order and defaults."""

from __future__ import annotations

from typing import Any, ClassVar

from archdsl.ops.arguments import (
    Kind,
    OpError,
    argument,
    choice,
    flag,
    number,
    optional,
    probability,
    size,
)
from archdsl.techniques.losses import keywords
from archdsl.techniques.selection import Selection, selection
from archdsl.techniques.technique import Technique, technique


def betas(default: tuple[float, float]) -> Any:
    """Two decay rates of running means, each of at least 0 and below 1."""

    def convert(value: Any) -> tuple[float, float]:
        pair = isinstance(value, (tuple, list)) and len(value) == 2
        if not pair or not all(isinstance(b, (int, float)) and 0 <= b < 1 for b in value):
            raise ValueError("must be two numbers from 0 to below 1")
        return float(value[0]), float(value[1])

    words = "two numbers such as (0.9, 0.999)"
    return argument(Kind(words, convert), default, "decay of the means of gradient and square")


def rate(default: float) -> Any:
    """A learning rate."""
    return number(default=default, above=0.0, doc="learning rate")


def decay(default: float = 0.0) -> Any:
    """Weight decay."""
    return number(default=default, minimum=0.0, doc="weight decay")


def spared() -> Any:
    """What weight decay leaves alone."""
    return selection(doc="what weight decay leaves alone: biases, norms")


class Optimizer(Technique):
    """An optimizer; ``no_decay`` are parameters without weight decay."""

    kind = "optimizer"
    torch_class: ClassVar[str]
    """Its class, as source text."""
    imports: ClassVar[tuple[str, ...]] = ()
    extra: ClassVar[str] = ""
    """The package that it needs beyond torch."""
    by_closure: ClassVar[bool] = False
    """Whether it evaluates the loss several times a step."""

    lr: float
    no_decay: Selection

    @property
    def weight_decay_of(self) -> float:
        """Its weight decay; 0 where it has none."""
        return float(getattr(self, "weight_decay", 0.0))

    def code(self, parameters: str) -> str:
        """The expression that makes it, for parameters or groups of them."""
        return f"{self.torch_class}({parameters}, lr={self.lr!r}{self._more()})"

    def _more(self) -> str:
        return keywords(self, "lr", "no_decay")


@technique("sgd")
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum (Polyak, 1964) or Nesterov's.

    ``torch.optim.SGD``.
    """

    example = "sgd(lr = 0.1, momentum = 0.9, nesterov = true)"
    torch_class = "torch.optim.SGD"

    lr: float = rate(1e-3)
    momentum: float = number(default=0.0, minimum=0.0, doc="share of the last step that goes on")
    dampening: float = number(default=0.0, doc="share of the gradient that is left out of it")
    weight_decay: float = decay()
    nesterov: bool = flag(default=False, doc="whether the gradient is taken ahead")
    no_decay: Selection = spared()

    def __post_init__(self) -> None:
        if self.nesterov and not (self.momentum > 0 and self.dampening == 0):
            raise OpError(
                "bad-argument",
                "nesterov needs momentum, and no dampening",
                help="sgd(lr = 0.1, momentum = 0.9, nesterov = true)",
                argument="nesterov",
            )


@technique("adagrad")
class Adagrad(Optimizer):
    """Steps by the root of the sum of squared gradients (Duchi et al., 2011).

    ``torch.optim.Adagrad``.
    """

    example = "adagrad(lr = 0.01)"
    torch_class = "torch.optim.Adagrad"

    lr: float = rate(1e-2)
    lr_decay: float = number(default=0.0, minimum=0.0, doc="decay of the learning rate a step")
    weight_decay: float = decay()
    eps: float = number(default=1e-10, above=0.0, doc="keeps from dividing by 0")
    no_decay: Selection = spared()


@technique("adadelta")
class Adadelta(Optimizer):
    """Adagrad over a window, in the units of the parameters (Zeiler, 2012).

    ``torch.optim.Adadelta``.
    """

    example = "adadelta"
    torch_class = "torch.optim.Adadelta"

    lr: float = rate(1.0)
    rho: float = probability(default=0.9, doc="decay of the mean of squares")
    eps: float = number(default=1e-6, above=0.0, doc="keeps from dividing by 0")
    weight_decay: float = decay()
    no_decay: Selection = spared()


@technique("rmsprop")
class RMSprop(Optimizer):
    """Steps by the root of the mean of squares (Tieleman & Hinton, 2012).

    ``torch.optim.RMSprop``.
    """

    example = "rmsprop(lr = 1e-3)"
    torch_class = "torch.optim.RMSprop"

    lr: float = rate(1e-2)
    alpha: float = probability(default=0.99, doc="decay of the mean of squares")
    eps: float = number(default=1e-8, above=0.0, doc="keeps from dividing by 0")
    weight_decay: float = decay()
    momentum: float = number(default=0.0, minimum=0.0, doc="share of the last step that goes on")
    centered: bool = flag(default=False, doc="whether by the variance, not the mean of squares")
    no_decay: Selection = spared()


@technique("adam")
class Adam(Optimizer):
    """Running means of gradient and square (Kingma & Ba, 2015).

    ``torch.optim.Adam``.

    Its weight_decay is an l2 penalty that passes through the scaling; adamw's is not.
    """

    example = "adam(lr = 1e-3)"
    torch_class = "torch.optim.Adam"

    lr: float = rate(1e-3)
    betas: tuple[float, float] = betas((0.9, 0.999))
    eps: float = number(default=1e-8, above=0.0, doc="keeps from dividing by 0")
    weight_decay: float = decay()
    amsgrad: bool = flag(default=False, doc="whether by the largest mean so far")
    no_decay: Selection = spared()


@technique("adamw")
class AdamW(Optimizer):
    """Adam with weight decay apart from the gradient (Loshchilov & Hutter, 2019).

    ``torch.optim.AdamW``.
    """

    example = "adamw(lr = 1e-3, weight_decay = 0.05, no_decay = (biases, norms))"
    torch_class = "torch.optim.AdamW"

    lr: float = rate(1e-3)
    betas: tuple[float, float] = betas((0.9, 0.999))
    eps: float = number(default=1e-8, above=0.0, doc="keeps from dividing by 0")
    weight_decay: float = decay(1e-2)
    amsgrad: bool = flag(default=False, doc="whether by the largest mean so far")
    no_decay: Selection = spared()


@technique("nadam")
class NAdam(Optimizer):
    """Adam with Nesterov's momentum (Dozat, 2016).

    ``torch.optim.NAdam``.
    """

    example = "nadam"
    torch_class = "torch.optim.NAdam"

    lr: float = rate(2e-3)
    betas: tuple[float, float] = betas((0.9, 0.999))
    eps: float = number(default=1e-8, above=0.0, doc="keeps from dividing by 0")
    weight_decay: float = decay()
    momentum_decay: float = number(default=4e-3, minimum=0.0, doc="decay of the momentum")
    no_decay: Selection = spared()


@technique("radam")
class RAdam(Optimizer):
    """Adam, its first steps rectified (Liu et al., 2020).

    ``torch.optim.RAdam``.
    """

    example = "radam"
    torch_class = "torch.optim.RAdam"

    lr: float = rate(1e-3)
    betas: tuple[float, float] = betas((0.9, 0.999))
    eps: float = number(default=1e-8, above=0.0, doc="keeps from dividing by 0")
    weight_decay: float = decay()
    no_decay: Selection = spared()


@technique("lbfgs")
class LBFGS(Optimizer):
    """Quasi-Newton with a limited memory (Liu & Nocedal, 1989).

    ``torch.optim.LBFGS``.

    For small networks and whole batches: it evaluates the loss several times a step.
    """

    example = "lbfgs(lr = 1)"
    torch_class = "torch.optim.LBFGS"
    by_closure = True

    lr: float = rate(1.0)
    max_iter: int = size(default=20, doc="iterations a step")
    history_size: int = size(default=100, doc="how many steps it remembers")
    line_search: str | None = optional(
        choice("strong_wolfe"), doc="how the length of a step is found"
    )
    no_decay: Selection = spared()

    def _more(self) -> str:
        search = ', line_search_fn="strong_wolfe"' if self.line_search else ""
        return keywords(self, "lr", "no_decay", "line_search") + search


@technique("lamb")
class LAMB(Optimizer):
    """Adam with steps in proportion to each layer's weights (You et al., 2020).

    Weight decay is part of the step that is scaled, and means are not corrected for their start,
    as in the paper's last version. From the package ``pytorch-optimizer``: ``archdsl[lamb]``.
    """

    example = "lamb(lr = 5e-3, weight_decay = 0.02, no_decay = (biases, norms))"
    torch_class = "pytorch_optimizer.Lamb"
    imports = ("import pytorch_optimizer",)
    extra = "pytorch_optimizer"

    lr: float = rate(1e-3)
    betas: tuple[float, float] = betas((0.9, 0.999))
    eps: float = number(default=1e-6, above=0.0, doc="keeps from dividing by 0")
    weight_decay: float = decay()
    no_decay: Selection = spared()

    def _more(self) -> str:
        # else the package corrects the mean of gradients for its start, and not that of squares
        plain = ", adam_debias=True"
        return super()._more() + (", weight_decouple=False" if self.weight_decay else "") + plain
