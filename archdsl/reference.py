"""The reference of the layers, as text: made from what every layer says of itself."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator

from archdsl.diagnostics import ArchError, Diagnostic, suggest
from archdsl.ops.op import Op, call_form, find_public, names, registered, show_value, signature

_WIDTH = 88


_PAGE = """\
# The layers

Every layer of the language: its form with the defaults, what it does to a shape, and the PyTorch
that it becomes. Shapes are written without the batch, axes are counted with it: the batch is axis
0. `archdsl layers NAME` prints the same in a terminal; [language.md](language.md) says how layers
are called.

This page is made from the registry (`make docs` writes it), and its examples are run.
"""


def list_layers() -> str:
    """Every layer with a line on it, by family."""
    families = _families()
    width = max(len(_heading(cls)) for family in families.values() for cls in family)
    parts = []
    for family in sorted(families):
        rows = [f"  {_heading(cls):<{width}}  {_summary(cls)}" for cls in families[family]]
        parts.append("\n".join([family, *rows]))
    return "\n\n".join(parts) + "\n"


def _families() -> dict[str, list[type[Op]]]:
    families: dict[str, list[type[Op]]] = {}
    for cls in registered():
        if not cls.internal:
            families.setdefault(cls.family, []).append(cls)
    return families


def describe_layer(name: str) -> str:
    """The reference page of a layer: its form, its arguments, its shapes, an example."""
    cls = find_public(name)
    if cls is None:
        meant = suggest(name, names())
        hint = f"did you mean {meant}?" if meant else "archdsl layers lists them all"
        raise ArchError([Diagnostic("unknown-layer", f"there is no layer {name}", help=hint)])
    return "\n\n".join(_sections(cls)) + "\n"


def _sections(cls: type[Op]) -> Iterator[str]:
    yield fill(_form(cls), "", " " * (len(cls.name) + 1))
    yield inspect.cleandoc(cls.__doc__ or "").replace("``", "`")
    if cls.aliases:
        yield f"Also called {' and '.join(cls.aliases)}."
    if signature(cls):
        yield "\n".join(["Arguments", *_arguments(cls)])
    inputs = _inputs(cls)
    if inputs:
        yield f"Inputs\n  {inputs}"
    if cls.example:
        yield f"Example\n  input x: {cls.example_input}\n  {cls.example}"


def _form(cls: type[Op]) -> str:
    form = call_form(cls)
    if not cls.variadic:
        return form
    return form.replace("(", "(a, b, …, ", 1) if signature(cls) else f"{form}(a, b, …)"


def _arguments(cls: type[Op]) -> Iterator[str]:
    rows = []
    for parameter in signature(cls):
        default = "" if parameter.required else f" = {show_value(parameter.default)}"
        rows.append((f"{parameter.name}{default}", f"{parameter.doc}: {parameter.kind.words}"))
    width = max(len(name) for name, _ in rows)
    for name, text in rows:
        yield fill(text, f"  {name:<{width}}  ", " " * (width + 4))


def _inputs(cls: type[Op]) -> str:
    """How a layer is given its tensors, where that is not `it` alone."""
    if cls.source:
        return "none: it is written at the start of a pipeline"
    if cls.variadic:
        return "any number of tensors, all of them written: `it` is the one that arrives"
    if len(cls.inputs) == 1:
        return ""
    split = len(cls.inputs) - cls.optional_inputs
    further = [f"{name} = …" for name in cls.inputs[1:split]]
    optional = [f"{name} = … (optional)" for name in cls.inputs[max(split, 1) :]]
    return f"{cls.inputs[0]} is `it`; by name: {', '.join([*further, *optional])}"


def _heading(cls: type[Op]) -> str:
    return ", ".join((cls.name, *cls.aliases))


def _summary(cls: type[Op]) -> str:
    return inspect.cleandoc(cls.__doc__ or "").partition("\n")[0].replace("``", "`")


def fill(text: str, first: str, further: str) -> str:
    """The text in lines, none of them begun or ended by an equals sign."""
    kept = text.replace(" = ", "\0=\0")
    lines = textwrap.fill(kept, _WIDTH, initial_indent=first, subsequent_indent=further)
    return lines.replace("\0", " ")


# The same as a page ---------------------------------------------------------------


def layers_page() -> str:
    """The reference of all layers as one page of Markdown."""
    families = _families()
    listed = [
        f"- {family}: {', '.join(f'[{cls.name}](#{cls.name})' for cls in families[family])}"
        for family in sorted(families)
    ]
    parts = [_PAGE.rstrip("\n"), "\n".join(listed)]
    for family in sorted(families):
        parts.append(f"## {family.capitalize()} layers")  # apart from the layer `linear`
        for cls in families[family]:
            parts.extend(_page_sections(cls))
    return "\n\n".join(parts) + "\n"


def _page_sections(cls: type[Op]) -> Iterator[str]:
    yield f"### {cls.name}"
    yield f"```text\n{fill(_form(cls), '', ' ' * (len(cls.name) + 1))}\n```"
    yield as_markdown(inspect.cleandoc(cls.__doc__ or "").replace("``", "`"))
    if cls.aliases:
        yield f"Also called {' and '.join(f'`{alias}`' for alias in cls.aliases)}."
    if signature(cls):
        rows = ["| argument | | takes |", "|---|---|---|"]
        for parameter in signature(cls):
            default = "" if parameter.required else f" = {show_value(parameter.default)}"
            meaning = as_markdown(f"{parameter.doc} | {parameter.kind.words}")
            rows.append(f"| `{parameter.name}{default}` | {meaning} |")
        yield "\n".join(rows)
    if inputs := _inputs(cls):
        yield f"Inputs: {as_markdown(inputs)}."
    if cls.example:
        yield f"```arch fragment\ninput x: {cls.example_input}\n\n{cls.example}\n```"


def as_markdown(text: str) -> str:
    """The text with what Markdown would take for its own signs escaped, but for `code`."""
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(p if p.startswith("`") else re.sub(r"([*<])", r"\\\1", p) for p in parts)
