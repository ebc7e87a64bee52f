"""Several networks that answer as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.recipes import Recipe
from archdsl.techniques.averages import Snapshots, Voted
from archdsl.training.answers import Answer, answers_of, tensors_of

_MEMBERS = "members"


class Ensemble(nn.Module):
    """Networks of one kind, and what they say together, in the form in which each would say it.

    Scores of classes become the logarithms of mean probabilities, so that a loss and a metric read
    them as they read a member's; values become their mean. Where they ``vote``, the class that
    most choose has the highest score, and mean probabilities decide between equals.
    """

    def __init__(
        self, members: Sequence[nn.Module], answers: Sequence[Answer], *, vote: bool = False
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.answers = tuple(answers)
        self.vote = vote
        self.train(members[0].training)

    def forward(self, *inputs: Any, **named: Any) -> Any:
        given = [member(*inputs, **named) for member in self.members]
        every = zip(*map(tensors_of, given), strict=True)
        combine = _voted if self.vote else _averaged
        # in training there may be more outputs, which have no answer: their mean
        answers = [*self.answers, *[Answer("")] * len(tensors_of(given[0]))]
        combined = [combine(a, tensors) for a, tensors in zip(answers, every, strict=False)]
        first = given[0]
        if isinstance(first, Tensor):
            return combined[0]
        return first._make(combined) if hasattr(first, "_make") else tuple(combined)

    def extra_repr(self) -> str:
        return "vote=True" if self.vote else ""


def single(network: nn.Module) -> nn.Module:
    """A network by itself; of an ensemble the first member."""
    while isinstance(network, Ensemble):
        network = network.members[0]
    return network


def _averaged(answer: Answer, answers: Sequence[Tensor]) -> Tensor:
    return answer.mean(answers)


def _voted(answer: Answer, answers: Sequence[Tensor]) -> Tensor:
    """The shares of the votes, and one vote more that is parted as the probabilities are.

    That one cannot turn a majority; it decides where there is none, and leaves no class at 0.
    """
    if answer.kind == "values" or not answers[0].is_floating_point():
        return answer.mean(answers)
    probabilities = torch.stack([answer.probabilities(a) for a in answers])
    if answer.kind == "binary":
        votes = (probabilities > 0.5).to(probabilities.dtype)
        share = (votes.sum(0) + probabilities.mean(0)) / (len(answers) + 1)
        return share if answer.form == "probabilities" else share.logit()
    axis = 1 + answer.axis
    votes = torch.zeros_like(probabilities)
    votes.scatter_(axis, probabilities.argmax(axis, keepdim=True), 1.0)
    share = (votes.sum(0) + probabilities.mean(0)) / (len(answers) + 1)
    if answer.form == "probabilities":
        return share
    return share.log() if answer.exclusive else share.logit()


def members_in(
    recipe: Recipe, state: Mapping[str, Tensor], make: Callable[[Mapping[str, Tensor]], nn.Module]
) -> nn.Module:
    """The network that a run of a recipe has given, with these weights: an ensemble, or one.

    ``make`` makes a single network with its weights.
    """
    votes = [isinstance(recipe.ensemble, Voted)] if recipe.ensemble else []
    if isinstance(recipe.average, Snapshots):
        votes.append(False)
    return _nested(votes, state, make, answers_of(recipe))


def _nested(
    votes: Sequence[bool],
    state: Mapping[str, Tensor],
    make: Callable[[Mapping[str, Tensor]], nn.Module],
    answers: Sequence[Answer],
) -> nn.Module:
    """Members of members, as many levels as there are ways to combine them."""
    if not votes:
        return make(state)
    parts: dict[int, dict[str, Tensor]] = {}
    for key, value in state.items():
        prefix, number, rest = (*key.split(".", 2), "", "")[:3]
        if prefix != _MEMBERS or not number.isdigit():
            raise _no_ensemble(key)
        parts.setdefault(int(number), {})[rest] = value
    members = [_nested(votes[1:], parts[number], make, answers) for number in sorted(parts)]
    return Ensemble(members, answers, vote=votes[0])


def _no_ensemble(key: str) -> ArchError:
    message = f"the weights {key} are of one network, and an ensemble is asked for"
    return ArchError([Diagnostic("bad-weights", message)])
