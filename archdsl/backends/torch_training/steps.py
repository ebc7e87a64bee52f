"""The steps: training, and the evaluation that validation and test share."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.backends.torch_source.layout import WIDTH
from archdsl.backends.torch_training.names import Names, evaluated, quoted
from archdsl.backends.torch_training.parameters import Groups
from archdsl.backends.torch_training.tending import epoch_start
from archdsl.recipes import Recipe, Term
from archdsl.techniques.losses import Loss
from archdsl.techniques.penalties import Penalty


def training_step(recipe: Recipe, names: Names, groups: Groups) -> list[str]:
    """``training_step``, and what is logged at an epoch's end."""
    lines = [
        "def training_step(self, batch: Any, batch_idx: int) -> Any:",
        f"    {names.unpacking()}",
    ]
    body = [*_augmented(names), *_mixed(names), f"{names.output()} = {names.call()}"]
    body += _terms(recipe.loss, names, groups)
    lines += [f"    {line}" for line in body]
    return [_epoch_start(recipe, groups), "\n".join(lines), EPOCH_END]


def _augmented(names: Names) -> list[str]:
    """The images changed at random, and what has a value at every place of them."""
    if not names.transforms:
        return []
    if not names.moved:
        return [f"{names.image} = self.augment({names.image})"]
    targets = {names.targets[name]: wanted for name, wanted in names.moved.items()}
    given = [names.image]
    after = []
    for target, wanted in targets.items():
        whole = wanted.type.dtype == "int"
        given.append(f"{target}.unsqueeze(1).float()" if whole else target)
        if whole:
            after.append(f"{target} = {target}.squeeze(1).long()")
    changed = ", ".join([names.image, *targets])
    return [f"{changed} = self.augment({', '.join(given)})", *after]


def _mixed(names: Names) -> list[str]:
    """The samples mixed with one another; of two ways, the one or the other."""
    (image, *_) = names.inputs.values()
    lines = [
        f"{image}, {names.order}, {names.share} = {way.code().call.format(image)}"
        for way in names.mixing
    ]
    if len(lines) < 2:
        return lines
    first, second = lines
    return ["if torch.rand(()) < 0.5:", f"    {first}", "else:", f"    {second}"]


def _terms(terms: tuple[Term, ...], names: Names, groups: Groups) -> list[str]:
    """Every term by its name, their sum, and what is given back: the sum, and each term's value."""
    size = f"len({names.first_input})"
    if len(terms) == 1:
        return [
            *_assigned("loss", terms[0], names, groups, terms[0].factor),
            f"self.train_means.update({size}, loss)",
            "return loss",
        ]
    lines = [line for t in terms for line in _assigned(names.terms[t.name], t, names, groups)]
    lines += _summed(terms, names)
    lines.append(f"self.train_means.update({size}, {_logged(terms, names)})")
    given = [f"    {quoted(t.name)}: {names.terms[t.name]}.detach()," for t in terms]
    return [*lines, "return {", '    "loss": loss,', *given, "}"]


def _assigned(
    variable: str, term: Term, names: Names, groups: Groups, factor: float = 1.0
) -> list[str]:
    """A term's value; where samples were mixed, the same mixture of the values for both."""
    text = _term(term, names, groups)
    if not names.mixing or not term.operands or term.operands[-1].origin != "target":
        return [f"{variable} = {_times(factor, text)}"]
    *others, target = [names.tensor(operand) for operand in term.operands]
    other = names.code(term).call.format(*others, f"{target}[{names.order}]")
    one, two, share = names.one, names.other, names.share
    mixture = f"{share} * {one} + (1 - {share}) * {two}"
    return [
        f"{one} = {text}",
        f"{two} = {other}",
        f"{variable} = {mixture if factor == 1 else f'{factor!r} * ({mixture})'}",
    ]


def _summed(terms: Sequence[Term], names: Names) -> list[str]:
    """The statement that sums the terms, a line each where one line is too short."""
    parts = [_times(t.factor, names.terms[t.name]) for t in terms]
    line = f"loss = {' + '.join(parts)}"
    if len(line) + 8 <= WIDTH:
        return [line]
    first, *others = parts
    return ["loss = (", f"    {first}", *[f"    + {part}" for part in others], ")"]


def _logged(terms: Sequence[Term], names: Names) -> str:
    return ", ".join(["loss", *[names.terms[t.name] for t in terms]])


def _term(term: Term, names: Names, groups: Groups | None) -> str:
    code = names.code(term)
    if isinstance(term.technique, Loss):
        evaluation = groups is None
        return code.call.format(*[names.tensor(o, evaluation=evaluation) for o in term.operands])
    assert isinstance(term.technique, Penalty)
    assert groups is not None
    return code.call.format(groups.attribute(term.technique.of))


def _times(factor: float, expression: str) -> str:
    return expression if factor == 1 else f"{factor!r} * {expression}"


def evaluation(recipe: Recipe, names: Names) -> list[str]:
    """``validation_step`` and ``test_step``: the loss of the data, and the metrics."""
    lines = [
        "def evaluate(self, batch: Any) -> None:",
        f"    {names.unpacking()}",
        f"    {names.output(evaluation=True)} = {names.call()}",
    ]
    terms = [t for t in recipe.loss if evaluated(t)]
    size = f"len({names.first_input})"
    if len(recipe.loss) == 1:
        lines.append(f"    loss = {_times(terms[0].factor, _term(terms[0], names, None))}")
        lines.append(f"    self.val_means.update({size}, loss)")
    else:
        lines += [f"    {names.terms[t.name]} = {_term(t, names, None)}" for t in terms]
        lines += [f"    {line}" for line in _summed(terms, names)]
        lines.append(f"    self.val_means.update({size}, {_logged(terms, names)})")
    for measured in recipe.metrics:
        prediction = names.tensor(measured.prediction, evaluation=True)
        given = ", ".join(measured.given).format(prediction, names.tensor(measured.target))
        lines.append(f'    self.metrics["{measured.name}"].update({given})')
    return [
        "\n".join(lines),
        "def validation_step(self, batch: Any, batch_idx: int) -> None:\n    self.evaluate(batch)",
        "def test_step(self, batch: Any, batch_idx: int) -> None:\n    self.evaluate(batch)",
        _logging(recipe),
        'def on_validation_epoch_end(self) -> None:\n    self.log_evaluation("val")',
        'def on_test_epoch_end(self) -> None:\n    self.log_evaluation("test")',
    ]


def measuring(recipe: Recipe) -> list[str]:
    """The statements that make the metrics, if there are any."""
    made = [f'self.metrics["{measured.name}"] = {measured.code}' for measured in recipe.metrics]
    return ["self.metrics = nn.ModuleDict()", *made] if made else []


def _logging(recipe: Recipe) -> str:
    """What an evaluation found: the means, and what the metrics say."""
    lines = [
        "def log_evaluation(self, stage: str) -> None:",
        "    means = self.val_means.compute(self.trainer.strategy)",
        '    self.log_dict({f"{stage}_{name}": value for name, value in means.items()})',
    ]
    if recipe.metrics:
        lines.append("    for name, metric in self.metrics.items():")
        lines.append('        self.log(f"{stage}_{name}", metric.compute())')
        lines.append("        metric.reset()")
    return "\n".join(lines)


EPOCH_END = """\
def on_train_epoch_end(self) -> None:
    means = self.train_means.compute(self.trainer.strategy)
    self.log_dict({f"train_{name}": value for name, value in means.items()})
    self.log("lr", self.lr)"""


def _epoch_start(recipe: Recipe, groups: Groups) -> str:
    lines = [
        "def on_train_epoch_start(self) -> None:",
        '    self.lr = self.optimizers(use_pl_optimizer=False).param_groups[0]["lr"]',
    ]
    return "\n".join([*lines, *[f"    {line}" for line in epoch_start(recipe, groups)]])
