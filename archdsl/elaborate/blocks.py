"""Calls of blocks: what one is given, and the scope with what its body gives.

Loops come by the same call again and again. What it is given is worked out once for all its rounds
in which its names stand for the same; what its body does is :mod:`archdsl.elaborate.recording`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

from archdsl.diagnostics import Diagnostic, Label, Span
from archdsl.elaborate.alike import UnlikeError, frozen, once_alike
from archdsl.elaborate.context import DEEPEST_CALL, BlockCall, Context
from archdsl.elaborate.expressions import WeightPath, evaluate, is_choice_only
from archdsl.elaborate.hints import default_hint, hints_of
from archdsl.elaborate.parameters import sort_arguments
from archdsl.elaborate.recording import Call, run_once
from archdsl.elaborate.sites import Site, arriving, weight
from archdsl.elaborate.values import (
    UNKNOWN,
    BlockDef,
    Bound,
    Env,
    LayerValue,
    Poisoned,
    Stop,
    TensorRef,
)
from archdsl.graph import Scope
from archdsl.ops.arguments import Choice
from archdsl.syntax import ast


class BlockValue(NamedTuple):
    """A block with all that a call gives it, ready to be a stage."""

    block: BlockDef
    names: Mapping[str, Any]
    """Its parameters with their values."""
    hints: Mapping[str, ast.Expr]
    """What they stand for in the hints of its body."""
    tensors: dict[str, TensorRef]
    """The tensors that the call names."""
    given: tuple[str, ...]
    left_out: tuple[str, ...]
    written: Mapping[str, ast.Expr]
    """The arguments as hints, in terms of the caller's parameters."""
    shown: tuple[tuple[str | None, Any], ...]
    key: Any
    """What it has in common with the calls that are alike; None where there can be none."""


def called_block(context: Context, expr: ast.Call, env: Env) -> BlockValue | None:
    """The block that an expression calls, with its arguments; None where it calls none.

    Raises Stop for a mistake, Poisoned where one was reported.
    """
    if not isinstance(expr.callee, ast.Name):
        return None
    callee = env.find(expr.callee.id)
    if not isinstance(callee, LayerValue) or not isinstance(callee.target, BlockDef):
        return None
    return once_alike(_called, context, expr, env, lambda called: called.key is not None)


def _called(context: Context, expr: ast.Call, env: Env) -> BlockValue:
    layer = evaluate(expr, env, context.budget)
    return with_arguments(context, layer, layer.target, env, expr.span)


def with_arguments(
    context: Context, layer: LayerValue, block: BlockDef, env: Env, span: Span
) -> BlockValue:
    """A block with the arguments that are bound to it and its defaults. Raises Stop."""
    definition = block.definition
    if definition.kind == "network":
        raise Stop(
            Diagnostic(
                "not-callable",
                f"{definition.name} is a network, and a network is no stage",
                span=span,
                labels=(Label(definition.name_span, "defined here"),),
                help=f"make it a block: block {definition.name}(…) {{ … }}",
            )
        )
    bound, tensors = sort_arguments(layer, block, span)
    own = bind_parameters(context, block, bound, "block", partial(_missing, block, span))
    given = tuple(bound)
    try:
        key = given, tuple([(name, frozen(value)) for name, value in own.names.items()])
    except UnlikeError:
        key = None
    return BlockValue(
        block,
        own.names,
        own.hints,
        tensors,
        given,
        tuple([name for name in own.names if name not in bound]),
        hints_of(bound, env, context.memory),
        _shown_arguments(layer, bound),
        key,
    )


def _shown_arguments(
    layer: LayerValue, bound: Mapping[str, Bound]
) -> tuple[tuple[str | None, Any], ...]:
    """The arguments of a block as an error shows them: bare where they were given by position."""
    shown = []
    for index, (name, argument) in enumerate(bound.items()):
        if argument.value is not UNKNOWN:
            shown.append((name if index >= len(layer.positional) else None, argument.value))
    return tuple(shown)


def _missing(block: BlockDef, span: Span, parameter: ast.Parameter) -> Diagnostic:
    return Diagnostic(
        "missing-argument",
        f"{block.name} needs {parameter.name}",
        span=span,
        labels=(Label(parameter.span, "has no default"),),
        help=f"give it: {block.name}({parameter.name} = …)",
    )


def bind_parameters(
    context: Context,
    block: BlockDef,
    bound: Mapping[str, Bound],
    kind: str,
    missing: Callable[[ast.Parameter], Diagnostic],
) -> Env:
    """The environment of a body, with its parameters as they are given or by default.

    Raises Stop of what ``missing`` says of one that has neither.
    """
    env = Env(block.env, kind=kind)
    for parameter in block.definition.parameters:
        name, default = parameter.name, parameter.default
        hint = None
        if name in bound:
            value = bound[name].value
            if isinstance(value, WeightPath):
                value = weight(context, value)
        elif default is not None:
            value = _default_value(context, default, env)
            hint = default_hint(default, env)
        else:
            raise Stop(missing(parameter))
        env.names[name] = value
        env.hints[name] = hint or block.hints[name]
    return env


def _default_value(context: Context, expr: ast.Expr, env: Env) -> Any:
    """A parameter's default; a bare word that some layer offers as a choice stays that word."""
    if isinstance(expr, ast.Name) and not env.binds(expr.id) and is_choice_only(expr.id):
        return Choice(expr.id)
    try:
        return evaluate(expr, env, context.budget)
    except Poisoned:
        return UNKNOWN
    except Stop as stop:
        context.report(stop.diagnostic)
        return UNKNOWN


def run_block(context: Context, called: BlockValue, site: Site) -> list[TensorRef]:
    """The outputs of a block called at a place."""
    block, definition = called.block, called.block.definition
    if len(context.calls) >= DEEPEST_CALL:
        raise Stop(
            Diagnostic(
                "recursion",
                f"{definition.name} is called more than {DEEPEST_CALL} calls deep",
                span=site.span,
                text="does it call itself?",
                labels=(Label(definition.name_span, "the block"),),
                help="a recursive block needs an `if` that ends it",
            )
        )
    inputs = _inputs(block, called.tensors, site)
    env = Env(block.env, kind="block")
    env.names = {**called.names, **inputs}
    env.hints = dict(called.hints)
    env.it = inputs[block.inputs[0]] if inputs else site.it
    frame = context.enter(
        Scope(
            id=site.path,
            path=site.path,
            parent=site.frame.id,
            kind=definition.kind,
            name=definition.name,
            numbered=definition.kind == "sequence",
            arguments={k: v for k, v in called.names.items() if v is not UNKNOWN},
            hints=called.written,
            defaults=block.defaults,
            left_out=called.left_out,
            lets=env.lets,  # which the body is to fill
            inputs=tuple([(n, t.source) for n, t in inputs.items()]),
            doc=definition.doc,
            span=site.span,
            loop=context.loop,
        ),
        site.frame,
    )
    reached = tuple(inputs.values()) if inputs else () if env.it is None else (env.it,)
    outer = context.calls
    context.calls = (*outer, BlockCall(definition.name, called.shown, site.span, site.path))
    try:
        result = run_once(
            context,
            Call(block, env, frame, called.names, called.key, reached),
            lambda: context.run_body(context, definition.body, env, frame),
        )
    finally:
        context.calls = outer
    if env.outputs is not None:
        context.describe(frame, outputs=tuple(t.source for t in env.outputs))
        return env.outputs
    return [result if result is not None else arriving(site)]


def _inputs(block: BlockDef, named: dict[str, TensorRef], site: Site) -> dict[str, TensorRef]:
    """The tensors that a block declares, in order, the first of them what arrives."""
    if site.it is not None and block.inputs:
        named = {block.inputs[0]: site.it, **named}
    for name in block.inputs:
        if name not in named:
            raise Stop(
                Diagnostic(
                    "wrong-inputs",
                    f"{block.name} needs the tensor {name}",
                    span=site.span,
                    help=f"name it: {block.name}(…, {name} = …)",
                )
            )
    return named
