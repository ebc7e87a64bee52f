"""The loss as a formula: a sum of factors times losses and penalties."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from archdsl.diagnostics import Diagnostic, Span, suggest
from archdsl.elaborate.values import Stop
from archdsl.graph import Graph, Source, inputs, inputs_of, op_of, outputs, type_of
from archdsl.ops.arguments import OpError
from archdsl.recipes.applying import (
    Reading,
    bind,
    called,
    find_technique,
    number_of,
    unknown_technique,
)
from archdsl.recipes.hints import as_technique
from archdsl.recipes.recipe import Operand, Term
from archdsl.syntax import ast
from archdsl.techniques.losses import Loss, Prediction
from archdsl.techniques.penalties import Penalty

TARGET = "target"
"""What the data's only target is called."""


@dataclass(frozen=True)
class Tensors:
    """The tensors of a network that a loss can name."""

    outputs: Mapping[str, Operand]
    inputs: Mapping[str, Operand]

    def find(self, name: str) -> Operand | None:
        return self.outputs.get(name) or self.inputs.get(name)


def tensors_of(graph: Graph) -> Tensors:
    """The outputs and inputs of a network, by name."""
    given = {}
    for node in outputs(graph):
        name = output_name(graph, node)
        (source,) = inputs_of(graph, node)
        prediction = Prediction(type_of(graph, source), _values(graph, source))
        training = bool((graph.nodes[node].get("args") or {}).get("training"))
        given[name] = Operand(name, "output", training, prediction)
    taken = {
        node: Operand(node, "input", False, Prediction(type_of(graph, Source(node))))
        for node in inputs(graph)
    }
    return Tensors(given, taken)


def output_name(graph: Graph, node: str) -> str:
    return (graph.nodes[node].get("names") or (node,))[0] or node


def _values(graph: Graph, source: Source) -> str:
    """What the last layer before a tensor makes of its numbers; shapes change nothing."""
    op = op_of(graph, source.node)
    while op.family == "shape" and not op.gives:
        before = inputs_of(graph, source.node)
        if len(before) != 1:
            break
        source = before[0]
        op = op_of(graph, source.node)
    return op.gives


def read_formula(expr: ast.Expr, reading: Reading) -> tuple[Term, ...]:
    """The terms of a loss. Every mistake in it is added to the reading's diagnostics."""
    tensors = tensors_of(reading.graph)
    terms: list[Term] = []
    for sign, part in _summands(expr, 1.0):
        try:
            terms.append(_term(part, sign, tensors, reading))
        except Stop as stop:  # noqa: PERF203 - every term may have a mistake of its own
            reading.diagnostics.append(stop.diagnostic)
    if not terms or any(t.of_data for t in terms):
        return _named_apart(terms)
    reading.diagnostics.append(
        Diagnostic(
            "bad-setting",
            "this loss has only penalties: nothing says what the network is to learn",
            span=expr.span,
            help="add a loss: cross_entropy + …",
        )
    )
    return ()


def _named_apart(terms: list[Term]) -> tuple[Term, ...]:
    """No two terms bear the same name: ``mse``, ``mse 2``."""
    seen: dict[str, int] = {}
    result = []
    for term in terms:
        seen[term.name] = seen.get(term.name, 0) + 1
        count = seen[term.name]
        result.append(replace(term, name=f"{term.name} {count}") if count > 1 else term)
    return tuple(result)


def _summands(expr: ast.Expr, sign: float) -> Iterator[tuple[float, ast.Expr]]:
    match expr:
        case ast.Binary(op="+" | "-" as op, left=left, right=right):
            yield from _summands(left, sign)
            yield from _summands(right, sign if op == "+" else -sign)
        case ast.Unary(op="+" | "-" as op, operand=operand):
            yield from _summands(operand, sign if op == "+" else -sign)
        case _:
            yield sign, expr


def _factors(expr: ast.Expr) -> Iterator[tuple[bool, ast.Expr]]:
    """The factors of a product, and whether each divides."""
    match expr:
        case ast.Binary(op="*", left=left, right=right):
            yield from _factors(left)
            yield from _factors(right)
        case ast.Binary(op="/", left=left, right=right):
            yield from _factors(left)
            yield True, right
        case _:
            yield False, expr


_KINDS = ("loss", "penalty")


def _is_technique(expr: ast.Expr) -> bool:
    match expr:
        case ast.Name(id=name) | ast.Call(callee=ast.Name(id=name)):
            return find_technique(name, _KINDS) is not None
    return False


def _term(expr: ast.Expr, sign: float, tensors: Tensors, reading: Reading) -> Term:
    factors = list(_factors(expr))
    techniques = [part for divides, part in factors if not divides and _is_technique(part)]
    if len(techniques) > 1:
        raise Stop(
            Diagnostic(
                "bad-setting",
                "a term of the loss is a number times one loss or penalty",
                span=expr.span,
                text=f"this is the product of {len(techniques)}",
            )
        )
    if not techniques:
        raise Stop(_no_technique(factors[-1][1], expr))
    factor = sign
    for divides, part in factors:
        if part is not techniques[0]:
            value = number_of(reading.value(part), part, "a factor of the loss")
            if divides and not value:
                raise Stop(Diagnostic("bad-value", "division by zero", span=part.span))
            factor = factor / value if divides else factor * value
    return _read_term(techniques[0], factor, tensors, reading)


def _no_technique(expr: ast.Expr, whole: ast.Expr) -> Diagnostic:
    match expr:
        case ast.Name() as name:
            return unknown_technique(name, _KINDS)
        case ast.Call(callee=ast.Name() as name):
            return unknown_technique(name, _KINDS)
    made = as_technique(expr, _KINDS) if isinstance(expr, ast.Literal_) else ""
    quoted = isinstance(expr, ast.Literal_) and expr.value == made
    example = "such as cross_entropy + 1e-4 * l2(weights)"
    return Diagnostic(
        "bad-setting",
        "this is no loss",
        span=whole.span,
        text="a sum of losses and penalties is needed here",
        help=f"without quotes: {made}" if quoted else example,
    )


def _read_term(expr: ast.Expr, factor: float, tensors: Tensors, reading: Reading) -> Term:
    name, arguments = called(expr, _KINDS)
    cls = find_technique(name.id, _KINDS)
    assert cls is not None
    positional = [a for a in arguments if a.name is None]
    named = {a.name: a for a in arguments if a.name is not None}
    if issubclass(cls, Penalty):
        penalty = bind(cls, positional, named, expr.span, reading)
        assert isinstance(penalty, Penalty)
        return Term(f"{cls.name}({penalty.of})", factor, penalty)
    assert issubclass(cls, Loss)
    written: dict[str, ast.Expr] = {}
    for place, argument in zip(cls.takes, positional, strict=False):
        written[place] = argument.value
    if len(positional) > len(cls.takes):
        extra = positional[len(cls.takes)]
        raise Stop(
            Diagnostic(
                "unknown-argument",
                f"{cls.name} takes {' and '.join(cls.takes)}",
                span=extra.span,
                help="options are named: label_smoothing = 0.1",
            )
        )
    for place in cls.takes:
        if place in named:
            written[place] = named.pop(place).value
    loss = bind(cls, (), named, expr.span, reading)
    assert isinstance(loss, Loss)
    operands = _operands(loss, written, expr.span, tensors)
    places = {a.name: a.span for a in arguments if a.name is not None}
    _check(loss, operands, expr.span, places)
    shown = [o.name for place, o in zip(cls.takes, operands, strict=True) if place in written]
    return Term(f"{cls.name}({', '.join(shown)})" if shown else cls.name, factor, loss, operands)


def _operands(
    loss: Loss, written: Mapping[str, ast.Expr], span: Span, tensors: Tensors
) -> tuple[Operand, ...]:
    found: list[Operand] = []
    for place in loss.takes:
        expr = written.get(place)
        if expr is not None:
            found.append(_operand(expr, place, tensors, {o.name for o in found}))
        elif place == TARGET:
            found.append(Operand(TARGET, "target"))
        else:
            found.append(_only_output(loss, place, span, tensors))
    return tuple(found)


def _operand(expr: ast.Expr, place: str, tensors: Tensors, before: set[str]) -> Operand:
    """The tensor of a name; ``before`` are those that it is compared with."""
    if not isinstance(expr, ast.Name):
        raise Stop(
            Diagnostic(
                "bad-setting",
                "a loss takes tensors by name",
                span=expr.span,
                text="an output of the network, an input, or a target of the data",
            )
        )
    known = tensors.find(expr.id)
    if known is not None:
        return known
    what = "output"
    if place == TARGET:
        what = "output or input"
        others = {*tensors.outputs, *tensors.inputs} - before
        meant = suggest(expr.id, others, closeness=0.8)
        if meant is None:
            return Operand(expr.id, "target")
    else:
        meant = suggest(expr.id, tensors.outputs)
    raise Stop(
        Diagnostic(
            "unknown-name",
            f"the network has no {what} {expr.id}",
            span=expr.span,
            notes=(f"its outputs are {', '.join(tensors.outputs)}",),
            help=f"did you mean {meant}?" if meant else "",
        )
    )


def _only_output(loss: Loss, place: str, span: Span, tensors: Tensors) -> Operand:
    usual = [o for o in tensors.outputs.values() if not o.training]
    if len(usual) == 1 and place == loss.takes[0]:
        return usual[0]
    names = [o.name for o in usual]
    if place != loss.takes[0]:
        *others, last = loss.takes
        message = f"{loss.name} takes {', '.join(others)} and {last}"
    else:
        message = "the network has several outputs: say which"
    some = names[0] if place == loss.takes[0] else ", ".join(loss.takes)
    raise Stop(
        Diagnostic(
            "bad-setting",
            message,
            span=span,
            text=f"its outputs are {', '.join(names)}",
            help=f"write {loss.name}({some})",
        )
    )


def _check(
    loss: Loss, operands: tuple[Operand, ...], span: Span, places: Mapping[str, Span]
) -> None:
    if all(operand.origin != "output" for operand in operands):
        raise Stop(
            Diagnostic(
                "loss-mismatch",
                f"no output of the network takes part in this {loss.name}",
                span,
                help="it would teach nothing: name an output first",
            )
        )
    against_target = loss.takes[-1] == TARGET
    compared = operands[:-1] if against_target else operands
    predictions = [o.prediction for o in compared if o.prediction is not None]
    try:
        loss.check(predictions)
        if against_target:
            _check_target(loss, predictions, operands[-1])
    except OpError as problem:
        place = places.get(problem.argument or "", span)
        raise Stop(
            Diagnostic(problem.code, problem.message, place, problem.text, help=problem.help)
        ) from None


def _check_target(loss: Loss, predictions: list[Prediction], target: Operand) -> None:
    """The prediction can be held against a target, and a tensor of the network is such a one."""
    wanted = loss.wanted(predictions[0])
    given = target.prediction
    if given is None:
        return
    same_kind = wanted.type.dtype == given.type.dtype
    if not same_kind or wanted.type.dims != given.type.dims:
        raise OpError(
            "loss-mismatch",
            f"{loss.name} of {predictions[0].type} needs {wanted}, and {target.name} is"
            f" {given.type}",
            help="what is compared must have the same shape" if same_kind else "",
        )
