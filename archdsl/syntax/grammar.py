"""Lark's automaton of the grammar, as tables."""

from __future__ import annotations

from typing import Any

from lark import Lark

from archdsl.diagnostics import Source
from archdsl.syntax.lines import Lines
from archdsl.syntax.tables import Rule, Tables


def make_tables(grammar: str) -> Tables:
    """What Lark makes of a grammar, LALR(1) with a contextual lexer."""
    lark = Lark(
        grammar,
        parser="lalr",
        lexer="contextual",
        postlex=Lines(Source("", "")),
        maybe_placeholders=True,
    )
    parser: Any = lark.parser  # untyped in Lark, all that follows
    table, lexing = parser.parser._parse_table, parser.lexer_conf
    numbers: dict[Any, int] = {}
    states: list[dict[str, int]] = [{} for _ in table.states]
    for state, row in table.states.items():
        for symbol, (_, target) in row.items():
            known = (
                target if isinstance(target, int) else -1 - numbers.setdefault(target, len(numbers))
            )
            states[state][str(symbol)] = known
    terminals = sorted(
        lexing.terminals,
        key=lambda t: (-t.priority, -t.pattern.max_width, -len(t.pattern.value)),
    )
    return Tables(
        states,
        [_rule(rule) for rule in numbers],
        table.start_states["start"],
        table.end_states["start"],
        [(t.name, t.pattern.to_regexp()) for t in terminals],
        list(lexing.ignore),
    )


def _rule(rule: Any) -> Rule:
    """A rule with what its builder is given, as Lark's parse_tree_builder has it."""
    origin = str(rule.origin.name)
    is_part = origin.startswith("_") and rule.alias is None
    absent = _absent(rule)
    taken: list[tuple[int, bool, int]] = []
    waiting = 0
    for place, symbol in enumerate(rule.expansion):
        waiting += absent[place]
        if not (symbol.is_term and symbol.filter_out):
            is_list = not symbol.is_term and symbol.name.startswith("_")
            taken.append((place, is_list, waiting))
            waiting = 0
    behind = waiting + absent[-1]
    size = len(rule.expansion)
    lone = bool(rule.options.expand1 and rule.alias is None)
    is_passed_on = lone and len(taken) == 1 and not taken[0][1] and not behind + taken[0][2]
    is_whole = taken == [(place, False, 0) for place in range(size)] and not behind
    return Rule(
        origin,
        size,
        None if is_part or is_passed_on else str(rule.alias or origin),
        None if is_whole else tuple(taken),
        behind,
        lone,
    )


def _absent(rule: Any) -> list[int]:
    """How many absent symbols stand before each of a rule's, and behind them."""
    places = rule.options.empty_indices
    if not places:
        return [0] * (len(rule.expansion) + 1)
    return [len(run) for run in "".join("1" if empty else "0" for empty in places).split("0")]
