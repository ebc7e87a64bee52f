"""What a command works on: ``FILE[:NETWORK]``, with ``--set`` for the network's parameters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.shell_completion import CompletionItem

from archdsl.commands.lean_networkx import import_networkx
from archdsl.commands.messages import CallError, call_error, tell
from archdsl.compiler import open_specification, split_target
from archdsl.diagnostics import ArchError, Diagnostic, Source, Span, listed, suggest
from archdsl.elaborate.bounds import Budget
from archdsl.elaborate.expressions import evaluate
from archdsl.elaborate.network import Elaborated
from archdsl.elaborate.values import BlockDef, Env, LayerValue, NetworkAlias, Poisoned, Stop
from archdsl.records import record
from archdsl.specification import Specification
from archdsl.syntax import ast
from archdsl.syntax.parser import parse

if TYPE_CHECKING:
    from archdsl.graph import Graph

Command = TypeVar("Command", bound=Callable[..., Any])


def complete_file(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What the shell completes FILE[:NETWORK] with: files."""
    return [CompletionItem(incomplete, type="file")]


def set_option(command: Command) -> Command:
    """The option ``--set``, which may be repeated."""
    return click.option(
        "settings",
        "--set",
        multiple=True,
        metavar="NAME=VALUE",
        help="Give a parameter of the network a value, written as in a specification:"
        " classes=10, depths=[2, 2], act=gelu. May be repeated.",
    )(command)


@record(frozen=True)
class Target:
    """A specification, the network that was asked for, and what ``--set`` says."""

    specification: Specification
    network: str | None
    settings: Mapping[str, Any]

    def chosen(self) -> list[str]:
        """The networks to check: the one that was named, or all that have what they need."""
        spec = self.specification
        if self.network is not None:
            self._require(self.network)
            return [self.network]
        fit = [n for n in spec.networks if self.settings.keys() <= set(parameters_of(spec, n))]
        if self.settings and not fit and spec.networks:
            raise _unknown_parameter(self.settings, spec, spec.networks[0])
        return [n for n in fit if not self.missing(n)]

    def only(self) -> str:
        """The one network to compile."""
        chosen = self.chosen()
        if len(chosen) == 1:
            return chosen[0]
        names = chosen or list(self.specification.networks)
        if not names:
            raise call_error(f"{self.specification.name} has no network")
        if not chosen:
            self._require(names[0])
        raise call_error(
            f"{self.specification.name} has several networks: say which",
            notes=(f"its networks are {', '.join(names)}",),
            help=f"{self.specification.name}:{names[0]}",
        )

    def missing(self, network: str) -> list[str]:
        """The parameters of a network that nobody has given a value."""
        return [p for p in self.specification.needs(network) if p not in self.settings]

    def elaborate(self, network: str) -> Elaborated:
        """The network's graph. CallError where it is sound, but not with these settings."""
        spec = self.specification
        found = spec.elaborate(network, **self.settings)
        if found.failed and self.settings and not spec.needs(network):
            plain = spec.elaborate(network)
            if not plain.failed:
                given = listed([*self.settings])
                note = f"{network} is sound as it is written, and not with {given} as set"
                last = replace(found.diagnostics[-1], notes=(*found.diagnostics[-1].notes, note))
                raise CallError([*found.diagnostics[:-1], last])
        return found

    def graph(self) -> Graph | None:
        """The checked graph of the one network, or None; what there is to say of it is said."""
        found = self.elaborate(self.only())
        tell(found.diagnostics)
        return None if found.failed else found.graph

    def _require(self, network: str) -> None:
        spec = self.specification
        if network not in spec.networks:
            spec.elaborate(network)  # raises, with what there is
        known = parameters_of(spec, network)
        if self.settings.keys() - set(known):
            raise _unknown_parameter(self.settings, spec, network)
        missing = self.missing(network)
        if missing:
            made = [n for n in spec.networks if network in bases_of(spec, n)]
            raise call_error(
                f"the network {network} is a template: it needs {listed(missing)}",
                notes=(f"made from it: {some(made)}",) if made else (),
                help=" ".join(f"--set {name}=…" for name in missing),
            )


def open_target(text: str, settings: Iterable[str]) -> Target:
    """Read what ``FILE[:NETWORK]`` names, and the settings in terms of that file."""
    import_networkx()
    path, network = split_target(text)
    specification = open_specification(path)
    return Target(specification, network, parse_settings(settings, specification.env))


def checked_graph(text: str, settings: Iterable[str]) -> Graph | None:
    """The graph of the network that is named, or None; what there is to say of it is said."""
    return open_target(text, settings).graph()


def spare_the_specification(target: str, output: str) -> None:
    """Refuse to write over the file that is read."""
    path = Path(split_target(target)[0])
    if path.exists() and Path(output).exists() and path.samefile(output):
        raise call_error(f"{output} is the specification itself", help="write to another file")


def parse_settings(settings: Iterable[str], env: Env) -> dict[str, Any]:
    """The values that ``--set NAME=VALUE`` gives, as the file at hand understands them."""
    values: dict[str, Any] = {}
    for text in settings:
        name, equals, _ = text.partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise call_error(f"--set takes NAME=VALUE, not {text!r}", help="--set classes=10")
        try:
            value = _evaluate(text, env)
        except ArchError as error:
            raise CallError(error.diagnostics) from None
        if name in values:
            raise call_error(f"--set gives {name} twice")
        values[name] = value
    return values


_BEFORE = "let "


def _evaluate(text: str, env: Env) -> Any:
    """The value of ``name = expression``, read as the declaration of a constant would be."""
    try:
        match parse(Source("--set", _BEFORE + text)).declarations:
            case (ast.Let(value=value),):
                return evaluate(value, env, Budget())
        raise call_error(f"--set takes one value, and {text!r} is more")
    except Stop as stop:
        diagnostics: tuple[Diagnostic, ...] = (stop.diagnostic,)
    except Poisoned:
        raise call_error(f"--set {text} uses a name whose declaration is at fault") from None
    except CallError:
        raise
    except ArchError as error:
        diagnostics = error.diagnostics
    raise ArchError([_as_written(d, Source("--set", text)) for d in diagnostics])


def _as_written(diagnostic: Diagnostic, source: Source) -> Diagnostic:
    """The diagnostic with its places in what the user wrote."""

    def moved(span: Span) -> Span:
        if span.source.name != source.name:
            return span
        return Span(source, *(max(0, at - len(_BEFORE)) for at in (span.start, span.end)))

    labels = tuple(replace(label, span=moved(label.span)) for label in diagnostic.labels)
    span = moved(diagnostic.span) if diagnostic.span else None
    return replace(diagnostic, span=span, labels=labels)


def bases_of(specification: Specification, network: str) -> list[str]:
    """The networks that a network is made from, the nearest first."""
    found: list[str] = []
    env: Env = specification.env
    value: Any = env.find(network)
    while isinstance(value, NetworkAlias):
        expression = value.alias.value
        callee = expression.callee if isinstance(expression, ast.Call) else expression
        if not isinstance(callee, ast.Name) or callee.id in found:
            break
        found.append(callee.id)
        env, value = value.env, value.env.find(callee.id)
    return found


def parameters_of(specification: Specification, network: str) -> list[str]:
    """The names of a network's parameters, also of one that is made from another."""
    names = [network, *bases_of(specification, network)]
    env = specification.env
    value: Any = None
    for name in names:
        value = env.find(name)
        if isinstance(value, NetworkAlias):
            env = value.env
    target = value.target if isinstance(value, LayerValue) else value
    if not isinstance(target, BlockDef):
        return []
    return [p.name for p in target.definition.parameters]


def _unknown_parameter(
    settings: Mapping[str, Any], specification: Specification, network: str
) -> CallError:
    known = parameters_of(specification, network)
    name = next(name for name in settings if name not in known)
    meant = suggest(name, known)
    has = f"its parameters are {', '.join(known)}" if known else "it has no parameters"
    return call_error(
        f"the network {network} has no parameter {name}",
        notes=(has,),
        help=f"did you mean {meant}?" if meant else "",
    )


def some(names: list[str], most: int = 3) -> str:
    """The first names of a list, and how many more there are."""
    if len(names) <= most + 1:
        return listed(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"
