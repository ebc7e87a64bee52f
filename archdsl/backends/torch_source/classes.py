"""Classes: module calls of the same structure share one, with what differs as parameters.

Every module call of the tree has a *shape*: its members, their constructors and wiring,
without constants. Calls of one shape become one class. A constant that is written
in terms of block parameters keeps its expression; one that follows from an input's
channels follows it; one that differs otherwise becomes a parameter of its own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from archdsl.backends.torch_source.names import (
    class_name,
    expression,
    python,
    unique,
    value_of,
    variable,
)
from archdsl.backends.torch_source.tree import Leaf, Unit
from archdsl.elaborate.expressions import Budget, evaluate
from archdsl.elaborate.values import Env, Poisoned, Stop
from archdsl.graph import Source, type_of
from archdsl.ops.torch_text import Argument, Construct, same
from archdsl.syntax import ast

SlotId = tuple[Any, ...]


class _Any:
    """The value of a constant in an instance that has no such member: whatever fits the others."""

    def __repr__(self) -> str:
        return "ANY"


ANY = _Any()


def agree(left: Sequence[Any], right: Sequence[Any]) -> bool:
    """Whether two rows of values are the same wherever both have one."""
    return len(left) == len(right) and all(
        a is ANY or b is ANY or same(a, b) for a, b in zip(left, right, strict=True)
    )


_WHICH = {"it.channels": 0, "it.features": -1}


@dataclass
class Slot:
    """A constant of a class, with its value in every instance."""

    id: SlotId
    name: str
    values: list[Any]
    hint: ast.Expr | None = None
    follows: Source | None = None
    """In the first instance: the tensor whose channels or features it may follow from."""
    written: bool = False


@dataclass
class Parameter:
    """A constructor parameter of a class."""

    name: str
    values: list[Any]
    default: Any = None
    has_default: bool = False
    order: int = 0
    follows: tuple[int, int] | None = None
    """For one that is an input's channels: the index of the input, and 0 or -1 for the size."""

    @property
    def annotation(self) -> str:
        names = sorted(
            {_annotation(v) for v in [*self.values, *([self.default] if self.has_default else [])]}
        )
        if names == ["float", "int"]:
            names = ["float"]
        none = "None" in names
        rest = [n for n in names if n != "None"]
        return " | ".join([*rest, *(["None"] if none else [])])


def _annotation(value: Any) -> str:
    if isinstance(value, tuple):
        return "tuple[int, ...]"
    return "None" if value is None else type(value).__name__


@dataclass
class ClassPlan:
    """A class of the source, with the module calls that it stands for."""

    name: str
    units: list[Unit]
    sequential: bool
    parameters: list[Parameter] = field(default_factory=list)
    texts: dict[SlotId, str] = field(default_factory=dict)
    omitted: set[SlotId] = field(default_factory=set)
    kept: dict[SlotId, str] = field(default_factory=dict)
    """Constants of calls that depend on a parameter: the attributes that keep them."""

    locals: dict[str, str] = field(default_factory=dict)
    """Local variables of the constructor, with their values."""
    optional: str | None = None
    """The member that some instances do without, such as the ``downsample`` of a residual."""
    switch: str = ""
    """The parameter that says whether the optional member is there."""
    shape: Any = None
    bypassed: dict[Any, str] = field(default_factory=dict)

    @property
    def unit(self) -> Unit:
        """The instance that stands for all: the first that has every member."""
        return next((u for u in self.units if self.has_optional(u)), self.units[0])

    def has_optional(self, unit: Unit) -> bool:
        return self.optional is None or any(m.name == self.optional for m in unit.members)

    def members(self, unit: Unit) -> list[Leaf | Unit | None]:
        """The members of an instance, with None where it lacks the optional one."""
        if self.has_optional(unit):
            return list(unit.members)
        position = next(i for i, m in enumerate(self.unit.members) if m.name == self.optional)
        return [*unit.members[:position], None, *unit.members[position:]]


def is_plain(leaf: Leaf) -> bool:
    """Whether it is a module called with one tensor that gives one: a member of nn.Sequential."""
    code = leaf.code
    return (
        code.module is not None
        and code.call == "{self}({0})"
        and code.targets == "{0}"
        and not code.module.callee.startswith("nn.Parameter")
    )


def is_wrappable(leaf: Leaf) -> bool:
    """Whether it is a function of one tensor, that a small module can stand for."""
    code = leaf.code
    return (
        code.module is None and code.targets == "{0}" and len(leaf.inputs) == 1 and bool(code.call)
    )


def is_sequential(unit: Unit) -> bool:
    """Whether the members of a numbered unit are a chain that ``nn.Sequential`` can run."""
    if not unit.numbered or len(unit.inputs) != 1 or len(unit.outputs) != 1 or not unit.members:
        return False
    expected = unit.inputs[0]
    names: set[str] = set()
    for member in unit.members:
        if member.name in names:
            return False
        names.add(member.name)
        if isinstance(member, Leaf):
            if not (is_plain(member) or is_wrappable(member)) or member.inputs != [expected]:
                return False
            if member.data.get("loop") != unit.scope.loop or "." in member.name:
                return False
            expected = Source(member.node)
        else:
            if member.inputs != [expected] or len(member.outputs) != 1:
                return False
            expected = member.outputs[0]
    return unit.outputs == [expected] and _used_once(unit)


def _used_once(unit: Unit) -> bool:
    """Whether no tensor but the last leaves the chain: nothing is used twice inside it."""
    uses: dict[Source, int] = {}
    for member in unit.members:
        for source in member.inputs:
            uses[source] = uses.get(source, 0) + 1
    return all(count == 1 for count in uses.values()) and unit.outputs[0] not in uses


def is_inline(unit: Unit) -> bool:
    """Whether a group is written as an ``nn.Sequential`` where it stands."""
    return unit.scope.kind == "group" and is_sequential(unit)


def plan_classes(
    roots: Sequence[Unit], taken: set[str], varied: frozenset[str] = frozenset()
) -> tuple[list[ClassPlan], dict[tuple[int, str], ClassPlan]] | None:
    """The classes of the source, members before those that use them, and that of every module call.

    The first root is the network; the others are the same one at other parameters
    (``varied``), that tell which of its constants follow from them. None where the
    others are not built alike, or differ in what no parameter explains.
    """
    planner = _Planner(taken, varied)
    planner.collect(roots[0])
    own = [(p, p.optional) for p in planner.plans]
    for root in roots[1:]:
        planner.collect(root)
    if [(p, p.optional) for p in planner.plans] != own:
        return None
    for plan in planner.plans:
        planner.solve(plan)
    network = planner.by_scope[roots[0].key]
    if any(p.name not in varied for p in network.parameters):
        return None
    return planner.plans, planner.by_scope


LARGEST_OPTIONAL = 40  # members of a block in which an optional one is looked for


def _may_lack(member: Leaf | Unit) -> bool:
    """Whether a member is one that a class can do without: a labelled module, or a residual's sum.

    Where it is missing, its last input takes the place of its output.
    """
    if not member.name.isidentifier():
        return False
    if isinstance(member, Leaf) and member.op.name == "add":
        return len(member.inputs) == 2 and member.inputs[0] != member.inputs[1]
    plain = isinstance(member, Unit) or (is_plain(member) and member.labelled)
    return plain and len(member.inputs) == 1


class _Planner:
    def __init__(self, taken: set[str], varied: frozenset[str]) -> None:
        self.taken = taken
        self.varied = varied
        self.plans: list[ClassPlan] = []
        self.by_scope: dict[tuple[int, str], ClassPlan] = {}
        self.index: dict[tuple[int, str], int] = {}
        self._known: dict[Any, ClassPlan] = {}
        self._by_path: dict[tuple[int, str], ClassPlan] = {}
        self._of_name: dict[tuple[str, str], list[ClassPlan]] = {}

    # Shapes -----------------------------------------------------------------------

    def collect(self, unit: Unit) -> None:
        """Sort a unit, and those inside it, into classes."""
        for member in unit.members:
            if isinstance(member, Unit):
                self.collect(member)
        if is_inline(unit):
            return
        shape = self._shape(unit)
        key = (unit.scope.kind, unit.scope.name, shape)
        plan = self._known.get(key) or self._nearly(unit, shape)
        if plan is None:
            name = unit.scope.name if unit.scope.kind != "network" else unit.graph.graph.get("name")
            plan = ClassPlan(
                unique(class_name(name or "network"), self.taken),
                [],
                is_sequential(unit),
                shape=shape,
                bypassed=self._bypassed(unit),
            )
            self.plans.append(plan)
            self._of_name.setdefault(key[:2], []).append(plan)
        self._known[key] = plan
        self.by_scope[unit.key] = plan
        first = self._by_path.get((unit.variant, unit.scope.path))
        if first is None:
            self._by_path[(unit.variant, unit.scope.path)] = plan
            self.index[unit.key] = len(plan.units)
            plan.units.append(unit)
        elif first is not plan:
            from archdsl.diagnostics import ArchError, Diagnostic

            message = f"the module {unit.scope.path} runs twice, and not in the same way"
            raise ArchError([Diagnostic("shared-mismatch", message, span=unit.scope.span)])

    def _nearly(self, unit: Unit, shape: Any) -> ClassPlan | None:
        """A class that the unit fits but for one member that it, or all of the class, does without."""
        for plan in self._of_name.get((unit.scope.kind, unit.scope.name), ()):
            if plan.optional is not None or plan.sequential:
                continue
            name = plan.bypassed.get(shape)
            if name is None:
                own = self._bypassed(unit)
                name = own.get(plan.shape)
                if name is None:
                    continue
                # classes stand behind those that they use: what the new member needs came later
                self.plans.remove(plan)
                self.plans.append(plan)
            plan.optional = name
            return plan
        return None

    def _bypassed(self, unit: Unit) -> dict[Any, str]:
        """The shapes of a unit without one of its members, whose input passes it by."""
        if unit.scope.kind == "network" or len(unit.members) > LARGEST_OPTIONAL:
            return {}
        found: dict[Any, str] = {}
        for position, member in enumerate(unit.members):
            if not _may_lack(member):
                continue
            gives = member.outputs if isinstance(member, Unit) else [Source(member.node)]
            later = [s for m in unit.members[position + 1 :] for s in m.inputs]
            once = [m.name for m in unit.members].count(member.name) == 1
            if len(gives) == 1 and once and member.inputs[-1] not in (*later, *unit.outputs):
                found[self._shape(unit, without=member)] = member.name
        return found

    def _shape(self, unit: Unit, without: Leaf | Unit | None = None) -> Any:
        refs: dict[Source, Any] = {s: ("in", i) for i, s in enumerate(unit.inputs)}
        rows = []
        for member in unit.members:
            if member is without:
                gives = member.outputs[0] if isinstance(member, Unit) else Source(member.node)
                refs[gives] = refs.get(member.inputs[-1])
            else:
                rows.append(self._member_shape(member, len(rows), refs))
        members = tuple(rows)
        outputs = tuple(refs.get(s) for s in unit.outputs)
        return (unit.numbered, len(unit.inputs), members, outputs)

    def _member_shape(self, member: Leaf | Unit, index: int, refs: dict[Source, Any]) -> Any:
        inputs = tuple(refs.get(s) for s in member.inputs)
        if isinstance(member, Unit):
            for i, source in enumerate(member.outputs):
                refs[source] = ("m", index, i)
            if is_inline(member):
                inner: dict[Source, Any] = {member.inputs[0]: ("in", 0)}
                shapes = tuple(
                    self._member_shape(m, i, inner) for i, m in enumerate(member.members)
                )
                return ("inline", member.name, inputs, shapes, member.scope.loop is None)
            return (
                "unit",
                member.name,
                inputs,
                id(self.by_scope[member.key]),
                len(member.outputs),
            )
        code = member.code
        for i in range(len(member.data["types"])):
            refs[Source(member.node, i)] = ("m", index, i)
        name = member.name if code.module is not None else None
        loop = refs.get(Source(member.data["loop"])) if member.data.get("loop") else None
        tie = getattr(member.op, "tie", None)
        return (
            "leaf",
            name,
            member.op.name,
            code.call,
            code.targets,
            tuple(code.after.items()),
            _construct_shape(code.module),
            tuple(code.constants),
            inputs,
            loop,
            tie.path if tie else None,
        )

    # Parameters -------------------------------------------------------------------

    def solve(self, plan: ClassPlan) -> None:
        """Find the text of every constant of a class, and so its parameters."""
        scope = _Solver(self, plan)
        unexplained = [slot for slot in self.slots(plan) if not scope.resolve(slot)]
        for slot in unexplained:
            scope.settle(slot)
        scope.finish()

    def slots(self, plan: ClassPlan) -> Iterator[Slot]:
        """The constants of a class, in the order of its members."""
        first = plan.units.index(plan.unit)
        order = [first, *(i for i in range(len(plan.units)) if i != first)]
        rows = [plan.members(plan.units[i]) for i in order]
        for slot in self._slots_of(rows, ()):
            values = [ANY] * len(order)
            for index, value in zip(order, slot.values, strict=True):
                values[index] = value
            yield replace(slot, values=values)

    def _slots_of(
        self, rows: Sequence[Sequence[Leaf | Unit | None]], prefix: SlotId
    ) -> Iterator[Slot]:
        for position, column in enumerate(zip(*rows, strict=True)):
            at = (*prefix, position)
            present = [i for i, m in enumerate(column) if m is not None]
            for slot in self._column_slots([column[i] for i in present], at):
                values = [ANY] * len(column)
                for index, value in zip(present, slot.values, strict=True):
                    values[index] = value
                yield replace(slot, values=values)

    def _column_slots(self, column: list[Leaf | Unit | None], at: SlotId) -> Iterator[Slot]:
        if isinstance(column[0], Leaf):
            yield from _leaf_slots([m for m in column if isinstance(m, Leaf)], at)
            return
        units = [m for m in column if isinstance(m, Unit)]
        if is_inline(units[0]):
            yield from self._slots_of([u.members for u in units], at)
        else:
            yield from self._unit_slots(units, at)

    def _unit_slots(self, units: list[Unit], at: SlotId) -> Iterator[Slot]:
        plan = self.by_scope[units[0].key]
        indices = [self._instance(u) for u in units]
        for parameter in plan.parameters:
            hint = units[0].scope.hints.get(parameter.name)
            if hint is None and units[0].scope.kind == "group":
                hint = ast.Name(units[0].scope.span, parameter.name)  # type: ignore[arg-type]  # a place is not needed here
            follows = units[0].inputs[parameter.follows[0]] if parameter.follows else None
            values = [parameter.values[i] for i in indices]
            yield Slot((*at, parameter.name), parameter.name, values, hint, follows)

    def _instance(self, unit: Unit) -> int:
        """Which instance of its class a unit is; one that runs again is its first run."""
        known = self.index.get(unit.key)
        if known is not None:
            return known
        plan = self.by_scope[unit.key]
        return next(
            i
            for i, u in enumerate(plan.units)
            if (u.variant, u.scope.path) == (unit.variant, unit.scope.path)
        )


def _construct_shape(call: Construct | None) -> Any:
    if call is None:
        return None
    return (
        call.callee,
        tuple(
            (
                a.name,
                a.keyword,
                _construct_shape(a.value) if isinstance(a.value, Construct) else None,
            )
            for a in call.arguments
        ),
    )


def _leaf_slots(leaves: list[Leaf], at: SlotId) -> Iterator[Slot]:
    first = leaves[0]
    hints: Mapping[str, ast.Expr] = first.data.get("hints") or {}
    written = first.op.arguments
    follows = first.inputs[0] if first.inputs else None
    calls = [leaf.code.module for leaf in leaves]
    if calls[0] is not None:
        constructs = [c for c in calls if c is not None]
        for index, row in enumerate(zip(*(c.arguments for c in constructs), strict=True)):
            yield from _argument_slots(list(row), (*at, "m", index), hints, written, follows)
    for name in first.code.constants:
        values = [leaf.code.constants[name] for leaf in leaves]
        yield Slot((*at, "c", name), name, values, hints.get(name), None, True)


def _argument_slots(
    row: list[Argument],
    at: SlotId,
    hints: Mapping[str, ast.Expr],
    written: Mapping[str, Any],
    follows: Source | None,
) -> Iterator[Slot]:
    first = row[0]
    if isinstance(first.value, Construct):
        inner = [a.value for a in row if isinstance(a.value, Construct)]
        for index, nested in enumerate(zip(*(c.arguments for c in inner), strict=True)):
            yield from _argument_slots(list(nested), (*at, index), hints, written, None)
        return
    known = first.name in written
    yield Slot(
        at,
        first.name,
        [a.value for a in row],
        hints.get(first.name),
        None if known else follows,
        known,
    )


class _Solver:
    """The parameters of one class, found slot by slot."""

    def __init__(self, planner: _Planner, plan: ClassPlan) -> None:
        self.planner = planner
        self.plan = plan
        self.texts: dict[SlotId, str] = plan.texts
        self.parameters: dict[str, Parameter] = {}
        self.is_network = plan.unit.scope.kind == "network"
        self.environments = [_arguments(u) for u in plan.units]
        self.rows = [plan.members(u) for u in plan.units]
        self.producers = self._find_producers()
        self.by_member: dict[SlotId, list[Slot]] = {}
        self.by_values: dict[Any, str] = {}
        self.sums: dict[tuple[Source, int], tuple[int, dict[str, int]]] = {}

    def _find_producers(self) -> dict[Source, tuple[str, Any]]:
        """What gives every tensor of the first instance: an input, a leaf, a unit."""
        found: dict[Source, tuple[str, Any]] = {}

        def walk(members: Sequence[Leaf | Unit], prefix: SlotId) -> None:
            for position, member in enumerate(members):
                at = (*prefix, position)
                if isinstance(member, Leaf):
                    for i in range(len(member.data["types"])):
                        found[Source(member.node, i)] = ("leaf", (member, at))
                else:
                    for source in member.outputs:
                        found[source] = ("unit", (member, at))
                    if is_inline(member):
                        walk(member.members, at)

        walk(self.plan.unit.members, ())
        for i, source in enumerate(self.plan.unit.inputs):
            found[source] = ("input", i)
        return found

    def resolve(self, slot: Slot) -> bool:
        """Find the text of a slot by the first way that explains its value everywhere."""
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
        names = set() if slot.hint is None else expression_names(slot.hint)
        if slot.hint is None or not names:
            return None
        if self.is_network and not names <= self.planner.varied:
            return None
        arriving = {n: self._arriving(n) for n in names if n.startswith("it.")}
        if None in arriving.values():
            return None
        for index, value in enumerate(slot.values):
            if value is ANY:
                continue
            environment = {**self.environments[index]}
            environment.update({n: sizes[index] for n, sizes in arriving.items() if sizes})
            if not all(_is_scalar(environment.get(n, slot)) for n in names):
                return None
            if not same(_evaluate(slot.hint, environment), value):
                return None
        rename: dict[str, str] = {}
        for name in names:
            if name in arriving:
                text = self._input_parameter(0, _WHICH[name], arriving[name] or [])
                if text is None:
                    return None
                rename[name] = text
            else:
                self._block_parameter(name)
        try:
            return expression(slot.hint, rename)
        except ValueError:
            return None

    def _arriving(self, name: str) -> list[Any] | None:
        """``it.channels`` or ``it.features`` in every instance, taken as the sizes of its input."""
        inputs = self.plan.unit.inputs
        return self._size(inputs[0], _WHICH[name]) if inputs else None

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
        """A size of a tensor in every instance of the class."""
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
        return None

    def _own_size(self, at: SlotId, size: list[Any]) -> str | None:
        """The text of an argument that sets the size that comes out."""
        for slot in self.by_member.get(at, ()):
            if (
                slot.follows is None
                and agree(slot.values, size)
                and not slot.name.startswith("in_")
            ):
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
        parts.extend(f"{n} * {_grouped(t)}" if n > 1 else _grouped_sum(t) for t, n in terms.items())
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
                attribute = attributes.get(text) or unique(slot.name, taken)
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


def _vector(values: Sequence[Any]) -> Any:
    """The values as a key that tells 1 from 1.0 and True."""
    return tuple((type(v).__name__, repr(v)) for v in values)


def _joins(member: Leaf, which: int) -> bool:
    """Whether a concatenation is along the channels (0) or the features (-1)."""
    axis, rank = getattr(member.op, "axis", 1), member.data["types"][0].rank
    return (axis - 1 if axis > 0 else axis + rank) == which % rank


def _grouped(text: str) -> str:
    return (
        f"({text})"
        if any(op in text for op in (" + ", " - ", " if ", " // ", " / ", " % "))
        else text
    )


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


def expression_names(expr: ast.Expr) -> set[str]:
    """The names in a closed expression."""
    names: set[str] = set()
    _walk_names(expr, names.add)
    return names


def _walk_names(expr: ast.Expr, found: Callable[[str], None]) -> None:
    match expr:
        case ast.Name(id=name):
            found(name)
        case ast.Unary(operand=operand):
            _walk_names(operand, found)
        case ast.Binary(left=left, right=right):
            _walk_names(left, found)
            _walk_names(right, found)
        case ast.Conditional(condition=condition, then=then, otherwise=otherwise):
            for part in (condition, then, otherwise):
                _walk_names(part, found)
        case ast.Compare(first=first, rest=rest):
            _walk_names(first, found)
            for _, other in rest:
                _walk_names(other, found)
        case ast.TupleExpr(items=items) | ast.ListExpr(items=items):
            for item in items:
                _walk_names(item, found)
        case _:
            pass
