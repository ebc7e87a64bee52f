"""The lexer, against Lark's own contextual one."""

from __future__ import annotations

from pathlib import Path

import pytest
from lark import Lark, UnexpectedInput

from archdsl.diagnostics import ArchError, Source
from archdsl.syntax.lexer import Lexer
from archdsl.syntax.lines import Lines
from archdsl.syntax.parser import find_grammar

_ROOT = Path(__file__).parents[2]
FILES = sorted(
    [*_ROOT.glob("specs/**/*.arch"), *_ROOT.glob("examples/*.arch"), *_ROOT.glob("tests/**/*.arch")]
)


def _lark(plugins: dict[str, type]) -> tuple[Lark, Lines]:
    lines = Lines()
    made = Lark(
        find_grammar().read_text(encoding="utf-8"), parser="lalr", postlex=lines, _plugins=plugins
    )
    return made, lines


OURS, LARKS = _lark({"ContextualLexer": Lexer}), _lark({})


def _tokens(parser: tuple[Lark, Lines], text: str) -> list[tuple[str, str, int | None, int | None]]:
    lark, lines = parser
    lines.source = Source("x.arch", text)
    found = []
    try:
        for token in lark.parse_interactive(text).iter_parse():
            found.append((token.type, str(token), token.start_pos, token.end_pos))
    except (UnexpectedInput, ArchError):
        found.append(("stopped", "", None, None))
    return found


def test_there_are_files() -> None:
    assert len(FILES) > 30


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_the_tokens_are_those_of_larks_own_lexer(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert _tokens(OURS, text) == _tokens(LARKS, text)


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
    assert _tokens(OURS, text) == _tokens(LARKS, text)
