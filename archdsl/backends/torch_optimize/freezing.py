"""The last step, at a price: compiled code with the weights as constants."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from archdsl.backends.torch_optimize.refusal import first_line, refused
from archdsl.backends.torch_optimize.verification import differences


class Frozen(nn.Module):
    """A module that runs what ``torch.compile`` made of another, without autograd.

    ``module`` is what was compiled; changes of its weights do not reach the compiled code.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._run = torch.compile(module)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        # As an option of torch.compile, freezing reaches Inductor alone: Dynamo, which hands it the
        # weights, asks the settings, and whether they might be trained.
        with torch.no_grad(), _freezing():
            return self._run(*args, **kwargs)


def _freezing() -> AbstractContextManager[None]:
    """Inductor's own switch, while something is compiled or might be."""
    from torch._inductor import config  # a second, which only who freezes pays

    switched: AbstractContextManager[None] = config.patch(freezing=True)
    return switched


def freeze_module(module: nn.Module, arguments: tuple[object, ...], expected: object) -> nn.Module:
    """The module compiled, run on the arguments once, and held against what it should give."""
    try:
        frozen = Frozen(module)
        found = frozen(*arguments)
    except Exception as problem:
        help = "it needs a C++ compiler (g++ or clang++, or CXX=…); or leave out freeze=True"
        message = "torch.compile cannot compile the model"
        raise refused(
            message, notes=(f"torch says: {first_line(problem)}",), help=help
        ) from problem
    trouble = differences(expected, found)
    if trouble:
        message = "the compiled model does not give the outputs of the model"
        raise refused(message, notes=tuple(trouble), help="leave out freeze=True")
    return frozen
