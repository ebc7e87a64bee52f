"""Mutants: what is left of a function when one small thing in it is made wrong.

Only bodies of functions are changed, and in them only what decides: messages of errors, text for
torch and for drawings stay as they are. A mutant whose bytecode is that of the original is none.
"""

from __future__ import annotations

import ast
import copy
import functools
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SWAPPED: dict[type[ast.AST], type[ast.AST]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Div: ast.Mult,
    ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
RENAMED = {"min": "max", "max": "min", "any": "all", "all": "any"}
UNTOUCHED = frozenset({"code", "caption", "__str__", "__repr__"})
TEXT_ENDINGS = ("_help", "_text", "_arguments", "_interpolate", "_words")
"""Functions that give text: goldens and runs of the source hold those."""
MESSAGES = frozenset({"OpError", "ArchError", "Diagnostic", "TypeError", "ValueError", "cast"})
WORDS = frozenset({"help", "text", "message", "reason", "doc", "what"})
TENSORS = frozenset({"inputs", "outputs"})
"""Of which there is mostly one: the last of them is the first."""
LARGEST = 16
"""Integers up to this one are counts, axes and offsets; what is larger is a limit."""

Definition = ast.FunctionDef | ast.ClassDef


@dataclass(frozen=True)
class Mutant:
    """One change of one function."""

    file: str
    function: str
    line: int
    before: str
    after: str
    code: types.CodeType
    """Of the whole changed function."""
    first_line: int
    """Where the function begins: with the file, what it is found by."""
    ordinal: int = 1
    """Which of several that read the same."""

    @property
    def name(self) -> str:
        """Stays the same where lines above it come and go."""
        nth = f" #{self.ordinal}" if self.ordinal > 1 else ""
        return f"{self.file} {self.function}: {self.before} => {self.after}{nth}"


def mutants(path: Path, name: str) -> list[Mutant]:
    """Every mutant of a file, in order; ``name`` is what the file is called in them."""
    tree = ast.parse(path.read_text(encoding="utf-8"), str(path))
    future = [n for n in tree.body if isinstance(n, ast.ImportFrom) and n.module == "__future__"]
    found: list[Mutant] = []
    seen: dict[tuple[str, str, str], int] = {}
    for chain, function in _functions(tree):
        qualified = ".".join([*(c.name for c in chain), function.name])
        original = _compile(future, chain, function, str(path))
        for before, after, line in _changes(function):
            code = _compile(future, chain, function, str(path))
            if code is None or code == original:
                continue
            key = (qualified, before, after)
            seen[key] = seen.get(key, 0) + 1
            first = code.co_firstlineno
            found.append(Mutant(name, qualified, line, before, after, code, first, seen[key]))
    return found


def _functions(
    scope: ast.Module | ast.ClassDef, chain: tuple[ast.ClassDef, ...] = ()
) -> Iterator[tuple[tuple[ast.ClassDef, ...], ast.FunctionDef]]:
    for node in scope.body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node, (*chain, node))
        elif isinstance(node, ast.FunctionDef) and not (
            node.name in UNTOUCHED or node.name.endswith(TEXT_ENDINGS)
        ):
            yield chain, node


def _compile(
    future: list[ast.ImportFrom],
    chain: tuple[ast.ClassDef, ...],
    function: ast.FunctionDef,
    path: str,
) -> types.CodeType | None:
    """The function alone, in the classes that it stands in, for ``super()`` is bound by them."""
    inner: Definition = function
    for cls in reversed(chain):
        inner = ast.ClassDef(cls.name, [], [], [inner], [])
        inner.lineno = inner.end_lineno = cls.lineno
        inner.col_offset = inner.end_col_offset = 0
    module = ast.Module([*future, inner], [])
    try:
        code = compile(ast.fix_missing_locations(module), path, "exec", dont_inherit=True)
    except (SyntaxError, ValueError):
        return None
    for wanted in [*(c.name for c in chain), function.name]:
        code = next(
            c for c in code.co_consts if isinstance(c, types.CodeType) and c.co_name == wanted
        )
    return code


# Changes --------------------------------------------------------------------------


def _changes(function: ast.FunctionDef) -> Iterator[tuple[str, str, int]]:
    """Makes one change after another in the tree itself; each is there while it is yielded."""
    for parent, field, index, node, shown in list(_places(function)):
        for changed in _alternatives(parent, field, node):
            original = ast.unparse(shown)
            _put(parent, field, index, changed)
            try:
                # What is shown may be what has been replaced, or may stand in it.
                now = ast.unparse(changed if shown is node else getattr(changed, "test", shown))
                yield _short(original), _short(now), _line_of(node)
            finally:
                _put(parent, field, index, node)


def _line_of(node: ast.AST) -> int:
    """Where it runs: a comprehension has no line of its own."""
    line: int = (node.target if isinstance(node, ast.comprehension) else node).lineno  # type: ignore[attr-defined]  # all that _CHANGES names have one
    return line


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 120 else line[:119] + "…"


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


Place = tuple[ast.AST, str, "int | None", ast.AST, ast.AST]


def _places(function: ast.FunctionDef) -> Iterator[Place]:
    body = function.body
    first = body[0]
    has_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    for index in range(1 if has_docstring else 0, len(body)):
        yield from _walk(function, "body", index, body[index], body[index])


def _walk(
    parent: ast.AST, field: str, index: int | None, node: ast.AST, shown: ast.AST
) -> Iterator[Place]:
    """Every place below; ``shown`` is the expression or statement that tells where it is."""
    if _is_text(node):
        return
    if isinstance(node, ast.expr) and not isinstance(node, ast.Constant | ast.Name | ast.UnaryOp):
        shown = node
    elif isinstance(node, ast.stmt):
        shown = node
        if isinstance(node, ast.If | ast.For | ast.While | ast.With | ast.Try):
            shown = getattr(node, "test", getattr(node, "iter", node))
    yield parent, field, index, node, shown
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "decorator_list", "returns", "type_comment", "ops", "op"}:
            continue
        if isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _walk(node, name, i, item, shown)
        elif isinstance(value, ast.AST):
            yield from _walk(node, name, None, value, shown)


def _is_text(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr | ast.Raise | ast.Assert | ast.arguments):
        return True
    if isinstance(node, ast.keyword):
        return node.arg in WORDS or node.arg == "strict"  # an assertion of its own
    return isinstance(node, ast.Call) and ast.unparse(node.func) in MESSAGES


def _alternatives(parent: ast.AST, field: str, node: ast.AST) -> Iterator[ast.AST]:
    change = _CHANGES.get(type(node))
    if change is not None:
        of = ast.unparse(parent.value) if isinstance(parent, ast.Subscript) else ""
        yield from change(node, field, of)


def _like(node: Any, **changed: Any) -> Any:
    """A copy with other fields; what it holds is shared."""
    other = copy.copy(node)
    for name, value in changed.items():
        setattr(other, name, value)
    return other


def _constant(node: ast.Constant, field: str, of: str) -> Iterator[ast.AST]:
    if isinstance(node.value, bool):
        yield _like(node, value=not node.value)
    elif isinstance(node.value, int) and node.value <= LARGEST:
        if field == "slice" and node.value == 0 and of not in TENSORS:
            yield _like(node, value=-1)
        yield _like(node, value=node.value + 1)


def _unary(node: ast.UnaryOp, field: str, of: str) -> Iterator[ast.AST]:
    if isinstance(node.op, ast.Not):
        yield node.operand
    elif isinstance(node.op, ast.USub):
        if field == "slice":
            yield ast.copy_location(ast.Constant(0), node)
        else:
            yield node.operand


def _binary(node: ast.BinOp | ast.AugAssign | ast.BoolOp, field: str, of: str) -> Iterator[ast.AST]:
    yield _like(node, op=SWAPPED[type(node.op)]()) if type(node.op) in SWAPPED else node


def _bool(node: ast.BoolOp, field: str, of: str) -> Iterator[ast.AST]:
    yield _like(node, op=SWAPPED[type(node.op)]())
    if len(node.values) > 2:
        yield from _without_one(node, "values")


def _compare(node: ast.Compare, field: str, of: str) -> Iterator[ast.AST]:
    for i, op in enumerate(node.ops):
        yield _like(node, ops=[*node.ops[:i], SWAPPED[type(op)](), *node.ops[i + 1 :]])


def _without_one(node: Any, name: str) -> Iterator[ast.AST]:
    items = getattr(node, name)
    for i in range(len(items)):
        yield _like(node, **{name: [*items[:i], *items[i + 1 :]]})


def _items(node: ast.Tuple | ast.List | ast.Set, field: str, of: str) -> Iterator[ast.AST]:
    loaded = not isinstance(getattr(node, "ctx", ast.Load()), ast.Store)
    if loaded and len(node.elts) > 1:
        yield from _without_one(node, "elts")


def _either(node: ast.IfExp, field: str, of: str) -> Iterator[ast.AST]:
    yield _like(node, body=node.orelse, orelse=node.body)


def _if(node: ast.If, field: str, of: str) -> Iterator[ast.AST]:
    if not isinstance(node.test, ast.Compare | ast.BoolOp):
        yield _like(node, test=ast.copy_location(ast.UnaryOp(ast.Not(), node.test), node.test))
    if isinstance(node.body[-1], ast.Raise | ast.Return | ast.Continue | ast.Break):
        yield _like(node, test=ast.copy_location(ast.Constant(False), node.test))


def _call(node: ast.Call, field: str, of: str) -> Iterator[ast.AST]:
    if isinstance(node.func, ast.Name) and node.func.id in RENAMED:
        yield _like(node, func=_like(node.func, id=RENAMED[node.func.id]))


def _expression(node: ast.Expr, field: str, of: str) -> Iterator[ast.AST]:
    if isinstance(node.value, ast.Call):  # a demand, or an append, that is forgotten
        yield ast.copy_location(ast.Pass(), node)


def _comprehension(node: ast.comprehension, field: str, of: str) -> Iterator[ast.AST]:
    if node.ifs:
        yield from _without_one(node, "ifs")


_CHANGES: dict[type[ast.AST], Any] = {
    ast.Constant: _constant,
    ast.UnaryOp: _unary,
    ast.BinOp: _binary,
    ast.AugAssign: _binary,
    ast.BoolOp: _bool,
    ast.Compare: _compare,
    ast.Tuple: _items,
    ast.List: _items,
    ast.Set: _items,
    ast.IfExp: _either,
    ast.If: _if,
    ast.Call: _call,
    ast.Expr: _expression,
    ast.comprehension: _comprehension,
}


# In their place -------------------------------------------------------------------


def put_in_place(mutant: Mutant, module: types.ModuleType) -> None:
    """The function changed where it lives: whoever has imported it has the mutant."""
    function = live_functions(module)[mutant.first_line]
    function.__code__ = mutant.code


def live_functions(module: types.ModuleType) -> dict[int, types.FunctionType]:
    """The functions that a module's file defines, by their first line."""
    found: dict[int, types.FunctionType] = {}
    for value in vars(module).values():
        _collect(value, module, found)
    return found


def _collect(value: Any, module: types.ModuleType, found: dict[int, types.FunctionType]) -> None:
    if isinstance(value, type):
        if value.__module__ == module.__name__:
            for inner in list(vars(value).values()):
                _collect(inner, module, found)
        return
    function = value
    for wrapped in (
        lambda f: f.fget if isinstance(f, property) else f,
        lambda f: f.func if isinstance(f, functools.cached_property) else f,
        lambda f: f.__func__ if isinstance(f, staticmethod | classmethod) else f,
        lambda f: getattr(f, "__wrapped__", f),
    ):
        function = wrapped(function)
    if isinstance(function, types.FunctionType):
        code = function.__code__
        if code.co_filename == module.__file__:
            found[code.co_firstlineno] = function
