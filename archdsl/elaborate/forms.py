"""Structure: what groups, loops, residuals, branches, U-Nets and scans mean in the graph."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from archdsl.diagnostics import Diagnostic, Label, Span, suggest
from archdsl.dims import show_shape
from archdsl.elaborate.calls import mend_merge, run_layer
from archdsl.elaborate.context import MOST_NODES, Context
from archdsl.elaborate.expressions import bind_targets, elements, evaluate, truth
from archdsl.elaborate.hints import bind_literal, hints_of
from archdsl.elaborate.names import no_tensor, refuse_it
from archdsl.elaborate.scopes import Frame
from archdsl.elaborate.sites import Site
from archdsl.elaborate.values import (
    ABSENT,
    UNKNOWN_TENSOR,
    Bound,
    Env,
    LayerValue,
    Poisoned,
    Stop,
    TensorRef,
)
from archdsl.graph import UNetPlace
from archdsl.ops import find
from archdsl.ops.arguments import OpError, describe
from archdsl.ops.loop import ScanBegin, ScanEnd
from archdsl.ops.op import build
from archdsl.syntax import ast


def run(context: Context, form: ast.Operation, env: Env, frame: Frame) -> list[TensorRef]:
    """What a structural form gives on ``env.it``, its modules named in ``frame``."""
    return _FORMS[type(form)](context, form, env, frame)


def _one(tensor: TensorRef | None, span: Span, env: Env) -> list[TensorRef]:
    if tensor is None:
        raise no_tensor(span, env)
    return [tensor]


def _inside(
    context: Context, body: ast.Body, env: Env, frame: Frame, it: TensorRef | None
) -> TensorRef | None:
    """A body with names of its own, starting from a tensor."""
    child = Env(env, kind="group")
    child.it = it
    return context.run_body(context, body, child, frame)


def _group(context: Context, form: ast.Group, env: Env, frame: Frame) -> list[TensorRef]:
    return _one(context.run_body(context, form.body, env, frame), form.span, env)


# Loops and conditions -------------------------------------------------------------


def _repeat(context: Context, form: ast.Repeat, env: Env, frame: Frame) -> list[TensorRef]:
    count = evaluate(form.count, env, context.budget)
    if isinstance(count, bool) or not isinstance(count, int):
        raise Stop(
            Diagnostic(
                "bad-value",
                f"repeat needs a whole number, not {describe(count)}",
                span=form.count.span,
            )
        )
    if count < 0:
        raise Stop(
            Diagnostic(
                "bad-value",
                f"repeat cannot run {count} times",
                span=form.count.span,
                help="0 times leaves the body out",
            )
        )
    _bound_count(count, form.count.span)
    start = frame.snapshot()
    was_replay = frame.replay
    it = env.it
    for index in range(count):
        context.budget.spend(form.span)
        if form.shared and index:
            frame.rewind(start)
        it = _inside(context, form.body, env, frame, it)
    frame.replay = was_replay
    return _one(it, form.span, env)


def _bound_count(count: int, span: Span) -> None:
    if count > MOST_NODES:
        raise Stop(
            Diagnostic(
                "too-large",
                f"a loop of {count:,} steps is too long",
                span=span,
                text=f"at most {MOST_NODES:,}",
            )
        )


def _for(context: Context, form: ast.For, env: Env, frame: Frame) -> list[TensorRef]:
    items = elements(form.iterable, env, context.budget)
    _bound_count(len(items), form.iterable.span)
    it = env.it
    targets = [(name, _word(form, name)) for name in form.targets]
    for item in items:
        context.budget.spend(form.span)
        names = Env(env, kind="group")
        _bind_loop(context, form, targets, item, names)
        it = _inside(context, form.body, names, frame, it)
    return _one(it, form.span, env)


def _bind_loop(
    context: Context,
    form: ast.For | ast.UNet,
    targets: Sequence[tuple[str, Span]],
    item: Any,
    env: Env,
) -> None:
    for target, span in targets:
        refuse_it(target, span)
        if env.parent is not None and env.parent.binds(target):
            context.warn(
                "shadowed-name",
                f"{target} hides another {target} further out",
                span,
                text="inside the braces this one is meant",
                help="give it another name",
            )
    names = tuple([name for name, _ in targets])
    bind_targets(form.iterable, names, item, env)
    bind_literal(env, names, form.span)
    env.inner.update(targets)


def _word(form: ast.Node, word: str) -> Span:
    """The place of a name that a form binds: the first such word behind its keyword."""
    found = re.compile(rf"^\w+\b.*?\b({re.escape(word)})\b", re.DOTALL).search(form.span.text)
    if found is None:
        return form.span
    start = form.span.start
    return Span(form.span.source, start + found.start(1), start + found.end(1))


def _if(context: Context, form: ast.If, env: Env, frame: Frame) -> list[TensorRef]:
    if truth(form.condition, env, context.budget):
        return _one(context.run_body(context, form.then, env, frame), form.span, env)
    if form.otherwise is not None:
        return _one(context.run_body(context, form.otherwise, env, frame), form.span, env)
    return _one(env.it, form.span, env)


# Merging forms --------------------------------------------------------------------


def merge(
    context: Context,
    name: str,
    tensors: Sequence[TensorRef],
    frame: Frame,
    span: Span,
    *,
    error: Callable[[OpError], Diagnostic] | None = None,
    reason: str = "",
    places: Mapping[str, Span] | None = None,
    **arguments: Any,
) -> TensorRef:
    """The node of a merge that a form makes by itself. Raises Stop for arguments it has not."""
    cls = find(name)
    assert cls is not None, name
    path = frame.implicit(name)
    try:
        op = build(cls, arguments)
    except OpError as problem:
        raise Stop(context.op_diagnostic(problem, span, places or {})) from None
    return context.add(op, tensors, frame, path, span, error=error, reason=reason)[0]


def _residual(context: Context, form: ast.Residual, env: Env, frame: Frame) -> list[TensorRef]:
    it = _one(env.it, form.keyword, env)[0]
    drop, when = _residual_arguments(context, form, env)
    body = _one(_inside(context, form.body, env, frame, it), form.keyword, env)[0]
    if not when:
        return [body]
    if drop is not None:
        cls = find("drop_path")
        assert cls is not None
        path = frame.implicit("drop_path")
        hints = hints_of({"p": drop}, env, context.memory)
        body = context.add(
            build(cls, {"p": drop.value}), [body], frame, path, form.keyword, hints=hints
        )[0]
    shortcut = it
    if form.shortcut is not None:
        shortcut = _one(_inside(context, form.shortcut, env, frame, it), form.keyword, env)[0]
    if not _same_axes(context, form, it, body, shortcut):
        return [UNKNOWN_TENSOR]

    def explain(problem: OpError) -> Diagnostic:
        return _residual_mismatch(context, form, it, body, shortcut)

    reason = "the two paths of this residual must have the same sizes"
    return [
        merge(context, "add", [shortcut, body], frame, form.keyword, error=explain, reason=reason)
    ]


def _residual_arguments(
    context: Context, form: ast.Residual, env: Env
) -> tuple[Bound | None, bool]:
    drop: Bound | None = None
    when = True
    for argument in form.arguments:
        if argument.name == "when":
            when = truth(argument.value, env, context.budget)
        elif argument.name == "drop_path":
            p = evaluate(argument.value, env, context.budget)
            if isinstance(p, bool) or not isinstance(p, (int, float)) or not 0 <= p <= 1:
                raise Stop(
                    Diagnostic(
                        "bad-argument",
                        f"drop_path must be a number from 0 to 1, not {describe(p)}",
                        span=argument.span,
                    )
                )
            drop = Bound(p, argument.span, argument.value)
        else:
            meant = suggest(argument.name or "", ("when", "drop_path"))
            raise Stop(
                Diagnostic(
                    "unknown-argument",
                    f"residual has no argument {argument.name}"
                    if argument.name
                    else "the arguments of residual are named",
                    span=argument.span,
                    help=f"did you mean {meant}?"
                    if meant
                    else "residual(drop_path = 0.1) or residual(when = condition)",
                )
            )
    return drop, when


def _same_axes(
    context: Context, form: ast.Residual, it: TensorRef, body: TensorRef, shortcut: TensorRef
) -> bool:
    """A residual adds equal shapes: nothing is stretched."""
    if body.type is None or shortcut.type is None:
        return True
    one, two = body.type.dims, shortcut.type.dims
    stretched = len(one) != len(two) or any(
        isinstance(a, int) and isinstance(b, int) and a != b for a, b in zip(one, two, strict=True)
    )
    if stretched:
        context.report(_residual_mismatch(context, form, it, body, shortcut))
    return not stretched


def _residual_mismatch(
    context: Context, form: ast.Residual, it: TensorRef, body: TensorRef, shortcut: TensorRef
) -> Diagnostic:
    inner, outer = body.known(), shortcut.known()
    what = "the shortcut gives" if form.shortcut is not None else "the input is"
    labels = _where_it_changed(context, it, body, form.keyword)
    return Diagnostic(
        "shape-mismatch",
        "the two paths of this residual have different shapes",
        span=form.keyword,
        text=f"the body gives {inner}, {what} {outer}",
        labels=labels,
        help=_mend_residual(inner.dims, it.known().dims, kept=shortcut.source == it.source),
    )


def _mend_residual(inner: Sequence[Any], outer: Sequence[Any], *, kept: bool) -> str:
    """What would mend a residual whose body gives other sizes than come in."""
    if len(inner) != len(outer) or len(inner) < 2:
        return "make both paths give the same shape"
    if inner == outer:
        return "leave the shortcut out: the body gives the shape that comes in"
    channels, *sizes = inner
    fits = "give it a shortcut" if kept else "a shortcut that fits"
    if sizes == [*outer[1:]]:
        return f"{fits}: shortcut {{ conv({channels}, 1) -> bn }}"
    stride = _stride_between(outer[1:], sizes)
    if stride is not None:
        step = f", stride = {stride}" if stride > 1 else ""
        return f"{fits}: shortcut {{ conv({channels}, 1{step}) -> bn }}"
    if not all(isinstance(s, int) for s in (*inner, *outer)):
        return "make both paths keep the size: padding = same, and no stride"
    return "make both paths keep the size: a convolution of 3 needs padding = 1"


_LARGEST_STRIDE = 32  # of those that are tried where sizes are free


def _stride_between(outer: Sequence[Any], inner: Sequence[Any]) -> int | None:
    """The stride with which a convolution of 1 brings the outer sizes to the inner ones."""
    pairs = list(zip(outer, inner, strict=True))
    known = {-(-b // a) for b, a in pairs if isinstance(a, int) and isinstance(b, int)}
    tried = known or range(2, _LARGEST_STRIDE + 1)
    return next((s for s in tried if all(-(-b // s) == a for b, a in pairs)), None)


def _where_it_changed(
    context: Context, it: TensorRef, body: TensorRef, keyword: Span
) -> tuple[Label, ...]:
    """The last stage of the body that changed the sizes, as a further place of the error."""
    graph = context.graph
    start, node = it.known(), body.source.node
    while node != it.source.node and graph.in_degree(node) == 1:
        (before,) = graph.predecessors(node)
        left, right = graph.nodes[before]["shape"], graph.nodes[node]["shape"]
        span = graph.nodes[node]["span"]
        if left != right and span is not None and span != keyword and start.dims != right:
            text = _change(left, right)
            stride = context.argument_spans.get(node, {}).get("stride")
            return (Label(stride if stride and "size" in text else span, text),)
        node = before
    return ()


def _change(before: Sequence[Any], after: Sequence[Any]) -> str:
    if len(before) == len(after) > 1 and before[1:] != after[1:]:
        pairs = list(zip(before[1:], after[1:], strict=True))
        if all(a == -(-b // 2) for b, a in pairs):
            return "the size is halved here"
        return "the size changes here"
    if len(before) != len(after):
        return f"the axes change here, from {show_shape(before)} to {show_shape(after)}"
    return "the channels change here" if len(before) > 1 else "the features change here"


def _dense(context: Context, form: ast.Dense, env: Env, frame: Frame) -> list[TensorRef]:
    it = _one(env.it, form.keyword, env)[0]
    body = _one(_inside(context, form.body, env, frame, it), form.keyword, env)[0]

    def explain(problem: OpError) -> Diagnostic:
        return Diagnostic(
            "shape-mismatch",
            "what this dense connection adds does not fit its input",
            span=form.keyword,
            text=f"the body gives {body.known()}, the input is {it.known()}",
            labels=_where_it_changed(context, it, body, form.keyword),
            help="its body must keep the height and the width: a convolution of 3 needs"
            " padding = 1",
        )

    return [merge(context, "concat", [it, body], frame, form.keyword, error=explain)]


def _branch(context: Context, form: ast.Branch, env: Env, frame: Frame) -> list[TensorRef]:
    it = env.it
    names = Env(env, kind="group")
    paths: list[tuple[TensorRef, Span]] = []
    for statement in form.body.statements:
        if not isinstance(statement, ast.Pipeline):
            context.run_body(context, ast.Body(statement.span, (statement,)), names, frame)
            continue
        single = ast.Body(statement.span, (statement,))
        result = _inside(context, single, names, frame, it)
        paths.append((_one(result, statement.span, env)[0], statement.span))
    if not paths:
        raise Stop(
            Diagnostic(
                "empty-branch",
                "this branch has no path",
                form.keyword,
                help="write a path a line; `identity` is the plain one",
            )
        )
    tensors = [tensor for tensor, _ in paths]
    if form.merge is None:
        return tensors
    layer = _merge_layer(context, form.merge, env)
    if len(tensors) == 1:
        context.warn(
            "single-path",
            "a branch with one path merges nothing",
            form.keyword,
            help="leave the branch out, or add the path that is missing (`identity` for the input)",
        )
        return tensors
    if any(t.type is None for t in tensors):
        return [UNKNOWN_TENSOR]
    arguments = {k: b.value for k, b in layer.named.items()}
    places = {k: b.span for k, b in layer.named.items() if b.span is not None}
    assert not isinstance(layer.target, str)

    def explain(problem: OpError) -> Diagnostic:
        return _branch_mismatch(problem, form, paths, layer.name)

    reason = "the paths of this branch must have the same sizes"
    return [
        merge(
            context,
            layer.name,
            tensors,
            frame,
            form.keyword,
            places=places,
            error=explain,
            reason=reason,
            **arguments,
        )
    ]


def _merge_layer(context: Context, expr: ast.Expr, env: Env) -> LayerValue:
    if isinstance(expr, ast.Name):
        cls = find(expr.id)
        value: Any = LayerValue(cls) if cls else env.find(expr.id)
        if value is ABSENT:
            value = None
    else:
        value = evaluate(expr, env, context.budget)
    target = value.target if isinstance(value, LayerValue) else None
    if isinstance(target, type) and getattr(target, "variadic", False):
        assert isinstance(value, LayerValue)
        return value
    merges = ("concat", "add", "mul", "stack", "max", "sub", "matmul")
    written = expr.span.text
    meant = suggest(written, merges)
    raise Stop(
        Diagnostic(
            "unknown-name",
            f"{written} is no merge",
            span=expr.span,
            text=f"a merge is {', '.join(merges)}",
            help=f"did you mean {meant}?" if meant else "",
        )
    )


def _branch_mismatch(
    problem: OpError, form: ast.Branch, paths: Sequence[tuple[TensorRef, Span]], name: str
) -> Diagnostic:
    if problem.code != "shape-mismatch":
        return Diagnostic(
            problem.code, problem.message, form.keyword, problem.text, help=problem.help
        )
    labels = tuple(Label(span, f"gives {tensor.known()}") for tensor, span in paths[:8])
    return Diagnostic(
        "shape-mismatch",
        f"the paths of this branch cannot be merged by {name}",
        span=form.keyword,
        text="every path must give the same height and width"
        if name == "concat"
        else "every path must give the same shape",
        labels=labels,
        help=problem.help or _mend_branch(paths),
    )


def _mend_branch(paths: Sequence[tuple[TensorRef, Span]]) -> str:
    types = [tensor.known() for tensor, _ in paths]
    if types[0].rank > 1 and len({t.spatial for t in types}) > 1:
        return "keep the sizes in every path: padding = same, or stride = 1 and padding in a pool"
    return mend_merge([], types)


# U-Nets ---------------------------------------------------------------------------


def _unet(context: Context, form: ast.UNet, env: Env, frame: Frame) -> list[TensorRef]:
    levels = list(elements(form.iterable, env, context.budget))
    _bound_count(len(levels), form.iterable.span)
    parts = dict(form.parts)
    if not levels:
        raise Stop(
            Diagnostic("bad-value", "a unet needs at least one level", span=form.iterable.span)
        )
    it = env.it
    target = [(form.target, _word(form, form.target))]

    def run_part(name: str, level: Any, tensor: TensorRef | None, **names: TensorRef) -> Any:
        if name not in parts:
            return tensor
        child = Env(env, kind="group")
        if level is not None:
            _bind_loop(context, form, target, level, child)
        child.names.update(names)
        return _inside(context, parts[name], child, frame, tensor)

    outermost = context.unet is None
    context.unets += outermost

    def stand(part: str, depth: int) -> None:
        if outermost:
            context.unet = UNetPlace(context.unets, part, depth)

    skips: list[TensorRef] = []
    try:
        for depth, level in enumerate(levels):
            stand("encode", depth)
            it = run_part("encode", level, it)
            skips.extend(_one(it, form.keyword, env))
            _name_skip(context, skips[-1], level, len(skips), frame)
            stand("down", depth)
            it = run_part("down", level, it)
        stand("bottom", len(levels))
        it = run_part("bottom", None, it)
        for depth, level in reversed(list(enumerate(levels))):
            stand("up", depth)
            it = run_part("up", level, it)
            stand("join", depth)
            if "join" in parts:
                it = run_part("join", level, it, skip=skips[depth])
            else:
                it = _join(context, form, level, skips[depth], it, env, frame)
            stand("decode", depth)
            it = run_part("decode", level, it)
    finally:
        if outermost:
            context.unet = None
    return _one(it, form.keyword, env)


def _name_skip(context: Context, skip: TensorRef, level: Any, count: int, frame: Frame) -> None:
    """Call a skip by its level, where it has no name yet."""
    node = context.graph.nodes.get(skip.source.node)
    if node is None or node["names"] or skip.source.output:
        return
    number = level if isinstance(level, int) and not isinstance(level, bool) else count
    node["names"] = (f"skip{number}" if number >= 0 else f"skip{count}",)
    node["named_in"] = frame.id


def _join(
    context: Context,
    form: ast.UNet,
    level: Any,
    skip: TensorRef,
    it: TensorRef | None,
    env: Env,
    frame: Frame,
) -> TensorRef:
    up = _one(it, form.keyword, env)[0]

    def explain(problem: OpError) -> Diagnostic:
        return Diagnostic(
            "shape-mismatch",
            f"the skip of level {describe(level)} does not fit what comes up",
            span=form.keyword,
            text=f"the skip is {skip.known()}, {up.known()} comes up",
            help="keep the sizes (padding = same, and sizes that halve evenly), or cut the skip:"
            " join { concat(crop(skip, like = it), it) }",
        )

    reason = f"the skip of level {describe(level)} must fit what comes up"
    return merge(context, "concat", [skip, up], frame, form.keyword, error=explain, reason=reason)


# Scans ----------------------------------------------------------------------------


def _scan(context: Context, form: ast.Scan, env: Env, frame: Frame) -> list[TensorRef]:
    sequence = _one(env.it, form.keyword, env)[0]
    carried: list[TensorRef] = []
    for name, expr in form.carried:
        refuse_it(name, _word(form, name))
        carried.append(_initial(context, name, expr, env, frame, sequence))
    known = [sequence, *carried]
    if any(t.type is None for t in known):
        raise Poisoned
    path = frame.implicit("scan")
    begin = context.add(ScanBegin(carried=len(carried)), known, frame, path, form.keyword)
    if begin[0].type is None:
        raise Poisoned
    node = begin[0].source.node
    context.graph.nodes[node]["names"] = ("", *(name for name, _ in form.carried))
    outer, context.loop = context.loop, node
    try:
        inner = Env(env, kind="group")
        for (name, _), tensor in zip(form.carried, begin[1:], strict=True):
            inner.names[name] = tensor
        inner.it = begin[0]
        result = context.run_body(context, form.body, inner, frame)
        after = [
            _carried(form, name, inner, tensor)
            for (name, _), tensor in zip(form.carried, begin[1:], strict=True)
        ]
    finally:
        context.loop = outer
    final = _one(result, form.keyword, env)[0]
    if any(t.type is None for t in (final, *after)):
        raise Poisoned
    for state, old, new in zip(form.carried, begin[1:], after, strict=True):
        _check_carried(context, form, state, old, new)

    def explain(problem: OpError) -> Diagnostic:
        return Diagnostic(
            problem.code, problem.message, form.keyword, problem.text, help=problem.help
        )

    return context.add(
        ScanEnd(carried=len(carried), begin=node),
        [sequence, *begin[1:], final, *after],
        frame,
        f"{path}.end",
        form.keyword,
        error=explain,
    )


def _initial(
    context: Context, name: str, expr: ast.Expr, env: Env, frame: Frame, sequence: TensorRef
) -> TensorRef:
    """What a carried state starts from: a tensor, or a layer on the sequence such as zeros(256)."""
    value = evaluate(expr, env, context.budget)
    if isinstance(value, TensorRef):
        return value
    if not isinstance(value, LayerValue):
        raise Stop(
            Diagnostic(
                "bad-value",
                f"{name} must start from a tensor or from zeros(…), not {describe(value)}",
                span=expr.span,
                help=f"scan {name} = zeros(256) {{ … as {name} }}",
            )
        )
    site = Site(sequence, env, frame, frame.implicit(value.name), expr.span)
    return run_layer(context, value, site)[0]


def _carried(form: ast.Scan, name: str, inner: Env, before: TensorRef) -> TensorRef:
    """The new value of a carried state: the tensor that the body called by its name."""
    value = inner.names.get(name)
    if value == before and inner.it is not None and inner.it.type is not None:
        raise Stop(
            Diagnostic(
                "state-not-renewed",
                f"{name} is carried from step to step, and never renewed",
                span=_word(form, name),
                text=f"the body never says `as {name}` outside of inner braces",
                help=f"name the new state: scan {name} = … {{ … as {name} }}",
            )
        )
    if not isinstance(value, TensorRef):
        raise Poisoned
    return value


def _check_carried(
    context: Context,
    form: ast.Scan,
    state: tuple[str, ast.Expr],
    before: TensorRef,
    after: TensorRef,
) -> None:
    """A carried state keeps its shape from step to step."""
    (name, expr), old, new = state, before.known(), after.known()
    differs = (old.rank, old.dtype) != (new.rank, new.dtype) or any(
        isinstance(a, int) and isinstance(b, int) and a != b
        for a, b in zip(old.dims, new.dims, strict=True)
    )
    if differs:
        span = context.graph.nodes[after.source.node]["span"]
        raise Stop(
            Diagnostic(
                "shape-mismatch",
                f"the state {name} changes its shape from step to step",
                span=span or form.keyword,
                text=f"goes on as {new}",
                labels=(Label(expr.span, f"starts as {old}"),),
                help=f"give {name} the same shape at the end of the body as at its start",
            )
        )


_FORMS: dict[type, Callable[[Context, Any, Env, Frame], list[TensorRef]]] = {
    ast.Group: _group,
    ast.Repeat: _repeat,
    ast.For: _for,
    ast.If: _if,
    ast.Residual: _residual,
    ast.Dense: _dense,
    ast.Branch: _branch,
    ast.UNet: _unet,
    ast.Scan: _scan,
}
