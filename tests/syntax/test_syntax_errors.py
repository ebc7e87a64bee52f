"""What a syntax error says, word for word, and where it points."""

from __future__ import annotations

import re

import pytest

from archdsl.diagnostics import ArchError, Diagnostic, Source
from archdsl.syntax.parser import parse


def refused(text: str) -> Diagnostic:
    with pytest.raises(ArchError) as caught:
        parse(Source("x.arch", text))
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "syntax"
    return diagnostic


def place(diagnostic: Diagnostic) -> str:
    assert diagnostic.span is not None
    return f"{diagnostic.span.line}:{diagnostic.span.column}"


# The text, the place, the message, the help. A body's text starts at 2:5.
IN_A_BODY = [
    (
        "conv(64, 3) ->",
        "3:1",
        (
            "expected a stage (a layer, a block, a tensor's name, or a form such as "
            "`repeat`) after `->`, found `}`"
        ),
        "",
    ),
    (
        "conv(64, 3",
        "3:1",
        "expected `)` to close the `(` at 2:9, found `}`",
        "",
    ),
    (
        "conv(64, = 3)",
        "2:14",
        "`=` in an argument list names an argument, and a single word stands in front of it",
        "write `name = value`; to compare, write `==`",
    ),
    (
        "conv(64, a.b = 3)",
        "2:18",
        "`=` in an argument list names an argument, and a single word stands in front of it",
        "write `name = value`; to compare, write `==`",
    ),
    (
        "x = 3",
        "2:7",
        "`=` gives no name here",
        "write `let x = …` for a constant, `… as x` for a tensor",
    ),
    (
        "if a = b { relu }",
        "2:10",
        "`=` cannot stand after `a`",
        "to compare, write `==`",
    ),
    (
        "if a: relu",
        "2:9",
        "expected `{` and a body, found `:`",
        "a body stands in `{ … }`",
    ),
    (
        "relu gelu",
        "2:10",
        "expected `->` or the end of the line after `relu`, found `gelu`",
        "",
    ),
    (
        "reapeat 3 { relu }",
        "2:5",
        "there is no form `reapeat`",
        "did you mean `repeat`?",
    ),
    (
        "residul { relu }",
        "2:5",
        "there is no form `residul`",
        "did you mean `residual`?",
    ),
    (
        "repeat 3 relu",
        "2:14",
        "expected `{` after `3`, found `relu`",
        "",
    ),
    (
        "else { relu }",
        "2:5",
        "`else` stands here without an `if` before it",
        "",
    ),
    (
        "if a { relu }; else { relu }",
        "2:20",
        "`else` stands here without an `if` before it",
        "",
    ),
    (
        "shortcut { relu }",
        "2:5",
        "`shortcut` stands here without a `residual` before it",
        "",
    ),
    (
        "block foo { }",
        "2:5",
        "`block` stands at the top of a file, not inside a body",
        "",
    ),
    (
        "layer{i} conv(3)",
        "2:10",
        "a label made of an expression ends with a colon on its line",
        "write `layer{…}: …`, or a space in front of a body's `{`",
    ),
    (
        "foo { relu }",
        "2:9",
        "`foo` takes no body",
        "as a label it needs a colon: `foo: { … }`",
    ),
    (
        "x[1:2]",
        "2:8",
        "there are no slices with `:` in the language",
        "cut a tensor with the layer `slice`, a list with a comprehension",
    ),
    (
        "conv(64, padding: 3)",
        "2:21",
        "`:` cannot stand in an argument list",
        "name an argument with `name = value`",
    ),
    (
        "0: relu",
        "2:6",
        "a label begins with a letter or `_`",
        "members of a group are numbered anyway",
    ),
    (
        "dense(10)",
        "2:10",
        "expected `{` after `dense`, found `(`",
        "`dense { … }` joins its input to its result; a fully connected layer is `linear`",
    ),
    (
        "conv(64, “a”)",
        "2:14",
        "LEFT DOUBLE QUOTATION MARK is not a sign of the language",
        'write `"`',
    ),
    (
        "café -> relu",
        "2:8",
        "`é` (LATIN SMALL LETTER E WITH ACUTE) cannot stand in a name",
        "names are made of the letters a to z and A to Z, digits and `_`",
    ),
    (
        "é",
        "2:5",
        "`é` (LATIN SMALL LETTER E WITH ACUTE) cannot stand in a name",
        "names are made of the letters a to z and A to Z, digits and `_`",
    ),
    (
        "conv(3) → relu",
        "2:13",
        "RIGHTWARDS ARROW is not a sign of the language",
        "write `->`",
    ),
    (
        '"abc',
        "2:5",
        "this string is not closed on its line",
        'close it with `"`; a line end in a string is written `\\n`',
    ),
    (
        'conv("a\\qb")',
        "2:12",
        "`\\q` means nothing in a string",
        (
            "the escapes are \\n, \\t, \\\", \\', \\\\ and \\u with four hexadecimal digits; for a "
            "backslash itself write \\\\"
        ),
    ),
    (
        "a && b",
        "2:7",
        "`&&` cannot stand here",
        "write `and`",
    ),
    (
        "a || b",
        "2:7",
        "`||` cannot stand here",
        "write `or`",
    ),
    (
        "!a",
        "2:5",
        "`!` cannot stand here",
        "write `not`",
    ),
    (
        "elif a {}",
        "2:5",
        "`elif` is not a word of the language",
        "write `else if`",
    ),
    (
        "while x {}",
        "2:5",
        "`while` is not a word of the language",
        "write `repeat n { … }`: how often must be known",
    ),
    (
        "return x",
        "2:5",
        "`return` is not a word of the language",
        "write `output name`; what a body gives is its last tensor",
    ),
    (
        "for x range(3) { relu }",
        "2:11",
        "expected `,` or `in` after `x`, found `range`",
        "",
    ),
    (
        "for in x {}",
        "2:12",
        "expected `,` or `in` after `in`, found `x`",
        "",
    ),
    (
        "relu as",
        "2:12",
        "expected a name for the tensor or `(` after `as`, found the end of the line",
        "",
    ),
    (
        "relu as 3",
        "2:13",
        "expected a name for the tensor or `(` after `as`, found `3`",
        "",
    ),
    (
        "relu as (a b)",
        "2:16",
        "expected `,` or `)` after `a`, found `b`",
        "",
    ),
    (
        "let x",
        "2:10",
        "expected `=` after `x`, found the end of the line",
        "",
    ),
    (
        "let x 3",
        "2:11",
        "expected `=` after `x`, found `3`",
        "",
    ),
    (
        "let = 3",
        "2:9",
        "expected the name of the constant after `let`, found `=`",
        "",
    ),
    (
        "let if = 3",
        "2:9",
        "`if` is a word of the language and cannot be a name",
        "choose another name, such as `if_`",
    ),
    (
        "let repeat = 3",
        "2:9",
        "`repeat` is a word of the language and cannot be a name",
        "choose another name, such as `repeat_`",
    ),
    (
        "input",
        "2:10",
        "expected the name of an input after `input`, found the end of the line",
        "",
    ),
    (
        "input x: 3",
        "2:14",
        "expected the sizes of the input, such as `[3, H, W]` or `int[T]` after `:`, found `3`",
        "",
    ),
    (
        "input x: [3",
        "3:1",
        "expected `]` to close the `[` at 2:14, found `}`",
        "",
    ),
    (
        "input x: str[3]",
        "2:14",
        "`str` is not a kind of number that an input can have",
        "write `int[…]` for indices, `[…]` or `float[…]` for all else",
    ),
    (
        "output",
        "2:11",
        "expected the name of a tensor after `output`, found the end of the line",
        "",
    ),
    (
        "output a, ",
        "2:15",
        "expected a name after `,`, found the end of the line",
        "",
    ),
    (
        "output a in foo",
        "2:17",
        "expected `training` after `in`, found `foo`",
        "",
    ),
    (
        "unet l in x { foo { } }",
        "2:19",
        (
            "expected `}` or a part of the unet (`encode`, `down`, `bottom`, `up`, `join` "
            "or `decode`) after `{`, found `foo`"
        ),
        "",
    ),
    (
        "unet l in x { up { }; up { } }",
        "2:27",
        "`up` stands twice in this unet",
        "",
    ),
    (
        "scan { }",
        "2:10",
        "expected the name of what is carried after `scan`, found `{`",
        "",
    ),
    (
        "scan h { }",
        "2:12",
        "expected `=` after `h`, found `{`",
        "",
    ),
    (
        "branch concat",
        "2:18",
        "expected `{` after `concat`, found the end of the line",
        "",
    ),
    (
        "residual",
        "2:13",
        "expected `(` or `{` after `residual`, found the end of the line",
        "",
    ),
    (
        "a if b",
        "2:11",
        "expected `else` after `b`, found the end of the line",
        "",
    ),
    (
        "[x for x]",
        "2:13",
        "expected `,` or `in` after `x`, found `]`",
        "",
    ),
    (
        "[x for x in]",
        "2:16",
        "expected a value after `in`, found `]`",
        "",
    ),
    (
        "f(x for x in y)",
        "2:9",
        "expected `,` or `)` after `x`, found `for`",
        "",
    ),
    (
        "(1, 2",
        "3:1",
        "expected `)` to close the `(` at 2:5, found `}`",
        "",
    ),
    (
        "f[1",
        "3:1",
        "expected `]` to close the `[` at 2:6, found `}`",
        "",
    ),
    (
        "1 +",
        "2:8",
        "expected a value after `+`, found the end of the line",
        "",
    ),
    (
        "f(1 +)",
        "2:10",
        "expected a value after `+`, found `)`",
        "",
    ),
    (
        "a not b",
        "2:7",
        "expected `->` or the end of the line after `a`, found `not`",
        "",
    ),
    (
        "1 + not 2",
        "2:9",
        "`not` stands after `+`, which binds tighter",
        "write parentheses: `(not …)`",
    ),
    (
        "relu;;",
        "2:10",
        (
            "expected a statement (a pipeline such as `conv(64, 3) -> relu`, `let`, `input` "
            "or `output`) or `}`, found `;`"
        ),
        "",
    ),
    (
        "f(a;b)",
        "2:8",
        "expected `,` or `)` after `a`, found `;`",
        "",
    ),
    (
        "x y z",
        "2:7",
        "expected `->` or the end of the line after `x`, found `y`",
        "",
    ),
    (
        "a.3",
        "2:7",
        "expected a name after `.`, found `3`",
        "",
    ),
    (
        "a.",
        "2:7",
        "expected a name after `.`, found the end of the line",
        "",
    ),
    (
        "conv(3x3)",
        "2:11",
        "expected `,` or `)` after `3`, found `x3`",
        "",
    ),
    (
        "007",
        "2:5",
        "`007` begins with 0",
        "write `7`, or `0o…` for a number in base 8",
    ),
    (
        "1__0",
        "2:5",
        "`1__0` is not a number",
        "an underscore stands between two digits",
    ),
    (
        "1e999",
        "2:5",
        "this number is too large for a float",
        "",
    ),
    (
        "$x",
        "2:5",
        "`$` is not a sign of the language",
        "",
    ),
    (
        "x @ y",
        "2:7",
        "`@` is not a sign of the language",
        "",
    ),
    (
        "// comment",
        "2:5",
        "`//` cannot stand here",
        "write `#` in front of a comment",
    ),
    (
        "a\fb",
        "2:6",
        "U+000C is not a sign of the language",
        "",
    ),
    (
        "conv(64, 3))",
        "2:16",
        "`)` closes nothing: no `(` is open here",
        "",
    ),
    (
        "conv(64, 3]",
        "2:15",
        "expected `)` to close the `(` at 2:9, found `]`",
        "",
    ),
    (
        "relu -> -> relu",
        "2:13",
        (
            "expected a stage (a layer, a block, a tensor's name, or a form such as "
            "`repeat`) after `->`, found `->`"
        ),
        "",
    ),
    (
        "-> relu",
        "2:5",
        "there is nothing in front of this `->`",
        "",
    ),
    (
        "a: b: relu",
        "2:9",
        "expected `->` or the end of the line after `b`, found `:`",
        "",
    ),
    (
        "conv(64) relu",
        "2:14",
        "expected `->` or the end of the line after `)`, found `relu`",
        "",
    ),
    (
        "conv 64",
        "2:10",
        "expected `->` or the end of the line after `conv`, found `64`",
        "",
    ),
    (
        "*a",
        "2:5",
        (
            "expected a statement (a pipeline such as `conv(64, 3) -> relu`, `let`, `input` "
            "or `output`) or `}` after `{`, found `*`"
        ),
        "",
    ),
    (
        "{ relu",
        "4:1",
        "expected `}` to close the `{` at 1:11, found the end of the file",
        "",
    ),
    (
        "lambda x: x",
        "2:5",
        "`lambda` is not a word of the language",
        "write a `block`",
    ),
    (
        "f(lambda x: x)",
        "2:14",
        "expected `,` or `)` after `lambda`, found `x`",
        "",
    ),
    (
        "x += 1",
        "2:8",
        "`=` cannot stand after `+`",
        "to compare, write `==`",
    ),
    (
        "relu, gelu",
        "2:9",
        "expected `->` or the end of the line after `relu`, found `,`",
        "",
    ),
    (
        "f(1 2)",
        "2:9",
        "expected `,` or `)` after `1`, found `2`",
        "",
    ),
    (
        "[1 2]",
        "2:8",
        "expected `,` or `]` after `1`, found `2`",
        "",
    ),
    (
        "f(*a)",
        "2:7",
        "expected an argument or `)` after `(`, found `*`",
        "",
    ),
    (
        "f(**a)",
        "2:7",
        "expected an argument or `)` after `(`, found `**`",
        "",
    ),
]

IN_A_FILE = [
    (
        "netwrok foo {\n}",
        "1:1",
        "there is no `netwrok`",
        "did you mean `network`?",
    ),
    (
        "conv(3) -> relu",
        "1:1",
        (
            "expected a declaration (`network`, `block`, `sequence`, `train`, `let` or "
            "`from`), found `conv`"
        ),
        "stages stand inside a `network` or a `block`: `network name { … }`",
    ),
    (
        "relu",
        "1:1",
        (
            "expected a declaration (`network`, `block`, `sequence`, `train`, `let` or "
            "`from`), found `relu`"
        ),
        "stages stand inside a `network` or a `block`: `network name { … }`",
    ),
    (
        "network",
        "1:8",
        "expected the name of the network after `network`, found the end of the file",
        "",
    ),
    (
        "network 3",
        "1:9",
        "expected the name of the network after `network`, found `3`",
        "",
    ),
    (
        "network n(a,) {\n",
        "2:1",
        "expected `}` to close the `{` at 1:15, found the end of the file",
        "",
    ),
    (
        "network n {\n  conv(3\n}",
        "3:1",
        "expected `)` to close the `(` at 2:7, found `}`",
        "",
    ),
    (
        "train { lr = 3 }",
        "1:9",
        "a setting is written with a colon",
        "write `lr: …`",
    ),
    (
        "train { lr 3 }",
        "1:9",
        "expected a colon after the setting `lr`",
        "write `lr: value`",
    ),
    (
        "train n { }",
        "1:9",
        "expected `for` after `n`, found `{`",
        "",
    ),
    (
        "train { lr: }",
        "1:13",
        "expected a value or `{` after `:`, found `}`",
        "",
    ),
    (
        "train { lr: a then b }",
        "1:22",
        "expected `at epoch` or `->` after `b`, found `}`",
        "",
    ),
    (
        "train { lr: a then b at 3 }",
        "1:25",
        "expected `epoch` after `at`, found `3`",
        "",
    ),
    (
        "from x import y",
        "1:6",
        "expected the path of a file in quotes or `std` after `from`, found `x`",
        "",
    ),
    (
        'from "x" y',
        "1:10",
        'expected `import` after `"x"`, found `y`',
        "",
    ),
    (
        'from "x" import',
        "1:16",
        "expected the name of what to import or `(` after `import`, found the end of the file",
        "",
    ),
    (
        "from std import a b",
        "1:19",
        "expected `,` or the end of the line after `a`, found `b`",
        "",
    ),
    (
        "}",
        "1:1",
        "`}` closes nothing: no bracket is open here",
        "",
    ),
    (
        "network n { } }",
        "1:15",
        "`}` closes nothing: no bracket is open here",
        "",
    ),
    (
        "network n = ",
        "1:13",
        "expected a value after `=`, found the end of the file",
        "",
    ),
    (
        "network n\n{ }",
        "1:10",
        "expected `(`, `{` or `=` after `n`, found the end of the line",
        "",
    ),
    (
        "network n {}﻿",
        "1:13",
        "ZERO WIDTH NO-BREAK SPACE is not a sign of the language",
        "",
    ),
    (
        "a\u0000",
        "1:2",
        "there is a NUL character here: is this a text file?",
        "",
    ),
    (
        "a\rb",
        "1:2",
        "there is a carriage return here that ends no line",
        "end lines with a line feed (LF), or with both (CRLF)",
    ),
    (
        "let x = {}",
        "1:9",
        "expected a value after `=`, found `{`",
        "",
    ),
    (
        "block f(x = ) {}",
        "1:13",
        "expected a value after `=`, found `)`",
        "",
    ),
    (
        "block f(1) {}",
        "1:9",
        "expected a name or `)` after `(`, found `1`",
        "",
    ),
    (
        "block f x {}",
        "1:9",
        "expected `(` or `{` after `f`, found `x`",
        "",
    ),
    (
        "import x",
        "1:1",
        "`import` is not a word of the language",
        'write `from "file.arch" import name`',
    ),
    (
        "def f():\n  x",
        "1:1",
        "`def` is not a word of the language",
        "write `block name(parameters) { … }`, outside of any other",
    ),
    (
        "network n {\n input x: [3]\n conv(3, \n relu\n}\nnetwork m { }\n",
        "5:1",
        "expected `)` to close the `(` at 3:6, found `}`",
        "",
    ),
    (
        "let a = 1 let b = 2",
        "1:11",
        "expected the end of the line after `1`, found `let`",
        "",
    ),
    (
        "network n(a b) {}",
        "1:13",
        "expected `,` or `)` after `a`, found `b`",
        "",
    ),
    (
        "network n {} network m {}",
        "1:14",
        "expected the end of the line after `}`, found `network`",
        "",
    ),
    (
        "train for {}",
        "1:11",
        "expected the name of the network after `for`, found `{`",
        "",
    ),
    (
        "network n { train { } }",
        "1:13",
        "`train` stands at the top of a file, not inside a body",
        "",
    ),
    (
        "sequence 3",
        "1:10",
        "expected the name of the sequence after `sequence`, found `3`",
        "",
    ),
    (
        "model x {}",
        "1:1",
        "`model` is not a word of the language",
        "write `network name { … }`",
    ),
]


@pytest.mark.parametrize(("text", "where", "message", "help_"), IN_A_BODY)
def test_an_error_in_a_body(text: str, where: str, message: str, help_: str) -> None:
    diagnostic = refused(f"network n {{\n    {text}\n}}\n")
    assert (diagnostic.message, place(diagnostic), diagnostic.help) == (message, where, help_)


@pytest.mark.parametrize(("text", "where", "message", "help_"), IN_A_FILE)
def test_an_error_in_a_file(text: str, where: str, message: str, help_: str) -> None:
    diagnostic = refused(text)
    assert (diagnostic.message, place(diagnostic), diagnostic.help) == (message, where, help_)


@pytest.mark.parametrize("row", [*IN_A_BODY, *IN_A_FILE])
def test_no_message_names_a_token(row: tuple[str, str, str, str]) -> None:
    _, _, message, help_ = row
    quoted = re.sub(r"`[^`]*`|\([A-Z -]+\)|U\+[0-9A-F]+", "", f"{message} {help_}")
    known = {"NUL", "LF", "CRLF", "RIGHTWARDS", "ZERO", "LEFT", "A", "Z"}
    assert not set(re.findall(r"\b[A-Z_]{3,}\b", quoted)) - known or "is not a sign" in message


def test_what_is_never_closed_is_pointed_at() -> None:
    diagnostic = refused("network n {\n    conv(64,\n        3\n")
    assert diagnostic.message == "expected `)` to close the `(` at 2:9, found the end of the file"
    (label,) = diagnostic.labels
    assert (label.span.line, label.span.column, label.span.text) == (2, 9, "(")


def test_an_open_bracket_on_another_line_is_pointed_at() -> None:
    diagnostic = refused("network n {\n    conv(64\n    relu\n}\n")
    assert diagnostic.message == "expected `,` or `)` after `64`, found `relu`"
    assert [label.text for label in diagnostic.labels] == ["this `(` is still open"]
