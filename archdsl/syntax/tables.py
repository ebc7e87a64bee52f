"""The grammar as tables, which Lark works out once and a cache keeps.

Lark reads grammars/arch.lark and makes an LALR(1) automaton of it. To read a file takes that
automaton alone (:mod:`archdsl.syntax.machine`): with its tables at hand Lark need not be imported,
which took a sixth of what a command takes.
"""

from __future__ import annotations

import marshal
import os
import sys
from binascii import crc32
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

_FORM = "1"  # of the tables; another one makes them anew


class Rule(NamedTuple):
    """What becomes of the symbols of a rule when all of them are there."""

    origin: str
    """The symbol that they become."""
    size: int
    method: str | None
    """What the builder calls it; None for a part of other rules, which is a list."""
    taken: tuple[tuple[int, bool, int], ...] | None
    """The symbols that the builder is given, None for all: the place of each, whether it is a list
    whose items are meant, and how many absent symbols (None) stand before it."""
    absent: int
    """How many stand behind them."""
    lone: bool
    """Whether one alone stands for itself."""


class Tables(NamedTuple):
    """An automaton: where it goes from each state, and what it reads."""

    states: list[dict[str, int]]
    """By symbol: the next state, or a rule that is complete: -1 - its number."""
    rules: list[Rule]
    start: int
    end: int
    terminals: list[tuple[str, str]]
    """Names and regular expressions, in the order in which they are tried."""
    ignored: list[str]


def find_grammar() -> Path:
    """Where the grammar lies: in an installed package, or in the repository's grammars/."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "grammars" / "arch.lark"
    return installed if installed.is_file() else package.parent / "grammars" / "arch.lark"


def load_tables() -> Tables:
    """The tables of the grammar, from the cache where it has them."""
    grammar = find_grammar().read_text(encoding="utf-8")
    kept = _cache_file(grammar)
    if kept is not None:
        with suppress(OSError, ValueError, EOFError, TypeError):
            return _read(marshal.loads(kept.read_bytes()), grammar)  # noqa: S302 - the user's own
    from archdsl.syntax.grammar import make_tables  # Lark, of use where nothing is kept

    tables = make_tables(grammar)
    if kept is not None:
        unfinished = kept.with_suffix(f".{os.getpid()}")
        with suppress(OSError):  # another process may read it only when it is whole
            unfinished.write_bytes(marshal.dumps((grammar, *_plain(tables))))
            unfinished.replace(kept)
    return tables


def _plain(tables: Tables) -> tuple[Any, ...]:
    """The tables without named tuples, which the cache does not take."""
    return tuple(tables._replace(rules=[tuple(rule) for rule in tables.rules]))  # type: ignore[misc]


def _read(kept: Any, grammar: str) -> Tables:
    """The tables that were kept. Raises ValueError for those of another grammar."""
    made_of, states, rules, *others = kept
    if made_of != grammar:
        raise ValueError
    return Tables(states, [Rule(*rule) for rule in rules], *others)


def _cache_file(grammar: str) -> Path | None:
    """Where the tables may be kept: Python's own bytes, so only in the user's own folder."""
    try:
        told = Path(os.environ.get("XDG_CACHE_HOME", ""))
        folder = (told if told.is_absolute() else Path.home() / ".cache") / "archdsl"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (OSError, RuntimeError):
        return None
    if not os.access(folder, os.W_OK):
        return None
    name = f"grammar-{crc32(grammar.encode()):08x}-{_FORM}"  # hashlib is slow to import
    return folder / f"{name}.{sys.implementation.cache_tag}"
