"""A module made faster for inference: the same outputs, from fewer and cheaper operations.

The model is copied and traced (torch.fx); batch norms go into the convolutions before them; what
does nothing in evaluation is left out; the modules become calls of functions with the weights on
one level; what no one else reads is overwritten; and convolutions in 2-D run channels-last, with
weights that lie as oneDNN wants them. What comes out is held against the model on the example
before anyone gets it.
"""

from __future__ import annotations

import copy
import inspect
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TypeAlias

import torch
from torch import Tensor, fx, nn

from archdsl.backends.torch_optimize.folding import fold_batch_norms, remove_idle
from archdsl.backends.torch_optimize.freezing import freeze_module
from archdsl.backends.torch_optimize.in_place import overwrite_unread
from archdsl.backends.torch_optimize.layout import lay_out, suits_channels_last
from archdsl.backends.torch_optimize.lowering import lower_modules
from archdsl.backends.torch_optimize.packing import pack_convolutions
from archdsl.backends.torch_optimize.refusal import first_line, refused
from archdsl.backends.torch_optimize.tracing import Untraceable, has_hooks, trace
from archdsl.backends.torch_optimize.verification import differences
from archdsl.diagnostics import ArchError

Example: TypeAlias = "Tensor | Sequence[object] | Mapping[str, object]"


def optimize_module(
    model: nn.Module,
    example: Example,
    *,
    freeze: bool = False,
    channels_last: bool | None = None,
) -> nn.Module:
    """A faster module for inference, whose outputs are those of ``model.eval()``.

    ``example`` is an input that the model takes (several: a tuple, or a mapping of names); other
    sizes work afterwards as they did before. ``freeze`` compiles with ``torch.compile``, the
    weights as constants; it needs a C++ compiler, and minutes. ``channels_last`` says whether
    convolutions in 2-D run in that layout, which is faster for most; it is chosen unless given.

    The model is left as it is: neither its weights nor its mode change, and later changes of its
    weights do not reach the result. ArchError where the model cannot run on the example, or where
    the result would differ by more than 1e-4 of its largest output (5e-2 in half precision).
    A model that cannot be traced is given back as a copy, with a warning that says why.
    """
    arguments = _bind(model, example)
    # Tensors of inference mode do not tell when they change, which packed weights must know.
    with torch.inference_mode(mode=False), torch.no_grad(), _same_randomness():
        original = _copy(model)
        expected = _run_original(original, arguments)
        try:
            traced = trace(original)
        except Untraceable as problem:
            message = f"the model cannot be traced, and runs as it did: {problem}"
            warnings.warn(message, UserWarning, stacklevel=3)
            return freeze_module(original, arguments, expected) if freeze else original
        ways = _ways(original, channels_last, packed=not freeze)
        result = _optimize(traced, arguments, expected, ways)
        return freeze_module(result, arguments, expected) if freeze else result


def _optimize(
    traced: fx.GraphModule,
    arguments: tuple[object, ...],
    expected: object,
    ways: Iterable[tuple[bool, bool]],
) -> nn.Module:
    """The graph rewritten, in the first way that gives what is expected."""
    trouble: list[str] = []
    cause: Exception | None = None
    try:
        remove_idle(traced)
        fold_batch_norms(traced, _fresh(arguments))
    except Exception as problem:
        raise _other_outputs([f"it raises: {first_line(problem)}"]) from problem
    for channels_last, packed in ways:
        try:
            result = _rewrite(traced, arguments, channels_last=channels_last, packed=packed)
            torch.manual_seed(0)
            found = result(*_fresh(arguments))
        except Exception as problem:  # noqa: BLE001 - whatever a layer says of what it is given
            trouble, cause = [f"it raises: {first_line(problem)}"], problem
            continue
        trouble, cause = differences(expected, found), None
        if not trouble:
            return result
    raise _other_outputs(trouble) from cause


def _other_outputs(trouble: list[str]) -> ArchError:
    message = "the optimized model does not give the outputs of the model"
    help = "a graph has one path for all inputs: the model may choose by their values"
    return refused(message, notes=tuple(trouble), help=help)


def _rewrite(
    traced: fx.GraphModule, arguments: tuple[object, ...], *, channels_last: bool, packed: bool
) -> nn.Module:
    """The folded graph as functions, in a layout, in place."""
    lowered = lower_modules(traced)
    lay_out(lowered, _fresh(arguments), channels_last=channels_last)
    if packed:
        pack_convolutions(lowered, _fresh(arguments))
    overwrite_unread(lowered, _fresh(arguments))
    lowered.graph.lint()
    return lowered.eval()


def _copy(model: nn.Module) -> nn.Module:
    """A copy to work on, in evaluation mode and without autograd."""
    if has_hooks(model):
        raise refused("the model has hooks", help="register hooks after optimizing")
    try:
        return copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
    except Exception as problem:
        raise refused(f"the model cannot be copied: {first_line(problem)}") from problem


def _run_original(original: nn.Module, arguments: tuple[object, ...]) -> object:
    torch.manual_seed(0)
    try:
        return original(*_fresh(arguments))
    except Exception as problem:
        message = f"the model does not run on the example: {first_line(problem)}"
        help = "example is what the model is called with: a tensor, or a tuple of them"
        raise refused(message, help=help) from problem


def _same_randomness() -> AbstractContextManager[None]:
    """A model may draw numbers in evaluation too; the caller's generators are left alone."""
    return torch.random.fork_rng(devices=range(torch.cuda.device_count()))


def _ways(
    model: nn.Module, channels_last: bool | None, *, packed: bool
) -> Iterator[tuple[bool, bool]]:
    """Whether to run channels-last, and with packed weights: what promises most comes first.

    Weights are packed channels-last alone: oneDNN gives its results in that layout.
    """
    if channels_last is None:
        layouts = [True, False] if suits_channels_last(model) else [False]
    else:
        layouts = [channels_last]
    for last in layouts:
        if last and packed:
            yield True, True
        yield last, False


def _bind(model: nn.Module, example: Example) -> tuple[object, ...]:
    """The example as positional arguments, one for every parameter of ``forward``."""
    signature = inspect.signature(model.forward)
    names = list(signature.parameters)
    try:
        if isinstance(example, Mapping):
            bound = signature.bind(**example)
        elif isinstance(example, (tuple, list)):
            bound = signature.bind(*example)
        else:
            bound = signature.bind(example)
    except TypeError as problem:
        help = f"the model is called with {', '.join(names)}"
        raise refused(f"the example does not fit the model: {problem}", help=help) from None
    left = [name for name in names if name not in bound.arguments]
    if left or bound.kwargs:
        message = f"the example has no value for {', '.join(left or bound.kwargs)}"
        raise refused(message, help="give one for every argument of forward")
    if not any(isinstance(value, Tensor) for value in bound.args):
        raise refused("the example holds no tensor", help="try torch.randn(1, 3, 224, 224)")
    return tuple(bound.args)


def _fresh(arguments: tuple[object, ...]) -> tuple[object, ...]:
    """Copies: a model may write into its input."""
    return tuple(a.detach().clone() if isinstance(a, Tensor) else a for a in arguments)
