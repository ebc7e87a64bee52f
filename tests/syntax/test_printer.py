"""The canonical text: what it looks like, and that it says the same as what it was made from."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl.diagnostics import Source, Span
from archdsl.syntax import ast
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import format_source, print_expression, print_pipeline

NOWHERE = Span(Source("", ""), 0, 0)


def formatted(text: str) -> str:
    """The canonical text, once it is known to mean the same and to stay as it is."""
    file = parse(Source("before.arch", text))
    result = format_source(file)
    again = parse(Source("after.arch", result))
    assert again == file
    assert [c.text for c in again.comments] == [c.text for c in file.comments]
    assert format_source(again) == result
    return result


def in_network(body: str) -> str:
    return f"network n {{\n{body}\n}}\n"


def expression(text: str) -> ast.Expr:
    let = parse(Source("x.arch", f"let x = {text}")).declarations[0]
    assert isinstance(let, ast.Let)
    return let.value


COMMENTED = """\
# head

from std import a  # why
let b = 1
# doc of c
let c = 2  # c

# lone

# doc n
block f(
    # first
    x,  # the x
    # own
    y = 2
    # last
) {  # open
    # in

    a  # aa
        # between
        -> b
        -> c

    # tail
    if x { a }  # yes
    else {  # no
        b
    }  # end
    let q = [
        1,  # one
        2
    ]  # q
    residual { a; b }  # r
    # s
    shortcut { c } -> relu
    {  # only
    }
    {
        # only comment
    }
    f(a)(
        b  # c
    )
    1 + 2  # plus
    unet l in range(4) {  # u
        # e
        encode { a }  # after e

        up { b }
    }
    layer{i + 1}_{j}: {
        conv(64, 3)
    }
}

train {  # t
    a: b  # c
    x: { y: 1; z: 2 } -> f(1)

    # end
}
# eof
"""


def test_comments_stay_in_their_places() -> None:
    assert formatted(COMMENTED) == COMMENTED


def test_spaces_are_made_uniform() -> None:
    text = 'from "a.arch"  import  a,b;let x=1\n'
    text += "network n(a,b=2){input x:[ 3,H ]\n\n\n  conv(1,k=2)->relu}"
    assert formatted(text) == (
        'from "a.arch" import a, b\n'
        "let x = 1\n\n"
        "network n(a, b = 2) {\n"
        "    input x: [3, H]\n\n"
        "    conv(1, k = 2) -> relu\n"
        "}\n"
    )


def test_a_body_on_one_line_stays_there_while_it_fits() -> None:
    assert formatted("block b{ a->b;c }") == "block b { a -> b; c }\n"
    long = "conv(64, 7, stride = 2, padding = 3, bias = false)"
    assert formatted(f"block b {{ {long}; {long} }}") == f"block b {{\n    {long}\n    {long}\n}}\n"


def test_a_long_pipeline_breaks_before_its_arrows() -> None:
    long = "conv(64, 7, stride = 2, padding = 3, bias = false)"
    text = in_network(f"    {long} -> bn -> relu -> {long}")
    expected = f"    {long}\n        -> bn\n        -> relu\n        -> {long}"
    assert formatted(text) == in_network(expected)


def test_a_long_call_is_wrapped_inside_its_brackets() -> None:
    items = ", ".join(f"value_{i}" for i in range(10))
    text = in_network(f"    some_layer(a, {items})")
    assert formatted(text) == in_network(f"    some_layer(\n        a, {items}\n    )")


def test_crlf_and_a_byte_order_mark_are_gone() -> None:
    assert formatted("\ufeff# c\r\nlet a = 1\r\n") == "# c\nlet a = 1\n"


@pytest.mark.parametrize(
    "text",
    [
        "a - (b - c)",
        "a - b - c",
        "(a ** b) ** c",
        "a ** b ** c",
        "(-a) ** -b",
        "-a ** b",
        "not a == b",
        "(not a) == b",
        "(a < b) < c",
        "a < b <= c",
        "a not in b",
        "(a or b) and c",
        "a if b else c if d else e",
        "(a if b else c) if d else e",
        "(a if b else c)[0]",
        "(a + b).c",
        "(1).c",
        "(a,)",
        "()",
        "[x for x, y in (a if b else c) if d or e]",
        "[f(x) for x in range(3)]",
        "f(a, b = c if d else e)(g)[1].h",
        "0x1F + 1_000 + 1e-4 + .5",
        "'it\\'s' + \"\\u00e9\"",
    ],
)
def test_parentheses_stand_only_where_they_are_needed(text: str) -> None:
    assert print_expression(expression(text)) == text
    assert print_expression(expression(f"(({text}))")) == text


def test_a_pipeline_is_quoted_on_one_line() -> None:
    file = parse(Source("x.arch", in_network("a: {\n b\n c }\n -> residual {\n x\n } as y")))
    definition = file.declarations[0]
    assert isinstance(definition, ast.Definition)
    pipeline = definition.body.statements[0]
    assert isinstance(pipeline, ast.Pipeline)
    assert print_pipeline(pipeline) == "a: { b; c } -> residual { x } as y"


# Trees made by chance ---------------------------------------------------------------

WORDS = [
    *("a", "b", "conv", "it", "x1", "_", "ifx", "nota"),
    *("at", "then", "epoch", "shared", "std", "training", "block", "network", "shortcut", "up"),
]
names = st.sampled_from(WORDS)
any_word = st.sampled_from([*WORDS, "if", "for", "repeat", "else", "not", "true"])
argument_names = any_word.filter(lambda word: word not in ("not", "true"))
spans = st.just(NOWHERE)


def tuples(items: st.SearchStrategy[Any], low: int = 0, high: int = 3) -> st.SearchStrategy[Any]:
    return st.lists(items, min_size=low, max_size=high).map(tuple)


def node(kind: type[ast.Node], *parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(kind, spans, *parts)


def literal(text: str) -> ast.Expr:
    value = expression(text)
    assert isinstance(value, ast.Literal_)
    return ast.Literal_(NOWHERE, value.value, text)


literals = st.sampled_from(
    [
        literal(t)
        for t in ("0", "12", "0x1F", "1.", ".5", "1e-4", '"a # b"', r"'\n'", "true", "none")
    ]
)
leaves = literals | node(ast.Name, names | st.sampled_from(["unet", "input", "dense"]))


def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    argument = node(ast.Argument, st.none() | argument_names, inner)
    binary = st.sampled_from(["+", "-", "*", "/", "//", "%", "**", "and", "or"])
    compare = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "in", "not in"])
    return st.one_of(
        node(ast.ListExpr, tuples(inner)),
        node(ast.TupleExpr, tuples(inner)),
        node(ast.Comprehension, inner, tuples(names, 1, 2), inner, st.none() | inner),
        node(ast.Unary, st.sampled_from(["-", "+", "not"]), inner),
        node(ast.Binary, binary, inner, inner),
        node(ast.Compare, inner, tuples(st.tuples(compare, inner), 1, 2)),
        node(ast.Conditional, inner, inner, inner),
        node(ast.Index, inner, inner),
        node(ast.Attribute, inner, any_word, spans),
        node(ast.Call, inner, tuples(argument)),
    )


expressions = st.recursive(leaves, larger, max_leaves=8)
arguments = node(ast.Argument, st.none() | argument_names, expressions)
label_parts = st.tuples(any_word, expressions, st.sampled_from(["_", "1"])) | st.tuples(any_word)
labels = node(ast.LabelName, label_parts)


def with_spans(count: int) -> tuple[Span, ...]:
    return (NOWHERE,) * count


def staged(operations: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def make(label: Any, operation: Any, outcome: Any, is_tuple: bool) -> ast.Stage:
        kept = outcome if is_tuple else outcome[:1]
        return ast.Stage(
            NOWHERE, label, operation, kept, with_spans(len(kept)), is_tuple and bool(kept)
        )

    return st.builds(make, st.none() | labels, operations, tuples(names), st.booleans())


def bodies(stages: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    def listed(kind: Any, *rest: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.builds(
            lambda found, *more: kind(NOWHERE, found, with_spans(len(found)), *more),
            tuples(names, 1, 2),
            *rest,
        )

    sizes = tuples(expressions)
    dtypes = st.sampled_from([None, "int", "float"])
    statements = st.one_of(
        node(ast.Pipeline, tuples(stages, 1, 3)),
        node(ast.Let, names, spans, expressions),
        listed(ast.Input),
        st.builds(lambda n, d, s: ast.Input(NOWHERE, (n,), (NOWHERE,), d, s), names, dtypes, sizes),
        listed(ast.Output, st.booleans()),
    )
    return node(ast.Body, tuples(statements))


def forms(stages: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    body = bodies(stages)
    part = st.sampled_from(["encode", "down", "bottom", "up", "join", "decode"])
    parts = st.dictionaries(part, body, max_size=3).map(lambda d: tuple(d.items()))
    return staged(
        st.one_of(
            node(ast.Group, body),
            node(ast.Repeat, expressions, st.booleans(), body),
            node(ast.For, tuples(names, 1, 2), expressions, body),
            node(ast.If, expressions, body, st.none() | body),
            node(ast.Residual, tuples(arguments), body, st.none() | body, spans),
            node(ast.Dense, body, spans),
            node(ast.Branch, st.none() | expressions, body, spans),
            node(ast.UNet, names, expressions, parts, spans),
            node(ast.Scan, tuples(st.tuples(names, expressions), 1, 2), body, spans),
        )
    )


stages = st.recursive(staged(node(ast.Apply, expressions)), forms, max_leaves=6)


def train_settings(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    value = expressions | node(ast.Settings, tuples(node(ast.Entry, any_word, inner)))
    chain = st.builds(lambda a, b: ast.Then(NOWHERE, a, b, None, "->"), value, value)
    then = st.builds(
        lambda a, b, at: ast.Then(NOWHERE, a, b, at), chain | value, chain, expressions
    )
    return st.one_of(value, chain, then)


values = st.recursive(expressions, train_settings, max_leaves=4)
entries = tuples(node(ast.Entry, any_word, values))
free_names = names | st.sampled_from(["unet", "dense"])
declarations = st.one_of(
    node(ast.Let, names, spans, expressions),
    node(ast.Alias, free_names, spans, expressions),
    node(
        ast.Definition,
        st.sampled_from(["block", "sequence", "network"]),
        free_names,
        spans,
        tuples(node(ast.Parameter, names, st.none() | expressions)),
        bodies(stages),
    ),
    st.builds(
        lambda name, network, found: ast.Train(NOWHERE, network and name, network, found),
        st.none() | names,
        st.none() | free_names,
        entries,
    ),
    st.builds(
        lambda found: ast.Import(NOWHERE, "std", True, found, with_spans(len(found)), NOWHERE),
        tuples(names, 1, 3),
    ),
)


@settings(max_examples=100, deadline=None)
@given(tuples(declarations))
def test_any_tree_comes_back_from_its_text(found: tuple[ast.Declaration, ...]) -> None:
    file = ast.File(NOWHERE, Source("", ""), found)
    text = format_source(file)
    again = parse(Source("x.arch", text))
    assert again == file
    assert format_source(again) == text
