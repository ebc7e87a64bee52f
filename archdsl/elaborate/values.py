"""What names stand for while a specification is elaborated: tensors, layers, labels, constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics import Diagnostic, Span
from archdsl.graph import Source
from archdsl.ops.op import Op, Tensor
from archdsl.records import record
from archdsl.syntax import ast

if TYPE_CHECKING:
    from archdsl.elaborate.scopes import Frame


class Stop(Exception):
    """What is wrong at this place, when nothing more can be said of the stage."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


class Poisoned(Exception):
    """A value is unknown because of a mistake that was reported already."""


@record(frozen=True)
class TensorRef:
    """A tensor of the graph. ``type`` is None where a reported mistake left it unknown."""

    source: Source
    type: Tensor | None

    def known(self) -> Tensor:
        if self.type is None:
            raise Poisoned
        return self.type

    def __str__(self) -> str:
        return f"a tensor {self.type}" if self.type else "a tensor"


UNKNOWN_TENSOR = TensorRef(Source("?"), None)


class Unknown:
    """The value of a name whose definition was at fault."""

    def __str__(self) -> str:
        return "an unknown value"


UNKNOWN = Unknown()


class Absent:
    """The value of a name that is bound nowhere (``none`` is a value of the language)."""


ABSENT = Absent()


@record(frozen=True)
class Bound:
    """An argument bound to a layer value, with the place and the text that it came from."""

    value: Any
    span: Span | None = None
    expression: ast.Expr | None = None


@record(frozen=True)
class LayerValue:
    """A layer or block with some of its arguments bound, ready to be a stage.

    ``target`` is a registered layer's class or a definition in a file.
    """

    target: type[Op] | BlockDef
    positional: tuple[Bound, ...] = ()
    named: Mapping[str, Bound] = field(default_factory=dict)

    def bind(self, positional: tuple[Bound, ...], named: Mapping[str, Bound]) -> LayerValue:
        """The same with more arguments; a named one replaces an earlier one."""
        return LayerValue(self.target, (*self.positional, *positional), {**self.named, **named})

    @property
    def name(self) -> str:
        return self.target.name

    def __str__(self) -> str:
        kind = "block" if isinstance(self.target, BlockDef) else "layer"
        return f"the {kind} {self.name}"


class LayerName(str):
    """A text given from Python that names a layer or a block: either, as the place needs it."""

    __slots__ = ("layer",)

    layer: LayerValue

    @classmethod
    def of(cls, text: str, layer: LayerValue) -> LayerName:
        made = cls(text)
        made.layer = layer
        return made


@record(frozen=True)
class BlockDef:
    """A block, sequence or network as it was defined, with the file that it sees."""

    definition: ast.Definition
    env: Env

    @property
    def name(self) -> str:
        return self.definition.name

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The tensors that its body declares by `input`."""
        return tuple(
            name
            for statement in self.definition.body.statements
            if isinstance(statement, ast.Input)
            for name in statement.names
        )

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """The defaults that are plain literals."""
        return {
            p.name: p.default.value
            for p in self.definition.parameters
            if isinstance(p.default, ast.Literal_)
        }

    @cached_property
    def hints(self) -> dict[str, ast.Expr]:
        """What its parameters are called in hints, where they stand for themselves."""
        return {p.name: ast.Name(p.span, p.name) for p in self.definition.parameters}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BlockDef) and other.definition is self.definition

    def __hash__(self) -> int:
        return id(self.definition)


@record(frozen=True)
class NetworkAlias:
    """``network resnet18 = resnet(basic, …)``: a name for a network with its arguments."""

    alias: ast.Alias
    env: Env

    def __str__(self) -> str:
        return f"the network {self.alias.name}"


@record(frozen=True)
class LabelRef:
    """A labelled stage, to be run again with the same weights, or asked for its weights."""

    name: str
    path: str
    stage: ast.Stage
    env: Env
    frame: Frame

    def __str__(self) -> str:
        return f"the module {self.path}"


class Env:
    """Names of one ``{ … }``, inside those around it. ``it`` is the tensor that flows."""

    __slots__ = (
        "hints",
        "inner",
        "it",
        "kind",
        "lets",
        "names",
        "network_outputs",
        "outputs",
        "parent",
    )

    def __init__(self, parent: Env | None = None, kind: str = "body") -> None:
        self.names: dict[str, Any] = {}
        self.parent = parent
        self.it: TensorRef | None = None
        self.hints: dict[str, ast.Expr] = {}
        self.lets: dict[str, ast.Expr] = {}
        self.outputs: list[TensorRef] | None = None
        self.network_outputs: list[tuple[str, TensorRef, Span | None, bool]] = []
        self.kind = kind
        shares = parent is not None and kind not in ("file", "network", "block")
        self.inner: dict[str, Span | None] = parent.inner if parent and shares else {}
        """Every name bound so far in any `{ … }` of this block, with its place."""

    def find(self, name: str) -> Any:
        """The value of a name, or ABSENT where it is bound nowhere."""
        env: Env | None = self
        while env is not None:
            if name in env.names:
                return env.names[name]
            env = env.parent
        return ABSENT

    def binds(self, name: str) -> bool:
        env: Env | None = self
        while env is not None:
            if name in env.names:
                return True
            env = env.parent
        return False

    def chain(self) -> Iterator[Env]:
        env: Env | None = self
        while env is not None:
            yield env
            env = env.parent

    def hint(self, name: str) -> ast.Expr | None:
        """The expression that a name stands for, in terms of block parameters."""
        env: Env | None = self
        while env is not None:
            if name in env.hints:
                return env.hints[name]
            if name in env.names:
                return None
            env = env.parent
        return None

    def as_it_is(self) -> Env:
        """The names as they are now, whatever is bound later.

        Those further out stay as they are until this ``{ … }`` ends.
        """
        now = Env(self.parent, self.kind)
        now.names, now.hints, now.lets = dict(self.names), dict(self.hints), dict(self.lets)
        now.it, now.inner = self.it, self.inner
        return now

    def visible(self) -> set[str]:
        return {name for env in self.chain() for name in env.names}
