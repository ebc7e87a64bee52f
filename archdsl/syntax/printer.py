"""Writes a syntax tree back as canonical text: the formatter, and quotations in messages.

What stood on one line stays on one where it fits; a body that was written over
several lines stays so. Comments and single blank lines are kept in their places:
the printer walks the tree in the order of the text and takes each comment when it
comes by.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

from archdsl.diagnostics import Source, Span
from archdsl.syntax import ast
from archdsl.syntax import precedence as level
from archdsl.syntax.layout import (
    Break,
    Doc,
    Group,
    Join,
    Line,
    Suffix,
    group,
    join,
    render,
    separated,
)
from archdsl.syntax.words import OPERATOR_WORDS, RESERVED

INDENT = 4


def format_source(file: ast.File) -> str:
    """The file as canonical text."""
    text = render(_Printer(file.source, file.comments).file(file))
    return text + "\n" if text else ""


def print_expression(expression: ast.Expr) -> str:
    """The expression on one line."""
    return _flat(_quoting().expression(expression))


def print_label(label: ast.LabelName) -> str:
    """A label without its colon: ``layer{i + 1}``."""
    return "".join(p if isinstance(p, str) else f"{{{print_expression(p)}}}" for p in label.parts)


def print_pipeline(pipeline: ast.Pipeline) -> str:
    """The pipeline on one line."""
    return _flat(_quoting().pipeline(pipeline))


_NOWHERE = Source("", "")
_FIRST_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_STARTS_STATEMENT = RESERVED - OPERATOR_WORDS | {"let", "if", "for"}


def _quoting() -> _Printer:
    return _Printer(_NOWHERE, (), keeps_lines=False)


def _flat(doc: Doc) -> str:
    return render(Group(join([doc])), width=1_000_000_000)


@dataclass(frozen=True)
class _Item:
    """One of several things that stand under or beside one another, made when its turn comes."""

    span: Span
    make: Callable[[], Doc]
    has_body: bool = False


class _Printer:
    def __init__(
        self, source: Source, comments: Sequence[ast.Comment], keeps_lines: bool = True
    ) -> None:
        self.text = source.text
        self.comments = sorted(comments, key=lambda c: c.span.start)
        self.taken = 0
        self.keeps_lines = keeps_lines
        self.brackets = 0

    # Comments

    def take(self, end: int) -> list[ast.Comment]:
        """The comments not yet printed that start before a place."""
        first = self.taken
        while self.taken < len(self.comments) and self.comments[self.taken].span.start < end:
            self.taken += 1
        return self.comments[first : self.taken]

    def take_suffix(self, end: int) -> list[Doc]:
        """The comments up to a place and those on its line, to stand at the line's end."""
        line_end = self.text.find("\n", end)
        found = self.take(line_end if line_end >= 0 else len(self.text) + 1)
        return [Suffix("  ".join(c.text for c in found))] if found else []

    def has_comment_before(self, end: int) -> bool:
        return self.taken < len(self.comments) and self.comments[self.taken].span.start < end

    def is_multiline(self, start: int, end: int) -> bool:
        return self.keeps_lines and "\n" in self.text[start:end]

    def blank_between(self, start: int, end: int) -> int:
        return 1 if self.text[start:end].count("\n") > 1 else 0

    # Several of a kind

    def lines(self, items: Sequence[_Item], end: int) -> list[Doc]:
        """The items under one another, with the comments between them and before ``end``."""
        result: list[Doc] = []
        last = -1  # where the last thing printed ended

        def add(doc: list[Doc], span: Span) -> None:
            nonlocal last
            if last >= 0:
                result.append(Break(self.blank_between(last, span.start)))
            result.extend(doc)
            last = span.end

        for item in items:
            for comment in self.take(item.span.start):
                add([comment.text], comment.span)
            content = item.make()
            add([content, *self.take_suffix(item.span.end)], item.span)
            last = max(last, self.comments[self.taken - 1].span.end if self.taken else 0)
        for comment in self.take(end):
            add([comment.text], comment.span)
        return result

    def braces(self, items: Sequence[_Item], start: int, end: int) -> Doc:
        """``{ … }`` from start to end: on one line if it stood there and fits."""
        line_end = self.text.find("\n", start, end)
        opening = self.take_suffix(start + 1) if line_end >= 0 else []
        if not items and not opening and not self.has_comment_before(end):
            return "{}"
        if opening or self.is_multiline(start, end):
            lines = self.lines(items, end)
            inside = [join([Break(), *lines], INDENT)] if lines else []
            return join(["{", *opening, *inside, Break(), "}"])
        content = separated([item.make() for item in items], Line("; "))
        return group("{", join([Line(), *content], INDENT), Line(), "}")

    def bracketed(self, opener: str, items: Sequence[_Item], closer: str, end: int) -> Doc:
        """``( … )`` or ``[ … ]``, wrapped one level inside if it is too long."""
        if not items and not self.has_comment_before(end):
            return opener + closer
        self.brackets += 1
        content: list[Doc] = []
        commented = False
        for number, item in enumerate(items):
            if number:
                content.append(Line())
            for comment in self.take(item.span.start):
                content += [comment.text, Break()]
                commented = True
            content.append(item.make())
            if number + 1 < len(items):
                content.append(",")
            if self.has_comment_before(end):
                before = self.taken
                limit = items[number + 1].span.start if number + 1 < len(items) else end
                line_end = self.text.find("\n", item.span.end, end)
                if line_end >= 0:
                    found = self.take(min(limit, line_end))
                    content += [Suffix("  ".join(c.text for c in found))] if found else []
                commented = commented or self.taken > before
        for comment in self.take(end):
            content += [Break(), comment.text] if content else [comment.text]
            commented = True
        self.brackets -= 1
        inner: Doc = join(content) if commented else group(*content)
        edge: Doc = Break() if commented else Line("")
        return group(opener, join([edge, inner], INDENT), edge, closer)

    # Declarations

    def file(self, file: ast.File) -> Doc:
        result: list[Doc] = []
        last_end = -1
        last: ast.Declaration | None = None
        for declaration in file.declarations:
            fresh = last is not None  # whether a blank line is owed to the declaration before
            for comment in self.take(declaration.span.start):
                if last_end >= 0:
                    owed = fresh and not (_is_short(last) and _is_short(declaration))
                    blank = self.blank_between(last_end, comment.span.start)
                    result.append(Break(max(blank, owed)))
                result.append(comment.text)
                last_end, fresh = comment.span.end, False
            if last_end >= 0:
                owed = fresh and not (_is_short(last) and _is_short(declaration))
                blank = self.blank_between(last_end, declaration.span.start)
                result.append(Break(max(blank, owed)))
            result.append(self.declaration(declaration))
            result += self.take_suffix(declaration.span.end)
            last, last_end = declaration, declaration.span.end
            last_end = max(last_end, self.comments[self.taken - 1].span.end if self.taken else 0)
        for comment in self.take(len(self.text) + 1):
            if last_end >= 0:
                result.append(Break(self.blank_between(last_end, comment.span.start)))
            result.append(comment.text)
            last_end = comment.span.end
        return join(result)

    def declaration(self, node: ast.Declaration) -> Doc:
        if isinstance(node, ast.Import):
            return self.import_(node)
        if isinstance(node, ast.Let):
            return join([f"let {node.name} = ", self.expression(node.value)])
        if isinstance(node, ast.Alias):
            return join([f"network {node.name} = ", self.expression(node.value)])
        if isinstance(node, ast.Train):
            name = f"{node.name} " if node.name else ""
            network = f"for {node.network} " if node.network else ""
            start = self.brace_after(node.span.start, node.entries, node.span.end)
            entries = self.entries(node.entries, start, node.span.end)
            return join([f"train {name}{network}", entries])
        head: Doc = f"{node.kind} {node.name}"
        if node.parameters or self.has_comment_before(node.body.span.start):
            items = [_Item(p.span, partial(self.parameter, p)) for p in node.parameters]
            head = join([head, self.bracketed("(", items, ")", node.body.span.start)])
        return join([head, " ", self.body(node.body)])

    def import_(self, node: ast.Import) -> Doc:
        module = "std" if node.is_std else _quoted(node.module, node.module_span.text)
        names = self.names(node.names, node.name_spans)
        head = f"from {module} import "
        flat = _flat(join(separated(node.names, ", ")))
        if len(head) + len(flat) <= 100 and not self.has_comment_before(node.span.end):
            return head + flat
        return join([head, self.bracketed("(", names, ")", node.span.end)])

    def parameter(self, node: ast.Parameter) -> Doc:
        if node.default is None:
            return node.name
        return join([f"{node.name} = ", self.expression(node.default)])

    def entries(self, entries: Sequence[ast.Entry], start: int, end: int) -> Doc:
        return self.braces([_Item(e.span, partial(self.entry, e)) for e in entries], start, end)

    def entry(self, node: ast.Entry) -> Doc:
        return join([f"{node.key}: ", self.setting(node.value)])

    def setting(self, node: ast.Setting) -> Doc:
        if isinstance(node, ast.Settings):
            return self.entries(node.entries, node.span.start, node.span.end)
        if not isinstance(node, ast.Then):
            return self.expression(node)
        if node.at is not None:
            first, second = self.setting(node.first), self.setting(node.second)
            return join([first, " then ", second, " at epoch ", self.expression(node.at)])
        chain: list[ast.Setting] = [node.second]
        start = node.first
        while isinstance(start, ast.Then) and start.at is None:
            chain.append(start.second)
            start = start.first
        steps = (start, *reversed(chain))
        return self.arrows(
            [
                _Item(s.span, partial(self.setting, s), isinstance(s, (ast.Settings, ast.Then)))
                for s in steps
            ]
        )

    # Statements

    def body(self, node: ast.Body) -> Doc:
        items = [_Item(s.span, partial(self.statement, s)) for s in node.statements]
        return self.braces(items, node.span.start, node.span.end)

    def statement(self, node: ast.Statement) -> Doc:
        if isinstance(node, ast.Pipeline):
            return self.pipeline(node)
        if isinstance(node, ast.Let):
            return join([f"let {node.name} = ", self.expression(node.value)])
        if isinstance(node, ast.Output):
            training = " in training" if node.training else ""
            return f"output {', '.join(node.names)}{training}"
        names = ", ".join(node.names)
        if node.sizes is None:
            return f"input {names}"
        sizes = self.bracketed("[", self.expressions(node.sizes), "]", node.span.end)
        return join([f"input {names}: {node.dtype or ''}", sizes])

    def pipeline(self, node: ast.Pipeline) -> Doc:
        return self.arrows(
            [
                _Item(s.span, partial(self.stage, s), not isinstance(s.operation, ast.Apply))
                for s in node.stages
            ]
        )

    def arrows(self, items: Sequence[_Item]) -> Doc:
        """``a -> b -> c``: on one line, or each step on its own.

        Where a step has a body, that is broken instead, and the steps after it go on
        behind its `}` while they fit.
        """
        has_body = any(item.has_body for item in items)
        result: list[Doc] = [items[0].make()]
        last_end = items[0].span.end
        for item in items[1:]:
            lead = self.continued(last_end, item.span.start)
            is_commented = len(lead) > 1
            edge = join(lead if is_commented else [Line()], INDENT)
            content = item.make()
            if item.has_body:
                result += [edge if is_commented else " ", "-> ", content]
            elif has_body:
                result.append(group(edge, "-> ", content))
            else:
                result.append(join([edge, "-> ", join([content], INDENT)]))
            last_end = item.span.end
        return join(result) if has_body else group(*result)

    def continued(self, end: int, start: int) -> list[Doc]:
        """Before `->`, `else` or `shortcut`: a space, or comments on their lines."""
        found = self.take(start)
        if not found:
            return [" "]
        result: list[Doc] = []
        for comment in found:
            if result or self.is_multiline(end, comment.span.start):
                result += [Break(), comment.text]
            else:
                result.append(Suffix(comment.text))
        return [*result, Break()]

    def stage(self, node: ast.Stage) -> Doc:
        parts: list[Doc] = []
        if node.label is not None:
            parts.append(f"{print_label(node.label)}: ")
        parts.append(self.operation(node.operation))
        if node.tuple_names:
            names = self.names(node.names, node.name_spans)
            parts += [" as ", self.bracketed("(", names, ")", node.span.end)]
        elif node.names:
            parts.append(f" as {node.names[0]}")
        return join(parts)

    def names(self, names: Iterable[str], spans: Iterable[Span]) -> list[_Item]:
        pairs = zip(names, spans, strict=True)
        return [_Item(span, partial(str, name)) for name, span in pairs]

    # What a stage can do

    def operation(self, node: ast.Operation) -> Doc:
        if isinstance(node, ast.Apply):
            return self.apply(node.expression)
        if isinstance(node, ast.Group):
            return self.body(node.body)
        if isinstance(node, ast.Repeat):
            shared = " shared " if node.shared else " "
            return join(["repeat ", self.expression(node.count), shared, self.body(node.body)])
        if isinstance(node, ast.For):
            head = f"for {', '.join(node.targets)} in "
            return join([head, self.expression(node.iterable), " ", self.body(node.body)])
        if isinstance(node, ast.If):
            return self.if_(node)
        if isinstance(node, ast.Residual):
            return self.residual(node)
        if isinstance(node, ast.Dense):
            return join(["dense ", self.body(node.body)])
        if isinstance(node, ast.Branch):
            merge = [self.expression(node.merge, level.ATOM), " "] if node.merge is not None else []
            return join(["branch ", *merge, self.body(node.body)])
        if isinstance(node, ast.UNet):
            return self.unet(node)
        carried: list[Doc] = [
            join([f"{name} = ", self.expression(value)]) for name, value in node.carried
        ]
        return join(["scan ", *separated(carried, ", "), " ", self.body(node.body)])

    def apply(self, node: ast.Expr) -> Doc:
        doc = self.expression(node)
        word = _FIRST_WORD.match(_flat_start(doc))
        if word is None or word.group() not in _STARTS_STATEMENT:
            return doc
        return join(["(", doc, ")"])

    def if_(self, node: ast.If) -> Doc:
        parts: list[Doc] = []
        while True:
            parts += ["if ", self.expression(node.condition), " ", self.body(node.then)]
            if node.otherwise is None:
                return join(parts)
            parts += [*self.continued(node.then.span.end, node.otherwise.span.start), "else "]
            following = _only_if(node.otherwise)
            if following is None:
                parts.append(self.body(node.otherwise))
                return join(parts)
            node = following

    def residual(self, node: ast.Residual) -> Doc:
        parts: list[Doc] = ["residual"]
        if node.arguments:
            items = self.arguments(node.arguments)
            parts.append(self.bracketed("(", items, ")", node.body.span.start))
        parts += [" ", self.body(node.body)]
        if node.shortcut is not None:
            edge = self.continued(node.body.span.end, node.shortcut.span.start)
            parts += [*edge, "shortcut ", self.body(node.shortcut)]
        return join(parts)

    def unet(self, node: ast.UNet) -> Doc:
        head = join([f"unet {node.target} in ", self.expression(node.iterable), " "])
        items = [_Item(body.span, partial(self.part, name, body)) for name, body in node.parts]
        start = self.text.find("{", node.iterable.span.end, node.span.end)
        start = start if start >= 0 else node.iterable.span.end
        return join([head, self.braces(items, start, node.span.end)])

    def part(self, name: str, body: ast.Body) -> Doc:
        return join([f"{name} ", self.body(body)])

    # Expressions

    def expressions(self, nodes: Iterable[ast.Expr]) -> list[_Item]:
        return [_Item(n.span, partial(self.item, n)) for n in nodes]

    def item(self, node: ast.Expr) -> Doc:
        """An expression between brackets, where a long one may be broken at its operators."""
        doc = self.expression(node)
        return Group(doc) if isinstance(doc, Join) and isinstance(node, _BREAKABLE) else doc

    def arguments(self, nodes: Iterable[ast.Argument]) -> list[_Item]:
        return [_Item(n.span, partial(self.argument, n)) for n in nodes]

    def argument(self, node: ast.Argument) -> Doc:
        value = self.item(node.value)
        return value if node.name is None else join([f"{node.name} = ", value])

    def expression(self, node: ast.Expr, minimum: int = level.CONDITIONAL) -> Doc:
        """The expression, in parentheses where it binds looser than ``minimum``."""
        if _level(node) >= minimum:
            return self.bare(node)
        self.brackets += 1
        inside = self.bare(node)
        self.brackets -= 1
        return group("(", inside, ")")

    def bare(self, node: ast.Expr) -> Doc:
        if isinstance(node, ast.Literal_):
            return node.text
        if isinstance(node, ast.Name):
            return node.id
        if isinstance(node, (ast.Call, ast.Index, ast.Attribute)):
            return self.postfix(node)
        if isinstance(node, ast.ListExpr):
            return self.bracketed("[", self.expressions(node.items), "]", node.span.end)
        if isinstance(node, ast.TupleExpr):
            closer = ",)" if len(node.items) == 1 else ")"
            return self.bracketed("(", self.expressions(node.items), closer, node.span.end)
        if isinstance(node, ast.Comprehension):
            return self.comprehension(node)
        if isinstance(node, ast.Unary):
            space = " " if node.op == "not" else ""
            return join([f"{node.op}{space}", self.expression(node.operand, level.PREFIX[node.op])])
        if isinstance(node, ast.Binary):
            own = level.BINARY[node.op]
            left, right = own, own + 1
            if own == level.POWER:
                left, right = level.ATOM, level.SIGN
            first = self.expression(node.left, left)
            return join([first, self.edge(), f"{node.op} ", self.expression(node.right, right)])
        if isinstance(node, ast.Compare):
            parts: list[Doc] = [self.expression(node.first, level.COMPARISON + 1)]
            for op, value in node.rest:
                parts += [self.edge(), f"{op} ", self.expression(value, level.COMPARISON + 1)]
            return join(parts)
        then = self.expression(node.then, level.CONDITIONAL + 1)
        condition = self.expression(node.condition, level.CONDITIONAL + 1)
        otherwise = self.expression(node.otherwise)
        return join([then, self.edge(), "if ", condition, self.edge(), "else ", otherwise])

    def edge(self) -> Doc:
        """Before an operator: a place to break, but only inside brackets."""
        return join([Line()], INDENT) if self.brackets else " "

    def postfix(self, node: ast.Call | ast.Index | ast.Attribute) -> Doc:
        if isinstance(node, ast.Call):
            callee = self.expression(node.callee, level.ATOM)
            items = self.arguments(node.arguments)
            return join([callee, self.bracketed("(", items, ")", node.span.end)])
        value = self.expression(node.value, level.ATOM)
        if isinstance(node, ast.Attribute):
            is_number = isinstance(node.value, ast.Literal_) and node.value.text[0] in "0123456789."
            return join(["(", value, f").{node.name}"] if is_number else [value, f".{node.name}"])
        index = self.expressions([node.index])
        return join([value, self.bracketed("[", index, "]", node.span.end)])

    def comprehension(self, node: ast.Comprehension) -> Doc:
        def content() -> Doc:
            parts = [
                self.expression(node.element),
                Line(),
                f"for {', '.join(node.targets)} in ",
                self.expression(node.iterable, level.CONDITIONAL + 1),
            ]
            if node.condition is not None:
                condition = self.expression(node.condition, level.CONDITIONAL + 1)
                parts += [Line(), "if ", condition]
            return group(*parts)

        inside = Span(node.span.source, node.element.span.start, node.span.end - 1)
        return self.bracketed("[", [_Item(inside, content)], "]", node.span.end)

    def brace_after(self, start: int, entries: Sequence[ast.Entry], end: int) -> int:
        """Where the ``{`` of a train block stands."""
        first = entries[0].span.start if entries else end
        found = self.text.find("{", start, first)
        return found if found >= 0 else start


_BREAKABLE = (ast.Binary, ast.Compare, ast.Conditional, ast.Unary)


def _level(node: ast.Expr) -> int:
    if isinstance(node, ast.Conditional):
        return level.CONDITIONAL
    if isinstance(node, ast.Binary):
        return level.BINARY[node.op]
    if isinstance(node, ast.Compare):
        return level.COMPARISON
    if isinstance(node, ast.Unary):
        return level.PREFIX[node.op]
    return level.ATOM


def _only_if(body: ast.Body) -> ast.If | None:
    """The ``if`` of an ``else if``."""
    if len(body.statements) != 1 or not isinstance(body.statements[0], ast.Pipeline):
        return None
    stages = body.statements[0].stages
    if len(stages) != 1 or stages[0].label is not None or stages[0].names:
        return None
    operation = stages[0].operation
    return operation if isinstance(operation, ast.If) else None


def _is_short(declaration: ast.Declaration | None) -> bool:
    """Whether it may stand right under another such declaration."""
    return isinstance(declaration, (ast.Import, ast.Let, ast.Alias))


def _flat_start(doc: Doc) -> str:
    """The first piece of text of a document."""
    while not isinstance(doc, str):
        if isinstance(doc, Group):
            doc = doc.content
        elif isinstance(doc, Join) and doc.parts:
            doc = doc.parts[0]
        else:
            return ""
    return doc


def _quoted(text: str, written: str) -> str:
    """The string as it was written, or else in double quotes."""
    if written[:1] in ("'", '"'):
        return written
    escapes = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t"}
    return '"' + "".join(escapes.get(c, c) for c in text) + '"'
