"""The loss as a formula: several terms, several outputs, tensors by name, heads of training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from tests.training.harness import module_of

AUTOENCODER = """
network variational {
    input image: [1, 4, 4]

    flatten -> linear(8) -> relu as hidden
    hidden -> linear(2) as mu
    hidden -> linear(2) as log_var
    mu -> linear(16) -> sigmoid -> reshape(1, 4, 4) as reconstruction
    output reconstruction, mu, log_var
}
train { loss: mse(reconstruction, image) + 0.1 * kl(mu, log_var) - 0.5 * mae(mu, log_var) / 2 }
"""


def test_an_autoencoder_is_held_against_its_input() -> None:
    module, recipe = module_of(AUTOENCODER)
    assert recipe.targets == {}
    image = torch.rand(5, 1, 4, 4)
    step = module.training_step((image, ()), 0)
    with torch.no_grad():
        given = module.network(image)
    reconstruction, mu, log_var = (t.double().numpy() for t in given)
    squares = ((reconstruction - image.double().numpy()) ** 2).mean()
    # the closed form of the divergence of two normal distributions, sample by sample
    divergence = (0.5 * (np.exp(log_var) + mu**2 - 1 - log_var)).sum(1).mean()
    apart = np.abs(mu - log_var).mean()
    assert step["mse(reconstruction, image)"].item() == pytest.approx(squares, rel=1e-5)
    assert step["kl(mu, log_var)"].item() == pytest.approx(divergence, rel=1e-5)
    wanted = squares + 0.1 * divergence - 0.25 * apart
    assert step["loss"].item() == pytest.approx(wanted, rel=1e-5)
    step["loss"].backward()
    assert all(p.grad is not None for p in module.network.parameters())


def test_the_divergence_is_that_of_torchs_distributions() -> None:
    module, _ = module_of(AUTOENCODER)
    image = torch.rand(5, 1, 4, 4)
    step = module.training_step((image, ()), 0)
    with torch.no_grad():
        _, mu, log_var = module.network(image)
    given = torch.distributions.Normal(mu, (0.5 * log_var).exp())
    standard = torch.distributions.Normal(torch.zeros_like(mu), torch.ones_like(mu))
    wanted = torch.distributions.kl_divergence(given, standard).sum(1).mean()
    torch.testing.assert_close(step["kl(mu, log_var)"], wanted)


TWO = """
network two {
    input x: [4]
    input more: [2]

    concat(x, more) -> linear(8) -> relu as shared
    shared -> linear(3) as kind
    shared -> linear(1) as size
    output kind, size
}
train { loss: 0.9 * cross_entropy(kind, kind_label) + 0.1 * mse(size, size_label) }
"""


def test_targets_come_in_the_order_that_the_loss_names_them() -> None:
    module, recipe = module_of(TWO)
    assert list(recipe.targets) == ["kind_label", "size_label"]
    x, more = torch.randn(6, 4), torch.randn(6, 2)
    label, size = torch.tensor([0, 1, 2, 0, 1, 2]), torch.randn(6, 1)
    step = module.training_step(((x, more), (label, size)), 0)
    with torch.no_grad():
        given = module.network(x, more)
    wanted = 0.9 * cross_entropy(given.kind, label) + 0.1 * (given.size - size).square().mean()
    torch.testing.assert_close(step["loss"].detach(), wanted)
    module.evaluate(((x, more), (label, size)))
    assert module.val_means.names == (
        "loss",
        "cross_entropy(kind, kind_label)",
        "mse(size, size_label)",
    )
    torch.testing.assert_close(module.val_means.sums[0] / 6, wanted)


AUXILIARY = """
network with_head {
    input x: [4]

    linear(8) -> relu as middle
    middle -> linear(8) -> relu -> linear(3) as answer
    middle -> linear(3) as early
    output answer
    output early in training
}
train { loss: cross_entropy + 0.3 * cross_entropy(early) }
"""


def test_a_head_of_training_is_absent_in_evaluation() -> None:
    module, recipe = module_of(AUXILIARY)
    assert recipe.auxiliary == ("early",)
    x, target = torch.randn(6, 4), torch.tensor([0, 1, 2, 0, 1, 2])
    module.train()
    step = module.training_step((x, target), 0)
    with torch.no_grad():
        given = module.network(x)
    main, early = (
        cross_entropy(given.answer, target),
        cross_entropy(given.early, target),
    )
    torch.testing.assert_close(step["loss"].detach(), main + 0.3 * early)
    module.eval()
    module.evaluate((x, target))
    assert module.val_means.names == ("loss", "cross_entropy")
    torch.testing.assert_close(module.val_means.sums / 6, torch.stack([main, main]))


def test_fields_of_the_outputs_are_those_of_the_networks_source() -> None:
    text = """
    network odd {
        input x: [4]

        x -> linear(3) as class
        x -> linear(1) as other
        output class, other
    }
    train { loss: cross_entropy(class) + mse(other, size) }
    """
    module, _ = module_of(text)
    step = module.training_step((torch.randn(2, 4), (torch.tensor([0, 1]), torch.randn(2, 1))), 0)
    assert step["loss"].isfinite()


SIAMESE = """
network siamese {
    input a: [4]
    input b: [4]
    input c: [4]

    a -> linear(3) as left
    b -> linear(3) as right
    c -> linear(3) as third
    output left, right, third
}
"""


def test_contrastive_draws_together_and_apart() -> None:
    loss = "contrastive(left, right, same, margin = 2) + 0 * mse(third, other)"
    module, recipe = module_of(SIAMESE + f"train {{ loss: {loss} }}")
    inputs = tuple(torch.randn(8, 4) for _ in range(3))
    same = torch.tensor([0.0, 1.0] * 4)[:, None]
    step = module.training_step((inputs, (same, torch.zeros(8, 3))), 0)
    with torch.no_grad():
        left, right, _ = (t.double().numpy() for t in module.network(*inputs))
    away = np.linalg.norm(left - right, axis=1)
    pulled, pushed = away**2, np.maximum(2 - away, 0) ** 2
    wanted = np.where(same.numpy()[:, 0] == 1, pulled, pushed).mean()
    assert step["loss"].item() == pytest.approx(wanted, rel=1e-4)
    assert str(recipe.targets["same"]) == "[1]"


def test_triplet_keeps_a_margin() -> None:
    module, recipe = module_of(
        SIAMESE + "train { loss: triplet(left, right, third, margin = 0.5) }"
    )
    assert recipe.targets == {}
    inputs = tuple(torch.randn(8, 4) for _ in range(3))
    step = module.training_step((inputs, ()), 0)
    with torch.no_grad():
        left, right, third = (t.double().numpy() for t in module.network(*inputs))
    near, far = np.linalg.norm(left - right, axis=1), np.linalg.norm(left - third, axis=1)
    assert step.item() == pytest.approx(np.maximum(near - far + 0.5, 0).mean(), rel=1e-4)


def test_a_language_model_may_be_held_against_an_input() -> None:
    text = """
    network echo {
        input tokens: int[6]

        embedding(9, 4) -> linear(9)
    }
    train { loss: cross_entropy(output, tokens) }
    """
    module, recipe = module_of(text)
    assert recipe.targets == {}
    tokens = torch.randint(9, (3, 6))
    step = module.training_step((tokens, ()), 0)
    with torch.no_grad():
        scores = module.network(tokens)
    wanted = cross_entropy(scores.reshape(18, 9), tokens.reshape(18))
    torch.testing.assert_close(step.detach(), wanted)


def test_two_terms_of_one_kind_are_logged_apart() -> None:
    text = """
    network n { input x: [4]
        linear(3) }
    train { loss: mse + 2 * mse }
    """
    module, recipe = module_of(text)
    assert [term.name for term in recipe.loss] == ["mse", "mse 2"]
    x, y = torch.randn(2, 4), torch.randn(2, 3)
    step = module.training_step((x, y), 0)
    torch.testing.assert_close(step["loss"].detach(), 3 * step["mse"])


def test_names_of_tensors_that_python_or_the_module_takes_are_changed() -> None:
    text = """
    network n {
        input batch: [4]
        input loss: [4]
        input sum: [4]

        add(batch, loss, sum) -> linear(3)
    }
    train { loss: cross_entropy(output, lambda) + 1e-3 * l2(weights) }
    """
    module, _ = module_of(text)
    inputs = tuple(torch.randn(2, 4) for _ in range(3))
    step = module.training_step((inputs, torch.tensor([0, 1])), 0)
    squares = module.network.linear1.weight.square().sum()
    wanted = cross_entropy(module.network(*inputs), torch.tensor([0, 1])) + 1e-3 * squares
    torch.testing.assert_close(step["loss"], wanted)
