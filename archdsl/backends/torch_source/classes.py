"""Classes: module calls of the same structure share one, with what differs as parameters.

Every module call of the tree has a *shape*: its members, their constructors and wiring,
without constants. Calls of one shape become one class, and so do calls that differ by
one member that some do without.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from archdsl.backends.torch_source.constants import ConstantSolver
from archdsl.backends.torch_source.names import class_name, unique
from archdsl.backends.torch_source.plan import (
    ANY,
    ClassPlan,
    Slot,
    SlotId,
    is_inline,
    is_plain,
    is_sequential,
)
from archdsl.backends.torch_source.tree import Leaf, Unit
from archdsl.diagnostics import ArchError, Diagnostic
from archdsl.graph import Source
from archdsl.ops.torch_text import Argument, Construct
from archdsl.syntax import ast


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
    planner.order()
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
            message = f"the module {unit.scope.path} runs twice, and not in the same way"
            raise ArchError([Diagnostic("shared-mismatch", message, span=unit.scope.span)])

    def _nearly(self, unit: Unit, shape: Any) -> ClassPlan | None:
        """A class that the unit fits but for one member that one of the two does without."""
        known = self._of_name.get((unit.scope.kind, unit.scope.name), ())
        inside = list(self._used(unit)) if known else []
        for plan in known:
            if plan.optional is not None or plan.sequential or plan in inside:
                continue
            name = plan.bypassed.get(shape)
            if name is None:
                own = self._bypassed(unit)
                name = own.get(plan.shape)
                if name is None:
                    continue
            plan.optional = name
            return plan
        return None

    def _used(self, unit: Unit) -> Iterator[ClassPlan]:
        """The classes of the module calls inside a unit, at any depth."""
        for member in unit.members:
            if isinstance(member, Unit):
                if not is_inline(member):
                    yield self.by_scope[member.key]
                yield from self._used(member)

    def order(self) -> None:
        """Put every class behind those that it uses."""
        done: dict[int, ClassPlan] = {}
        for plan in self.plans:
            self._put_behind(plan, done)
        self.plans = list(done.values())

    def _put_behind(self, plan: ClassPlan, done: dict[int, ClassPlan]) -> None:
        """Put a class behind those that it uses, unless it stands there already."""
        if id(plan) in done:
            return
        for unit in plan.units:
            for used in self._used_directly(unit):
                self._put_behind(used, done)
        done[id(plan)] = plan

    def _used_directly(self, unit: Unit) -> Iterator[ClassPlan]:
        for member in unit.members:
            if isinstance(member, Unit):
                if is_inline(member):
                    yield from self._used_directly(member)
                else:
                    yield self.by_scope[member.key]

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
        rows: list[Any] = []
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
        begin = refs.get(Source(member.data["loop"])) if member.data.get("loop") else None
        loop = begin if begin and begin[0] == "m" else None
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
        scope = ConstantSolver(plan, self.varied)
        unexplained = [slot for slot in self.slots(plan) if not scope.resolve(slot)]
        for slot in unexplained:
            scope.settle(slot)
        scope.finish()

    def slots(self, plan: ClassPlan) -> Iterator[Slot]:
        """The constants of a class, in the order of its members."""
        first = plan.units.index(plan.unit)
        if first == 0:
            yield from self._slots_of([plan.members(u) for u in plan.units], ())
            return
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
                if len(present) == len(column):
                    yield slot
                    continue
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
        written = _distinct([u.scope.hints for u in units])
        for parameter in plan.parameters:
            hints = written.get(parameter.name, ())
            if not hints and units[0].scope.kind == "group":
                # a group stands in its block: what the block calls it, it calls it too
                hints = (ast.Name(units[0].scope.span, parameter.name),)  # type: ignore[arg-type]  # a place is not needed here
            follows = units[0].inputs[parameter.follows[0]] if parameter.follows else None
            values = [parameter.values[i] for i in indices]
            arrives = units[0].inputs[0] if units[0].inputs else None
            at_slot = (*at, parameter.name)
            yield Slot(at_slot, parameter.name, values, hints, follows, False, arrives)

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


def _distinct(rows: Sequence[Mapping[str, ast.Expr]]) -> dict[str, tuple[ast.Expr, ...]]:
    """The expressions that arguments were written as in any of several instances."""
    found: dict[str, tuple[ast.Expr, ...]] = {}
    for row in rows:
        for name, expr in row.items():
            known = found.get(name, ())
            if not any(expr is other or expr == other for other in known):
                found[name] = (*known, expr)
    return found


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
    hints = _distinct([leaf.data.get("hints") or {} for leaf in leaves])
    written = first.op.arguments
    follows = first.inputs[0] if first.inputs else None
    calls = [leaf.code.module for leaf in leaves]
    if calls[0] is not None:
        constructs = [c for c in calls if c is not None]
        for index, row in enumerate(zip(*(c.arguments for c in constructs), strict=True)):
            yield from _argument_slots(
                list(row), (*at, "m", index), hints, written, follows, follows
            )
    for name in first.code.constants:
        values = [leaf.code.constants[name] for leaf in leaves]
        yield Slot((*at, "c", name), name, values, hints.get(name, ()), None, True, follows)


def _argument_slots(
    row: list[Argument],
    at: SlotId,
    hints: Mapping[str, tuple[ast.Expr, ...]],
    written: Mapping[str, Any],
    follows: Source | None,
    arrives: Source | None,
) -> Iterator[Slot]:
    first = row[0]
    if isinstance(first.value, Construct):
        inner = [a.value for a in row if isinstance(a.value, Construct)]
        for index, nested in enumerate(zip(*(c.arguments for c in inner), strict=True)):
            yield from _argument_slots(list(nested), (*at, index), hints, written, None, arrives)
        return
    known = first.name in written
    yield Slot(
        at,
        first.name,
        [a.value for a in row],
        hints.get(first.name, ()),
        None if known else follows,
        known,
        arrives,
    )
