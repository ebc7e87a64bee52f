"""A network with its parameters becomes a graph: inputs, body, outputs, and what is left over."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import field
from functools import partial
from typing import Any

from archdsl.conditions import Condition, Solution, solve
from archdsl.diagnostics import Diagnostic, Label, Span, suggest
from archdsl.dims import Dim, symbol, symbols
from archdsl.elaborate.blocks import bind_parameters
from archdsl.elaborate.body import run_body
from archdsl.elaborate.bounds import Budget
from archdsl.elaborate.context import Context, TooLarge
from archdsl.elaborate.expressions import bind_arguments, evaluate, given_twice
from archdsl.elaborate.memory import Memory
from archdsl.elaborate.names import refuse_it
from archdsl.elaborate.parameters import bind_in_order, no_parameter
from archdsl.elaborate.scopes import Frame
from archdsl.elaborate.values import (
    UNKNOWN,
    UNKNOWN_TENSOR,
    BlockDef,
    Bound,
    Env,
    LayerName,
    LayerValue,
    NetworkAlias,
    Poisoned,
    Stop,
    TensorRef,
)
from archdsl.graph import Graph, Scope, Wiring, dead_ties, inputs, unlike_runs, walk_scopes
from archdsl.ops.arguments import WeightRef, describe
from archdsl.ops.ends import Input, Output
from archdsl.ops.op import find_public
from archdsl.records import record, replace
from archdsl.syntax import ast

STACK = 5_000  # Python frames: a body takes about twenty, and they nest some hundred deep


@record(frozen=True)
class Elaborated:
    """What became of a network: its graph, whole unless some diagnostic is an error."""

    graph: Graph
    diagnostics: tuple[Diagnostic, ...]
    wiring: Wiring | None = field(default=None, repr=False, compare=False)
    """What is known of the graph, as long as nobody has changed it."""

    @property
    def failed(self) -> bool:
        return any(d.severity == "error" for d in self.diagnostics)


def elaborate_network(
    name: str,
    network: BlockDef | NetworkAlias,
    parameters: Mapping[str, Any],
    memory: Memory | None = None,
) -> Elaborated:
    """The graph of a network at some parameters, with everything there is to say of it.

    ``memory`` is what other networks of the file have left.
    """
    context = Context(name, run_body, memory=memory or Memory())
    try:
        with _deep_stack():
            _elaborate(context, network, parameters)
    except RecursionError:
        context.report(
            Diagnostic("too-deep", f"{name} is nested too deep to be expanded", _named(network))
        )
    except TooLarge as stop:
        context.report(stop.diagnostic)
    except Stop as stop:
        context.report(stop.diagnostic)
    except Poisoned:
        pass
    return Elaborated(context.graph, tuple(context.diagnostics), context.wiring)


@contextmanager
def _deep_stack() -> Iterator[None]:
    """Room for bodies nested as deep as they may be, whatever has been called already."""
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(limit + STACK)
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def _named(network: BlockDef | NetworkAlias) -> Span:
    if isinstance(network, NetworkAlias):
        return network.alias.name_span
    return network.definition.name_span


def _elaborate(
    context: Context, network: BlockDef | NetworkAlias, parameters: Mapping[str, Any]
) -> None:
    doc = network.alias.doc if isinstance(network, NetworkAlias) else ""
    layer = _resolve(context, network, 0)
    block = layer.target
    assert isinstance(block, BlockDef)
    definition = block.definition
    bound = _given(layer, definition, block.env, parameters)
    env = bind_parameters(context, block, bound, "network", partial(_missing, definition))
    graph = context.graph
    arguments = {p.name: env.names[p.name] for p in definition.parameters}
    graph.graph["parameters"] = {k: v for k, v in arguments.items() if v is not UNKNOWN}
    graph.graph["doc"] = doc or definition.doc
    graph.graph["span"] = definition.name_span
    graph.graph["scopes"][""] = Scope(
        "",
        "",
        None,
        "network",
        definition.name,
        arguments=arguments,
        doc=definition.doc,
        span=definition.name_span,
    )
    frame = Frame("", "")
    given = _inputs(context, definition, env, frame)
    result = run_body(context, definition.body, env, frame)
    if context.failed:
        _outputs(context, env, result, definition, given, frame, quiet=True)
        return
    _outputs(context, env, result, definition, given, frame, quiet=False)
    if not context.failed:
        _left_over(context)
        _visits(context)
        _runs(context)
        _solve(context)


def _resolve(context: Context, network: BlockDef | NetworkAlias, depth: int) -> LayerValue:
    """The definition behind an alias, with the alias's arguments bound."""
    if isinstance(network, BlockDef):
        return LayerValue(network)
    alias = network.alias
    if depth > 50:
        raise Stop(
            Diagnostic(
                "recursion",
                f"the network {alias.name} stands for itself",
                span=alias.name_span,
                help=f"one of them needs a body: network {alias.name} {{ … }}",
            )
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
            or (
                isinstance(v, LayerValue)
                and isinstance(v.target, BlockDef)
                and v.target.definition.kind == "network"
            )
        ]
        if value is UNKNOWN:
            raise Poisoned
        meant = suggest(written, [k for k in known if k != alias.name])
        help = f"did you mean {meant}?" if meant else ""
        if isinstance(value, BlockDef):
            help = f"a network has inputs: network {alias.name} {{ input …; {written} }}"
        raise Stop(
            Diagnostic(
                "not-callable" if isinstance(value, BlockDef) else "unknown-name",
                f"{written} is a block, and no network"
                if isinstance(value, BlockDef)
                else f"there is no network {written}",
                span=callee.span,
                help=help,
            )
        )
    layer = _resolve(context, value, depth + 1)
    if isinstance(expr, ast.Call):
        bound = bind_arguments(layer, expr, network.env, context.budget)
        assert isinstance(bound, LayerValue)
        return bound
    return layer


def _given(
    layer: LayerValue, definition: ast.Definition, outer: Env, given: Mapping[str, Any]
) -> dict[str, Bound]:
    """The parameters that an alias gives a network, and those that Python does."""
    names = [p.name for p in definition.parameters]
    bound = bind_in_order(definition, layer.positional, None)
    for name, argument in layer.named.items():
        if name not in names:
            raise no_parameter(definition, name, names, argument.span)
        if name in bound:
            raise given_twice(name, argument.span, bound[name].span)
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
        bound[name] = Bound(_from_python(value, outer))
    return bound


def _missing(definition: ast.Definition, parameter: ast.Parameter) -> Diagnostic:
    return Diagnostic(
        "missing-argument",
        f"the network {definition.name} needs {parameter.name}",
        span=parameter.span,
        text="has no default",
        help=f"give it a value: network my_{definition.name}"
        f" = {definition.name}({parameter.name} = …)",
    )


def _from_python(value: Any, env: Env) -> Any:
    """A parameter given from Python; a text may name a layer, or a block that the file sees."""
    if isinstance(value, (list, tuple)):
        return type(value)([_from_python(v, env) for v in value])
    if isinstance(value, str):
        found = env.find(value)
        if not isinstance(found, LayerValue):
            cls = find_public(value)
            found = LayerValue(cls) if cls else None
        return LayerName.of(value, found) if found else value
    if hasattr(value, "__index__") and not isinstance(value, int):
        return operator.index(value)  # numpy's whole numbers
    return value


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
            refuse_it(name, span)
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
            Diagnostic(
                "misplaced",
                "the inputs stand first in a network",
                statement.span,
                help="put it in front of the first `let`; a size can be a parameter of the network,"
                " or a constant of the file",
            )
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
        except Stop as stop:  # noqa: PERF203  # every size may have a mistake of its own
            context.report(stop.diagnostic)
            failed = True
        except Poisoned:
            context.poisoned = failed = True
    if failed:
        return UNKNOWN_TENSOR
    op = Input(tuple(dims), statement.dtype or "float")
    return context.add(op, [], frame, name, span, labelled=True)[0]


def _input_size(expr: ast.Expr, env: Env, budget: Budget) -> Any:
    if isinstance(expr, ast.Name) and expr.id[:1].isupper() and not env.binds(expr.id):
        env.names[expr.id] = symbol(expr.id)
        return env.names[expr.id]
    value = _known_size(expr, env, budget)
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


def _known_size(expr: ast.Expr, env: Env, budget: Budget) -> Any:
    try:
        return evaluate(expr, env, budget)
    except Stop as stop:
        problem = stop.diagnostic
    if problem.code != "unknown-name" or problem.span is None:
        raise Stop(problem)
    name = problem.span.text
    if name != expr.span.text and name[:1].isupper():
        raise Stop(
            Diagnostic(
                "bad-value",
                "a size of an input is a number or a free size, not computed from one",
                span=expr.span,
                help=f"write {name} alone; what must hold of it is worked out",
            )
        )
    meant = suggest(name, [k for k in env.visible() if isinstance(env.find(k), int)])
    help = f"did you mean {meant}?" if meant else "a free size has a capital name: [3, H, W]"
    raise Stop(replace(problem, help=help))


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
                    text="the same for every sample",
                    help="merge it with what comes from an input, or leave it out",
                )
            )
            continue
        identifier = name if name not in context.graph else f"{name} output"
        refs = context.add(Output(training), [tensor], frame, identifier, span)
        context.graph.nodes[refs[0].source.node]["names"] = (name,)


def _left_over(context: Context) -> None:
    """Warn of inputs that nothing uses, and of paths that reach no output."""
    graph = context.graph
    unused = {node for node in inputs(graph) if not graph.out_degree(node)}
    alive = context.wiring.alive - unused
    if len(alive) == len(graph):
        return
    told = set()
    for node, tie in dead_ties(graph, alive):
        context.report(_dead_tie(context, node, tie))
        told.add(tie.path)
    for node, data in graph.nodes(data=True):
        if node in alive or data["path"] in told:
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


def _dead_tie(context: Context, node: str, tie: WeightRef) -> Diagnostic:
    data = context.graph.nodes[node]
    place = context.modules[tie.path].span
    return Diagnostic(
        "dead-tie",
        f"{tie.path} is no part of the network: nobody uses what it computes",
        span=context.argument_spans[node].get("tie", data["span"]),
        text="its weight is wanted here",
        labels=(Label(place, "computed, and dropped"),) if place else (),
        calls=tuple(str(call) for call in reversed(data["calls"])),
        help=f"merge what {tie.path} gives, or leave out `tie`: there is nobody to share with",
    )


def _visits(context: Context) -> None:
    """Refuse to leave a module in the middle, for another that is no part of it."""
    if not context.visits:
        return
    graph = context.graph
    for visit in context.visits:
        around = {s.id for s in walk_scopes(graph, visit.inside)}
        around -= {s.id for s in walk_scopes(graph, visit.outside)}
        ways = (graph.predecessors, graph.successors)
        before, after = (_reached(step, visit.nodes) for step in ways)
        for scope in _scopes_of(graph, before) & _scopes_of(graph, after) & around:
            left = graph.graph["scopes"][scope].path
            context.report(
                Diagnostic(
                    "misplaced",
                    f"{visit.name} cannot run in the middle of {left}, of which it is no part",
                    span=visit.span,
                    text=f"the tensor would leave {left} here, and come back into it",
                    help=f"leave out the label {left}, or stop it before {visit.name} runs",
                )
            )
            break


def _runs(context: Context) -> None:
    """Refuse a module that runs again on inputs of another pattern."""
    for scope in unlike_runs(context.graph):
        context.report(
            Diagnostic(
                "shared-mismatch",
                f"the module {scope.path} runs again on something that it does not fit",
                span=scope.span,
                text="one tensor comes in at two places in one run, and two tensors in another",
                help="let every run take its tensors in the same way",
            )
        )


def _reached(step: Callable[[str], Iterable[str]], nodes: Iterable[str]) -> set[str]:
    """The nodes that are found by going on from some."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        fresh = set(step(waiting.pop())) - found
        found |= fresh
        waiting.extend(fresh)
    return found


def _scopes_of(graph: Graph, nodes: Iterable[str]) -> set[str]:
    """The scopes that hold some nodes, near or far."""
    own = {graph.nodes[node]["scope"] for node in nodes}
    return {scope.id for identifier in own for scope in walk_scopes(graph, identifier)}


def _solve(context: Context) -> None:
    """Refuse what no size can satisfy."""
    if not context.conditions:
        return
    solution = solve(context.conditions)
    if solution.possible:
        _warn_of_fixed(context, solution)
        return
    (requirement,) = solution.requirements
    first, *others = requirement.because
    spans = {first.span}
    labels: list[Label] = []
    for condition in others or _others(context, first):
        if condition.span is not None and condition.span not in spans and len(labels) < 3:
            spans.add(condition.span)
            labels.append(Label(condition.span, f"{condition}: {condition.reason}"))
    context.report(
        Diagnostic(
            "no-size-fits",
            f"no sizes satisfy what this network needs: {requirement.sentence}",
            span=first.span,
            text=f"{first}: {first.reason}",
            labels=tuple(labels),
            help="keep the sizes on the way (padding = same), or crop what is larger",
        )
    )


def _warn_of_fixed(context: Context, solution: Solution) -> None:
    """Warn of a free size that only one number fits."""
    found: dict[Span | None, list[str]] = {}
    reasons: dict[Span | None, str] = {}
    for name, sizes in solution.sets.items():
        because = solution.binding(name)
        if sizes.only is not None and because:
            found.setdefault(because[0].span, []).append(f"{name} = {sizes.only}")
            reasons[because[0].span] = because[0].reason
    for span, shown in found.items():
        fits = "fits" if len(shown) == 1 else "fit"
        context.warn(
            "one-size-fits",
            f"only {' and '.join(shown)} {fits} what this network needs",
            span,
            text=reasons[span],
            help="write the number in the input, or mend what asks for it",
        )


def _others(context: Context, conflict: Condition) -> Iterator[Condition]:
    """The conditions on the same free sizes, where the solver names no partner."""
    mentioned = conflict.symbols
    for condition in context.conditions:
        if condition != conflict and mentioned & condition.symbols:
            yield condition
