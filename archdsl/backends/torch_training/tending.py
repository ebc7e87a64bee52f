"""What is done beside the steps: products, initialization, freezing, dropout, constraints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archdsl.backends.torch_training.optimizing import Needs
from archdsl.backends.torch_training.parameters import Groups, Parameters, module, parameter
from archdsl.recipes import Recipe, Stage
from archdsl.recipes.parts import Part
from archdsl.techniques.constraints import Constraint
from archdsl.techniques.selection import Selection


def tending(recipe: Recipe, groups: Groups, needs: Needs) -> list[str]:
    """The methods that a recipe needs, as source text."""
    methods = []
    if recipe.initialize:
        methods.append(_initialize(recipe, groups.parameters))
    if recipe.constraints:
        methods.append(_constraints(recipe, groups, needs))
    if _left_changed(recipe):
        methods.append(_teardown(recipe, groups.parameters))
    return methods


def preparation(recipe: Recipe, groups: Groups, needs: Needs) -> list[str]:
    """The statements of the constructor that change the network for training.

    They stand before those that look for parameters.
    """
    lines = []
    if recipe.reparametrize:
        code = recipe.reparametrize.code()
        needs.helpers.update(code.helpers)
        needs.imports.add("from torch.nn.utils import parametrize")
        for owner, name in _owners(recipe.reparametrize.of):
            call = "parametrize.register_parametrization"
            lines.append(f'{call}({owner}, "{name}", {code.call})')
    if len(recipe.freeze) == 1:
        lines += _held(recipe.freeze[0].value.names, groups.parameters, "False")
    return lines


def _owners(selection: Selection) -> Iterator[tuple[str, str]]:
    """The modules and the names of parameters there."""
    for name in selection.names:
        path, _, last = name.rpartition(".")
        yield (module(path) if path else "self.network"), last


def _left_changed(recipe: Recipe) -> bool:
    """Whether a run leaves something on the network that is not its own."""
    frozen = any(stage.value.names for stage in recipe.freeze)
    return frozen or recipe.reparametrize is not None or bool(_inner_dropout(recipe))


def _teardown(recipe: Recipe, parameters: Parameters) -> str:
    """Leave the network as one that was never trained so, however often it is called."""
    lines = ["def teardown(self, stage: str) -> None:", '    if stage != "fit":', "        return"]
    if recipe.reparametrize:
        for owner, name in _owners(recipe.reparametrize.of):
            lines.append(f'    if parametrize.is_parametrized({owner}, "{name}"):')
            lines.append(f'        parametrize.remove_parametrizations({owner}, "{name}")')
    frozen = {name for stage in recipe.freeze for name in stage.value.names}
    lines += [f"    {line}" for line in _held(frozen, parameters, "True")]
    for part in _inner_dropout(recipe):
        lines.append(f"    {module(part.path)}.dropout = {part.dropout!r}")
    return "\n".join(lines)


# Initialization ---------------------------------------------------------------------------


def _initialize(recipe: Recipe, parameters: Parameters) -> str:
    """What is called before a run that starts from nothing."""
    products = set(recipe.reparametrize.of.names) if recipe.reparametrize else set()
    lines = ['    """What parameters hold before the first step."""']
    for initialization in recipe.initialize:
        code = initialization.code()
        plain = [n for n in initialization.of.names if n not in products]
        if plain:
            lines += [f"    {line}" for line in parameters.loop(plain, code)]
        for name in initialization.of.names:
            if name in products:
                weight = _weight(name)
                lines.append(f"    {weight} = {code.format(weight)}")
    decorator = ["@torch.no_grad()"] if products else []
    return "\n".join([*decorator, "def initialize(self) -> None:", *lines])


def _weight(name: str) -> str:
    """A weight that is no parameter."""
    path, _, last = name.rpartition(".")
    return f"{module(path)}.{last}"


# Epochs -----------------------------------------------------------------------------------


def epoch_start(recipe: Recipe, groups: Groups) -> list[str]:
    """The statements at an epoch's start: all that follows from its number."""
    return [*_freezing(recipe, groups.parameters), *_dropping(recipe)]


def _freezing(recipe: Recipe, parameters: Parameters) -> list[str]:
    """What is frozen in this epoch; groups that are frozen in the same epochs go together."""
    stages = recipe.freeze
    together: dict[tuple[bool, ...], list[str]] = {}
    for name in parameters.names:
        pattern = tuple(name in stage.value.names for stage in stages)
        if any(pattern):
            together.setdefault(pattern, []).append(name)
    tops = {
        selector.word: tuple(selector.word in map(str, s.value.selectors) for s in stages)
        for stage in stages
        for selector in stage.value.selectors
        if selector.by == "label"
    }
    lines = []
    for pattern, names in together.items():
        trained = _in_epochs(stages, [not frozen for frozen in pattern])
        below = [path for path, own in tops.items() if own == pattern]
        norms = parameters.running(names, below)
        if trained == "False":
            lines += parameters.loop_over(norms, "{0}.train(False)")
            continue
        if norms and " or " in trained:
            lines.append(f"trained = {trained}")
            trained = "trained"
        lines += _held(names, parameters, trained)
        lines += parameters.loop_over(norms, f"{{0}}.train({trained})")
    return lines


def _held(names: Sequence[str] | set[str], parameters: Parameters, trained: str) -> list[str]:
    """Statements by which parameters are trained, or not."""
    if not names:
        return []
    tops = parameters.tops(names)
    if set(names) == set(parameters.names):
        return [f"self.network.requires_grad_({trained})"]
    if len(tops) == 1:
        found = parameter(tops[0]) if tops[0] in names else module(tops[0])
        return [f"{found}.requires_grad_({trained})"]
    return parameters.loop(names, f"{{0}}.requires_grad_({trained})")


def _in_epochs(stages: Sequence[Stage[Any]], on: list[bool]) -> str:
    """The condition that an epoch is one of those stages where it is on."""
    spans: list[list[int | None]] = []
    ends = [*[stage.start for stage in stages[1:]], None]
    for stage, end, is_on in zip(stages, ends, on, strict=True):
        if is_on and spans and spans[-1][1] == stage.start:
            spans[-1][1] = end
        elif is_on:
            spans.append([stage.start, end])
    return " or ".join(_between(*span) for span in spans) or "False"


def _between(start: int | None, end: int | None) -> str:
    if end is None:
        return f"self.current_epoch >= {start}" if start else "True"
    if not start:
        return f"self.current_epoch < {end}"
    return f"{start} <= self.current_epoch < {end}"


def _inner_dropout(recipe: Recipe) -> list[Part]:
    """The layers that drop something inside, and are told by their share whether to."""
    if all(stage.value for stage in recipe.dropout):
        return []
    return [part for part in recipe.parts if part.dropout and part.family == "recurrent"]


def _dropping(recipe: Recipe) -> list[str]:
    """Dropout at work, or not: every layer that drops something."""
    if all(stage.value for stage in recipe.dropout):
        return []
    dropping = _in_epochs(recipe.dropout, [stage.value for stage in recipe.dropout])
    found = [part for part in recipe.parts if part.dropout]
    inside = _inner_dropout(recipe)
    classes = '"Drop" in type(m).__name__'
    if any(part.family == "attention" for part in found):
        classes += " or isinstance(m, nn.MultiheadAttention)"
    lines = []
    if len(found) > len(inside):
        lines += [
            "for m in self.network.modules():",
            f"    if {classes}:",
            f"        m.training = {dropping}",
        ]
    for part in inside:
        share = "0.0" if dropping == "False" else f"{part.dropout!r} if {dropping} else 0.0"
        lines.append(f"{module(part.path)}.dropout = {share}")
    return lines


# Constraints ------------------------------------------------------------------------------


def _constraints(recipe: Recipe, groups: Groups, needs: Needs) -> str:
    """Every step of the optimizer, and behind it what brings parameters back."""
    lines = [
        "def optimizer_step(self, *args: Any, **kwargs: Any) -> None:",
        "    super().optimizer_step(*args, **kwargs)",
        "    with torch.no_grad():",
    ]
    frozen = {name for stage in recipe.freeze for name in stage.value.names}
    for constraint in recipe.constraints:
        held = not frozen.isdisjoint(constraint.of.names)
        found = _constraint(constraint, groups, needs, held=held)
        lines += [f"        {line}" for line in found]
    return "\n".join(lines)


def _constraint(
    constraint: Constraint, groups: Groups, needs: Needs, *, held: bool
) -> Iterator[str]:
    """A loop over the parameters; those whose units lie otherwise have one of their own.

    Where some may be frozen (``held``), those are left as they are.
    """
    kinds: dict[tuple[int, int], list[str]] = {}
    for name in constraint.of.names:
        part = groups.parameters.part(name)
        alike = not constraint.by_unit or not part.unit_axis
        kinds.setdefault((0, 1) if alike else (part.unit_axis, part.groups), []).append(name)
    for (axis, parts), names in kinds.items():
        code = constraint.code(axis)
        needs.helpers.update(code.helpers)
        apart = f" along {axis}" * bool(axis) + f" in {parts}" * (parts > 1)
        called = str(constraint.of) + (apart if len(kinds) > 1 else "")
        yield f"for p in {groups.add(names, called)}:"
        if held:
            yield "    if p.requires_grad:"
        margin = "        " if held else "    "
        if parts == 1:
            yield f"{margin}{code.call.format('p')}"
        else:
            yield f"{margin}for part in p.chunk({parts}):"
            yield f"{margin}    {code.call.format('part')}"
