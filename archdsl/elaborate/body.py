"""Bodies: statements in order, pipelines stage by stage, the tensor flowing through."""

from __future__ import annotations

from itertools import islice
from typing import Any

from archdsl.diagnostics import Diagnostic, Span, suggest
from archdsl.elaborate import forms
from archdsl.elaborate.alike import once_alike
from archdsl.elaborate.blocks import BlockValue, called_block, run_block
from archdsl.elaborate.calls import run_layer
from archdsl.elaborate.context import BlockCall, Context, Visit
from archdsl.elaborate.expressions import callable_of, evaluate
from archdsl.elaborate.hints import close_known
from archdsl.elaborate.names import no_tensor, refuse_it, unknown_name
from archdsl.elaborate.scopes import Frame
from archdsl.elaborate.sites import Site
from archdsl.elaborate.values import (
    ABSENT,
    UNKNOWN,
    UNKNOWN_TENSOR,
    Env,
    LabelRef,
    LayerValue,
    Poisoned,
    Stop,
    TensorRef,
)
from archdsl.graph import Scope
from archdsl.ops.arguments import describe
from archdsl.syntax import ast

DEEPEST_BODY = 120


def run_body(context: Context, body: ast.Body, env: Env, frame: Frame) -> TensorRef | None:
    """The statements of a body in order; what the last one gives."""
    if env.it is None:
        env.it = next((e.it for e in env.chain() if e.it is not None), None)
    context.depth += 1
    try:
        if context.depth > DEEPEST_BODY:
            raise Stop(
                Diagnostic(
                    "too-deep",
                    f"blocks and groups are nested more than {DEEPEST_BODY} deep",
                    span=body.span,
                    text="stopped here",
                )
            )
        if not body.statements and env.kind != "optional":
            context.warn(
                "empty-body",
                "there is nothing between these braces",
                body.span,
                text="what arrives goes through as it is",
                help="write `identity` where that is meant",
            )
        for statement in body.statements:
            run_statement(context, statement, env, frame)
    finally:
        context.depth -= 1
    return env.it


def run_statement(
    context: Context, statement: ast.Statement, env: Env, frame: Frame
) -> TensorRef | None:
    """One statement; a mistake in it is reported and leaves the flow unknown."""
    match statement:
        case ast.Pipeline():
            env.it = context.attempt(run_pipeline, context, statement, env, frame)
        case ast.Let():
            run_let(context, statement, env)
        case ast.Output():
            context.attempt(_output, context, statement, env)
        case ast.Input():
            pass  # bound by the call, or by the network itself
    return env.it


def run_let(context: Context, statement: ast.Let, env: Env) -> None:
    """Bind a constant; unknown where its value is at fault."""
    value: Any = UNKNOWN
    try:
        refuse_it(statement.name, statement.name_span)
        value, closed = once_alike(_let, context, statement.value, env)
        if closed is not None:
            env.hints[statement.name] = closed
            if env.kind == "block":
                env.lets[statement.name] = closed
    except Poisoned:
        context.poisoned = True
    except Stop as stop:
        context.refuse(stop)
        if statement.name == "it":
            return
    context.bind(env, statement.name, value, statement.name_span)


def _let(context: Context, expr: ast.Expr, env: Env) -> tuple[Any, ast.Expr | None]:
    """A constant's value, and its expression in hints."""
    value = evaluate(expr, env, context.budget)
    return value, close_known(expr, value, env, context.memory)


def _output(context: Context, statement: ast.Output, env: Env) -> TensorRef | None:
    """Name what a block gives; the network's own outputs are made by `network`."""
    found: list[TensorRef] = []
    for name, span in zip(statement.names, statement.name_spans, strict=True):
        value = env.it if name == "it" else env.find(name)
        if not isinstance(value, TensorRef):
            found.append(UNKNOWN_TENSOR)
            if value is UNKNOWN:
                continue
            if value is ABSENT:
                context.report(_no_tensor(name, span, env))
            else:
                context.report(
                    Diagnostic(
                        "bad-value",
                        f"an output is a tensor, and {name} is {describe(value)}",
                        span,
                        help=f"name what a stage gives with `as`: … as {name}",
                    )
                )
            continue
        found.append(value)
    if env.kind not in ("block", "network"):
        context.report(
            Diagnostic(
                "misplaced",
                "an output is named at the top of a block or network, not inside a group",
                statement.span,
                help="name what the group gives with `as` behind it, and write the output there",
            )
        )
        return env.it
    if env.kind == "network":
        for name, span, tensor in zip(statement.names, statement.name_spans, found, strict=True):
            env.network_outputs.append((name, tensor, span, statement.training))
    elif statement.training:
        context.report(
            Diagnostic("misplaced", "only a network has outputs in training alone", statement.span)
        )
    else:
        env.outputs = [*(env.outputs or []), *found]
    return env.it


def _no_tensor(name: str, span: Span, env: Env) -> Diagnostic:
    if name in env.inner:
        return unknown_name(name, span, env, "tensor")
    tensors = [n for e in env.chain() for n, v in e.names.items() if isinstance(v, TensorRef)]
    meant = suggest(name, tensors)
    help = f"did you mean {meant}?" if meant else f"name a tensor with `as`: … as {name}"
    return Diagnostic("unknown-name", f"there is no tensor {name}", span=span, help=help)


# Pipelines ------------------------------------------------------------------------


def run_pipeline(
    context: Context, pipeline: ast.Pipeline, env: Env, frame: Frame
) -> TensorRef | None:
    """The stages one after the other; each takes what the one before gives."""
    start = env.it
    try:
        for index, stage in enumerate(pipeline.stages):
            env.it = _run_stage_safely(context, stage, env, frame, first=index == 0)
        return env.it
    finally:
        if env.it is None:
            env.it = start


def _run_stage_safely(
    context: Context, stage: ast.Stage, env: Env, frame: Frame, *, first: bool
) -> TensorRef | None:
    """A stage; after a mistake the ones behind it are still looked at, on an unknown tensor."""
    if not stage.names:
        return context.attempt(_first_output, context, stage, env, frame, first)
    results: list[list[TensorRef]] = []

    def action() -> TensorRef | None:
        outputs = run_stage(context, stage, env, frame, first=first)
        results.append(outputs)
        return outputs[0]

    tensor = context.attempt(action)
    _name_outputs(context, stage, env, frame, results[0] if results else None)
    return tensor


def _first_output(
    context: Context, stage: ast.Stage, env: Env, frame: Frame, first: bool
) -> TensorRef | None:
    return run_stage(context, stage, env, frame, first=first)[0]


def _name_outputs(
    context: Context, stage: ast.Stage, env: Env, frame: Frame, outputs: list[TensorRef] | None
) -> None:
    if outputs is None or any(o is UNKNOWN_TENSOR for o in outputs):
        outputs = [UNKNOWN_TENSOR] * len(stage.names)
    elif len(stage.names) > len(outputs):
        count = len(outputs)
        context.report(
            Diagnostic(
                "too-many-names",
                f"{len(stage.names)} names for {count} tensor{'s' * (count != 1)}",
                span=stage.name_spans[count],
                text=f"only {count} come{'s' * (count == 1)} out here",
            )
        )
        outputs = [*outputs, *[UNKNOWN_TENSOR] * len(stage.names)]
    for name, span, tensor in zip(stage.names, stage.name_spans, outputs, strict=False):
        if name == "it":
            context.report(
                Diagnostic(
                    "reserved-name", "`it` is the tensor that arrives, and cannot be renamed", span
                )
            )
            continue
        context.bind(env, name, tensor, span)
        node = context.graph.nodes.get(tensor.source.node)
        if node is not None:
            names = list(node["names"]) + [""] * (tensor.source.output + 1 - len(node["names"]))
            names[tensor.source.output] = name
            node["names"] = tuple(names)
            node["named_in"] = frame.id


def run_stage(
    context: Context, stage: ast.Stage, env: Env, frame: Frame, *, first: bool = False
) -> list[TensorRef]:
    """What a stage gives: one tensor, or several that can be named."""
    label = _label(context, stage, env) if stage.label else None
    operation = stage.operation
    if isinstance(operation, ast.Apply):
        return _apply(context, operation.expression, stage, label, env, frame, first)
    inner, child = _open(context, stage, label, env, frame)
    result = forms.run(context, operation, child, inner)
    if label and stage.label:
        _bind_label(label, inner.path, stage, env, frame)
    return result


def _label(context: Context, stage: ast.Stage, env: Env) -> str:
    assert stage.label is not None
    parts: list[str] = []
    for part in stage.label.parts:
        if isinstance(part, str):
            parts.append(part)
            continue
        value = evaluate(part, env, context.budget)
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise Stop(
                Diagnostic(
                    "bad-value",
                    f"a label is made of whole numbers and text, not {describe(value)}",
                    span=part.span,
                )
            )
        parts.append(str(value))
    label = "".join(parts)
    refuse_it(label, stage.label.span)
    if not label.isascii() or not label.isidentifier():
        raise Stop(
            Diagnostic(
                "bad-value",
                f'the label comes out as "{label[:60]}", which is no name',
                span=stage.label.span,
                text="letters, digits and underscores, no digit first",
            )
        )
    return label


def _open(
    context: Context, stage: ast.Stage, label: str | None, env: Env, frame: Frame
) -> tuple[Frame, Env]:
    """The frame and the names of a structural form: its own where it is labelled or a group."""
    child = Env(env, kind="group")
    child.it = env.it
    is_group = isinstance(stage.operation, ast.Group)
    if label is None and not (is_group and frame.numbered):
        return frame, child
    span = stage.label.span if stage.label else stage.span
    path = frame.claim("group", span, label)
    name = label or "group"
    return (
        context.enter(
            Scope(path, path, frame.id, "group", name, numbered=True, span=stage.span), frame
        ),
        child,
    )


def _bind_label(label: str, path: str, stage: ast.Stage, env: Env, frame: Frame) -> None:
    """Let a labelled stage be run again, and its weights be used, by its name."""
    known = env.find(label)
    if isinstance(known, TensorRef):
        return
    env.names[label] = LabelRef(label, path, stage, env.as_it_is(), frame)
    env.inner[label] = stage.label.span if stage.label else stage.span


def _apply(
    context: Context,
    expr: ast.Expr,
    stage: ast.Stage,
    label: str | None,
    env: Env,
    frame: Frame,
    first: bool,
) -> list[TensorRef]:
    """A stage that is an expression: a tensor to start from, a module, a layer or a block."""
    value: Any
    if isinstance(expr, ast.Call):
        value = called_block(context, expr, env) or once_alike(_called, context, expr, env)
    else:
        value = callable_of(expr, env, context.budget)
    if isinstance(value, TensorRef):
        return [_start(value, stage, label, first)]
    if isinstance(value, LabelRef):
        if label:
            raise Stop(
                Diagnostic(
                    "misplaced",
                    f"{value.name} is a module already, and cannot be labelled again",
                    span=stage.span,
                    help=f"write {value.name} alone to run it once more with its weights",
                )
            )
        return _run_again(context, value, env, frame, expr.span)
    if isinstance(value, list) and value and all(isinstance(v, LayerValue) for v in value):
        raise Stop(
            Diagnostic(
                "bad-value",
                "a list of layers is no stage",
                stage.span,
                help="run them in a loop: for layer in layers { layer }",
            )
        )
    if not isinstance(value, (LayerValue, BlockValue)):
        raise Stop(
            Diagnostic(
                "not-callable",
                f"a stage must be a layer, a block or a tensor, not {describe(value)}",
                span=expr.span,
            )
        )
    name = _written(expr)
    span = stage.label.span if label and stage.label else expr.span
    path = frame.claim(name, span, label)
    site = Site(env.it, env, frame, path, expr.span, labelled=label is not None)
    if isinstance(value, BlockValue):
        outputs = run_block(context, value, site)
    else:
        outputs = run_layer(context, value, site)
    if label:
        _bind_label(label, path, stage, env, frame)
    return outputs


def _called(context: Context, expr: ast.Call, env: Env) -> Any:
    """The value of a call, of a layer mostly."""
    return evaluate(expr, env, context.budget)


def _start(tensor: TensorRef, stage: ast.Stage, label: str | None, first: bool) -> TensorRef:
    if label:
        raise Stop(
            Diagnostic(
                "misplaced",
                "a label names a module, and this is a tensor",
                span=stage.span,
                help="name a tensor with `as`",
            )
        )
    if not first:
        raise Stop(
            Diagnostic(
                "misplaced",
                "a tensor can only start a pipeline",
                span=stage.span,
                text="what arrives here would be dropped",
                help="merge them: concat(a, b), add(a, b) …",
            )
        )
    return tensor


def _written(expr: ast.Expr) -> str:
    """What a module is named by: the name as written, in lower case for ``nn.Hardswish``."""
    callee = expr.callee if isinstance(expr, ast.Call) else expr
    if isinstance(callee, ast.Name):
        return callee.id
    if isinstance(callee, ast.Attribute):
        return callee.name.lower()
    return "layer"


def _run_again(
    context: Context, label: LabelRef, env: Env, frame: Frame, span: Span
) -> list[TensorRef]:
    """Run a labelled stage once more with the weights that it has; errors name this place."""
    if env.it is None:
        raise no_tensor(span, env)
    outer = context.calls, context.again
    call = BlockCall(label.name, (), span, label.path, verb="run again")
    context.calls, context.again = (*context.calls, call), span
    first = len(context.graph)
    try:
        return _replay(context, label, env)
    finally:
        context.calls, context.again = outer
        if frame.id != label.frame.id:
            nodes = tuple(islice(context.graph, first, None))
            context.visits.append(Visit(label.name, nodes, frame.id, label.frame.id, span))


def _replay(context: Context, label: LabelRef, env: Env) -> list[TensorRef]:
    """The stage behind a label, on what arrives now."""
    again = Env(label.env, kind="group")
    again.it = env.it
    operation = label.stage.operation
    frame = label.frame
    if isinstance(operation, ast.Apply):
        expr = operation.expression
        evaluated = evaluate if isinstance(expr, ast.Call) else callable_of
        value = evaluated(expr, again, context.budget)
        if not isinstance(value, LayerValue):
            raise Poisoned
        replaying = Frame(frame.id, frame.path, frame.numbered, replay=True)
        site = Site(env.it, again, replaying, label.path, expr.span, labelled=True)
        return run_layer(context, value, site)
    name = label.name
    inner = context.enter(
        Scope(
            label.path, label.path, frame.id, "group", name, numbered=True, span=label.stage.span
        ),
        frame,
        replay=True,
    )
    return forms.run(context, operation, again, inner)
