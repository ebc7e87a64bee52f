"""Makes the nodes of the syntax tree from what the grammar finds, a rule at a time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, TypeAlias, cast

from archdsl.diagnostics import Label, Source, Span
from archdsl.syntax import ast, precedence
from archdsl.syntax.limits import refusal
from archdsl.syntax.literals import CONSTANTS, float_value, integer_value, string_value
from archdsl.syntax.tokens import Token
from archdsl.syntax.words import OPERATOR_WORDS, RESERVED

Children: TypeAlias = list[Any]
"""What a rule is given: tokens, and what the rules below made."""

_DTYPES = ("int", "float")


def _operator(token: Token) -> str:
    return "not in" if token.type == "NOT_IN" else str(token)


class TreeBuilder:
    """Makes the node of each rule of the grammar; a method bears its rule's name."""

    def __init__(self, source: Source) -> None:
        self.source = source

    # Places

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start_pos, token.end_pos)

    def _over(self, first: Token | ast.Node, last: Token | ast.Node) -> Span:
        start = first.start_pos if isinstance(first, Token) else first.span.start
        end = last.end_pos if isinstance(last, Token) else last.span.end
        return Span(self.source, start, end)

    def _declared(self, token: Token, reserved: frozenset[str] = RESERVED) -> str:
        """A word as the name of something; the words of the language cannot be that."""
        if str(token) == "else":
            message = "`else` stands here without an `if` before it"
            raise refusal("syntax", message, self._span(token))
        if token in reserved:
            raise refusal(
                "syntax",
                f"`{token}` is a word of the language and cannot be a name",
                self._span(token),
                help=f"choose another name, such as `{token}_`",
            )
        return str(token)

    def _all_declared(self, tokens: list[Token]) -> tuple[tuple[str, ...], tuple[Span, ...]]:
        return tuple(map(self._declared, tokens)), tuple(map(self._span, tokens))

    # Declarations

    def start(self, children: Children) -> ast.File:
        return ast.File(Span(self.source, 0, len(self.source.text)), self.source, tuple(children))

    def module(self, children: Children) -> Token:
        return cast(Token, children[0])

    def import_(self, children: Children) -> ast.Import:
        keyword, module, _, *rest = children
        names, spans = self._all_declared([t for t in rest if t.type == "NAME"])
        is_std = module.type == "STD"
        where = "std" if is_std else string_value(module, self.source)
        span = self._over(keyword, rest[-1])
        return ast.Import(span, where, is_std, names, spans, self._span(module))

    def let(self, children: Children) -> ast.Let:
        keyword, name, value = children
        span = self._over(keyword, value)
        return ast.Let(span, self._declared(name), self._span(name), value)

    def definition(self, children: Children) -> ast.Definition:
        keyword, name, parameters, body = children
        return ast.Definition(
            self._over(keyword, body),
            cast(Literal["block", "sequence", "network"], str(keyword)),
            self._declared(name, OPERATOR_WORDS),
            self._span(name),
            parameters or (),
            body,
        )

    def parameters(self, children: Children) -> tuple[ast.Parameter, ...]:
        return tuple(children)

    def parameter(self, children: Children) -> ast.Parameter:
        name, default = children
        return ast.Parameter(self._over(name, default or name), self._declared(name), default)

    def alias(self, children: Children) -> ast.Alias:
        keyword, name, value = children
        span = self._over(keyword, value)
        word = self._declared(name, OPERATOR_WORDS)
        return ast.Alias(span, word, self._span(name), value)

    def train_any(self, children: Children) -> ast.Train:
        keyword, entries, end = children
        return ast.Train(self._over(keyword, end), None, None, entries)

    def train_network(self, children: Children) -> ast.Train:
        keyword, _, network, entries, end = children
        return ast.Train(self._over(keyword, end), None, str(network), entries)

    def train_named(self, children: Children) -> ast.Train:
        keyword, name, _, network, entries, end = children
        return ast.Train(self._over(keyword, end), self._declared(name), str(network), entries)

    def entries(self, children: Children) -> tuple[ast.Entry, ...]:
        return tuple(children)

    def entry(self, children: Children) -> ast.Entry:
        key, value = children
        return ast.Entry(self._over(key, value), str(key), value)

    def then(self, children: Children) -> ast.Then:
        first, _, second, _, _, at = children
        return ast.Then(self._over(first, at), first, second, at)

    def follow(self, children: Children) -> ast.Then:
        first, _, second = children
        return ast.Then(self._over(first, second), first, second, None, "->")

    def settings(self, children: Children) -> ast.Settings:
        start, entries, end = children
        return ast.Settings(self._over(start, end), entries)

    # Statements

    def body(self, children: Children) -> ast.Body:
        return ast.Body(self._over(children[0], children[-1]), tuple(children[1:-1]))

    def input_sizes(self, children: Children) -> ast.Input:
        keyword, name, _, sizes, end = children
        span = self._over(keyword, end)
        return ast.Input(span, *self._all_declared([name]), None, sizes)

    def input_typed(self, children: Children) -> ast.Input:
        keyword, name, dtype, _, sizes, end = children
        if dtype not in _DTYPES:
            raise refusal(
                "syntax",
                f"`{dtype}` is not a kind of number that an input can have",
                self._span(dtype),
                help="write `int[…]` for indices, `[…]` or `float[…]` for all else",
            )
        span = self._over(keyword, end)
        return ast.Input(span, *self._all_declared([name]), str(dtype), sizes)

    def input_names(self, children: Children) -> ast.Input:
        keyword, *names = children
        return ast.Input(self._over(keyword, names[-1]), *self._all_declared(names))

    def output(self, children: Children) -> ast.Output:
        keyword, *names, _, training = children
        span = self._over(keyword, training or names[-1])
        return ast.Output(span, *self._all_declared(names), training is not None)

    def pipeline(self, children: Children) -> ast.Pipeline:
        return ast.Pipeline(self._over(children[0], children[-1]), tuple(children[::2]))

    def stage(self, children: Children) -> ast.Stage:
        label, operation, _, outcome = children
        start = label or operation
        if outcome is None:
            return ast.Stage(self._over(start, operation), label, operation)
        tokens, is_tuple, end = outcome
        span = self._over(start, end)
        return ast.Stage(span, label, operation, *self._all_declared(tokens), is_tuple)

    def outcome_one(self, children: Children) -> tuple[list[Token], bool, Token]:
        return children, False, children[0]

    def outcome_tuple(self, children: Children) -> tuple[list[Token], bool, Token]:
        return children[1:-1], True, children[-1]

    def label(self, children: Children) -> ast.LabelName:
        return ast.LabelName(self._span(children[0]), (str(children[0]),))

    def label_parts(self, children: Children) -> ast.LabelName:
        parts = [c.strip("{}") if isinstance(c, Token) else c for c in children]
        kept = tuple(str(p) if isinstance(p, str) else p for p in parts if p != "")
        return ast.LabelName(self._over(children[0], children[-1]), kept)

    # What a stage can do

    def apply(self, children: Children) -> ast.Apply:
        return ast.Apply(children[0].span, children[0])

    def group(self, children: Children) -> ast.Group:
        return ast.Group(children[0].span, children[0])

    def repeat(self, children: Children) -> ast.Repeat:
        keyword, count, shared, body = children
        return ast.Repeat(self._over(keyword, body), count, shared is not None, body)

    def for_(self, children: Children) -> ast.For:
        keyword, *targets, _, iterable, body = children
        return ast.For(self._over(keyword, body), self._all_declared(targets)[0], iterable, body)

    def if_(self, children: Children) -> ast.If:
        keyword, condition, then, _, otherwise = children
        span = self._over(keyword, otherwise or then)
        if isinstance(otherwise, ast.If):
            at = otherwise.span
            stage = ast.Stage(at, None, otherwise)
            otherwise = ast.Body(at, (ast.Pipeline(at, (stage,)),))
        return ast.If(span, condition, then, otherwise)

    def residual(self, children: Children) -> ast.Residual:
        keyword, arguments, body, _, shortcut = children
        span = self._over(keyword, shortcut or body)
        return ast.Residual(span, arguments or (), body, shortcut, self._span(keyword))

    def dense(self, children: Children) -> ast.Dense:
        keyword, body = children
        return ast.Dense(self._over(keyword, body), body, self._span(keyword))

    def branch(self, children: Children) -> ast.Branch:
        keyword, merge, body = children
        return ast.Branch(self._over(keyword, body), merge, body, self._span(keyword))

    def unet(self, children: Children) -> ast.UNet:
        keyword, target, _, iterable, *written, end = children
        parts: dict[str, tuple[Token, ast.Body]] = {}
        for token, body in written:
            if token in parts:
                raise refusal(
                    "syntax",
                    f"`{token}` stands twice in this unet",
                    self._span(token),
                    labels=(Label(self._span(parts[token][0]), "it was given here"),),
                )
            parts[str(token)] = token, body
        return ast.UNet(
            self._over(keyword, end),
            self._declared(target),
            iterable,
            tuple((name, body) for name, (_, body) in parts.items()),
            self._span(keyword),
        )

    def part(self, children: Children) -> tuple[Token, ast.Body]:
        return children[0], children[1]

    def scan(self, children: Children) -> ast.Scan:
        keyword, *carried, body = children
        return ast.Scan(self._over(keyword, body), tuple(carried), body, self._span(keyword))

    def carried(self, children: Children) -> tuple[str, ast.Expr]:
        return self._declared(children[0]), children[1]

    # Expressions

    def conditional(self, children: Children) -> ast.Conditional:
        then, _, condition, _, otherwise = children
        return ast.Conditional(self._over(then, otherwise), condition, then, otherwise)

    def operation(self, children: Children) -> ast.Expr:
        """A flat run of operators and operands, put in the order of precedence."""
        operands: list[ast.Expr] = []
        waiting: list[tuple[int, Token, bool]] = []  # level, operator, whether it is a prefix
        is_operand_next = True
        for item in children:
            if not isinstance(item, Token):
                operands.append(item)
                is_operand_next = False
                continue
            if is_operand_next:
                level = precedence.PREFIX[item]
                if waiting and waiting[-1][0] > precedence.NOT == level:
                    raise refusal(
                        "syntax",
                        f"`not` stands after `{waiting[-1][1]}`, which binds tighter",
                        self._span(item),
                        help="write parentheses: `(not …)`",
                    )
                waiting.append((level, item, True))
                continue
            level = precedence.BINARY[_operator(item)]
            grouped = level in (precedence.POWER, precedence.COMPARISON)  # right to left; a chain
            while waiting and waiting[-1][0] >= level + grouped:
                self._apply_operator(operands, waiting)
            waiting.append((level, item, False))
            is_operand_next = True
        while waiting:
            self._apply_operator(operands, waiting)
        return operands[0]

    def _apply_operator(
        self, operands: list[ast.Expr], waiting: list[tuple[int, Token, bool]]
    ) -> None:
        """Takes the last operator and its operands off, and puts their node back."""
        level, token, is_prefix = waiting.pop()
        last = operands.pop()
        if is_prefix:
            sign = cast(Literal["-", "+", "not"], str(token))
            operands.append(ast.Unary(self._over(token, last), sign, last))
            return
        if level != precedence.COMPARISON:
            first = operands.pop()
            operands.append(ast.Binary(self._over(first, last), str(token), first, last))
            return
        rest = [(_operator(token), last)]
        while waiting and waiting[-1][0] == level:
            rest.append((_operator(waiting.pop()[1]), operands.pop()))
        first = operands.pop()
        operands.append(ast.Compare(self._over(first, last), first, tuple(reversed(rest))))

    def attribute(self, children: Children) -> ast.Attribute:
        value, name = children
        return ast.Attribute(self._over(value, name), value, str(name), self._span(name))

    def call(self, children: Children) -> ast.Call:
        callee, arguments, end = children
        return ast.Call(self._over(callee, end), callee, arguments)

    def index(self, children: Children) -> ast.Index:
        value, index, end = children
        return ast.Index(self._over(value, end), value, index)

    def arguments(self, children: Children) -> tuple[ast.Argument, ...]:
        return tuple(children)

    def argument(self, children: Children) -> ast.Argument:
        return ast.Argument(children[0].span, None, children[0])

    def named_argument(self, children: Children) -> ast.Argument:
        name, value = children
        return ast.Argument(self._over(name, value), str(name), value)

    def name(self, children: Children) -> ast.Name:
        token = children[0]
        return ast.Name(self._span(token), self._declared(token, OPERATOR_WORDS))

    def constant(self, children: Children) -> ast.Literal_:
        token = children[0]
        return ast.Literal_(self._span(token), CONSTANTS[token], str(token))

    def integer(self, children: Children) -> ast.Literal_:
        token = children[0]
        span = self._span(token)
        return ast.Literal_(span, integer_value(token, span), str(token))

    def floating(self, children: Children) -> ast.Literal_:
        token = children[0]
        span = self._span(token)
        return ast.Literal_(span, float_value(token, span), str(token))

    def string(self, children: Children) -> ast.Literal_:
        token = children[0]
        return ast.Literal_(self._span(token), string_value(token, self.source), str(token))

    def parenthesized(self, children: Children) -> ast.Expr:
        start, value, end = children
        return cast(ast.Expr, replace(value, span=self._over(start, end)))

    def tuple_(self, children: Children) -> ast.TupleExpr:
        start, *items, end = children
        return ast.TupleExpr(self._over(start, end), tuple(items))

    def list_(self, children: Children) -> ast.ListExpr:
        start, items, end = children
        return ast.ListExpr(self._over(start, end), items)

    def comprehension(self, children: Children) -> ast.Comprehension:
        start, element, _, *targets, _, iterable, _, condition, end = children
        names, _ = self._all_declared(targets)
        return ast.Comprehension(self._over(start, end), element, names, iterable, condition)

    def expressions(self, children: Children) -> tuple[ast.Expr, ...]:
        return tuple(children)


# Python's own words cannot be, or had better not be, the names of methods.
for _rule in ("import", "for", "if", "tuple", "list"):
    setattr(TreeBuilder, _rule, getattr(TreeBuilder, f"{_rule}_"))
