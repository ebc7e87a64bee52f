"""Techniques from expressions: ``sgd(lr = 0.1)`` as the record that it stands for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archdsl.diagnostics import Diagnostic, Span, suggest
from archdsl.elaborate.bounds import Budget
from archdsl.elaborate.expressions import evaluate
from archdsl.elaborate.values import ABSENT, Env, Stop
from archdsl.graph import Graph
from archdsl.ops.arguments import OpError, describe
from archdsl.ops.op import Parameter, build, call_form, signature
from archdsl.recipes import hints
from archdsl.recipes.parts import Trained
from archdsl.recipes.selecting import read_selection, resolve
from archdsl.syntax import ast
from archdsl.techniques.selection import Selection
from archdsl.techniques.technique import Technique, find, names


@dataclass
class Reading:
    """A block while it is read: its network, the names that it sees, what was found wrong."""

    graph: Graph
    env: Env
    parameters: tuple[Trained, ...]
    budget: Budget = field(default_factory=Budget)
    diagnostics: list[Diagnostic] = field(default_factory=list)

    def value(self, expr: ast.Expr) -> Any:
        return evaluate(expr, self.env, self.budget)


def one_of(kinds: Sequence[str]) -> str:
    """``a loss or penalty``, as a message says it."""
    article = "an" if kinds[0][0] in "aeiou" else "a"
    return f"{article} {' or '.join(hints.called(kind) for kind in kinds)}"


def find_technique(name: str, kinds: Sequence[str]) -> type[Technique] | None:
    """The technique of that name, of the first kind that has one."""
    return next((cls for kind in kinds if (cls := find(kind, name))), None)


def read_technique(expr: ast.Setting, kinds: Sequence[str], reading: Reading) -> Technique:
    """The technique that an expression stands for. Raises Stop for what is none."""
    name, arguments = called(expr, kinds)
    cls = find_technique(name.id, kinds)
    if cls is None:
        raise Stop(unknown_technique(name, kinds))
    positional = [a for a in arguments if a.name is None]
    named = {a.name: a for a in arguments if a.name is not None}
    return bind(cls, positional, named, expr.span, reading)


def called(expr: ast.Setting, kinds: Sequence[str]) -> tuple[ast.Name, tuple[ast.Argument, ...]]:
    """The name that is called, and its arguments; a name alone has none."""
    match expr:
        case ast.Name():
            return expr, ()
        case ast.Call(callee=ast.Name() as name, arguments=arguments):
            return name, arguments
    raise Stop(
        Diagnostic(
            "bad-setting",
            f"{one_of(kinds)} is needed here{_found(expr)}",
            span=expr.span,
            help=_help(expr, kinds),
        )
    )


def _found(expr: ast.Setting) -> str:
    """What stands there, where that can be told in a word."""
    return f", not {describe(expr.value)}" if isinstance(expr, ast.Literal_) else ""


def _help(expr: ast.Setting, kinds: Sequence[str]) -> str:
    """How to write what was meant; an example, where that is not known."""
    if isinstance(expr, (ast.Then, ast.Settings)):
        return f"such as {_example(kinds)}"
    made = hints.as_technique(expr, kinds)
    if not made:
        return f"such as {_example(kinds)}"
    if isinstance(expr, ast.Literal_) and expr.value == made:
        return f"without quotes: {made}"
    return f"write {made}"


def _example(kinds: Sequence[str]) -> str:
    cls = find(kinds[0], names(kinds[0])[0])
    assert cls is not None
    return cls.example or cls.name


def unknown_technique(name: ast.Name, kinds: Sequence[str]) -> Diagnostic:
    """The error for a name that is no technique of these kinds."""
    known = [n for kind in kinds for n in names(kind)]
    other = hints.other_kind(name.id, kinds)
    meant = None if other else hints.meant(name.id, known)
    many = " and ".join(hints.called_many(kind) for kind in kinds)
    return Diagnostic(
        "unknown-technique",
        f"there is no {' or '.join(hints.called(kind) for kind in kinds)} {name.id}",
        span=name.span,
        text=f"{name.id} is {one_of([other])}" if other else "",
        notes=(f"the {many} are {', '.join(known)}",),
        help=f"did you mean {meant}?" if meant else "",
    )


def bind(
    cls: type[Technique],
    positional: Sequence[ast.Argument],
    named: dict[str, ast.Argument],
    span: Span,
    reading: Reading,
) -> Technique:
    """The technique with these arguments. Raises Stop for what it cannot take."""
    form = signature(cls)
    given: dict[str, ast.Argument] = {}
    rest: list[ast.Expr] = []
    places = _places(form, cls.rest, named)
    optional = {p.name for p in form if not p.required}
    for argument in positional:
        while cls.rest and places and places[0] in optional and _selects(argument.value, reading):
            places.pop(0)  # `normal(fc)`: its number is left out
        if places:
            given[places.pop(0)] = argument
        elif cls.rest is not None:
            rest.append(argument.value)
        else:
            raise Stop(
                Diagnostic(
                    "unknown-argument",
                    f"{cls.name} takes {len(form)} argument{'s' * (len(form) != 1)}",
                    span=argument.span,
                    help=f"its form is {call_form(cls)}",
                )
            )
    given.update(named)
    if rest and cls.rest is not None and cls.rest not in given:
        given[cls.rest] = ast.Argument(rest[0].span, None, ast.TupleExpr(rest[0].span, tuple(rest)))
    by_name = {p.name: p for p in form}
    values = {
        name: _argument(by_name.get(name), argument.value, reading)
        for name, argument in given.items()
    }
    for parameter in form:
        if isinstance(parameter.default, Selection):
            chosen = values.get(parameter.name)
            if chosen is None:
                chosen = resolve(parameter.default, reading.parameters)
            values[parameter.name] = with_rank(chosen, cls, reading.parameters, span)
    try:
        made: Technique = build(cls, values)
    except OpError as problem:
        place = given.get(problem.argument or "")
        raise Stop(_refused(cls, problem, place.span if place else span)) from None
    return made


def _places(
    form: Sequence[Parameter], rest: str | None, named: Mapping[str, ast.Argument]
) -> list[str]:
    """The arguments that are given by position, up to the one that collects all others."""
    names = [p.name for p in form]
    before = names[: names.index(rest)] if rest else names
    return [name for name in before if name not in named]


def _selects(expr: ast.Expr, reading: Reading) -> bool:
    """Whether an expression can only be meant as a selection of parameters."""
    match expr:
        case ast.Name(id=word):
            return reading.env.find(word) is ABSENT
        case ast.Literal_(value=value):
            return isinstance(value, str)
    return isinstance(expr, (ast.Attribute, ast.TupleExpr, ast.ListExpr))


def with_rank(
    chosen: Selection, cls: type[Technique], parameters: Sequence[Trained], span: Span
) -> Selection:
    """The selection without the parameters that have too few axes for a technique."""
    least: int = getattr(cls, "least_rank", 0)
    if not least or not chosen.names:
        return chosen
    names = {p.name for p in parameters if len(p.shape) >= least}
    kept = tuple(name for name in chosen.names if name in names)
    if not kept:
        raise Stop(
            Diagnostic(
                "bad-selection",
                f"{cls.name} is for parameters of {least} axes or more, and {chosen} has none",
                span=span,
            )
        )
    return replace(chosen, names=kept)


def _refused(cls: type[Technique], problem: OpError, span: Span) -> Diagnostic:
    help = problem.help
    if problem.code == "unknown-argument" and problem.argument:
        meant = suggest(problem.argument, [p.name for p in signature(cls)])
        help = f"did you mean {meant}?" if meant else help
    return Diagnostic(problem.code, problem.message, span, problem.text, help=help)


def _argument(parameter: Parameter | None, expr: ast.Expr, reading: Reading) -> Any:
    """The value of an argument, as its kind takes it."""
    if parameter is not None and isinstance(parameter.default, Selection):
        return read_selection([expr], reading.parameters)
    if isinstance(expr, ast.Name) and parameter is not None:
        bare = reading.env.find(expr.id) is ABSENT
        if bare and (expr.id in parameter.kind.choices or "text" in parameter.kind.words):
            return expr.id
    return reading.value(expr)


def number_of(value: Any, expr: ast.Expr, what: str) -> float:
    """A value as a number. Raises Stop where it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Stop(
            Diagnostic(
                "bad-setting", f"{what} must be a number, not {describe(value)}", span=expr.span
            )
        )
    return float(value)
