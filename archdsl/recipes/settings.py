"""The settings of a ``train`` block: every key, what it takes, and how it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from archdsl.diagnostics import Diagnostic, Span
from archdsl.elaborate.values import ABSENT, Poisoned, Stop
from archdsl.ops.arguments import describe
from archdsl.recipes.applying import Reading, number_of, read_technique
from archdsl.recipes.formula import read_formula
from archdsl.recipes.hints import meant
from archdsl.recipes.recipe import Stage
from archdsl.recipes.selecting import read_selection
from archdsl.syntax import ast
from archdsl.techniques.selection import Selection

Reader = Callable[[ast.Setting, Reading], Any]


@dataclass(frozen=True)
class Setting:
    """A key of a ``train`` block."""

    key: str
    words: str
    """What it takes."""
    doc: str
    read: Reader
    field: str = ""
    """The field of Recipe that it sets, where that is called otherwise."""


def bad_setting(message: str, expr: ast.Node, *, text: str = "", help: str = "") -> Stop:
    """The error for a value that a setting cannot take."""
    return Stop(Diagnostic("bad-setting", message, span=expr.span, text=text, help=help))


def expression(setting: ast.Setting) -> ast.Expr:
    """A setting that is one expression. Raises Stop for a chain or a block."""
    if isinstance(setting, (ast.Then, ast.Settings)):
        raise bad_setting("one value is needed here", setting)
    return setting


# Kinds of values --------------------------------------------------------------------------


def _whole(least: int) -> Reader:
    def read(setting: ast.Setting, reading: Reading) -> int:
        expr = expression(setting)
        value = reading.value(expr)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise bad_setting(
                f"a whole number of at least {least} is needed, not {describe(value)}", expr
            )
        return value

    return read


def _flag(setting: ast.Setting, reading: Reading) -> bool:
    expr = expression(setting)
    value = reading.value(expr)
    if not isinstance(value, bool):
        raise bad_setting(f"true or false is needed, not {describe(value)}", expr)
    return value


def _text(setting: ast.Setting, reading: Reading) -> str:
    """A text, or a bare word that nothing else is called."""
    expr = expression(setting)
    if isinstance(expr, ast.Name) and reading.env.find(expr.id) is ABSENT:
        return expr.id
    value = reading.value(expr)
    if not isinstance(value, str):
        raise bad_setting(f"a text is needed, not {describe(value)}", expr)
    return value


def _word(*words: str) -> Reader:
    def read(setting: ast.Setting, reading: Reading) -> str:
        expr = expression(setting)
        value = expr.id if isinstance(expr, ast.Name) else reading.value(expr)
        text = "none" if value is None else str(value)
        if text not in words:
            near = meant(text, words)
            raise bad_setting(
                f"{', '.join(words[:-1])} or {words[-1]} is needed, not {text}",
                expr,
                help=f"did you mean {near}?" if near else "",
            )
        return text

    return read


def _one(*kinds: str) -> Reader:
    def read(setting: ast.Setting, reading: Reading) -> Any:
        return read_technique(setting, kinds, reading)

    return read


def _or_none(read: Reader) -> Reader:
    """What may also be none: ``--set average=none`` takes back what a block says."""

    def either(setting: ast.Setting, reading: Reading) -> Any:
        if isinstance(setting, ast.Literal_) and setting.value is None:
            return None
        return read(setting, reading)

    return either


def _or_count(kind: str, name: str) -> Reader:
    """A technique; a number alone stands for the usual one."""

    def read(setting: ast.Setting, reading: Reading) -> Any:
        if isinstance(setting, ast.Literal_) and not isinstance(setting.value, bool):
            if isinstance(setting.value, int):
                callee = ast.Name(setting.span, name)
                setting = ast.Call(
                    setting.span, callee, (ast.Argument(setting.span, None, setting),)
                )
            elif setting.value is None:
                return None
        return read_technique(setting, (kind,), reading)

    return read


def links(setting: ast.Setting) -> Iterator[ast.Setting]:
    """The parts of a chain ``a -> b -> c``, or of a list."""
    if isinstance(setting, ast.Then) and setting.keyword == "->":
        yield from links(setting.first)
        yield from links(setting.second)
    elif isinstance(setting, ast.ListExpr):
        yield from setting.items
    else:
        yield setting


def _chain(*kinds: str) -> Reader:
    def read(setting: ast.Setting, reading: Reading) -> tuple[Any, ...]:
        if isinstance(setting, ast.Literal_) and setting.value is None:
            return ()
        found = []
        mistakes = len(reading.diagnostics)
        for link in links(setting):
            try:
                found.append(read_technique(link, kinds, reading))
            except Stop as stop:  # noqa: PERF203 - every link may have a mistake of its own
                reading.diagnostics.append(stop.diagnostic)
        if len(reading.diagnostics) > mistakes:
            raise Poisoned
        return tuple(found)

    return read


def _stages(one: Reader) -> Reader:
    """``a then b at epoch n``: values with the epochs that they begin at."""

    def read(setting: ast.Setting, reading: Reading) -> tuple[Stage[Any], ...]:
        if not isinstance(setting, ast.Then) or setting.keyword != "then":
            return (Stage(one(setting, reading)),)
        before = read(setting.first, reading)
        assert setting.at is not None
        start = _whole(1)(setting.at, reading)
        if start <= before[-1].start:
            raise bad_setting(
                "what comes then must come later",
                setting.at,
                text=f"the one before it begins at epoch {before[-1].start}",
            )
        return (*before, Stage(one(setting.second, reading), start))

    return read


def _selection(setting: ast.Setting, reading: Reading) -> Selection:
    expr = expression(setting)
    if isinstance(expr, ast.Literal_) and expr.value is None:
        return Selection(())
    return read_selection([expr], reading.parameters)


def _on_off(setting: ast.Setting, reading: Reading) -> bool:
    match setting:
        case ast.Name(id="on" | "off" as word):
            return word == "on"
    raise bad_setting("on or off is needed here", setting, help="dropout: off then on at epoch 10")


def _rates(setting: ast.Setting, reading: Reading) -> tuple[tuple[Selection, float], ...]:
    """``{ features: 0.1 }``, or a list of pairs where a pattern stands."""
    pairs: list[tuple[list[ast.Expr], ast.Expr]] = []
    if isinstance(setting, ast.Settings):
        for entry in setting.entries:
            pairs.append(([ast.Name(key_span(entry), entry.key)], expression(entry.value)))
    elif isinstance(setting, ast.ListExpr):
        for item in setting.items:
            if not isinstance(item, ast.TupleExpr) or len(item.items) < 2:
                raise bad_setting("a pair is needed here", item, help='("layer1.*", 0.1)')
            pairs.append(([*item.items[:-1]], item.items[-1]))
    else:
        raise bad_setting(
            "parts of the network and their factors are needed",
            setting,
            help="layer_lr: { features: 0.1 }",
        )
    found = []
    for chosen, rate in pairs:
        factor = number_of(reading.value(rate), rate, "a factor of the learning rate")
        if factor < 0:
            raise bad_setting("a factor of the learning rate is not below 0", rate)
        found.append((read_selection(chosen, reading.parameters), factor))
    return tuple(found)


def key_span(entry: ast.Entry) -> Span:
    """The place of an entry's key."""
    return Span(entry.span.source, entry.span.start, entry.span.start + len(entry.key))


def _split(setting: ast.Setting, reading: Reading) -> tuple[float, float, float]:
    expr = expression(setting)
    value = reading.value(expr)
    numbers = value if isinstance(value, (tuple, list)) else ()
    shares = [number_of(share, expr, "a share") for share in numbers]
    if len(shares) != 3 or min(shares) < 0 or not shares[0] or abs(sum(shares) - 1) > 1e-6:
        raise bad_setting(
            "three shares that sum to 1 are needed: training, validation, test",
            expr,
            help="split: (0.8, 0.1, 0.1)",
        )
    return shares[0], shares[1], shares[2]


def _formula(setting: ast.Setting, reading: Reading) -> Any:
    return read_formula(expression(setting), reading)


SETTINGS: dict[str, Setting] = {
    s.key: s
    for s in (
        Setting("loss", "a formula", "what is to become small", _formula),
        Setting("optimizer", "an optimizer", "how a step is made", _one("optimizer")),
        Setting(
            "layer_lr",
            "{ part: factor }",
            "learning rates of parts of the network, as factors of the optimizer's",
            _rates,
        ),
        Setting(
            "schedule",
            "a schedule, or several: a then b at epoch n",
            "how the learning rate goes on",
            _stages(_one("schedule")),
        ),
        Setting(
            "epochs", "a whole number", "how often all of the training data is seen", _whole(1)
        ),
        Setting("batch_size", "a whole number", "samples a step, of all processes", _whole(1)),
        Setting(
            "drop_last",
            "true or false",
            "whether a last batch that is not full is left out of training",
            _flag,
        ),
        Setting("accumulate", "a whole number", "batches whose gradients make one step", _whole(1)),
        Setting(
            "clip", "norm(…) or value(…)", "what bounds the gradient", _or_none(_one("clipping"))
        ),
        Setting(
            "constraint",
            "constraints: a -> b",
            "what weights are brought back to after every step",
            _chain("constraint"),
            "constraints",
        ),
        Setting(
            "augment",
            "transforms: a -> b",
            "random changes of the training images",
            _chain("transform", "mixing"),
        ),
        Setting(
            "initialize",
            "initializations: a -> b",
            "what parameters hold before the first step",
            _chain("initialization"),
        ),
        Setting(
            "reparametrize",
            "product(…)",
            "weights that are made of others, which are trained",
            _one("reparametrization"),
        ),
        Setting("weights", "a file", "weights to start from: what matches is taken", _text),
        Setting(
            "freeze",
            "parts, or several: a then none at epoch n",
            "what is not trained",
            _stages(_selection),
        ),
        Setting(
            "dropout",
            "on or off: off then on at epoch n",
            "whether dropout is at work",
            _stages(_on_off),
        ),
        Setting(
            "early_stopping",
            "patience(…), or its epochs",
            "when to stop before the last epoch",
            _or_count("stopping", "patience"),
        ),
        Setting(
            "monitor",
            "the name of a number that is logged",
            "what best is judged by",
            _or_none(_text),
        ),
        Setting("metrics", "metrics: [a, b]", "what is measured beside the loss", _chain("metric")),
        Setting(
            "average",
            "an average of weights",
            "what the run gives at its end",
            _or_none(_one("average")),
        ),
        Setting(
            "ensemble",
            "average(…), vote(…), or how many",
            "several networks that answer together",
            _or_count("ensemble", "average"),
        ),
        Setting(
            "reestimate_batch_norm",
            "true or false",
            "whether batch norms' means are taken anew after training",
            _flag,
        ),
        Setting(
            "predict",
            "monte_carlo(…)",
            "how the trained network predicts",
            _or_none(_one("prediction")),
        ),
        Setting(
            "precision",
            '"32", "bf16-mixed", "16-mixed" or "64"',
            "the numbers that it computes with",
            _word("32", "bf16-mixed", "16-mixed", "64"),
        ),
        Setting("seed", "a whole number", "what all that is random follows from", _whole(0)),
        Setting("data", "a data set", "what it is trained on", _one("data")),
        Setting("split", "three shares", "of training, validation and test", _split),
        Setting(
            "normalize",
            "none, standard or unit",
            "how inputs are scaled, by the training data alone",
            _word("none", "standard", "unit"),
        ),
        Setting(
            "normalize_targets",
            "true or false",
            "whether targets are scaled too, and predictions scaled back",
            _flag,
        ),
        Setting("folds", "a whole number", "cross-validation: how many parts", _or_none(_whole(2))),
        Setting(
            "strict",
            "true or false",
            "whether a file that cannot be read ends the run; else it is left out and told",
            _flag,
        ),
        Setting("workers", "a whole number", "processes that read the data", _whole(0)),
    )
}
