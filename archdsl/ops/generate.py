"""Tensors that do not come from an input: learned parameters, and samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archdsl.dims import show
from archdsl.ops.arguments import OpError, choice, number, optional, whole_list
from archdsl.ops.merge import expanded, joined_batch
from archdsl.ops.op import Need, Op, Tensor, layer, need_batch, need_float
from archdsl.ops.saved import NOTHING_SAVED, Saved
from archdsl.ops.torch_text import Argument, Code, Construct, keyword, module, positional
from archdsl.ops.traits import IdleInEvaluation

GAUSSIAN_SAMPLE = '''\
class GaussianSample(nn.Module):
    """A sample of N(mu, exp(log_var)) that gradients pass through; the mean in eval mode."""

    def forward(self, mu: torch.Tensor, log_var: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return mu
        return mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)
'''


@layer("parameter", family="generate")
class LearnedParameter(Op):
    """A learned tensor, named by its label: ``token: parameter([1, 1, 768])``.

    Its shape is written whole. A leading 1 stands for the batch, and is expanded where a
    merge needs it; a shape without one, such as [768, 1, 1], has no batch axis, and serves
    in ``add`` and ``mul``.

    It starts as zeros, ones, normal values of deviation ``std``, or all ``value``.

    PyTorch: ``nn.Parameter``.
    """

    example = "parameter([1, 16, 32], init = normal, std = 0.02)"
    inputs = ()
    source = True
    keeps = NOTHING_SAVED

    shape: tuple[int, ...] = whole_list(doc="all its sizes; a leading 1 stands for the batch")
    init: str = choice("zeros", "ones", "normal", default="zeros", doc="what it starts as")
    std: float = number(default=1.0, minimum=0.0, doc="deviation of init = normal")
    value: float | None = optional(number(), doc="a number to start as, in place of init")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        if self.std != 1 and self.init != "normal":
            raise OpError(
                "conflicting-arguments",
                f"std (={self.std}) is of init = normal, and init is {self.init}",
                help=f"write init = normal, std = {self.std}",
                argument="std",
            )
        if self.value is not None and self.init != "zeros":
            raise OpError(
                "conflicting-arguments",
                f"value (={self.value}) and init = {self.init} both say how it starts",
                help="leave out one of them",
                argument="value",
            )
        if self.shape[:1] == (1,):
            return (Tensor(self.shape[1:], batch="one"),)
        return (Tensor(self.shape, batch="none"),)

    def weights(self, inputs: Sequence[Tensor]) -> dict[str, tuple[int, ...]]:
        return {"": self.shape}

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        return Code(
            call="{self}",
            module=Construct("nn.Parameter", (positional("data", self._start()),)),
        )

    def _start(self) -> Construct:
        if self.value is not None:
            whole = (positional("size", self.shape), positional("fill_value", float(self.value)))
            return Construct("torch.full", whole)
        if self.init == "normal" and self.std != 1:
            # torch.normal would not follow the device that a module is built on
            empty = positional("tensor", Construct("torch.empty", _spread(self.shape)))
            return Construct("nn.init.normal_", (empty, keyword("std", float(self.std))))
        maker = {"normal": "randn"}.get(self.init, self.init)
        return Construct(f"torch.{maker}", _spread(self.shape))


def _spread(shape: tuple[int, ...]) -> tuple[Argument, ...]:
    """``torch.zeros(1, 1, 768)``; a scalar is ``torch.zeros(())``."""
    if not shape:
        return (positional("size", ()),)
    return tuple(positional(f"size{i}", extent) for i, extent in enumerate(shape))


@layer("gaussian_sample", family="generate")
class GaussianSample(IdleInEvaluation):
    """A sample from normal distributions, with its gradient: μ + exp(½·log_var)·ε.

    This is the reparametrization of Kingma & Welling (2014), with ε from N(0, 1).

    Inputs ``mu`` and ``log_var`` [*] of one shape, output [*]. Both are written by name:
    ``gaussian_sample(mu, log_var)``. In eval mode it is μ, so that the network is
    deterministic there.

    PyTorch: ``mu + torch.exp(0.5 * log_var) * torch.randn_like(mu)``, a module in the source.
    """

    example = "gaussian_sample(it, it)"
    example_input = "[32]"
    inputs = ("mu", "log_var")

    def infer(self, inputs: Sequence[Tensor], need: Need) -> tuple[Tensor, ...]:
        mu, log_var = inputs
        for x in inputs:
            need_float(self, x)
            need_batch(self, x)
        shown = f"mu is {mu}, log_var is {log_var}"
        message = "mu and log_var of gaussian_sample have different shapes"
        if mu.rank != log_var.rank:
            raise OpError("shape-mismatch", message, text=shown)
        for one, other in zip(mu.dims, log_var.dims, strict=True):
            text = f"{shown}: {show(one)} against {show(other)}"
            need.equal(one, other, OpError("shape-mismatch", message, text=text))
        return (Tensor(mu.dims, batch=joined_batch(inputs)),)

    def saved(
        self, inputs: Sequence[Tensor], outputs: Sequence[Tensor], tracked: Sequence[bool]
    ) -> Saved:
        return Saved(made=(outputs[0],) * 2)  # the noise, and its deviation

    def code(self, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> Code:
        more: dict[str, Any] = {"helpers": {"GaussianSample": GAUSSIAN_SAMPLE}}
        return module("GaussianSample", call=f"{{self}}({', '.join(expanded(inputs))})", **more)
