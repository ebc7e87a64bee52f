"""Each metric over several batches against scikit-learn, or against a computation by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn import metrics as by_sklearn

from tests.training.harness import module_of, recipe_of

Array = NDArray[Any]

BODIES = {
    "classes": ("input x: [4]\nlinear(5)", "cross_entropy"),
    "yes or no": ("input x: [4]\nlinear(1)", "binary_cross_entropy"),
    "shares": ("input x: [4]\nlinear(1) -> sigmoid", "binary_cross_entropy"),
    "sides": ("input x: [4]\nlinear(1)", "hinge"),
    "one hot": ("input x: [4]\nlinear(5)", "binary_cross_entropy(one_hot = true)"),
    "values": ("input x: [4]\nlinear(3)", "mse"),
}


def measured(
    body: str, loss: str, metric: str, inputs: torch.Tensor, targets: torch.Tensor
) -> tuple[float, Array]:
    """A metric over batches of unequal size, and what the network gave for all of them."""
    torch.manual_seed(0)
    module, recipe = module_of(
        f"network n {{\n{body}\n}}\ntrain {{ loss: {loss}\nmetrics: [{metric}] }}"
    )
    module.eval()
    with torch.no_grad():
        for start in range(0, len(inputs), 23):
            module.evaluate((inputs[start : start + 23], targets[start : start + 23]))
        output = module.network(inputs).double().numpy()
    (only,) = recipe.metrics
    return float(module.metrics[only.name].compute()), output


def best(scores: Array) -> Array:
    result: Array = scores.argmax(1)
    return result


def of_classes(function: Callable[..., Any], **options: Any) -> Callable[[Array, Array], Any]:
    return lambda scores, target: function(target, best(scores), **options)


def share(scores: Array) -> Array:
    result: Array = 1 / (1 + np.exp(-scores))
    return result


def softmax(scores: Array) -> Array:
    raised = np.exp(scores - scores.max(1, keepdims=True))
    result: Array = raised / raised.sum(1, keepdims=True)
    return result


MACRO = {"average": "macro", "zero_division": 0}
CLASSES: dict[str, Callable[[Array, Array], Any]] = {
    "accuracy": of_classes(by_sklearn.accuracy_score),
    "accuracy(top = 2)": lambda s, t: by_sklearn.top_k_accuracy_score(t, s, k=2),
    "f1": of_classes(by_sklearn.f1_score, **MACRO),
    "precision": of_classes(by_sklearn.precision_score, **MACRO),
    "recall": of_classes(by_sklearn.recall_score, **MACRO),
    "iou": of_classes(by_sklearn.jaccard_score, average="macro"),
    "auroc": lambda s, t: by_sklearn.roc_auc_score(t, softmax(s), multi_class="ovr"),
    "perplexity": lambda s, t: np.exp(by_sklearn.log_loss(t, softmax(s), labels=range(5))),
}


@pytest.mark.parametrize("metric", CLASSES)
def test_metrics_of_classes(metric: str) -> None:
    x, y = torch.randn(100, 4), torch.randint(5, (100,))
    value, scores = measured(*BODIES["classes"], metric, x, y)
    assert value == pytest.approx(CLASSES[metric](scores, y.numpy()), rel=1e-5)


def of_sides(function: Callable[..., Any]) -> Callable[[Array, Array], Any]:
    return lambda scores, target: function(target.ravel(), scores.ravel() > 0)


BINARY: dict[str, Callable[[Array, Array], Any]] = {
    "accuracy": of_sides(by_sklearn.accuracy_score),
    "f1": of_sides(by_sklearn.f1_score),
    "precision": of_sides(by_sklearn.precision_score),
    "recall": of_sides(by_sklearn.recall_score),
    "iou": of_sides(by_sklearn.jaccard_score),
    "auroc": lambda s, t: by_sklearn.roc_auc_score(t.ravel(), s.ravel()),
}


@pytest.mark.parametrize("metric", BINARY)
@pytest.mark.parametrize("kind", ["yes or no", "shares", "sides"])
def test_metrics_of_yes_and_no(metric: str, kind: str) -> None:
    x, y = 2 * torch.randn(100, 4), torch.randint(2, (100, 1)).float()
    value, output = measured(*BODIES[kind], metric, x, y)
    scores = np.log(output / (1 - output)) if kind == "shares" else output
    assert value == pytest.approx(BINARY[metric](scores, y.numpy()), rel=1e-5)


def test_scores_from_0_to_1_are_no_probabilities() -> None:
    """A score of 0.2 is a yes, a probability of 0.2 a no."""
    body = "input x: [1]\nlinear(1, bias = false)"
    torch.manual_seed(0)
    module, _ = module_of(f"network n {{\n{body}\n}}\ntrain {{ loss: bce }}")
    torch.nn.init.ones_(module.network.linear1.weight)
    x = torch.tensor([[0.2], [0.4], [0.1]])
    module.evaluate((x, torch.ones(3, 1)))
    assert module.metrics["accuracy"].compute() == 1


VALUES: dict[str, Callable[[Array, Array], Any]] = {
    "mae": lambda y, t: by_sklearn.mean_absolute_error(t, y),
    "mse": lambda y, t: by_sklearn.mean_squared_error(t, y),
    "rmse": lambda y, t: by_sklearn.mean_squared_error(t, y) ** 0.5,
    "r2": lambda y, t: by_sklearn.r2_score(t, y),
}


@pytest.mark.parametrize("metric", VALUES)
def test_metrics_of_values(metric: str) -> None:
    x, y = torch.randn(100, 4), torch.randn(100, 3)
    value, output = measured(*BODIES["values"], metric, x, y)
    assert value == pytest.approx(VALUES[metric](output, y.numpy()), rel=1e-4)


@pytest.mark.parametrize("metric", VALUES)
def test_metrics_of_values_at_every_place(metric: str) -> None:
    body = "input image: [1, 3, 4]\nconv(2, 3, padding = 1)"
    x, y = torch.randn(50, 1, 3, 4), torch.randn(50, 2, 3, 4)
    value, output = measured(body, "huber", metric, x, y)
    wanted = VALUES[metric](output.reshape(50, -1), y.numpy().reshape(50, -1))
    assert value == pytest.approx(wanted, rel=1e-4)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "auroc", "accuracy(top = 2)"])
def test_metrics_of_a_class_by_yes_and_no(metric: str) -> None:
    x, y = torch.randn(100, 4), torch.randint(5, (100,))
    value, scores = measured(*BODIES["one hot"], metric, x, y)
    wanted = CLASSES[metric](scores, y.numpy())
    if metric == "auroc":  # each class's own probability orders the samples
        every = [by_sklearn.roc_auc_score(y.numpy() == c, scores[:, c]) for c in range(5)]
        wanted = np.mean(every)
    assert value == pytest.approx(wanted, rel=1e-5)


PLACES = {
    "a sequence": ("input x: [6, 4]\nlinear(5)", (30, 6, 4), (30, 6), 2),
    "channels first": ("input x: [5, 4]\nconv(5, 1)", (30, 5, 4), (30, 4), 1),
    "an image": ("input x: [2, 3, 4]\nconv(5, 1)", (30, 2, 3, 4), (30, 3, 4), 1),
}


@pytest.mark.parametrize("metric", ["accuracy", "f1", "iou", "accuracy(top = 2)", "perplexity"])
@pytest.mark.parametrize("kind", PLACES)
def test_metrics_at_every_place(kind: str, metric: str) -> None:
    body, of_inputs, of_targets, axis = PLACES[kind]
    x, y = torch.randn(*of_inputs), torch.randint(5, of_targets)
    value, output = measured(body, f"cross_entropy(axis = {axis})", metric, x, y)
    flat = np.moveaxis(output, axis, -1).reshape(-1, 5)
    assert value == pytest.approx(CLASSES[metric](flat, y.numpy().reshape(-1)), rel=1e-5)


def test_auroc_at_every_place_is_nearly_exact() -> None:
    body, of_inputs, of_targets, _ = PLACES["an image"]
    x, y = torch.randn(*of_inputs), torch.randint(5, of_targets)
    value, output = measured(body, "cross_entropy", "auroc", x, y)
    flat = np.moveaxis(output, 1, -1).reshape(-1, 5)
    assert value == pytest.approx(CLASSES["auroc"](flat, y.numpy().reshape(-1)), abs=3e-3)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "iou", "perplexity"])
def test_a_class_that_the_loss_leaves_out_is_not_measured(metric: str) -> None:
    body, of_inputs, of_targets, _ = PLACES["an image"]
    x, y = torch.randn(*of_inputs), torch.randint(5, of_targets)
    y[torch.rand(y.shape) < 0.3] = 255
    value, output = measured(body, "cross_entropy(ignore = 255)", metric, x, y)
    counts = y.numpy().reshape(-1) != 255
    flat = np.moveaxis(output, 1, -1).reshape(-1, 5)[counts]
    wanted = CLASSES[metric](flat, y.numpy().reshape(-1)[counts])
    assert value == pytest.approx(wanted, rel=1e-5)


def test_an_autoencoder_is_measured_where_it_is_asked_for() -> None:
    body = "input x: [4]\nlinear(2) -> linear(4) as y\noutput y"
    x = torch.randn(50, 4)
    torch.manual_seed(0)
    text = f"network n {{\n{body}\n}}\ntrain {{ loss: mse(y, x)\nmetrics: [mae, r2] }}"
    module, _ = module_of(text)
    module.evaluate((x, ()))
    with torch.no_grad():
        output = module.network(x).numpy()
    error = by_sklearn.mean_absolute_error(x.numpy(), output)
    assert float(module.metrics["mae"].compute()) == pytest.approx(error)
    wanted = by_sklearn.r2_score(x.numpy(), output)
    assert float(module.metrics["r2"].compute()) == pytest.approx(wanted, rel=1e-4)


TWO = """
network two {
    input x: [4]

    x -> linear(3) as kind
    x -> linear(1) as size
    output kind, size
}
"""


def names(settings: str) -> list[str]:
    return [measured.name for measured in recipe_of(TWO + f"train {{ {settings} }}").metrics]


def test_each_output_is_measured_by_what_goes_with_its_loss() -> None:
    loss = "loss: cross_entropy(kind, label) + mse(size, area)"
    assert names(loss) == ["accuracy(kind)", "mae(size)"]
    asked = names(f"{loss}\nmetrics: [rmse, accuracy(top = 2), f1]")
    assert asked == ["rmse(size)", "accuracy@2(kind)", "f1(kind)"]


def test_what_several_losses_of_one_output_go_with_is_measured_once() -> None:
    text = "network n {\ninput x: [1, 4, 4]\nconv(3, 1)\n}\ntrain { loss: cross_entropy + dice }"
    assert [m.name for m in recipe_of(text).metrics] == ["accuracy", "iou"]


def test_what_metrics_hold_is_no_part_of_the_state() -> None:
    body, loss = BODIES["classes"]
    text = f"network n {{\n{body}\n}}\ntrain {{ loss: {loss}\nmetrics: [accuracy, auroc, f1] }}"
    module, _ = module_of(text)
    module.evaluate((torch.randn(6, 4), torch.randint(5, (6,))))
    assert [*module.state_dict()] == ["network.linear1.weight", "network.linear1.bias"]
