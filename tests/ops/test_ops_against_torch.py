"""Every layer's example does what the layer says of it."""

from __future__ import annotations

import shutil
import subprocess

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archdsl.ops.op import Need, Op, Tensor, registered, signature
from archdsl.ops.torch_text import Construct
from tests.ops.against_torch import (
    BATCH,
    Written,
    check,
    full_shape,
    infer,
    random_tensor,
    read_call,
    read_shape,
)

LAYERS = [pytest.param(cls, id=cls.name) for cls in registered() if not cls.internal]


def example(cls: type[Op]) -> tuple[Op, list[Tensor]]:
    return read_call(cls.example, read_shape(cls.example_input))


@pytest.mark.parametrize("cls", LAYERS)
def test_the_example_runs_with_the_shapes_and_the_weights_that_are_told(cls: type[Op]) -> None:
    op, inputs = example(cls)
    check(op, *inputs)


@pytest.mark.parametrize("cls", LAYERS)
def test_the_example_runs_at_its_least_batch(cls: type[Op]) -> None:
    op, inputs = example(cls)
    check(op, *inputs, batch=op.least_batch(inputs))


@pytest.mark.parametrize("cls", LAYERS)
def test_multiply_adds_are_those_that_torch_counts(cls: type[Op]) -> None:
    op, inputs = example(cls)
    outputs, _ = infer(op, *inputs)
    written = Written(op.code(inputs, outputs))
    given = [random_tensor(x) for x in inputs]
    # torch counts the products of attention where they are products, in its plain kernel alone
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        written.run(given, count=len(outputs))
    if counted := counter.get_total_flops():
        assert op.multiply_adds(inputs, outputs) == counted / 2 / BATCH


@pytest.mark.parametrize("cls", LAYERS)
def test_the_function_is_the_module(cls: type[Op]) -> None:
    op, inputs = example(cls)
    outputs, _ = infer(op, *inputs)
    written = Written(op.code(inputs, outputs))
    if not written.code.function:
        return
    given = [random_tensor(x) for x in inputs]
    assert written.code.call == "{self}({0})"
    assert torch.equal(written.run(given, count=1)[0], written.run_function(given))


@pytest.mark.parametrize("cls", LAYERS)
def test_the_page_of_the_reference_is_whole(cls: type[Op]) -> None:
    page = (cls.__doc__ or "").strip().splitlines()
    assert page[0].endswith((".", ":"))
    assert any(line.strip().startswith("PyTorch: ") for line in page)
    assert cls.example
    assert all(parameter.doc for parameter in signature(cls))


@pytest.mark.parametrize("cls", LAYERS)
def test_positional_arguments_of_the_code_are_torchs(cls: type[Op]) -> None:
    """An omitted argument has torch's own default: written out, the module is the same."""
    op, inputs = example(cls)
    code = op.code(inputs, infer(op, *inputs)[0])
    if code.module is None:
        return
    whole = Construct(
        code.module.callee,
        tuple(
            type(a)(a.name, a.value, a.keyword) if a.keyword else a for a in code.module.arguments
        ),
    )
    short, long = Written(code), Written(type(code)(module=whole, helpers=code.helpers))
    assert repr(short.module).split("\n")[0] == repr(long.module).split("\n")[0] or isinstance(
        short.module, torch.nn.Parameter
    )


@pytest.mark.parametrize("cls", LAYERS)
def test_helpers_are_formatted(cls: type[Op]) -> None:
    op, inputs = example(cls)
    helpers = op.code(inputs, infer(op, *inputs)[0]).helpers
    ruff = shutil.which("ruff")
    if not helpers or ruff is None:
        return
    for text in helpers.values():
        for width in ("88", "100"):
            command = [ruff, "format", "--isolated", "--line-length", width, "-"]
            done = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
            if width == "100" and done.stdout != text:
                continue  # it may break where a shorter line must
            assert done.stdout == text


def test_a_layer_that_is_told_wrongly_is_found_out() -> None:
    class Wrong(Op):
        def infer(self, inputs: list[Tensor], need: Need) -> tuple[Tensor, ...]:  # type: ignore[override]  # simpler
            return (inputs[0].with_dims(1),)

        def code(self, inputs: list[Tensor], outputs: list[Tensor]):  # type: ignore[no-untyped-def, override]  # simpler
            from archdsl.ops.torch_text import module

            return module("nn.ReLU")

    with pytest.raises(AssertionError, match="gives"):
        check(Wrong(), Tensor((4,)))
    assert full_shape(Tensor((4,))) == (BATCH, 4)
