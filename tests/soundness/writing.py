"""Random specifications as text: every construct, every layer, mostly of sizes that fit.

The writer keeps the type of the tensor that flows, by asking the layers themselves, and for
what stands in braces the compiler. That is no judgement: whether a specification is right is
found out by running it.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

import archdsl
from archdsl.dims import Dim, Size, evaluate, symbol, symbols
from archdsl.ops.arguments import OpError
from archdsl.ops.op import Need, Op, Tensor, build, find_public, registered, signature
from tests.soundness import arguments
from tests.soundness.arguments import FOREIGN, WIDTHS, Draw

LARGEST = 20_000  # elements of a tensor
DEEPEST = 3
Type = Tensor | None
Written = tuple[str, list[Type]]

# Names that generated Python has a use of its own for, or that are words of the language.
TRICKY = (
    "x out self torch nn F Tensor len int list args it2 result i super range zip module relu conv"
    " linear training2 Sequential N B Net math max sum print state dim size input1 T H y a b"
).split()
TRICKY_LABELS = (
    "block input output network repeat down bottom branch weight bias x out self torch nn F Tensor"
    " relu conv linear bn add concat i0 layer1 features classifier step begin end"
).split()
LAYERS = [
    cls
    for cls in registered()
    if not cls.internal and cls.name not in ("nn", "parameter") and not cls.variadic
]
MERGES = [cls for cls in registered() if cls.variadic and not cls.internal]
STANDARD = (
    "conv_bn(4, 3, padding = 1)",
    "double_conv(4)",
    "separable_conv(4)",
    "residual_unit(4)",
    "inverted_residual(4)",
    "squeeze_excite(2)",
    "dense_layer(2)",
    "feed_forward(6)",
    "encoder_layer(1, 6)",
)
FOR_RANK = {
    1: "rnn_cell lstm_cell gru_cell bilinear gaussian_sample drop_connect".split(),
    2: (
        "attention cross_attention dot_product_attention rnn lstm gru sinusoidal_position"
        " position_embedding upsample resize conv_transpose"
    ).split(),
    3: (
        "upsample resize crop pixel_shuffle pixel_unshuffle conv_transpose pad channel_shuffle"
    ).split(),
    4: "upsample resize crop conv_transpose pad clamp".split(),
}
"""Layers that seldom fit what they are not meant for."""
IMPORT = f"from std import {', '.join(text.split('(')[0] for text in STANDARD)}"
COMMON = [find_public(n) for n in "conv linear relu batch_norm max_pool layer_norm dropout".split()]


@dataclass
class Frame:
    """The names of one module's members."""

    used: set[str] = field(default_factory=set)


@dataclass
class Label:
    """A labelled stage: what it took and gave, and the shape of its weight if it has one."""

    takes: Type
    gives: Type
    weight: tuple[int, ...] | None = None
    simple: bool = False


@dataclass
class Scope:
    """What a ``{ … }`` sees."""

    frame: Frame
    tensors: dict[str, Type] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    layers: dict[str, str] = field(default_factory=dict)
    labels: dict[str, Label] = field(default_factory=dict)
    loop: str | None = None
    unrolled: bool = False

    def inner(self, **changes: Any) -> Scope:
        own = {
            name: dict(getattr(self, name)) for name in ("tensors", "numbers", "layers", "labels")
        }
        return replace(self, **{**own, **changes})

    def visible(self) -> dict[str, Tensor]:
        return {n: t for n, t in self.tensors.items() if t is not None}


@dataclass
class Block:
    """A block that was written: its parameters with values that fit, and what it takes."""

    name: str
    parameters: list[tuple[str, Any, bool]]
    takes: Tensor
    gives: list[Type]
    further: dict[str, Tensor]


class Writer:
    """Writes one specification."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.declarations: list[str] = []
        self.blocks: list[Block] = []
        self.serial = 0
        self.stages = 0
        self.imported = False
        self.most = self.pick(6, 12, 24)
        self.careless = self.chance(25)

    # Drawing ----------------------------------------------------------------------

    def pick(self, *values: Any) -> Any:
        return self.draw(st.sampled_from(values))

    def chance(self, percent: int) -> bool:
        return bool(self.draw(st.integers(0, 99)) >= 100 - percent)

    def slip(self, percent: int = 4) -> bool:
        return self.careless and self.chance(percent)

    def fresh(self, stem: str, scope: Scope | None = None) -> str:
        if self.chance(25):
            name = self.pick(*TRICKY)
            taken = scope is not None and (
                name in scope.tensors
                or name in scope.numbers
                or name in scope.layers
                or name in scope.labels
            )
            if not taken and name not in (b.name for b in self.blocks):
                return str(name)
        self.serial += 1
        return f"{stem}{self.serial}"

    def label(self, scope: Scope) -> str | None:
        """A label for the next stage; in a loop an expression, or none."""
        if scope.unrolled and not scope.loop:
            return None
        if scope.loop:
            self.serial += 1
            i = scope.loop
            return str(self.pick(f"s{self.serial}_{{{i}}}", f"l{self.serial}_{{{i} + 1}}"))
        name = self.pick(*TRICKY_LABELS) if self.chance(40) else None
        if (
            name is None
            or (name in scope.frame.used and not self.slip(20))
            or keyword.iskeyword(name)
        ):
            self.serial += 1
            name = f"m{self.serial}"
        scope.frame.used.add(name)
        return str(name)

    def number(self, value: int, scope: Scope) -> str:
        """A whole number as text: plain, by a name that stands for it, or computed."""
        names = [n for n, v in scope.numbers.items() if v == value]
        if names and self.chance(50):
            return str(self.pick(*names))
        near = [n for n, v in scope.numbers.items() if v and v != value]
        if near and self.chance(30):
            name = self.pick(*near)
            base = scope.numbers[name]
            if value and base and value % base == 0:
                return f"{name} * {value // base}"
            if value and base % value == 0:
                return f"{name} // {base // value}"
            return f"{name} + {value - base}" if value > base else f"{name} - {base - value}"
        if value > 1 and self.chance(10):
            ways = (f"{value - 1} + 1", f"({value} if true else 1)", f"max({value}, 1)")
            return str(self.pick(*ways))
        return str(value)

    # Types ------------------------------------------------------------------------

    def infer(self, op: Op, inputs: Sequence[Tensor]) -> list[Tensor] | None:
        try:
            outputs = op.infer(list(inputs), Need())
            op.weights(list(inputs))
        except OpError:
            return None
        return list(outputs) if all(modest(t) for t in outputs) else None

    def ask(self, text: str, x: Type, scope: Scope) -> list[Type]:
        """What a piece of text gives on ``x``, by elaborating it."""
        if x is None or x.batch != "free":
            return [None]
        lines = [f"input arrives_: {shape_text(x)}"]
        lines += [
            f"input {n}: {shape_text(t)}"
            for n, t in scope.visible().items()
            if t.batch == "free" and t.dtype != "bool"
        ]
        lines += [f"let {n} = {v}" for n, v in scope.numbers.items()]
        lines += [f"let {n} = {v}" for n, v in scope.layers.items()]
        lines.append(f"arrives_ -> {text}")
        joined = "\n".join(
            [*[IMPORT] * self.imported, *self.declarations, "network probe_ {", *lines, "}"]
        )
        try:
            found = archdsl.loads(joined).elaborate("probe_")
        except Exception:  # noqa: BLE001 - what is wrong here is found out by the test itself
            return [None]
        if found.failed:
            return [None]
        given: Tensor = found.graph.nodes[
            next(n for n, d in found.graph.nodes(data=True) if d["op"] == "output")
        ]["types"][0]
        return [given] if modest(given) else [None]

    # Layers -----------------------------------------------------------------------

    def layer(self, x: Tensor, scope: Scope, *, keeping: bool = False) -> Written:
        """A layer that fits ``x``, or seldom one that does not."""
        mistake = self.slip()
        for _ in range(12):
            cls = self.pick(*COMMON) if self.chance(35) else self.pick(*LAYERS)
            if self.chance(25):
                cls = find_public(self.pick(*FOR_RANK.get(x.rank, ["relu"])))
            given = arguments.chosen(self.draw, cls, x, mistake=mistake)
            tensors = self.further(cls, x, scope)
            if tensors is None:
                continue
            if "tie" in {p.name for p in signature(cls)} and self.chance(30):
                tied = self.tied(cls, x, scope)
                if tied:
                    given, tie = tied
                    return self.call(cls, given, {}, scope, tie), [self.typed(cls, given, x)]
            try:
                op = build(cls, given)
            except OpError:
                if mistake:
                    return self.call(cls, given, tensors, scope), [None]
                continue
            inputs = [x, *tensors.values()] if not cls.source else []
            if cls.inputs and cls.inputs[0] in tensors:
                inputs = list(tensors.values())
            types = self.infer(op, inputs)
            if types is None and mistake:
                return self.call(cls, given, tensors, scope), [None]
            if types is None or (keeping and types[0] != x):
                continue
            return self.call(cls, given, tensors, scope), list(types)
        return "identity", [x]

    def further(self, cls: type[Op], x: Tensor, scope: Scope) -> dict[str, Tensor] | None:
        """Tensors for the further inputs of a layer, by the names that they are given as."""
        self._written: dict[str, str] = {}
        names = cls.inputs[1:]
        if not names or cls.source:
            return {}
        if cls.optional_inputs and self.chance(60):
            return {}
        found: dict[str, Tensor] = {}
        candidates = {"it": x, **scope.visible()}
        for name in names:
            text = self.pick(*candidates)
            found[name] = candidates[text]
            self._written[name] = text
        return found

    def tied(self, cls: type[Op], x: Tensor, scope: Scope) -> tuple[dict[str, Any], str] | None:
        """The arguments of a layer that uses another's weight."""
        for name, label in scope.labels.items():
            if label.weight is None or len(label.weight) != 2:
                continue
            rows, columns = label.weight
            if cls.name == "linear" and x.rank and x.dims[-1] == columns and x.dtype == "float":
                return {"out_features": rows, "bias": self.chance(50)}, f"{name}.weight"
            if cls.name == "embedding" and x.dtype == "int" and rows >= 8:
                return {"num_embeddings": rows, "embedding_dim": columns}, f"{name}.weight"
        return None

    def typed(self, cls: type[Op], given: dict[str, Any], x: Tensor) -> Type:
        found = self.infer(build(cls, given), [x])
        return found[0] if found else None

    def call(
        self,
        cls: type[Op],
        given: dict[str, Any],
        tensors: dict[str, Tensor],
        scope: Scope,
        tie: str | None = None,
    ) -> str:
        name = self.pick(cls.name, *cls.aliases) if cls.aliases else cls.name
        order = [p.name for p in signature(cls)]
        parts: list[str] = []
        leading = bool(tensors) and cls.inputs[0] not in tensors and self.chance(30)
        if leading:
            parts += ["it", *(self._written[n] for n in tensors)]
        positional = not any(n == "args" for n in order)
        for place, argument in enumerate(order):
            if argument not in given:
                positional = False
                continue
            text = self.argument(cls, argument, given[argument], scope)
            if positional and place == cls_rest(cls):
                items = given[argument]
                if isinstance(items, (list, tuple)) and items and self.chance(60):
                    parts += [self.argument(cls, argument, i, scope) for i in items]
                else:
                    parts.append(text)
                positional = False
            elif positional and (place < 2 or self.chance(50)):
                parts.append(text)
            else:
                positional = False
                parts.append(f"{argument} = {text}")
        if not leading:
            parts += [f"{n} = {self._written[n]}" for n in tensors]
        if tie:
            parts.append(f"tie = {tie}")
        if self.slip(2):
            parts.append(self.pick("strid = 2", "1, 2, 3, 4, 5, 6, 7, 8, 9", "bias = 3"))
        return f"{name}({', '.join(parts)})" if parts else name

    def argument(self, cls: type[Op], name: str, value: Any, scope: Scope) -> str:
        if isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1000:
            return self.number(value, scope)
        return arguments.bare(cls, name, value)

    def keep(self, x: Tensor, scope: Scope) -> str:
        """A stage that gives the type that it takes."""
        if x.dtype != "float":
            return "identity"
        ways = ["relu", "tanh", "identity", "dropout(0.1)"]
        if scope.layers and self.chance(30):
            return str(self.pick(*scope.layers))
        if x.rank >= 1 and isinstance(x.dims[-1], int):
            ways += [f"linear({x.dims[-1]})", "linear(it.features)", "layer_norm"]
        if 2 <= x.rank <= 4 and isinstance(x.dims[0], int):
            ways += ["conv(it.channels, 1)", "bn", "conv(it.channels, 3, padding = same)"]
            ways.append(f"conv({self.number(x.dims[0], scope)}, 3, padding = 1)")
        return str(self.pick(*ways))

    def adapt(self, x: Type, to: Type, *, channels: bool = True) -> str | None:
        """Stages that bring a tensor to a type; None where it has it."""
        if x is None or to is None or x == to or x.dtype != "float" or to.dtype != "float":
            return None
        if not all(isinstance(d, int) for d in (*x.dims, *to.dims)):
            if x.rank == to.rank >= 2 and x.dims[1:] == to.dims[1:]:
                return None if not channels else f"conv({to.dims[0]}, 1)"
            if x.rank == to.rank and x.dims[:-1] == to.dims[:-1] and isinstance(x.dims[-1], int):
                return f"linear({to.dims[-1]})"
            return None
        if x.rank == to.rank and 2 <= x.rank <= 4:
            texts = []
            if channels and x.dims[0] != to.dims[0]:
                texts.append(f"conv({to.dims[0]}, 1)")
            if x.dims[1:] != to.dims[1:]:
                sizes = ", ".join(map(str, to.dims[1:]))
                texts.append(f"adaptive_avg_pool(({sizes},))")
            return " -> ".join(texts) or None
        if x.rank == to.rank and x.rank and x.dims[:-1] == to.dims[:-1]:
            return f"linear({to.dims[-1]})"
        total = 1
        for d in to.dims:
            total *= int(d)  # type: ignore[arg-type]  # all are whole numbers here
        if total > 400 or not x.rank or x.batch != "free":
            return None
        first = "" if x.rank == 1 else "flatten -> "
        return f"{first}linear({total}) -> reshape([{', '.join(map(str, to.dims))}])"

    # Statements -------------------------------------------------------------------

    def body(self, x: Type, scope: Scope, depth: int, most: int = 3) -> tuple[str, Type]:
        lines: list[str] = []
        for _ in range(self.pick(*range(1, most + 1))):
            if self.chance(8):
                lines.append(self.let(scope))
            fits = x is not None and x.batch == "free" and x.dtype == "float"
            if x is not None and fits and not scope.unrolled and self.chance(6):
                text, x = self.parameter(x, scope)
            else:
                text, x = self.pipeline(x, scope, depth)
            lines.append(text)
        return "\n".join(lines), x

    def let(self, scope: Scope) -> str:
        if self.chance(30):
            name = self.fresh("act", scope)
            bound = [b for b in self.blocks if not b.further and b.name not in scope.tensors]
            layer = self.pick("relu", "leaky_relu(0.1)", "tanh", "dropout(0.2)", "bn(eps = 0.001)")
            if bound and self.chance(40):
                layer = self.block_call(self.pick(*bound), scope, fresh=True) or layer
            scope.layers[name] = layer
            return f"let {name} = {scope.layers[name]}"
        name, value = self.fresh("k", scope), self.pick(*WIDTHS)
        text = self.number(value, scope)
        scope.numbers[name] = value
        return f"let {name} = {text}"

    def pipeline(self, x: Type, scope: Scope, depth: int) -> tuple[str, Type]:
        parts: list[str] = []
        known = scope.visible()
        if known and self.chance(12):
            start = self.pick(*known)
            parts.append(start)
            x = known[start]
        for _ in range(self.pick(1, 2, 1, 3)):
            text, outputs = self.stage(x, scope, depth)
            if self.chance(20):
                text += self.names(outputs, scope)
            parts.append(text)
            x = outputs[0]
        return " -> ".join(parts), x

    def names(self, outputs: list[Type], scope: Scope) -> str:
        several = len(outputs) > 1 and self.chance(80)
        count = len(outputs) if several else 1
        if self.slip(3):
            count += 1
        if count > 6:
            count = 1
        names = [self.fresh("t", scope) for _ in range(count)]
        if len(set(names)) < len(names):
            names = [f"{n}_{i}" for i, n in enumerate(names)]
        for name, given in zip(names, outputs, strict=False):
            scope.tensors[name] = given
            scope.numbers.pop(name, None)
            scope.layers.pop(name, None)
        return f" as {names[0]}" if count == 1 else f" as ({', '.join(names)})"

    def parameter(self, x: Tensor, scope: Scope) -> tuple[str, Type]:
        """A learned tensor, named, and merged with what flows."""
        cls = find_public("parameter")
        assert cls is not None
        dims = arguments.fixed(x)
        merge = self.pick("add", "mul", "concat")
        shape = self.pick([1, *dims], dims if merge != "concat" else [1, *dims])
        keep, token, label = self.fresh("t", scope), self.fresh("p", scope), self.label(scope)
        if keep == token:
            token += "_"
        start = self.pick("", ", init = ones", ", init = normal, std = 0.1", ", value = 0.5")
        head = f"{label}: " if label else ""
        lines = [
            f"identity as {keep}",
            f"{head}parameter([{', '.join(map(str, shape))}]{start}) as {token}",
            f"{merge}({keep}, {token})",
        ]
        if label and label.isidentifier():
            scope.labels.pop(label, None)
        scope.tensors[keep] = x
        scope.tensors[token] = None
        learned = Tensor(tuple(shape), batch="none")
        if shape[:1] == [1]:
            learned = Tensor(tuple(shape[1:]), batch="one")
        merged = self.infer(
            build(find_public(merge) or cls, {}),
            [x, learned],
        )
        return "\n".join(lines), merged[0] if merged else None

    # Stages -----------------------------------------------------------------------

    def stage(self, x: Type, scope: Scope, depth: int) -> Written:
        self.stages += 1
        if x is None:
            return self.pick("relu", "conv(4, 3)", "linear(4)", "flatten", "identity"), [None]
        if self.stages > self.most:
            return self.labelled(self.keep(x, scope), [x], x, scope)
        ways: list[Callable[[Tensor, Scope, int], Written]] = [self.one_layer] * 14
        ways += [self.merge] * 2 + [self.again, self.foreign, self.standard]
        if depth < DEEPEST:
            ways += [self.block, self.block_again, self.block]
            ways += [self.group, self.repeat, self.loop, self.condition]
            ways += [self.residual, self.residual, self.dense, self.branch, self.branch]
            ways += [self.unet, self.scan]
        if any(label.weight for label in scope.labels.values()):
            ways += [self.tying] * 4
        text, outputs = self.pick(*ways)(x, scope, depth)
        return text, [o if o is None or modest(o) else None for o in outputs]

    def one_layer(self, x: Tensor, scope: Scope, depth: int) -> Written:
        if scope.layers and self.chance(10):
            name = self.pick(*scope.layers)
            return self.labelled(name, self.ask(name, x, scope), x, scope)
        text, outputs = self.layer(x, scope)
        return self.labelled(text, outputs, x, scope, simple=True)

    def labelled(
        self, text: str, outputs: list[Type], x: Tensor, scope: Scope, *, simple: bool = False
    ) -> Written:
        if not self.chance(25):
            return text, outputs
        label = self.label(scope)
        if label is None:
            return text, outputs
        if label.isidentifier() and label not in scope.tensors:
            scope.labels[label] = Label(x, outputs[0], self.weight(text, x, outputs[0]), simple)
        return f"{label}: {text}", outputs

    def weight(self, text: str, x: Tensor, y: Type) -> tuple[int, ...] | None:
        if y is None or "tie" in text or not y.rank or not x.rank:
            return None
        last = y.dims[-1]
        if text.startswith("linear(") and isinstance(last, int) and isinstance(x.dims[-1], int):
            return (last, x.dims[-1])
        if text.startswith("embedding(") and isinstance(last, int):
            try:
                return (int(text.removeprefix("embedding(").split(",")[0]), last)
            except ValueError:
                return None
        return None

    def foreign(self, x: Tensor, scope: Scope, depth: int) -> Written:
        text = self.pick(*FOREIGN)
        found = self.ask(text, x, scope)
        if found[0] is None and not self.slip(10):
            return "nn.Hardtanh()", [x]
        return self.labelled(text, found, x, scope)

    def tying(self, x: Tensor, scope: Scope, depth: int) -> Written:
        """A layer with another's weight, after one that gives it the features to fit."""
        name, shape = self.pick(*((n, t.weight) for n, t in scope.labels.items() if t.weight))
        if x.dtype == "int" and shape[0] >= 8 and self.chance(50):
            text = f"embedding({shape[0]}, {shape[1]}, tie = {name}.weight)"
        else:
            text = f"linear({shape[0]}, tie = {name}.weight)"
            if x.rank and x.dims[-1] != shape[1]:
                text = f"linear({shape[1]}) -> {text}"
        found = self.ask(text.replace(f", tie = {name}.weight", ""), x, scope)
        if found[0] is None and not self.slip(10):
            return self.one_layer(x, scope, depth)
        return text, found

    def standard(self, x: Tensor, scope: Scope, depth: int) -> Written:
        """A block of std, if it fits."""
        text, before = self.pick(*STANDARD), self.imported
        self.imported = True
        found = self.ask(text, x, scope)
        if found[0] is None:
            self.imported = before
            return self.one_layer(x, scope, depth)
        return self.labelled(text, found, x, scope)

    def again(self, x: Tensor, scope: Scope, depth: int) -> Written:
        """A labelled stage once more, with the same weights."""
        fitting = [
            name
            for name, label in scope.labels.items()
            if label.takes == x and name not in scope.tensors and "." not in name
        ]
        if not fitting or (scope.labels and self.slip(10)):
            fitting = fitting or [n for n in scope.labels if "." not in n and self.slip(20)]
        if not fitting:
            return self.one_layer(x, scope, depth)
        name = self.pick(*fitting)
        return name, [scope.labels[name].gives if scope.labels[name].takes == x else None]

    def merge(self, x: Tensor, scope: Scope, depth: int) -> Written:
        candidates: dict[str, Tensor] = {"it": x, **scope.visible()}
        cls = self.pick(*MERGES)
        for _ in range(6):
            names = ["it", *(self.pick(*candidates) for _ in range(self.pick(1, 1, 2)))]
            types = [candidates[n] for n in names]
            if self.chance(25):
                names.append(self.keep(x, scope))
                types.append(x)
            if self.chance(30):
                order = self.draw(st.permutations(range(len(names))))
                names, types = [names[i] for i in order], [types[i] for i in order]
            given = arguments.chosen(self.draw, cls, x)
            try:
                found = self.infer(build(cls, given), types)
            except OpError:
                found = None
            if found is None and not self.slip(10):
                continue
            more = [f"{k} = {arguments.bare(cls, k, v)}" for k, v in given.items()]
            text = f"{cls.name}({', '.join([*names, *more])})"
            given_back: list[Type] = list(found) if found else [None]
            return self.labelled(text, given_back, x, scope)
        return "add(it, it)", [x]

    # Structure --------------------------------------------------------------------

    def group(self, x: Tensor, scope: Scope, depth: int) -> Written:
        label = self.label(scope) if self.chance(60) else None
        text, y = self.body(x, scope.inner(frame=Frame() if label else scope.frame), depth + 1)
        whole = f"{{\n{text}\n}}"
        if label and label.isidentifier() and label not in scope.tensors:
            scope.labels[label] = Label(x, y)
            if text.startswith("linear(") and not scope.unrolled:
                first = text.split("\n")[0].split(" -> ")[0]
                inside = self.ask(first, x, scope)[0] if " as " not in first else None
                weight = self.weight(first, x, inside)
                if weight and label.isidentifier():
                    scope.labels[f"{label}.0"] = Label(None, None, weight)
        return (f"{label}: {whole}" if label else whole), [y]

    def keeping_body(self, x: Tensor, scope: Scope, depth: int, to: Tensor | None = None) -> str:
        """A body that ends with the type that it started from."""
        text, y = self.body(x, scope, depth, 2)
        way = self.adapt(y, to or x)
        if y is None or y == (to or x) or (way is None and self.slip(30)):
            return text
        if way is None:
            return self.keep(x, scope) if to is None or to == x else text
        return f"{text}\n{way}"

    def repeat(self, x: Tensor, scope: Scope, depth: int) -> Written:
        shared = self.chance(40)
        times = self.number(self.pick(2, 3, 1), scope) if not self.slip(10) else "0"
        inner = scope.inner(unrolled=not shared or scope.unrolled, loop=None)
        text = self.keeping_body(x, inner, depth + 1)
        whole = f"repeat {times}{' shared' if shared else ''} {{\n{text}\n}}"
        return self.labelled_form(whole, self.ask(whole, x, scope), x, scope)

    def labelled_form(self, whole: str, outputs: list[Type], x: Tensor, scope: Scope) -> Written:
        if not self.chance(20):
            return whole, outputs
        label = self.label(scope)
        if label and label.isidentifier() and label not in scope.tensors:
            scope.labels[label] = Label(x, outputs[0])
        return (f"{label}: {whole}" if label else whole), outputs

    def loop(self, x: Tensor, scope: Scope, depth: int) -> Written:
        i, w = self.fresh("i", scope), self.fresh("w", scope)
        if i == w:
            w += "_"
        widths = [self.pick(*WIDTHS) for _ in range(self.pick(2, 1, 3))]
        items = f"[{', '.join(map(str, widths))}]"
        head, numbers = self.pick(
            (f"for {i} in range({len(widths)})", {i: 0}),
            (f"for {w} in {items}", {w: widths[0]}),
            (f"for {i}, {w} in enumerate({items})", {i: 0, w: widths[0]}),
            (f"for {i}, {w} in zip(range({len(widths)}), {items})", {i: 0, w: widths[0]}),
            (f"for {w} in reversed({items})", {w: widths[-1]}),
            (f"for {w} in [v + 1 for v in {items} if v > 1]", {}),
        )
        inner = scope.inner(unrolled=True, loop=i if i in numbers else None)
        inner.numbers.update(numbers)
        for name in numbers:
            inner.tensors.pop(name, None)
            inner.layers.pop(name, None)
        text = self.keeping_body(x, inner, depth + 1)
        if w in numbers and self.chance(60):
            if 2 <= x.rank <= 4 and isinstance(x.dims[0], int):
                text += f"\nconv({w}, 1)"
            elif x.rank and isinstance(x.dims[-1], int):
                text += f"\nlinear({w})"
        whole = f"{head} {{\n{text}\n}}"
        return self.labelled_form(whole, self.ask(whole, x, scope), x, scope)

    def truth(self, x: Tensor, scope: Scope) -> tuple[str, bool]:
        found: list[tuple[str, bool]] = [("true", True), ("1 > 2", False), ("not false", True)]
        found.append((f"it.rank == {x.rank}", True))
        if x.rank and isinstance(x.dims[0], int):
            found.append((f"it.shape[1] == {x.dims[0]}", True))
            found.append((f"it.shape[1] != {x.dims[0]} or false", False))
        for name, value in scope.numbers.items():
            found.append((f"{name} > 2", value > 2))
            found.append((f"{name} in [1, 2, 3] and true", value in (1, 2, 3)))
        test, holds = self.pick(*found)
        return test, holds

    def condition(self, x: Tensor, scope: Scope, depth: int) -> Written:
        test, truth = self.truth(x, scope)
        taken, y = self.body(x, scope.inner(), depth + 1, 2)
        other, _ = self.body(x, scope.inner(frame=Frame()), DEEPEST, 1)
        form = self.pick("else", "plain", "else if")
        if form == "plain":
            whole = f"if {test} {{\n{taken}\n}}"
            y = y if truth else x
        elif truth:
            whole = f"if {test} {{\n{taken}\n}} else {{\n{other}\n}}"
        elif form == "else":
            whole = f"if {test} {{\n{other}\n}} else {{\n{taken}\n}}"
        else:
            whole = f"if {test} {{\n{other}\n}} else if not ({test}) {{\n{taken}\n}}"
        return self.labelled_form(whole, [y], x, scope)

    def residual(self, x: Tensor, scope: Scope, depth: int) -> Written:
        head = self.pick("residual", "residual", "residual(drop_path = 0.1)")
        if self.chance(20):
            test, _ = self.truth(x, scope)
            head = f"residual(when = {test})"
        if self.chance(45):
            text, y = self.body(x, scope.inner(), depth + 1, 2)
            inner = scope.inner()
            other = self.keeping_body(x, inner, DEEPEST, y) if y else "identity"
            whole = f"{head} {{\n{text}\n}} shortcut {{\n{other}\n}}"
        else:
            text = self.keeping_body(x, scope.inner(), depth + 1)
            whole = f"{head} {{\n{text}\n}}"
        return self.labelled_form(whole, self.ask(whole, x, scope), x, scope)

    def dense(self, x: Tensor, scope: Scope, depth: int) -> Written:
        text, y = self.body(x, scope.inner(), depth + 1, 2)
        way = self.adapt(y, x, channels=False)
        if way:
            text += f"\n{way}"
        whole = f"dense {{\n{text}\n}}"
        if ":" not in whole and self.chance(30):
            whole = f"repeat 2 {{\n{whole}\n}}"
        return self.labelled_form(whole, self.ask(whole, x, scope), x, scope)

    def branch(self, x: Tensor, scope: Scope, depth: int) -> Written:
        merge = self.pick("concat", "add", "mul", "stack", "max", "sub", "matmul", None)
        inner = scope.inner()
        paths: list[str] = []
        types: list[Type] = []
        for index in range(self.pick(2, 3, 2, 1)):
            if self.chance(15):
                paths.append("identity")
                types.append(x)
                continue
            path, y = self.pipeline(x, inner.inner(), depth + 1)
            way = self.adapt(y, types[0], channels=merge != "concat") if merge and index else None
            if way:
                path, y = f"{path} -> {way}", types[0]
            paths.append(path)
            types.append(y)
        if merge == "concat" and self.chance(20):
            merge = "concat(axis = -1)"
        joined = "\n".join(paths)
        whole = f"branch {merge} {{\n{joined}\n}}" if merge else f"branch {{\n{joined}\n}}"
        if merge is None:
            return whole, types
        return self.labelled_form(whole, self.ask(whole, x, scope), x, scope)

    def unet(self, x: Tensor, scope: Scope, depth: int) -> Written:
        if not (2 <= x.rank <= 4 and isinstance(x.dims[0], int) and x.dtype == "float"):
            return self.one_layer(x, scope, depth)
        level = self.fresh("level", scope)
        base = self.pick(2, 4, 3)
        inner = scope.inner(unrolled=True, loop=None)
        for kind in (inner.tensors, inner.layers, inner.numbers):
            kind.pop(level, None)
        width = f"{base} * 2 ** {level}"
        some = replace(x, dims=(base, *x.dims[1:]))
        pieces = {
            "encode": f"conv({width}, 3, padding = {self.pick('same', 1, 1, 0)})",
            "down": self.pick("max_pool(2)", f"conv({width}, 2, stride = 2)", "avg_pool(2)"),
            "bottom": f"conv({base}, 3, padding = same)",
            "up": self.pick(
                f"conv_transpose({width}, 2, stride = 2)", "upsample(scale_factor = 2)"
            ),
            "join": self.pick(
                "concat(crop(skip, like = it), it)",
                "concat(skip, it)",
                "concat(skip, resize(like = skip))",
                f"conv({width}, 1) as up\nadd(up, crop(skip, like = up))",
            ),
            "decode": f"conv({width}, 3, padding = same)",
        }
        lines = []
        for part, text in pieces.items():
            if part not in ("up", "down", "encode") and self.chance(35):
                continue
            more = self.pick("relu", "bn", "dropout(0.1)", self.keep(some, Scope(Frame())))
            ending = f" -> {more}" if self.chance(40) else ""
            lines.append(f"{part} {{\n{text}{ending}\n}}")
        levels = self.pick(f"range({self.pick(1, 2)})", "[0, 1]", "[1]")
        whole = f"unet {level} in {levels} {{\n" + "\n".join(lines) + "\n}"
        return self.labelled_form(whole, self.ask(whole, x, scope), x, scope)

    def scan(self, x: Tensor, scope: Scope, depth: int) -> Written:
        if x.rank < 1 or x.dtype != "float" or x.batch != "free":
            return self.one_layer(x, scope, depth)
        step = x.with_dims(*x.dims[1:])
        h, c = self.fresh("h", scope), self.fresh("c", scope)
        if h == c:
            c += "_"
        inner = scope.inner(frame=scope.frame)
        for name in (h, c):
            inner.numbers.pop(name, None)
            inner.layers.pop(name, None)
        if step.rank >= 1 and all(isinstance(d, int) for d in step.dims) and self.chance(40):
            dims = ", ".join(map(str, step.dims))
            state = step
        else:
            width = self.pick(3, 1, 4)
            dims, state = str(width), Tensor((width,))
        start = self.pick(f"zeros({dims})", f"ones({dims})")
        similar = [n for n, t in scope.visible().items() if t == state]
        if similar and self.chance(40):
            start = self.pick(*similar)
        inner.tensors[h] = state
        two = self.chance(35)
        if two:
            inner.tensors[c] = state
        text, y = self.body(step, inner, depth + 1, 2)
        way = self.adapt(y, state)
        lines = [text, *([way] if way else [])]
        if y is not None and y.rank == 0 and state.rank == 1:
            lines.append(f"unsqueeze(1) -> linear({state.dims[0]})")
        lines.append(self.pick(f"add(it, {h}) as {h}", f"tanh as {h}", f"mul({h}, it) as {h}"))
        if two:
            lines.append(self.pick(f"mul({c}, it) as {c}", f"sub({h}, {c}) as {c}"))
        if self.chance(40):
            lines.append(self.keep(state, Scope(Frame())))
        body = "\n".join(lines)
        head = f"scan {h} = {start}" + (f", {c} = zeros({dims})" if two else "")
        whole = f"{head} {{\n{body}\n}}"
        found = self.ask(whole, x, scope)
        if found[0] is not None:
            found += [state] * (1 + two)
        return self.labelled_form(whole, found, x, scope)

    # Blocks -----------------------------------------------------------------------

    def block(self, x: Tensor, scope: Scope, depth: int) -> Written:
        """A new block, written for what arrives here, and called."""
        if x.batch != "free":
            return self.one_layer(x, scope, depth)
        inner = Scope(Frame())
        name = self.fresh("b")
        parameters: list[tuple[str, Any, bool]] = []
        for _ in range(self.pick(0, 1, 2)):
            parameter = self.fresh("p", inner)
            default = self.chance(30)
            if self.chance(25):
                simple = [b.name for b in self.blocks if not b.further and b.takes == x]
                layer = self.pick("relu", "tanh", "gelu", "bn", "dropout(0.1)", *simple * 2)
                inner.layers[parameter] = layer
                parameters.append((parameter, layer, default))
            else:
                value = self.pick(*WIDTHS)
                inner.numbers[parameter] = value
                parameters.append((parameter, value, default))
        further: dict[str, Tensor] = {}
        lines = []
        tensors = {n: t for n, t in scope.visible().items() if t.batch == "free"}
        if self.chance(20):
            own = self.fresh("arrived", inner)
            inner.tensors[own] = x
            others = []
            if tensors and self.chance(60):
                other = self.fresh("other", inner)
                source = self.pick(*tensors)
                inner.tensors[other] = tensors[source]
                further[other] = tensors[source]
                others = [other]
            lines.append(f"input {', '.join([own, *others])}")
        kind = self.pick("block", "block", "sequence")
        text, y = self.body(x, inner, depth + 1)
        lines.append(text)
        outputs: list[Type] = [y]
        results = {n: t for n, t in inner.visible().items() if t.batch == "free"}
        if results and self.chance(20):
            chosen = list(dict.fromkeys(self.pick(*results) for _ in range(self.pick(1, 2))))
            lines.append(f"output {', '.join(chosen)}")
            outputs = [results[n] for n in chosen]
        written = ", ".join(f"{n} = {v}" if d else n for n, v, d in parameters)
        parameters_text = f"({written})" if written else ""
        body = "\n".join(lines)
        self.declarations.append(f"{kind} {name}{parameters_text} {{\n{body}\n}}")
        made = Block(name, parameters, x, outputs, further)
        self.blocks.append(made)
        call = self.block_call(made, scope, fresh=True)
        if call is None:
            return self.one_layer(x, scope, depth)
        return self.labelled(call, outputs, x, scope)

    def block_call(self, block: Block, scope: Scope, *, fresh: bool) -> str | None:
        parts: list[str] = []
        positional = True
        for name, value, default in block.parameters:
            if default and self.chance(60):
                positional = False
                continue
            if isinstance(value, int):
                other = value if fresh or self.chance(50) else self.pick(*WIDTHS)
                text = self.number(other, scope)
            else:
                text = value if fresh or self.chance(60) else self.pick("relu", "tanh")
            if positional and self.chance(60):
                parts.append(text)
            else:
                positional = False
                parts.append(f"{name} = {text}")
        for name, wanted in block.further.items():
            fitting = [n for n, t in scope.visible().items() if t == wanted]
            if not fitting:
                return None
            parts.append(f"{name} = {self.pick(*fitting)}")
        return f"{block.name}({', '.join(parts)})" if parts else block.name

    def block_again(self, x: Tensor, scope: Scope, depth: int) -> Written:
        if not self.blocks:
            return self.block(x, scope, depth)
        block = self.pick(*self.blocks)
        if block.name in scope.tensors or block.name in scope.labels:
            return self.one_layer(x, scope, depth)
        call = self.block_call(block, scope, fresh=False)
        if call is None:
            return self.one_layer(x, scope, depth)
        found = self.ask(call, x, scope)
        if found[0] is None and not self.slip(20):
            return self.one_layer(x, scope, depth)
        if found[0] == block.gives[0]:
            found = list(block.gives)
        return self.labelled(call, found, x, scope)

    # The network ------------------------------------------------------------------

    def size(self, free: bool) -> tuple[str, Size]:
        if free and self.chance(50):
            name = self.pick("H", "W", "T", "N")
            return name, symbol(name)
        value = self.pick(8, 4, 6, 5, 9, 3, 16, 1, 7)
        return str(value), value

    def input(self, name: str, free: bool) -> tuple[str, Tensor]:
        rank = self.pick(3, 1, 2, 3, 4, 0)
        indices = self.chance(15)
        sizes = [self.size(free) for _ in range(rank)]
        if rank >= 2 and not indices and isinstance(sizes[0][1], Dim) and self.chance(70):
            channels = self.pick(4, 3, 1, 6)
            sizes[0] = (str(channels), channels)
        if rank >= 3:
            sizes = [s if isinstance(s[1], Dim) or s[1] <= 9 else ("9", 9) for s in sizes]
        text = f"[{', '.join(t for t, _ in sizes)}]"
        prefix = "int" if indices else ""
        kind: Any = "int" if indices else "float"
        return f"input {name}: {prefix}{text}", Tensor(tuple(s for _, s in sizes), kind)

    def network(self, *, free: bool) -> str:
        if free:
            self.careless = False
        free = free or self.chance(40)
        scope = Scope(Frame())
        lines: list[str] = []
        parameters: list[tuple[str, Any]] = []
        for _ in range(self.pick(0, 0, 1, 2)):
            name, value = self.fresh("width", scope), self.pick(*WIDTHS)
            if name in dict(parameters):
                continue
            if self.chance(25):
                layer = self.pick("relu", "dropout(0.1)", "bn", "conv(4, 1)")
                parameters.append((name, layer))
                scope.layers[name] = layer
                continue
            parameters.append((name, value))
            scope.numbers[name] = value
        count = self.pick(1, 1, 1, 2, 3)
        for _ in range(count):
            name = self.fresh("x", scope)
            text, given = self.input(name, free)
            lines.append(text)
            scope.tensors[name] = given
            scope.frame.used.add(name)
        inputs = list(scope.tensors)
        x = scope.tensors[inputs[0]]
        text, _ = self.body(x, scope, 0, 5)
        if count > 1 or self.chance(10):
            text = (
                f"{inputs[0]} -> {text}"
                if not text.startswith("let ")
                else f"{inputs[0]} -> identity\n{text}"
            )
        lines.append(text)
        results = [n for n, t in scope.tensors.items() if n not in inputs]
        if results and self.chance(30):
            chosen = list(dict.fromkeys(self.pick(*results) for _ in range(self.pick(1, 2, 3))))
            if self.chance(50):
                lines.append("identity as last_")
                chosen.append("last_")
            lines.append(f"output {', '.join(chosen)}")
            rest = [n for n in results if n not in chosen]
            if rest and self.chance(40):
                lines.append(f"output {self.pick(*rest)} in training")
        elif results and self.chance(20):
            lines.append(f"output {self.pick(*results)} in training")
        network = self.fresh("net")
        if any(network == b.name for b in self.blocks):
            network += "_"
        defaults = self.chance(60)
        written = ", ".join(f"{n} = {v}" if defaults else n for n, v in parameters)
        head = f"network {network}({written})" if written else f"network {network}"
        body = "\n".join(lines)
        whole = [*[IMPORT] * self.imported, *self.declarations, f"{head} {{\n{body}\n}}"]
        if parameters and not defaults:
            values = ", ".join(f"{n} = {v}" for n, v in parameters)
            whole.append(f"network fixed_ = {network}({values})")
        return "\n".join(whole) + "\n"


def cls_rest(cls: type[Op]) -> int | None:
    """The place of the argument that collects the rest of them."""
    if cls.rest is None:
        return None
    return [p.name for p in signature(cls)].index(cls.rest)


def modest(x: Tensor) -> bool:
    """Whether it is small enough to be computed by the hundred."""
    total = 1
    for size in x.dims:
        total *= max(evaluate(size, dict.fromkeys(symbols(size), 8)), 1)
    return total <= LARGEST and x.rank <= 6


def shape_text(x: Tensor) -> str:
    """A type as an input statement writes it; a computed size as a number."""
    parts = [
        str(evaluate(d, dict.fromkeys(symbols(d), 8))) if not plain(d) else str(d) for d in x.dims
    ]
    return f"{'int' if x.dtype == 'int' else ''}[{', '.join(parts)}]"


def plain(size: Size) -> bool:
    return isinstance(size, int) or any(size == symbol(n) for n in symbols(size))


@st.composite
def specifications(draw: Draw, *, free: bool = False) -> str:
    """A specification with one network that can be compiled; with free sizes, if asked for."""
    return Writer(draw).network(free=free)
