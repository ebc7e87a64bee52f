"""The reference of the layers, as text: made from what every layer says of itself."""

from __future__ import annotations

from collections.abc import Iterator

from archdsl.diagnostics import ArchError, Diagnostic, suggest
from archdsl.entry import as_markdown, entry, heading, page_entry, summary_line
from archdsl.ops.op import Op, call_form, find_public, names, registered, signature

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
    width = max(len(heading(cls)) for family in families.values() for cls in family)
    parts = []
    for family in sorted(families):
        rows = [f"  {heading(cls):<{width}}  {summary_line(cls)}" for cls in families[family]]
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
    yield from entry(cls, _form(cls))
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
    yield from page_entry(cls, _form(cls))
    if inputs := _inputs(cls):
        yield f"Inputs: {as_markdown(inputs)}."
    if cls.example:
        yield f"```arch fragment\ninput x: {cls.example_input}\n\n{cls.example}\n```"
