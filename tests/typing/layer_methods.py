"""The types of the builder's layer methods, written from the registry.

archdsl/layer_methods.pyi is this module's text; tests/test_builder.py holds them equal, and
rewrites the file with ``--update-golden``.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from archdsl import ops
from archdsl.ops.op import Op, Parameter, signature

STUB = Path(__file__).parents[2] / "archdsl" / "layer_methods.pyi"

HEAD = '''\
# Written from the registry: `make golden` writes it anew.
"""The registered layers as methods, for type checkers and editors; there is no such module.

A layer registered by the user has no method here: ``__getattr__`` lets it pass.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from archdsl.builder import Flow, Module
from archdsl.ops.arguments import WeightRef

# An editor shows the docstrings, and the defaults as they are.
# ruff: noqa: D402, E501, PYI021, PYI054
'''


def stub_text() -> str:
    """The stub, as ruff formats it."""
    parts = [HEAD, "class FlowLayers:", *_methods(_flow_method), _fallback("Flow")]
    parts += ["class BuilderLayers:", *_methods(_builder_method), _fallback("Any")]
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(STUB), "-"],
        input="\n".join(parts),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def _fallback(result: str) -> str:
    return f"    def __getattr__(self, name: str) -> Callable[..., {result}]: ...\n"


def _methods(write: Callable[[type[Op], str], Iterator[str]]) -> Iterator[str]:
    for cls in ops.registered():
        if cls.internal or cls.name == "nn" or not cls.__module__.startswith("archdsl."):
            continue
        for name in (cls.name, *cls.aliases):
            yield from write(cls, name)


def _flow_method(cls: type[Op], name: str) -> Iterator[str]:
    if cls.source:
        return
    further = list(cls.inputs[1:])
    optional = set(cls.inputs[len(cls.inputs) - cls.optional_inputs :])
    keywords = [f"{i}: Flow | None = None" if i in optional else f"{i}: Flow" for i in further]
    before = ["*others: Flow"] if cls.variadic else []
    yield _method(cls, name, before, keywords, "Flow")


def _builder_method(cls: type[Op], name: str) -> Iterator[str]:
    before = ["*inputs: Flow"] if cls.variadic else []
    yield _method(cls, name, before, [], "Flow" if cls.variadic or cls.source else "Module")


def _method(cls: type[Op], name: str, before: list[str], keywords: list[str], result: str) -> str:
    arguments: list[str] = []
    starred = bool(before)
    for parameter in signature(cls):
        if parameter.name == cls.rest:
            arguments.append(f"*{parameter.name}: int | Sequence[int]")
            starred = True
            continue
        default = "" if parameter.required else f" = {parameter.default!r}"
        arguments.append(f"{parameter.name}: {_type(cls, parameter)}{default}")
    star = [] if starred else ["*"]
    every = ["self", *before, *arguments, *star, *keywords, "name: str | None = None"]
    doc = (cls.__doc__ or "").strip().partition("\n\n")[0]
    doc = re.sub(r"\s+", " ", doc)
    return f'    def {name}({", ".join(every)}) -> {result}:\n        """{doc}"""\n'


def _type(cls: type[Op], parameter: Parameter) -> str:
    written = next(f.type for f in dataclasses.fields(cls) if f.name == parameter.name)  # type: ignore[arg-type]  # made by `layer`
    kind = parameter.kind
    text = str(written).replace("Sizes", "int | tuple[int, ...]")
    words = [w for w in kind.choices if w not in ("true", "false")]
    if words:
        literal = f"Literal[{', '.join(repr(w) for w in words)}]"
        text = re.sub(r"\bstr\b", literal, text) if "str" in text else f"{text} | {literal}"
    text = re.sub(r"tuple\[([^\[\]]*?), \.\.\.\]", r"Sequence[\1]", text)
    if "list of" in kind.words and "int |" not in text and "Any" not in text:
        text = f"int | {text}"
    return text
