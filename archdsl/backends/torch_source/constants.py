"""Constants: what every number of a class is written as, and so which parameters it has.

A constant that was written in terms of block parameters keeps its expression; one that
follows from an input's channels follows it; one that is the same everywhere stands
as it is; one that differs otherwise becomes a parameter of its own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from math import prod
from typing import Any

from archdsl.backends.torch_source.names import (
    expression,
    expression_names,
    grouped,
    part,
    python,
    times,
    unique,
    value_of,
    variable,
)
from archdsl.backends.torch_source.plan import (
    ANY,
    ClassPlan,
    Parameter,
    Slot,
    SlotId,
    agree,
    is_inline,
)
from archdsl.backends.torch_source.tree import Leaf, Unit
from archdsl.dims import Size
from archdsl.elaborate.bounds import Budget
from archdsl.elaborate.expressions import evaluate
from archdsl.elaborate.values import Env, Poisoned, Stop
from archdsl.graph import Source, type_of
from archdsl.ops.torch_text import same
from archdsl.syntax import ast

_WHICH = {"it.channels": 0, "it.features": -1}


class ConstantSolver:
    """The parameters of one class, found slot by slot."""

    def __init__(self, plan: ClassPlan, varied: frozenset[str]) -> None:
        self.varied = varied
        self.plan = plan
        self.texts: dict[SlotId, str] = plan.texts
        self.parameters: dict[str, Parameter] = {}
        self.is_network = plan.unit.scope.kind == "network"
        self.is_fixed = self.is_network and not varied and len(plan.units) == 1
        """Whether every constant is just its value: there is nothing that it could follow from."""
        self.environments = [_arguments(u) for u in plan.units]
        self.rows = [plan.members(u) for u in plan.units]
        self.producers = {} if self.is_fixed else self._find_producers()
        self.by_member: dict[SlotId, list[Slot]] = {}
        self.by_values: dict[Any, str] = {}
        self._sizes: dict[tuple[Source, int], list[Any] | None] = {}
        self.sums: dict[tuple[Source, int], tuple[int, dict[str, int]]] = {}

    def _find_producers(self) -> dict[Source, tuple[str, Any]]:
        """What gives every tensor of the first instance: an input, a leaf, a unit."""
        found: dict[Source, tuple[str, Any]] = dict(_producers(self.plan.unit.members, ()))
        for i, source in enumerate(self.plan.unit.inputs):
            found[source] = ("input", i)
        return found

    def resolve(self, slot: Slot) -> bool:
        """Find the text of a slot by the first way that explains its value everywhere."""
        if self.is_fixed:
            self.texts[slot.id] = python(slot.values[0])
            return True
        member = tuple(itertools.takewhile(lambda part: isinstance(part, int), slot.id))
        self.by_member.setdefault(member, []).append(slot)
        text = (
            self._by_hint(slot)
            or self._by_following(slot)
            or self._constant(slot)
            or self._by_value(slot)
        )
        if text is not None:
            self._keep(slot, text)
        return text is not None

    def settle(self, slot: Slot) -> None:
        """Explain a slot by what the others led to, or by a parameter of its own."""
        text = self._by_following(slot) or self._by_value(slot) or self._new_parameter(slot)
        self._keep(slot, text)

    def _keep(self, slot: Slot, text: str) -> None:
        self.texts[slot.id] = text
        self.by_values.setdefault(_vector(slot.values), text)

    def _by_hint(self, slot: Slot) -> str | None:
        """One of the ways in which the constant was written, where it holds everywhere."""
        return next(filter(None, (self._try_hint(slot, hint) for hint in slot.hints)), None)

    def _try_hint(self, slot: Slot, hint: ast.Expr) -> str | None:
        names = expression_names(hint)
        own = {n for n in names if not n.startswith("it.")}
        if not names or (self.is_network and not own <= self.varied):
            return None
        # `it` is what arrives at the stage, or at the block where a `let` asked for it
        arriving = [slot.arrives, *self.plan.unit.inputs[:1]] if names - own else [None]
        for tensor in dict.fromkeys(arriving):
            sizes = {n: self._size(tensor, _WHICH[n]) for n in names - own if tensor}
            if None not in sizes.values() and self._comes_to(slot.values, hint, own, sizes):
                found = self._write_hint(hint, tensor, names - own)
                if found is not None:
                    for name in own:
                        self._block_parameter(name)
                    return found
        return None

    def _comes_to(
        self,
        values: Sequence[Any],
        hint: ast.Expr,
        own: set[str],
        sizes: Mapping[str, list[Any] | None],
    ) -> bool:
        """Whether a hint has the values in every instance, at the given sizes of ``it``."""
        for index, value in enumerate(values):
            if value is ANY:
                continue
            environment = {n: self.environments[index].get(n, _FAILED) for n in own}
            environment.update({n: row[index] for n, row in sizes.items() if row})
            if not all(_is_scalar(v) for v in environment.values()):
                return False
            if not same(_evaluate(hint, environment), value):
                return False
        return True

    def _write_hint(self, hint: ast.Expr, tensor: Source | None, sizes: set[str]) -> str | None:
        """A hint as text, with what ``it.channels`` follows from in its place."""
        rename: dict[str, str] = {}
        for name in sizes:
            text = self.trace(tensor, _WHICH[name], 0) if tensor else None
            if text is None:
                return None
            rename[name] = text if isinstance(hint, ast.Name) else _atomic(text)
        try:
            return expression(hint, rename)
        except ValueError:
            return None

    def _block_parameter(self, name: str) -> None:
        if name in self.parameters:
            return
        scope = _block_scope(self.plan.unit)
        order = list(scope.arguments).index(name)
        values = [e[name] for e in self.environments]
        # a network is built at the values that it has; a block at those of its definition
        defaults = scope.arguments if self.is_network else scope.defaults
        default = defaults.get(name)
        self.parameters[name] = Parameter(
            name, values, default, name in defaults and _is_scalar(default), order
        )

    def _by_following(self, slot: Slot) -> str | None:
        if slot.follows is None:
            return None
        for which in (0, -1):
            if agree(self._size(slot.follows, which) or (), slot.values):
                found = self.trace(slot.follows, which, 0)
                if found is not None and self._explains(found, slot.values):
                    return found
        return None

    def _explains(self, text: str, values: Sequence[Any]) -> bool:
        """Whether an expression over the parameters comes to the values in every instance."""
        for index, value in enumerate(values):
            if value is ANY:
                continue
            names = {variable(p.name): p.values[index] for p in self.parameters.values()}
            try:
                if not same(value_of(text, names), value):
                    return False
            except ValueError:
                return False
        return True

    def _size(self, source: Source, which: int) -> list[Any] | None:
        """A size of a tensor in every instance of the class, looked for once."""
        key = source, which
        if key not in self._sizes:
            self._sizes[key] = self._look_for_size(source, which)
        return self._sizes[key]

    def _look_for_size(self, source: Source, which: int) -> list[Any] | None:
        row = self._row(source)
        if row is None:
            return None
        result: list[Any] = []
        for unit, other in zip(self.plan.units, row, strict=True):
            if other is None:
                result.append(ANY)
                continue
            dims = type_of(unit.graph, other).dims
            if not dims or not isinstance(dims[which], int):
                return None
            result.append(dims[which])
        return result

    def _row(self, source: Source) -> list[Source | None] | None:
        """The tensors that stand where one of the first instance's stands."""
        kind, what = self.producers.get(source, ("", None))
        if kind == "input":
            return [u.inputs[what] for u in self.plan.units]
        if kind == "leaf":
            _, at = what
            members = [self._member_at(row, at) for row in self.rows]
            return [Source(m.node, source.output) if isinstance(m, Leaf) else None for m in members]
        if kind == "unit":
            unit, at = what
            position = unit.outputs.index(source)
            others = [self._member_at(row, at) for row in self.rows]
            return [m.outputs[position] if isinstance(m, Unit) else None for m in others]
        return None

    @staticmethod
    def _member_at(row: list[Leaf | Unit | None], at: SlotId) -> Leaf | Unit | None:
        member = row[at[0]]
        for position in at[1:]:
            if not isinstance(member, Unit):
                return None
            member = member.members[position]
        return member

    def trace(self, source: Source, which: int, depth: int) -> str | None:
        """How the channels (0) or features (-1) of a tensor come about, in terms of parameters."""
        size = self._size(source, which)
        kind, what = self.producers.get(source, ("", None))
        if size is None or depth > 100:
            return None
        if kind == "input":
            return self._input_parameter(what, which, size)
        if kind == "unit" and is_inline(what[0]):
            last = what[0].members[-1]
            inner = Source(last.node) if isinstance(last, Leaf) else last.outputs[0]
            if inner != source:
                return self.trace(inner, which, depth + 1)
            kind, what = (
                ("leaf", (last, (*what[1], len(what[0].members) - 1)))
                if isinstance(last, Leaf)
                else ("unit", (last, (*what[1], len(what[0].members) - 1)))
            )
        if kind not in ("leaf", "unit"):
            return None
        member, at = what
        own = self._own_size(at, size)
        if own is not None:
            return None if own.isdigit() else own
        if isinstance(member, Leaf) and member.op.name == "concat" and _joins(member, which):
            return self._sum(member, which, depth)
        for before in member.inputs:
            if agree(self._size(before, which) or (), size):
                return self.trace(before, which, depth + 1)
        if isinstance(member, Leaf) and member.is_function:
            # channels become features where axes change places
            for before in member.inputs:
                if agree(self._size(before, -1 - which) or (), size):
                    return self.trace(before, -1 - which, depth + 1)
        text = self._in_proportion(member, at, which, size, depth)
        self.plan.scales |= text is not None
        return text

    def _in_proportion(
        self, member: Leaf | Unit, at: SlotId, which: int, size: list[Any], depth: int
    ) -> str | None:
        """A size that is so many times an argument or what comes in, or such a part of it.

        An LSTM in both directions gives ``2 * width`` features, a map of 7×7 that is flattened
        ``width * 7 * 7``, a gated unit ``width // 2``.
        """
        for slot in self.by_member.get(at, ()):
            ratio = _ratio(size, slot.values) if _sets_size(slot) else None
            if ratio is not None and slot.id in self.texts:
                return _scaled(self.texts[slot.id], ratio)
        for before in member.inputs:
            for axis in (which, -1 - which):
                ratio = _ratio(size, self._size(before, axis) or ())
                if ratio is not None:
                    text = self.trace(before, axis, depth + 1)
                    extents = type_of(self.plan.unit.graph, before).dims[1:] if axis == 0 else ()
                    return None if text is None else _scaled(text, ratio, extents)
        return None

    def _own_size(self, at: SlotId, size: list[Any]) -> str | None:
        """The text of an argument that sets the size that comes out."""
        for slot in self.by_member.get(at, ()):
            if _sets_size(slot) and agree(slot.values, size):
                return self.texts.get(slot.id)
        return None

    def _sum(self, member: Leaf, which: int, depth: int) -> str | None:
        """The channels of a concatenation: the sum of what its inputs have, like terms together."""
        constant = 0
        terms: dict[str, int] = {}
        for source in member.inputs:
            known = self.sums.get((source, which))
            if known is None:
                size = self._size(source, which)
                text = self.trace(source, which, depth + 1)
                known = self.sums.get((source, which))
                if known is None:
                    if text is None and (size is None or any(v != size[0] for v in size)):
                        return None
                    known = (size[0] if size and text is None else 0, {text: 1} if text else {})
            constant += known[0]
            for text, count in known[1].items():
                terms[text] = terms.get(text, 0) + count
        self.sums[(Source(member.node), which)] = (constant, terms)
        if not terms:
            return None
        parts = [str(constant)] if constant else []
        parts.extend(times(n, t) if n > 1 else _grouped_sum(t) for t, n in terms.items())
        return " + ".join(parts)

    def _input_parameter(self, index: int, which: int, size: list[Any]) -> str | None:
        known = [v for v in size if v is not ANY]
        varies = any(v != known[0] for v in known)
        scope = self.plan.unit.scope
        if self.is_network or (scope.kind == "group" and not varies):
            return None
        for parameter in self.parameters.values():
            if parameter.follows == (index, which):
                return parameter.name
        base = "in_channels" if which == 0 else "in_features"
        if index:
            base = f"{base}{index + 1}"
        name = unique(base, {*self.parameters, *scope.arguments})
        self.parameters[name] = Parameter(name, size, order=-10 + index, follows=(index, which))
        return name

    def _constant(self, slot: Slot) -> str | None:
        known = [v for v in slot.values if v is not ANY]
        if any(not same(v, known[0]) for v in known):
            return None
        return python(known[0])

    def _by_value(self, slot: Slot) -> str | None:
        for parameter in self.parameters.values():
            if agree(parameter.values, slot.values):
                return variable(parameter.name)
        return self.by_values.get(_vector(slot.values))

    def _new_parameter(self, slot: Slot) -> str:
        name = slot.name if slot.name.isidentifier() else "value"
        taken = {*self.parameters, *_block_scope(self.plan.unit).arguments}
        name = unique(name, taken)
        follows = None
        if slot.follows in self.plan.unit.inputs:
            for which in (0, -1):
                if agree(self._size(slot.follows, which) or (), slot.values):
                    follows = (self.plan.unit.inputs.index(slot.follows), which)
                    break
        filler = next(v for v in slot.values if v is not ANY)
        values = [filler if v is ANY else v for v in slot.values]
        self.parameters[name] = Parameter(name, values, order=1000, follows=follows)
        return variable(name)

    def finish(self) -> None:
        """Order the parameters, and keep what calls need of them as attributes."""
        optional = self.plan.optional
        if optional is not None:
            lacking = next(m for m in self.plan.unit.members if m.name == optional)
            wanted = "residual" if isinstance(lacking, Leaf) and lacking.is_function else optional
            name = unique(wanted, {*self.parameters})
            given = [self.plan.has_optional(u) for u in self.plan.units]
            self.parameters[name] = Parameter(name, given, False, True, 2000)
            self.plan.switch = variable(name)
        names = {variable(p) for p in self.parameters}
        taken = {m.name for m in self.plan.unit.members}
        attributes: dict[str, str] = {}
        for at, slots in self.by_member.items():
            for slot in slots:
                text = self.texts[slot.id]
                if slot.id[len(at)] != "c" or not names & set(re.findall(r"[A-Za-z_]\w*", text)):
                    continue
                wanted = text if text in names else slot.name
                attribute = attributes.get(text) or unique(wanted, taken)
                attributes[text] = self.plan.kept[slot.id] = attribute
        self._name_lets()
        ordered = sorted(self.parameters.values(), key=lambda p: (p.has_default, p.order))
        self.plan.parameters = ordered

    def _name_lets(self) -> None:
        """Constants of the block's body that several calls use become local variables."""
        for name, expr in self.plan.unit.scope.lets.items():
            if isinstance(expr, (ast.Name, ast.Literal_)) or name in self.parameters:
                continue
            rename = {
                f"it.{what}": p.name
                for p in self.parameters.values()
                for what, which in (("channels", 0), ("features", -1))
                if p.follows == (0, which)
            }
            if any(n not in self.parameters and n not in rename for n in expression_names(expr)):
                continue
            text = expression(expr, rename)
            users = [i for i, t in self.texts.items() if t == text and i not in self.plan.kept]
            if len(users) >= 2:
                local = unique(variable(name), {variable(p) for p in self.parameters})
                self.plan.locals[local] = text
                self.texts.update(dict.fromkeys(users, local))


def _producers(
    members: Sequence[Leaf | Unit], prefix: SlotId
) -> Iterator[tuple[Source, tuple[str, Any]]]:
    """What gives every tensor inside, those inside what is written inline too."""
    for position, member in enumerate(members):
        at = (*prefix, position)
        if isinstance(member, Leaf):
            for i in range(len(member.data["types"])):
                yield Source(member.node, i), ("leaf", (member, at))
            continue
        for source in member.outputs:
            yield source, ("unit", (member, at))
        if is_inline(member):
            yield from _producers(member.members, at)


def _vector(values: Sequence[Any]) -> Any:
    """The values as a key that tells 1 from 1.0 and True."""
    return tuple((type(v).__name__, repr(v)) for v in values)


def _joins(member: Leaf, which: int) -> bool:
    """Whether a concatenation is along the channels (0) or the features (-1)."""
    axis, rank = getattr(member.op, "axis", 1), member.data["types"][0].rank
    return bool((axis - 1 if axis > 0 else axis + rank) == which % rank)


def _atomic(text: str) -> str:
    return f"({text})" if " " in text else text


def _sets_size(slot: Slot) -> bool:
    """Whether a constant may say how large the tensor is that its call gives."""
    return slot.follows is None and not slot.name.startswith("in_")


def _ratio(sizes: Sequence[Any], others: Sequence[Any]) -> Fraction | None:
    """How many times the others a row of sizes is: a whole number, or one part of it.

    The others have two values at least: of one alone, every size would be some multiple.
    """
    rows = zip(sizes, others, strict=False)
    pairs = [(a, b) for a, b in rows if a is not ANY and b is not ANY]
    if not all(type(a) is int and type(b) is int and b > 0 for a, b in pairs):
        return None
    if len({b for _, b in pairs}) < 2:
        return None
    ratios = {Fraction(a, b) for a, b in pairs}
    ratio = ratios.pop()
    return ratio if not ratios and 1 in (ratio.numerator, ratio.denominator) else None


def _scaled(text: str, ratio: Fraction, extents: Sequence[Size] = ()) -> str:
    """An expression times a ratio; what is flattened keeps its extents apart, as in 8 * 7 * 7."""
    if ratio.denominator > 1:
        return part(text, ratio.denominator)
    known = [n for n in extents if isinstance(n, int) and n > 1]
    if len(known) > 1 and prod(known) == ratio:
        return " * ".join([grouped(text), *map(str, known)])
    return times(ratio.numerator, text)


def _grouped_sum(text: str) -> str:
    return f"({text})" if " if " in text else text


def _block_scope(unit: Unit) -> Any:
    """The nearest scope that has parameters of its own: a group sees those of its block."""
    scope = unit.scope
    known = unit.graph.graph["scopes"]
    while scope.kind == "group" and scope.parent is not None:
        scope = known[scope.parent]
    return scope


def _arguments(unit: Unit) -> Mapping[str, Any]:
    found: Mapping[str, Any] = _block_scope(unit).arguments
    return found


def _is_scalar(value: Any) -> bool:
    if isinstance(value, tuple):
        return bool(value) and all(isinstance(v, int) and not isinstance(v, bool) for v in value)
    return value is None or isinstance(value, (bool, int, float, str))


def _evaluate(expr: ast.Expr, arguments: Mapping[str, Any]) -> Any:
    env = Env()
    env.names.update(arguments)
    try:
        return evaluate(expr, env, Budget(1000))
    except (Stop, Poisoned):
        return _FAILED


_FAILED = object()
