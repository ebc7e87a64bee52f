"""Calls: a layer becomes a node, a block becomes a scope with what its body gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from archdsl.diagnostics import Diagnostic, Span, suggest
from archdsl.dims import Dim, symbols
from archdsl.dims import evaluate as evaluate_size
from archdsl.elaborate.blocks import run_block, with_arguments
from archdsl.elaborate.context import Context
from archdsl.elaborate.expressions import WeightPath, given_twice
from archdsl.elaborate.hints import hints_of
from archdsl.elaborate.sites import Site, arriving, weight
from archdsl.elaborate.trained import need_weights, taken_off
from archdsl.elaborate.values import (
    UNKNOWN,
    BlockDef,
    Bound,
    LabelRef,
    LayerValue,
    Poisoned,
    Stop,
    TensorRef,
)
from archdsl.ops.arguments import Choice, OpError, describe
from archdsl.ops.op import Op, Tensor, build, call_form, signature
from archdsl.records import replace
from archdsl.syntax import ast

INFERRED = frozenset(
    ("in_channels", "in_features", "input_size", "num_features", "num_channels", "embed_dim")
)
"""What torch's modules are told, and layers infer."""


def run_layer(context: Context, layer: LayerValue, site: Site) -> list[TensorRef]:
    """The outputs of a layer or block called at a place."""
    if isinstance(layer.target, BlockDef):
        called = with_arguments(context, layer, layer.target, site.env, site.span)
        return run_block(context, called, site)
    return _run_op(context, layer, layer.target, site)


# Layers ---------------------------------------------------------------------------


def _run_op(context: Context, layer: LayerValue, cls: type[Op], site: Site) -> list[TensorRef]:
    layer, techniques = taken_off(layer)
    tensors, bound = _sort_arguments(_run_nested(context, layer, cls, site), cls, site)
    spans = {k: b.span for k, b in bound.items() if b.span is not None}
    values = {k: _plain(context, cls, k, b) for k, b in bound.items()}
    try:
        op = build(cls, values)
    except OpError as problem:
        raise Stop(_argument_error(problem, cls, bound, site)) from None
    inputs = _inputs(cls, tensors, site)
    written = _written_inputs(layer)

    def explain(problem: OpError) -> Diagnostic:
        found = context.op_diagnostic(problem, site.span, spans)
        if not cls.variadic or problem.code != "shape-mismatch":
            return found
        return explain_merge(found, written, [i.known() for i in inputs])

    outputs = context.add(
        op,
        inputs,
        site.frame,
        site.path,
        site.span,
        labelled=site.labelled,
        hints=hints_of(bound, site.env, context.memory),
        argument_spans=spans,
        error=explain,
    )
    if techniques and outputs[0].type is not None:
        weights = context.modules[site.path].weights
        need_weights(techniques, cls.name, weights, tied=bool(getattr(op, "tie", None)))
        context.graph.nodes[outputs[0].source.node]["training"] = techniques
    return outputs


def _written_inputs(layer: LayerValue) -> list[str]:
    """What the tensors of a merge are called where they are merged."""
    spans = [argument.span for argument in layer.positional]
    return [" ".join(span.text.split()) if span else "one input" for span in spans]


def explain_merge(found: Diagnostic, written: Sequence[str], types: Sequence[Tensor]) -> Diagnostic:
    """The error of a merge whose inputs disagree, with each by its name and what would serve."""
    pairs = list(zip(written, types, strict=False))
    return replace(
        found,
        text=", ".join(f"{name} is {tensor}" for name, tensor in pairs),
        help=found.help or mend_merge(written, types),
    )


def mend_merge(written: Sequence[str], types: Sequence[Tensor]) -> str:
    """What brings tensors of different shapes to one."""
    if len({t.rank for t in types}) > 1:
        return "bring them to the same axes first: flatten, reshape or unsqueeze"
    if types[0].rank < 2:
        return "bring them to the same features first, with a linear layer"
    sizes = {t.spatial for t in types}
    if len(sizes) > 1:
        ranked = sorted(zip(types, written, strict=False), key=lambda p: _magnitude(p[0]))
        crop = "slice" if types[0].rank < 3 else "crop"
        if crop == "crop" and ranked:
            crop = f"crop({ranked[-1][1]}, like = {ranked[0][1]})"
        return f"bring them to the same sizes first: padding = same, {crop}, resize or upsample"
    return "bring them to the same channels first: conv(channels, 1)"


def _magnitude(tensor: Tensor) -> int:
    """How large a tensor is along its sizes, where free sizes are large."""
    result = 1
    for size in tensor.spatial:
        result *= max(1, evaluate_size(size, dict.fromkeys(symbols(size), 10_000)))
    return result


def _run_nested(context: Context, layer: LayerValue, cls: type[Op], site: Site) -> LayerValue:
    """The layer with what stands where a tensor belongs run: ``concat(crop(a, like = it), it)``."""
    if not cls.variadic and len(cls.inputs) < 2:
        return layer
    choices = {word for parameter in signature(cls) for word in parameter.kind.choices}

    def run(argument: Bound, key: int | str) -> Bound:
        value = argument.value
        if not isinstance(value, LayerValue) or (value.name in choices and not value.positional):
            return argument
        name = site.frame.nested(value.name)  # counted where the layer around it runs again, too
        path = context.nested.setdefault((site.path, key), name)
        inner = Site(site.it, site.env, site.frame, path, argument.span or site.span)
        return Bound(run_layer(context, value, inner)[0], argument.span)

    positional = tuple(run(argument, i) for i, argument in enumerate(layer.positional))
    named = {k: run(b, k) if k in cls.inputs else b for k, b in layer.named.items()}
    return LayerValue(layer.target, positional, named)


def _sort_arguments(
    layer: LayerValue, cls: type[Op], site: Site
) -> tuple[dict[str, TensorRef] | list[TensorRef], dict[str, Bound]]:
    """The input tensors and the arguments proper of a call."""
    positional = list(layer.positional)
    takes_tensors = cls.variadic or len(cls.inputs) > 1
    leading: list[TensorRef] = []
    while positional and isinstance(positional[0].value, TensorRef) and takes_tensors:
        leading.append(positional.pop(0).value)
    if takes_tensors and positional and isinstance(positional[0].value, LabelRef):
        raise _module_for_tensor(cls, positional[0].value, positional[0].span or site.span)
    names = [p.name for p in signature(cls)]
    bound: dict[str, Bound] = {}
    rest: str | None = getattr(cls, "rest", None)
    for index, argument in enumerate(positional):
        if rest is not None and index >= names.index(rest):
            _collect_rest(bound, rest, argument, unpack=getattr(cls, "options", None) is None)
        elif index < len(names):
            bound[names[index]] = argument
        else:
            raise Stop(_too_many(cls, argument.span or site.span))
        if isinstance(argument.value, TensorRef):
            raise _misplaced_tensor(cls, names[min(index, len(names) - 1)], argument, site)
    named_inputs: dict[str, TensorRef] = {}
    options: str | None = getattr(cls, "options", None)
    for name, argument in layer.named.items():
        if name in cls.inputs and not cls.variadic:
            if not isinstance(argument.value, TensorRef):
                raise Stop(
                    Diagnostic(
                        "bad-argument",
                        f"{name} of {cls.name} must be a tensor, not {describe(argument.value)}",
                        span=argument.span,
                    )
                )
            named_inputs[name] = argument.value
        elif options is not None and name not in names:
            earlier = bound.get(options, Bound({}))
            bound[options] = Bound({**earlier.value, name: argument.value}, argument.span)
        else:
            if name in bound:
                raise given_twice(name, argument.span, bound[name].span)
            bound[name] = argument
    if cls.variadic:
        return leading, bound
    for name, tensor in zip(cls.inputs, leading, strict=False):
        if name in named_inputs:
            raise given_twice(name, layer.named[name].span, None)
        named_inputs[name] = tensor
    if len(leading) > len(cls.inputs):
        raise Stop(
            Diagnostic(
                "wrong-inputs",
                f"{cls.name} takes {len(cls.inputs)} tensors, not {len(leading)}",
                span=site.span,
            )
        )
    return named_inputs, bound


def _module_for_tensor(cls: type[Op], label: LabelRef, span: Span) -> Stop:
    return Stop(
        Diagnostic(
            "bad-argument",
            f"{cls.name} takes tensors, and {label.name} is a module",
            span=span,
            text="a label names a module",
            help=f"name what it gives with `as`: {label.name}: … as NAME",
        )
    )


def _too_many(cls: type[Op], span: Span) -> Diagnostic:
    count = len(signature(cls))
    return Diagnostic(
        "too-many-arguments",
        f"{cls.name} takes {count} argument{'s' * (count != 1)}, and this is one more"
        if count
        else f"{cls.name} takes no arguments",
        span=span,
        help=f"its form is {call_form(cls)}" if count else "",
    )


def _collect_rest(bound: dict[str, Bound], rest: str, argument: Bound, *, unpack: bool) -> None:
    """Gather the positional arguments from the variadic one on; a list alone may stand for all."""
    value = argument.value
    if rest not in bound:
        whole = unpack and isinstance(value, (list, tuple))
        # what a single one was written as is what all of them were written as
        bound[rest] = Bound(value if whole else (value,), argument.span, argument.expression)
        return
    earlier = bound[rest]
    span = earlier.span.to(argument.span) if earlier.span and argument.span else argument.span
    bound[rest] = Bound((*earlier.value, value), span)


def _misplaced_tensor(cls: type[Op], name: str, argument: Bound, site: Site) -> Stop:
    written = argument.span.text if argument.span else "the tensor"
    return Stop(
        Diagnostic(
            "bad-argument",
            f"{name} of {cls.name} cannot be a tensor",
            span=argument.span or site.span,
            text=f"{cls.name} takes the tensor that arrives",
            help=f"write {written} -> {cls.name}(…)",
        )
    )


def _inputs(
    cls: type[Op], tensors: dict[str, TensorRef] | list[TensorRef], site: Site
) -> list[TensorRef]:
    """The input tensors in order, ``it`` first where the first is not written."""
    if cls.source:
        return []
    if isinstance(tensors, list):
        if len(tensors) < 2:
            raise Stop(
                Diagnostic(
                    "wrong-inputs",
                    f"{cls.name} names all the tensors that it merges, two or more",
                    span=site.span,
                    text=f"{len(tensors) or 'none'} named here",
                    help=f"name them: {cls.name}(skip, it)",
                )
            )
        return tensors
    result: list[TensorRef] = []
    required = len(cls.inputs) - cls.optional_inputs
    for index, name in enumerate(cls.inputs):
        if name in tensors:
            if len(result) < index:
                missing = cls.inputs[len(result)]
                raise Stop(
                    Diagnostic(
                        "wrong-inputs",
                        f"{cls.name} needs {missing} where {name} is given",
                        site.span,
                    )
                )
            result.append(tensors[name])
        elif index == 0:
            result.append(arriving(site))
        elif index < required:
            raise Stop(
                Diagnostic(
                    "wrong-inputs",
                    f"{cls.name} needs a second tensor, {name}",
                    span=site.span,
                    help=f"name it: {cls.name}(…, {name} = …)",
                )
            )
    return result


def _plain(context: Context, cls: type[Op], name: str, bound: Bound) -> Any:
    """An argument's value as the layer takes it."""
    value = bound.value
    if value is UNKNOWN:
        raise Poisoned
    if isinstance(value, WeightPath):
        return weight(context, value)
    if isinstance(value, LayerValue):
        parameter = next((p for p in signature(cls) if p.name == name), None)
        if parameter and value.name in parameter.kind.choices and not value.positional:
            return Choice(value.name)
    return value


def _argument_error(
    problem: OpError, cls: type[Op], bound: Mapping[str, Bound], site: Site
) -> Diagnostic:
    argument = bound.get(problem.argument or "")
    span = argument.span if argument and argument.span else site.span
    help = problem.help or _mend_argument(argument)
    if problem.code == "unknown-argument" and problem.argument:
        known = [*(p.name for p in signature(cls)), *(cls.inputs if not cls.variadic else ())]
        meant = suggest(problem.argument, known)
        help = f"did you mean {meant}?" if meant else help
        if problem.argument in INFERRED:
            help = "leave it out: what comes in is known"
    if cls.name == "linear" and argument is not None and type(argument.value) is int:
        help = help or f"what comes in is known: linear({argument.value})"
    return Diagnostic(problem.code, problem.message, span, problem.text, help=help)


def _mend_argument(argument: Bound | None) -> str:
    """What would mend a value that its argument cannot take."""
    if argument is None:
        return ""
    value, expr = argument.value, argument.expression
    if isinstance(value, LabelRef):
        return f"name its parameter: {value.name}.weight"
    if isinstance(value, Dim):
        return "fix the size in the input, or make it a parameter"
    if isinstance(value, float) and isinstance(expr, ast.Binary) and expr.op == "/":
        return "`//` divides whole numbers"
    return ""
