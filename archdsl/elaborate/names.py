"""Names: what they stand for where they are written, and what to say where that is nothing."""

from __future__ import annotations

import builtins
from typing import Any

from archdsl.diagnostics import Diagnostic, Label, Span, suggest
from archdsl.elaborate.functions import FUNCTIONS
from archdsl.elaborate.other_names import help_for
from archdsl.elaborate.trained import is_technique
from archdsl.elaborate.values import (
    ABSENT,
    UNKNOWN,
    BlockDef,
    Env,
    LayerValue,
    NetworkAlias,
    Poisoned,
    Stop,
    TensorRef,
)
from archdsl.ops import find_public as find
from archdsl.ops import names as layer_names

MODULE_OR_TENSOR = "module or tensor"


def look_up(name: str, span: Span, env: Env, *, what: str = "name") -> Any:
    """The value of a name, from the innermost scope to the registered layers."""
    value = env.find(name)
    if value is UNKNOWN:
        raise Poisoned
    if value is not ABSENT:
        return value
    cls = find(name)
    if cls is not None:
        return LayerValue(cls)
    if name == "it":
        return current_tensor(span, env)
    if name in FUNCTIONS:
        raise Stop(
            Diagnostic(
                "bad-value", f"{name} is a function: call it", span=span, help=f"write {name}(…)"
            )
        )
    raise Stop(unknown_name(name, span, env, what))


def unknown_name(name: str, span: Span, env: Env, what: str = "name") -> Diagnostic:
    """The error for a name that stands for nothing, with what it may have meant."""
    message = f"there is no {what} {name}"
    inner = env.inner.get(name)
    if name in env.inner:
        labels = (Label(inner, "this one is inside { }"),) if inner is not None else ()
        help = "a name inside { } is not seen outside: give out what the group gives, with `as`"
        return Diagnostic("unknown-name", message, span=span, labels=labels, help=help)
    near = [k for k in env.visible() if not is_network(env.find(k))]
    meant = suggest(name, [*near, *FUNCTIONS, "it"])
    if (meant is None or what != "name") and what != MODULE_OR_TENSOR:
        meant = suggest(name, [*near, *layer_names(), "it"], closeness=0.7) or meant
    help = f"did you mean {meant}?" if meant else ""
    if what != "name" and suggest(name, near) is None:
        help = help_for(name) or help
    if not help and name.isupper():
        help = "a free size is declared by its input: input x: [3, H, W]"
    elif name == "skip":
        help = "skip is what a unet keeps of a level: it is seen in join { … } alone"
    elif is_technique(name):
        help = "a layer with weights is told so itself: linear(8, penalty = l2(0.01))"
    elif not help and hasattr(builtins, name):
        help = "nothing of Python can be used here: a specification never runs code"
    return Diagnostic("unknown-name", message, span=span, help=help)


def is_network(value: Any) -> bool:
    """Whether a name stands for a network, which is no part of another."""
    if isinstance(value, LayerValue) and isinstance(value.target, BlockDef):
        return value.target.definition.kind == "network"
    return isinstance(value, NetworkAlias)


def current_tensor(span: Span, env: Env) -> TensorRef:
    """``it``: the tensor that arrives."""
    it = next((e.it for e in env.chain() if e.it is not None), None)
    if it is None:
        raise no_tensor(span, env)
    return it


def no_tensor(span: Span, env: Env) -> Stop:
    """The error for a stage at which no tensor arrives."""
    tensors = [k for e in env.chain() for k, v in e.names.items() if isinstance(v, TensorRef)]
    start = f"start from a tensor: {tensors[0]} -> …" if tensors else ""
    several = "with several inputs, the first pipeline names where it starts"
    if not tensors and any(e.kind == "block" for e in env.chain()):
        start = "the block is called where nothing arrives: call it behind a tensor, x -> …"
    return Stop(
        Diagnostic(
            "no-tensor",
            "no tensor arrives here",
            span=span,
            text=several if len(tensors) > 1 else "",
            help=start,
        )
    )


def refuse_it(name: str, span: Span) -> None:
    """Raise Stop where a name that is bound is `it`, the tensor that arrives."""
    if name == "it":
        raise Stop(
            Diagnostic(
                "reserved-name",
                "`it` is the tensor that arrives, and nothing else can be called so",
                span=span,
                help="choose another name",
            )
        )
