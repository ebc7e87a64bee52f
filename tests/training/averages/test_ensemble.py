"""Networks that answer as one: means of probabilities, votes, and weights that come back."""

import itertools
from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.training.answers import Answer, answers_of
from archdsl.training.ensemble import Ensemble, members_in
from tests.training.harness import recipe_of

TEXT = """
network answer {
    input x: [4]
    x -> linear(LAST
}
train {
    loss: LOSS
    SETTINGS
}
"""


def members(text: str, count: int = 3) -> list[nn.Module]:
    """Networks with weights of their own."""
    found: list[nn.Module] = []
    for seed in range(count):
        torch.manual_seed(seed)
        found.append(archdsl.compile(archdsl.loads(text)).eval())
    return found


def text_of(last: str, loss: str, settings: str = "") -> str:
    return TEXT.replace("LAST", last).replace("LOSS", loss).replace("SETTINGS", settings)


def both(last: str, loss: str) -> tuple[list[Tensor], Tensor, Answer]:
    """What the members say, what their ensemble says, and how that is read."""
    text = text_of(last, loss)
    networks = members(text)
    answers = answers_of(recipe_of(text))
    x = 3 * torch.randn(50, 4)
    with torch.no_grad():
        return [n(x) for n in networks], Ensemble(networks, answers)(x), answers[0]


def test_scores_of_classes_become_the_logarithms_of_mean_probabilities() -> None:
    given, found, answer = both("5)", "cross_entropy")
    mean = torch.stack([g.softmax(1) for g in given]).mean(0)
    assert torch.allclose(found.exp(), mean, atol=1e-6)
    target = torch.randint(5, (50,))
    expected = -mean[torch.arange(50), target].log().mean()
    assert float(F.cross_entropy(found, target)) == pytest.approx(float(expected), rel=1e-5)
    assert torch.allclose(answer.probabilities(found), mean, atol=1e-6)


def test_log_probabilities_stay_such() -> None:
    given, found, _ = both("5) -> log_softmax", "nll")
    assert torch.allclose(found.exp(), torch.stack([g.exp() for g in given]).mean(0), atol=1e-6)
    assert torch.allclose(found.exp().sum(1), torch.ones(50))


@pytest.mark.parametrize("last", ["1)", "3)"])
def test_yes_and_no_have_the_mean_of_their_probabilities(last: str) -> None:
    given, found, answer = both(last, "binary_cross_entropy")
    mean = torch.stack([g.sigmoid() for g in given]).mean(0)
    assert torch.allclose(found.sigmoid(), mean, atol=1e-6)
    assert answer.kind == "binary"


def test_probabilities_have_their_mean() -> None:
    given, found, _ = both("1) -> sigmoid", "binary_cross_entropy")
    assert torch.allclose(found, torch.stack(given).mean(0))


def test_values_have_their_mean() -> None:
    given, found, answer = both("2)", "mse")
    assert torch.allclose(found, torch.stack(given).mean(0))
    assert answer.kind == "values"


def test_classes_each_with_a_yes_of_their_own() -> None:
    given, found, answer = both("5)", "binary_cross_entropy(one_hot = true)")
    assert torch.allclose(
        found.sigmoid(), torch.stack([g.sigmoid() for g in given]).mean(0), atol=1e-6
    )
    assert answer.kind == "classes"


def test_it_is_sure_of_nothing_that_overflows() -> None:
    answer = Answer("y", "classes")
    far = torch.tensor([[1e4, 0.0, -1e4]])
    assert torch.isfinite(answer.mean([far, -far])).all()
    assert torch.isfinite(Answer("y", "binary").mean([far, -far])).all()


class Fixed(nn.Module):
    """Says always the same."""

    def __init__(self, scores: Tensor) -> None:
        super().__init__()
        self.scores = scores

    def forward(self, x: Tensor) -> Tensor:
        return self.scores.expand(len(x), *self.scores.shape)


def voted(scores: Sequence[Tensor], answer: Answer) -> Tensor:
    networks = [Fixed(s) for s in scores]
    found: Tensor = Ensemble(networks, [answer], vote=True)(torch.empty(1, 1))
    return found[0]


@given(st.integers(2, 5), st.integers(2, 4), st.integers(0, 999))
def test_the_class_that_most_choose_wins_and_probabilities_decide_between_equals(
    count: int, kinds: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    scores = [3 * torch.randn(kinds, generator=generator) for _ in range(count)]
    found = voted(scores, Answer("y", "classes"))
    votes = torch.stack([s.argmax() for s in scores]).bincount(minlength=kinds)
    best = (votes == votes.max()).nonzero().flatten().tolist()
    mean = torch.stack([s.softmax(0) for s in scores]).mean(0)
    assert int(found.argmax()) == max(best, key=lambda kind: float(mean[kind]))
    assert float(found.exp().sum()) == pytest.approx(1, abs=1e-5)
    assert torch.isfinite(found).all()  # so that a loss of it is finite


def test_a_majority_wins_over_one_who_is_surer() -> None:
    sure, unsure = torch.tensor([9.0, 0.0]), torch.tensor([0.0, 0.1])
    classes = Answer("y", "classes")
    assert int(voted([sure, unsure, unsure], classes).argmax()) == 1
    assert int(classes.mean([s[None] for s in (sure, unsure, unsure)]).argmax()) == 0
    yes = voted(
        [torch.tensor([9.0]), torch.tensor([-0.1]), torch.tensor([-0.1])], Answer("y", "binary")
    )
    assert float(yes) < 0


def test_several_outputs_come_back_under_their_names() -> None:
    text = """
    network several {
        input x: [4, 6]
        x -> linear(3) as words
        x -> flatten -> linear(1) as price
        x -> flatten -> linear(5) -> log_softmax as kind
        x -> flatten -> linear(5) -> log_softmax as aux
        output words, price, kind
        output aux in training
    }
    train {
        loss: cross_entropy(words, tags) + mse(price, cost) + nll(kind, label) + nll(aux, label)
    }
    """
    networks, answers = members(text), answers_of(recipe_of(text))
    assert [(a.output, a.kind, a.axis, a.like) for a in answers] == [
        ("words", "classes", 2, "tags"),
        ("price", "values", 1, "cost"),
        ("kind", "classes", 1, "label"),
    ]
    x = torch.randn(7, 4, 6)
    every = [n(x) for n in networks]
    found = Ensemble(networks, answers)(x)
    assert type(found)._fields == ("words", "price", "kind")
    for name, axis in (("words", 2), ("kind", 1)):
        mean = torch.stack([getattr(g, name).softmax(axis) for g in every]).mean(0)
        assert torch.allclose(getattr(found, name).exp(), mean, atol=1e-6)
    assert torch.allclose(found.price, torch.stack([g.price for g in every]).mean(0))


@pytest.mark.parametrize(
    ("body", "loss", "expected"),
    [
        ("[3, 8, 8]", "conv(4, 1)|cross_entropy", ("classes", "scores", 1)),
        ("[3, 8, 8]", "conv(4, 1)|dice", ("classes", "scores", 1)),
        ("[3, 8, 8]", "conv(1, 1)|dice", ("binary", "scores", 1)),
        ("[3, 8, 8]", "conv(3, 1)|mse(output, x)", ("values", "scores", 1)),
        (
            "[3, 8, 8]",
            "conv(3, 1)|0.1 * mse(output, x) + cross_entropy(output)",
            ("classes", "scores", 1),
        ),
        ("[6]", "linear(2)|hinge", ("values", "scores", 1)),
        ("[6]", "linear(2) -> sigmoid|bce", ("binary", "probabilities", 1)),
    ],
)
def test_an_output_is_read_as_its_loss_reads_it(
    body: str, loss: str, expected: tuple[str, str, int]
) -> None:
    layers, formula = loss.split("|")
    text = f"network n {{ input x: {body}\n x -> {layers} }}\ntrain {{ loss: {formula} }}"
    (answer,) = answers_of(recipe_of(text))
    assert (answer.kind, answer.form, answer.axis) == expected


@pytest.mark.parametrize(
    ("settings", "counts"),
    [
        ("ensemble: 3", (3,)),
        ("ensemble: vote(2)", (2,)),
        ("average: snapshots(2)\n schedule: cosine(cycles = 2)", (2,)),
        ("ensemble: 2\n average: snapshots(3)\n schedule: cosine(cycles = 3)", (2, 3)),
        ("", ()),
    ],
)
def test_its_weights_come_back(settings: str, counts: tuple[int, ...]) -> None:
    spec = text_of("5)", "cross_entropy", settings)
    recipe = recipe_of(spec)
    singles = iter(members(spec, 6))
    answers, vote = answers_of(recipe), "vote" in settings

    def whole(levels: tuple[int, ...], *, vote: bool) -> nn.Module:
        if not levels:
            return next(singles)
        inner = [whole(levels[1:], vote=False) for _ in range(levels[0])]
        return Ensemble(inner, answers, vote=vote)

    network = whole(counts, vote=vote)
    seeds = itertools.count(100)

    def make(state: object) -> nn.Module:
        torch.manual_seed(next(seeds))
        return archdsl.compile(archdsl.loads(spec), weights=state)  # type: ignore[arg-type]

    again = members_in(recipe, network.state_dict(), make).eval()
    x = torch.randn(5, 4)
    assert torch.equal(again(x), network(x))
    assert next(seeds) == 100 + (torch.tensor(counts).prod() if counts else 1)


def test_weights_of_one_network_are_no_ensemble() -> None:
    recipe = recipe_of(text_of("5)", "cross_entropy", "ensemble: 3"))
    with pytest.raises(ArchError, match="of one network, and an ensemble is asked for"):
        members_in(recipe, {"linear1.weight": torch.zeros(5, 4)}, lambda _: nn.Identity())
