"""The syntax tree: what a file says, before anything of it is given a meaning.

Every node is frozen and carries its span. ``parser`` makes the tree, ``printer``
writes it back, ``elaborate`` turns it into a graph; nobody else looks at it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from archdsl.diagnostics import Source, Span


@dataclass(frozen=True, slots=True)
class Node:
    """What every node of the tree has: the place that it came from."""

    span: Span = field(repr=False, compare=False)


# Expressions ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Literal_(Node):  # noqa: N801 - typing has a Literal, needed here as well
    """An integer, a float, a string, ``true``, ``false`` or ``none``.

    ``text`` is the literal as written (``1e-4``, ``0x1F``), so that the printer
    gives it back unchanged.
    """

    value: int | float | str | bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A name, to be looked up: a parameter, a tensor, a layer, a constant, a choice."""

    id: str


@dataclass(frozen=True, slots=True)
class ListExpr(Node):
    """``[a, b]``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class TupleExpr(Node):
    """``(a, b)``, ``(a,)``, ``()``."""

    items: tuple[Expr, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """``[element for targets in iterable if condition]``; ``condition`` may be None."""

    element: Expr
    targets: tuple[str, ...]
    iterable: Expr
    condition: Expr | None


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """``-x``, ``+x``, ``not x``."""

    op: Literal["-", "+", "not"]
    operand: Expr


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Arithmetic (``+ - * / // % **``) and ``and``/``or``."""

    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True, slots=True)
class Compare(Node):
    """A chain as in Python: ``a < b <= c``; ops of ``== != < <= > >= in``, ``not in``."""

    first: Expr
    rest: tuple[tuple[str, Expr], ...]


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """``a if condition else b``."""

    condition: Expr
    then: Expr
    otherwise: Expr


@dataclass(frozen=True, slots=True)
class Index(Node):
    """``value[index]``."""

    value: Expr
    index: Expr


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """``value.name``: ``it.channels``, ``embed.weight``, ``nn.Hardswish``."""

    value: Expr
    name: str
    name_span: Span = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Argument(Node):
    """One argument of a call; ``name`` is None where it is given by position."""

    name: str | None
    value: Expr


@dataclass(frozen=True, slots=True)
class Call(Node):
    """``callee(arguments)``: a layer or block with its arguments bound, or ``range(4)``."""

    callee: Expr
    arguments: tuple[Argument, ...]


Expr: TypeAlias = (
    Literal_
    | Name
    | ListExpr
    | TupleExpr
    | Comprehension
    | Unary
    | Binary
    | Compare
    | Conditional
    | Index
    | Attribute
    | Call
)


# Statements of a body -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LabelName(Node):
    """``fc`` or ``layer{level + 1}``: text and expressions in turn, as written."""

    parts: tuple[str | Expr, ...]


@dataclass(frozen=True, slots=True)
class Body(Node):
    """``{ … }`` of a block, a group or a form: statements in order."""

    statements: tuple[Statement, ...]


@dataclass(frozen=True, slots=True)
class Stage(Node):
    """One stage of a pipeline: ``[label:] operation [as name | as (a, b)]``."""

    label: LabelName | None
    operation: Operation
    names: tuple[str, ...] = ()
    name_spans: tuple[Span, ...] = field(default=(), repr=False, compare=False)
    tuple_names: bool = False
    """Whether the names stood in parentheses."""


@dataclass(frozen=True, slots=True)
class Pipeline(Node):
    """``stage -> stage -> stage``."""

    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class Let(Node):
    """``let name = expression``, at the top of a file or in a body."""

    name: str
    name_span: Span = field(repr=False, compare=False)
    value: Expr
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Input(Node):
    """``input image: [3, H, W]``, ``input tokens: int[T]``; in a block ``input query, memory``.

    ``sizes`` is None where none are written; then there may be several names.
    ``dtype`` is None, ``"int"`` or ``"float"``.
    """

    names: tuple[str, ...]
    name_spans: tuple[Span, ...] = field(repr=False, compare=False)
    dtype: str | None = None
    sizes: tuple[Expr, ...] | None = None


@dataclass(frozen=True, slots=True)
class Output(Node):
    """``output a, b`` or ``output aux in training``."""

    names: tuple[str, ...]
    name_spans: tuple[Span, ...] = field(repr=False, compare=False)
    training: bool = False


Statement: TypeAlias = Pipeline | Let | Input | Output


# What a stage can do --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Apply(Node):
    """An expression as a stage: ``conv(64, 3)``, ``relu``, ``skip``, ``nn.Hardswish()``."""

    expression: Expr


@dataclass(frozen=True, slots=True)
class Group(Node):
    """``{ … }`` as a stage."""

    body: Body


@dataclass(frozen=True, slots=True)
class Repeat(Node):
    """``repeat n [shared] { … }``."""

    count: Expr
    shared: bool
    body: Body


@dataclass(frozen=True, slots=True)
class For(Node):
    """``for a, b in list { … }``."""

    targets: tuple[str, ...]
    iterable: Expr
    body: Body


@dataclass(frozen=True, slots=True)
class If(Node):
    """``if c { … } else { … }``; ``else if`` is an If alone in ``otherwise``'s body."""

    condition: Expr
    then: Body
    otherwise: Body | None


@dataclass(frozen=True, slots=True)
class Residual(Node):
    """``residual(drop_path = 0.1, when = c) { f } shortcut { g }``."""

    arguments: tuple[Argument, ...]
    body: Body
    shortcut: Body | None
    keyword: Span = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Dense(Node):
    """``dense { f }``."""

    body: Body
    keyword: Span = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Branch(Node):
    """``branch concat { … }``: each statement a path.

    ``merge`` is an expression (``concat``, ``concat(axis = 2)``, ``add``) or None.
    """

    merge: Expr | None
    body: Body
    keyword: Span = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class UNet(Node):
    """``unet level in range(4) { encode … down … bottom … up … join … decode … }``.

    ``parts`` holds each written part once, by its name, in the order written.
    """

    target: str
    iterable: Expr
    parts: tuple[tuple[str, Body], ...]
    keyword: Span = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Scan(Node):
    """``scan h = zeros(256), c = zeros(8) { … as h }``."""

    carried: tuple[tuple[str, Expr], ...]
    body: Body
    keyword: Span = field(repr=False, compare=False)


Operation: TypeAlias = Apply | Group | Repeat | For | If | Residual | Dense | Branch | UNet | Scan


# Declarations ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    """A parameter of a block or network, with its default where it has one."""

    name: str
    default: Expr | None


@dataclass(frozen=True, slots=True)
class Import(Node):
    """``from "blocks.arch" import bottleneck, squeeze_excite``, or ``from std import …``."""

    module: str
    is_std: bool
    names: tuple[str, ...]
    name_spans: tuple[Span, ...] = field(repr=False, compare=False)
    module_span: Span = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Definition(Node):
    """``block``, ``sequence`` or ``network`` NAME(parameters) { … }; ``doc`` is its comment."""

    kind: Literal["block", "sequence", "network"]
    name: str
    name_span: Span = field(repr=False, compare=False)
    parameters: tuple[Parameter, ...]
    body: Body
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Alias(Node):
    """``network resnet18 = resnet(basic, [2, 2, 2, 2])``."""

    name: str
    name_span: Span = field(repr=False, compare=False)
    value: Expr
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Then(Node):
    """``a then b at epoch n``, or ``a -> b`` (``at`` None), in a train setting."""

    first: Setting
    second: Setting
    at: Expr | None
    keyword: Literal["then", "->"] = "then"


@dataclass(frozen=True, slots=True)
class Entry(Node):
    """``key: value`` of a train block."""

    key: str
    value: Setting


@dataclass(frozen=True, slots=True)
class Settings(Node):
    """``{ key: value … }`` as the value of a setting."""

    entries: tuple[Entry, ...]


Setting: TypeAlias = Expr | Then | Settings


@dataclass(frozen=True, slots=True)
class Train(Node):
    """``train { … }``, ``train for NETWORK { … }``, ``train NAME for NETWORK { … }``."""

    name: str | None
    network: str | None
    entries: tuple[Entry, ...]
    doc: str = ""


Declaration: TypeAlias = Import | Let | Definition | Alias | Train


@dataclass(frozen=True, slots=True)
class Comment(Node):
    """A comment, ``#`` and all, kept for the formatter."""

    text: str


@dataclass(frozen=True, slots=True)
class File(Node):
    """A whole file: its declarations, and its comments by place."""

    source: Source = field(repr=False, compare=False)
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
