"""The place where a layer or block is called, and what can be had there."""

from __future__ import annotations

from archdsl.diagnostics import Diagnostic, Span, suggest
from archdsl.elaborate.context import Context
from archdsl.elaborate.expressions import WeightPath
from archdsl.elaborate.names import no_tensor
from archdsl.elaborate.scopes import Frame
from archdsl.elaborate.values import Env, Stop, TensorRef
from archdsl.ops.arguments import WeightRef
from archdsl.records import record


@record(frozen=True)
class Site:
    """Where a layer or block is called: what arrives, the names around it, its own name."""

    it: TensorRef | None
    env: Env
    frame: Frame
    path: str
    span: Span
    labelled: bool = False


def arriving(site: Site) -> TensorRef:
    """The tensor that arrives, or the error that none does."""
    if site.it is None:
        raise no_tensor(site.span, site.env)
    return site.it


def weight(context: Context, path: WeightPath) -> WeightRef:
    """Another layer's parameter, by the label of its module."""
    *middle, last = path.names
    module_path = ".".join([path.label.path, *middle])
    module = context.modules.get(module_path)
    if module is None:
        # a `parameter` is its label: `token` alone names it
        raise Stop(
            Diagnostic(
                "unknown-name",
                f"no layer with weights has been built at {module_path}",
                span=path.expression.span,
            )
        )
    if last not in module.weights:
        meant = suggest(last, module.weights)
        raise Stop(
            Diagnostic(
                "unknown-name",
                f"{module_path} has no parameter {last}",
                span=path.expression.name_span,
                text=f"it has {', '.join(module.weights) or 'none'}",
                help=f"did you mean {meant}?" if meant else "",
            )
        )
    return WeightRef(module_path, last, tuple(module.weights[last]))
