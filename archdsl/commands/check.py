"""``archdsl check``: what is wrong with networks, or what is known of sound ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from archdsl.commands.examples import examples
from archdsl.commands.messages import (
    CALL_AT_FAULT,
    CLEAN,
    SPECIFICATION_AT_FAULT,
    Messages,
    echo_json,
    exit_code_of,
    show,
)
from archdsl.commands.target import (
    Target,
    bases_of,
    complete_file,
    open_target,
    set_option,
    some,
)
from archdsl.compiler import Report, report
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.dims import evaluate, symbols
from archdsl.dims import show as show_size

_USUAL_SIZES = (224, 256, 128, 64, 32, 512)


@click.command(
    "check",
    epilog=examples(
        "archdsl check resnet.arch",
        "archdsl check resnet.arch:resnet50 --set classes=10",
        "archdsl check --json specs/*.arch",
    ),
)
@click.argument(
    "targets", nargs=-1, required=True, shell_complete=complete_file, metavar="FILE[:NETWORK]…"
)
@set_option
@click.option("as_json", "--json", is_flag=True, help="Print one JSON document instead of text.")
def check_command(targets: tuple[str, ...], settings: tuple[str, ...], as_json: bool) -> int:
    """Check networks, and say what is known of them.

    Without a network's name, every network of the file is checked. Networks that need
    parameters are checked through those made from them. "-" is standard input.
    """
    run = _Check(settings, as_json)
    code = max(run.check(text) for text in targets)
    run.finish()
    return max(code, SPECIFICATION_AT_FAULT if run.messages.failed else CLEAN)


class _Check:
    """One run of the command: what it has found, and said if it is to be text."""

    def __init__(self, settings: tuple[str, ...], as_json: bool) -> None:
        self.settings = settings
        self.as_json = as_json
        self.messages = Messages()
        self.networks: list[dict[str, Any]] = []  # for a document alone
        self.checked = 0
        self.begun = False

    def check(self, text: str) -> int:
        """Check what one argument names."""
        try:
            self._check(open_target(text, self.settings))
        except ArchError as error:
            code = exit_code_of(error)
            # Where the call is at fault, there is no report for it to stand in.
            self._tell(error.diagnostics, err=code == CALL_AT_FAULT)
            self.begun = self.begun or code != CALL_AT_FAULT
            return code
        self.begun = True
        return CLEAN

    def finish(self) -> None:
        """The closing line, or the whole document."""
        if self.as_json:
            echo_json({"networks": self.networks, **self.messages.as_dict()})
        elif self.messages.summary() and self.begun:
            click.echo(self.messages.summary())
        elif self.checked > 1:
            click.echo(f"{self.checked} networks, no errors")

    def _check(self, target: Target) -> None:
        spec = target.specification
        chosen = target.chosen()
        self._tell(spec.diagnostics)
        if any(d.severity == "error" for d in spec.diagnostics):
            return  # whatever its networks say now may come of that
        for network in chosen:
            made = report(target.elaborate(network))
            self._tell(made.diagnostics)
            self.checked += 1
            if self.as_json:
                self.networks.append(_as_dict(spec.name, network, made))
            self._say(describe(network, made))
        if target.network is None:
            self._say(*_unchecked(target, chosen))

    def _tell(self, diagnostics: Iterable[Diagnostic], *, err: bool = False) -> None:
        fresh = self.messages.add(diagnostics)
        if not self.as_json:
            show(fresh, err=err)

    def _say(self, *lines: str) -> None:
        if not self.as_json:
            for line in lines:
                click.echo(line)


def _unchecked(target: Target, chosen: list[str]) -> list[str]:
    """What there is to say of a file's networks that were not checked by themselves."""
    spec = target.specification
    lines = []
    for network in spec.networks:
        if network in chosen or not target.missing(network):
            continue
        through = [n for n in chosen if network in bases_of(spec, n)]
        if through:
            lines.append(f"{network}: a template, checked through {some(through)}")
        else:
            needs = " and ".join(target.missing(network))
            lines.append(f"{network}: a template, not checked: it needs {needs} (--set)")
    if not spec.networks:
        lines.append(f"{spec.name}: no networks; its blocks are checked where they are used")
    return lines


def describe(network: str, found: Report) -> str:
    """What is known of a network, in a line, and what must hold of its sizes in others."""
    if not found.ok:
        count = sum(d.severity == "error" for d in found.diagnostics)
        return f"{network}: {count} error{'s' if count > 1 else ''}"
    assert found.cost is not None
    assert found.conditions is not None
    inputs = ", ".join(f"{name} {kind}" for name, kind in found.inputs.items())
    outputs = ", ".join(
        (f"{kind}" if name == "output" else f"{name} {kind}")
        + " in training" * (name in found.in_training)
        for name, kind in found.outputs.items()
    )
    parts = [f"{network}: {inputs} → {outputs}", f"{_count(found.cost.parameters)} parameters"]
    parts += _multiply_adds(found)
    lines = [" · ".join(parts)]
    for requirement in found.conditions.requirements:
        place = next((c.span for c in requirement.because if c.span), None)
        lines.append(f"  {requirement.sentence}" + (f" ({place})" if place else ""))
    if found.least_batch > 1:
        lines.append(f"  training needs a batch of at least {found.least_batch}")
    return "\n".join(lines)


def _multiply_adds(found: Report) -> list[str]:
    """The multiply-adds, at usual sizes where they depend on some."""
    assert found.cost is not None
    cost = found.cost.multiply_adds
    if isinstance(cost, int):
        return [f"{_count(cost)} multiply-adds"] if cost else []
    sizes = _usual_sizes(found)
    if sizes is None:
        return []
    groups: dict[int, list[str]] = {}
    for name, size in sizes.items():
        if name in symbols(cost):
            groups.setdefault(size, []).append(name)
    at = ", ".join(" = ".join([*names, str(size)]) for size, names in groups.items())
    return [f"{_count(evaluate(cost, sizes))} multiply-adds at {at}"]


def _usual_sizes(found: Report) -> dict[str, int] | None:
    """Sizes to count at: what is usual for images, or else the smallest that are good."""
    assert found.conditions is not None
    names = found.conditions.names
    for usual in _USUAL_SIZES:
        sizes = dict.fromkeys(names, usual)
        if found.conditions.admits(sizes):
            return sizes
    return next(iter(found.conditions.examples(1)), None)


def _count(number: int) -> str:
    """A number as a person would say it: 931, 61,706, 25.6 M."""
    if number < 100_000:
        return f"{number:,}"
    for unit, factor in (("T", 10**12), ("G", 10**9), ("M", 10**6)):
        if number >= factor:
            shown = f"{number / factor:#.3g}" if number < 999 * factor else f"{number // factor:,}"
            return f"{shown.removesuffix('.')} {unit}"
    return f"{number / 1000:.0f} K"


def _as_dict(file: str, network: str, found: Report) -> dict[str, Any]:
    data: dict[str, Any] = {"file": file, "network": network, "ok": found.ok}
    if found.cost is None or found.conditions is None:
        return data
    cost = found.cost.multiply_adds
    return {
        **data,
        "inputs": {name: _plain(kind.dims) for name, kind in found.inputs.items()},
        "outputs": {name: _plain(kind.dims) for name, kind in found.outputs.items()},
        "in_training": list(found.in_training),
        "parameters": found.cost.parameters,
        "multiply_adds": cost if isinstance(cost, int) else show_size(cost),
        "conditions": found.conditions.sentences(),
        "least_batch": found.least_batch,
    }


def _plain(sizes: tuple[Any, ...]) -> list[int | str]:
    return [size if isinstance(size, int) else show_size(size) for size in sizes]
