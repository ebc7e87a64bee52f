"""What a ``train`` block says, as frozen records."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.ops.op import Tensor
from archdsl.recipes.demands import Demands
from archdsl.recipes.parts import Part
from archdsl.techniques.averages import Average, Ensemble
from archdsl.techniques.clipping import Clipping
from archdsl.techniques.constraints import Constraint
from archdsl.techniques.data import DataSettings, DataSource, Normalize
from archdsl.techniques.initializations import Initialization
from archdsl.techniques.losses import Loss, Prediction, Wanted
from archdsl.techniques.metrics import Metric
from archdsl.techniques.mixing import Mixing
from archdsl.techniques.optimizers import SGD, Optimizer
from archdsl.techniques.penalties import Penalty
from archdsl.techniques.prediction import Predicting
from archdsl.techniques.reparametrizations import Reparametrization
from archdsl.techniques.schedules import Constant, Schedule
from archdsl.techniques.selection import Selection
from archdsl.techniques.stopping import Patience, Stopping
from archdsl.techniques.transforms import Transform

T = TypeVar("T")


@dataclass(frozen=True)
class Stage(Generic[T]):
    """A value from an epoch on (counted from 0): one part of ``a then b at epoch n``."""

    value: T
    start: int = 0


@dataclass(frozen=True)
class Operand:
    """A tensor that a term of the loss takes: an output or input of the network, or a target."""

    name: str
    origin: str
    """``"output"``, ``"input"`` or ``"target"``."""
    training: bool = False
    """Whether the network gives it in training alone."""
    prediction: Prediction | None = None


@dataclass(frozen=True)
class Term:
    """One term of the loss: a factor times a loss of tensors, or times a penalty."""

    name: str
    """As it is logged: ``mse(aux)``, ``l2(weights)``."""
    factor: float
    technique: Loss | Penalty
    operands: tuple[Operand, ...] = ()

    @property
    def of_data(self) -> bool:
        """Whether it hangs on the data, not on the parameters alone."""
        return isinstance(self.technique, Loss)

    @property
    def in_training(self) -> bool:
        """Whether only training has the tensors for it."""
        return any(operand.training for operand in self.operands)

    def __str__(self) -> str:
        return self.name if self.factor == 1 else f"{self.factor:g} * {self.name}"


@dataclass(frozen=True)
class Measured:
    """A metric of one output against its target."""

    name: str
    """As it is logged: ``accuracy``, or ``accuracy(kind)`` where there are several."""
    metric: Metric
    code: str
    """The expression that makes it."""
    prediction: Operand
    target: Operand
    given: tuple[str, str] = ("{0}", "{1}")
    """What it is given: expressions of the prediction ``{0}`` and the target ``{1}``."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained. What a block leaves out is as it stands here."""

    network: str
    loss: tuple[Term, ...]
    name: str = ""
    doc: str = ""
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    """What the network takes, by name, in order."""
    demands: Demands = field(default_factory=Demands, repr=False)
    """What it asks of them beyond their types."""
    parts: tuple[Part, ...] = field(default=(), repr=False)
    """The layers that training acts on."""
    outputs: tuple[str, ...] = ()
    """What the network gives, in order; those in training alone last."""
    auxiliary: tuple[str, ...] = ()
    """Those of them that it gives in training alone."""
    least_batch: int = 1
    """The samples that a batch must have for training, of each process."""
    untaught: tuple[str, ...] = ()
    """Those that no loss reaches: what leads to them alone gets no gradient."""
    targets: Mapping[str, Wanted] = field(default_factory=dict)
    """What the losses need of the data, by name."""
    metrics: tuple[Measured, ...] = ()
    optimizer: Optimizer = field(default_factory=lambda: SGD(lr=0.01, momentum=0.9))
    layer_lr: tuple[tuple[Selection, float], ...] = ()
    """Learning rates of parts of the network, as factors of the optimizer's."""
    schedule: tuple[Stage[Schedule], ...] = ()
    epochs: int = 10
    batch_size: int = 32
    accumulate: int = 1
    """Batches whose gradients are summed before a step."""
    clip: Clipping | None = None
    constraints: tuple[Constraint, ...] = ()
    augment: tuple[Transform | Mixing, ...] = ()
    initialize: tuple[Initialization, ...] = ()
    reparametrize: Reparametrization | None = None
    """What weights are made of while they are trained."""
    weights: str | None = None
    """A file of weights to start from: what matches is taken."""
    freeze: tuple[Stage[Selection], ...] = ()
    dropout: tuple[Stage[bool], ...] = ()
    """Whether dropout is at work, from epoch to epoch."""
    early_stopping: Stopping | None = None
    monitor: str | None = None
    """What best is judged by; without it nothing is, unless by patience, and ``val_loss`` is
    watched."""
    average: Average | None = None
    ensemble: Ensemble | None = None
    reestimate_batch_norm: bool = False
    predict: Predicting | None = None
    precision: str = "32"
    seed: int = 0
    data: DataSource | None = None
    split: tuple[float, float, float] = (0.8, 0.1, 0.1)
    normalize: Normalize = "none"
    normalize_targets: bool = False
    folds: int | None = None
    drop_last: bool = False
    """Whether a last batch that is not full is left out of training."""
    workers: int = 0
    strict: bool = False

    @property
    def watched(self) -> str:
        """What a schedule watches, and what tells the best epoch."""
        return self.monitor or "val_loss"

    @property
    def judged_by(self) -> str:
        """What the best epoch is judged by: patience may watch something of its own."""
        stopping = self.early_stopping
        return (stopping.monitor if isinstance(stopping, Patience) else None) or self.watched

    def better(self, logged: str) -> Literal["min", "max"]:
        """Whether less or more of a logged number is better: less of a loss, more of accuracy."""
        measured = logged.partition("_")[2]
        higher = any(m.name == measured and m.metric.higher_is_better for m in self.metrics)
        return "max" if higher else "min"

    @property
    def rates(self) -> tuple[Stage[Schedule], ...]:
        """The schedule; and the rate at which an average holds it, from where that begins."""
        held = self.average.held_rate(self.epochs) if self.average else None
        if held is None:
            return self.schedule
        first, lr = held
        before = tuple(s for s in self.schedule if s.start < first)
        unchanged = (Stage[Schedule](Constant()),) if first else ()
        return (*(before or unchanged), Stage[Schedule](Constant(lr), first))

    def __post_init__(self) -> None:
        for name, (words, fits) in _VALUES.items():
            value = getattr(self, name)
            if fits(value):
                continue
            message = f"{name} of a recipe is {words}, not {value!r}"
            help = f'archdsl.recipe(target, settings={{"{name}": "…"}}) reads what a block may say'
            raise ArchError([Diagnostic("bad-setting", message, help=help)])

    def data_settings(self, fold: int = 0) -> DataSettings:
        """How its data is split, scaled and served."""
        return DataSettings(
            batch_size=self.batch_size,
            split=self.split,
            seed=self.seed,
            normalize=self.normalize,
            normalize_targets=self.normalize_targets,
            folds=self.folds,
            fold=fold,
            workers=self.workers,
            drop_last=self.drop_last,
            strict=self.strict,
        )

    def replace(self, **changes: Any) -> Recipe:
        """The same with other settings: ``recipe.replace(epochs=5)``.

        Raises TypeError for a name that is none, ArchError for a value that cannot be.
        """
        return replace(self, **changes)


# What a field may hold --------------------------------------------------------------------

Check = tuple[str, Callable[[Any], bool]]
"""What a field holds, in words, and whether a value is that."""


def _whole(least: int) -> Check:
    def fits(value: Any) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= least

    return f"a whole number of at least {least}", fits


def _one(*kinds: type) -> Check:
    words = " or ".join(f"a record of {kind.__name__}" for kind in kinds)
    return words, lambda value: isinstance(value, kinds)


def _all(*kinds: type) -> Check:
    words = " or ".join(kind.__name__ for kind in kinds)
    return (
        f"a tuple of {words}",
        lambda value: isinstance(value, tuple) and all(isinstance(v, kinds) for v in value),
    )


def _stages(kind: type) -> Check:
    return (
        f"a tuple of Stage, each of {kind.__name__}",
        lambda value: (
            isinstance(value, tuple)
            and all(isinstance(s, Stage) and isinstance(s.value, kind) for s in value)
        ),
    )


def _or_none(check: Check) -> Check:
    words, fits = check
    return f"{words}, or None", lambda value: value is None or fits(value)


def _word(*known: str) -> Check:
    return " or ".join(map(repr, known)), lambda value: isinstance(value, str) and value in known


def _three_shares(value: Any) -> bool:
    numbers = isinstance(value, tuple) and all(isinstance(v, int | float) for v in value)
    return (
        numbers and len(value) == 3 and min(value) >= 0 < value[0] and abs(sum(value) - 1) <= 1e-6
    )


def _pairs(value: Any) -> bool:
    return isinstance(value, tuple) and all(
        isinstance(pair, tuple) and len(pair) == 2 and isinstance(pair[0], Selection)
        for pair in value
    )


_TEXT: Check = ("a text", lambda value: isinstance(value, str))
_FLAG: Check = ("True or False", lambda value: isinstance(value, bool))
_VALUES: dict[str, Check] = {
    "loss": _all(Term),
    "metrics": _all(Measured),
    "optimizer": _one(Optimizer),
    "layer_lr": ("a tuple of selections with their factors", _pairs),
    "schedule": _stages(Schedule),
    "epochs": _whole(1),
    "batch_size": _whole(1),
    "least_batch": _whole(1),
    "accumulate": _whole(1),
    "clip": _or_none(_one(Clipping)),
    "constraints": _all(Constraint),
    "augment": _all(Transform, Mixing),
    "initialize": _all(Initialization),
    "reparametrize": _or_none(_one(Reparametrization)),
    "weights": _or_none(_TEXT),
    "freeze": _stages(Selection),
    "dropout": _stages(bool),
    "early_stopping": _or_none(_one(Stopping)),
    "monitor": _or_none(_TEXT),
    "average": _or_none(_one(Average)),
    "ensemble": _or_none(_one(Ensemble)),
    "reestimate_batch_norm": _FLAG,
    "predict": _or_none(_one(Predicting)),
    "precision": _word("32", "bf16-mixed", "16-mixed", "64"),
    "seed": _whole(0),
    "data": _or_none(_one(DataSource)),
    "split": ("three shares that sum to 1", _three_shares),
    "normalize": _word("none", "standard", "unit"),
    "normalize_targets": _FLAG,
    "folds": _or_none(_whole(2)),
    "drop_last": _FLAG,
    "workers": _whole(0),
    "strict": _FLAG,
}
