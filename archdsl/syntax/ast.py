"""The syntax tree: what a file says, before anything of it is given a meaning.

Every node is frozen and carries its span. ``parser`` makes the tree, ``printer``
writes it back, ``elaborate`` turns it into a graph; nobody else looks at it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from archdsl.diagnostics import Source, Span
from archdsl.syntax.node_classes import with_slots

if TYPE_CHECKING:
    from dataclasses import dataclass as node
else:

    def node(*, frozen: bool) -> Callable[[type], type]:
        """A dataclass with slots, which the type checker alone keeps frozen.

        A node is made in a fifth of the time then. What dataclasses would write anew for each
        class stands in :class:`Node`.
        """
        return with_slots


@node(frozen=True)
class Node:
    """What every node of the tree has: the place that it came from, and no part in what it says."""

    span: Span = field(repr=False, compare=False)

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        content = _content(type(self).__name__)
        return bool(content(self) == content(other))

    def __hash__(self) -> int:
        return hash((type(self), _content(type(self).__name__)(self)))

    def __repr__(self) -> str:
        shown = [f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr]
        return f"{type(self).__name__}({', '.join(shown)})"


@cache
def _content(kind: str) -> Callable[[Any], Any]:
    """What says whether two nodes of a kind are equal: all but their places."""
    return attrgetter(*(f.name for f in fields(globals()[kind]) if f.compare))


# Expressions ----------------------------------------------------------------------


@node(frozen=True)
class Literal_(Node):  # noqa: N801 - typing has a Literal, needed here as well
    """An integer, a float, a string, ``true``, ``false`` or ``none``.

    ``text`` is the literal as written (``1e-4``, ``0x1F``), so that the printer
    gives it back unchanged.
    """

    value: int | float | str | bool | None
    text: str


@node(frozen=True)
class Name(Node):
    """A name, to be looked up: a parameter, a tensor, a layer, a constant, a choice."""

    id: str


@node(frozen=True)
class ListExpr(Node):
    """``[a, b]``."""

    items: tuple[Expr, ...]


@node(frozen=True)
class TupleExpr(Node):
    """``(a, b)``, ``(a,)``, ``()``."""

    items: tuple[Expr, ...]


@node(frozen=True)
class Comprehension(Node):
    """``[element for targets in iterable if condition]``; ``condition`` may be None."""

    element: Expr
    targets: tuple[str, ...]
    iterable: Expr
    condition: Expr | None


@node(frozen=True)
class Unary(Node):
    """``-x``, ``+x``, ``not x``."""

    op: Literal["-", "+", "not"]
    operand: Expr


@node(frozen=True)
class Binary(Node):
    """Arithmetic (``+ - * / // % **``) and ``and``/``or``."""

    op: str
    left: Expr
    right: Expr


@node(frozen=True)
class Compare(Node):
    """A chain as in Python: ``a < b <= c``; ops of ``== != < <= > >= in``, ``not in``."""

    first: Expr
    rest: tuple[tuple[str, Expr], ...]


@node(frozen=True)
class Conditional(Node):
    """``a if condition else b``."""

    condition: Expr
    then: Expr
    otherwise: Expr


@node(frozen=True)
class Index(Node):
    """``value[index]``."""

    value: Expr
    index: Expr


@node(frozen=True)
class Attribute(Node):
    """``value.name``: ``it.channels``, ``embed.weight``, ``nn.Hardswish``."""

    value: Expr
    name: str
    name_span: Span = field(repr=False, compare=False)


@node(frozen=True)
class Argument(Node):
    """One argument of a call; ``name`` is None where it is given by position."""

    name: str | None
    value: Expr


@node(frozen=True)
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


@node(frozen=True)
class LabelName(Node):
    """``fc`` or ``layer{level + 1}``: text and expressions in turn, as written."""

    parts: tuple[str | Expr, ...]


@node(frozen=True)
class Body(Node):
    """``{ … }`` of a block, a group or a form: statements in order."""

    statements: tuple[Statement, ...]


@node(frozen=True)
class Stage(Node):
    """One stage of a pipeline: ``[label:] operation [as name | as (a, b)]``."""

    label: LabelName | None
    operation: Operation
    names: tuple[str, ...] = ()
    name_spans: tuple[Span, ...] = field(default=(), repr=False, compare=False)
    tuple_names: bool = False
    """Whether the names stood in parentheses."""


@node(frozen=True)
class Pipeline(Node):
    """``stage -> stage -> stage``."""

    stages: tuple[Stage, ...]


@node(frozen=True)
class Let(Node):
    """``let name = expression``, at the top of a file or in a body."""

    name: str
    name_span: Span = field(repr=False, compare=False)
    value: Expr
    doc: str = ""


@node(frozen=True)
class Input(Node):
    """``input image: [3, H, W]``, ``input tokens: int[T]``; in a block ``input query, memory``.

    ``sizes`` is None where none are written; then there may be several names.
    ``dtype`` is None, ``"int"`` or ``"float"``.
    """

    names: tuple[str, ...]
    name_spans: tuple[Span, ...] = field(repr=False, compare=False)
    dtype: str | None = None
    sizes: tuple[Expr, ...] | None = None


@node(frozen=True)
class Output(Node):
    """``output a, b`` or ``output aux in training``."""

    names: tuple[str, ...]
    name_spans: tuple[Span, ...] = field(repr=False, compare=False)
    training: bool = False


Statement: TypeAlias = Pipeline | Let | Input | Output


# What a stage can do --------------------------------------------------------------


@node(frozen=True)
class Apply(Node):
    """An expression as a stage: ``conv(64, 3)``, ``relu``, ``skip``, ``nn.Hardswish()``."""

    expression: Expr


@node(frozen=True)
class Group(Node):
    """``{ … }`` as a stage."""

    body: Body


@node(frozen=True)
class Repeat(Node):
    """``repeat n [shared] { … }``."""

    count: Expr
    shared: bool
    body: Body


@node(frozen=True)
class For(Node):
    """``for a, b in list { … }``."""

    targets: tuple[str, ...]
    iterable: Expr
    body: Body


@node(frozen=True)
class If(Node):
    """``if c { … } else { … }``; ``else if`` is an If alone in ``otherwise``'s body."""

    condition: Expr
    then: Body
    otherwise: Body | None


@node(frozen=True)
class Residual(Node):
    """``residual(drop_path = 0.1, when = c) { f } shortcut { g }``."""

    arguments: tuple[Argument, ...]
    body: Body
    shortcut: Body | None
    keyword: Span = field(repr=False, compare=False)


@node(frozen=True)
class Dense(Node):
    """``dense { f }``."""

    body: Body
    keyword: Span = field(repr=False, compare=False)


@node(frozen=True)
class Branch(Node):
    """``branch concat { … }``: each statement a path.

    ``merge`` is an expression (``concat``, ``concat(axis = 2)``, ``add``) or None.
    """

    merge: Expr | None
    body: Body
    keyword: Span = field(repr=False, compare=False)


@node(frozen=True)
class UNet(Node):
    """``unet level in range(4) { encode … down … bottom … up … join … decode … }``.

    ``parts`` holds each written part once, by its name, in the order written.
    """

    target: str
    iterable: Expr
    parts: tuple[tuple[str, Body], ...]
    keyword: Span = field(repr=False, compare=False)


@node(frozen=True)
class Scan(Node):
    """``scan h = zeros(256), c = zeros(8) { … as h }``."""

    carried: tuple[tuple[str, Expr], ...]
    body: Body
    keyword: Span = field(repr=False, compare=False)


Operation: TypeAlias = Apply | Group | Repeat | For | If | Residual | Dense | Branch | UNet | Scan


# Declarations ---------------------------------------------------------------------


@node(frozen=True)
class Parameter(Node):
    """A parameter of a block or network, with its default where it has one."""

    name: str
    default: Expr | None


@node(frozen=True)
class Import(Node):
    """``from "blocks.arch" import bottleneck, squeeze_excite``, or ``from std import …``."""

    module: str
    is_std: bool
    names: tuple[str, ...]
    name_spans: tuple[Span, ...] = field(repr=False, compare=False)
    module_span: Span = field(repr=False, compare=False)


@node(frozen=True)
class Definition(Node):
    """``block``, ``sequence`` or ``network`` NAME(parameters) { … }; ``doc`` is its comment."""

    kind: Literal["block", "sequence", "network"]
    name: str
    name_span: Span = field(repr=False, compare=False)
    parameters: tuple[Parameter, ...]
    body: Body
    doc: str = ""


@node(frozen=True)
class Alias(Node):
    """``network resnet18 = resnet(basic, [2, 2, 2, 2])``."""

    name: str
    name_span: Span = field(repr=False, compare=False)
    value: Expr
    doc: str = ""


@node(frozen=True)
class Then(Node):
    """``a then b at epoch n``, or ``a -> b`` (``at`` None), in a train setting."""

    first: Setting
    second: Setting
    at: Expr | None
    keyword: Literal["then", "->"] = "then"


@node(frozen=True)
class Entry(Node):
    """``key: value`` of a train block."""

    key: str
    value: Setting


@node(frozen=True)
class Settings(Node):
    """``{ key: value … }`` as the value of a setting."""

    entries: tuple[Entry, ...]


Setting: TypeAlias = Expr | Then | Settings


@node(frozen=True)
class Train(Node):
    """``train { … }``, ``train for NETWORK { … }``, ``train NAME for NETWORK { … }``."""

    name: str | None
    network: str | None
    entries: tuple[Entry, ...]
    doc: str = ""


Declaration: TypeAlias = Import | Let | Definition | Alias | Train


@node(frozen=True)
class Comment(Node):
    """A comment, ``#`` and all, kept for the formatter."""

    text: str


@node(frozen=True)
class File(Node):
    """A whole file: its declarations, and its comments by place."""

    source: Source = field(repr=False, compare=False)
    declarations: tuple[Declaration, ...]
    comments: tuple[Comment, ...] = field(default=(), compare=False)
