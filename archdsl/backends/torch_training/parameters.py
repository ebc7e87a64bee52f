"""Groups of parameters that a recipe's techniques apply to, and how the source finds them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from keyword import iskeyword

from archdsl.recipes import Recipe
from archdsl.recipes.parts import Part, Trained, trained_parameters
from archdsl.techniques.penalties import Penalty
from archdsl.techniques.selection import Selection

PARAMETERS_OF = '''\
def parameters_of(network: nn.Module, *kinds: type[nn.Module]) -> Iterator[nn.Parameter]:
    """The parameters of every layer of some kinds."""
    for module in network.modules():
        if isinstance(module, kinds):
            yield from module.parameters()
'''

LONGEST_NAME = 40
MOST_WRITTEN = 3
"""Modules that are written one by one; of more, a rule is sought that says the same."""

_LEAVES = re.compile(r"nn\.(Conv|ConvTranspose|BatchNorm|InstanceNorm)[123]d|nn\.(Linear|Bilinear)")
_MORE_LEAVES = re.compile(r"nn\.(Embedding|LayerNorm|GroupNorm|LSTM|GRU|RNN|PReLU)")


_FILTERED = re.compile(r"\[p for ((?:name, )?p in (?:(?! if ).)+) if ((?:(?! for ).)+)\]")
_BY_NAME = re.compile(r"\[self\.network\.get_parameter\(name\) for name in (.+)\]")


class Parameters:
    """The parameters of a recipe's network, and the expressions for some of them."""

    def __init__(self, recipe: Recipe) -> None:
        self._all = trained_parameters(recipe.parts)
        self._parts = recipe.parts
        made = recipe.reparametrize
        self._products = frozenset(made.of.names if made else ())
        self._plain = not any(part.tied for part in recipe.parts)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self._all)

    def part(self, name: str) -> Part:
        """The layer that a parameter belongs to."""
        return next(p.part for p in self._all if p.name == name)

    def rank(self, name: str) -> int:
        return next(len(p.shape) for p in self._all if p.name == name)

    def some(self, names: Iterable[str]) -> str:
        """An iterable of the parameters of these names: a rule for it, or each by its name."""
        chosen = frozenset(names)
        if chosen == frozenset(self.names):
            return "self.network.parameters()"
        for text, rule in self._rules(chosen):
            if frozenset(p.name for p in self._all if rule(p)) == chosen:
                return text
        ordered = [n for name in self.names if name in chosen for n in self._stored(name)]
        listed = ", ".join(json.dumps(n) for n in ordered) + "," * (len(ordered) == 1)
        return f"[self.network.get_parameter(name) for name in ({listed})]"

    def listed(self, names: Iterable[str]) -> str:
        """The same as a list."""
        text = self.some(names)
        return text if text.startswith("[") else f"list({text})"

    def loop(self, names: Iterable[str], statement: str) -> list[str]:
        """A loop over the parameters; ``{0}`` in the statement is each of them."""
        text = self.some(names)
        filtered = _FILTERED.fullmatch(text)
        by_name = _BY_NAME.fullmatch(text)
        if filtered:
            loop, condition = filtered.groups()
            lines = [f"for {loop}:", f"    if {condition}:", f"        {statement.format('p')}"]
        elif by_name:
            call = statement.format("self.network.get_parameter(name)")
            lines = [f"for name in {by_name[1]}:", f"    {call}"]
        elif text.startswith("[") and "," not in text and " for " not in text and "*" not in text:
            lines = [statement.format(text[1:-1])]
        else:
            lines = [f"for p in {text}:", f"    {statement.format('p')}"]
        return lines

    def _rules(self, chosen: frozenset[str]) -> Iterator[tuple[str, Callable[[Trained], bool]]]:
        """Rules that may say what is chosen, the plainest first."""
        every = "[p for p in self.network.parameters() if p.ndim "
        yield f"{every}> 1]", lambda p: len(p.shape) > 1
        yield f"{every}< 2]", lambda p: len(p.shape) < 2
        if not self._plain:
            return  # what is tied has several names, and modules share it
        tops = self.tops(chosen)
        if len(tops) == 1 and tops[0] not in chosen:
            yield f"{module(tops[0])}.parameters()", lambda p: p.name in chosen
        written = ", ".join(self._written(top) for top in tops)
        if len(tops) <= MOST_WRITTEN and ".get_" not in written:
            yield f"[{written}]", lambda p: p.name in chosen
        yield from self._below_one(chosen)
        yield from self._of_classes(chosen)
        if not self._products:
            named = "[p for name, p in self.network.named_parameters() if "
            yield f'{named}"bias" in name]', lambda p: "bias" in p.name
            yield (
                f'{named}"weight" in name and p.ndim > 1]',
                lambda p: "weight" in p.name and len(p.shape) > 1,
            )
        if len(tops) <= MOST_WRITTEN and (len(tops) == 1 or chosen.isdisjoint(tops)):
            yield f"[{written}]", lambda p: p.name in chosen

    def _below_one(self, chosen: frozenset[str]) -> Iterator[tuple[str, Callable[[Trained], bool]]]:
        """All that have several axes below one module, or all that have one."""
        first, *others = (n.split(".") for n in chosen)
        while first and not all(o[: len(first)] == first for o in others):
            first.pop()
        if others and first:
            path = ".".join(first)
            every = f"[p for p in {module(path)}.parameters() if p.ndim "
            yield (
                f"{every}> 1]",
                lambda p: len(p.shape) > 1 and p.name.startswith(f"{path}."),
            )
            yield (
                f"{every}< 2]",
                lambda p: len(p.shape) < 2 and p.name.startswith(f"{path}."),
            )

    def _of_classes(
        self, chosen: frozenset[str]
    ) -> Iterator[tuple[str, Callable[[Trained], bool]]]:
        """All of the modules of some classes, where no module has another inside it."""
        classes = {p.part.torch_class for p in self._all if p.name in chosen}
        known = {p.part.torch_class for p in self._all}
        if not all(_LEAVES.fullmatch(c) or _MORE_LEAVES.fullmatch(c) for c in known - {""}):
            return
        if "" in classes or len(classes) > MOST_WRITTEN:
            return
        each = f"parameters_of(self.network, {', '.join(sorted(classes))})"
        yield each, lambda p: p.part.torch_class in classes
        yield (
            f"[p for p in {each} if p.ndim > 1]",
            lambda p: p.part.torch_class in classes and len(p.shape) > 1,
        )
        yield (
            f"[p for p in {each} if p.ndim < 2]",
            lambda p: p.part.torch_class in classes and len(p.shape) < 2,
        )

    def tops(self, chosen: Iterable[str]) -> list[str]:
        """The fewest modules and parameters that hold just these, in the network's order."""
        wanted = set(chosen)
        mixed = {path for n in self.names if n not in wanted for path in _above(n)}
        tops: dict[str, None] = {}
        for name in self.names:
            if name in wanted:
                tops[next((path for path in _above(name) if path not in mixed), name)] = None
        return list(tops)

    def _written(self, top: str) -> str:
        """A module's parameters, or one parameter, as items of a list."""
        if top not in self.names:
            return f"*{module(top)}.parameters()"
        return ", ".join(parameter(name) for name in self._stored(top))

    def _stored(self, name: str) -> tuple[str, ...]:
        """The names that a parameter is kept under: two, where it is a product."""
        if name not in self._products:
            return (name,)
        path, _, last = name.rpartition(".")
        before = f"{path}." if path else ""
        return tuple(f"{before}parametrizations.{last}.original{i}" for i in (0, 1))

    def running(self, chosen: Iterable[str], prefixes: Sequence[str] = ()) -> list[Part]:
        """The batch norms that belong to chosen parameters: whose own are, or below a prefix."""
        names = set(chosen)
        found = []
        for part in self._parts:
            own = [name for name, _ in part.parameters]
            below = any(part.path == p or part.path.startswith(f"{p}.") for p in prefixes)
            if part.running and (names.issuperset(own) if own else below):
                found.append(part)
        return found

    def loop_over(self, norms: Sequence[Part], statement: str) -> list[str]:
        """A loop over batch norms; ``{0}`` in the statement is each of them."""
        if not norms:
            return []
        if len(norms) == 1:
            return [statement.format(module(norms[0].path))]
        paths = [part.path for part in norms]
        classes = {part.torch_class for part in norms}
        for top in ("", *_above(paths[0])):
            inside = [p for p in self._parts if p.path.startswith(f"{top}." if top else "")]
            if [p.path for p in inside if p.torch_class in classes] == paths and all(classes):
                around = module(top) if top else "self.network"
                condition = f"isinstance(m, {one_of(classes)})"
                return [
                    f"for m in {around}.modules():",
                    f"    if {condition}:",
                    f"        {statement.format('m')}",
                ]
        listed = ", ".join(f'"{path}"' for path in paths)
        call = statement.format("self.network.get_submodule(name)")
        return [f"for name in ({listed}):", f"    {call}"]


def one_of(classes: Iterable[str]) -> str:
    """Classes as ``isinstance`` takes them."""
    first, *others = sorted(classes)
    return f"({', '.join([first, *others])})" if others else first


def _above(name: str) -> list[str]:
    """The modules around a parameter, the outermost first."""
    parts = name.split(".")
    return [".".join(parts[: i + 1]) for i in range(len(parts) - 1)]


def _attributes(path: str) -> bool:
    """Whether Python can write a path with dots: ``0`` is no attribute, nor is a keyword."""
    return all(word.isidentifier() and not iskeyword(word) for word in path.split("."))


def module(path: str) -> str:
    """A module of the network."""
    if _attributes(path):
        return f"self.network.{path}"
    return f'self.network.get_submodule("{path}")'


def parameter(name: str) -> str:
    """A parameter of the network."""
    if _attributes(name):
        return f"self.network.{name}"
    return f'self.network.get_parameter("{name}")'


class Groups:
    """The selections of a recipe that every step needs, each an attribute of the module."""

    def __init__(self, recipe: Recipe) -> None:
        self.parameters = Parameters(recipe)
        self._attributes: dict[frozenset[str], str] = {}
        for term in recipe.loss:
            if isinstance(term.technique, Penalty):
                self.add(term.technique.of.names, str(term.technique.of))

    def add(self, names: Iterable[str], called: str) -> str:
        """The attribute for parameters; a new one where they have none."""
        key = frozenset(names)
        if key not in self._attributes:
            words = re.sub(r"\W+", "_", called)[:LONGEST_NAME].strip("_") or "parameters"
            name, count = f"of_{words}", 1  # neither Lightning nor torch has such a name
            while name in self._attributes.values():
                count += 1
                name = f"of_{words}_{count}"
            self._attributes[key] = name
        return f"self.{self._attributes[key]}"

    def attribute(self, selection: Selection) -> str:
        """The expression for the parameters of a selection."""
        return f"self.{self._attributes[frozenset(selection.names)]}"

    def constructor(self) -> list[str]:
        """The statements that find them."""
        return [
            f"self.{name} = {self.parameters.listed(names)}"
            for names, name in self._attributes.items()
        ]
