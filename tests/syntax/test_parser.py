"""The trees of what docs and papers write, and the places in them."""

from __future__ import annotations

import ast as python
import marshal
import random
import re
from dataclasses import fields
from pathlib import Path

import pytest

from archdsl.diagnostics import ArchError, Source
from archdsl.syntax import ast, parser, tables
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import format_source
from archdsl.syntax.tables import find_grammar


def read(text: str) -> ast.File:
    return parse(Source("x.arch", text))


def body_of(text: str) -> tuple[ast.Statement, ...]:
    (definition,) = read(f"network n {{\n{text}\n}}").declarations
    assert isinstance(definition, ast.Definition)
    return definition.body.statements


def stages_of(text: str) -> tuple[ast.Stage, ...]:
    (pipeline,) = body_of(text)
    assert isinstance(pipeline, ast.Pipeline)
    return pipeline.stages


def operation_of(text: str) -> ast.Operation:
    (stage,) = stages_of(text)
    return stage.operation


EXAMPLES = (Path(__file__).parent / "examples.arch").read_text(encoding="utf-8")


def test_the_examples_of_the_language_are_read_and_written_back() -> None:
    file = read(EXAMPLES)
    assert read(format_source(file)) == file
    names = [getattr(d, "name", None) for d in file.declarations]
    assert names[:5] == ["basic", "resnet", "resnet18", "resnet34", None]


def test_every_span_is_the_text_of_its_node() -> None:
    file = read(EXAMPLES)
    for found in re.finditer(r"\bconv\([^()]*\)", EXAMPLES):
        assert any(n.span.text == found.group() for n in walk(file) if isinstance(n, ast.Call))
    for node in walk(file):
        assert node.span.text == node.span.text.strip()
        if isinstance(node, ast.Name):
            assert node.span.text == node.id


def walk(node: object) -> list[ast.Node]:
    if isinstance(node, (tuple, list)):
        return [found for part in node for found in walk(part)]
    if not isinstance(node, ast.Node):
        return []
    inside = [found for field in fields(node) for found in walk(getattr(node, field.name))]
    return inside if isinstance(node, ast.File) else [node, *inside]


def test_words_are_names_before_a_colon_and_after_a_dot() -> None:
    (stage,) = stages_of("block: { relu }")
    assert stage.label is not None
    assert stage.label.parts == ("block",)
    (stage,) = stages_of("if: embed.for.weight")
    assert isinstance(stage.operation, ast.Apply)
    assert isinstance(stage.operation.expression, ast.Attribute)


def test_labels_have_expressions() -> None:
    (stage,) = stages_of("layer{level + 1}_{j}: relu")
    assert stage.label is not None
    first, expression, middle, last = stage.label.parts
    assert (first, middle) == ("layer", "_")
    assert isinstance(expression, ast.Binary)
    assert isinstance(last, ast.Name)


@pytest.mark.parametrize(
    "text",
    [
        "a -> b -> c",
        "a\n-> b\n\n  # comment\n  -> c",
        "a ->\n b ->\n\n # comment\n c",
        "a\r\n\r\n-> b -> c",
        "a -> b -> c;",
    ],
)
def test_lines_go_on_around_an_arrow(text: str) -> None:
    assert len(stages_of(text)) == 3


def test_newlines_in_brackets_are_white_space() -> None:
    assert operation_of("f(\n1,\n\n# c\n[2\n]\n)") == operation_of("f(1, [2])")


def test_else_and_shortcut_may_stand_on_their_own_line() -> None:
    assert operation_of("if a { b }\n\nelse { c }") == operation_of("if a { b } else { c }")
    assert operation_of("residual { a }\n# c\nshortcut { b }") == operation_of(
        "residual { a } shortcut { b }"
    )
    assert len(body_of("if a { b }\nelse: c")) == 2
    assert len(body_of("residual { b }\nshortcut: c")) == 2
    assert len(body_of("a as shortcut\nshortcut -> c")) == 2


def test_forms() -> None:
    repeat = operation_of("repeat 3 shared { a }")
    assert isinstance(repeat, ast.Repeat)
    assert repeat.shared
    residual = operation_of("residual(drop_path = 0.1, when = a == 1) { b }")
    assert isinstance(residual, ast.Residual)
    assert [a.name for a in residual.arguments] == ["drop_path", "when"]
    assert residual.keyword.text == "residual"
    branch = operation_of("branch concat(axis = 2) { a; b }")
    assert isinstance(branch, ast.Branch)
    assert isinstance(branch.merge, ast.Call)
    scan = operation_of("scan h = zeros(8), c = zeros(8) { a as h }")
    assert isinstance(scan, ast.Scan)
    assert [name for name, _ in scan.carried] == ["h", "c"]
    unet = operation_of("unet level in range(4) { encode { a }\n up { b } }")
    assert isinstance(unet, ast.UNet)
    assert [name for name, _ in unet.parts] == ["encode", "up"]
    chosen = operation_of("if a { b } else if c { d } else { e }")
    assert isinstance(chosen, ast.If)
    assert chosen.otherwise is not None
    stages = stages_of("branch { a; b } as (p, q)")
    assert (stages[0].names, stages[0].tuple_names) == (("p", "q"), True)
    mixed = stages_of("conv(64, 3) -> residual { a } -> relu")
    assert isinstance(mixed[1].operation, ast.Residual)


def test_inputs_and_outputs() -> None:
    text = "input a: [3, H]; input b: int[T]; input c, d; output e, f in training"
    sized, typed, several, output = body_of(text)
    assert isinstance(sized, ast.Input)
    assert sized.sizes is not None
    assert (sized.names, sized.dtype, len(sized.sizes)) == (("a",), None, 2)
    assert isinstance(typed, ast.Input)
    assert typed.dtype == "int"
    assert isinstance(several, ast.Input)
    assert (several.names, several.sizes) == (("c", "d"), None)
    assert isinstance(output, ast.Output)
    assert (output.names, output.training) == (("e", "f"), True)


def test_train_settings() -> None:
    (train,) = read(
        "train big for n {\n lr: 0.1 then 0.01 at epoch 3\n for: a -> b\n x: { y: 1; z: 2 }\n}"
    ).declarations
    assert isinstance(train, ast.Train)
    assert (train.name, train.network) == ("big", "n")
    rate, chain, inner = train.entries
    assert isinstance(rate.value, ast.Then)
    assert rate.value.at is not None
    assert chain.key == "for"
    assert isinstance(chain.value, ast.Then)
    assert chain.value.keyword == "->"
    assert isinstance(inner.value, ast.Settings)


def test_the_comment_above_a_declaration_is_its_documentation() -> None:
    first, second, third = read(
        "# lone\n\n# one\n#  two\nlet a = 1  # not this\nlet b = 2\n# three\nnetwork n { }"
    ).declarations
    assert isinstance(first, ast.Let)
    assert first.doc == "one\n two"
    assert isinstance(second, ast.Let)
    assert second.doc == ""
    assert isinstance(third, ast.Definition)
    assert third.doc == "three"


def test_literals() -> None:
    (let,) = read(
        r"""let a = [0x1F, 0b11, 0o17, 1_000, 1e-4, .5, 2., "é\u00e9\"\\\n", '\'', none]"""
    ).declarations
    assert isinstance(let, ast.Let)
    assert isinstance(let.value, ast.ListExpr)
    values = [item.value for item in let.value.items if isinstance(item, ast.Literal_)]
    assert values == [31, 3, 15, 1000, 1e-4, 0.5, 2.0, 'éé"\\\n', "'", None]


def test_imports() -> None:
    one, std = read('from "a/b.arch" import (x,\n y)\nfrom std import z').declarations
    assert isinstance(one, ast.Import)
    assert (one.module, one.is_std, one.names) == ("a/b.arch", False, ("x", "y"))
    assert one.module_span.text == '"a/b.arch"'
    assert isinstance(std, ast.Import)
    assert std.is_std


# Precedence, held against Python's own ------------------------------------------------


def python_tree(text: str) -> python.expr | None:
    try:
        return python.parse(text, mode="eval").body
    except SyntaxError:
        return None


def in_parentheses(node: ast.Expr) -> str:
    if isinstance(node, ast.Unary):
        return f"({node.op} {in_parentheses(node.operand)})"
    if isinstance(node, ast.Binary):
        return f"({in_parentheses(node.left)} {node.op} {in_parentheses(node.right)})"
    if isinstance(node, ast.Compare):
        rest = "".join(f" {op} {in_parentheses(value)}" for op, value in node.rest)
        return f"({in_parentheses(node.first)}{rest})"
    assert isinstance(node, ast.Name)
    return node.id


class _Pairwise(python.NodeTransformer):
    """Python keeps ``a and b and c`` as one node; here they are pairs."""

    def visit_BoolOp(self, node: python.BoolOp) -> python.expr:
        self.generic_visit(node)
        first, *rest = node.values
        for value in rest:
            first = python.BoolOp(node.op, [first, value])
        return first


def test_operators_bind_as_in_python() -> None:
    operators = [*"or and == != < <= > >= in + - * / // % **".split(), "not in"]
    rng = random.Random(0)  # noqa: S311 -- a test's dice
    for _ in range(3_000):
        words = []
        for _ in range(rng.randint(1, 7)):
            words += rng.choices(["-", "+", "not"], k=rng.choice([0, 0, 0, 1, 2]))
            words += [rng.choice("abc"), rng.choice(operators)]
        text = " ".join([*words, "d"])
        expected = python_tree(text)
        try:
            (let,) = read(f"let x = {text}").declarations
        except ArchError:
            assert expected is None, text
            continue
        assert isinstance(let, ast.Let)
        found = python_tree(in_parentheses(let.value))
        assert expected is not None, text
        assert found is not None
        dumped = [python.dump(_Pairwise().visit(tree)) for tree in (expected, found)]
        assert dumped[0] == dumped[1], text


# The grammar's place and its cache -----------------------------------------------------


def test_the_grammar_is_found_in_a_checkout_and_in_a_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert find_grammar().name == "arch.lark"
    monkeypatch.setattr(tables, "__file__", str(tmp_path / "archdsl" / "syntax" / "tables.py"))
    assert find_grammar() == tmp_path / "grammars" / "arch.lark"
    installed = tmp_path / "archdsl" / "grammars" / "arch.lark"
    installed.parent.mkdir(parents=True)
    installed.write_text("")
    assert find_grammar() == installed


def test_the_tables_are_kept_in_the_users_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for _ in range(2):
        parser._loaded.cache_clear()
        assert read("let a = 1").declarations
        (kept,) = (tmp_path / "archdsl").iterdir()
    made_of, *others = marshal.loads(kept.read_bytes())  # noqa: S302  # our own
    for wrong in (b"no tables", marshal.dumps(7), marshal.dumps((made_of + " ", *others))):
        kept.write_bytes(wrong)
        parser._loaded.cache_clear()
        assert read("let a = 1").declarations
        assert marshal.loads(kept.read_bytes())[0] == made_of  # noqa: S302  # made anew


def test_without_a_cache_it_parses_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    parser._loaded.cache_clear()
    assert read("let a = 1").declarations
