"""Specifications: files and what they import, and the graphs of their networks."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.collector import collection_paused
from archdsl.diagnostics import ArchError, Diagnostic, Label, Source, Span, suggest
from archdsl.elaborate.bounds import Budget
from archdsl.elaborate.expressions import evaluate
from archdsl.elaborate.hints import close
from archdsl.elaborate.memory import Memory
from archdsl.elaborate.network import Elaborated, elaborate_network
from archdsl.elaborate.values import (
    UNKNOWN,
    BlockDef,
    Env,
    LayerValue,
    NetworkAlias,
    Poisoned,
    Stop,
)
from archdsl.graph import Graph
from archdsl.records import record, replace
from archdsl.syntax import ast
from archdsl.syntax.parser import parse

if TYPE_CHECKING:
    from archdsl.recipes import Recipe

LARGEST_FILE = 100 * 2**20
_MOST_LISTED = 12  # names of a file, where a message tells them all
DEEPEST_IMPORT = 50  # files that import one another, one behind the other
ROOT_MARKERS = (".git", "pyproject.toml")


@record(frozen=True)
class Specification:
    """A file that was read: its declarations, and what it says of itself.

    ``diagnostics`` are the mistakes of the file as such (imports, constants, names
    declared twice); those of a network come with its graph.
    """

    file: ast.File
    path: Path | None
    env: Env
    diagnostics: tuple[Diagnostic, ...] = ()
    _declared: Mapping[str, BlockDef | NetworkAlias] = field(default_factory=dict)
    _memory: Memory = field(default_factory=Memory, repr=False, compare=False)

    @property
    def networks(self) -> tuple[str, ...]:
        """The names of its networks, in order."""
        return tuple(self._declared)

    @property
    def trains(self) -> tuple[ast.Train, ...]:
        """Its train blocks, as written."""
        return tuple(d for d in self.file.declarations if isinstance(d, ast.Train))

    @property
    def name(self) -> str:
        return self.file.source.name

    def needs(self, network: str) -> tuple[str, ...]:
        """The parameters that a network has no value for: it is a template of others."""
        declared = self._declared[network]
        if isinstance(declared, NetworkAlias):
            return ()
        return tuple(p.name for p in declared.definition.parameters if p.default is None)

    def elaborate(self, network: str | None = None, /, **parameters: Any) -> Elaborated:
        """The graph of a network with its diagnostics, errors included."""
        name = self._choose(network, parameters)
        with collection_paused():
            found = elaborate_network(name, self._declared[name], parameters, self._memory)
        found.graph.graph["vary"] = Variation(self, name, parameters)
        return replace(found, diagnostics=(*self.diagnostics, *found.diagnostics))

    def graph(self, network: str | None = None, /, **parameters: Any) -> Graph:
        """The checked graph of a network. Raises ArchError with every mistake."""
        found = self.elaborate(network, **parameters)
        if found.failed:
            raise ArchError(found.diagnostics)
        return found.graph

    def trains_for(self, network: str) -> tuple[ast.Train, ...]:
        """The train blocks of a network: those for it, then those for every network."""
        own = tuple(t for t in self.trains if t.network == network)
        return own + tuple(t for t in self.trains if t.network is None)

    def recipe(
        self, graph: Graph, name: str | None = None, changes: Iterable[ast.Entry] = ()
    ) -> tuple[Recipe | None, tuple[Diagnostic, ...]]:
        """What a train block says of a network of this file, and what is wrong with it.

        ``name`` chooses among several blocks; without it, it is the one without a name, that for
        the network before that for every one, or the only one. The recipe is None where there is
        none, nor a ``loss`` among the changes, or it has errors.
        """
        network = str(graph.graph.get("name") or "")
        blocks = self._blocks(graph)
        if name is not None:
            chosen = [t for t in blocks if t.name == name]
            if not chosen:
                return None, (_no_recipe(self.name, network, name, blocks),)
        else:
            chosen = [t for t in blocks if t.name is None] or list(blocks)
            if len(chosen) > 1 and chosen[0].name is not None:
                return None, (_several_recipes(self.name, network, chosen),)
        if not chosen:
            changes = tuple(changes)
            if not any(entry.key == "loss" for entry in changes):
                return None, ()
            chosen = [ast.Train(self.file.span, None, network, ())]
        from archdsl.recipes import read_recipe  # a hundred techniques, which few commands need

        return read_recipe(chosen[0], graph, self.env, changes)

    def check_training(self, graph: Graph) -> tuple[Diagnostic, ...]:
        """What is to be said of every train block of a network, whose checked graph this is."""
        blocks = self._blocks(graph)
        if not blocks:
            return ()
        from archdsl.recipes import read_recipe  # as above

        found: list[Diagnostic] = []
        for train in blocks:
            _, said = read_recipe(train, graph, self.env)
            if train.network is None and len(self.networks) > 1:
                note = f"as the training of {graph.graph.get('name')}"
                said = tuple(replace(d, notes=(*d.notes, note)) for d in said)
            found.extend(d for d in said if d not in found)
        return tuple(found)

    def _blocks(self, graph: Graph) -> tuple[ast.Train, ...]:
        """The train blocks of a graph's network, or of the one that it is a variation of."""
        variation = graph.graph.get("vary")
        network = str(graph.graph.get("name") or "")
        return self.trains_for(variation.network if variation else network)

    def _choose(self, network: str | None, given: Mapping[str, Any]) -> str:
        if network is not None:
            if network in self._declared:
                return network
            meant = suggest(network, self.networks)
            raise ArchError(
                [
                    Diagnostic(
                        "unknown-network",
                        f"{self.name} has no network {network}",
                        notes=(f"its networks are {', '.join(self.networks)}",)
                        if self.networks
                        else (),
                        help=f"did you mean {meant}?" if meant else "",
                    )
                ]
            )
        usable = [n for n in self.networks if given.keys() >= set(self.needs(n))]
        templates = [n for n in usable if self.needs(n)]  # whose parameters are all given
        for alone in (self.networks, usable, templates):
            if len(alone) == 1:
                return alone[0]
        if not self.networks:
            raise ArchError(
                [*self.diagnostics, Diagnostic("unknown-network", f"{self.name} has no network")]
            )
        raise ArchError(
            [
                Diagnostic(
                    "unknown-network",
                    f"{self.name} has several networks: say which",
                    notes=(f"its networks are {', '.join(usable or self.networks)}",),
                    help=f"{self.name}:{(usable or self.networks)[0]}",
                )
            ]
        )


@record(frozen=True)
class Variation:
    """A network as it was elaborated, to be elaborated at other parameters too."""

    specification: Specification
    network: str
    parameters: Mapping[str, Any]

    def __call__(self, name: str, value: Any) -> Graph | None:
        """The graph with one parameter changed, or None where it cannot be."""
        given = {**self.parameters, name: value}
        found = self.specification.elaborate(self.network, **given)
        return None if found.failed else found.graph


def load(path: str | Path) -> Specification:
    """Read a ``.arch`` file and what it imports.

    Raises ArchError for a file that cannot be read or parsed. Mistakes of single
    networks come with their graphs.
    """
    location = Path(path)
    text = read(location)
    return _Reader(_root(location)).specification(Source(str(path), text), location)


def loads(text: str, name: str = "<text>") -> Specification:
    """Read a specification from a text. It can import from ``std`` alone."""
    return _Reader(None).specification(Source(name, text), None)


def read(path: Path, span: Span | None = None, name: str = "") -> str:
    """The text of a file; ArchError, which calls it by its name, where it cannot be had."""
    name = name or str(path)
    try:
        if span is not None and path.exists() and not path.is_file():
            reason = "it is no plain file"  # a pipe would be waited for, a device has no end
            raise ArchError([_unreadable(f"{name} cannot be read: {reason}", span)])
        too_large = path.stat().st_size > LARGEST_FILE
        if not too_large:
            with path.open("rb") as file:
                data = file.read(LARGEST_FILE + 1)  # what has no end says that it has no size
            too_large = len(data) > LARGEST_FILE
        if too_large:
            raise ArchError([Diagnostic("too-large", f"{name} is larger than 100 MB", span=span)])
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        message = f"{name} is not UTF-8 text (byte {problem.start})"
        raise ArchError([_unreadable(message, span)]) from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or str(problem)
        message = f"{name} cannot be read: {reason[:1].lower()}{reason[1:]}"
        if isinstance(problem, FileNotFoundError):
            message = f"there is no file {name}"
        raise ArchError([_unreadable(message, span)]) from None


def _unreadable(message: str, span: Span | None) -> Diagnostic:
    return Diagnostic("unreadable-file", message, span=span)


def _root(path: Path) -> Path:
    """The project's root: the nearest folder above that is one, else the file's own folder."""
    folder = path.resolve().parent
    for candidate in (folder, *folder.parents):
        if any((candidate / marker).exists() for marker in ROOT_MARKERS):
            return candidate
    return folder


def std_sources() -> Iterator[Source]:
    """The files of ``std``, the blocks that ship with the package."""
    from importlib import resources  # not needed where nothing is imported from `std`

    folder = resources.files("archdsl") / "std"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.name.endswith(".arch"):
            yield Source(f"std/{entry.name}", entry.read_text(encoding="utf-8"))


@functools.cache
def _std_names() -> dict[str, Any]:
    """What ``std`` declares, read once."""
    names: dict[str, Any] = {}
    for source in std_sources():
        names.update(_Reader(None).specification(source, None).env.names)
    return names


class _Reader:
    """Reads a file and its imports, each once."""

    def __init__(self, root: Path | None) -> None:
        self.root = root
        self.done: dict[Path, Specification] = {}
        self.open: list[Path] = []
        self.budget = Budget()  # for the constants of all files, which stay in memory together

    def specification(self, source: Source, path: Path | None) -> Specification:
        file = parse(source)
        env = Env(kind="file")
        diagnostics: list[Diagnostic] = []
        declared: dict[str, BlockDef | NetworkAlias] = {}
        places: dict[str, Span] = {}
        for declaration in file.declarations:
            try:
                self._declare(declaration, path, env, declared, places, diagnostics)
            except Stop as stop:  # noqa: PERF203  # every declaration may have a mistake of its own
                if stop.diagnostic not in diagnostics:
                    diagnostics.append(stop.diagnostic)
            except Poisoned:
                pass
        for declaration in file.declarations:
            if isinstance(declaration, ast.Train):
                _check_train(declaration, declared, diagnostics)
        return Specification(file, path, env, tuple(diagnostics), declared)

    def _declare(
        self,
        declaration: ast.Declaration,
        path: Path | None,
        env: Env,
        declared: dict[str, BlockDef | NetworkAlias],
        places: dict[str, Span],
        diagnostics: list[Diagnostic],
    ) -> None:
        match declaration:
            case ast.Import():
                self._import(declaration, path, env, places, diagnostics)
            case ast.Let(name=name, value=value):
                _claim(name, declaration.name_span, places)
                env.names[name] = UNKNOWN
                if self.budget.steps < 0:
                    raise Poisoned  # that there is too much was said where it became so
                env.names[name] = evaluate(value, env, self.budget)
                closed = close(value, env)
                if closed is not None:
                    env.hints[name] = closed
            case ast.Definition(name=name):
                _claim(name, declaration.name_span, places)
                block = BlockDef(declaration, env)
                env.names[name] = LayerValue(block)
                if declaration.kind == "network":
                    declared[name] = block
                _check_parameters(declaration)
            case ast.Alias(name=name):
                _claim(name, declaration.name_span, places)
                alias = NetworkAlias(declaration, env)
                env.names[name] = alias
                declared[name] = alias
            case ast.Train():
                pass

    def _import(
        self,
        declaration: ast.Import,
        path: Path | None,
        env: Env,
        places: dict[str, Span],
        diagnostics: list[Diagnostic],
    ) -> None:
        wanted: list[tuple[str, Span]] = []
        for name, span in zip(declaration.names, declaration.name_spans, strict=True):
            try:
                _claim(name, span, places)
            except Stop as stop:
                diagnostics.append(stop.diagnostic)
                continue
            env.names[name] = UNKNOWN  # until it is found: no use of it is another mistake
            wanted.append((name, span))
        if declaration.is_std:
            where, names = "std", _std_names()
        else:
            where, file = declaration.module, self._file(declaration, path)
            names = file.env.names
            diagnostics.extend(d for d in file.diagnostics if d not in diagnostics)
        for name, span in wanted:
            if name in names:
                env.names[name] = names[name]
                continue
            meant = suggest(name, names)
            known = ", ".join(names) if len(names) <= _MOST_LISTED else ""
            diagnostics.append(
                Diagnostic(
                    "unknown-name",
                    f"{where} has no {name}",
                    span=span,
                    text=f"it has {known}" if known and not meant else "",
                    help=f"did you mean {meant}?" if meant else "",
                )
            )

    def _file(self, declaration: ast.Import, path: Path | None) -> Specification:
        span = declaration.module_span
        target = self._locate(declaration.module, path, span)
        known = self.done.get(target)
        if known is None:
            if target in self.open or (path is not None and target == path.resolve()):
                raise Stop(
                    Diagnostic(
                        "import-loop",
                        f"{declaration.module} imports this file in turn"
                        if path is None or target != path.resolve()
                        else "a file cannot import itself",
                        span=span,
                        help="move what both need into a third file",
                    )
                )
            if len(self.open) >= DEEPEST_IMPORT:
                message = f"files import one another more than {DEEPEST_IMPORT} deep"
                raise Stop(Diagnostic("too-deep", message, span=span))
            if path is not None:
                self.open.append(path.resolve())
            try:
                importer = os.path.dirname(span.source.name)  # noqa: PTH120  # as it was written
                shown = os.path.normpath(os.path.join(importer, declaration.module))  # noqa: PTH118
                text = read(target, span, declaration.module)
                known = self.specification(Source(shown, text), target)
            except ArchError as error:
                raise Stop(_imported(error.diagnostics[0], span)) from None
            finally:
                if path is not None:
                    self.open.pop()
            self.done[target] = known
        return known

    def _locate(self, module: str, path: Path | None, span: Span) -> Path:
        def refuse(message: str, help: str = "") -> Stop:
            return Stop(Diagnostic("bad-import", message, span=span, help=help))

        if path is None or self.root is None:
            raise refuse("a text that is no file can import from std alone")
        if "\0" in module or Path(module).is_absolute() or not module.endswith(".arch"):
            raise refuse(
                "an import names a .arch file relative to this one",
                help='write it so: from "blocks.arch" import …',
            )
        try:
            target = (path.resolve().parent / module).resolve()
        except (OSError, RuntimeError):  # the latter for links in a circle, before Python 3.13
            raise refuse(f"{module} is a link that leads nowhere") from None
        if not target.is_relative_to(self.root):
            raise refuse(
                "an import cannot leave the project's folder", help=f"the root is {self.root.name}/"
            )
        return target


def _imported(problem: Diagnostic, span: Span) -> Diagnostic:
    """What is wrong with an imported file, and where it is imported."""
    if problem.span is None or problem.span.source == span.source:
        return problem
    return replace(problem, labels=(*problem.labels, Label(span, "imported here")))


def _check_parameters(definition: ast.Definition) -> None:
    """The parameters and the inputs of a definition have names of their own."""
    places: dict[str, Span] = {}
    for parameter in definition.parameters:
        span = Span(parameter.span.source, parameter.span.start, parameter.span.start)
        span = replace(span, end=span.start + len(parameter.name))
        _claim(parameter.name, span, places, "parameter")
    if definition.kind == "network":
        return  # its inputs are looked at with its graph
    for statement in definition.body.statements:
        if isinstance(statement, ast.Input):
            for name, span in zip(statement.names, statement.name_spans, strict=True):
                _claim(name, span, places, "input")


def _claim(name: str, span: Span, places: dict[str, Span], kind: str = "") -> None:
    if name == "it":
        raise Stop(
            Diagnostic(
                "reserved-name",
                "`it` is the tensor that arrives, and nothing else can be called so",
                span=span,
                help="choose another name",
            )
        )
    if name in places:
        raise Stop(
            Diagnostic(
                "duplicate-name",
                f"the {kind} {name} is declared twice" if kind else f"{name} is declared twice",
                span=span,
                text="and again here",
                labels=(Label(places[name], "first declared here"),),
            )
        )
    places[name] = span


def _check_train(
    train: ast.Train, declared: Mapping[str, Any], diagnostics: list[Diagnostic]
) -> None:
    if train.network is not None and train.network not in declared:
        meant = suggest(train.network, declared)
        diagnostics.append(
            Diagnostic(
                "unknown-name",
                f"there is no network {train.network} to train",
                span=_network_word(train),
                text="" if meant or declared else "the file has no network",
                help=f"did you mean {meant}?" if meant else "",
            )
        )


def _several_recipes(file: str, network: str, blocks: list[ast.Train]) -> Diagnostic:
    names = ", ".join(str(t.name) for t in blocks)
    return Diagnostic(
        "no-recipe",
        f"{file} has several train blocks for {network}: say which",
        notes=(f"they are {names}",),
        help=f"--recipe {blocks[0].name}; a block without a name would be the usual one",
    )


def _no_recipe(file: str, network: str, name: str, blocks: Iterable[ast.Train]) -> Diagnostic:
    known = [t.name for t in blocks if t.name]
    meant = suggest(name, known)
    return Diagnostic(
        "unknown-name",
        f"{file} has no train block {name} for {network}",
        notes=(f"its train blocks are {', '.join(known)}",) if known else (),
        help=f"did you mean {meant}?" if meant else "",
    )


def _network_word(train: ast.Train) -> Span:
    """The place of the network's name in ``train … for NAME {``."""
    found = re.compile(r"\bfor\s+(\w+)").search(train.span.text)
    if found is None:
        return train.span
    start = train.span.start
    return Span(train.span.source, start + found.start(1), start + found.end(1))
