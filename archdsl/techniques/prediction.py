"""What is done beyond one forward pass when a trained network predicts."""

from __future__ import annotations

from archdsl.ops.arguments import size
from archdsl.techniques.technique import Technique, technique


class Predicting(Technique):
    """A way to predict."""

    kind = "prediction"


@technique("monte_carlo")
class MonteCarlo(Predicting):
    """Several passes with dropout at work: their mean, their spread, their entropy.

    Gal & Ghahramani, 2016.
    """

    example = "monte_carlo(50)"

    samples: int = size(default=30, minimum=2, doc="how many passes")
