"""What torch itself says of a ``torch.nn`` module: its output, its weights, its cost.

The module is built and run on torch's meta device, where nothing is computed and no memory
is taken however large the sizes. If that run was small, it is repeated for real, with the
backward pass: the meta device accepts a few things that no other does.
"""

from __future__ import annotations

import inspect
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from archdsl.diagnostics import suggest
from archdsl.ops.arguments import OpError
from archdsl.ops.foreign import Answer, Value
from archdsl.ops.op import Tensor

DTYPES: dict[str, torch.dtype] = {
    "float": torch.float32,
    "int": torch.int64,
    "bool": torch.bool,
}
SMALL_ELEMENTS = 2_000_000  # written in one run, all operations together
SMALL_MULTIPLY_ADDS = 200_000_000

HOLDS_MODULES = "Container Module ModuleDict ModuleList ParameterDict ParameterList Sequential"
OURS = {
    "RNN": "rnn",
    "LSTM": "lstm",
    "GRU": "gru",
    "LSTMCell": "lstm_cell",
    "MultiheadAttention": "attention",
    "Bilinear": "bilinear",
    "SyncBatchNorm": "batch_norm",
}
"""Modules that need or give several tensors, or several machines, and the layers to use instead."""
REFUSED = {
    **dict.fromkeys(
        HOLDS_MODULES.split(), "it holds other modules: write a block, or a pipeline in { … }"
    ),
    **dict.fromkeys(
        ("TransformerEncoder", "TransformerDecoder", "Transformer", "DataParallel"),
        "it holds other modules: repeat a block of attention, layer_norm and linear",
    ),
    **dict.fromkeys(("RNNBase", "RNNCellBase"), "use rnn, lstm or gru"),
    **{name: f"use {ours}" for name, ours in OURS.items()},
}


def probe(
    module: str,
    positional: tuple[Value, ...],
    keywords: tuple[tuple[str, Value], ...],
    x: Tensor | None,
) -> Answer:
    """See :data:`archdsl.ops.foreign.Probe`."""
    # `1`, `1.0` and `True` are one key to a cache, and three arguments to torch
    return _probe(module, positional, keywords, x, repr((positional, keywords)))


@lru_cache(maxsize=512)
def _probe(
    module: str,
    positional: tuple[Value, ...],
    keywords: tuple[tuple[str, Value], ...],
    x: Tensor | None,
    spelling: str,
) -> Answer:
    cls = _find(module)
    names = _bind(module, cls, positional, dict(keywords))
    if x is None:
        return Answer(Tensor(()), {}, names)
    arguments = positional, dict(keywords)
    with _quiet(), torch.device("meta"):
        built = _torch_says(module, lambda: cls(*arguments[0], **arguments[1]))
        weights = {name: tuple(p.shape) for name, p in built.named_parameters()}
        state = {name: tuple(t.shape) for name, t in built.state_dict().items()}
        buffers = {name: shape for name, shape in state.items() if name not in weights}
        two, three = (_Run(module, built, x, batch) for batch in (2, 3))
        least_batch = 1 if _works(module, built, x, 1) else 2
    output = _output(module, x, two.output, three.output)
    cost = three.multiply_adds - two.multiply_adds
    written = two.elements + sum(p.numel() for p in built.parameters())
    if written <= SMALL_ELEMENTS and two.multiply_adds <= SMALL_MULTIPLY_ADDS:
        with _quiet(), torch.device("cpu"), torch.random.fork_rng(devices=[]):
            real = _torch_says(module, lambda: cls(*arguments[0], **arguments[1]))
            _try_for_real(module, real, x, output)
    return Answer(output, weights, names, cost, least_batch, buffers)


@contextmanager
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), torch.enable_grad():
        warnings.simplefilter("ignore")
        # What torch is about to forbid, or takes for a slip, is refused: a softmax that guesses
        # its axis. Other warnings are notices that come once, so that none may decide.
        refused = r"(?s).*(\bdeprecated\b|will change|does not match)"
        warnings.filterwarnings("error", refused, UserWarning)
        yield


# The name and the arguments -------------------------------------------------------


def _modules() -> list[str]:
    """The names of ``torch.nn`` that can stand in a specification."""
    found = []
    for name in dir(torch.nn):
        value = getattr(torch.nn, name)
        if inspect.isclass(value) and issubclass(value, nn.Module) and _refusal(name) is None:
            found.append(name)
    return found


def _refusal(name: str) -> str | None:
    """Why a module that exists cannot be used, or None."""
    if name in REFUSED:
        return REFUSED[name]
    if name.endswith("Loss"):
        return "a loss stands in a train block: train { loss: … }"
    if name.startswith("Lazy"):
        return "a lazy module has no shapes before it runs: name the plain one"
    return None


def _find(name: str) -> type[nn.Module]:
    cls = getattr(torch.nn, name, None) if re.fullmatch(r"[A-Z][A-Za-z0-9]*", name) else None
    if not (inspect.isclass(cls) and issubclass(cls, nn.Module)):
        meant = suggest(name, _modules())
        raise OpError(
            "unknown-layer",
            f"torch.nn has no module {name}",
            help=f"did you mean nn.{meant}?" if meant else "",
            argument="module",
        )
    refusal = _refusal(name)
    if refusal is not None:
        raise OpError(
            "foreign-module", f"nn.{name} cannot be a layer", help=refusal, argument="module"
        )
    return cls


def _bind(
    name: str, cls: type[nn.Module], positional: tuple[Value, ...], keywords: dict[str, Value]
) -> tuple[str, ...]:
    """The names of the arguments given by position, after a check of all of them."""
    form = inspect.signature(cls)
    kinds = {p.name: p.kind for p in form.parameters.values()}
    unknown = [key for key in keywords if key not in kinds]
    if unknown and inspect.Parameter.VAR_KEYWORD not in kinds.values():
        meant = suggest(unknown[0], kinds)
        raise OpError(
            "unknown-argument",
            f"nn.{name} has no argument {unknown[0]}",
            help=f"did you mean {meant}?" if meant else f"its arguments are {', '.join(kinds)}",
            argument="keywords",
        )
    bound = _torch_says(name, lambda: form.bind(*positional, **keywords), "bad-argument")
    for placed in ("device", "dtype"):
        if bound.arguments.get(placed) is not None:
            raise OpError(
                "bad-argument",
                f"{placed} of nn.{name} is not for a specification to say",
                text="where a network runs is decided when it runs",
                help=f"leave out {placed}",
                argument="keywords" if placed in keywords else "positional",
            )
    if "batch_first" in kinds and bound.arguments.get("batch_first") is not True:
        raise OpError(
            "bad-argument",
            f"nn.{name} takes its first axis for the sequence, and that is the batch here",
            help="write batch_first = true",
        )
    if bound.arguments.get("inplace"):
        raise OpError(
            "bad-argument",
            f"inplace of nn.{name} changes a tensor that other stages may use",
            help="leave out inplace",
            argument="keywords" if "inplace" in keywords else "positional",
        )
    plain = [p for p in form.parameters if kinds[p] is not inspect.Parameter.VAR_POSITIONAL]
    further = [f"argument{i}" for i in range(len(plain), len(positional))]
    return (*plain[: len(positional)], *further)


def _torch_says(name: str, act: Any, code: str = "foreign-module") -> Any:
    """What ``act`` returns; what torch has against it becomes an error on one line."""
    try:
        return act()
    except OpError:
        raise
    except Exception as problem:  # noqa: BLE001 - torch raises of every kind
        first = next((line.strip() for line in str(problem).splitlines() if line.strip()), "")
        first = re.sub(r"^\w+\.(__init__|forward)\(\) ", "", first)
        text = first if len(first) <= 300 else first[:299] + "…"
        raise OpError(
            code,
            f"nn.{name} does not work here: torch says: {text or type(problem).__name__}",
        ) from None


# Running it -----------------------------------------------------------------------


class _Elements(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's is untyped
    """Counts the values that all operations write."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's is untyped
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for value in result if isinstance(result, (tuple, list)) else (result,):
            if isinstance(value, torch.Tensor):
                self.count += value.numel()
        return result


class _Run:
    """One forward pass on the meta device."""

    def __init__(self, name: str, module: nn.Module, x: Tensor, batch: int) -> None:
        _need_one_input(name, module)
        sample = torch.empty(batch, *_sizes(x), dtype=DTYPES[x.dtype], device="meta")
        with FlopCounterMode(display=False) as flops, _Elements() as elements:
            self.output = _torch_says(name, lambda: module(sample))
        self.multiply_adds: int = flops.get_total_flops() // 2
        self.elements = elements.count


def _works(name: str, module: nn.Module, x: Tensor, batch: int) -> bool:
    try:
        _Run(name, module, x, batch)
    except OpError:
        return False
    return True


def _sizes(x: Tensor) -> list[int]:
    return [size for size in x.dims if isinstance(size, int)]


def _need_one_input(name: str, module: nn.Module) -> None:
    """Several tensors are for layers that name them."""
    required = [
        p.name
        for p in inspect.signature(module.forward).parameters.values()
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD
    ]
    if len(required) > 1:
        raise OpError(
            "foreign-module",
            f"nn.{name} takes {len(required)} tensors, and a stage gives one",
            text=f"it takes {', '.join(required)}",
        )


def _output(name: str, x: Tensor, two: Any, three: Any) -> Tensor:
    """The type of the output, from what came out for batches of two and three samples."""
    if not isinstance(two, torch.Tensor):
        raise OpError(
            "foreign-module",
            f"nn.{name} gives {type(two).__name__} here, and a stage gives one tensor",
        )
    kinds = [kind for kind, dtype in DTYPES.items() if dtype == two.dtype]
    if not kinds:
        raise OpError("foreign-module", f"nn.{name} gives {two.dtype} here")
    shape, other = tuple(two.shape), tuple(three.shape)
    if shape[:1] != (2,) or other != (3, *shape[1:]):
        raise OpError(
            "foreign-module",
            f"nn.{name} does not keep the batch apart: it gives {list(shape)} for [2,"
            f" {str(_sizes(x))[1:]} and {list(other)} for [3, {str(_sizes(x))[1:]}",
            text="axis 0 is the batch",
        )
    if 0 in shape:
        raise OpError("empty-size", f"nothing is left: nn.{name} gives {list(shape[1:])}")
    kind: Any = kinds[0]
    return Tensor(shape[1:], kind)


def _try_for_real(name: str, module: nn.Module, x: Tensor, output: Tensor) -> None:
    """Forward and backward on small numbers, in both modes."""
    real = x.dtype == "float"
    sample = (
        torch.ones(2, *_sizes(x)) if real else torch.zeros(2, *_sizes(x), dtype=DTYPES[x.dtype])
    )
    for training in (True, False):
        module.train(training)
        given = sample.clone().requires_grad_(real)
        result = _torch_says(name, lambda given=given: module(given * 1 if real else given))
        if tuple(result.shape[1:]) != output.dims:
            raise OpError(
                "foreign-module", f"nn.{name} gives other shapes when it runs than torch foretells"
            )
        if result.requires_grad:
            _torch_says(name, lambda result=result: result.sum().backward())
        with torch.no_grad():
            _torch_says(name, lambda: module(sample))
