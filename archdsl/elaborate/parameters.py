"""The parameters and inputs that a definition declares, and those that a call gives it."""

from __future__ import annotations

from collections.abc import Sequence

from archdsl.diagnostics import Diagnostic, Label, Span, suggest
from archdsl.elaborate.expressions import given_twice
from archdsl.elaborate.values import BlockDef, Bound, LayerValue, Stop, TensorRef
from archdsl.ops.arguments import describe
from archdsl.syntax import ast


def sort_arguments(
    layer: LayerValue, block: BlockDef, span: Span | None
) -> tuple[dict[str, Bound], dict[str, TensorRef]]:
    """The parameters that a call of a block gives, and the tensors that it names."""
    definition, declared, names = block.definition, block.inputs, block.hints
    positional = list(layer.positional)
    inputs: dict[str, TensorRef] = {}
    for name in declared:
        if positional and isinstance(positional[0].value, TensorRef) and len(declared) > 1:
            inputs[name] = positional.pop(0).value
    bound = bind_in_order(definition, positional, span)
    for name, argument in layer.named.items():
        if name in declared[1:] or (name in declared and name not in names):
            inputs[name] = _tensor_argument(definition, name, argument)
        elif name not in names:
            raise no_parameter(definition, name, [*names, *declared[1:]], argument.span)
        elif name in bound:
            raise given_twice(name, argument.span, bound[name].span)
        else:
            bound[name] = argument
    return bound, inputs


def bind_in_order(
    definition: ast.Definition, positional: Sequence[Bound], span: Span | None
) -> dict[str, Bound]:
    """The arguments without a name, by the parameters that they are for. Raises Stop for more."""
    names = [p.name for p in definition.parameters]
    if len(positional) > len(names):
        extra = positional[len(names)]
        raise Stop(
            Diagnostic(
                "too-many-arguments",
                f"{definition.name} takes {len(names) or 'no'} argument{'s' * (len(names) != 1)}"
                + (", and this is one more" if names else ""),
                span=extra.span or span,
                labels=(Label(definition.name_span, "defined here"),),
            )
        )
    return dict(zip(names, positional, strict=False))


def no_parameter(
    definition: ast.Definition, name: str, known: Sequence[str], span: Span | None
) -> Stop:
    """The error for an argument of a name that the definition does not know."""
    meant = suggest(name, known)
    return Stop(
        Diagnostic(
            "unknown-argument",
            f"{definition.name} has no parameter {name}",
            span=span,
            labels=(Label(definition.name_span, "defined here"),),
            help=f"did you mean {meant}?" if meant else "",
        )
    )


def _tensor_argument(definition: ast.Definition, name: str, argument: Bound) -> TensorRef:
    if isinstance(argument.value, TensorRef):
        return argument.value
    raise Stop(
        Diagnostic(
            "bad-argument",
            f"{name} of {definition.name} must be a tensor, not {describe(argument.value)}",
            span=argument.span,
        )
    )
