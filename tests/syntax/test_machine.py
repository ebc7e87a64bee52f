"""The lexer and the machine, against Lark's own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lark import Lark, Tree, UnexpectedInput, UnexpectedToken
from lark import Token as LarkToken

from archdsl.diagnostics import ArchError, Source
from archdsl.syntax.grammar import make_tables
from archdsl.syntax.lexer import Lexer
from archdsl.syntax.lines import Lines
from archdsl.syntax.machine import END, Machine, NotAcceptedError
from archdsl.syntax.tables import find_grammar
from archdsl.syntax.tokens import Token

_ROOT = Path(__file__).parents[2]
FILES = sorted(
    [*_ROOT.glob("specs/**/*.arch"), *_ROOT.glob("examples/*.arch"), *_ROOT.glob("tests/**/*.arch")]
)
LINES = Lines(Source("", ""))
GRAMMAR = find_grammar().read_text(encoding="utf-8")
LARK = Lark(GRAMMAR, parser="lalr", postlex=LINES, maybe_placeholders=True)
TABLES = make_tables(GRAMMAR)
LEXER = Lexer(TABLES, Lines.always_accept)


class Shapes:
    """A builder of what Lark calls a tree: the name of the rule and its children."""

    def __getattr__(self, rule: str) -> Callable[[list[Any]], Any]:
        return lambda children: (rule, [plain(child) for child in children])


def plain(made: Any) -> Any:
    if isinstance(made, Tree):
        return str(made.data), [plain(child) for child in made.children]
    if isinstance(made, Token | LarkToken):
        return made.type, str(made), made.start_pos, made.end_pos
    return made


def ours(text: str) -> Any:
    """What the machine makes of a text, or which terminals it accepts where it stops."""
    machine = Machine(TABLES, Shapes())
    lines = Lines(Source("x.arch", text))
    try:
        return machine.read(lines.process(LEXER.lex(text, machine.states)))
    except NotAcceptedError as stop:
        return None if stop.token.type == END else stop.token.start_pos, machine.accepts()
    except ArchError as error:
        return str(error)


def larks(text: str) -> Any:
    LINES.source = Source("x.arch", text)
    run = LARK.parse_interactive(text)
    try:
        for _ in run.iter_parse():
            pass
        return plain(run.feed_eof())  # type: ignore[no-untyped-call]  # untyped in Lark
    except UnexpectedInput as stop:
        accepted = run.accepts()  # type: ignore[no-untyped-call]
        at_end = isinstance(stop, UnexpectedToken) and stop.token.type == END
        return None if at_end else stop.pos_in_stream, accepted
    except ArchError as error:
        return str(error)


def test_there_are_files() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_it_reads_a_file_as_lark_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert ours(text) == larks(text)


@pytest.mark.parametrize(
    "text",
    [
        "let a = b if not c not in d else not e\n",
        "let a = x.0.5\n",
        "let a = x.5 + .5 + 5. + 1e3\n",
        "let for_ = inn\n",
        "network n {\n  for{i}_x{j}_: conv(3)\n  block: relu\n}\n",
        "network n {\n  layer {\n  }\n  if: relu\n}\n",
        "network n { residual { relu } -> { a: relu } }\n",
        "block not { }\nnetwork network { input x: [4] }\n",
        "let a = [x for x in y if z or w]\nlet b = (1)\n",
        "network n {\n  a {\n}b: relu\n}\n",
        "\ufefflet a = 1 ; let b = 2 # c\n",
    ],
)
def test_where_a_place_decides(text: str) -> None:
    assert ours(text) == larks(text)


def assert_alike(text: str) -> None:
    """The same tree, or both stop.

    Not at the same place always: of a sign of two characters that may not stand there Lark takes
    the first, where it may, and stops at the second.
    """
    one, other = ours(text), larks(text)
    if one != other:
        assert is_stop(one), text
        assert is_stop(other), text


def is_stop(found: Any) -> bool:
    return isinstance(found, tuple) and isinstance(found[1], set)


PIECES = (
    'network n block b { } ( ) [ ] -> : ; , . = == input x relu conv 3 .5 1.5 "s" not in and or if'
    " else for repeat residual shortcut branch scan unet encode let as output training true it"
    " \n # word l: l{i}: - + ** // import from std train sequence dense down join $ é"
).split(" ")


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_it_stops_where_lark_does(pieces: list[str]) -> None:
    text = " ".join(pieces)
    assert_alike(text)


TEXTS = [path.read_text(encoding="utf-8") for path in FILES]


@given(st.sampled_from(TEXTS), st.data())
def test_a_file_with_a_piece_of_another_is_read_as_lark_does(
    text: str, data: st.DataObject
) -> None:
    start, end = sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2)))
    end = min(end, start + 40)
    text = text[:start] + data.draw(st.sampled_from(["", *PIECES])) + text[end:]
    assert_alike(text)
