"""Penalties: their value against numpy, what they are of, and layers that bring their own."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest
import torch

import archdsl
from archdsl.diagnostics import ArchError
from tests.training.harness import module_of, read, recipe_of
from tests.training.parameters.running import regression, spec, trained

CONV = "conv(4, 3) -> bn -> relu -> flatten -> fc: linear(5) -> relu -> head: linear(2)"


def image_spec(settings: str, body: str = CONV) -> str:
    loss = "" if "loss:" in settings else "loss: mse\n"
    return f"network net {{ input x: [1, 5, 5]\n{body}\n}}\ntrain {{\n{loss}{settings}\n}}"


def terms(text: str) -> tuple[dict[str, float], dict[str, Any]]:
    """What every term of the loss is for a batch, and the network's state as numpy."""
    torch.manual_seed(3)
    module, _ = module_of(text)
    state = {k: v.numpy().astype(np.float64) for k, v in module.network.state_dict().items()}
    found: Any = module.training_step((torch.randn(4, 1, 5, 5), torch.randn(4, 2)), 0)
    return {k: float(v.detach()) for k, v in found.items()}, state


def l1(w: Any) -> float:
    return float(np.abs(w).sum())


def l2(w: Any) -> float:
    return float((w**2).sum())


def elastic(w: Any) -> float:
    return 0.25 * l1(w) + 0.375 * l2(w)


def lasso(w: Any) -> float:
    rows = w.reshape(len(w), -1)
    return float(np.sqrt(rows.shape[1]) * np.linalg.norm(rows, axis=1).sum())


@pytest.mark.parametrize(
    ("written", "function", "names"),
    [
        ("l2(weights)", l2, ["conv1.weight", "fc.weight", "head.weight"]),
        ("l2", l2, ["conv1.weight", "fc.weight", "head.weight"]),
        ("l1(fc)", l1, ["fc.weight", "fc.bias"]),
        ("l1(biases)", l1, ["conv1.bias", "fc.bias", "head.bias"]),
        ("l2(norms)", l2, ["bn1.weight", "bn1.bias"]),
        ("l2(conv, norms)", l2, ["conv1.weight", "conv1.bias", "bn1.weight", "bn1.bias"]),
        ('l1("*.weight")', l1, ["conv1.weight", "bn1.weight", "fc.weight", "head.weight"]),
        ("elastic_net(fc, ratio = 0.25)", elastic, ["fc.weight", "fc.bias"]),
        ("group_lasso(conv, fc)", lasso, ["conv1.weight", "fc.weight"]),
    ],
)
def test_value(written: str, function: Any, names: list[str]) -> None:
    found, state = terms(image_spec(f"loss: mse + 0.125 * {written}"))
    (name,) = found.keys() - {"loss", "mse"}
    assert found[name] == pytest.approx(sum(function(state[n]) for n in names), rel=1e-5)
    assert found["loss"] == pytest.approx(found["mse"] + 0.125 * found[name], rel=1e-5)


def test_what_is_chosen_twice_counts_once() -> None:
    found, state = terms(image_spec('loss: mse + l2(fc, linear, weights, "fc.*")'))
    (name,) = found.keys() - {"loss", "mse"}
    every = ["conv1.weight", "fc.weight", "fc.bias", "head.weight", "head.bias"]
    assert found[name] == pytest.approx(sum(l2(state[n]) for n in every), rel=1e-5)


def test_l1_makes_more_of_them_nearly_nothing_than_l2() -> None:
    batches = regression(4, 16)
    small = {}
    for penalty in ("l1", "l2"):
        text = spec(f"loss: mse + 0.05 * {penalty}(weights)\noptimizer: sgd(lr = 0.05)\nepochs: 60")
        _, after, _ = trained(text, batches)
        weights = torch.cat([p.flatten() for p in after.parameters() if p.ndim > 1])
        small[penalty] = int((weights.abs() < 5e-3).sum())
    assert small["l1"] > small["l2"]


def test_group_lasso_empties_whole_units() -> None:
    text = spec("loss: mse + 0.1 * group_lasso(fc)\noptimizer: sgd(lr = 0.02)\nepochs: 80")
    _, after, _ = trained(text, regression(4, 16))
    norms = after.fc.weight.norm(dim=1)  # type: ignore[union-attr,operator]  # a layer's weight
    assert ((norms < 1e-2) | (norms > 5e-2)).all()
    assert (norms < 1e-2).any()


# Layers that bring their own --------------------------------------------------------------

OWN = "fc: linear(4, penalty = {}) -> tanh -> head: linear(2)"


@pytest.mark.parametrize(
    ("written", "factors"),
    [
        ("l2(0.01)", {"l2(fc)": 0.01}),
        ("0.01 * l2", {"l2(fc)": 0.01}),
        ("0.5 * l2(0.02)", {"l2(fc)": 0.01}),
        ("l2(0.01) + 1e-3 * l1", {"l2(fc)": 0.01, "l1(fc)": 1e-3}),
        ("[l1(0.1), group_lasso(0.2)]", {"l1(fc)": 0.1, "group_lasso(fc)": 0.2}),
        ("elastic_net(0.3, ratio = 0.2)", {"elastic_net(fc)": 0.3}),
        ("none", {}),
    ],
)
def test_a_layer_brings_its_penalty(written: str, factors: dict[str, float]) -> None:
    recipe = recipe_of(spec("epochs: 1", OWN.format(written)))
    own = recipe.loss[1:]
    assert {t.name: t.factor for t in own} == pytest.approx(factors)
    assert all(t.technique.of.names == ("fc.weight",) for t in own)  # type: ignore[union-attr]  # a penalty


def test_it_is_the_term_that_a_block_writes() -> None:
    batches = regression()
    settings = "optimizer: sgd(lr = 0.1)\nepochs: 2"
    _, own, _ = trained(spec(settings, OWN.format("l2(0.2)")), batches)
    loss = 'loss: mse + 0.2 * l2("fc.weight")\n'
    _, written, _ = trained(spec(loss + settings), batches)
    assert all(map(torch.equal, own.parameters(), written.parameters()))


def test_layers_that_say_the_same_are_one_term() -> None:
    text = """
    block unit(decay) { linear(8, penalty = decay * l2, constraint = max_norm(2)) -> relu }
    network net { input x: [8]; repeat 5 { unit(0.1) }; unit(0.5); linear(2) }
    train { loss: mse + l2(unit1) }
    """
    recipe = recipe_of(text)
    assert [(t.name, t.factor) for t in recipe.loss[1:]] == [
        ("l2(unit1)", 1.0),
        ("l2(unit1.linear1 and 4 more)", 0.1),
        ("l2(unit6.linear1)", 0.5),
    ]
    (constraint,) = recipe.constraints
    assert len(constraint.of.names) == 6


def test_a_module_that_runs_twice_is_one_layer() -> None:
    text = """
    network net { input x: [4]; a: linear(4, penalty = l2(0.1)) -> relu -> a }
    train { loss: mse }
    """
    module, recipe = module_of(text)
    assert recipe.loss[1].technique.of.names == ("a.weight",)  # type: ignore[union-attr]  # a penalty
    found: Any = module.training_step((torch.randn(2, 4), torch.randn(2, 4)), 0)
    weight = module.network.a.weight
    assert float(found["l2(a)"]) == pytest.approx(float(weight.detach().square().sum()))


def test_nothing_of_the_network_changes() -> None:
    text = "network net {{ input x: [3]; a: linear(4{}) -> relu -> linear(2) }}"
    plain = archdsl.loads(text.format(""))
    own = archdsl.loads(text.format(", penalty = l2(1), constraint = max_norm(1)"))
    assert archdsl.source(own.graph()) == archdsl.source(plain.graph())
    assert archdsl.summary(own.graph()) == archdsl.summary(plain.graph())
    assert (
        archdsl.compile(own.graph()).state_dict().keys()
        == archdsl.compile(plain.graph()).state_dict().keys()
    )
    node = own.graph().nodes["a"]
    assert pickle.loads(pickle.dumps(node["training"])) == node["training"]


@pytest.mark.parametrize(
    ("stage", "code", "place"),
    [
        ("linear(3, penalty = l3(0.1))", "unknown-technique", "l3"),
        ("linear(3, constraint = maxnorm(1))", "unknown-technique", "maxnorm"),
        ("relu(penalty = l2(0.1))", "bad-argument", "l2(0.1)"),
        ("bn(penalty = l2(0.1))", "bad-argument", "l2(0.1)"),
        ("linear(3, penalty = l2(0.1, 3))", "unknown-argument", "3"),
        ("linear(3, penalty = l2(of = 3))", "unknown-argument", "of = 3"),
        ("linear(3, penalty = 0.1)", "bad-argument", "0.1"),
        ("linear(3, penalty = l2(relu))", "bad-value", "relu"),
        ("linear(3, constraint = max_norm(-1))", "bad-argument", "-1"),
        ("linear(3, penalty = l2(1) * l1(1))", "bad-argument", "l2(1) * l1(1)"),
        ("unit(l2(0.1))", "unknown-name", "l2"),
    ],
)
def test_what_a_layer_cannot_bring(stage: str, code: str, place: str) -> None:
    text = f"block unit(w) {{ linear(3, penalty = w) }}\nnetwork net {{ input x: [4]; {stage} }}"
    with pytest.raises(ArchError) as caught:
        archdsl.loads(text).graph()
    (found,) = caught.value.diagnostics
    assert found.code == code
    assert found.span is not None
    assert found.span.text == place


def test_a_tied_weight_is_another_layers() -> None:
    text = """
    network net {
        input x: int[T]
        e: embedding(9, 4)
        linear(9, tie = e.weight, penalty = l2(1))
    }
    """
    with pytest.raises(ArchError, match="has no weights") as caught:
        archdsl.loads(text).graph()
    assert "another layer's" in caught.value.diagnostics[0].text


def test_a_bias_is_no_group() -> None:
    recipe, (found,) = read(spec("loss: mse + group_lasso(biases)"))
    assert recipe is None
    assert found.code == "bad-selection"


@pytest.mark.parametrize("label", ["device", "trainer", "hparams", "fabric"])
def test_a_label_may_be_called_as_torch_calls_something(label: str) -> None:
    """Lightning and torch keep ``_device``, ``_trainer`` and the like on every module."""
    loss = f"loss: mse + 0.1 * l2({label})\nconstraint: max_norm(2, {label})\nepochs: 1"
    text = spec(loss, body=f"{label}: linear(4) -> tanh -> linear(2)")
    before, network, _ = trained(text, regression())
    assert not torch.equal(next(before.parameters()), next(network.parameters()))


def test_a_pattern_for_every_parameter_works_too() -> None:
    _, network, _ = trained(spec('loss: mse + 0.1 * l2("*")\nepochs: 1'), regression())
    assert all(p.isfinite().all() for p in network.parameters())
