"""Averages of weights along a run."""

from __future__ import annotations

from typing import ClassVar

from archdsl.ops.arguments import number, probability, size
from archdsl.techniques.schedules import Cosine, Schedule
from archdsl.techniques.technique import Technique, technique


class Average(Technique):
    """An average of the weights that takes their place when the run ends."""

    kind = "average"
    over_the_run: ClassVar[bool] = False
    """Whether the epochs that it is taken at hang on how many there are."""

    def held_rate(self, epochs: int) -> tuple[int, float] | None:
        """The epoch from which it holds the learning rate, and at what, where it does."""
        return None


@technique("ema")
class EMA(Average):
    """An exponential moving average, after every step (Polyak & Juditsky, 1992).

    It begins with the weights after the first step, and is what validation judges.
    """

    example = "ema(0.999)"

    decay: float = probability(default=0.999, doc="the share of the average that stays at a step")


@technique("swa")
class SWA(Average):
    """Stochastic weight averaging: the mean over the last epochs (Izmailov et al., 2018).

    Batch norms are estimated anew for the average. Validation is of the network in training.
    """

    example = "swa(start = 0.75, lr = 0.01)"
    over_the_run = True

    start: float = probability(default=0.75, doc="share of the epochs before the first")
    lr: float = number(
        default=0.0, minimum=0.0, doc="the rate from then on; 0 means the schedule's"
    )

    def first(self, epochs: int) -> int:
        """The first epoch, counted from 0, whose weights are in the mean."""
        return min(round(self.start * epochs), epochs - 1)

    def held_rate(self, epochs: int) -> tuple[int, float] | None:
        return (self.first(epochs), self.lr) if self.lr else None


@technique("snapshots")
class Snapshots(Average):
    """The networks at the ends of a schedule's cycles, as an ensemble (Huang et al., 2017).

    The schedule is a cosine with as many cycles, or more: ``cosine(cycles = 5)``.
    """

    example = "snapshots(5)"
    over_the_run = True

    count: int = size(default=5, doc="how many of the last")

    def ends(self, schedule: Schedule | None, start: int, epochs: int) -> tuple[int, ...]:
        """The epochs, counted from 1, at whose ends the network is kept.

        ``schedule`` is the last of the run, and begins at epoch ``start``; without cycles, the run
        is one.
        """
        if not isinstance(schedule, Cosine):
            return (epochs,)
        begin = start + round(schedule.warmup)
        period = max(1, -(-(epochs - begin) // schedule.cycles))
        ends = [*range(begin + period, epochs, period), epochs]
        return tuple(ends[-self.count :])


class Ensemble(Technique):
    """Several networks from different seeds, which answer together."""

    kind = "ensemble"

    members: int


@technique("average")
class Averaged(Ensemble):
    """The mean of the members' predictions, of probabilities where they are classes."""

    example = "average(5)"

    members: int = size(default=5, minimum=2, doc="how many networks")


@technique("vote")
class Voted(Ensemble):
    """The class that most members choose."""

    example = "vote(5)"

    members: int = size(default=5, minimum=2, doc="how many networks")
