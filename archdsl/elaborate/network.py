"""A network with its parameters becomes a graph: inputs, body, outputs, and what is left over."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from archdsl.conditions import solve
from archdsl.diagnostics import Diagnostic, Label, Span, suggest
from archdsl.dims import Dim, symbol, symbols
from archdsl.elaborate.body import run_body
from archdsl.elaborate.calls import default_value
from archdsl.elaborate.context import Context, TooLarge
from archdsl.elaborate.expressions import Budget, evaluate
from archdsl.elaborate.scopes import Frame
from archdsl.elaborate.values import (
    UNKNOWN,
    UNKNOWN_TENSOR,
    BlockDef,
    Bound,
    Env,
    LayerValue,
    NetworkAlias,
    Poisoned,
    Stop,
    TensorRef,
)
from archdsl.graph import Graph, Scope, live_nodes
from archdsl.ops.arguments import describe
from archdsl.ops.ends import Input, Output
from archdsl.syntax import ast


@dataclass(frozen=True)
class Elaborated:
    """What became of a network: its graph, whole unless some diagnostic is an error."""

    graph: Graph
    diagnostics: tuple[Diagnostic, ...]

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)


def elaborate_network(
    name: str, network: BlockDef | NetworkAlias, parameters: Mapping[str, Any]
) -> Elaborated:
    """The graph of a network at some parameters, with everything there is to say of it."""
    context = Context(name, run_body)
    try:
        _elaborate(context, network, parameters)
    except TooLarge as stop:
        context.report(stop.diagnostic)
    except Stop as stop:
        context.report(stop.diagnostic)
    except Poisoned:
        pass
    return Elaborated(context.graph, tuple(context.diagnostics))


def _elaborate(
    context: Context, network: BlockDef | NetworkAlias, parameters: Mapping[str, Any]
) -> None:
    doc = network.alias.doc if isinstance(network, NetworkAlias) else ""
    layer = _resolve(context, network, 0)
    block = layer.target
    assert isinstance(block, BlockDef)
    definition = block.definition
    env = _bind_parameters(context, layer, definition, block.env, parameters)
    graph = context.graph
    arguments = {p.name: env.names[p.name] for p in definition.parameters}
    graph.graph["parameters"] = {k: v for k, v in arguments.items() if v is not UNKNOWN}
    graph.graph["doc"] = doc or definition.doc
    graph.graph["span"] = definition.name_span
    graph.graph["scopes"][""] = Scope(
        "", "", None, "network", definition.name, arguments=arguments, doc=definition.doc,
        span=definition.name_span,
    )
    frame = Frame("", "")
    given = _inputs(context, definition, env, frame)
    result = run_body(context, definition.body, env, frame)
    if context.loop is not None or any(d.severity == "error" for d in context.diagnostics):
        _outputs(context, env, result, definition, given, frame, quiet=True)
        return
    _outputs(context, env, result, definition, given, frame, quiet=False)
    if not any(d.severity == "error" for d in context.diagnostics):
        _left_over(context, definition)
        _solve(context)


def _resolve(context: Context, network: BlockDef | NetworkAlias, depth: int) -> LayerValue:
    """The definition behind an alias, with the alias's arguments bound."""
    if isinstance(network, BlockDef):
        return LayerValue(network)
    alias = network.alias
    if depth > 50:
        raise Stop(
            Diagnostic("recursion", f"{alias.name} stands for itself", span=alias.name_span)
        )
    expr = alias.value
    callee = expr.callee if isinstance(expr, ast.Call) else expr
    value: Any = None
    if isinstance(callee, ast.Name):
        value = network.env.find(callee.id)
        if isinstance(value, LayerValue):
            value = value.target
    if not (
        isinstance(value, NetworkAlias)
        or (isinstance(value, BlockDef) and value.definition.kind == "network")
    ):
        written = callee.span.text
        known = [
            k
            for e in network.env.chain()
            for k, v in e.names.items()
            if isinstance(v, NetworkAlias)
            or (isinstance(v, LayerValue) and isinstance(v.target, BlockDef)
                and v.target.definition.kind == "network")
        ]
        meant = suggest(written, [k for k in known if k != alias.name])
        raise Stop(
            Diagnostic(
                "unknown-name",
                f"there is no network {written}",
                span=callee.span,
                help=f"did you mean {meant}?" if meant else "",
            )
        )
    layer = _resolve(context, value, depth + 1)
    if isinstance(expr, ast.Call):
        positional: list[Bound] = []
        named: dict[str, Bound] = {}
        for argument in expr.arguments:
            bound = Bound(
                evaluate(argument.value, network.env, context.budget), argument.span, argument.value
            )
            if argument.name is None:
                positional.append(bound)
            else:
                named[argument.name] = bound
        layer = layer.bind(tuple(positional), named)
    return layer


def _bind_parameters(
    context: Context,
    layer: LayerValue,
    definition: ast.Definition,
    outer: Env,
    given: Mapping[str, Any],
) -> Env:
    names = [p.name for p in definition.parameters]
    if len(layer.positional) > len(names):
        extra = layer.positional[len(names)]
        raise Stop(
            Diagnostic(
                "too-many-arguments",
                f"{definition.name} takes {len(names) or 'no'} parameters",
                span=extra.span,
            )
        )
    bound = dict(zip(names, layer.positional, strict=False))
    for name, argument in layer.named.items():
        if name not in names:
            meant = suggest(name, names)
            raise Stop(
                Diagnostic(
                    "unknown-argument",
                    f"{definition.name} has no parameter {name}",
                    span=argument.span,
                    help=f"did you mean {meant}?" if meant else "",
                )
            )
        bound[name] = argument
    for name, value in given.items():
        if name not in names:
            meant = suggest(name, names)
            known = ", ".join(names)
            raise Stop(
                Diagnostic(
                    "unknown-argument",
                    f"{definition.name} has no parameter {name}",
                    span=definition.name_span,
                    text=f"its parameters are {known}" if known else "it has no parameters",
                    help=f"did you mean {meant}?" if meant else "",
                )
            )
        bound[name] = Bound(value)
    env = Env(outer, kind="network")
    for parameter in definition.parameters:
        if parameter.name in bound:
            value = bound[parameter.name].value
        elif parameter.default is not None:
            value = default_value(context, parameter.default, env)
        else:
            raise Stop(
                Diagnostic(
                    "missing-argument",
                    f"the network {definition.name} needs {parameter.name}",
                    span=parameter.span,
                    text="has no default",
                    help=f"give it one, or make a network of it: network my_{definition.name}"
                    f" = {definition.name}({parameter.name} = …)",
                )
            )
        env.names[parameter.name] = value
        env.hints[parameter.name] = ast.Name(parameter.span, parameter.name)
    return env


def _inputs(
    context: Context, definition: ast.Definition, env: Env, frame: Frame
) -> dict[str, TensorRef]:
    given: dict[str, TensorRef] = {}
    spans: dict[str, Span] = {}
    for statement in definition.body.statements:
        if isinstance(statement, ast.Let):
            break  # sizes may use the network's parameters and the file's constants alone
        if not isinstance(statement, ast.Input):
            continue
        for name, span in zip(statement.names, statement.name_spans, strict=True):
            if name in given:
                context.report(
                    Diagnostic(
                        "duplicate-name",
                        f"the input {name} is declared twice",
                        span,
                        labels=(Label(spans[name], "first declared here"),),
                    )
                )
                continue
            given[name] = _input(context, statement, name, span, env, frame)
            spans[name] = span
            env.names[name] = given[name]
    late = [
        s
        for i, s in enumerate(definition.body.statements)
        if isinstance(s, ast.Input) and any(n not in given for n in s.names)
    ]
    for statement in late:
        context.report(
            Diagnostic("misplaced", "the inputs stand first in a network", statement.span)
        )
    if not given:
        raise Stop(
            Diagnostic(
                "no-input",
                f"the network {definition.name} has no input",
                span=definition.name_span,
                help="declare it first: input image: [3, H, W]",
            )
        )
    if len(given) == 1:
        env.it = next(iter(given.values()))
    return given


def _input(
    context: Context, statement: ast.Input, name: str, span: Span, env: Env, frame: Frame
) -> TensorRef:
    if statement.sizes is None:
        context.report(
            Diagnostic(
                "bad-value",
                f"the input {name} has no sizes",
                span,
                help=f"input {name}: [3, 224, 224], or [3, H, W] for free sizes",
            )
        )
        return UNKNOWN_TENSOR
    dims: list[Any] = []
    failed = False
    for expr in statement.sizes:
        try:
            dims.append(_input_size(expr, env, context.budget))
        except Stop as stop:
            context.report(stop.diagnostic)
            failed = True
        except Poisoned:
            failed = True
    if failed:
        return UNKNOWN_TENSOR
    op = Input(tuple(dims), statement.dtype or "float")
    return context.add(op, [], frame, name, span, labelled=True)[0]


def _input_size(expr: ast.Expr, env: Env, budget: Budget) -> Any:
    if isinstance(expr, ast.Name) and expr.id[:1].isupper() and not env.binds(expr.id):
        env.names[expr.id] = symbol(expr.id)
        return env.names[expr.id]
    value = evaluate(expr, env, budget)
    if isinstance(value, Dim):
        if value != symbol(next(iter(symbols(value)))):
            raise Stop(
                Diagnostic(
                    "bad-value",
                    "a size of an input is a number or a free size, not computed from one",
                    span=expr.span,
                )
            )
        return value
    if isinstance(value, bool) or not isinstance(value, int):
        raise Stop(
            Diagnostic(
                "bad-value",
                f"a size must be a positive whole number, not {describe(value)}",
                span=expr.span,
                help="a free size is a capital name: [3, H, W]",
            )
        )
    if not 1 <= value < 2**31:
        raise Stop(
            Diagnostic(
                "bad-value", f"a size must be a positive whole number, not {value}", span=expr.span
            )
        )
    return value


def _outputs(
    context: Context,
    env: Env,
    result: TensorRef | None,
    definition: ast.Definition,
    given: Mapping[str, TensorRef],
    frame: Frame,
    *,
    quiet: bool,
) -> None:
    named = env.network_outputs
    if not any(not training for *_, training in named):
        if result is None or result.source.node in {t.source.node for t in given.values()}:
            if not quiet:
                context.report(
                    Diagnostic(
                        "no-output",
                        f"the network {definition.name} computes nothing",
                        span=definition.name_span,
                        help="write the layers after the inputs, one step a line",
                    )
                )
            return
        named = [("output", result, None, False), *named]
    seen: set[str] = set()
    for name, tensor, span, training in named:
        if name in seen:
            context.report(Diagnostic("duplicate-name", f"the output {name} is named twice", span))
            continue
        seen.add(name)
        if tensor.type is None:
            continue
        if tensor.type.batch != "free":
            context.report(
                Diagnostic(
                    "no-batch-axis",
                    f"the output {name} does not depend on any input",
                    span or definition.name_span,
                )
            )
            continue
        identifier = name if name not in context.graph else f"{name} output"
        refs = context.add(Output(training), [tensor], frame, identifier, span)
        context.graph.nodes[refs[0].source.node]["names"] = (name,)


def _left_over(context: Context, definition: ast.Definition) -> None:
    """Warn of inputs that nothing uses, and of paths that reach no output."""
    graph = context.graph
    alive = {n for n in live_nodes(graph) if graph.nodes[n]["op"] != "input" or graph.out_degree(n)}
    for node, data in graph.nodes(data=True):
        if node in alive:
            continue
        if data["op"] == "input":
            context.warn(
                "unused-input",
                f"nothing uses the input {node}",
                data["span"],
                help="leave it out, or start a pipeline from it",
            )
        elif all(after not in graph or after in alive for after in graph.successors(node)):
            context.warn(
                "dead-path",
                f"what {data['path']} computes reaches no output",
                data["span"],
                text="computed, and dropped",
                help="name it with `as` and merge it, give it back with `output`, or leave it out",
            )


def _solve(context: Context) -> None:
    """Refuse what no size can satisfy."""
    if not context.conditions:
        return
    solution = solve(context.conditions)
    if solution.possible:
        return
    conflict = solution.conflict
    span = conflict.span if conflict else None
    context.report(
        Diagnostic(
            "no-size-fits",
            "no sizes satisfy what this network needs",
            span=span,
            text=conflict.reason if conflict else "",
            notes=tuple(
                f"needed as well: {c.reason}" + (f" ({c.span})" if c.span else "")
                for c in _others(context, conflict)
            ),
            help="use padding = same on the way, or crop what is larger",
        )
    )


def _others(context: Context, conflict: Any) -> Iterable[Any]:
    mentioned = symbols(conflict.left) | symbols(conflict.right) if conflict else frozenset()
    seen: set[str] = set()
    for condition in context.conditions:
        if condition == conflict or condition.reason in seen or len(seen) >= 3:
            continue
        if mentioned & (symbols(condition.left) | symbols(condition.right)):
            seen.add(condition.reason)
            yield condition

