"""Initializations: what parameters hold before the first step."""

from __future__ import annotations

from typing import ClassVar

from archdsl.ops.arguments import choice, number
from archdsl.techniques.selection import Selection, selection
from archdsl.techniques.technique import Technique, technique


class Initialization(Technique):
    """Fills the selected parameters; ``code`` is an expression of ``{0}``, one parameter.

    Fans are counted as torch counts them: ``inputs`` are the second axis times the window's size.
    """

    kind = "initialization"
    rest = "of"
    least_rank: ClassVar[int] = 0
    """The fewest axes of a parameter that it can fill."""
    alike: ClassVar[bool] = False
    """Whether all units start alike, so that weights so filled never learn to differ."""

    of: Selection

    def code(self) -> str:
        raise TypeError(f"{self.name} has no PyTorch")


@technique("he")
class He(Initialization):
    """Normal, with variance 2 / inputs: for relu (He et al., 2015).

    ``kaiming_normal_``.
    """

    example = "he(conv, linear)"
    least_rank = 2

    of: Selection = selection(default="weights", doc="which parameters")
    mode: str = choice("fan_in", "fan_out", default="fan_in", doc="what the variance is kept of")

    def code(self) -> str:
        mode = f', mode="{self.mode}"' if self.mode != "fan_in" else ""
        return f'nn.init.kaiming_normal_({{0}}{mode}, nonlinearity="relu")'


@technique("xavier", "glorot")
class Xavier(Initialization):
    """Uniform, with variance 2 / (inputs + outputs).

    ``xavier_uniform_``.

    Glorot & Bengio, 2010.
    """

    example = "xavier(linear)"
    least_rank = 2

    of: Selection = selection(default="weights", doc="which parameters")
    gain: float = number(default=1.0, above=0.0, doc="a factor")

    def code(self) -> str:
        gain = f", gain={self.gain!r}" if self.gain != 1 else ""
        return f"nn.init.xavier_uniform_({{0}}{gain})"


@technique("orthogonal")
class Orthogonal(Initialization):
    """Rows or columns at right angles (Saxe et al., 2014).

    ``orthogonal_``.
    """

    example = "orthogonal(lstm)"
    least_rank = 2

    of: Selection = selection(default="weights", doc="which parameters")
    gain: float = number(default=1.0, above=0.0, doc="a factor")

    def code(self) -> str:
        gain = f", gain={self.gain!r}" if self.gain != 1 else ""
        return f"nn.init.orthogonal_({{0}}{gain})"


@technique("normal")
class Normal(Initialization):
    """Normal about 0.

    ``normal_``.
    """

    example = "normal(0.02, weights)"

    std: float = number(default=0.02, above=0.0, doc="standard deviation")
    of: Selection = selection(default="weights", doc="which parameters")

    def code(self) -> str:
        return f"nn.init.normal_({{0}}, std={self.std!r})"


@technique("uniform")
class Uniform(Initialization):
    """Uniform between -bound and bound.

    ``uniform_``.
    """

    example = "uniform(0.1, embedding)"

    bound: float = number(default=0.1, above=0.0, doc="the largest number")
    of: Selection = selection(default="weights", doc="which parameters")

    def code(self) -> str:
        return f"nn.init.uniform_({{0}}, {-self.bound!r}, {self.bound!r})"


@technique("zeros")
class Zeros(Initialization):
    """All 0. Of weights, the symmetry is then unbroken, and that is said."""

    example = "zeros(biases)"
    alike = True

    of: Selection = selection(default="biases", doc="which parameters")

    def code(self) -> str:
        return "nn.init.zeros_({0})"


@technique("constant")
class Constant(Initialization):
    """All the same number. Of weights, the symmetry is then unbroken, and that is said."""

    example = "constant(0.1, biases)"
    alike = True

    value: float = number(doc="the number")
    of: Selection = selection(default="biases", doc="which parameters")

    def code(self) -> str:
        return f"nn.init.constant_({{0}}, {self.value!r})"
