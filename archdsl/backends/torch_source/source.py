"""The source file: imports, helper classes, a class for every block, the network last."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from archdsl.backends.torch_source.classes import plan_classes
from archdsl.backends.torch_source.forward import Forward
from archdsl.backends.torch_source.layout import EXPLODE, lay_out
from archdsl.backends.torch_source.names import (
    TAKEN,
    class_name,
    field_name,
    python,
    unique,
    variable,
)
from archdsl.backends.torch_source.plan import (
    ClassPlan,
    Parameter,
    SlotId,
    annotation,
    is_inline,
)
from archdsl.backends.torch_source.rolling import roll_members
from archdsl.backends.torch_source.steps import Result
from archdsl.backends.torch_source.tree import Leaf, Unit, build_tree
from archdsl.backends.torch_source.variants import comparable_roots
from archdsl.collector import collection_paused
from archdsl.graph import Graph, outputs
from archdsl.ops.torch_text import Argument, Construct


@dataclass(frozen=True)
class Generated:
    """A source file: its text, and the name of the network's class in it."""

    text: str
    class_name: str


def generate(graph: Graph, *, inplace: bool = False, traced: bool = False) -> Generated:
    """The PyTorch source of a checked graph, that needs torch alone.

    With ``inplace``, activations write over what nobody else reads. ``traced`` is for exporters:
    a scan is an operator of torch then, where a loop in Python would be followed step by step.
    """
    with collection_paused():
        return _Writer(graph, inplace=inplace, traced=traced).write()


class _Writer:
    def __init__(self, graph: Graph, *, inplace: bool, traced: bool) -> None:
        self.graph = graph
        self.traced = traced
        self.root = build_tree(graph, inplace=inplace)
        self.helpers: dict[str, str] = {}
        self.imports: set[str] = set()
        self.taken: set[str] = set(TAKEN)
        for leaf in self.root.leaves():
            self.helpers.update(leaf.code.helpers)
            self.imports.update(leaf.code.imports)
        self.taken.update(self.helpers)
        self.wrappers: dict[Any, str] = {}
        roots, varied = comparable_roots(graph, self.root, inplace=inplace)
        planned = plan_classes(roots, self.taken, varied)
        assert planned is not None, "what was compared once compares again"
        self.plans, self.by_scope = planned
        self.result = self._result()

    def _result(self) -> Result:
        result = Result()
        for node, source in zip(outputs(self.graph), self.root.outputs, strict=True):
            data = self.graph.nodes[node]
            name = (data.get("names") or (node,))[0] or node
            rows = result.training if (data.get("args") or {}).get("training") else result.always
            rows.append((field_name(name), source))
        base = self.plans[-1].name
        if len(result.always) > 1:
            result.type_name = unique(f"{base}Output", self.taken)
        if result.training:
            name = f"{base}TrainingOutput" if result.type_name else f"{base}Output"
            result.training_type = unique(name, self.taken)
        return result

    # The file ---------------------------------------------------------------------

    def write(self) -> Generated:
        classes = [self._class(plan) for plan in self.plans]
        parts = [*self.helpers.values(), *self._wrapper_texts()]
        always, training = self.result.always, self.result.training
        if self.result.type_name:
            what = "What the network gives."
            parts.append(_result_type(self.result.type_name, what, always))
        if self.result.training_type:
            what = "What the network gives in training."
            parts.append(_result_type(self.result.training_type, what, [*always, *training]))
        body = "\n\n\n".join(part.strip("\n") for part in [*parts, *classes])
        head = f'"""{self._title()}"""\n\n{self._imports(body)}'
        return Generated(f"{head}\n\n\n{body}\n", self.plans[-1].name)

    def _title(self) -> str:
        name = self.graph.graph.get("name") or "network"
        span = self.graph.graph.get("span")
        origin = PurePath(span.source.name).name if span else ""
        if not origin.endswith(".arch") or len(name + origin) > 55:
            return f"{name}, written by archdsl."
        return _docstring_text(f"{name}, written by archdsl from {origin}.")

    def _imports(self, body: str) -> str:
        standard = sorted(
            i for i in self.imports if not i.startswith(("import torch", "from torch"))
        )
        if "OrderedDict(" in body:
            standard.append("from collections import OrderedDict")
        if "(NamedTuple)" in body:
            standard.append("from typing import NamedTuple")
        if _reads("math", body) and "import math" not in standard:
            standard.append("import math")
        lines = []
        if _reads("torch", body):
            lines.append("import torch")
        if _reads("F", body):
            lines.append("import torch.nn.functional as F")
        names = ["Tensor, nn"] if "Tensor" in body else ["nn"]
        lines.append(f"from torch import {names[0]}")
        groups = []
        if standard:
            plain = sorted({s for s in standard if s.startswith("import ")})
            others = sorted({s for s in standard if not s.startswith("import ")})
            groups.append("\n".join([*plain, *others]))
        groups.append("\n".join(lines))
        return "\n\n".join(groups)

    # Classes ----------------------------------------------------------------------

    def _class(self, plan: ClassPlan) -> str:
        unit = plan.unit
        keyed = self._is_keyed(plan)
        base = "nn.Sequential" if plan.sequential else "nn.ModuleDict" if keyed else "nn.Module"
        lines = [f"class {plan.name}({base}):"]
        doc = _docstring(unit, self.graph)
        if doc:
            lines.extend(doc)
            lines.append("")
        constructor = self._constructor(plan)
        lines.extend(constructor)
        if not plan.sequential:
            if constructor:
                lines.append("")
            lines.extend(self._forward(plan))
        return "\n".join(lines)

    def _is_keyed(self, plan: ClassPlan) -> bool:
        return not plan.sequential and any(
            m.name[:1].isdigit()
            for m in plan.unit.members
            if isinstance(m, Unit) or m.code.module is not None
        )

    def _constructor(self, plan: ClassPlan) -> list[str]:
        members = [(i, m) for i, m in enumerate(plan.unit.members) if _has_module(m)]
        lines = lay_out(f"def __init__({self._signature(plan.parameters)}) -> None:", 4)
        local = [
            row for name, text in plan.locals.items() for row in lay_out(f"{name} = {text}", 8)
        ]
        if plan.sequential:
            lines.extend(local)
            entries = self._sequence(plan, plan.unit.members, ())
            lines.extend(lay_out(f"super().__init__({entries})", 8))
            return [*lines, *self._ties(plan)]
        lines.extend(["        super().__init__()", *local])
        lines.extend(self._member_lines(plan, members))
        if any(m.name == plan.optional and not _has_module(m) for m in plan.unit.members):
            lines.append(f"        self.{plan.switch} = {plan.switch}")
        kept = {attribute: plan.texts[identifier] for identifier, attribute in plan.kept.items()}
        for attribute, text in kept.items():
            lines.extend(lay_out(f"self.{attribute} = {text}", 8))
        lines.extend(self._ties(plan))
        if not members and not plan.parameters:
            return []
        return lines

    def _member_lines(
        self, plan: ClassPlan, members: Sequence[tuple[int, Leaf | Unit]]
    ) -> list[str]:
        """``self.name = …`` for every module, those that count on in a loop."""
        texts: dict[str, str] = {}
        for index, member in members:
            if member.name not in texts:
                texts[member.name] = self._construct(plan, member, (index,))
        lines: list[str] = []
        for name, call, count in roll_members(list(texts.items())):
            if count > 1:
                lines.append(f"        for i in range({count}):")
                lines.extend(lay_out(f'self.add_module(f"{name}", {call})', 12))
                continue
            target = f'self["{name}"]' if name[:1].isdigit() else f"self.{name}"
            if name == plan.optional:
                lines.append(f"        {target}: nn.Module | None = None")
                lines.append(f"        if {plan.switch}:")
                lines.extend(lay_out(f"{target} = {call}", 12))
            else:
                lines.extend(lay_out(f"{target} = {call}", 8))
        return lines

    def _signature(self, parameters: Sequence[Parameter]) -> str:
        parts = ["self"]
        for parameter in parameters:
            text = f"{variable(parameter.name)}: {parameter.annotation}"
            if parameter.has_default:
                text += f" = {python(parameter.default)}"
            parts.append(text)
        return ", ".join(parts)

    def _ties(self, plan: ClassPlan) -> list[str]:
        """Weights that two layers share, set in the class that has both of them inside."""
        lines = []
        prefix = plan.unit.scope.path
        for leaf in plan.unit.leaves():
            tie = getattr(leaf.op, "tie", None)
            path = leaf.data.get("path") or leaf.node
            if tie is None or not _inside(tie.path, prefix) or not _inside(path, prefix):
                continue
            own, other = (_relative(p, prefix).split(".") for p in (path, tie.path))
            if self._meet_further_in(plan.unit, own, other):
                continue
            left, right = (self._access(plan.unit, parts) for parts in (own, other))
            lines.append(f"        {left}.weight = {right}.{tie.name}")
        return list(dict.fromkeys(lines))

    def _meet_further_in(self, unit: Unit, own: list[str], other: list[str]) -> bool:
        """Whether a class inside this one has both modules, so that it ties them."""
        for one, two in zip(own[:-1], other[:-1], strict=False):
            member = next((m for m in unit.members if m.name == one), None)
            if one != two or not isinstance(member, Unit):
                return False
            if not is_inline(member):
                return True
            unit = member
        return False

    def _access(self, unit: Unit, parts: list[str]) -> str:
        """``self.encoder[0].embed`` for a path inside a module call."""
        text = "self"
        current: Leaf | Unit | None = unit
        for part in parts:
            keyed = (
                isinstance(current, Unit)
                and not is_inline(current)
                and self._is_keyed(self.by_scope[current.key])
            )
            if part.isdigit():
                text += f'["{part}"]' if keyed else f"[{part}]"
            else:
                text += f".{part}"
            inside = current.members if isinstance(current, Unit) else []
            current = next((m for m in inside if m.name == part), None)
        return text

    def _construct(self, plan: ClassPlan, member: Leaf | Unit, at: SlotId) -> str:
        if isinstance(member, Unit):
            if is_inline(member):
                entries = self._sequence(plan, member.members, at)
                return f"nn.Sequential({entries})"
            child = self.by_scope[member.key]
            arguments = self._child_arguments(plan, child, at)
            return f"{child.name}({', '.join(arguments)})"
        code = member.code
        if code.module is None:
            return self._wrapper(plan, member, at)
        return self._constructor_call(plan, code.module, (*at, "m"))

    def _child_arguments(self, plan: ClassPlan, child: ClassPlan, at: SlotId) -> list[str]:
        result = []
        for parameter in child.parameters:
            text = plan.texts[(*at, parameter.name)]
            if parameter.has_default:
                if text == python(parameter.default):
                    continue
                text = f"{variable(parameter.name)}={text}"
            result.append(text)
        return result

    def _constructor_call(self, plan: ClassPlan, call: Construct, at: SlotId) -> str:
        parts = []
        for index, argument in enumerate(call.arguments):
            inner = (*at, index)
            if isinstance(argument.value, Construct):
                text = self._constructor_call(plan, argument.value, inner)
            else:
                text = plan.texts[inner]
                if self._is_default(argument, text):
                    continue
            parts.append(f"{argument.keyword}={text}" if argument.keyword else text)
        return f"{call.callee}({', '.join(parts)})"

    def _is_default(self, argument: Argument, text: str) -> bool:
        return argument.omitted and text == python(argument.value)

    def _sequence(self, plan: ClassPlan, members: Sequence[Leaf | Unit], at: SlotId) -> str:
        """The members of an ``nn.Sequential``: numbered, or named where they have names."""
        texts = [self._construct(plan, m, (*at, i)) for i, m in enumerate(members)]
        mark = EXPLODE if len(texts) > 1 else ""
        if all(m.name == str(i) for i, m in enumerate(members)):
            folded = _fold_equal(texts)
            return (EXPLODE if len(folded) > 1 else "") + ", ".join(folded)
        counted = _counted([m.name for m in members]) if len(set(texts)) == 1 else None
        if counted is not None and len(members) >= 3:
            entry = f'(f"{counted[0]}{{i}}", {texts[0]})'
            return f"OrderedDict([{entry} for i in {counted[1]}])"
        pairs = ", ".join(f'("{m.name}", {t})' for m, t in zip(members, texts, strict=True))
        return f"OrderedDict([{mark}{pairs}])"

    # Small modules for functions ----------------------------------------------------

    def _wrapper(self, plan: ClassPlan, leaf: Leaf, at: SlotId) -> str:
        """A function that stands in a sequence, as a call of a small module made for it."""
        kinds = tuple((name, annotation(value)) for name, value in leaf.code.constants.items())
        key = (leaf.op.name, leaf.code.call, kinds)
        name = self.wrappers.get(key)
        if name is None:
            name = unique(class_name(leaf.op.name), self.taken)
            self.wrappers[key] = name
        texts = [plan.texts[(*at, "c", c)] for c in leaf.code.constants]
        return f"{name}({', '.join(texts)})"

    def _wrapper_texts(self) -> list[str]:
        result = []
        for (op_name, call, constants), name in self.wrappers.items():
            lines = [f"class {name}(nn.Module):", f'    """{op_name} as a module."""', ""]
            if constants:
                declared = ", ".join(f"{c}: {kind}" for c, kind in constants)
                lines.append(f"    def __init__(self, {declared}) -> None:")
                lines.append("        super().__init__()")
                lines.extend(f"        self.{c} = {c}" for c, _ in constants)
                lines.append("")
            lines.append("    def forward(self, x: Tensor) -> Tensor:")
            text = call.replace("{0}", "x")
            for constant, _ in constants:
                text = text.replace(f"{{{constant}}}", f"self.{constant}")
            lines.extend(lay_out(f"return {text}", 8))
            result.append("\n".join(lines))
        return result

    # Forward ----------------------------------------------------------------------

    def _forward(self, plan: ClassPlan) -> list[str]:
        constants = _constants(plan)
        is_network = plan.unit.scope.kind == "network"
        result = self.result if is_network else None
        forward = Forward(self.graph, plan, constants, result, traced=self.traced)
        body = forward.write()
        parameters = ", ".join(["self", *(f"{p}: Tensor" for p in forward.parameters)])
        lines = lay_out(f"def forward({parameters}) -> {self._returns(plan, is_network)}:", 4)
        for line in body:
            lines.extend(lay_out(line.text, 8 + 4 * line.depth, comment=line.comment))
        return lines

    def _returns(self, plan: ClassPlan, is_network: bool) -> str:
        if not is_network:
            count = len(plan.unit.outputs)
            return "Tensor" if count == 1 else f"tuple[{', '.join(['Tensor'] * count)}]"
        plain = self.result.type_name or "Tensor"
        return f"{plain} | {self.result.training_type}" if self.result.training else plain


def _reads(module: str, body: str) -> bool:
    """Whether the source takes something from a module, not from a member of its name."""
    return re.search(rf"(?<![\w.]){module}\.\w", body) is not None


def _result_type(name: str, what: str, fields: Sequence[tuple[str, Any]]) -> str:
    lines = [f"class {name}(NamedTuple):", f'    """{what}"""', ""]
    return "\n".join([*lines, *(f"    {field}: Tensor" for field, _ in fields)])


def _constants(plan: ClassPlan) -> Callable[[Leaf], dict[str, str]]:
    """The texts of a call's constants: literals, or attributes kept by the constructor."""
    places = {id(m): i for i, m in enumerate(plan.unit.members)}

    def texts(leaf: Leaf) -> dict[str, str]:
        result = {}
        for constant in leaf.code.constants:
            identifier = (places[id(leaf)], "c", constant)
            attribute = plan.kept.get(identifier)
            result[constant] = f"self.{attribute}" if attribute else plan.texts[identifier]
        return result

    return texts


def _has_module(member: Leaf | Unit) -> bool:
    return isinstance(member, Unit) or member.code.module is not None


def _fold_equal(texts: list[str]) -> list[str]:
    """Three or more equal members in a row as one comprehension."""
    result: list[str] = []
    index = 0
    while index < len(texts):
        end = index
        while end < len(texts) and texts[end] == texts[index]:
            end += 1
        count = end - index
        if count >= 3:
            result.append(f"*[{texts[index]} for _ in range({count})]")
        else:
            result.extend(texts[index:end])
        index = end
    return result


def _counted(names: Sequence[str]) -> tuple[str, str] | None:
    """The common stem of names that count on by one, and their range."""
    matches = [re.fullmatch(r"(\w*?\D)(0|[1-9]\d*)", name) for name in names]
    found = [(m[1], int(m[2])) for m in matches if m]
    if len(found) != len(names) or len({stem for stem, _ in found}) != 1:
        return None
    stem, first = found[0]
    if [number for _, number in found] != list(range(first, first + len(names))):
        return None
    return stem, f"range({first}, {first + len(names)})" if first else f"range({len(names)})"


def _docstring(unit: Unit, graph: Graph) -> list[str]:
    doc = unit.scope.doc if unit.scope.kind != "network" else graph.graph.get("doc") or ""
    paragraphs = [" ".join(p.split()) for p in re.split(r"\n\s*\n", doc.strip())]
    lines = [_docstring_text(p) for p in paragraphs if p]
    if not lines:
        return []
    lines = [line for p in lines for line in (p, "")][:-1]
    if lines[-1][-1:].isalnum():
        lines[-1] += "."
    lines = [part for line in lines for part in textwrap.wrap(line, 78) or [""]]
    if len(lines) == 1 and len(lines[0]) <= 78:
        return [f'    """{lines[0]}"""']
    return [f'    """{lines[0]}', *(f"    {line}".rstrip() for line in lines[1:]), '    """']


def _docstring_text(text: str) -> str:
    """A comment's text, safe inside a docstring."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return printable.replace("\\", "\\\\").replace('"""', "'''").rstrip('"')


def _inside(path: str, prefix: str) -> bool:
    return not prefix or path.startswith(prefix + ".")


def _relative(path: str, prefix: str) -> str:
    return path[len(prefix) + 1 :] if prefix else path
