"""Schedules: how the learning rate goes on, counted in epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from archdsl.ops.arguments import choice, flag, number, size, whole_list
from archdsl.ops.torch_text import Code
from archdsl.techniques.technique import Technique, technique


@dataclass(frozen=True)
class Phase:
    """The part of a run in which a schedule is at work, as source text.

    It lasts from one epoch to another, or where ``end`` is None until the run ends: after as many
    epochs as the text calls ``epochs``. ``steps`` is what the number of steps an epoch is called
    where the rate changes after every step, and empty where it changes after every epoch; ``lr``
    is the optimizer's learning rate; ``better`` is what of the monitored number is so.
    """

    start: float
    end: float | None
    steps: str
    lr: float
    better: Literal["min", "max"] = "min"

    @property
    def clock(self) -> str:
        """What is counted from the run's beginning."""
        return "step" if self.steps else "epoch"

    @property
    def time(self) -> str:
        """What has passed of the phase."""
        return f"({self.clock} - {self.ticks(self.start)})" if self.start else self.clock

    @property
    def length(self) -> str:
        """How long the phase lasts, as an operand."""
        return operand(self.lasts())

    def lasts(self, parts: int = 1) -> str:
        """How long the phase lasts, or each of so many parts of it; the last may be cut short."""
        if self.end is not None:
            epochs = self.end - self.start
            return self.ticks(epochs if parts == 1 else -(-epochs // parts))
        start = round(self.start) if float(self.start).is_integer() else self.start
        text = f"(epochs - {start})" if start else "epochs"
        whole = parts > 1 or isinstance(start, int)
        if parts > 1:
            text = f"-(-{text} // {parts})"
        if self.steps:
            text = f"{text} * {self.steps}"
        text = text if whole else f"round({text})"
        # who asks for a shorter run than the phase begins at still gets a number
        return f"max(1, {_bare(text)})" if start else text

    def ticks(self, epochs: float) -> str:
        """A number of epochs, as the clock counts."""
        if not self.steps:
            return f"{round(epochs)}"
        if float(epochs).is_integer():
            return f"{round(epochs)} * {self.steps}" if epochs != 1 else self.steps
        return f"round({epochs!r} * {self.steps})"


def operand(text: str) -> str:
    """An expression as it may stand behind a division."""
    called = text.startswith(("round(", "max("))
    return f"({text})" if (" * " in text or text.startswith("-")) and not called else text


def _bare(text: str) -> str:
    """An expression without parentheses around the whole of it."""
    return text[1:-1] if text.startswith("(") and text.find(")") == len(text) - 1 else text


class Schedule(Technique):
    """How the learning rate goes on: as a scheduler of torch, or as a formula.

    ``scheduler`` is the expression of torch's class, for ``optimizer``, where it is at work for a
    whole run; ``share`` that of the share of the learning rate at a time, where it is one part.
    """

    kind = "schedule"
    by_step: ClassVar[bool] = False
    """Whether the rate changes after every step, not after every epoch."""
    watches: ClassVar[bool] = False
    """Whether it hangs on what was measured: it then stands alone."""
    over_the_run: ClassVar[bool] = False
    """Whether it is drawn out over its part of the run: a longer run has other rates."""
    warmup: float = 0.0

    def scheduler(self, phase: Phase) -> str:
        """Empty where torch has no class for it alone."""
        return ""

    def share(self, phase: Phase) -> Code:
        raise TypeError(f"{self.name} has no formula")


def warmup() -> float:
    """The epochs in which the rate climbs from nearly 0; parts of one are counted in steps."""
    return number(default=0, minimum=0.0, doc="epochs in which the rate climbs to its value first")  # type: ignore[no-any-return]  # a field's description stands for its value


@technique("constant")
class Constant(Schedule):
    """The learning rate stays; or is the one given here."""

    example = "cosine then constant(1e-4) at epoch 80"

    lr: float = number(default=0.0, minimum=0.0, doc="the rate; 0 means the optimizer's")
    warmup: float = warmup()

    def share(self, phase: Phase) -> Code:
        return Code(f"{self.lr!r} / {phase.lr!r}" if self.lr else "1.0")


@technique("step")
class Step(Schedule):
    """Times gamma every so many epochs, counted from where it begins.

    ``StepLR``.
    """

    example = "step(30, gamma = 0.1)"

    every: int = size(doc="epochs between two steps")
    gamma: float = number(default=0.1, above=0.0, doc="factor of a step")
    warmup: float = warmup()

    def scheduler(self, phase: Phase) -> str:
        return f"StepLR(optimizer, step_size={self.every}, gamma={self.gamma!r})"

    def share(self, phase: Phase) -> Code:
        every = operand(phase.ticks(self.every))
        return Code(f"{self.gamma!r} ** ({phase.time} // {every})")


@technique("multi_step")
class MultiStep(Schedule):
    """Times gamma at each of the epochs that are listed, of the whole run.

    ``MultiStepLR``.
    """

    example = "multi_step([30, 60, 80])"

    at: tuple[int, ...] = whole_list(doc="the epochs")
    gamma: float = number(default=0.1, above=0.0, doc="factor of a step")
    warmup: float = warmup()

    def scheduler(self, phase: Phase) -> str:
        at = ", ".join(map(str, self.at))
        return f"MultiStepLR(optimizer, milestones=[{at}], gamma={self.gamma!r})"

    def share(self, phase: Phase) -> Code:
        at = ", ".join(map(str, self.at)) + "," * (len(self.at) == 1)
        of = f" * {phase.steps}" if phase.steps else ""
        return Code(f"{self.gamma!r} ** sum({phase.clock} >= at{of} for at in ({at}))")


@technique("exponential")
class Exponential(Schedule):
    """Times gamma after every epoch.

    ``ExponentialLR``.
    """

    example = "exponential(0.95)"

    gamma: float = number(above=0.0, doc="factor of an epoch")
    warmup: float = warmup()

    def scheduler(self, phase: Phase) -> str:
        return f"ExponentialLR(optimizer, gamma={self.gamma!r})"

    def share(self, phase: Phase) -> Code:
        epochs = f"({phase.time} / {phase.steps})" if phase.steps else phase.time
        return Code(f"{self.gamma!r} ** {epochs}")


@technique("linear")
class Linear(Schedule):
    """Falls in a straight line to a share of the learning rate at the end.

    ``LinearLR``.
    """

    example = "linear(to = 0.01)"
    over_the_run = True

    to: float = number(default=0.0, minimum=0.0, maximum=1.0, doc="the share at the end")
    warmup: float = warmup()

    def scheduler(self, phase: Phase) -> str:
        return (
            f"LinearLR(optimizer, start_factor=1.0, end_factor={self.to!r}, "
            f"total_iters={phase.length})"
        )

    def share(self, phase: Phase) -> Code:
        fall = f"{1 - self.to!r} * " if self.to else ""
        return Code(f"1 - {fall}{phase.time} / {phase.length}")


HALF_COSINE = '''\
def half_cosine(share: float) -> float:
    """From 1 to 0 along half a cosine (Loshchilov & Hutter, 2017)."""
    return (1 + math.cos(math.pi * share)) / 2
'''


@technique("cosine")
class Cosine(Schedule):
    """Falls along half a cosine (Loshchilov & Hutter, 2017).

    ``CosineAnnealingLR``.

    With ``cycles`` it starts again at the full rate, so many times:
    ``CosineAnnealingWarmRestarts``.
    """

    example = "cosine(warmup = 5)"
    over_the_run = True

    warmup: float = warmup()
    lowest: float = number(default=0.0, minimum=0.0, doc="the rate at the end")
    cycles: int = size(default=1, doc="how many times it falls")

    def scheduler(self, phase: Phase) -> str:
        lowest = f", eta_min={self.lowest!r}" if self.lowest else ""
        if self.cycles == 1:
            return f"CosineAnnealingLR(optimizer, T_max={phase.length}{lowest})"
        return f"CosineAnnealingWarmRestarts(optimizer, T_0={phase.lasts(self.cycles)}{lowest})"

    def share(self, phase: Phase) -> Code:
        time, length = phase.time, phase.length
        if self.cycles > 1:
            length = operand(phase.lasts(self.cycles))
            time = f"({time} % {length})"
        text = f"half_cosine({time} / {length})"
        if self.lowest:
            lowest = self.lowest / phase.lr
            text = f"{lowest!r} + {1 - lowest!r} * {text}"
        return Code(text, helpers={"half_cosine": HALF_COSINE}, imports=("import math",))


ONE_CYCLE = '''\
def one_cycle(step: int, steps: int, rise: float, start: float, end: float) -> float:
    """The share of the highest rate at a step of the cycle (Smith & Topin, 2018)."""
    top = rise * steps - 1
    if step < top:
        return anneal(1 / start, 1, step / top)
    return anneal(1, 1 / (start * end), (step - top) / (steps - 1 - top))
'''

ANNEAL = {
    "cos": '''\
def anneal(first: float, last: float, share: float) -> float:
    """From one number to another along half a cosine."""
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
''',
    "linear": '''\
def anneal(first: float, last: float, share: float) -> float:
    """From one number to another along a line."""
    return first + (last - first) * share
''',
}


@technique("one_cycle")
class OneCycle(Schedule):
    """Up to the learning rate and down again, step by step.

    ``OneCycleLR``.

    Smith & Topin, 2018. The optimizer's learning rate is the highest.
    """

    example = "one_cycle(rise = 0.3)"
    by_step = True
    over_the_run = True

    rise: float = number(
        default=0.3, above=0.0, maximum=0.9, doc="share of the run in which it climbs"
    )
    shape: str = choice("cos", "linear", default="cos", doc="along a cosine or a line")
    start: float = number(default=25.0, above=1.0, doc="the highest rate over the first")
    end: float = number(default=1e4, above=1.0, doc="the first rate over the last")
    cycle_momentum: bool = flag(
        default=False, doc="whether momentum goes from 0.95 to 0.85 and back"
    )

    def scheduler(self, phase: Phase) -> str:
        return (
            'OneCycleLR(optimizer, max_lr=[g["lr"] for g in optimizer.param_groups], '
            f"total_steps={phase.lasts()}, pct_start={self.rise!r}, "
            f'anneal_strategy="{self.shape}", cycle_momentum={self.cycle_momentum}, '
            f"div_factor={self.start!r}, final_div_factor={self.end!r})"
        )

    def share(self, phase: Phase) -> Code:
        length = phase.lasts()
        time = phase.time.removeprefix("(").removesuffix(")")
        return Code(
            f"one_cycle({time}, {length}, {self.rise!r}, {self.start!r}, {self.end!r})",
            helpers={"anneal": ANNEAL[self.shape], "one_cycle": ONE_CYCLE},
            imports=("import math",) if self.shape == "cos" else (),
        )


@technique("plateau")
class Plateau(Schedule):
    """Times gamma when what is monitored has not bettered for so many epochs.

    ``ReduceLROnPlateau``.
    """

    example = "plateau(patience = 5, gamma = 0.5)"
    watches = True

    patience: int = size(default=10, minimum=0, doc="epochs without improvement that are borne")
    gamma: float = number(default=0.1, above=0.0, maximum=1.0, doc="factor of a step")
    lowest: float = number(default=0.0, minimum=0.0, doc="the rate below which it does not go")

    def scheduler(self, phase: Phase) -> str:
        mode = f', mode="{phase.better}"' if phase.better != "min" else ""
        lowest = f", min_lr={self.lowest!r}" if self.lowest else ""
        return (
            f"ReduceLROnPlateau(optimizer{mode}, factor={self.gamma!r}, "
            f"patience={self.patience}{lowest})"
        )
