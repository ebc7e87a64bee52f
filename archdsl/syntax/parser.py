"""Turns the text of a file into its syntax tree, by the grammar in grammars/arch.lark.

Lark finds the structure and calls :class:`_Builder` as it goes, so that no parse
tree stands between the text and the nodes of :mod:`archdsl.syntax.ast`. What goes
wrong is put into words by :mod:`archdsl.syntax.expected`.
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import threading
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedInput, UnexpectedToken
from lark.lark import PostLex

from archdsl.collector import collection_paused
from archdsl.diagnostics import ArchError, Diagnostic, Label, Source, Span
from archdsl.syntax import ast, expected, precedence
from archdsl.syntax.lexer import Lexer

BRACKET_LIMIT = 64
"""How deep brackets may be nested."""

DEPTH_LIMIT = 200
"""How deep the tree may be: whoever walks it by recursion can rely on both."""

DIGIT_LIMIT = 1_000
"""How many digits a number may have."""

NAME_LIMIT = 1_000
"""How many characters a name may have: every message that is about it repeats it."""


def parse(source: Source) -> ast.File:
    """The syntax tree of a file; raises :class:`ArchError` where it is not one."""
    _refuse_characters(source)
    with _lock, collection_paused():
        lark, builder, lines = _parser()
        builder.source, lines.source = source, source
        run = lark.parse_interactive(source.text)
        try:
            for _ in run.iter_parse():
                pass
            file: ast.File = run.feed_eof()  # type: ignore[no-untyped-call]  # untyped in Lark
        except UnexpectedInput as error:
            at = _stopped_at(error, lines.state, source)
            accepted: set[str] = run.accepts()  # type: ignore[no-untyped-call]  # untyped in Lark
            raise ArchError([expected.explain(source, at, accepted, lines.state)]) from None
    _refuse_depth(file)
    return _with_comments(file, lines.state.comments)


def _stopped_at(error: UnexpectedInput, state: expected.LexerState, source: Source) -> int:
    """The offset that a person would point at: a missing piece is missed at its line's end."""
    if not isinstance(error, UnexpectedToken):
        return cast("int", error.pos_in_stream)
    token: Token = error.token
    if token.type == "$END":
        return len(source.text)
    if token.type != "_SEP" or str(token) == ";" or state.last is None:
        return token.start_pos or 0
    gap = _GAP.match(source.text, state.last.end_pos or 0)
    return gap.end() if gap else 0


_GAP = re.compile(r"[ \t\r]*")


def find_grammar() -> Path:
    """Where the grammar lies: in an installed package, or in the repository's grammars/."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "grammars" / "arch.lark"
    return installed if installed.is_file() else package.parent / "grammars" / "arch.lark"


# Lines and brackets ---------------------------------------------------------------

_CLOSERS = {"RPAR": "LPAR", "RSQB": "LSQB", "RBRACE": "LBRACE", "LABEL_END": "LABEL_START"}
_OPENERS = frozenset(_CLOSERS.values())
_COMMENT = re.compile(r"#[^\n]*")


class _Lines(PostLex):
    """Turns newlines into separators where they matter, and watches the brackets."""

    always_accept = ("NEWLINE", "CONTINUATION", "COMMENT", "SEMICOLON")

    def __init__(self) -> None:
        self.source = Source("", "")
        self.state = expected.LexerState()

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        self.state = state = expected.LexerState()
        separated = True  # whether a newline would say nothing here
        for token in stream:
            kind = token.type
            if kind in ("NEWLINE", "CONTINUATION", "COMMENT"):
                if "#" in token:
                    self._keep_comments(token)
                is_white = bool(state.open) and state.open[-1].type != "LBRACE"
                if separated or is_white or kind != "NEWLINE":
                    continue
                kind = token.type = "_SEP"
            elif kind == "SEMICOLON":
                kind = token.type = "_SEP"
            if kind in _OPENERS:
                state.open.append(token)
                if len(state.open) > BRACKET_LIMIT:
                    raise _error(
                        "too-deep",
                        f"brackets are nested more than {BRACKET_LIMIT} deep",
                        self._span(token),
                    )
            if len(token) > NAME_LIMIT and kind in ("NAME", "LABEL"):
                raise _error(
                    "syntax",
                    f"this name has more than {NAME_LIMIT:,} characters",
                    self._span(token),
                )
            yield token
            state.before = state.last
            state.last = token
            separated = kind in ("_SEP", "LBRACE", "ARROW")
            if kind in _CLOSERS and state.open and state.open[-1].type == _CLOSERS[kind]:
                state.open.pop()

    def _keep_comments(self, token: Token) -> None:
        start = token.start_pos or 0
        for found in _COMMENT.finditer(token):
            text = found.group().rstrip()
            at = start + found.start()
            span = Span(self.source, at, at + len(text))
            self.state.comments.append(ast.Comment(span, text))

    def _span(self, token: Token) -> Span:
        start = token.start_pos or 0
        return Span(self.source, start, start + len(token))


# From what the grammar found to nodes ---------------------------------------------

Children: TypeAlias = list[Any]
"""What Lark gives to a rule: tokens, and what the rules below made."""

_DTYPES = ("int", "float")
_CONSTANTS = {"true": True, "false": False, "none": None}
_ESCAPES = {"n": "\n", "t": "\t", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)")


def _operator(token: Token) -> str:
    return "not in" if token.type == "NOT_IN" else str(token)


class _Builder(Transformer[Token, ast.File]):
    """Makes the node of each rule of the grammar; a method bears its rule's name."""

    def __init__(self) -> None:
        super().__init__()
        self.source = Source("", "")

    # Places

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start_pos or 0, token.end_pos or 0)

    def _over(self, first: Token | ast.Node, last: Token | ast.Node) -> Span:
        start = first.start_pos if isinstance(first, Token) else first.span.start
        end = last.end_pos if isinstance(last, Token) else last.span.end
        return Span(self.source, start or 0, end or 0)

    def _declared(self, token: Token, reserved: frozenset[str] = expected.RESERVED) -> str:
        """A word as the name of something; the words of the language cannot be that."""
        if str(token) == "else":
            message = "`else` stands here without an `if` before it"
            raise _error("syntax", message, self._span(token))
        if token in reserved:
            raise _error(
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
        where = "std" if is_std else self._unescape(module)
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
            self._declared(name, expected.OPERATOR_WORDS),
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
        word = self._declared(name, expected.OPERATOR_WORDS)
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
            raise _error(
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
                raise _error(
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
                    raise _error(
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
        return ast.Name(self._span(token), self._declared(token, expected.OPERATOR_WORDS))

    def constant(self, children: Children) -> ast.Literal_:
        token = children[0]
        return ast.Literal_(self._span(token), _CONSTANTS[token], str(token))

    def integer(self, children: Children) -> ast.Literal_:
        token = children[0]
        return ast.Literal_(self._span(token), self._integer_value(token), str(token))

    def floating(self, children: Children) -> ast.Literal_:
        token = children[0]
        self._refuse_digits(token)
        try:
            value = float(token)
        except ValueError:
            raise self._not_a_number(token) from None
        if math.isinf(value):
            raise _error("syntax", "this number is too large for a float", self._span(token))
        return ast.Literal_(self._span(token), value, str(token))

    def string(self, children: Children) -> ast.Literal_:
        token = children[0]
        return ast.Literal_(self._span(token), self._unescape(token), str(token))

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

    # Literals

    def _integer_value(self, token: Token) -> int:
        self._refuse_digits(token)
        if token[0] == "0" and token.strip("0_") and token[1].isdecimal():
            raise _error(
                "syntax",
                f"`{token}` begins with 0",
                self._span(token),
                help=f"write `{token.lstrip('0_')}`, or `0o…` for a number in base 8",
            )
        try:
            return int(token, 0)
        except ValueError:
            raise self._not_a_number(token) from None

    def _refuse_digits(self, token: Token) -> None:
        if len(token) > DIGIT_LIMIT:
            raise _error(
                "syntax",
                f"this number has more than {DIGIT_LIMIT:,} digits",
                self._span(token),
            )

    def _not_a_number(self, token: Token) -> ArchError:
        return _error(
            "syntax",
            f"`{token}` is not a number",
            self._span(token),
            help="an underscore stands between two digits",
        )

    def _unescape(self, token: Token) -> str:
        inside = token[1:-1]
        if "\\" not in inside:
            return str(inside)
        start = (token.start_pos or 0) + 1

        def meant(found: re.Match[str]) -> str:
            letter = found.group(1)
            if letter in _ESCAPES:
                return _ESCAPES[letter]
            if len(letter) == 5 and not 0xD800 <= int(letter[1:], 16) <= 0xDFFF:
                return chr(int(letter[1:], 16))
            at = Span(self.source, start + found.start(), start + found.end())
            raise _error(
                "syntax",
                f"`{at.text}` means nothing in a string",
                at,
                help=r"the escapes are \n, \t, \", \', \\ and \u with four hexadecimal digits; "
                r"for a backslash itself write \\",
            )

        return _ESCAPE.sub(meant, inside)


# Python's own words cannot be, or had better not be, the names of methods.
for _rule in ("import", "for", "if", "tuple", "list"):
    setattr(_Builder, _rule, getattr(_Builder, f"{_rule}_"))


# Building the parser --------------------------------------------------------------

_lock = threading.Lock()  # the builder and the lines belong to one parse at a time


@cache
def _parser() -> tuple[Lark, _Builder, _Lines]:
    builder, lines = _Builder(), _Lines()
    grammar = find_grammar().read_text(encoding="utf-8")

    def build(cache_file: Path | None) -> Lark:
        return Lark(
            grammar,
            parser="lalr",
            lexer="contextual",
            postlex=lines,
            transformer=builder,
            maybe_placeholders=True,
            cache=str(cache_file) if cache_file else False,
            _plugins={"ContextualLexer": Lexer},
        )

    kept = _cache_file(grammar)
    if kept is None:
        return build(None), builder, lines
    if kept.is_file():
        return build(kept), builder, lines
    unfinished = kept.with_suffix(f".{os.getpid()}")
    lark = build(unfinished)
    with suppress(OSError):  # another process may read it only when it is whole
        unfinished.replace(kept)
    return lark, builder, lines


def _cache_file(grammar: str) -> Path | None:
    """Where Lark may keep its tables: a pickle, so only in the user's own folder."""
    try:
        told = Path(os.environ.get("XDG_CACHE_HOME", ""))
        folder = (told if told.is_absolute() else Path.home() / ".cache") / "archdsl"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    if not os.access(folder, os.W_OK):
        return None
    digest = hashlib.sha256(grammar.encode()).hexdigest()[:16]
    return folder / f"grammar-{digest}.lark"


# What no tree may contain ---------------------------------------------------------

_UNWELCOME = re.compile(r"\0|\r(?!\n)")


def _refuse_characters(source: Source) -> None:
    found = _UNWELCOME.search(source.text)
    if found is None:
        return
    span = Span(source, found.start(), found.end())
    if found.group() == "\0":
        raise _error("syntax", "there is a NUL character here: is this a text file?", span)
    raise _error(
        "syntax",
        "there is a carriage return here that ends no line",
        span,
        help="end lines with a line feed (LF), or with both (CRLF)",
    )


def _refuse_depth(file: ast.File) -> None:
    """Refuses a tree deeper than DEPTH_LIMIT.

    A node of n characters is at most n deep, give or take the nodes that add no
    character of their own, so that short nodes need no look.
    """
    waiting: list[tuple[Any, int]] = [(d, 1) for d in file.declarations]
    while waiting:
        item, depth = waiting.pop()
        if isinstance(item, tuple):
            waiting.extend((part, depth) for part in item if isinstance(part, (ast.Node, tuple)))
            continue
        if depth > DEPTH_LIMIT:
            raise _error(
                "too-deep",
                f"this is nested more than {DEPTH_LIMIT} deep",
                item.span,
                help="give a part of it a name of its own",
            )
        if depth + 4 * (item.span.end - item.span.start) <= DEPTH_LIMIT:
            continue
        for name in _child_fields(type(item).__name__):
            child = getattr(item, name)
            if isinstance(child, (ast.Node, tuple)):
                waiting.append((child, depth + 1))


@cache
def _child_fields(kind: str) -> tuple[str, ...]:
    names: tuple[str, ...] = getattr(ast, kind).__match_args__
    return tuple(n for n in names if not n.endswith(("span", "spans")) and n != "keyword")


# Comments -------------------------------------------------------------------------


def _with_comments(file: ast.File, comments: list[ast.Comment]) -> ast.File:
    """The file with its comments, and those right above a declaration as its ``doc``."""
    if not comments:
        return file
    position = file.source.position
    by_line: dict[int, str] = {}
    for comment in comments:
        line, column = position(comment.span.start)
        before = file.source.text[comment.span.start - column + 1 : comment.span.start]
        if not before.strip(" \t\ufeff"):
            by_line[line] = comment.text[1:].removeprefix(" ")
    declarations: list[ast.Declaration] = []
    last_line = 0
    for declaration in file.declarations:
        line = position(declaration.span.start)[0]
        first = line
        while first - 1 in by_line and line != last_line:
            first -= 1
        if first < line and not isinstance(declaration, ast.Import):
            doc = "\n".join(by_line[n] for n in range(first, line))
            declarations.append(replace(declaration, doc=doc))
        else:
            declarations.append(declaration)
        last_line = position(declaration.span.end)[0]
    return replace(file, declarations=tuple(declarations), comments=tuple(comments))


def _error(
    code: str,
    message: str,
    span: Span,
    labels: tuple[Label, ...] = (),
    help: str = "",
) -> ArchError:
    return ArchError([Diagnostic(code, message, span, labels=labels, help=help)])
