"""``forward``: a line for every call, names for the tensors, each let go after its last use."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import compress
from typing import Any

from archdsl.backends.torch_source.loops import PythonLoop, Row, TracedLoop
from archdsl.backends.torch_source.names import unique, variable
from archdsl.backends.torch_source.plan import ClassPlan, is_plain
from archdsl.backends.torch_source.rolling import Line, roll_lines
from archdsl.backends.torch_source.steps import Result, identity_of, steps_of, training_only
from archdsl.backends.torch_source.templates import fill
from archdsl.backends.torch_source.tree import Leaf, Unit
from archdsl.dims import show_shape
from archdsl.graph import Graph, Source, type_of

LONGEST_CHAIN = 4
LONGEST_CALL = 64
GENERIC = ("x", "out", "y", "z")
AT_THE_END = 2  # steps that are left, where a name decides what is held meanwhile


class Forward:
    """The body of one class's ``forward``, written member by member."""

    def __init__(
        self,
        graph: Graph,
        plan: ClassPlan,
        constants: Any,
        result: Result | None,
        *,
        traced: bool = False,
    ) -> None:
        self.graph = graph
        self.plan = plan
        self.unit = plan.unit
        self.constants = constants
        self.result = result
        self.traced = traced
        self.lines: list[Line] = []
        self.depth = 0
        self.vars: dict[Source, str] = {}
        self.holder: dict[str, Source] = {}
        self.uses: dict[Source, int] = {}
        self.pending: dict[Source, tuple[str, int]] = {}
        self.parameters: list[str] = []
        self.last_shape = ""
        self.shows_shapes = sum(not unit.variant for unit in plan.units) == 1
        self.pinned: set[str] = set()
        self.states: dict[Source, str] = {}
        """Tensors that a scan starts from, and what it calls them."""
        self.unread: set[Source] = set()
        """Carried states that nothing reads."""
        self.paths: set[Source] = set()
        """Tensors that meet two or more others in one merge."""
        self.passed_by: set[Source] = set()
        """What an optional member made of an input, that is the input where it is not there."""

    # Entry ------------------------------------------------------------------------

    def write(self) -> list[Line]:
        """The lines of the body."""
        self._count_uses()
        self._name_inputs()
        members = list(self.unit.members)
        training = training_only(members, self.result)
        steps = steps_of(self.graph, members, self.unit.scope.loop)
        self._steps([s for s in steps if identity_of(s) not in training])
        if self.result and self.result.training:
            self._line("if self.training:")
            self.depth = 1
            self._steps([s for s in steps if identity_of(s) in training])
            self._line(f"return {self._named(self.result.training_type, training=True)}")
            self.depth = 0
        self.lines = roll_lines(_without_idle_deletes(self.lines))
        self._return()
        return self.lines

    def _count_uses(self) -> None:
        for source in self.unit.outputs:
            self.uses[source] = self.uses.get(source, 0) + 1
        leaves = [m for m in self.unit.members if isinstance(m, Leaf)]
        ends = {m.data["args"].get("begin"): m.node for m in leaves if _is(m, "scan end")}
        for member in reversed(self.unit.members):
            if isinstance(member, Leaf) and _is(member, "scan"):
                self._count_states(member, ends[member.node])
            for source in self._reads(member):
                self.uses[source] = self.uses.get(source, 0) + 1
            if len(set(member.inputs)) >= 3:
                self.paths.update(member.inputs)

    def _count_states(self, begin: Leaf, end: str) -> None:
        """Which carried states are read at all, and what they start from is to be called."""
        names = begin.data.get("names") or ()
        for index, source in enumerate(begin.inputs[1:], start=1):
            if self.uses.get(Source(begin.node, index)) or self.uses.get(Source(end, index)):
                if index < len(names):
                    self.states[source] = names[index]
            else:
                self.unread.add(Source(begin.node, index))

    def _reads(self, member: Leaf | Unit) -> list[Source]:
        """What a member reads: the ends of a scan know states that they do not read."""
        if isinstance(member, Leaf) and _is(member, "scan"):
            states = [
                s
                for i, s in enumerate(member.inputs[1:], start=1)
                if Source(member.node, i) not in self.unread
            ]
            return [member.inputs[0], *states]
        if isinstance(member, Leaf) and _is(member, "scan end"):
            carried = member.data["args"].get("carried", 0)
            begin = member.data["args"]["begin"]
            after = [
                s
                for i, s in enumerate(member.inputs[2 + carried :], start=1)
                if Source(begin, i) not in self.unread
            ]
            return [member.inputs[0], member.inputs[1 + carried], *after]
        return member.inputs

    def _name_inputs(self) -> None:
        for index, source in enumerate(self.unit.inputs):
            if self.unit.scope.kind == "network":
                name = variable(source.node)
            elif source in self.unit.input_names:
                name = variable(self.unit.input_names[source])
            elif index == 0:
                name = "x"
            else:
                names = self.graph.nodes[source.node].get("names") or ()
                given = names[source.output] if source.output < len(names) else ""
                name = variable(given) if given else f"x{index + 1}"
            name = unique(name, set(self.holder))
            self.vars[source] = name
            self.holder[name] = source
            self.parameters.append(name)

    # Steps ------------------------------------------------------------------------

    def _steps(self, steps: Sequence[Any], *, in_loop: bool = False) -> None:
        for index, step in enumerate(steps):
            later = len(steps) - index - 1
            following = steps[index + 1] if later else None
            self._step(step, following, 0 if in_loop else later)

    def _step(self, step: Any, following: Any, later: int) -> None:
        if isinstance(step, tuple):
            assert not self.pending, "a loop reads no call that is to stand inside the next"
            self._loop(*step)
            return
        assert self.pending.keys() <= set(step.inputs), "the next call reads what is to stand in it"
        idle = not any(self.uses.get(s) for s in self._outputs(step))
        if idle and isinstance(step, Leaf) and step.is_function:
            self._release(step.inputs)
            return
        if isinstance(step, Leaf) and step.code.call == "{self}" and not step.data.get("names"):
            self.vars[Source(step.node)] = self._module(step)
            return
        arguments = [self._read(s) for s in step.inputs]
        if step.name == self.plan.optional:
            self._optional(step, arguments)
            return
        depth = max((self.pending.pop(s, ("", 0))[1] for s in step.inputs), default=0)
        text = self._call(step, arguments)
        outputs = self._outputs(step)
        if len(text) <= LONGEST_CALL and self._chains(step, following, outputs, depth):
            self.pending[outputs[0]] = (text, depth + 1)
            self.vars[outputs[0]] = text
            self._release(step.inputs)
            return
        dead = self._release(step.inputs)
        if isinstance(step, Leaf) and self._adds_into(step, arguments, dead, later):
            return
        given_up = dead if later <= AT_THE_END and self._is_held(step.inputs) else ()
        names = [self._assign(s, step, given_up) if self.uses.get(s) else "_" for s in outputs]
        targets = names[0]
        if isinstance(step, Leaf):
            targets = fill(step.code.targets, names)
            if len(names) > 1 and "(" in step.code.targets and all(n == "_" for n in names[1:]):
                targets = f"{names[0]}, _"
        elif len(names) > 1:
            targets = ", ".join(names)
        if targets != text:
            self._line(f"{targets} = {text}", outputs[0])
        if isinstance(step, Leaf):
            for index, after in step.code.after.items():
                if index < len(names) and names[index] != "_":
                    self._line(f"{names[index]} = {fill(after, [names[index]])}")
        self._delete(dead, names, later)

    def _adds_into(self, step: Leaf, arguments: list[str], dead: list[str], later: int) -> bool:
        """Write a sum as ``out += x`` where it may, and the variable needs no other name."""
        output = Source(step.node)
        places = [i for i in self._overwrites(step) if arguments[i] in dead]
        if len(arguments) != 2 or not places or self._preferred(output, step) is not None:
            return False
        place = max(places)  # the second operand: what the block itself has made
        name = arguments[place]
        self.vars[output] = name
        self.holder[name] = output
        self._line(f"{name} += {arguments[1 - place]}", output)
        self._delete(dead, [name], later)
        return True

    def _overwrites(self, step: Leaf) -> set[int]:
        """The inputs that it may compute in, in every instance of the class."""
        found = set(step.overwrites)
        for members in map(self.plan.members, self.plan.units) if found else ():
            row = zip(self.unit.members, members, strict=True)
            other = next((there for own, there in row if own is step), None)
            found &= set(other.overwrites) if isinstance(other, Leaf) else set()
        return found

    def _optional(self, step: Leaf | Unit, arguments: list[str]) -> None:
        """A member that some instances do without: its last input passes it by there."""
        name = arguments[-1]
        self._release(step.inputs)
        (output,) = self._outputs(step)
        if step.inputs[-1] in self.unit.inputs:
            self.passed_by.add(output)
        self.vars[output] = name
        self.holder[name] = output
        is_function = isinstance(step, Leaf) and step.is_function
        test = f"self.{self.plan.switch}" if is_function else f"{self._module(step)} is not None"
        self.lines.append(Line(f"if {test}:", self.depth))
        self.lines.append(Line(f"{name} = {self._call(step, arguments)}", self.depth + 1))

    def _call(self, step: Leaf | Unit, arguments: list[str]) -> str:
        if isinstance(step, Unit):
            return f"{self._module(step)}({', '.join(arguments)})"
        values = self.constants(step)
        return fill(step.code.call, arguments, self._module(step), values)

    def _module(self, step: Leaf | Unit) -> str:
        return f'self["{step.name}"]' if step.name[:1].isdigit() else f"self.{step.name}"

    def _outputs(self, step: Leaf | Unit) -> list[Source]:
        if isinstance(step, Unit):
            return step.outputs
        return [Source(step.node, i) for i in range(len(step.data["types"]))]

    def _chains(self, step: Leaf | Unit, following: Any, outputs: list[Source], depth: int) -> bool:
        """Whether the call is written inside the next one: a pipeline of one line, a sum's part."""
        if not isinstance(following, Leaf) or len(outputs) != 1 or self.uses[outputs[0]] != 1:
            return False
        if depth + 1 >= LONGEST_CHAIN or following.name == self.plan.optional:
            return False
        if any(self.graph.nodes[outputs[0].node].get("names") or ()) and self._named_here(
            outputs[0]
        ):
            return False
        plain = isinstance(step, Unit) or is_plain(step)
        if plain and _merges_two(following) and outputs[0] in following.inputs:
            return True
        if not isinstance(step, Leaf) or not (plain and _nests(following)):
            return False
        if following.inputs != [outputs[0]]:
            return False
        one, two = step.data.get("span"), following.data.get("span")
        return one is None or two is None or (one.source == two.source and one.line == two.line)

    def _named_here(self, source: Source) -> bool:
        """Whether the specification names a tensor in this very scope."""
        data = self.graph.nodes[source.node]
        return bool(data.get("named_in", self.unit.scope.id) == self.unit.scope.id)

    def _read(self, source: Source) -> str:
        return self.vars[source]

    def _release(self, sources: Sequence[Source]) -> list[str]:
        """Count the uses of a step; the variables that are dead from here on."""
        dead: list[str] = []
        for source in sources:
            self.uses[source] -= 1
            if self.uses[source] == 0:
                name = self.vars[source]
                if self.holder.get(name) == source and name not in self.pinned:
                    del self.holder[name]
                    dead.append(name)
        return dead

    def _is_held(self, sources: Sequence[Source]) -> bool:
        """Whether one of some tensors came in, so that who called may hold it on."""
        return any(s in self.unit.inputs or s in self.passed_by for s in sources)

    def _assign(self, source: Source, step: Leaf | Unit, given_up: Sequence[str] = ()) -> str:
        """A variable for a new tensor: its name, or a generic one that is free.

        Of those that are given up rather one that is no parameter: that tensor is let go.
        """
        name = self._preferred(source, step)
        if name is None:
            free = [g for g in GENERIC if g not in self.holder]
            ours = [g for g in free if g in given_up and g not in self.parameters]
            name = next(iter(ours if len(set(given_up)) > 1 and ours else free), None)
        if name is None:
            name = unique("x", set(self.holder))
        elif name in self.holder:
            name = unique(name, set(self.holder))
        self.vars[source] = name
        self.holder[name] = source
        return name

    def _preferred(self, source: Source, step: Leaf | Unit) -> str | None:
        """The name that the specification gives a tensor; a branch's path goes by its label."""
        data = self.graph.nodes[source.node]
        names = data.get("names") or ()
        if self._named_here(source) and source.output < len(names) and names[source.output]:
            return variable(names[source.output])
        if self.states.get(source) and self.uses.get(source) == 1:
            return variable(self.states[source])
        labelled = step.labelled if isinstance(step, Leaf) else step.name.isidentifier()
        if labelled and step.name.isidentifier() and source in self.paths and "x" in self.holder:
            return variable(step.name)
        return None

    def _delete(self, dead: list[str], assigned: list[str], later: int) -> None:
        """Let go of what is not used again, where the function goes on for long enough."""
        gone = [
            n for n in dead if n not in assigned and n not in self.parameters and n.isidentifier()
        ]
        if gone and later >= 2 and not self.depth:
            self._line(f"del {', '.join(dict.fromkeys(gone))}")

    def _line(self, text: str, source: Source | None = None) -> None:
        comment = ""
        if source is not None and self.shows_shapes and source in self.vars:
            shape = show_shape(type_of(self.graph, source).dims)
            if shape != self.last_shape:
                comment = self.last_shape = shape
        self.lines.append(Line(text, self.depth, comment))

    # Loops ------------------------------------------------------------------------

    def _loop(self, begin: Leaf, body: list[Any], end: Leaf) -> None:
        """A scan: the carried states are in variables of their own."""
        carried = len(begin.data["types"]) - 1
        sequence = self._read(begin.inputs[0])
        read = [Source(begin.node, i + 1) not in self.unread for i in range(carried)]
        initial = [
            self._read(s) if known else "" for s, known in zip(begin.inputs[1:], read, strict=True)
        ]
        self._release(self._reads(begin))
        states = self._state_names(begin, initial, {*self.holder, sequence})
        for index, state in enumerate(states):
            self.vars[Source(begin.node, index + 1)] = state
            if read[index]:
                self.holder[state] = Source(begin.node, index + 1)
        keep_sequence = sequence not in self.holder
        if keep_sequence:
            self.holder[sequence] = begin.inputs[0]
        results = unique("outputs", set(self.holder))
        self.holder[results] = Source(end.node, -1)
        step = unique("step", set(self.holder))
        known = list(compress(states, read)), list(compress(initial, read))
        loop = PythonLoop(sequence, step, results, *known)
        if self.traced:
            function = unique("each_step", set(self.holder))
            loop = TracedLoop(sequence, step, results, *known, function)
        self._rows(loop.begin())
        self.vars[Source(begin.node)] = step
        self.holder[step] = Source(begin.node)
        pinned = self.pinned
        self.pinned = {*pinned, *(v for v in self.holder if v not in states and v != step)}
        self.depth += 1
        self._steps(body, in_loop=True)
        self.depth -= 1
        self.pinned = pinned
        after = compress(end.inputs[2 + carried :], read)
        self._rows(loop.end(self._read(end.inputs[1 + carried]), [self._read(s) for s in after]))
        self._release(self._reads(end)[1:])
        self.uses[end.inputs[0]] -= 1
        for name in [n for n in (results, step) if n in self.holder]:
            del self.holder[name]
        if keep_sequence and self.holder.get(sequence) == begin.inputs[0]:
            del self.holder[sequence]
        self._finish_loop(end, states, loop.stacked())

    @staticmethod
    def _state_names(begin: Leaf, initial: Sequence[str], taken: set[str]) -> list[str]:
        """A variable for each state: its name; where it starts from one of that name, that one."""
        given = [*(begin.data.get("names") or ())[1:], *[""] * len(initial)]
        states: list[str] = []
        for name, start in zip(given, initial, strict=False):
            wanted = variable(name) if name else "state"
            states.append(unique(wanted, (taken - {start}) | set(states)))
        return states

    def _rows(self, rows: Sequence[Row]) -> None:
        self.lines += [Line(row.text, self.depth + row.inside) for row in rows]

    def _finish_loop(self, end: Leaf, states: list[str], stacked: str) -> None:
        for index, state in enumerate(states):
            source = Source(end.node, index + 1)
            self.vars[source] = state
            if self.uses.get(source):
                self.holder[state] = source
            elif self.holder.get(state) is not None:
                del self.holder[state]
        source = Source(end.node)
        if self.uses.get(source):
            name = self._assign(source, end)
            self._line(f"{name} = {stacked}", source)

    # Return -----------------------------------------------------------------------

    def _return(self) -> None:
        if self.result is None:
            text = ", ".join(self._read(s) for s in self.unit.outputs)
            self._close(f"return {text}", text)
            return
        text = self._named(self.result.type_name, training=False)
        self._close(f"return {text}", text)

    def _named(self, type_name: str, *, training: bool) -> str:
        """The network's outputs as one value: a tensor alone, or a named tuple of several."""
        assert self.result is not None
        rows = [*self.result.always, *(self.result.training if training else ())]
        values = [self._read(source) for _, source in rows]
        return f"{type_name}({', '.join(values)})" if len(values) > 1 else values[0]

    def _close(self, line: str, value: str) -> None:
        """Return the last assignment's value at once where it was only made to be returned."""
        last = self.lines[-1] if self.lines else None
        if (
            last
            and last.depth == 0
            and last.text.startswith(f"{value} = ")
            and value.isidentifier()
        ):
            self.lines[-1] = Line(f"return {last.text[len(value) + 3 :]}", 0, last.comment)
            return
        self.lines.append(Line(line))


def _without_idle_deletes(lines: list[Line]) -> list[Line]:
    """Drop the deletion of a variable that one of the next two lines assigns anew."""
    result: list[Line] = []
    for index, line in enumerate(lines):
        if line.text.startswith("del "):
            soon = {
                target.strip(" ()")
                for later in lines[index + 1 : index + 3]
                for target in later.text.partition(" = ")[0].split(",")
                if later.depth == line.depth and " = " in later.text
            }
            left = [n for n in line.text[4:].split(", ") if n not in soon]
            if not left:
                continue
            result.append(Line(f"del {', '.join(left)}", line.depth))
            continue
        result.append(line)
    return result


def _merges_two(step: Leaf) -> bool:
    """Whether it is a sum, product or concatenation of two tensors, each read once."""
    call = step.code.call
    once = call.count("{0}") == 1 and call.count("{1}") == 1
    return step.is_function and once and len(step.inputs) == 2 and step.inputs[0] != step.inputs[1]


def _nests(step: Leaf) -> bool:
    """Whether its call reads its one input once, so that an expression can stand there."""
    code = step.code
    return code.call.count("{0}") == 1 and code.targets == "{0}" and not code.after


def _is(member: Leaf | Unit, name: str) -> bool:
    return isinstance(member, Leaf) and member.op.name == name
