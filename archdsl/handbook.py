"""The reference of training, as text: every setting of a ``train`` block, and every technique."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, fields

from archdsl import techniques
from archdsl.diagnostics import ArchError, Diagnostic, suggest
from archdsl.entry import as_markdown, entry, heading, page_entry, summary_line
from archdsl.ops.op import call_form, show_value
from archdsl.recipes import Recipe
from archdsl.recipes.settings import SETTINGS, Setting
from archdsl.techniques.technique import Technique, find, kinds, names, registered

_TITLES = {
    "data": "Data sets",
    "loss": "Losses",
    "penalty": "Penalties",
    "metric": "Metrics",
    "optimizer": "Optimizers",
    "schedule": "Schedules",
    "clipping": "Clipping",
    "constraint": "Constraints",
    "initialization": "Initializations",
    "reparametrization": "Reparametrizations",
    "transform": "Augmentation",
    "mixing": "Mixing of samples",
    "stopping": "Stopping early",
    "average": "Averages of weights",
    "ensemble": "Ensembles",
    "prediction": "Prediction",
}

_PAGE = """\
# The settings and techniques of training

Every key of a `train` block, and everything that can stand behind one: its form with the defaults,
what it does, and where it comes from. [training.md](training.md) says how they go together;
`archdsl techniques NAME` prints the same in a terminal.

This page is made from the registry (`make docs` writes it), and its examples are run.

## Settings

| key | takes | says | without it |
|---|---|---|---|
"""


def list_techniques() -> str:
    """Every technique with a line on it, by kind."""
    width = max(len(heading(cls)) for kind in _ordered() for cls in registered(kind))
    parts = ["\n".join(["settings of a train block", *_setting_lines()])]
    for kind in _ordered():
        rows = [f"  {heading(cls):<{width}}  {summary_line(cls)}" for cls in registered(kind)]
        parts.append("\n".join([_TITLES[kind].lower(), *rows]))
    return "\n\n".join(parts) + "\n"


def describe_technique(name: str) -> str:
    """The reference of a technique, or of every one that is called so.

    Raises ArchError where there is none.
    """
    found = [cls for kind in _ordered() if (cls := find(kind, name))]
    setting = SETTINGS.get(name)
    if setting is not None:
        without = _without(setting).strip("`")
        more = f"Without it: {without}.\n" if without else ""
        own = f"{name}: {setting.words}\n\nA setting: {setting.doc}.\n{more}"
        return "\n\n".join([own.rstrip("\n"), *("\n\n".join(_sections(c)) for c in found)]) + "\n"
    if not found:
        known = [*SETTINGS, *(n for kind in kinds() for n in names(kind))]
        meant = suggest(name, known)
        help = f"did you mean {meant}?" if meant else "archdsl techniques lists them all"
        raise ArchError(
            [Diagnostic("unknown-technique", f"there is no technique {name}", help=help)]
        )
    return "\n\n".join("\n\n".join(_sections(cls)) for cls in found) + "\n"


def techniques_page() -> str:
    """The reference of all settings and techniques as one page of Markdown."""
    rows = [
        f"| `{s.key}` | {as_markdown(s.words)} | {as_markdown(s.doc)} | {_without(s)} |"
        for s in SETTINGS.values()
    ]
    parts = [_PAGE + "\n".join(rows)]
    for kind in _ordered():
        parts.append(f"## {_TITLES[kind]}")
        for cls in registered(kind):
            parts.extend(_page_sections(cls))
    return "\n\n".join(parts) + "\n"


def _without(setting: Setting) -> str:
    """What a setting is where a block does not say it, as it is written."""
    made = {f.name: f for f in fields(Recipe)}[setting.field or setting.key]
    value = made.default if made.default is not MISSING else None
    if made.default_factory is not MISSING:
        value = made.default_factory()
    if setting.key == "loss":
        return "it must be said"
    if value is None or value == ():
        return ""
    return f"`{show_value(value)}`"


def _setting_lines() -> Iterator[str]:
    """The settings with a line on each."""
    width = max(map(len, SETTINGS))
    for setting in SETTINGS.values():
        yield f"  {setting.key:<{width}}  {setting.doc}: {setting.words}"


def _ordered() -> list[str]:
    """The kinds, in the order of the page."""
    assert techniques.__name__  # importing it has registered them
    return [kind for kind in _TITLES if kind in kinds()]


def _sections(cls: type[Technique]) -> Iterator[str]:
    yield from entry(cls, call_form(cls))
    if cls.example:
        yield f"Example ({cls.kind})\n  {cls.example}"


def _page_sections(cls: type[Technique]) -> Iterator[str]:
    yield from page_entry(cls, call_form(cls))
    if cls.example:
        yield f"Such as `{cls.example}`."
