"""Monte-Carlo dropout against closed forms: mean, spread, entropy, what passes disagree about."""

import json
import math

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl.diagnostics import ArchError
from archdsl.recipes import Recipe
from archdsl.training.answers import Answer
from archdsl.training.ensemble import Ensemble
from archdsl.training.predicting import Predictions, predict
from archdsl.training.uncertainty import Passes, dropout_at_work, drops_at_random, own_randomness
from tests.training.harness import recipe_of


def network_and_recipe(
    body: str, loss: str, input: str = "[6]", settings: str = ""
) -> tuple[nn.Module, Recipe]:
    text = f"network n {{ input x: {input}\n {body} }}\ntrain {{ loss: {loss}\n{settings} }}"
    torch.manual_seed(0)
    return archdsl.compile(archdsl.loads(text)), recipe_of(text)


def one(predictions: dict[str, Predictions]) -> Predictions:
    (found,) = predictions.values()
    return found


def batch(x: Tensor) -> list[tuple[Tensor, tuple[()]]]:
    return [(x, ())]


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_of_a_linear_network_the_spread_is_the_binomial_one(p: float) -> None:
    """Of w · (m x) / (1 - p) the mean is w · x, and the variance the sum of w²x² p / (1 - p)."""
    network, recipe = network_and_recipe(f"x -> dropout({p}) -> linear(1)", "mse")
    x, samples = torch.randn(8, 6), 4000
    found = one(predict(network, batch(x), recipe, monte_carlo=samples))
    weight, bias = (p.detach() for p in network.parameters())
    mean = x @ weight.T + bias
    variance = ((weight * x).square() * p / (1 - p)).sum(1, keepdim=True)
    assert found.spread is not None
    z = (found.mean - mean) / (variance / samples).sqrt()
    assert float(z.abs().max()) < 4.5
    assert torch.allclose(found.spread, variance.sqrt(), rtol=0.08)
    assert found.entropy is None
    assert found.information is None


def test_of_passes_that_contradict_each_other_all_is_disagreement() -> None:
    passes = Passes(Answer("y", "classes", "probabilities"))
    passes.add(torch.tensor([[1.0, 0.0]]))
    passes.add(torch.tensor([[0.0, 1.0]]))
    assert passes.mean.tolist() == [[0.5, 0.5]]
    assert passes.information is not None
    assert float(passes.information) == pytest.approx(math.log(2))
    assert passes.spread.tolist() == [pytest.approx([math.sqrt(0.5)] * 2)]


def test_of_passes_that_agree_nothing_is_disagreement_however_unsure() -> None:
    passes = Passes(Answer("y", "classes", "probabilities"))
    for _ in range(5):
        passes.add(torch.tensor([[0.5, 0.3, 0.2]]))
    assert passes.information is not None
    assert float(passes.information) == pytest.approx(0, abs=1e-12)
    assert float(passes.spread.abs().max()) == pytest.approx(0, abs=1e-9)


def test_entropy_and_information_against_scipys() -> None:
    entropy = pytest.importorskip("scipy.stats").entropy
    generator = torch.Generator().manual_seed(0)
    shares = torch.randn(7, 5, 4, generator=generator, dtype=torch.float64).softmax(2)
    passes = Passes(Answer("y", "classes", "probabilities"))
    for share in shares:
        passes.add(share)
    mean = shares.mean(0)
    expected = entropy(mean.numpy(), axis=1) - entropy(shares.numpy(), axis=2).mean(0)
    assert passes.information is not None
    assert passes.information.numpy() == pytest.approx(expected)
    assert torch.allclose(passes.spread, shares.std(0))


def test_binary_entropy() -> None:
    network, recipe = network_and_recipe("x -> dropout(0.5) -> linear(1)", "bce")
    x = torch.randn(9, 6)
    found = one(predict(network, batch(x), recipe, monte_carlo=0))
    p = network.eval()(x).sigmoid().detach()
    expected = -(p * p.log2() + (1 - p) * (1 - p).log2()) * math.log(2)
    assert found.entropy is not None
    assert torch.allclose(found.entropy, expected, atol=1e-6)
    assert torch.equal(found.indices, (p > 0.5).long())


def test_predictive_entropy_is_that_of_the_mean() -> None:
    body = "x -> linear(16) -> relu -> dropout(0.5) -> linear(3)"
    network, recipe = network_and_recipe(body, "cross_entropy", settings="predict: monte_carlo(20)")
    found = one(predict(network, batch(torch.randn(30, 6)), recipe))
    assert found.entropy is not None
    assert found.information is not None
    expected = -(found.mean * found.mean.log()).sum(1)
    assert torch.allclose(found.entropy, expected, atol=1e-6)
    assert torch.allclose(found.mean.sum(1), torch.ones(30), atol=1e-6)
    assert bool((found.information > 0).all())
    assert bool((found.information < found.entropy + 1e-6).all())


def test_dropout_alone_is_as_in_training() -> None:
    body = "x -> linear(5) -> bn -> relu -> dropout(0.5) -> linear(2)"
    network, recipe = network_and_recipe(body, "cross_entropy")
    network(torch.randn(20, 6))  # the running means are somewhere
    before = {k: v.clone() for k, v in network.state_dict().items()}
    alone = one(predict(network, batch(torch.ones(1, 6)), recipe, monte_carlo=5))
    among = one(
        predict(
            network,
            batch(torch.cat([torch.ones(1, 6), torch.randn(9, 6)])),
            recipe,
            monte_carlo=2000,
        )
    )
    many = one(predict(network, batch(torch.ones(1, 6)), recipe, monte_carlo=2000))
    # were batch norms at work, what else is in the batch would matter; and one sample is an error
    assert torch.allclose(among.mean[0], many.mean[0], atol=0.03)
    assert len(alone) == 1
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name])
    assert network.training
    assert all(m.training for m in network.modules())


@pytest.mark.parametrize(
    ("input", "body"),
    [
        ("[6]", "x -> dropout(0.5) -> linear(3)"),
        ("[6]", "x -> alpha_dropout(0.5) -> linear(3)"),
        ("[6, 4]", "x -> feature_alpha_dropout(0.5) -> flatten -> linear(3)"),
        ("[6, 4, 4]", "x -> spatial_dropout(0.5) -> flatten -> linear(3)"),
        ("[6]", "x -> drop_path(0.5) -> linear(3)"),
        ("[6]", "x -> drop_connect(3, 0.5)"),
        ("[4, 6]", "x -> attention(2, dropout = 0.5) -> flatten -> linear(3)"),
        ("[4, 6]", "x -> lstm(5, num_layers = 2, dropout = 0.5) -> flatten -> linear(3)"),
    ],
)
def test_everything_that_drops_drops(input: str, body: str) -> None:
    network, recipe = network_and_recipe(body, "cross_entropy", input)
    x = torch.randn(3, *json.loads(input))
    found = one(predict(network, batch(x), recipe, monte_carlo=10))
    assert found.spread is not None
    assert float(found.spread.min()) > 1e-4
    still = one(predict(network, batch(x), recipe, monte_carlo=0))
    assert still.spread is None
    assert torch.allclose(still.mean, network.eval()(x).softmax(1), atol=1e-6)


def test_what_does_not_drop_is_not_at_work() -> None:
    network, _ = network_and_recipe(
        "x -> linear(4) -> bn -> gaussian_noise(1) -> dropout(0.5)", "mse"
    )
    with dropout_at_work(network):
        at_work = {type(m).__name__ for m in network.modules() if m.training}
    assert at_work == {"Dropout"}


def test_torchs_own_encoder_layer_drops_too() -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)
    x = torch.randn(2, 3, 8)
    with torch.no_grad(), dropout_at_work(layer):
        assert not torch.equal(layer(x), layer(x))
    assert drops_at_random(layer)


def test_a_network_without_dropout_is_not_taken_for_certain() -> None:
    network, recipe = network_and_recipe("x -> linear(3)", "cross_entropy")
    with pytest.raises(ArchError, match="needs a network with dropout, and this one has none"):
        predict(network, batch(torch.randn(2, 6)), recipe, monte_carlo=10)


def test_it_is_the_same_again_and_other_randomness_goes_on() -> None:
    body = "x -> dropout(0.5) -> linear(3)"
    network, recipe = network_and_recipe(body, "cross_entropy", settings="seed: 3")
    x = torch.randn(4, 6)
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    first = one(predict(network, batch(x), recipe, monte_carlo=5))
    assert torch.equal(torch.rand(2), expected)
    second = one(predict(network, batch(x), recipe, monte_carlo=5))
    assert torch.equal(first.mean, second.mean)
    other = one(predict(network, batch(x), recipe.replace(seed=4), monte_carlo=5))
    assert not torch.equal(first.mean, other.mean)
    batches = one(predict(network, batch(x) * 2, recipe, monte_carlo=5))
    assert not torch.equal(batches.mean[:4], batches.mean[4:])  # each batch draws its own


def test_randomness_of_its_own_ends_with_it() -> None:
    torch.manual_seed(0)
    first = torch.rand(1)
    with own_randomness(5, torch.device("cpu")):
        inside = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(1), first)
    with own_randomness(5, torch.device("cpu")):
        assert torch.equal(torch.rand(1), inside)


def test_of_an_ensemble_the_spread_is_that_of_its_members() -> None:
    _, recipe = network_and_recipe("x -> linear(3)", "cross_entropy")
    others = [nn.Linear(6, 3) for _ in range(4)]
    x = torch.randn(5, 6)
    found = one(predict(Ensemble(others, [Answer("output", "classes")]), batch(x), recipe))
    with torch.no_grad():
        shares = torch.stack([n(x).softmax(1) for n in others])
    assert found.spread is not None
    assert torch.allclose(found.mean, shares.mean(0), atol=1e-6)
    assert torch.allclose(found.spread, shares.std(0), atol=1e-6)
    mean = shares.mean(0)
    expected = -(mean * mean.log()).sum(1) + (shares * shares.log()).sum(2).mean(0)
    assert found.information is not None
    assert torch.allclose(found.information, expected, atol=1e-5)
