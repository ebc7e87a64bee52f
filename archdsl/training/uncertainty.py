"""What several passes through a network say together: their mean, their spread, their entropy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.backends.torch_optimize.dropouts import DROPOUTS
from archdsl.training.answers import Answer, tensors_of
from archdsl.training.ensemble import Ensemble
from archdsl.training.seeds import seed_from

# What drops at random: torch's modules, and the classes that a network's source has of its own.
_DROPOUTS = (
    *DROPOUTS,
    nn.MultiheadAttention,
    nn.RNNBase,
    nn.TransformerEncoderLayer,  # in evaluation it takes a way on which nothing drops
)
_OWN_DROPOUTS = frozenset({"DropPath", "DropConnect"})


def drops_at_random(module: nn.Module) -> bool:
    """Whether a module drops something while it trains."""
    if isinstance(module, (nn.MultiheadAttention, nn.RNNBase)):
        return bool(module.dropout)
    return isinstance(module, _DROPOUTS) or type(module).__name__ in _OWN_DROPOUTS


@contextmanager
def dropout_at_work(network: nn.Module) -> Iterator[None]:
    """Within, the network is in evaluation, but for what drops at random."""
    modes = {module: module.training for module in network.modules()}
    network.eval()
    for module in network.modules():
        if drops_at_random(module):
            module.training = True  # of itself alone: what is inside is asked in its turn
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


@contextmanager
def own_randomness(seed: int, device: torch.device) -> Iterator[None]:
    """Within, torch draws from a seed; what it would have drawn without, it draws afterwards."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed_from(seed, "predict"))
        yield


@dataclass
class Passes:
    """Sums up the passes of one batch for one output, pass by pass (Welford, 1962)."""

    answer: Answer
    count: int = 0
    mean: Tensor = field(default_factory=lambda: torch.zeros(()))
    squares: Tensor = field(default_factory=lambda: torch.zeros(()))
    entropies: Tensor | None = None

    def add(self, output: Tensor) -> None:
        """Take what one pass gave."""
        values = self.answer.probabilities(output.detach()).double()
        self.count += 1
        apart = values - self.mean
        self.mean = self.mean + apart / self.count
        self.squares = self.squares + apart * (values - self.mean)
        entropy = entropy_of(self.answer, values)
        if entropy is not None:
            self.entropies = entropy if self.entropies is None else self.entropies + entropy

    @property
    def spread(self) -> Tensor:
        """The standard deviation over the passes."""
        return (self.squares / max(1, self.count - 1)).sqrt()

    @property
    def information(self) -> Tensor | None:
        """What the passes disagree about: the entropy of the mean, less the mean entropy.

        The mutual information between prediction and weights (Houlsby et al., 2011), in nats.
        """
        entropy = entropy_of(self.answer, self.mean)
        if entropy is None or self.entropies is None:
            return None
        return (entropy - self.entropies / self.count).clamp(min=0)


def entropy_of(answer: Answer, probabilities: Tensor) -> Tensor | None:
    """How undecided probabilities are, in nats; values are not."""
    if answer.kind == "values":
        return None
    if answer.kind == "binary":
        return _entropies(probabilities) + _entropies(1 - probabilities)
    if not answer.exclusive:
        total = probabilities.sum(answer.axis, keepdim=True)
        probabilities = probabilities / total.clamp(min=torch.finfo(total.dtype).tiny)
    return _entropies(probabilities).sum(answer.axis)


def _entropies(probabilities: Tensor) -> Tensor:
    """-p log p, and 0 at 0."""
    return -torch.xlogy(probabilities, probabilities)


def several_passes(
    network: nn.Module, inputs: Sequence[Tensor], answers: Sequence[Answer], samples: int
) -> tuple[Passes, ...] | None:
    """What several passes say: as many with dropout at work, else one for each of an ensemble.

    None where there is only one.
    """
    if samples:
        with dropout_at_work(network):
            return _added((network(*inputs) for _ in range(samples)), answers)
    if isinstance(network, Ensemble):
        return _added((member(*inputs) for member in network.members), answers)
    return None


def _added(given: Iterable[Any], answers: Sequence[Answer]) -> tuple[Passes, ...]:
    passes = tuple(map(Passes, answers))
    for output in given:
        for one, tensor in zip(passes, tensors_of(output), strict=True):
            one.add(tensor)
    return passes
